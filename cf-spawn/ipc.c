/*
 * ipc.c - --seal ipc: the System V and POSIX objects by which processes meet are the tree's own.
 *
 * The namespace has shared memory, semaphores and message queues of both kinds; two file
 * systems show them.  POSIX shared memory and semaphores are files of /dev/shm, which no
 * namespace knows: it gets a new one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "spawn.h"

static const struct {
	const char	*type, *where, *options;
} shown[] = {
	{ "mqueue",	"/dev/mqueue",	NULL },
	{ "tmpfs",	"/dev/shm",	"mode=1777" },
};

int
ipc_seal(const struct conf *conf, const char **what)
{
	struct stat st;

	if ((conf->seal.parts & SEAL_IPC) == 0)
		return 0;
	*what = "make an IPC namespace for --seal ipc";
	if (unshare(CLONE_NEWIPC) != 0)
		return -1;
	*what = "mount the tree's own /dev/shm and /dev/mqueue";
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (stat(shown[i].where, &st) == 0 && S_ISDIR(st.st_mode) &&
		    mount("childflow", shown[i].where, shown[i].type,
		    MS_NOSUID | MS_NODEV | MS_NOEXEC, shown[i].options) != 0)
			return -1;
	return 0;
}

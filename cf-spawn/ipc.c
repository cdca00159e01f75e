/*
 * ipc.c - --seal ipc: the System V and POSIX objects by which processes meet are the tree's own.
 *
 * The namespace has shared memory, semaphores and message queues of both kinds; two file
 * systems show them.  POSIX shared memory and semaphores are files of /dev/shm, which no
 * namespace knows: it gets a new one.  Nor does any know the keys of the caller's session, which the
 * tree would have inherited: it begins a session of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	*what = "begin a session of keys for --seal ipc";
	/* A kernel without keys, or a container's filter, keeps them from the tree as well. */
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) != -1 || errno == ENOSYS ||
	    errno == EPERM ? 0 : -1;
}

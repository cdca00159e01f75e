/*
 * landlock.c - --seal sockets, where the kernel can say it in one sentence.
 *
 * From Linux 7.1 on (Landlock's ABI 9) a process can give up connecting to unix sockets with
 * a path, those made by itself and its kin excepted.  That has no gaps as our list of
 * covers has (sockets.c): whoever made the socket, whenever and wherever, it cannot be
 * reached unless --allow-socket names it, or it is harmless by our table.
 *
 * The price: who lives under Landlock can mount nothing, in a namespace of his own neither.
 * So it is there only where it was asked for.  Renaming from one directory to another
 * has to be allowed by name, or Landlock forbids it with anything else.
 *
 * Older kernels: nothing happens here, and the covers are all there is.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spawn.h"

#define ABI_OF_SOCKETS	9

#ifndef LANDLOCK_ACCESS_FS_RESOLVE_UNIX
#define LANDLOCK_ACCESS_FS_RESOLVE_UNIX	(1ULL << 16)
#endif

/* A place that is not there needs no rule: what is made there later stays refused. */
static int
allow_below(int ruleset, const char *path, unsigned long long access_to)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access_to,
	    .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	int rc, saved;

	if (rule.parent_fd == -1)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : -1;
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	saved = errno;
	close(rule.parent_fd);
	errno = saved;
	return rc;
}

static int
rules_add(int ruleset, const struct seal *s)
{
	const char *path;

	if (allow_below(ruleset, "/", LANDLOCK_ACCESS_FS_REFER) != 0)
		return -1;
	for (size_t i = 0; (path = sockets_harmless(i)) != NULL; i++)
		if (allow_below(ruleset, path, LANDLOCK_ACCESS_FS_RESOLVE_UNIX) != 0)
			return -1;
	for (size_t i = 0; i < s->nallow; i++)
		if (allow_below(ruleset, s->allow_socket[i], LANDLOCK_ACCESS_FS_RESOLVE_UNIX) != 0)
			return -1;
	return 0;
}

int
landlock_seal(const struct conf *conf)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_RESOLVE_UNIX | LANDLOCK_ACCESS_FS_REFER };
	int ruleset, rc, saved;

	if ((conf->seal.parts & SEAL_SOCKETS) == 0 || syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION) < ABI_OF_SOCKETS)
		return 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset == -1)
		return -1;
	rc = rules_add(ruleset, &conf->seal);
	if (rc == 0)
		rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
	saved = errno;
	close(ruleset);
	errno = saved;
	return rc;
}

/*
 * files.c - --seal files: the host's file system can be read, and not written.
 *
 * Writable stay the working directory (if it is not /), what --writable names, and what is no file: /proc
 * (a process's own settings) and the devices of /dev.  /tmp, /var/tmp and /dev/shm are new
 * and empty: programs must be able to write there, and what others keep there is not for
 * the tree; they are gone with it.
 *
 *	1  copies of the mounts that stay writable are taken, detached
 *	2  all is made read-only, in one call; nothing that is mounted outside arrives any more
 *	3  the private directories are mounted, and the copies put back in their places
 *
 * A copy goes back last, so a working directory below /tmp is there too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const char *const private_directories[] = { "/tmp", "/var/tmp", "/dev/shm" };
static const char *const always_writable[] = { "/proc", "/dev" };

struct copy {
	char		 path[PATH_MAX];
	int		 fd;
};

/* A detached copy of what lies at path, with all that is mounted below. */
static int
copy_take(struct copy *c, const char *path)
{
	if (realpath(path, c->path) == NULL)
		return -1;
	c->fd = open_tree(AT_FDCWD, c->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	return c->fd == -1 ? -1 : 0;
}

/* Every directory of path that is not there yet: below one of the private ones. */
static int
directories_make(const char *path)
{
	char part[PATH_MAX];
	struct stat st;

	for (const char *p = strchr(path + 1, '/'); ; p = strchr(p + 1, '/')) {
		size_t len = p != NULL ? (size_t)(p - path) : strlen(path);

		memcpy(part, path, len);
		part[len] = '\0';
		if (stat(part, &st) != 0 && mkdir(part, 0755) != 0)
			return -1;
		if (p == NULL)
			return 0;
	}
}

static int
copy_put(const struct copy *c)
{
	return directories_make(c->path) != 0 || move_mount(c->fd, "", AT_FDCWD, c->path,
	    MOVE_MOUNT_F_EMPTY_PATH) != 0 ? -1 : 0;
}

static int
all_read_only(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE };

	return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr));
}

static int
private_make(void)
{
	struct stat st;

	for (size_t i = 0; i < COUNT(private_directories); i++)
		if (lstat(private_directories[i], &st) == 0 && S_ISDIR(st.st_mode) &&
		    mount("childflow", private_directories[i], "tmpfs", MS_NOSUID | MS_NODEV,
		    "mode=1777") != 0)
			return -1;
	return 0;
}

int
files_seal(const struct conf *conf, const char *directory, const char **what)
{
	static struct copy copies[SEAL_LIST_MAX + COUNT(always_writable) + 1];
	size_t n = 0;

	if ((conf->seal.parts & SEAL_FILES) == 0)
		return 0;
	*what = "take what stays writable with --seal files";
	for (size_t i = 0; i < COUNT(always_writable); i++)
		if (access(always_writable[i], F_OK) == 0 &&
		    copy_take(&copies[n++], always_writable[i]) != 0)
			return -1;
	for (size_t i = 0; i < conf->seal.nwritable; i++) {
		*what = "find a --writable directory";
		if (copy_take(&copies[n++], conf->seal.writable[i]) != 0)
			return -1;
	}
	*what = "find the working directory (with --seal files it must be there)";
	if (directory == NULL ||
	    (strcmp(directory, "/") != 0 && copy_take(&copies[n++], directory) != 0))
		return -1;
	*what = "make the file system read-only (Linux 5.12)";
	if (all_read_only() != 0)
		return -1;
	/* /proc and /dev go back first, as one of the private directories lies in /dev. */
	*what = "put back what stays writable";
	for (size_t i = 0; i < n; i++) {
		if (i == COUNT(always_writable) && private_make() != 0)
			return -1;
		if (copy_put(&copies[i]) != 0)
			return -1;
		close(copies[i].fd);
	}
	return 0;
}

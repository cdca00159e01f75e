/*
 * files.c - open the files of a capture, before the seal and with the caller's rights.
 *
 * One file, or several that are written in turns: run.pcapng is then run.0.pcapng, run.1.pcapng,
 * ... .  Only their owner may read them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "log.h"
#include "stem.h"

#define SPARE_FD	(OUT_FD + FILES_MAX)	/* where they wait until all are there */

const char *
files_name(const struct capture_conf *conf)
{
	return conf->path != NULL && strcmp(conf->path, "-") != 0 ? conf->path : "the capture";
}

static int
path_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd == -1)
		fatal("cannot write %s", path);
	return fd;
}

static int
next_open(const struct capture_conf *conf, size_t i)
{
	char path[PATH_MAX];

	if (conf->path == NULL)
		return i < conf->n_fds ? conf->fds[i] : conf->egress_fds[i - conf->n_fds];
	if (strcmp(conf->path, "-") == 0)
		return dup(STDOUT_FILENO);
	if (conf->keep == 0)
		return path_open(conf->path);
	if (!stem_number(conf->path, i, conf->keep, path, sizeof(path))) {
		errno = ENAMETOOLONG;
		fatal("cannot write %s", conf->path);
	}
	return path_open(path);
}

/* Away from the numbers that they will have, and really one that can be written. */
static int
set_aside(const struct capture_conf *conf, int fd)
{
	int flags = fcntl(fd, F_GETFL), aside = -1;

	if (flags != -1 && (flags & O_ACCMODE) == O_RDONLY)
		errno = EBADF;
	else if (flags != -1)
		aside = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);
	if (aside == -1)
		fatal("cannot write %s", files_name(conf));
	return aside;
}

size_t
files_open(const struct capture_conf *conf, int fds[FILES_MAX])
{
	size_t n = conf->path == NULL ? conf->n_fds + conf->n_egress : conf->keep > 0 ? conf->keep : 1;

	for (size_t i = 0; i < n; i++)
		fds[i] = set_aside(conf, next_open(conf, i));
	for (size_t i = 0; i < n; i++) {
		if (dup3(fds[i], OUT_FD + (int)i, O_CLOEXEC) == -1)
			fatal("cannot write %s", files_name(conf));
		close(fds[i]);
		fds[i] = OUT_FD + (int)i;
	}
	return n;
}

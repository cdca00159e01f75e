/*
 * monitor.c - --monitor: the flows of the run in a table on a terminal, by a sealed cf-doctor.
 *
 * The terminal is opened here, with the caller's rights.  It is never the one that the command
 * talks to: the two would write over each other, and both read what is typed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

/* Is this the terminal?  /dev/tty has a number of its own, whatever is behind it. */
static bool
is_same(int fd, const struct stat *tty, bool ours)
{
	struct stat st;

	return isatty(fd) && (ours || (fstat(fd, &st) == 0 && st.st_rdev == tty->st_rdev));
}

void
monitor_open(struct conf *conf)
{
	bool ours = conf->monitor != NULL && strcmp(conf->monitor, "-") == 0;
	const char *path = ours ? "/dev/tty" : conf->monitor;
	struct stat tty;

	conf->monitor_fd = -1;
	if (conf->monitor == NULL)
		return;
	conf->monitor_fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (conf->monitor_fd == -1)
		fatal("cannot use the terminal --monitor %s", path);
	if (!isatty(conf->monitor_fd) || fstat(conf->monitor_fd, &tty) != 0)
		fatalx("--monitor %s is no terminal (tty(1) says what one is called; - is this one)",
		    path);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (is_same(fd, &tty, ours))
			fatalx("--monitor would take the terminal that the command uses: name another, or "
			    "send the command's elsewhere (</dev/null >out 2>&1)");
	if (conf->flow_updates == 0)
		conf->flow_updates = 1;
}

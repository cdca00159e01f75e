/*
 * finding.c - what a check found, in words; and the files that explain it.  See doctor.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

const char	*doctor_root = "";
struct hops	 doctor_proxies;

void
good(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	f->ok = true;
}

void
bad(struct finding *f, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	snprintf(f->hint, sizeof(f->hint), "%s", hint);
	f->ok = false;
}

ssize_t
doctor_read(const char *path, char buf[DOCTOR_FILE_MAX])
{
	char full[PATH_MAX];
	ssize_t n = -1;
	int fd;

	snprintf(full, sizeof(full), "%s%s", doctor_root, path);
	/* Whatever lies there: a pipe does not hold us up. */
	if ((fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) == -1)
		return -1;
	n = read(fd, buf, DOCTOR_FILE_MAX - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

bool
doctor_exists(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", doctor_root, path);
	return access(full, F_OK) == 0;
}

long
doctor_number(const char *path)
{
	char buf[DOCTOR_FILE_MAX];

	return doctor_read(path, buf) > 0 ? strtol(buf, NULL, 10) : -1;
}

bool
tried(struct finding *f, void (*fn)(struct probe *), const char *const *step_failed,
    const char *(*hint)(const struct probe *), struct probe *p)
{
	switch (probe_run(fn, p)) {
	case PROBE_DONE:
		if (p->err == 0)
			return true;
		bad(f, hint(p), "%s: %s", step_failed[p->step], strerror(p->err));
		return false;
	case PROBE_KILLED:
		bad(f, HINT_CONTAINER, "the process that tried was killed (signal %d)", p->err);
		return false;
	case PROBE_LATE:
		bad(f, "look at the kernel's log (dmesg)", "no answer within %d ms",
		    probe_limit);
		return false;
	default:
		bad(f, "raise the limit of processes or descriptors (ulimit -u, -n)",
		    "cannot start a process to try it");
		return false;
	}
}

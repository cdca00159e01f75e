/*
 * auditrun.c - what a program prints when asked with --audit.
 *
 * It gets nothing of ours, its time and what is read of it are bounded, and all that it may
 * have started ends with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAID_MAX	(1 << 20)	/* the longest says 30 KiB */

int	audit_limit = 5000;

static _Noreturn void
become(const char *path, int out)
{
	static char option[] = "--audit", *none[] = { NULL };
	char *argv[] = { (char *)(uintptr_t)path, option, NULL };
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setpgid(0, 0);
	if (null == -1 || dup2(out, STDOUT_FILENO) == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    dup2(null, STDERR_FILENO) == -1)
		_exit(126);
	syscall(SYS_close_range, 3u, ~0u, 0);
	execve(path, argv, none);
	_exit(127);
}

static long
ms_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until its end, which is NULL; or what is wrong. */
static const char *
take(int fd, char *buf, size_t *len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long until = ms_now() + audit_limit, left;
	ssize_t n;

	for (*len = 0; *len < SAID_MAX;) {
		if ((left = until - ms_now()) <= 0 || poll(&p, 1, (int)left) == 0)
			return "it does not come to an end";
		n = read(fd, buf + *len, SAID_MAX - *len);
		if (n == 0)
			return NULL;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			return "cannot read what it says";
	}
	return "it says too much";
}

/* It has said all, but may not have ended; that it has is told by a pidfd. */
static int
end_of(pid_t pid)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status;

	if (p.fd != -1) {
		poll(&p, 1, audit_limit);
		close(p.fd);
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);		/* before it had a group of its own */
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

char *
audit_run(const char *path, size_t *len, char why[AUDIT_WHY])
{
	char *buf = malloc(SAID_MAX);
	const char *wrong = "out of memory";
	int fds[2], status;
	pid_t pid;

	if (buf != NULL && pipe2(fds, O_CLOEXEC) == 0) {
		if ((pid = fork()) == 0)
			become(path, fds[1]);
		close(fds[1]);
		wrong = pid == -1 ? "cannot start a process" : take(fds[0], buf, len);
		close(fds[0]);
		if (pid != -1 && wrong != NULL)
			kill(-pid, SIGKILL);
		status = pid != -1 ? end_of(pid) : 0;
		if (wrong == NULL && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
			wrong = "it ended badly (is it of another version?)";
	}
	if (wrong == NULL)
		return buf;
	snprintf(why, AUDIT_WHY, "%s", wrong);
	free(buf);
	return NULL;
}

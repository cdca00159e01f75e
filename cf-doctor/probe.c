/*
 * probe.c - see doctor.h.
 *
 * The child is what may be killed, wedged or left without rights; the parent keeps its
 * own state and only reads one struct from a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"

int	probe_limit = 5000;

static _Noreturn void
child(void (*fn)(struct probe *), int fd)
{
	struct probe p = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	fn(&p);
	_exit(write(fd, &p, sizeof(p)) == sizeof(p) ? 0 : 1);
}

enum probe_end
probe_run(void (*fn)(struct probe *), struct probe *out)
{
	struct pollfd wait = { .events = POLLIN };
	int fds[2], status, ready;
	ssize_t n = 0;
	pid_t pid;

	*out = (struct probe){ 0 };
	if (pipe2(fds, O_CLOEXEC) != 0)
		return PROBE_NOT_STARTED;
	if ((pid = fork()) == 0)
		child(fn, fds[1]);
	close(fds[1]);
	wait.fd = fds[0];
	ready = pid == -1 ? -1 : poll(&wait, 1, probe_limit);
	if (ready == 1)
		n = read(fds[0], out, sizeof(*out));
	close(fds[0]);
	if (pid == -1)
		return PROBE_NOT_STARTED;
	if (n != sizeof(*out) && ready != 1)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (n == sizeof(*out))
		return PROBE_DONE;
	if (ready != 1)
		return PROBE_LATE;
	out->err = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return PROBE_KILLED;
}

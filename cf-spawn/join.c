/*
 * join.c - cf-spawn --join: a command in the network and under the policy of a run that there is.
 *
 * The run's cf-spawn is on the other side and starts the command (joined.c) with our standard
 * descriptors, directory, umask and environment.  Here we wait: signals go over, the status comes
 * back.  On a terminal the command gets one of its own (terminal.c), so that keys, job control
 * and sizes are as ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

#define CONNECT_LIMIT_MS	5000
#define SEALS			(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

static _Noreturn void
cannot_join(const char *name)
{
	if (errno == ECONNREFUSED || errno == ENOENT)
		fatalx("--join %s: you have no such run (cf-spawn --list shows yours; one with a name "
		    "is joined by that)", name);
	if (errno == EACCES)
		fatalx("--join %s: that is another user's", name);
	fatal("--join %s: the run does not answer", name);
}

/* What is to be executed, where nobody can change it any more. */
static int
words_fd(const struct conf *conf)
{
	char *directory = getcwd(NULL, 0), *bytes;
	mode_t mask = umask(0);
	struct run_words w = { .mask = mask, .terminal = terminal_is_open(),
	    .directory = directory != NULL ? directory : "", .argv = conf->command, .envp = environ };
	int fd = memfd_create("childflow-join", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t len;

	umask(mask);
	if ((bytes = runwords_put(&w, &len)) == NULL)
		fatalx("the command and its environment are too large to join a run (at most %u "
		    "bytes)", RUN_WORDS_MAX);
	if (fd == -1 || write(fd, bytes, len) != (ssize_t)len || fcntl(fd, F_ADD_SEALS, SEALS) != 0)
		fatal("cannot hand the command over");
	free(bytes);
	free(directory);
	return fd;
}

static void
request_send(const struct conf *conf, int fd)
{
	int fds[RUN_FDS] = { 0, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };

	terminal_open(fds + 1);
	fds[0] = words_fd(conf);
	if (!runmsg_send(fd, RUN_JOIN, 0, "", fds, RUN_FDS)) {
		terminal_close();
		fatal("--join %s: cannot ask the run", conf->runs.join);
	}
	for (int i = 0; i < RUN_FDS; i++)
		if (fds[i] > STDERR_FILENO)
			close(fds[i]);
}

static int
signals_open(void)
{
	static const int taken[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
	    SIGWINCH, SIGTSTP, SIGCONT };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	if ((fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		fatal("cannot take signals");
	return fd;
}

/* The command's session has no shell to continue it, so it cannot stop as by a key. */
static void
stop(int fd)
{
	if (!terminal_is_open())
		runmsg_send(fd, RUN_SIGNAL, -SIGSTOP, "", NULL, 0);
	terminal_leave();
	raise(SIGSTOP);
}

static void
signals_read(int signal_fd, int fd)
{
	struct signalfd_siginfo si;
	int sig;

	while (read(signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		sig = (int)si.ssi_signo;
		if (sig == SIGTSTP) {
			stop(fd);
			continue;
		}
		if (sig == SIGWINCH || sig == SIGCONT)
			terminal_update();
		if (terminal_is_open() && (sig == SIGWINCH || sig == SIGCONT))
			continue;
		/* From the terminal it is for all that the command has started, too. */
		runmsg_send(fd, RUN_SIGNAL, si.ssi_code == SI_KERNEL || sig == SIGCONT ? -sig : sig,
		    "", NULL, 0);
	}
}

/* The run has said something: true, and the status, if that was the last. */
static bool
answer_read(int fd, const char *name, int *status)
{
	static struct run_msg m;
	int fds[RUN_FDS];
	bool ok = runmsg_receive(fd, &m, fds);

	terminal_close();
	*status = STATUS_FAILED;
	if (ok && m.type == RUN_ENDED)
		*status = m.value & 0xff;
	else if (ok && m.type == RUN_REFUSED) {
		*status = m.value & 0xff;
		log_warnx("--join %s: %s", name, m.text);
	} else {
		log_warnx("--join %s: the run has ended", name);
	}
	return true;
}

int
join(const struct conf *conf)
{
	enum { SIGNALS, RUN, OUTSIDE, INSIDE };
	int fd = runsock_connect(conf->runs.join, CONNECT_LIMIT_MS), status;
	struct pollfd at[4] = { { .events = POLLIN }, { .fd = fd, .events = POLLIN } };

	if (fd == -1)
		cannot_join(conf->runs.join);
	at[SIGNALS].fd = signals_open();
	request_send(conf, fd);
	terminal_update();
	for (;;) {
		terminal_poll(at + OUTSIDE);
		if (poll(at, 4, -1) == -1 && errno != EINTR)
			fatal("cannot wait");
		if (at[SIGNALS].revents != 0)
			signals_read(at[SIGNALS].fd, fd);
		terminal_relay(at + OUTSIDE);
		if (at[RUN].revents != 0 && answer_read(fd, conf->runs.join, &status))
			return status;
	}
}

/*
 * helpers.c - start the helpers, and take their ends; wire.c says how they hang together.
 *
 * The dialler and what the user brought run in the caller's network namespace.  The others share one
 * that has no interface up, made by a process (the jail's first, which becomes cf-netstack) that
 * starts its siblings with CLONE_PARENT, so that all are our own children.
 *
 * What must stay true: a program is executed through the descriptor under which it was
 * found, with the ids of the helpers and without a capability.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "start.h"

const struct kind kinds[HELPER_KINDS] = {
	[HELPER_NETSTACK] = { "cf-netstack",		"cf-netstack",	true },
	[HELPER_DNS]	  = { "cf-dns",			"cf-dns",	true },
	[HELPER_POLICY]   = { "cf-proxy (policy)",	"cf-proxy",	true },
	[HELPER_CAPTURE]  = { "cf-capture",		"cf-capture",	true },
	[HELPER_DIALLER]  = { "cf-proxy (dialler)",	"cf-proxy",	false },
	[HELPER_WATCHER]  = { "cf-spawn (watcher)",	NULL,		false },
	[HELPER_UPSTREAM] = { "cf-upstream",		"cf-upstream",	true },
	[HELPER_MONITOR]  = { "cf-doctor (monitor)",	"cf-doctor",	false },
	[HELPER_SUMMARY]  = { "cf-doctor (summary)",	"cf-doctor",	false },
	[HELPER_EGRESS]	  = { "--proxy-helper",		NULL,		false },
	[HELPER_NAMES]	  = { "--dns-helper",		NULL,		false },
	[HELPER_RECORDER] = { "--capture-helper",	NULL,		false },
};

static int	program_fd[HELPER_KINDS];

void
helpers_find_programs(const struct conf *conf)
{
	char path[4096];

	for (int k = 0; k < HELPER_KINDS; k++) {
		program_fd[k] = -1;
		if (kinds[k].program == NULL || !kind_wanted((enum helper_kind)k, conf))
			continue;
		snprintf(path, sizeof(path), "%s/%s%s", paths_libexec, kinds[k].program,
		    k == HELPER_UPSTREAM && conf->proxy.tls ? "-tls" : "");
		program_fd[k] = open(path, O_PATH | O_CLOEXEC);
		if (program_fd[k] == -1)
			fatal("cannot find the helper %s (install childflow again)", path);
	}
}

/* ---- processes ---- */

static _Noreturn void
start_failed(const struct start *s, const char *what)
{
	fatal("cannot %s %s", what, kinds[s->kind].name);
}

/* Deal the descriptors under the numbers that the arguments promise. */
static void
descriptors_deal(const struct start *s)
{
	const int above = FIRST_EXTRA_FD + (int)s->nextra;	/* where they wait meanwhile */
	int in = fcntl(s->in, F_DUPFD_CLOEXEC, above), out = fcntl(s->out, F_DUPFD_CLOEXEC, above);
	int extra[EXTRA_FDS_MAX], program = fcntl(s->program_fd, F_DUPFD_CLOEXEC, above);

	for (unsigned i = 0; i < s->nextra; i++)
		extra[i] = fcntl(s->extra[i], F_DUPFD_CLOEXEC, above);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1 || program == -1)
		start_failed(s, "give its channel to");
	for (unsigned i = 0; i < s->nextra; i++)
		if (dup2(extra[i], FIRST_EXTRA_FD + (int)i) == -1)
			start_failed(s, "give its descriptors to");
	((struct start *)s)->program_fd = program;
}

/* In the new process: become the helper. */
static _Noreturn void
become(const struct start *s)
{
	static char *no_environment[] = { NULL };
	sigset_t none;

	if (s->kind != HELPER_MONITOR)	/* in the background it could not use our own terminal */
		setpgid(0, 0);		/* a Ctrl-C is for the command */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	descriptors_deal(s);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || identity_bound_caps(s->keep) != 0 ||
	    identity_drop_caps(s->keep) != 0)
		start_failed(s, "take the powers from");
	syscall(SYS_execveat, s->program_fd, "", s->argv, no_environment, AT_EMPTY_PATH);
	start_failed(s, "execute");
}

/* fork(2), but the new process is a child of our parent. */
static pid_t
fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/*
 * The jail's first process: make the empty namespace, start the others, say their pids (or the
 * errno, which is shorter), become cf-netstack.
 */
static _Noreturn void
jail_main(const struct start *start, const struct identity *id, int report_fd)
{
	pid_t pids[HELPER_KINDS] = { 0 };

	if (identity_become_helper(id) != 0)
		fatal("cannot become the user that the helpers run as");
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) != 0) {
		(void)!write(report_fd, &errno, sizeof(errno));
		_exit(STATUS_FAILED);
	}
	for (int k = 0; k < HELPER_KINDS; k++) {
		if (k == HELPER_NETSTACK || !start[k].jailed || !start[k].wanted)
			continue;
		if ((pids[k] = fork_sibling()) == -1)
			start_failed(&start[k], "start a process for");
		if (pids[k] == 0)
			become(&start[k]);
	}
	pids[HELPER_NETSTACK] = getpid();
	if (write(report_fd, pids, sizeof(pids)) != (ssize_t)sizeof(pids))
		_exit(STATUS_FAILED);
	become(&start[HELPER_NETSTACK]);
}

static int
jail_start(struct helpers *h, const struct start *start, const struct identity *id)
{
	pid_t pids[HELPER_KINDS], first;
	int report[2];
	ssize_t n;

	if (pipe2(report, O_CLOEXEC) != 0)
		fatal("cannot make a pipe");
	if ((first = fork()) == -1)
		fatal("cannot start a process");
	if (first == 0)
		jail_main(start, id, report[1]);
	close(report[1]);
	h->helper[HELPER_NETSTACK].pid = first;
	do {
		n = read(report[0], pids, sizeof(pids));
	} while (n == -1 && errno == EINTR);
	close(report[0]);
	if (n == (ssize_t)sizeof(errno)) {
		memcpy(&errno, pids, sizeof(errno));
		return -1;
	}
	if (n != (ssize_t)sizeof(pids))
		return 0;		/* it said why and is dead: the watch will find it */
	for (int k = 0; k < HELPER_KINDS; k++)
		if (start[k].jailed)
			h->helper[k].pid = pids[k];
	return 0;
}

/* As messages say it; a command of the user's as he wrote it. */
static const char *
name_of(const struct start *s)
{
	static char text[HELPER_KINDS][160];
	char shown[128];

	if (s->command == NULL)
		return kinds[s->kind].name;
	snprintf(text[s->kind], sizeof(text[s->kind]), "the helper `%s'",
	    log_escape(shown, sizeof(shown), s->command));
	return text[s->kind];
}

static void
outside_start(struct helpers *h, const struct start *s, const struct identity *id)
{
	pid_t pid = fork();

	if (pid == -1)
		fatal("cannot start a process");
	if (pid == 0) {
		if (s->command != NULL)
			pipes_become(s->command, s->in);
		if (s->keep != 0)
			prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
		if (identity_become_helper(id) != 0)
			fatal("cannot become the user that the helpers run as");
		become(s);
	}
	h->helper[s->kind].pid = pid;
}

int
helpers_start(struct helpers *h, const struct conf *conf, const struct identity *id,
    const struct texts *texts)
{
	struct start start[HELPER_KINDS];
	int rc, saved;

	wire(start, h, conf, texts);
	for (int k = 0; k < HELPER_KINDS; k++) {
		start[k].program_fd = program_fd[k];
		h->helper[k] = (struct helper){ .name = name_of(&start[k]) };
		if (start[k].wanted && !start[k].jailed)
			outside_start(h, &start[k], id);
	}
	rc = jail_start(h, start, id);
	saved = errno;
	for (int k = 0; k < HELPER_KINDS; k++) {
		struct start *s = &start[k];

		log_debug("started %s, pid %d", kinds[k].name, (int)h->helper[k].pid);
		for (unsigned i = 0; i < s->argc; i++)
			free(s->argv[i]);
		if (!s->wanted)
			continue;
		for (unsigned i = 0; i < s->nextra; i++)
			close(s->extra[i]);
		if (s->in > STDERR_FILENO)
			close(s->in);
		if (s->command == NULL)
			close(s->program_fd);
	}
	errno = saved;
	return rc;
}

void
helpers_each(const struct conf *conf, const struct texts *texts,
    void (*say)(void *arg, const char *name, bool jailed, char *const *argv), void *arg)
{
	struct start start[HELPER_KINDS];
	struct helpers h;

	wire(start, &h, conf, texts);
	for (int k = 0; k < HELPER_KINDS; k++)
		if (start[k].wanted)
			say(arg, kinds[k].name, kinds[k].jailed, start[k].argv);
}

struct helper *
helpers_find(struct helpers *h, pid_t pid)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (h->helper[k].pid == pid && !h->helper[k].ended)
			return &h->helper[k];
	return NULL;
}

/* One of the user's with all that it has started. */
static void
helper_kill(const struct helper *h)
{
	kill(h->pid, SIGKILL);
	if (getpgid(h->pid) == h->pid)
		kill(-h->pid, SIGKILL);
}

void
helpers_kill(struct helpers *h)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (h->helper[k].pid > 0 && !h->helper[k].ended)
			helper_kill(&h->helper[k]);
}

bool
helper_ended_badly(const struct helper *h)
{
	return h->ended && (h->code != CLD_EXITED || h->status != 0);
}

bool
helpers_reap(struct helpers *hs)
{
	struct helper *h;
	siginfo_t info;
	bool any = false;

	for (int k = 0; k < HELPER_KINDS; k++) {
		h = &hs->helper[k];
		info.si_pid = 0;
		if (h->pid <= 0 || h->ended || waitid(P_PID, (id_t)h->pid, &info,
		    WEXITED | WSTOPPED | WNOHANG) != 0 || info.si_pid == 0)
			continue;
		h->code = info.si_code;
		h->status = info.si_status;
		if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
			helper_kill(h);
		else
			h->ended = true;
		any = true;
	}
	return any;
}

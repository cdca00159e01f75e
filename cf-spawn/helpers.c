/*
 * helpers.c - start the helpers, and take their ends; wire.c says how they hang together.
 *
 * The dialler and what the user brought run in the caller's network namespace.  The others share one
 * that has no interface up.  Either is made ready by a process that starts the helpers with
 * CLONE_PARENT, so that all are our own children, each in a PID namespace of its own, and ends.
 * What else there is to leave a helper leaves itself (sandbox.h).
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

#include "audit.h"
#include "log.h"
#include "sandbox.h"
#include "start.h"

#define OWN_EACH	CLONE_NEWPID	/* namespaces that no helper shares with another */

const struct kind kinds[HELPER_KINDS] = {
	[HELPER_NETSTACK] = { "cf-netstack",		"cf-netstack",	true },
	[HELPER_DNS]	  = { "cf-dns",			"cf-dns",	true },
	[HELPER_POLICY]   = { "cf-proxy (policy)",	"cf-proxy",	true },
	[HELPER_CAPTURE]  = { "cf-capture",		"cf-capture",	true },
	[HELPER_DIALLER]  = { "cf-proxy (dialler)",	"cf-proxy",	false },
	[HELPER_WATCHER]  = { "cf-spawn (watcher)",	NULL,		false },
	[HELPER_UPSTREAM] = { "cf-upstream",		"cf-upstream",	true },
	[HELPER_MONITOR]  = { "cf-doctor (monitor)",	"cf-doctor",	true },
	[HELPER_SUMMARY]  = { "cf-doctor (summary)",	"cf-doctor",	true },
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

/* fork(2), but the new process is a child of our parent, and the first of a PID namespace. */
static pid_t
fork_sibling(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | OWN_EACH | SIGCHLD, 0, 0, 0, 0);
}

/* The namespaces that are made for a group. */
static unsigned
jail_leaves(bool jailed)
{
	return CLONE_NEWUSER | (jailed ? CLONE_NEWNET : 0);
}

/* Is it started by that process?  The others need what it gives up, or are the user's. */
static bool
is_of(const struct start *s, bool jailed)
{
	return s->wanted && s->command == NULL && s->keep == 0 && s->jailed == jailed;
}

/*
 * Make the namespaces, start who belongs there, say their pids (or the errno, which is shorter),
 * end.
 */
static _Noreturn void
jail_main(const struct start *start, const struct identity *id, bool jailed, int report_fd)
{
	pid_t pids[HELPER_KINDS] = { 0 };
	uid_t uid;
	gid_t gid;

	if (identity_become_helper(id) != 0)
		fatal("cannot become the user that the helpers run as");
	uid = geteuid();
	gid = getegid();
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);	/* or our part of /proc is root's */
	/* Who has no id in a user namespace can make none in it, and the helpers will. */
	if (unshare((int)jail_leaves(jailed)) != 0 ||
	    idmap_self(uid, gid, false) != 0) {
		(void)!write(report_fd, &errno, sizeof(errno));
		_exit(STATUS_FAILED);
	}
	for (int k = 0; k < HELPER_KINDS; k++) {
		if (!is_of(&start[k], jailed))
			continue;
		if ((pids[k] = fork_sibling()) == -1)
			start_failed(&start[k], "start a process for");
		if (pids[k] == 0)
			become(&start[k]);
	}
	_exit(write(report_fd, pids, sizeof(pids)) == (ssize_t)sizeof(pids) ? 0 : STATUS_FAILED);
}

struct jail {
	pid_t	first;
	int	report_fd;
};

static struct jail
jail_start(const struct start *start, const struct identity *id, bool jailed)
{
	struct jail j;
	int report[2];

	if (pipe2(report, O_CLOEXEC) != 0)
		fatal("cannot make a pipe");
	if ((j.first = fork()) == -1)
		fatal("cannot start a process");
	if (j.first == 0)
		jail_main(start, id, jailed, report[1]);
	close(report[1]);
	j.report_fd = report[0];
	return j;
}

/* The pids of those that it has started; -1 and errno where there could be no namespaces. */
static int
jail_take(struct helpers *h, const struct start *start, const struct jail *j, bool jailed)
{
	pid_t pids[HELPER_KINDS];
	ssize_t n;

	do {
		n = read(j->report_fd, pids, sizeof(pids));
	} while (n == -1 && errno == EINTR);
	close(j->report_fd);
	for (int k = 0; k < HELPER_KINDS; k++)
		if (is_of(&start[k], jailed))	/* or it said why and is dead: the watch will find it */
			h->helper[k].pid = n == (ssize_t)sizeof(pids) ? pids[k] : j->first;
	if (n == (ssize_t)sizeof(pids) || n == (ssize_t)sizeof(errno))
		while (waitpid(j->first, NULL, 0) == -1 && errno == EINTR)
			;
	if (n != (ssize_t)sizeof(errno))
		return 0;
	memcpy(&errno, pids, sizeof(errno));
	return -1;
}

/* The two groups at the same time. */
static int
jails_start(struct helpers *h, const struct start *start, const struct identity *id)
{
	bool outside = is_of(&start[HELPER_DIALLER], false);
	struct jail near = { 0 }, far;
	int rc, saved;

	if (outside)
		near = jail_start(start, id, false);
	far = jail_start(start, id, true);
	rc = jail_take(h, start, &far, true);
	saved = errno;
	if (outside && jail_take(h, start, &near, false) != 0) {
		rc = -1;
		saved = errno;
	}
	errno = saved;
	return rc;
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
	pid_t pid = -1;

	if (s->command == NULL)		/* only root may, without a user namespace */
		pid = (pid_t)syscall(SYS_clone, OWN_EACH | SIGCHLD, 0, 0, 0, 0);
	if (pid == -1 && (pid = fork()) == -1)
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
		if (start[k].wanted && !is_of(&start[k], true) && !is_of(&start[k], false))
			outside_start(h, &start[k], id);
	}
	rc = jails_start(h, start, id);
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

static void
start_audit(const char *role, const char *program, bool jailed, const char *comma)
{
	printf("%s{", comma);
	sandbox_audit_text("role", role);
	putchar(',');
	sandbox_audit_text("program", program);
	putchar(',');
	sandbox_audit_namespaces(jail_leaves(jailed) | OWN_EACH);
	putchar('}');
}

void
helpers_audit(void)
{
	fputs(",\"starts\":[", stdout);
	for (int k = 0, n = 0; k < HELPER_KINDS; k++)
		if (kinds[k].program != NULL)
			start_audit(kinds[k].name, kinds[k].program, kinds[k].jailed, n++ > 0 ? "," : "");
	start_audit("cf-upstream-tls", "cf-upstream-tls", kinds[HELPER_UPSTREAM].jailed, ",");
	putchar(']');
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
void
helper_kill(const struct helper *h)
{
	if (h->pid <= 0 || h->ended)
		return;
	kill(h->pid, SIGKILL);
	if (getpgid(h->pid) == h->pid)
		kill(-h->pid, SIGKILL);
}

void
helpers_kill(struct helpers *h)
{
	for (int k = 0; k < HELPER_KINDS; k++)
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
		if (h->code != CLD_STOPPED) {	/* then we have killed it */
			h->code = info.si_code;
			h->status = info.si_status;
		}
		if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
			helper_kill(h);
		else
			h->ended = true;
		any = true;
	}
	return any;
}

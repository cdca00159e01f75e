/*
 * run.c - one run, from the first process to the status.
 *
 *	starting   the child makes its namespaces and sends the TUN; helpers start and
 *	           seal themselves; the TUN goes to cf-netstack.  When its HELLO says that
 *	           the whole chain is ready, the child may execute the command.
 *	running    the command runs; signals sent to us go to it.  A helper that ends or
 *	           stops now ends the run: its network is gone with it.
 *	finishing  the command has ended: FINISH goes to cf-netstack, which delivers what
 *	           was sent, closes its channels, says FINISHED and ends; the others end by
 *	           themselves; all are reaped.  To close a TUN takes the kernel tens of
 *	           milliseconds.  Where no process of the tree is left, cf-netstack leaves
 *	           the device to its namespace, which the kernel takes down in its own time.
 *
 * The command shares our process group, so the terminal's signals reach it without us;
 * only those that somebody sends to us alone are passed on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "inside.h"
#include "log.h"
#include "spawn.h"

#define FINISH_LIMIT_MS		40000	/* cf-netstack gives up after 30 s of its own */
#define REAP_LIMIT_MS		3000	/* an orderly end takes less than one */
#define BLAME_LIMIT_MS		300	/* helpers that ended because another did come first */
#define SETTLE_MS		100	/* who writes resolv.conf may take as long */
#define TERM_GRACE_MS		1000	/* between SIGTERM and SIGKILL for the command */

enum state { STARTING, RUNNING, FINISHING, FINISHED };

struct run {
	const struct conf	*conf;
	struct identity		 id;
	struct texts		 texts;
	struct helpers		 helpers;
	struct child		 child;
	struct chan		*control;
	struct tcp_choice	 tcp;
	struct control		 told;
	struct follow		 follow;
	long			 look_at;	/* ms since began: read resolv.conf again; 0: no need */
	bool			 looked;	/* it was of no use then */
	int			 signal_fd;
	sigset_t		 caller_mask;
	struct timespec		 began;

	enum state		 state;
	bool			 have_tun, ready;	/* both: the command may start */
	bool			 command_ended, waiting_tree, hurry;
	int			 code;			/* our status so far */
	const char		*reason;		/* and why, for --status-fd */
	char			 detail[256];
};

static long
ms_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - t->tv_sec) * 1000 + (now.tv_nsec - t->tv_nsec) / 1000000;
}

/* With -vv: how far the run is, and when. */
static void
say_step(const struct run *r, const char *what)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	log_debug("%.1f ms: %s", (double)(now.tv_sec - r->began.tv_sec) * 1e3 +
	    (double)(now.tv_nsec - r->began.tv_nsec) / 1e6, what);
}

/* ---- the end of a run that failed ---- */

static void
kill_command(struct run *r)
{
	static const struct timespec step = { 0, 5 * 1000 * 1000 };
	siginfo_t info = { 0 };

	if (r->command_ended || r->child.pid <= 0)
		return;
	kill(r->child.pid, r->state == STARTING ? SIGKILL : SIGTERM);
	kill(r->child.pid, SIGCONT);
	for (int ms = 0; ms < TERM_GRACE_MS; ms += 5) {
		if (waitid(P_PID, (id_t)r->child.pid, &info, WEXITED | WNOHANG) == 0 &&
		    info.si_pid == r->child.pid)
			return;
		nanosleep(&step, NULL);
	}
	kill(r->child.pid, SIGKILL);
	waitid(P_PID, (id_t)r->child.pid, &info, WEXITED);
}

/*
 * End the run with `code`.  The helpers go first, so that nothing that the command does
 * from here on has a network.
 */
static _Noreturn void
give_up(struct run *r, int code, const char *reason)
{
	siginfo_t info;

	helpers_kill(&r->helpers);
	kill_command(r);
	for (int k = 0; k < HELPER_KINDS; k++)
		if (r->helpers.helper[k].pid > 0 && !r->helpers.helper[k].ended)
			waitid(P_PID, (id_t)r->helpers.helper[k].pid, &info, WEXITED);
	status_exit(r->conf, code, reason, r->detail[0] != '\0' ? r->detail : NULL);
	exit(code);
}

/* What helps against a set-up error, as far as it can be told. */
static const char *
setup_hint(const char *what, int err)
{
	static const struct {
		const char	*what;	/* how the step begins */
		int		 err;	/* 0: any */
		const char	*hint;
	} hints[] = {
		{ "open /dev/net/tun", EACCES,
		  "its mode must let you in (as root: chmod 0666 /dev/net/tun); try: cf-doctor tun" },
		{ "open /dev/net/tun", 0,
		  "the TUN driver is missing (as root: modprobe tun; in a container: pass the "
		  "device in); try: cf-doctor tun" },
		{ "make user", EPERM,
		  "user namespaces are forbidden here (sysctl kernel.unprivileged_userns_clone or "
		  "kernel.apparmor_restrict_unprivileged_userns, or a container's seccomp "
		  "profile); try: cf-doctor" },
		{ "make user", ENOSPC,
		  "user namespaces are used up or switched off (sysctl user.max_user_namespaces, "
		  "user.max_net_namespaces); try: cf-doctor" },
		{ "create the TUN", EBUSY, "try: cf-doctor tun" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strncmp(what, hints[i].what, strlen(hints[i].what)) == 0 &&
		    (hints[i].err == 0 || hints[i].err == err))
			return hints[i].hint;
	return "try: cf-doctor";
}

static _Noreturn void
setup_failed(struct run *r, const char *what, int err)
{
	snprintf(r->detail, sizeof(r->detail), "cannot %.100s: %s", what, strerror(err));
	log_warnx("%s (%s)", r->detail, setup_hint(what, err));
	give_up(r, STATUS_FAILED, "setup");
}

/* ---- helpers that end ---- */

static bool
ended_badly(const struct helper *h)
{
	return h->ended && (h->code != CLD_EXITED || h->status != 0);
}

/* Take the helpers' ends that there are; true when one has ended or stopped. */
static bool
helpers_reap(struct run *r)
{
	struct helper *h;
	siginfo_t info;
	bool any = false;

	for (int k = 0; k < HELPER_KINDS; k++) {
		h = &r->helpers.helper[k];
		info.si_pid = 0;
		if (h->pid <= 0 || h->ended || waitid(P_PID, (id_t)h->pid, &info,
		    WEXITED | WSTOPPED | WNOHANG) != 0 || info.si_pid == 0)
			continue;
		h->code = info.si_code;
		h->status = info.si_status;
		if (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED)
			kill(h->pid, SIGKILL);
		else
			h->ended = true;
		any = true;
	}
	return any;
}

/* The helper that the others followed: the first that ended badly, else any that ended. */
static const struct helper *
helper_to_blame(struct run *r)
{
	static const struct timespec step = { 0, 2 * 1000 * 1000 };
	const struct helper *ended = NULL;

	for (int ms = 0; ms < BLAME_LIMIT_MS; ms += 2) {
		for (int k = 0; k < HELPER_KINDS; k++) {
			const struct helper *h = &r->helpers.helper[k];

			if (ended_badly(h) || h->code == CLD_STOPPED)
				return h;
			if (h->ended)
				ended = h;
		}
		nanosleep(&step, NULL);
		helpers_reap(r);
	}
	return ended;
}

static _Noreturn void
helper_failed(struct run *r)
{
	const struct helper *h = helper_to_blame(r);
	char how[80];

	if (h == NULL)
		snprintf(how, sizeof(how), "cf-netstack closed its channel");
	else if (h->code == CLD_EXITED)
		snprintf(how, sizeof(how), "%s ended with status %d%s", h->name, h->status,
		    h->status != 0 ? " (its own message is above)" : "");
	else if (h->code == CLD_STOPPED)
		snprintf(how, sizeof(how), "%s was stopped", h->name);
	else
		snprintf(how, sizeof(how), "%s was killed by signal %d (%s)", h->name, h->status,
		    strsignal(h->status));
	snprintf(r->detail, sizeof(r->detail), "%s", how);
	log_warnx("%s: %s", how, r->state == STARTING ? "the command was not started" :
	    "the command's network is gone and the run is over");
	give_up(r, STATUS_FAILED, "helper");
}

/* ---- what the others say ---- */

static void
maybe_start_command(struct run *r)
{
	if (r->state != STARTING || !r->ready || !r->have_tun)
		return;
	say_step(r, "the helpers are ready");
	child_go_on(&r->child);
	r->state = RUNNING;
}

static void
on_hello(struct chan *c)
{
	struct run *r = chan_arg(c);

	r->ready = true;
	maybe_start_command(r);
}

static void
on_finished(struct chan *c, const struct frame *f, int fd)
{
	struct run *r = chan_arg(c);

	(void)f, (void)fd;
	r->state = FINISHED;
}

static void	on_sigchld(struct run *);

static const struct chan_handler control_handlers[] = {
	{ MSG_FINISHED, on_finished },
	{ 0, NULL }
};

static void
stack_flush(struct run *r)
{
	if (chan_flush(r->control) < 0)
		helper_failed(r);
}

static void
tun_pass_on(struct run *r, int tun_fd, unsigned offloads)
{
	uint8_t body[MSG_TUN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_tun_put(&w, &(struct msg_tun){ .mtu = INSIDE_MTU, .offloads = offloads });
	chan_send(r->control, MSG_TUN, 0, body, sizeof(body), NULL, 0, tun_fd);
	stack_flush(r);
	say_step(r, "the TUN is there");
	r->have_tun = true;
	maybe_start_command(r);
}

/* The child has made what it can for TCP: is it what was asked for? */
static void
tcp_path_told(struct run *r, const char *why)
{
	tcp_path_decided(&r->tcp, r->conf, why);
	if (r->conf->tcp_path != TCP_PATH_KERNEL || why[0] == '\0')
		return;
	snprintf(r->detail, sizeof(r->detail), "the kernel path for TCP is not there: %.160s", why);
	log_warnx("%s (leave --tcp-path kernel out, or try: cf-doctor tcp-path)", r->detail);
	give_up(r, STATUS_FAILED, "setup");
}

static void
on_child_report(struct run *r)
{
	struct child_report report;
	const char *why;
	int fd;

	if (child_report_read(&r->child, &report, &fd) == 0) {
		/* It has executed the command, or has died: SIGCHLD tells which. */
		close(r->child.fd);
		r->child.fd = -1;
		if (r->state == RUNNING && r->reason == NULL)
			status_started(r->conf->status_fd, r->child.pid, &r->tcp);
		on_sigchld(r);
		return;
	}
	switch (report.stage) {
	case CHILD_NEEDS_MAP:
		why = idmap_write(r->child.pid, r->id.privileged);
		if (why != NULL) {
			snprintf(r->detail, sizeof(r->detail), "cannot map user ids: %s", why);
			log_warnx("%s", r->detail);
			give_up(r, STATUS_FAILED, "setup");
		}
		child_go_on(&r->child);
		break;
	case CHILD_LISTEN:
		tcp_path_listener(&r->tcp, r->control, report.family, fd);
		break;
	case CHILD_TUN:
		tcp_path_told(r, report.what);
		tun_pass_on(r, fd, report.offloads);
		break;
	case CHILD_NO_EXEC:
		snprintf(r->detail, sizeof(r->detail), "cannot execute %.150s: %s", report.what,
		    strerror(report.err));
		log_warnx("%s", r->detail);
		r->reason = report.err == ENOENT || report.err == ENOTDIR ? "not_found" :
		    "not_executable";
		break;
	default:
		setup_failed(r, report.what, report.err);
	}
}

/* ---- signals ---- */

static void
on_command_stopped(struct run *r)
{
	siginfo_t info = { 0 };

	/* The shell that started us watches us: stop as the command did, go on as we do. */
	raise(SIGSTOP);
	/* It went on with our process group, and may have been stopped again since. */
	if (waitid(P_PID, (id_t)r->child.pid, &info, WCONTINUED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
	    info.si_pid == 0)
		kill(r->child.pid, SIGCONT);
}

static void
on_command_ended(struct run *r, const siginfo_t *info)
{
	r->command_ended = true;
	if (info->si_code == CLD_EXITED) {
		r->code = info->si_status;
		if (r->reason == NULL)
			r->reason = "command";
	} else {
		r->code = 128 + info->si_status;
		r->reason = "signal";
	}
	if (r->state == STARTING) {	/* from outside: it would have said why by itself */
		snprintf(r->detail, sizeof(r->detail), "the process that was to become the command "
		    "was killed (%s)", info->si_code == CLD_EXITED ? "it exited" :
		    strsignal(info->si_status));
		log_warnx("%s", r->detail);
		give_up(r, STATUS_FAILED, "setup");
	}
}

/* Reap what is ours: the command, helpers, and orphans of the tree. */
static void
on_sigchld(struct run *r)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (r->child.fd != -1 && r->state == STARTING)
			break;		/* its report comes first: it says why it ended */
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0 || helpers_find(&r->helpers, info.si_pid) != NULL)
			break;
		waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WSTOPPED);
		if (info.si_pid != r->child.pid)
			continue;
		if (info.si_code == CLD_STOPPED)
			on_command_stopped(r);
		else
			on_command_ended(r, &info);
	}
	if (helpers_reap(r) && (r->state == STARTING || r->state == RUNNING))
		helper_failed(r);
}

/* Was it meant for the command too, and has it had it already? */
static bool
had_it_already(const struct run *r, const struct signalfd_siginfo *si)
{
	/* A terminal that is lost tells the session's leader alone; the rest when that ends. */
	if (si->ssi_signo == SIGHUP && getsid(0) == getpid())
		return false;
	/* Otherwise it signals the whole foreground group, which the command may have left. */
	return si->ssi_code == SI_KERNEL && getpgid(r->child.pid) == getpgrp();
}

static void
on_signal(struct run *r)
{
	struct signalfd_siginfo si;

	while (read(r->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			on_sigchld(r);
		else if (r->command_ended)
			r->hurry |= si.ssi_signo != SIGWINCH && si.ssi_signo != SIGCONT;
		else if (!had_it_already(r, &si))
			kill(r->child.pid, (int)si.ssi_signo);
	}
}

static void
signals_take(struct run *r)
{
	static const int taken[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
	    SIGALRM, SIGWINCH, SIGTSTP, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, &r->caller_mask);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd == -1)
		fatal("cannot take signals");
}

/* ---- the loop ---- */

static void
on_control(struct run *r)
{
	int rc = chan_read(r->control);

	if (rc > 0 || r->state == FINISHED)
		return;
	if (rc < 0)
		log_warnx("cf-netstack sent garbage: %s", chan_why(r->control));
	helpers_reap(r);
	helper_failed(r);
}

static bool
resolvers_equal(const struct resolvers *a, const struct resolvers *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!addr_equal(&a->at[i], &b->at[i]))
			return false;
	return a->n == b->n;
}

/* The host's resolv.conf is another: its servers are asked from now on. */
static void
resolv_conf_take(struct run *r)
{
	struct resolvers now;
	const char *why = resolvers_again(&now);
	char text[ADDR_STRLEN];

	r->look_at = 0;
	if (why != NULL && !r->looked) {	/* perhaps it is being written: look once more */
		r->looked = true;
		r->look_at = ms_since(&r->began) + 2 * SETTLE_MS;
		return;
	}
	r->looked = false;
	if (why != NULL) {
		log_warnx("%s has changed, but %s: names are asked where they were before (mend "
		    "the file)", RESOLV_CONF, why);
		return;
	}
	if (resolvers_equal(&now, &r->texts.resolvers))
		return;
	r->texts.resolvers = now;
	log_info("%s has changed: names are asked at %s%s", RESOLV_CONF, addr_str(&now.at[0], text),
	    now.n > 1 ? " and others" : "");
	control_resolvers(&r->told, &now);
}

/* How long to wait at most, when no longer than ms (-1: for ever). */
static int
wait_ms(const struct run *r, int ms)
{
	long left = r->look_at - ms_since(&r->began);

	if (r->look_at == 0)
		return ms;
	left = left < 0 ? 0 : left;
	return ms == -1 || left < ms ? (int)left : ms;
}

/* One turn: wait for something to happen, at most ms (-1: for ever). */
static void
turn(struct run *r, int ms)
{
	struct pollfd fds[] = {
		{ .fd = r->signal_fd, .events = POLLIN },
		{ .fd = r->child.fd, .events = POLLIN },
		{ .fd = chan_rfd(r->control), .events = POLLIN },
		{ .fd = r->follow.fd, .events = POLLIN },
		{ .fd = control_fd(&r->told, 0), .events = POLLIN },
		{ .fd = control_fd(&r->told, 1), .events = POLLIN },
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms(r, ms)) == -1 &&
	    errno != EINTR)
		fatal("cannot wait");
	if (fds[1].revents != 0)
		on_child_report(r);
	if (fds[0].revents != 0)
		on_signal(r);
	if (fds[2].revents != 0)
		on_control(r);
	if (fds[3].revents != 0 && follow_read(&r->follow)) {
		r->looked = false;
		if (r->look_at == 0)
			r->look_at = ms_since(&r->began) + SETTLE_MS;
	}
	if (r->look_at != 0 && ms_since(&r->began) >= r->look_at)
		resolv_conf_take(r);
	for (int i = 0; i < CONTROL_CHANNELS; i++)
		if (fds[4 + i].revents != 0)
			control_read(&r->told, i);
}

/*
 * Does a process of the tree live on?  Orphans of the tree become our children
 * (PR_SET_CHILD_SUBREAPER), so the kernel's list of those has at least one of them.
 */
static bool
tree_lives(struct run *r)
{
	char path[64];
	bool lives = false;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if ((f = fopen(path, "re")) == NULL)
		return true;		/* not known: assume the worst */
	while (!lives && fscanf(f, "%d", &pid) == 1)
		lives = helpers_find(&r->helpers, pid) == NULL;
	fclose(f);
	return lives;
}

static void
finish(struct run *r)
{
	uint8_t body[MSG_FINISH_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct timespec start;

	msg_finish_put(&w, &(struct msg_finish){ .flags = tree_lives(r) ? 0 : FINISH_EMPTY });
	chan_send(r->control, MSG_FINISH, 0, body, sizeof(body), NULL, 0, -1);
	r->state = FINISHING;
	stack_flush(r);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (r->state != FINISHED && !r->hurry && ms_since(&start) < FINISH_LIMIT_MS)
		turn(r, 1000);
}

/* All helpers but the summary have ended. */
static bool
recorders_ended(const struct run *r)
{
	for (int k = 0; k < HELPER_KINDS; k++)
		if (k != HELPER_SUMMARY && r->helpers.helper[k].pid > 0 &&
		    !r->helpers.helper[k].ended)
			return false;
	return true;
}

/* Wait for the helpers' orderly end; one that failed at it has lost a record. */
static void
reap_recorders(struct run *r)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!recorders_ended(r) && ms_since(&start) < REAP_LIMIT_MS)
		turn(r, 100);
	for (int k = 0; k < HELPER_KINDS; k++) {
		const struct helper *h = &r->helpers.helper[k];

		if (h->pid <= 0 || r->hurry || k == HELPER_SUMMARY ||
		    (h->ended && !ended_badly(h)))
			continue;
		snprintf(r->detail, sizeof(r->detail), "%s %s", h->name,
		    h->ended ? "failed at the end: what it recorded may be incomplete" :
		    "did not end");
		log_warnx("%s", r->detail);
		r->code = STATUS_FAILED;
		r->reason = "helper";
	}
}

/* --fail-on-leak: that nothing left is not enough where something was meant to. */
static void
leak_judge(struct run *r)
{
	unsigned long long n = policy_violations(r->conf);
	char text[sizeof(r->detail)];

	if (n == 0)
		return;
	snprintf(text, sizeof(text), "--fail-on-leak: %llu time%s the command tree tried what the "
	    "policy refuses", n, n == 1 ? "" : "s");
	log_warnx("%s (the lines above say what; --summary counts them)", text);
	if (r->code != 0)
		return;			/* there is a reason already */
	memcpy(r->detail, text, sizeof(text));
	r->code = STATUS_LEAK;
	r->reason = "leak";
}

static void
summarise(struct run *r)
{
	struct helper *h = &r->helpers.helper[HELPER_SUMMARY];
	struct timespec start;

	if (r->helpers.facts_fd == -1)
		return;
	status_facts(r->helpers.facts_fd, r->conf, &r->tcp, r->code, r->reason, ms_since(&r->began));
	close(r->helpers.facts_fd);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!h->ended && ms_since(&start) < REAP_LIMIT_MS)
		turn(r, 100);
	if (!h->ended || ended_badly(h)) {
		log_warnx("the summary could not be made (%s)", h->ended ? "cf-doctor failed" :
		    "cf-doctor did not end");
		r->code = STATUS_FAILED;
		r->reason = "helper";
	}
}

static void
print_control(void *arg, const char *control)
{
	char shown[2048];

	(void)arg;
	printf("policy: %s\n", log_escape(shown, sizeof(shown), control));
}

/* -n: say what would be done. */
static int
check_only(const struct run *r)
{
	char text[ADDR_STRLEN];

	printf("command:");
	for (char **arg = r->conf->command; *arg != NULL; arg++)
		printf(" %s", *arg);
	printf("\nuser: %u, group: %u\nhelpers: %s\n", (unsigned)r->id.uid, (unsigned)r->id.gid,
	    paths_libexec);
	for (size_t i = 0; i < r->texts.resolvers.n; i++)
		printf("resolver: %s\n", addr_str(&r->texts.resolvers.at[i], text));
	if (r->conf->hosts_file != NULL)
		printf("hosts file: %s\n", r->conf->hosts_file);
	if (r->conf->capture_file != NULL)
		printf("capture: %s\n", r->conf->capture_file);
	policy_controls(r->conf, print_control, NULL);
	return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}

/* Open with the caller's rights what the run will write. */
static void
outputs_open(struct conf *conf)
{
	conf->capture_fd = -1;
	if (conf->capture_file == NULL)
		return;
	conf->capture_fd = open(conf->capture_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (conf->capture_fd == -1)
		fatal("cannot write --capture %s", conf->capture_file);
}

/*
 * A standard descriptor that is closed must not become one of ours: messages would go into
 * a channel.  The command still finds it closed.
 */
static void
standard_fds_hold(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			(void)!open("/dev/null", O_RDWR | O_CLOEXEC);
}

int
run(struct conf *conf)
{
	static struct run r;

	standard_fds_hold();
	if (conf->status_fd > STDERR_FILENO)	/* the command must not be able to write there */
		fcntl(conf->status_fd, F_SETFD, FD_CLOEXEC);
	r.conf = conf;
	clock_gettime(CLOCK_MONOTONIC, &r.began);
	identity_find(&r.id, conf);
	r.follow.fd = -1;
	if (conf->ndns == 0 && !conf->check_only)
		follow_start(&r.follow);	/* before it is read, so no change is missed */
	texts_read(&r.texts, conf);
	policy_make(conf);
	helpers_find_programs(conf);
	if (conf->check_only)
		return check_only(&r);
	outputs_open(conf);
	signals_take(&r);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	child_start(&r.child, conf, &r.id, &r.texts, &r.caller_mask);
	if (helpers_start(&r.helpers, conf, &r.id, &r.texts) != 0)
		setup_failed(&r, "make user and network namespaces for the helpers", errno);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);	/* the summary, should a shell inside own the terminal */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	r.control = chan_new(r.helpers.control_fd, r.helpers.control_fd, R_SPAWN, R_STACK, &r);
	if (r.control == NULL)
		fatal("cannot talk to cf-netstack");
	chan_handlers(r.control, control_handlers);
	chan_on_hello(r.control, on_hello);
	chan_hello(r.control, MSG_CAP_FD);
	stack_flush(&r);
	control_open(&r.told, r.helpers.told_fd);

	while (!r.command_ended || (conf->wait_tree && !r.hurry && tree_lives(&r)))
		turn(&r, -1);
	say_step(&r, "the command has ended");
	finish(&r);
	say_step(&r, "all that it sent is delivered");
	if (r.hurry)
		helpers_kill(&r.helpers);
	reap_recorders(&r);
	say_step(&r, "the helpers have ended");
	leak_judge(&r);
	summarise(&r);
	status_exit(conf, r.code, r.reason, r.detail[0] != '\0' ? r.detail : NULL);
	return r.code;
}

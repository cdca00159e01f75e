/*
 * failure.c - a run that failed: who is to blame, what helps against it, and its end.
 *
 * What must stay true: the message comes first and says why; then the helpers go (the capture last,
 * as it writes down what it has been told), so that nothing that the command does from there on has a network; then the
 * command, which gets a moment to end by itself; then the status.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "chan.h"
#include "flowlog.h"
#include "log.h"
#include "run.h"

#define BLAME_LIMIT_MS		2000	/* helpers that ended because another did come first */
#define BLAME_LEAST_MS		20
#define OUR_MISTAKE		" (a mistake of ours: please report it, with what -vv says)"
#define RECORD_LIMIT_MS		1000	/* for what is on its way to the capture */
#define TERM_GRACE_MS		1000	/* between SIGTERM and SIGKILL for the command */

/* ---- its end ---- */

static void
kill_command(struct run *r)
{
	static const struct timespec step = { 0, 5 * 1000 * 1000 };
	siginfo_t info = { 0 };

	if (r->command_ended || r->child.pid <= 0)
		return;
	kill(r->child.pid, r->state == STARTING && r->conf->runs.attach == NULL ? SIGKILL : SIGTERM);
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

/* Those who only write down what they have been told end by themselves, once nobody tells them more. */
static void
let_record(struct run *r)
{
	static const struct timespec step = { 0, 2 * 1000 * 1000 };
	const struct helper *capture = &r->helpers.helper[HELPER_CAPTURE];

	for (int k = 0; k < HELPER_KINDS; k++)
		if (k != HELPER_CAPTURE)
			helper_kill(&r->helpers.helper[k]);
	for (int ms = 0; ms < RECORD_LIMIT_MS && capture->pid > 0 && !capture->ended; ms += 2) {
		nanosleep(&step, NULL);
		helpers_reap(&r->helpers);
	}
}

_Noreturn void
failure_end(struct run *r, int code, const char *reason)
{
	siginfo_t info;

	let_record(r);
	helpers_kill(&r->helpers);
	joins_signal(r, SIGTERM);
	kill_command(r);
	joins_signal(r, SIGKILL);
	if (r->init_pid > 0)
		kill(r->init_pid, SIGKILL);	/* and all of its namespace */
	for (int k = 0; k < HELPER_KINDS; k++)
		if (r->helpers.helper[k].pid > 0 && !r->helpers.helper[k].ended)
			waitid(P_PID, (id_t)r->helpers.helper[k].pid, &info, WEXITED);
	flowlog_mend(r->conf);
	if (r->state == RUNNING || r->state == FINISHING)
		flowlog_phase(PHASE_RUN);
	flowlog_failure(r->conf, r->detail);
	capture_close((struct conf *)r->conf);
	status_exit(r->conf, code, reason, r->detail[0] != '\0' ? r->detail : NULL);
	exit(code);
}

/* ---- the set-up ---- */

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
		{ "wait until all", ETIMEDOUT,
		  "one hangs, or this machine is very busy; -v -v says what was started" },
		{ "create the TUN", EBUSY, "try: cf-doctor tun" },
		{ "pass descriptors", ETOOMANYREFS,
		  "a program of this user has sent many that nobody takes: end it, or raise ulimit -n" },
		{ "enter the", EPERM, "it is another user's: be that one, or root" },
		{ "set the IPv4 route", EEXIST, "the namespace has a network already" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strncmp(what, hints[i].what, strlen(hints[i].what)) == 0 &&
		    (hints[i].err == 0 || hints[i].err == err))
			return hints[i].hint;
	return "try: cf-doctor";
}

_Noreturn void
failure_setup(struct run *r, const char *what, int err)
{
	snprintf(r->detail, sizeof(r->detail), "cannot %.100s: %s", what, strerror(err));
	log_warnx("%s (%s)", r->detail, setup_hint(what, err));
	failure_end(r, STATUS_FAILED, "setup");
}

/* ---- helpers ---- */

const struct helper *
failure_first(const struct helpers *hs)
{
	/* Where nobody has a reason of his own, servers come before those who lost them. */
	static const enum helper_kind order[HELPER_KINDS] = { HELPER_UPSTREAM, HELPER_EGRESS,
	    HELPER_NAMES, HELPER_DIALLER, HELPER_CAPTURE, HELPER_RECORDER, HELPER_WATCHER, HELPER_DNS,
	    HELPER_POLICY, HELPER_SUMMARY, HELPER_MONITOR, HELPER_NETSTACK };
	const struct helper *bad = NULL, *ended = NULL;

	for (int k = 0; k < HELPER_KINDS; k++) {
		const struct helper *h = &hs->helper[order[k]];

		if (h->code == CLD_STOPPED || (h->ended && h->code != CLD_EXITED))
			return h;
		if (bad == NULL && helper_ended_badly(h) && h->status != CHAN_FOLLOWED)
			bad = h;
		if (ended == NULL && h->ended)
			ended = h;
	}
	return bad != NULL ? bad : ended;
}

/*
 * Channels of a process that dies are closed before its death can be seen, and others may have
 * followed by then: so one that ended by itself is not blamed at once.
 */
static const struct helper *
helper_to_blame(struct run *r)
{
	static const struct timespec step = { 0, 2 * 1000 * 1000 };
	const struct helper *h;

	for (int ms = 0; ms < BLAME_LIMIT_MS; ms += 2) {
		h = failure_first(&r->helpers);
		if (h != NULL && (h->code == CLD_STOPPED || (h->ended && (h->code != CLD_EXITED ||
		    (h->status != 0 && h->status != CHAN_FOLLOWED && ms >= BLAME_LEAST_MS)))))
			break;
		nanosleep(&step, NULL);
		helpers_reap(&r->helpers);
	}
	return failure_first(&r->helpers);
}

void
failure_how(const struct helper *h, char *how, size_t len)
{
	if (!h->ended && h->code != CLD_STOPPED)
		snprintf(how, len, "%s did not end", h->name);
	else if (h->code == CLD_EXITED)
		snprintf(how, len, "%s ended with status %d%s", h->name, h->status,
		    h->status == 0 ? "" : h->status == CHAN_FOLLOWED ? " (who it needs has gone)" :
		    " (its own message is above)");
	else if (h->code == CLD_STOPPED)
		snprintf(how, len, "%s was stopped", h->name);
	else
		snprintf(how, len, "%s was killed by signal %d (%s)", h->name, h->status,
		    strsignal(h->status));
}

const char *
failure_hint(const struct helper *h)
{
	static const struct { int code, status; const char *hint; } hints[] = {
		{ CLD_STOPPED, 0, " (run it again, and let its processes go on)" },
		{ CLD_KILLED, SIGKILL, " (was memory short? dmesg(1) tells; else run it again)" },
		{ CLD_KILLED, SIGTERM, " (run it again, and let its processes go on)" },
		{ CLD_KILLED, 0, OUR_MISTAKE },
		{ CLD_DUMPED, 0, OUR_MISTAKE },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (h->code == hints[i].code && (hints[i].status == 0 || hints[i].status == h->status))
			return hints[i].hint;
	return "";
}

static const char *
outcome(const struct run *r)
{
	return r->state == STARTING ? "the command was not started" :
	    "the command's network is gone and the run is over";
}

_Noreturn void
failure_garbage(struct run *r, const char *who, const char *why)
{
	snprintf(r->detail, sizeof(r->detail), "%s sent garbage: %s", who, why);
	log_warnx("%s: %s%s", r->detail, outcome(r), OUR_MISTAKE);
	failure_end(r, STATUS_FAILED, "helper");
}

_Noreturn void
failure_helper(struct run *r)
{
	const struct helper *h = helper_to_blame(r);
	char how[sizeof(r->detail)];

	if (h == NULL)
		snprintf(how, sizeof(how), "cf-netstack closed its channel");
	else
		failure_how(h, how, sizeof(how));
	memcpy(r->detail, how, sizeof(how));
	log_warnx("%s: %s%s", how, outcome(r), h != NULL ? failure_hint(h) : "");
	failure_end(r, STATUS_FAILED, "helper");
}

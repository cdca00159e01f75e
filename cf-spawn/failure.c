/*
 * failure.c - a run that failed: who is to blame, what helps against it, and its end.
 *
 * Nothing here returns.  What must stay true: the message comes first and says why; then the
 * helpers go, so that nothing that the command does from there on has a network; then the
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

#include "flowlog.h"
#include "log.h"
#include "run.h"

#define BLAME_LIMIT_MS		300	/* helpers that ended because another did come first */
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

_Noreturn void
failure_end(struct run *r, int code, const char *reason)
{
	siginfo_t info;

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
		{ "create the TUN", EBUSY, "try: cf-doctor tun" },
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

/* The helper that the others followed: the first that ended badly, else any that ended. */
static const struct helper *
helper_to_blame(struct run *r)
{
	static const struct timespec step = { 0, 2 * 1000 * 1000 };
	const struct helper *ended = NULL;

	for (int ms = 0; ms < BLAME_LIMIT_MS; ms += 2) {
		for (int k = 0; k < HELPER_KINDS; k++) {
			const struct helper *h = &r->helpers.helper[k];

			if (helper_ended_badly(h) || h->code == CLD_STOPPED)
				return h;
			if (h->ended)
				ended = h;
		}
		nanosleep(&step, NULL);
		helpers_reap(&r->helpers);
	}
	return ended;
}

_Noreturn void
failure_helper(struct run *r)
{
	const char *outcome = r->state == STARTING ? "the command was not started" :
	    "the command's network is gone and the run is over";
	const struct helper *h = helper_to_blame(r);
	char how[sizeof(r->detail)];

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
	memcpy(r->detail, how, sizeof(how));
	log_warnx("%s: %s", how, outcome);
	failure_end(r, STATUS_FAILED, "helper");
}

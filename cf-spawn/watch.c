/*
 * watch.c - the loop of a run: one poll(2) over all that can happen, and what follows.
 *
 * On the other side: the child that becomes the command (child.c), signals (signals.c),
 * cf-netstack (stack.c), the host's resolv.conf (follow.c), and the helpers that are told of
 * it (control.c).
 *
 * What must stay true: a report of the child is taken before SIGCHLD is, as it says why the
 * child ended.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chan.h"
#include "flowlog.h"
#include "log.h"
#include "run.h"
#include "watcher.h"

#define AGAIN_MS		10	/* to try again what could not be sent */
#define KILL_AFTER_MS		1000	/* between SIGTERM and SIGKILL, with --exit-fd */
#define SETTLE_MS		100	/* who writes resolv.conf may take as long */

/* ---- the child ---- */

/* The child has made what it can for TCP: is it what was asked for? */
static void
tcp_path_told(struct run *r, const char *why)
{
	tcp_path_decided(&r->tcp, r->conf, why);
	if (r->conf->tcp_path != TCP_PATH_KERNEL || why[0] == '\0')
		return;
	snprintf(r->detail, sizeof(r->detail), "the kernel path for TCP is not there: %.160s", why);
	log_warnx("%s (leave --tcp-path kernel out, or try: cf-doctor tcp-path)", r->detail);
	failure_end(r, STATUS_FAILED, "setup");
}

/* The root directory comes first, then the namespaces that it says. */
static void
on_places(struct run *r, unsigned places, const int *fds)
{
	int place[PLACES];

	for (int i = 0; i < PLACE_ROOT; i++)
		place[i] = (places & 1u << i) != 0 ? *++fds : -1;
	place[PLACE_ROOT] = fds[-__builtin_popcount(places)];
	joins_placed(r, place);
}

static void
on_child_report(struct run *r)
{
	struct child_report report;
	int fds[CHILD_FDS_MAX], fd;
	const char *why;

	if (child_report_read(&r->child, &report, fds, CHILD_FDS_MAX) == 0) {
		/* It has executed the command, or has died: SIGCHLD tells which. */
		close(r->child.fd);
		r->child.fd = -1;
		if (r->state == RUNNING && r->reason == NULL && r->conf->runs.attach == NULL)
			status_started(r->conf->status_fd, r->child.pid, &r->tcp);
		signals_children(r);
		return;
	}
	fd = fds[0];
	switch (report.stage) {
	case CHILD_NEEDS_MAP:
		why = idmap_write(r->child.pid, r->id.privileged);
		if (why != NULL) {
			snprintf(r->detail, sizeof(r->detail), "cannot map user ids: %s", why);
			log_warnx("%s", r->detail);
			failure_end(r, STATUS_FAILED, "setup");
		}
		child_go_on(&r->child);
		break;
	case CHILD_MOVED:
		r->child.pid = report.pid;
		r->init_pid = report.init_pid;
		signals_children(r);
		break;
	case CHILD_PLACES:
		on_places(r, report.places, fds);
		break;
	case CHILD_LISTEN:
		tcp_path_listener(&r->tcp, r->control, report.family, fd);
		break;
	case CHILD_DIAG:
		watcher_start(&r->helpers, fd, report.family, &r->id);
		break;
	case CHILD_TUN:
		tcp_path_told(r, report.what);
		stack_tun(r, fd, report.offloads);
		break;
	case CHILD_NO_EXEC:
		snprintf(r->detail, sizeof(r->detail), "cannot execute %.150s: %s", report.what,
		    strerror(report.err));
		log_warnx("%s", r->detail);
		flowlog_failure(r->conf, r->detail);
		r->reason = report.err == ENOENT || report.err == ENOTDIR ? "not_found" :
		    "not_executable";
		break;
	default:
		failure_setup(r, report.what, report.err);
	}
}

/* ---- the host's resolv.conf ---- */

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
	if (why != NULL && r->texts.resolvers.n == 0)
		return;			/* it named none before */
	if (why != NULL && !r->looked) {	/* perhaps it is being written: look once more */
		r->looked = true;
		r->look_at = run_ms_since(&r->began) + 2 * SETTLE_MS;
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
	long at = r->look_at == 0 || (r->kill_at != 0 && r->kill_at < r->look_at) ? r->kill_at :
	    r->look_at, left = at - run_ms_since(&r->began);

	if (at == 0)
		return ms;
	left = left < 0 ? 0 : left;
	return ms == -1 || left < ms ? (int)left : ms;
}

/* ---- --exit-fd ---- */

/* What comes is of no interest, but for its end: then the command is to end. */
static void
exit_read(struct run *r)
{
	char buf[512];
	ssize_t n = read(r->exit_fd, buf, sizeof(buf));

	if (n > 0 || (n == -1 && (errno == EINTR || errno == EAGAIN)))
		return;
	r->exit_fd = -1;
	if (r->command_ended) {
		r->hurry = true;	/* with --wait, or while the last bytes are delivered */
		return;
	}
	log_info("--exit-fd has come to its end: so does the run");
	r->alone = true;
	r->kill_at = run_ms_since(&r->began) + KILL_AFTER_MS;
	kill(r->child.pid, SIGTERM);
	kill(r->child.pid, SIGCONT);
}

/* SIGTERM was not enough. */
static void
kill_late(struct run *r)
{
	r->kill_at = 0;
	if (!r->command_ended)
		kill(r->child.pid, SIGKILL);
}

/* ---- the loop ---- */

#define WATCHED		(5 + CONTROL_CHANNELS)	/* descriptors that are not of joins */

void
watch_turn(struct run *r, int ms)
{
	struct pollfd fds[WATCHED + JOINS_POLL] = {
		{ .fd = r->signal_fd, .events = POLLIN },
		{ .fd = r->child.fd, .events = POLLIN },
		{ .fd = chan_rfd(r->control), .events = POLLIN },
		{ .fd = r->follow.fd, .events = POLLIN },
		{ .fd = control_fd(&r->told, 0), .events = POLLIN },
		{ .fd = control_fd(&r->told, 1), .events = POLLIN },
		{ .fd = control_fd(&r->told, 2), .events = POLLIN },
		{ .fd = r->state == STARTING ? -1 : r->exit_fd, .events = POLLIN },
	};

	if (stack_again(r) && (ms == -1 || ms > AGAIN_MS))
		ms = AGAIN_MS;
	joins_poll(r, fds + WATCHED);
	if (poll(fds, WATCHED + JOINS_POLL, wait_ms(r, ms)) == -1 && errno != EINTR)
		fatal("cannot wait");
	if (fds[1].revents != 0)
		on_child_report(r);
	joins_read(r, fds + WATCHED);
	if (fds[WATCHED - 1].revents != 0)
		exit_read(r);
	if (fds[0].revents != 0)
		signals_read(r);
	if (fds[2].revents != 0)
		stack_read(r);
	if (fds[3].revents != 0 && follow_read(&r->follow)) {
		r->looked = false;
		if (r->look_at == 0)
			r->look_at = run_ms_since(&r->began) + SETTLE_MS;
	}
	if (r->kill_at != 0 && run_ms_since(&r->began) >= r->kill_at)
		kill_late(r);
	if (r->look_at != 0 && run_ms_since(&r->began) >= r->look_at) {
		if (!r->follows)
			follow_start(&r->follow);	/* then it is read, so no change is missed */
		r->follows = true;
		resolv_conf_take(r);
	}
	for (int i = 0; i < CONTROL_CHANNELS; i++)
		if (fds[4 + i].revents != 0)
			control_read(&r->told, i);
	if (r->told.why != NULL)
		failure_garbage(r, r->told.who, r->told.why);
}

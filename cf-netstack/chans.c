/*
 * chans.c - the channels of cf-netstack: who is there, what they may ask, when it ends.
 *
 * cf-spawn is our parent and the reason that we run: when its channel ends we exit.
 * cf-proxy, cf-dns and cf-capture serve us.  When one of them goes away early, nothing is served any
 * more (no flow may go unjudged or unrecorded) and cf-spawn, who sees the death itself,
 * ends the run.
 *
 *      HELLO of cf-proxy, cf-dns, cf-capture --> our HELLO to cf-spawn
 *      FINISH --> what the tree had sent is delivered, flows end (CLOSE each),
 *                 channels flushed and shut down --> FINISHED
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capture.h"
#include "flow.h"
#include "host.h"
#include "ktcp.h"
#include "log.h"
#include "loop.h"
#include "pump.h"
#include "tun_io.h"

#define DRAIN_BURSTS	256		/* more packets than txqueuelen has room for */
#define DRAIN_LOOK	250		/* ms */
#define DRAIN_IDLE	5000		/* ms without a byte delivered */
#define DRAIN_MOST	30000		/* ms in all */
#define SPARE_FDS	(160 + 2 * PIPES_MAX)	/* of the limit: what is open that is no flow, or came for one that has ended */

static struct stack *
stack_of(struct chan *c)
{
	return ((struct loop *)chan_arg(c))->stack;
}

/* ---- from cf-spawn ---- */

static void
on_tun(struct chan *c, const struct frame *f, int fd)
{
	struct stack *s = stack_of(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_tun m;

	if (!msg_tun_get(&r, &m) || fd == -1 || s->tun.fd != -1 || m.mtu < 1280 || m.mtu > 65535) {
		if (fd != -1)
			close(fd);
		chan_fail(c, "a TUN that cannot be used");
		return;
	}
	if (!tun_open(s, fd, m.mtu, m.offloads))
		fatal("cannot watch the TUN device");
	if (s->capture != NULL)
		capture_begin(s);
}

/* Captured packets are taken from the TUN, where the kernel's TCP would not be seen. */
static void
on_listen(struct chan *c, const struct frame *f, int fd)
{
	struct stack *s = stack_of(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_listen m;

	if (!msg_listen_get(&r, &m) || fd == -1 || s->capture != NULL) {
		if (fd != -1)
			close(fd);
		if (fd == -1 || s->capture == NULL)
			chan_fail(c, "bad LISTEN");
		return;
	}
	if (!ktcp_listen(s, &m, fd))
		chan_fail(c, "a listening socket that cannot be used");
}

/* A host that takes nothing for so long does not hold up the end of the run. */
static void
on_drain(struct stack *s, struct timer *timer)
{
	struct loop *l = s->loop;
	uint64_t progress = flows_progress(s);

	if (progress != l->progress) {
		l->progress = progress;
		l->progress_at = s->now;
	}
	if (s->now - l->progress_at >= DRAIN_IDLE || s->now - l->drain_from >= DRAIN_MOST) {
		log_debug("%zu flows could not be delivered to their end", s->flows.n);
		flows_end_all(s, CLOSE_END);
	}
	if (s->flows.n > 0)
		timer_set(s, timer, DRAIN_LOOK, on_drain);
}

static void
on_finish(struct chan *c, const struct frame *f, int fd)
{
	struct loop *l = chan_arg(c);
	struct stack *s = stack_of(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_finish m;
	uint64_t before;
	int bursts = 0;

	(void)fd;
	if (!msg_finish_get(&r, &m)) {
		chan_fail(c, "bad FINISH");
		return;
	}
	/* What the tree sent before it ended may still be in the device's queue. */
	do {
		before = s->tun.read_packets;
		tun_read_burst(s);
	} while (++bursts < DRAIN_BURSTS && s->tun.fd != -1 && s->tun.read_packets != before);
	l->finishing = true;
	l->empty = (m.flags & FINISH_EMPTY) != 0;
	s->ending = true;
	names_done(s);
	l->progress_at = l->drain_from = s->now;
	timer_set(s, &l->drain, DRAIN_LOOK, on_drain);
}

static const struct chan_handler from_spawn[] = {
	{ MSG_LISTEN, on_listen },
	{ MSG_TUN, on_tun },
	{ MSG_FINISH, on_finish },
	{ 0, NULL }
};

/* ---- from cf-proxy ---- */

static void
on_opened(struct chan *c, const struct frame *f, int fd)
{
	struct stack *s = stack_of(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;

	if (!msg_opened_get(&r, &m) || (fd != -1 && ((chan_caps(c) & MSG_CAP_FD) == 0 ||
	    (m.flags & OPENED_FIRST) != 0))) {
		if (fd != -1)
			close(fd);
		chan_fail(c, "bad OPENED");
		return;
	}
	if (m.flags & OPENED_FIRST)
		flow_on_opened_first(s, f->flow);
	else
		flow_on_opened(s, f->flow, fd);
}

static void
on_go(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_go m;

	if (msg_go_get(&r, &m)) {
		first_on_go(stack_of(c), f->flow, m.flags, fd);
		return;
	}
	if (fd != -1)
		close(fd);
	chan_fail(c, "bad GO");
}

static void
on_refused(struct chan *c, const struct frame *f, int fd)
{
	struct stack *s = stack_of(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_refused m;

	(void)fd;
	if (msg_refused_get(&r, &m))
		flow_on_refused(s, f->flow, &m);
	else
		chan_fail(c, "bad REFUSED");
}

static void
on_data(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	host_on_data(stack_of(c), f->flow, f->body, f->len);
}

static void
on_window(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	host_on_window(stack_of(c), f->flow, rd_le32(&r));
}

static void
on_eof(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	host_on_eof(stack_of(c), f->flow);
}

static void
on_reset(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	host_on_reset(stack_of(c), f->flow, rd_le32(&r));
}

static const struct chan_handler from_proxy[] = {
	{ MSG_OPENED, on_opened },
	{ MSG_REFUSED, on_refused },
	{ MSG_GO, on_go },
	{ MSG_DATA, on_data },
	{ MSG_WINDOW, on_window },
	{ MSG_EOF, on_eof },
	{ MSG_RESET, on_reset },
	{ 0, NULL }
};

/* ---- from cf-dns; cf-capture says nothing after HELLO ---- */

static void
on_answer(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	names_answer(stack_of(c), f->flow, f->body, f->len);
}

static void
on_part(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	names_part(stack_of(c), f->flow, f->body, f->len);
}

static const struct chan_handler from_dns[] = {
	{ MSG_ANSWER, on_answer },
	{ MSG_PART, on_part },
	{ 0, NULL }
};

static const struct chan_handler from_capture[] = {
	{ 0, NULL }
};

/* ---- the ends ---- */

static void
on_spawn_end(struct chan *c, const char *why)
{
	struct loop *l = chan_arg(c);

	if (why != NULL) {
		log_warnx("%s sent garbage: %s", role_name(R_SPAWN), why);
		l->status = 1;
	}
	l->stop = true;
}

static void
on_server_end(struct chan *c, const char *why)
{
	struct loop *l = chan_arg(c);
	struct stack *s = stack_of(c);
	enum role who = c == s->dns ? R_DNS : c == s->capture ? R_CAPTURE : R_PROXY;

	if (why != NULL) {
		log_warnx("%s sent garbage: %s", role_name(who), why);
		l->status = 1;
		l->stop = true;
		return;
	}
	if (s->ending)
		return;
	log_debug("%s has gone; nothing is served any more", role_name(who));
	l->cut_off = true;
	s->ending = true;
	flows_end_all(s, CLOSE_END);
}

/* ---- each turn ---- */

static bool
has_said_hello(const struct chan *c)
{
	return c == NULL || chan_peer(c) != 0;
}

/* Write the rest and close our side; true when that is done. */
static bool
shut(struct chan *c, bool *done)
{
	if (c == NULL || *done)
		return true;
	if (chan_flush(c) == 1)
		return false;
	chan_shutdown(c);
	return *done = true;
}

void
chans_turn(struct loop *l)
{
	static bool proxy_shut, dns_shut, capture_shut;
	struct stack *s = l->stack;
	bool all;

	if (!l->greeted && has_said_hello(s->proxy) && has_said_hello(s->dns) &&
	    has_said_hello(s->capture)) {
		l->greeted = true;
		chan_hello(s->spawn, MSG_CAP_FD);
	}
	if (!l->finishing || !flows_drain(s, l->empty && s->tun.fd != -1))
		return;
	capture_end(s);
	all = shut(s->proxy, &proxy_shut);
	all &= shut(s->dns, &dns_shut);
	all &= shut(s->capture, &capture_shut);
	if (!all)
		return;
	l->finishing = false;
	if (l->empty)
		tun_leave(s);
	chan_send(s->spawn, MSG_FINISHED, 0, NULL, 0, NULL, 0, -1);
	chan_flush(s->spawn);	/* one small frame to a peer that waits for it: it fits */
	l->stop = true;
}

/* ---- start ---- */

static struct chan *
channel(struct loop *l, int rfd, int wfd, enum role peer, const struct chan_handler *handlers)
{
	struct chan *c;

	if (rfd == -1)
		return NULL;
	if ((c = chan_new(rfd, wfd, R_STACK, peer, l)) == NULL)
		fatal("cannot use descriptor %d as the channel to %s", rfd, role_name(peer));
	chan_handlers(c, handlers);
	return c;
}

void
chans_open(struct loop *l, const struct loop_fds *fds)
{
	struct stack *s = l->stack;
	struct rlimit r;
	size_t most;

	s->spawn = channel(l, fds->spawn_r, fds->spawn_w, R_SPAWN, from_spawn);
	s->proxy = channel(l, fds->proxy, fds->proxy, R_PROXY | R_DIAL, from_proxy);
	s->dns = channel(l, fds->dns, fds->dns, R_DNS, from_dns);
	s->capture = channel(l, fds->capture, fds->capture, R_CAPTURE, from_capture);

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	most = r.rlim_cur > 2 * SPARE_FDS ? r.rlim_cur - SPARE_FDS : SPARE_FDS;
	if (most < s->flows.max_fds)
		s->flows.max_fds = most;
	if (most < s->flows.max)
		s->flows.max = most;
}

static void
start(struct loop *l, struct chan *c, void (*on_end)(struct chan *, const char *))
{
	if (c != NULL)
		loop_watch(l, c, on_end);
}

void
chans_start(struct loop *l)
{
	struct stack *s = l->stack;

	start(l, s->spawn, on_spawn_end);
	start(l, s->proxy, on_server_end);
	start(l, s->dns, on_server_end);
	start(l, s->capture, on_server_end);
	if (s->proxy != NULL)
		chan_hello(s->proxy, MSG_CAP_FD);
	if (s->dns != NULL)
		chan_hello(s->dns, 0);
	if (s->capture != NULL) {
		chan_hello(s->capture, 0);
		if (s->tun.fd != -1)
			capture_begin(s);	/* else when MSG_TUN has come */
	}
}

/*
 * flow.c - flows of the dialler: sockets to resolvers, which it makes and hands over.
 *
 * This process has no network: it asks for a connected socket with OPEN and gets it with
 * OPENED, or gets OPENED without one and moves the payload in DATA frames (the dialler
 * is behind a plain pipe).  A flow goes to one resolver, over UDP or TCP:
 *
 *   flow_open ─ OPEN ─> OPENING ─ OPENED ─┬─ with a descriptor ──> SOCKET ─┐
 *                          │              └─ without ────────────> FRAMES ─┤
 *                          └─ REFUSED ─> upstream_broken <── error, end of file
 *
 *   flow_close: CLOSE, also where it is still OPENING.
 *
 * On the other side of a socket is a resolver, or who pretends to be one: what comes is
 * bounded here and judged in upstream.c.  All sockets are behind one epoll descriptor; flow
 * numbers and not pointers go into it, as a flow may be gone before its event is looked at.
 *
 * What must stay true: after an upstream_ call the flow is looked up again or not touched.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns.h"
#include "log.h"

#define EVENTS		64
#define DATAGRAM_MAX	65535
#define DATAGRAMS_A_TURN 32		/* of one socket; then others have a turn */
#define CREDIT_STEP	65536u		/* WINDOW is sent when this much was taken */

const struct sandbox_row flow_rows[] = {
	ALLOW_NULL(sendto, 4,	"queries to resolvers, and only on connected sockets"),
	ALLOW_NULL(recvfrom, 4,	"answers from resolvers"),
	{ 0 }
};

static uint8_t	datagram[DATAGRAM_MAX + 1];

static void	on_ready(uv_poll_t *, int, int);

void
flow_init(struct dns *dns)
{
	int rc;

	if ((dns->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		fatal("cannot make an epoll descriptor");
	if ((rc = uv_poll_init(&dns->loop, &dns->poll, dns->epoll_fd)) != 0 ||
	    (rc = uv_poll_start(&dns->poll, UV_READABLE, on_ready)) != 0)
		fatalx("cannot watch resolvers: %s", uv_strerror(rc));
	dns->poll.data = dns;
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&dns->by_flow[i]);
}

static struct flow *
find(struct dns *dns, uint64_t id)
{
	struct flow *f;

	LIST_FOREACH(f, &dns->by_flow[id % BUCKETS], by_id)
		if (f->id == id)
			return f;
	return NULL;
}

static void
open_send(const struct flow *f)
{
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_open_put(&w, &(struct msg_open){
	    .proto = f->tcp ? IPPROTO_TCP : IPPROTO_UDP,
	    .src = { .family = f->addr.family }, .dst = f->addr });
	chan_send(f->dns->dial, MSG_OPEN, f->id, body, sizeof(body), NULL, 0, -1);
}

static void
close_send(struct flow *f, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	f->totals.reason = reason;
	msg_close_put(&w, &f->totals);
	chan_send(f->dns->dial, MSG_CLOSE, f->id, body, sizeof(body), NULL, 0, -1);
}

struct flow *
flow_open(struct dns *dns, const struct addr *addr, bool tcp)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->dns = dns;
	f->id = ++dns->last_flow;
	f->addr = *addr;
	f->tcp = tcp;
	f->fd = -1;
	LIST_INIT(&f->users);
	LIST_INSERT_HEAD(&dns->by_flow[f->id % BUCKETS], f, by_id);
	open_send(f);
	return f;
}

static void
forget(struct flow *f)
{
	stock_drop(&f->port);
	if (f->broken != 0)
		LIST_REMOVE(f, link);
	LIST_REMOVE(f, by_id);
	free(f);
}

void
flow_close(struct flow *f, enum close_reason reason)
{
	if (f->fd != -1) {
		/* The dialler may hold the socket too: closing it would not unwatch it. */
		epoll_ctl(f->dns->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
		close(f->fd);
	}
	if (f->state != FLOW_REFUSED)
		close_send(f, f->state == FLOW_OPENING ? CLOSE_CANCEL : reason);
	forget(f);
}

void
flow_release(struct flow *f, enum close_reason reason)
{
	if (LIST_EMPTY(&f->users) && f->port.stock == NULL && f->broken == 0)
		flow_close(f, reason);
}

/* op: EPOLL_CTL_ADD or _MOD. */
static bool
watch(struct flow *f, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = f->id };

	return epoll_ctl(f->dns->epoll_fd, op, f->fd, &ev) == 0;
}

/* What has come may come again, once there is enough of it. */
static void
credit_give(struct flow *f)
{
	uint32_t taken = MSG_WINDOW_INITIAL - f->in_credit;
	uint8_t body[MSG_WINDOW_LEN];
	struct wr w = wr_over(body, sizeof(body));

	if (f->paused || taken < CREDIT_STEP)
		return;
	f->in_credit = MSG_WINDOW_INITIAL;
	wr_le32(&w, taken);
	chan_send(f->dns->dial, MSG_WINDOW, f->id, body, sizeof(body), NULL, 0, -1);
}

bool
flow_want_room(struct flow *f)
{
	return watch(f, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

/* By taking it out: a broken connection would be told again and again of one that is in. */
bool
flow_pause(struct flow *f, bool pause)
{
	if (f->paused == pause)
		return true;
	f->paused = pause;
	if (f->state == FLOW_FRAMES)
		credit_give(f);
	return f->state != FLOW_SOCKET ||
	    watch(f, pause ? EPOLL_CTL_DEL : EPOLL_CTL_ADD, EPOLLIN);
}

/* ---- out ---- */

/* What is beyond the credit is dropped: a query that nobody answers is sent again. */
static ssize_t
data_send(struct flow *f, const void *p, size_t len)
{
	if (len > f->out_credit)
		return (ssize_t)len;
	f->out_credit -= (uint32_t)len;
	chan_send(f->dns->dial, MSG_DATA, f->id, NULL, 0, p, len, -1);
	return (ssize_t)len;
}

ssize_t
flow_send(struct flow *f, const void *p, size_t len, bool more)
{
	ssize_t n;

	n = f->state == FLOW_FRAMES ? data_send(f, p, len) :
	    send(f->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
	if (n >= 0) {
		f->totals.up_bytes += (uint64_t)n;
		f->totals.up_packets++;
	}
	return n;
}

/* ---- in ---- */

static void
payload_take(struct flow *f, const uint8_t *p, size_t n)
{
	f->totals.down_bytes += n;
	f->totals.down_packets++;
	upstream_payload(f, p, n);
}

/* Once; false: nothing more to be had here. */
static bool
socket_read(struct flow *f)
{
	ssize_t n = recv(f->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	if (n > 0)
		payload_take(f, datagram, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		upstream_broken(f, strerror(errno));
	else if (n == 0 && f->tcp)
		upstream_broken(f, "it closed the connection");
	return n >= 0;
}

/* As long as there is somebody who waits for an answer. */
static void
socket_ready(struct dns *dns, uint64_t id)
{
	struct flow *f;

	for (int i = 0; i < DATAGRAMS_A_TURN && (f = find(dns, id)) != NULL; i++)
		if ((i > 0 && (f->tcp || LIST_EMPTY(&f->users))) || !socket_read(f))
			return;
}

static void
on_ready(uv_poll_t *h, int status, int events)
{
	struct dns *dns = h->data;
	struct epoll_event ev[EVENTS];
	struct flow *f;
	int n = epoll_wait(dns->epoll_fd, ev, EVENTS, 0);

	(void)status, (void)events;
	for (int i = 0; i < n; i++) {
		if ((f = find(dns, ev[i].data.u64)) == NULL || f->state != FLOW_SOCKET)
			continue;
		if ((ev[i].events & EPOLLOUT) == 0)
			socket_ready(dns, f->id);
		else if (watch(f, EPOLL_CTL_MOD, EPOLLIN))
			upstream_writable(f);
		else
			upstream_broken(f, strerror(errno));
	}
}

/* ---- what the dialler says; of flows that are gone it may say what it likes ---- */

static void
on_opened(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = find(chan_arg(c), frame->flow);
	struct rd r = rd_over(frame->body, frame->len);
	struct msg_opened m;
	const char *why = NULL;

	if (!msg_opened_get(&r, &m))
		why = "bad OPENED";
	else if ((fd != -1) != ((chan_caps(c) & MSG_CAP_FD) != 0))
		why = fd != -1 ? "unexpected descriptor" : "OPENED without its descriptor";
	else if (f != NULL && f->state != FLOW_OPENING)
		why = "OPENED twice";
	if (why != NULL)
		chan_fail(c, why);
	if (why != NULL || f == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	f->fd = fd;
	f->state = fd != -1 ? FLOW_SOCKET : FLOW_FRAMES;
	f->out_credit = f->in_credit = MSG_WINDOW_INITIAL;
	if (fd != -1 && !watch(f, EPOLL_CTL_ADD, EPOLLIN))
		upstream_broken(f, strerror(errno));
	else
		upstream_opened(f);
}

static void
on_refused(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = find(chan_arg(c), frame->flow);
	struct rd r = rd_over(frame->body, frame->len);
	struct msg_refused m;

	(void)fd;
	if (!msg_refused_get(&r, &m)) {
		chan_fail(c, "bad REFUSED");
	} else if (f != NULL && f->state == FLOW_OPENING) {
		f->state = FLOW_REFUSED;
		upstream_broken(f, m.why == REFUSED_POLICY ? "refused by policy" :
		    m.why == REFUSED_LIMIT ? "refused: too many flows" : strerror((int)m.err));
	}
}

static struct flow *
framed(struct chan *c, const struct frame *frame)
{
	struct flow *f = find(chan_arg(c), frame->flow);

	if (f != NULL && f->state != FLOW_FRAMES)
		chan_fail(c, "payload of a flow that has none in frames");
	return f != NULL && f->state == FLOW_FRAMES ? f : NULL;
}

static void
on_data(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = framed(c, frame);

	(void)fd;
	if (f == NULL)
		return;
	if (frame->len > f->in_credit) {
		if (f->tcp)
			chan_fail(c, "DATA beyond its credit");
		return;
	}
	f->in_credit -= frame->len;
	credit_give(f);
	if (frame->len > 0)
		payload_take(f, frame->body, frame->len);
}

static void
on_window(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = framed(c, frame);
	struct rd r = rd_over(frame->body, frame->len);
	uint32_t more = rd_le32(&r);

	(void)fd;
	if (f != NULL)
		f->out_credit = more > UINT32_MAX - f->out_credit ? UINT32_MAX :
		    f->out_credit + more;
}

static void
on_eof(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = framed(c, frame);

	(void)fd;
	if (f != NULL)
		upstream_broken(f, "it closed the connection");
}

static void
on_reset(struct chan *c, const struct frame *frame, int fd)
{
	struct flow *f = framed(c, frame);
	struct rd r = rd_over(frame->body, frame->len);

	(void)fd;
	if (f != NULL)
		upstream_broken(f, strerror((int)rd_le32(&r)));
}

/* What the dialler may say; anything else ends the process. */
const struct chan_handler flow_handlers[] = {
	{ MSG_OPENED,	on_opened },
	{ MSG_REFUSED,	on_refused },
	{ MSG_DATA,	on_data },
	{ MSG_WINDOW,	on_window },
	{ MSG_EOF,	on_eof },
	{ MSG_RESET,	on_reset },
	{ 0, NULL }
};

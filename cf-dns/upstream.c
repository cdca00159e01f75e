/*
 * upstream.c - sockets to resolvers, which the dialler makes and hands over.
 *
 * This process has no network: it asks for a connected socket with OPEN and gets it with
 * OPENED, or gets OPENED without one and moves the payload in DATA frames (the dialler
 * is behind a plain pipe).  Each flow is for one query and one resolver, over UDP or TCP:
 *
 *   upstream_ask ─ OPEN ─> OPENING ─ OPENED ─┬─ with a descriptor ──> SOCKET ─┐
 *                             │              └─ without ────────────> FRAMES ─┤
 *                             └─ REFUSED ─> FAILED <──── error, end of file ──┘
 *
 *   upstream_done: CLOSE for each that was OPENING, SOCKET or FRAMES.
 *
 * On the other side of a socket is a resolver, or who pretends to be one: what comes is
 * bounded here and judged by query_take().  All sockets are behind one epoll
 * descriptor, so that watching one is one system call; flow numbers and not pointers
 * go into it, as a flow may be gone before its event is looked at.
 *
 * What must stay true: after query_take() or query_refused() the flow is not touched.
 *
 * Deliberately not done: several queries a connection (RFC 7766 6.2.1.1); the queries of
 * the tree should not be told apart by who shares a port.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
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
#define MESSAGE_MAX	65535
#define CREDIT_STEP	65536u		/* WINDOW is sent when this much was taken */

const struct sandbox_row upstream_rows[] = {
	ALLOW_NULL(sendto, 4,	"queries to resolvers, and only on connected sockets"),
	ALLOW_NULL(recvfrom, 4,	"answers from resolvers"),
	{ 0 }
};

static uint8_t	datagram[MESSAGE_MAX + 1];

static void	on_ready(uv_poll_t *, int, int);

void
upstream_init(struct dns *dns)
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

static struct upstream *
find(struct dns *dns, uint64_t flow)
{
	struct upstream *u;

	LIST_FOREACH(u, &dns->by_flow[flow % BUCKETS], by_flow)
		if (u->flow == flow)
			return u;
	return NULL;
}

static void
open_send(struct dns *dns, const struct upstream *u)
{
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_open_put(&w, &(struct msg_open){
	    .proto = u->tcp ? IPPROTO_TCP : IPPROTO_UDP,
	    .src = { .family = u->addr.family }, .dst = u->addr });
	chan_send(dns->dial, MSG_OPEN, u->flow, body, sizeof(body), NULL, 0, -1);
}

static void
close_send(struct dns *dns, const struct upstream *u, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_close m = u->totals;

	m.reason = reason;
	msg_close_put(&w, &m);
	chan_send(dns->dial, MSG_CLOSE, u->flow, body, sizeof(body), NULL, 0, -1);
}

/* The socket goes and the dialler is told; what is left only remembers that it failed. */
static void
shut(struct upstream *u, enum close_reason reason)
{
	struct dns *dns = u->query->dns;

	if (u->fd != -1) {
		/* The dialler may hold the socket too: closing it would not unwatch it. */
		epoll_ctl(dns->epoll_fd, EPOLL_CTL_DEL, u->fd, NULL);
		close(u->fd);
		u->fd = -1;
	}
	if (u->state == UP_OPENING)
		close_send(dns, u, CLOSE_CANCEL);
	else if (u->state != UP_FAILED)
		close_send(dns, u, reason);
	u->state = UP_FAILED;
}

void
upstream_done(struct query *q)
{
	struct upstream *u, *next;

	for (u = LIST_FIRST(&q->upstreams); u != NULL; u = next) {
		next = LIST_NEXT(u, link);
		shut(u, u->totals.down_packets > 0 ? CLOSE_EOF : CLOSE_IDLE);
		LIST_REMOVE(u, link);
		LIST_REMOVE(u, by_flow);
		q->dns->held -= u->in_size;
		free(u->in);
		free(u);
	}
}

static void
fail(struct upstream *u, const char *why)
{
	char addr[ADDR_STRLEN];

	log_debug("resolver %s (%s): %s", addr_str(&u->addr, addr), u->tcp ? "tcp" : "udp", why);
	shut(u, CLOSE_PEER);
	query_refused(u->query, u);
}

/* op: EPOLL_CTL_ADD or _MOD. */
static bool
watch(struct upstream *u, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = u->flow };

	return epoll_ctl(u->query->dns->epoll_fd, op, u->fd, &ev) == 0;
}

/* ---- out ---- */

static void
up_count(struct upstream *u, size_t bytes)
{
	u->totals.up_bytes += bytes;
	u->totals.up_packets++;
}

static void
data_send(struct upstream *u, const uint8_t *head, size_t headlen)
{
	const struct query *q = u->query;
	size_t len = headlen + q->len;

	if (len > u->out_credit)
		return;
	u->out_credit -= (uint32_t)len;
	if (headlen > 0)
		chan_send(q->dns->dial, MSG_DATA, u->flow, NULL, 0, head, headlen, -1);
	chan_send(q->dns->dial, MSG_DATA, u->flow, NULL, 0, q->msg, q->len, -1);
	up_count(u, len);
}

/* Length and query, as much as the socket takes; the rest when it is writable. */
static bool
tcp_send(struct upstream *u)
{
	const struct query *q = u->query;
	uint8_t head[2] = { (uint8_t)(q->len >> 8), (uint8_t)q->len };
	ssize_t n;

	while (u->sent < q->len + 2) {
		/* The two must not leave as two segments: RFC 7766 8. */
		n = u->sent < 2 ?
		    send(u->fd, head + u->sent, 2 - u->sent, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE) :
		    send(u->fd, q->msg + (u->sent - 2), q->len - (u->sent - 2),
			MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return (errno == EAGAIN || errno == EINTR) &&
			    watch(u, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
		u->sent += (size_t)n;
		up_count(u, (size_t)n);
	}
	return true;
}

/* False: the resolver will not get it.  A datagram that was dropped is sent again in time. */
static bool
query_send(struct upstream *u)
{
	const struct query *q = u->query;
	uint8_t head[2] = { (uint8_t)(q->len >> 8), (uint8_t)q->len };

	if (u->state == UP_FRAMES) {
		if (!u->tcp || u->sent == 0)
			data_send(u, head, u->tcp ? 2 : 0);
		u->sent = q->len + 2;
		return true;
	}
	if (u->tcp)
		return tcp_send(u);
	if (send(u->fd, q->msg, q->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
	up_count(u, q->len);
	return true;
}

/* TCP takes over: what still comes over UDP does not matter any more. */
static void
udp_shut(struct query *q, size_t server)
{
	struct upstream *u;

	LIST_FOREACH(u, &q->upstreams, link)
		if (u->server == server && !u->tcp)
			shut(u, CLOSE_EOF);
}

static struct upstream *
upstream_new(struct query *q, size_t server, bool tcp)
{
	struct dns *dns = q->dns;
	struct upstream *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->query = q;
	u->server = server;
	u->addr = q->via == &dns->listed ? dns->resolvers[server] : q->asked.server;
	u->tcp = tcp;
	u->fd = -1;
	u->flow = ++dns->last_flow;
	if (tcp)
		udp_shut(q, server);
	LIST_INSERT_HEAD(&q->upstreams, u, link);
	LIST_INSERT_HEAD(&dns->by_flow[u->flow % BUCKETS], u, by_flow);
	open_send(dns, u);
	return u;
}

/* The flow to this server that is to be used: the TCP one, once there is one. */
static struct upstream *
flow_of(struct query *q, size_t server, bool tcp)
{
	struct upstream *u, *found = NULL;

	LIST_FOREACH(u, &q->upstreams, link)
		if (u->server == server && (u->tcp || !tcp))
			if (found == NULL || u->tcp)
				found = u;
	return found;
}

bool
upstream_ask(struct query *q, size_t server, bool tcp)
{
	struct upstream *u = flow_of(q, server, tcp);

	if (u == NULL)
		return upstream_new(q, server, tcp) != NULL;
	if (u->state == UP_FAILED)
		return false;
	if (u->state == UP_OPENING || query_send(u))
		return true;
	shut(u, CLOSE_PEER);
	return false;
}

/* ---- in ---- */

static bool
in_alloc(struct upstream *u, size_t want)
{
	if (u->in != NULL)
		return true;
	if (!query_hold(u->query->dns, want))
		return false;
	u->in_size = want;
	return (u->in = malloc(want)) != NULL;
}

/* Bytes of a TCP stream: two of length, then one message; there is no second. */
static void
tcp_take(struct upstream *u, const uint8_t *p, size_t n)
{
	size_t want, take;

	for (; n > 0 && u->got < 2; n--)
		u->head[u->got++] = *p++;
	want = (size_t)(u->head[0] << 8 | u->head[1]);
	if (u->got < 2 || (n == 0 && want > 0))
		return;
	if (want < WIRE_HEADER_LEN) {
		fail(u, "an answer shorter than a header");
		return;
	}
	if (!in_alloc(u, want)) {
		fail(u, "no memory for its answer");
		return;
	}
	take = want + 2 - u->got < n ? want + 2 - u->got : n;
	memcpy(u->in + (u->got - 2), p, take);
	u->got += take;
	if (take > 0 && u->got == want + 2)
		query_take(u->query, u, u->in, want);
}

static void
payload_take(struct upstream *u, const uint8_t *p, size_t n)
{
	u->totals.down_bytes += n;
	u->totals.down_packets++;
	if (u->tcp)
		tcp_take(u, p, n);
	else
		query_take(u->query, u, p, n);
}

static void
socket_read(struct upstream *u)
{
	ssize_t n = recv(u->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	if (n > 0)
		payload_take(u, datagram, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(u, strerror(errno));
	else if (n == 0 && u->tcp)
		fail(u, "it closed the connection");
}

static void
on_ready(uv_poll_t *h, int status, int events)
{
	struct dns *dns = h->data;
	struct epoll_event ev[EVENTS];
	struct upstream *u;
	int n = epoll_wait(dns->epoll_fd, ev, EVENTS, 0);

	(void)status, (void)events;
	for (int i = 0; i < n; i++) {
		if ((u = find(dns, ev[i].data.u64)) == NULL || u->state != UP_SOCKET)
			continue;
		if ((ev[i].events & EPOLLOUT) &&
		    (!watch(u, EPOLL_CTL_MOD, EPOLLIN) || !tcp_send(u)))
			fail(u, strerror(errno));
		else if (ev[i].events & ~(uint32_t)EPOLLOUT)
			socket_read(u);
	}
}

/* ---- what the dialler says; of flows that are gone it may say what it likes ---- */

static void
on_opened(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = find(chan_arg(c), f->flow);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;
	const char *why = NULL;

	if (!msg_opened_get(&r, &m))
		why = "bad OPENED";
	else if ((fd != -1) != ((chan_caps(c) & MSG_CAP_FD) != 0))
		why = fd != -1 ? "unexpected descriptor" : "OPENED without its descriptor";
	else if (u != NULL && u->state != UP_OPENING && u->state != UP_FAILED)
		why = "OPENED twice";
	if (why != NULL)
		chan_fail(c, why);
	if (why != NULL || u == NULL || u->state != UP_OPENING) {
		if (fd != -1)
			close(fd);
		return;
	}
	u->fd = fd;
	u->state = fd != -1 ? UP_SOCKET : UP_FRAMES;
	u->out_credit = u->in_credit = MSG_WINDOW_INITIAL;
	if ((fd != -1 && !watch(u, EPOLL_CTL_ADD, EPOLLIN)) || !query_send(u))
		fail(u, strerror(errno));
}

static void
on_refused(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = find(chan_arg(c), f->flow);
	struct rd r = rd_over(f->body, f->len);
	struct msg_refused m;

	(void)fd;
	if (!msg_refused_get(&r, &m)) {
		chan_fail(c, "bad REFUSED");
	} else if (u != NULL && u->state == UP_OPENING) {
		u->state = UP_FAILED;		/* the flow is gone: no CLOSE */
		fail(u, m.why == REFUSED_POLICY ? "refused by policy" :
		    m.why == REFUSED_LIMIT ? "refused: too many flows" : strerror((int)m.err));
	}
}

static struct upstream *
framed(struct chan *c, const struct frame *f)
{
	struct upstream *u = find(chan_arg(c), f->flow);

	if (u != NULL && (u->state == UP_SOCKET || u->state == UP_OPENING))
		chan_fail(c, "payload of a flow that has none in frames");
	return u != NULL && u->state == UP_FRAMES ? u : NULL;
}

static void
on_data(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = framed(c, f);
	uint8_t body[MSG_WINDOW_LEN];
	struct wr w = wr_over(body, sizeof(body));
	uint32_t taken;

	(void)fd;
	if (u == NULL)
		return;
	if (f->len > u->in_credit) {
		if (u->tcp)
			chan_fail(c, "DATA beyond its credit");
		return;
	}
	u->in_credit -= f->len;
	taken = MSG_WINDOW_INITIAL - u->in_credit;
	if (taken >= CREDIT_STEP) {
		u->in_credit = MSG_WINDOW_INITIAL;
		wr_le32(&w, taken);
		chan_send(c, MSG_WINDOW, f->flow, body, sizeof(body), NULL, 0, -1);
	}
	if (f->len > 0)
		payload_take(u, f->body, f->len);
}

static void
on_window(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = framed(c, f);
	struct rd r = rd_over(f->body, f->len);
	uint32_t more = rd_le32(&r);

	(void)fd;
	if (u != NULL)
		u->out_credit = more > UINT32_MAX - u->out_credit ? UINT32_MAX :
		    u->out_credit + more;
}

static void
on_eof(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = framed(c, f);

	(void)fd;
	if (u != NULL)
		fail(u, "it closed the connection");
}

static void
on_reset(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = framed(c, f);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	if (u != NULL)
		fail(u, strerror((int)rd_le32(&r)));
}

/* What the dialler may say; anything else ends the process. */
const struct chan_handler upstream_handlers[] = {
	{ MSG_OPENED,	on_opened },
	{ MSG_REFUSED,	on_refused },
	{ MSG_DATA,	on_data },
	{ MSG_WINDOW,	on_window },
	{ MSG_EOF,	on_eof },
	{ MSG_RESET,	on_reset },
	{ 0, NULL }
};

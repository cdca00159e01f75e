/*
 * listen.c - the listener of a stand-alone proxy: what its clients ask for, and what they are told.
 *
 *   accept ─> REQUEST ─┬─ a name ─> LOOKUP ═ QUERY, ANSWER ═ cf-dns ─┐
 *                      └─ an address ───────────────────────────────┴─> OPEN ═ policy stage
 *                            no: REPLY ─> closed          OPENED ─> [FIRST ─>] TUNNEL ─> CLOSE
 *
 * Clients may send anything, at any rate.  A name has a made-up address that cf-dns gives it
 * (--synthetic), so the policy stage knows for each flow which name was asked for, and finds real
 * addresses itself, or has the proxy behind us find them.
 *
 * What must stay true: there are CLIENTS_MAX clients at most, each with a deadline in every phase;
 * a client is freed when libuv has given its handles back; a flow that is open has its CLOSE.
 *
 * Deliberately not done: a second request on a connection, a login (serve.c listens on loopback only).
 *
 * SPDX-License-Identifier: MIT
 */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan_uv.h"
#include "inside.h"
#include "log.h"
#include "lookup.h"

#define ACCEPTS_A_TURN	64
#define TICK_MS		500
#define END_MS		3000		/* for the last events to be written */

static const struct sandbox_row listen_rows[] = {
	ALLOW(accept4,	"clients"),
	ALLOW_ARG(ioctl, 1, FIONBIO, "libuv makes what it watches non-blocking"),
	{ 0 }
};

const struct sandbox_row *const listen_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, listen_rows, tunnel_rows, NULL
};
const struct sandbox_role listen_role = {
	.name = "cf-listen", .does = "takes clients of a proxy of its own (cf-proxy --listen)",
	.tables = listen_sandbox, .leaves = SANDBOX_NO_NET,
};

static void	doors_set(struct listener *, bool open);
static void	ask(struct client *);

/* ---- a client's life ---- */

static void
on_closed(uv_handle_t *h)
{
	struct client *c = ((struct side *)h->data)->client;

	if (--c->handles > 0)
		return;
	for (int i = NEAR; i <= FAR; i++)
		free(c->side[i].held);
	free(c->in);
	free(c->head);
	free(c);
}

static bool
side_open(struct client *c, int which, int fd)
{
	struct side *s = &c->side[which];

	if (uv_poll_init(&c->listener->loop, &s->poll, fd) != 0)
		return false;
	s->poll.data = s;
	s->client = c;
	s->fd = fd;
	c->handles++;
	return true;
}

static void
side_close(struct side *s)
{
	if (s->fd == -1)
		return;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	close(s->fd);
	s->fd = -1;
}

static void
close_send(const struct client *c, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_close_put(&w, &(struct msg_close){ .reason = c->opened ? reason : CLOSE_CANCEL,
	    .up_bytes = c->up, .down_bytes = c->down });
	chan_send(c->listener->policy, MSG_CLOSE, c->flow, body, sizeof(body), NULL, 0, -1);
}

void
listen_drop(struct client *c, enum close_reason reason)
{
	struct listener *l = c->listener;

	if (c->opened || c->phase == PHASE_OPEN)
		close_send(c, reason);
	TAILQ_REMOVE(&l->clients, c, link);
	l->slot[c->slot] = NULL;
	l->nclients--;
	side_close(&c->side[NEAR]);
	side_close(&c->side[FAR]);
	doors_set(l, true);
}

static void
phase_set(struct client *c, enum phase phase, uint64_t ms)
{
	c->phase = phase;
	c->deadline = uv_now(&c->listener->loop) + ms;
}

/* ---- what a client is told ---- */

static const char *
status_words(int status)
{
	static const struct { int status; const char *words; } known[] = {
		{ 400, "Bad Request" }, { 403, "Forbidden" }, { 408, "Request Timeout" },
		{ 431, "Request Header Fields Too Large" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].words;
	return "Refused";
}

static void
http_refusal(struct client *c, int status, const char *why)
{
	char text[1024], shown[512];
	int n;

	log_escape(shown, sizeof(shown), why);
	n = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\n"
	    "Content-Length: %zu\r\nConnection: close\r\nProxy-Connection: close\r\n\r\n"
	    "childflow: %s\n", status, status_words(status), strlen(shown) + 12, shown);
	(void)tunnel_say(c, text, (size_t)n);
}

static void
socks_reply(struct client *c, int code)
{
	const uint8_t reply[10] = { 5, (uint8_t)code, 0, 1 };

	(void)tunnel_say(c, reply, sizeof(reply));
}

/*
 * The client has its refusal and gets a moment to read it.  What it sent and nobody read would have the
 * kernel reset the connection and the refusal with it, so our side ends first (RFC 9112 9.6).
 */
static void
refuse(struct client *c, int http, int socks, const char *why)
{
	if (c->request.socks)
		socks_reply(c, socks);
	else
		http_refusal(c, http, why);
	phase_set(c, PHASE_REPLY, REPLY_MS);
	if (c->side[NEAR].len == 0)
		shutdown(c->side[NEAR].fd, SHUT_WR);
	tunnel_watch(c);
}

/* It has what it gets; then what it still sends is dropped, until it ends too. */
static void
reply_ready(struct client *c)
{
	static uint8_t nowhere[4096];

	if (c->side[NEAR].len == 0) {
		shutdown(c->side[NEAR].fd, SHUT_WR);
		if (recv(c->side[NEAR].fd, nowhere, sizeof(nowhere), MSG_DONTWAIT) == 0) {
			listen_drop(c, CLOSE_EOF);
			return;
		}
	}
	tunnel_watch(c);
}

/* ---- the request ---- */

static void
flow_new(struct client *c)
{
	c->flow = ++c->listener->last * CLIENTS_MAX + c->slot;
}

/* Where it comes from, in the family of where it goes: a client on ::1 may want an IPv4 address. */
static struct addr
from(const struct client *c, uint8_t family)
{
	return c->addr.family == family ? c->addr :
	    (struct addr){ .family = family, .port = c->addr.port };
}

static void
open_send(struct client *c, const struct addr *dst)
{
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_open o = { .proto = IPPROTO_TCP, .src = from(c, dst->family), .dst = *dst };

	o.dst.port = c->request.port;
	flow_new(c);
	msg_open_put(&w, &o);
	chan_send(c->listener->policy, MSG_OPEN, c->flow, body, sizeof(body), NULL, 0, -1);
	phase_set(c, PHASE_OPEN, OPEN_MS);
}

/* A name: its made-up address of this family. */
static void
look_up(struct client *c, uint8_t family)
{
	uint8_t question[LOOKUP_MAX], body[MSG_QUERY_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_query m = { .transport = IPPROTO_TCP, .src = from(c, 4) };
	size_t len = lookup_question(question, c->request.host.name, family);

	if (len == 0) {
		refuse(c, 400, 1, "this is no name");
		return;
	}
	c->family = family;
	addr_parse(INSIDE_GATEWAY4, INSIDE_DNS_PORT, &m.server);
	flow_new(c);
	msg_query_put(&w, &m);
	chan_send(c->listener->dns, MSG_QUERY, c->flow, body, sizeof(body), question, len, -1);
	phase_set(c, PHASE_LOOKUP, LOOKUP_MS);
}

static void
ask(struct client *c)
{
	if (c->request.host.is_addr)
		open_send(c, &c->request.host.addr);
	else
		look_up(c, 4);
	if (c->phase == PHASE_LOOKUP || c->phase == PHASE_OPEN)
		tunnel_watch(c);
}

static void
in_drop(struct client *c, size_t n)
{
	c->in_len -= n;
	memmove(c->in, c->in + n, c->in_len);
}

static enum request_state
socks_read(struct client *c)
{
	static const uint8_t no_login[] = { 5, 0 }, none_fits[] = { 5, 0xff };
	enum request_state s = REQUEST_DONE;
	size_t used;

	c->request.socks = true;
	if (!c->greeted) {
		s = socks_greeting(c->in, c->in_len, &used);
		if (s == REQUEST_BAD)
			(void)tunnel_say(c, none_fits, sizeof(none_fits));
		if (s != REQUEST_DONE)
			return s;
		c->greeted = true;
		in_drop(c, used);
		if (!tunnel_say(c, no_login, sizeof(no_login)))
			return REQUEST_BAD;
	}
	return socks_request(c->in, c->in_len, &c->request);
}

static enum request_state
http_read(struct client *c)
{
	if (c->head == NULL && (c->head = malloc(REQUEST_MAX)) == NULL)
		return REQUEST_BAD;
	return http_request((const char *)c->in, c->in_len, &c->request, c->head, &c->head_len);
}

/* The first byte tells the two apart. */
static void
request_judge(struct client *c)
{
	enum request_state s = c->greeted || c->in[0] == 5 ? socks_read(c) : http_read(c);
	char why[REQUEST_WHY];

	if (s == REQUEST_MORE && c->in_len < REQUEST_MAX) {
		tunnel_watch(c);
	} else if (s == REQUEST_DONE) {
		in_drop(c, c->request.used);
		c->body_left = c->request.body;
		ask(c);
	} else if (c->request.status == 0) {	/* there are no words for it */
		listen_drop(c, CLOSE_EOF);
	} else {
		memcpy(why, c->request.why, sizeof(why));
		refuse(c, c->request.status, c->request.status, why);
	}
}

static void
request_read(struct client *c)
{
	ssize_t n;

	if (c->in == NULL && (c->in = malloc(REQUEST_MAX)) == NULL) {
		listen_drop(c, CLOSE_EOF);
		return;
	}
	n = recv(c->side[NEAR].fd, c->in + c->in_len, REQUEST_MAX - c->in_len, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		tunnel_watch(c);
	else if (n <= 0)
		listen_drop(c, CLOSE_RESET);
	else {
		c->in_len += (size_t)n;
		request_judge(c);
	}
}

void
listen_ready(uv_poll_t *h, int status, int events)
{
	struct side *s = h->data;
	struct client *c = s->client;

	(void)status;
	if (c->phase == PHASE_FIRST && tunnel_flush(c))
		first_ready(c);
	else if (c->phase == PHASE_TUNNEL)
		tunnel_ready(c, s == &c->side[NEAR] ? NEAR : FAR);
	else if (!tunnel_flush(c))
		listen_drop(c, CLOSE_EOF);
	else if (c->phase == PHASE_REPLY)
		reply_ready(c);
	else if (c->phase == PHASE_REQUEST && (events & UV_READABLE) != 0)
		request_read(c);
	else
		tunnel_watch(c);
}

/* ---- what the others say ---- */

/* The client whose flow this is, in this phase; NULL: it has gone. */
static struct client *
whose(struct listener *l, uint64_t flow, enum phase phase)
{
	struct client *c = l->slot[flow % CLIENTS_MAX];

	return c != NULL && c->flow == flow && c->phase == phase ? c : NULL;
}

static void
on_answer(struct chan *chan, const struct frame *f, int fd)
{
	struct client *c = whose(chan_arg(chan), f->flow, PHASE_LOOKUP);
	struct addr a;

	(void)fd;
	if (c == NULL)
		return;
	switch (lookup_answer(f->body, f->len, c->family, &a)) {
	case LOOKUP_ADDRESS:
		open_send(c, &a);
		return;
	case LOOKUP_DENIED:
		refuse(c, 403, 2, "this name is refused by the rules");
		return;
	case LOOKUP_NONE:
		if (c->family == 4)
			look_up(c, 6);
		else
			refuse(c, 502, 4, "this name has no address");
		return;
	default:
		refuse(c, 502, 1, "this name could not be looked up");
	}
}

/* The request, as it goes on, and what came behind it. */
static bool
begin(struct client *c)
{
	static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	size_t rest = c->in_len < c->body_left ? c->in_len : (size_t)c->body_left;

	if (c->request.socks)
		socks_reply(c, 0);
	else if (c->request.tunnel && !tunnel_say(c, yes, sizeof(yes) - 1))
		return false;
	if (!tunnel_pass(c, c->head, c->request.tunnel ? 0 : c->head_len) ||
	    !tunnel_pass(c, c->in, rest))
		return false;
	if (c->body_left != REQUEST_ENDLESS)
		c->body_left -= rest;
	free(c->in);
	free(c->head);
	c->in = NULL;
	c->head = NULL;
	return true;
}

static void
on_opened(struct chan *chan, const struct frame *f, int fd)
{
	struct client *c = whose(chan_arg(chan), f->flow, PHASE_OPEN);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;

	if (!msg_opened_get(&r, &m) || (fd == -1) != ((m.flags & OPENED_FIRST) != 0))
		chan_fail(chan, "bad OPENED");
	else if (c != NULL)
		c->opened = true;
	if (c == NULL || !c->opened) {
		if (fd != -1)
			close(fd);
	} else if (fd != -1 && !side_open(c, FAR, fd)) {
		close(fd);
		listen_drop(c, CLOSE_PEER);
	} else if (!begin(c)) {
		listen_drop(c, CLOSE_PEER);
	} else if (fd == -1) {
		first_begin(c);
	} else {
		tunnel_start(c);
	}
}

static void
on_go(struct chan *chan, const struct frame *f, int fd)
{
	struct client *c = whose(chan_arg(chan), f->flow, PHASE_FIRST);
	struct rd r = rd_over(f->body, f->len);
	struct msg_go m;

	if (!msg_go_get(&r, &m) || (fd == -1) != (m.flags != 0))
		chan_fail(chan, "bad GO");
	else if (c != NULL && fd == -1)
		first_on_go(c, m.flags);
	else if (c != NULL && side_open(c, FAR, fd)) {
		tunnel_start(c);
		return;
	} else if (c != NULL)
		listen_drop(c, CLOSE_PEER);
	if (fd != -1)
		close(fd);
}

/* Its first flight is refused, or new rules forbid the flow. */
static void
on_reset(struct chan *chan, const struct frame *f, int fd)
{
	struct listener *l = chan_arg(chan);
	struct client *c = l->slot[f->flow % CLIENTS_MAX];

	(void)fd;
	if (c == NULL || c->flow != f->flow || !c->opened)
		return;
	if (c->phase == PHASE_FIRST && !c->request.tunnel) {
		close_send(c, CLOSE_PEER);
		c->opened = false;
		refuse(c, 403, 2, "what the request says of its host is refused by the rules");
		return;
	}
	listen_drop(c, CLOSE_PEER);
}

/* What a refusal is to the client. */
static void
refusal_codes(const struct msg_refused *m, int *http, int *socks)
{
	static const struct { uint32_t err; int http, socks; } rows[] = {
		{ ECONNREFUSED, 502, 5 }, { EHOSTUNREACH, 502, 4 }, { ENETUNREACH, 502, 3 },
		{ ETIMEDOUT, 504, 4 },
	};

	*http = m->why == REFUSED_POLICY ? 403 : m->why == REFUSED_LIMIT ? 503 : 502;
	*socks = m->why == REFUSED_POLICY ? 2 : 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && m->why != REFUSED_POLICY; i++)
		if (rows[i].err == m->err) {
			*http = rows[i].http;
			*socks = rows[i].socks;
		}
}

static void
on_refused(struct chan *chan, const struct frame *f, int fd)
{
	struct client *c = whose(chan_arg(chan), f->flow, PHASE_OPEN);
	struct rd r = rd_over(f->body, f->len);
	char text[MSG_TEXT_MAX + 1] = "";
	struct msg_refused m;
	int http, socks;

	(void)fd;
	if (!msg_refused_get(&r, &m)) {
		chan_fail(chan, "bad REFUSED");
		return;
	}
	if (c == NULL)
		return;
	memcpy(text, r.p, rd_left(&r));
	if (!c->request.host.is_addr && c->family == 4 &&
	    (m.why == REFUSED_ERRNO || m.why == REFUSED_ICMP)) {
		c->phase = PHASE_REQUEST;
		look_up(c, 6);		/* nobody is there by IPv4 */
		return;
	}
	refusal_codes(&m, &http, &socks);
	refuse(c, http, socks, text[0] != '\0' ? text : strerror((int)m.err));
}

static const struct chan_handler policy_handlers[] = {
	{ MSG_OPENED, on_opened }, { MSG_REFUSED, on_refused }, { MSG_GO, on_go },
	{ MSG_RESET, on_reset }, { 0, NULL }
};
static const struct chan_handler dns_handlers[] = {
	{ MSG_ANSWER, on_answer }, { 0, NULL }
};

/* ---- doors ---- */

static bool
client_new(struct listener *l, int fd, const struct addr *addr)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return false;
	while (l->slot[c->slot] != NULL)
		c->slot++;
	c->listener = l;
	c->addr = *addr;
	c->side[NEAR].fd = c->side[FAR].fd = -1;
	if (!side_open(c, NEAR, fd)) {
		free(c);
		return false;
	}
	l->slot[c->slot] = c;
	l->nclients++;
	TAILQ_INSERT_TAIL(&l->clients, c, link);
	phase_set(c, PHASE_REQUEST, REQUEST_MS);
	tunnel_watch(c);
	return true;
}

static void
on_door(uv_poll_t *h, int status, int events)
{
	struct door *door = h->data;
	struct listener *l = door->listener;

	(void)status, (void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && l->nclients < CLIENTS_MAX; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct addr addr = { 0 };
		int fd = accept4(door->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd == -1)
			break;
		if (!addr_from_sockaddr(&ss, &addr) || !client_new(l, fd, &addr))
			close(fd);
	}
	if (l->nclients == CLIENTS_MAX)
		doors_set(l, false);	/* the next ones wait in the kernel's queue */
}

static void
doors_set(struct listener *l, bool open)
{
	open = open && !l->ending && chan_peer(l->policy) != 0 && chan_peer(l->dns) != 0;
	if (open == l->open)
		return;
	l->open = open;
	for (size_t i = 0; i < l->ndoors; i++)
		if (open)
			uv_poll_start(&l->doors[i].poll, UV_READABLE, on_door);
		else
			uv_poll_stop(&l->doors[i].poll);
}

/* ---- time ---- */

static void
late(struct client *c)
{
	switch (c->phase) {
	case PHASE_REQUEST:
		if (c->in_len > 0 && !c->request.socks)
			refuse(c, 408, 1, "the request did not come in time");
		else
			listen_drop(c, CLOSE_IDLE);
		break;
	case PHASE_LOOKUP:
		refuse(c, 504, 1, "this name could not be looked up in time");
		break;
	case PHASE_OPEN:
		close_send(c, CLOSE_CANCEL);
		refuse(c, 504, 4, "no answer from the destination");
		break;
	default:
		listen_drop(c, CLOSE_IDLE);
	}
}

static void
on_tick(uv_timer_t *t)
{
	struct listener *l = t->data;
	struct client *c, *next;

	for (c = TAILQ_FIRST(&l->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->deadline <= uv_now(&l->loop))
			late(c);
	}
}

/* ---- beginning and end ---- */

static void
on_end_of_time(uv_timer_t *t)
{
	uv_stop(t->loop);
}

/* The others see the end of their channels, write what is left to write, and end; then we do. */
static void
end(struct listener *l, int status)
{
	struct client *c;

	if (l->ending)
		return;
	l->ending = true;
	l->status = status;
	doors_set(l, false);
	while ((c = TAILQ_FIRST(&l->clients)) != NULL)
		listen_drop(c, CLOSE_END);
	(void)chan_flush(l->policy);
	chan_shutdown(l->policy);
	uv_timer_start(&l->end, on_end_of_time, END_MS, 0);
}

static void
on_signal(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;
	struct signalfd_siginfo info;

	(void)status, (void)events;
	if (read(l->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	log_info("ends on signal %u", info.ssi_signo);
	end(l, 0);
}

static void
on_chan_end(struct chan *c, const char *why)
{
	struct listener *l = chan_arg(c);

	if (why != NULL)
		log_warnx("%s sent garbage: %s", role_name(c == l->dns ? R_DNS : R_PROXY), why);
	else if (!l->ending)
		log_warnx("%s has ended, and so does this (its own message is above)",
		    role_name(c == l->dns ? R_DNS : R_PROXY));
	if (l->ending && c == l->policy)
		uv_stop(&l->loop);
	else
		end(l, 1);
}

static void
on_hello(struct chan *c)
{
	struct listener *l = chan_arg(c);
	char text[ADDR_STRLEN];

	chan_handlers(c, c == l->dns ? dns_handlers : policy_handlers);
	doors_set(l, true);
	for (size_t i = 0; i < l->ndoors && l->open; i++)
		log_info("listening on %s", addr_str(&l->doors[i].addr, text));
}

static void
poll_init(struct listener *l, uv_poll_t *h, int fd, void *data)
{
	int rc = uv_poll_init(&l->loop, h, fd);

	if (rc != 0)
		fatalx("cannot watch a descriptor: %s", uv_strerror(rc));
	h->data = data;
}

static struct chan *
channel(struct listener *l, int fd, enum role peer)
{
	struct chan *c = chan_new(fd, fd, R_STACK, (uint32_t)peer, l);

	if (c == NULL || chan_uv_start(&l->loop, c, on_chan_end) == NULL)
		fatal("cannot use the channel to %s", role_name(peer));
	chan_on_hello(c, on_hello);
	return c;
}

void
listen_open(struct listener *l, const struct serve_fds *fds)
{
	int rc;

	if ((rc = uv_loop_init(&l->loop)) != 0)
		fatalx("cannot make an event loop: %s", uv_strerror(rc));
	TAILQ_INIT(&l->clients);
	l->policy = channel(l, fds->policy, R_PROXY);
	l->dns = channel(l, fds->dns, R_DNS);
	for (size_t i = 0; i < l->ndoors; i++) {
		l->doors[i].listener = l;
		poll_init(l, &l->doors[i].poll, l->doors[i].fd, &l->doors[i]);
	}
	poll_init(l, &l->signals, l->signal_fd, l);
	uv_poll_start(&l->signals, UV_READABLE, on_signal);
	uv_timer_init(&l->loop, &l->end);
	uv_timer_init(&l->loop, &l->tick);
	l->tick.data = l;
	uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
}

int
listen_run(struct listener *l)
{
	chan_hello(l->policy, MSG_CAP_FD);
	chan_hello(l->dns, 0);
	uv_run(&l->loop, UV_RUN_DEFAULT);
	return l->status;
}

/*
 * listen.c - the listener of a stand-alone cf-dns: queries in from clients, answers out.
 *
 *   UDP ───────────────┐
 *                      ├─ listen_ask ══ QUERY ══> resolver ══ ANSWER ══ on_answer ─┬─> UDP
 *   TCP ── stream.c ───┘    (an ask)                              (it ends)        └─> stream.c
 *                             zone transfers:  PART, PROCEED, PART, ... ANSWER
 *
 * On one side are clients, which may send anything, at any rate, and under false addresses.
 * On the other is the resolver, which answers each query once, and in time.  So nothing here
 * reads a DNS message, but for its length and the bit that makes it an answer: answering
 * answers would let somebody set two servers on each other.
 *
 * What one client can have is in share.h.  A datagram beyond it is dropped, which costs the
 * client a repetition; a connection beyond it is not read.  Strangers get nothing at all.
 *
 * What must stay true: an ask is in use from QUERY to ANSWER and no longer; one whose
 * connection has gone still counts until then, since the resolver is still busy with it.
 *
 * Deliberately not done: wildcard addresses (serve.c refuses them; the answer to a datagram must
 * come from where it was sent, and here each socket has one address), UDP answers above
 * UDP_ANSWER_MAX, keeping the order of answers (RFC 7766 6.2.1.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan_uv.h"
#include "log.h"
#include "wire.h"

#define DATAGRAMS_A_TURN 64		/* of one socket; then others have a turn */
#define BACKLOG_MAX	(4u << 20)	/* bytes that the resolver has not read; then no more for now */
#define END_MS		2000		/* for the other two to end */

static const struct sandbox_row listen_rows[] = {
	ALLOW(recvfrom,	"queries from clients"),
	ALLOW(sendto,	"answers to clients; with an address, as this process cannot connect"),
	ALLOW(shutdown,	"no more queries from us"),
	ALLOW(wait4,	"the resolver and the dialler have ended"),
	{ 0 }
};

const struct sandbox_row *const listen_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, listen_rows, stream_rows, NULL
};
const struct sandbox_role listen_role = {
	.name = "cf-dns (listener)", .does = "takes queries from clients (--listen)",
	.tables = listen_sandbox, .leaves = SANDBOX_NO_NET,
};

static uint8_t	datagram[65536];

/* ---- queries ---- */

bool
listen_knows(struct listener *l, const struct addr *client)
{
	char text[ADDR_STRLEN];
	uint64_t times;

	if (clients_have(l->clients, client))
		return true;
	times = limit_count(&l->strangers, uv_now(&l->loop), 1);
	if (times > 0)
		log_info("%s is no client of ours (--client says who is); %llu ignored",
		    addr_ip_str(client, text), (unsigned long long)times);
	return false;
}

bool
listen_is_query(const uint8_t *msg, size_t len)
{
	return len >= WIRE_HEADER_LEN && (msg[2] & 0x80) == 0;
}

static void
query_send(struct listener *l, const struct ask *a, const uint8_t *msg, size_t len)
{
	uint8_t body[MSG_QUERY_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_query_put(&w, &(struct msg_query){
	    .transport = a->door->tcp ? IPPROTO_TCP : IPPROTO_UDP,
	    .src = a->client, .server = a->door->addr });
	chan_send(l->dns, MSG_QUERY, a->flow, body, sizeof(body), msg, len, -1);
}

bool
listen_ask(struct listener *l, const struct door *door, const struct addr *client,
    struct conn *conn, const uint8_t *msg, size_t len)
{
	struct share *share = NULL;
	struct ask *a = LIST_FIRST(&l->unused);

	if (chan_backlog(l->dns) < BACKLOG_MAX)
		share = share_take(&l->shares, client, SHARE_QUERIES);
	if (share == NULL)
		return false;
	LIST_REMOVE(a, link);
	*a = (struct ask){ .door = door, .client = *client, .share = share, .conn = conn,
	    .flow = ++l->round * ASKS_MAX + (uint64_t)(a - l->asks) };
	if (conn != NULL)
		LIST_INSERT_HEAD(stream_asks(conn), a, link);
	query_send(l, a, msg, len);
	return true;
}

/* ---- UDP ---- */

/* False: there is none. */
static bool
datagram_take(struct door *door)
{
	struct listener *l = door->listener;
	struct sockaddr_storage ss;
	socklen_t sslen = sizeof(ss);
	struct addr client;
	uint64_t times;
	ssize_t n;

	n = recvfrom(door->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
	    (struct sockaddr *)&ss, &sslen);
	if (n == -1)
		return errno != EAGAIN;
	if (!addr_from_sockaddr(&ss, &client) || client.port == 0 || !listen_knows(l, &client) ||
	    (size_t)n > MSG_TAIL_MAX || !listen_is_query(datagram, (size_t)n))
		return true;
	if (listen_ask(l, door, &client, NULL, datagram, (size_t)n))
		return true;
	times = limit_count(&l->crowded, uv_now(&l->loop), 1);
	if (times > 0)
		log_warnx("a client has its share of the %d queries under way; %llu more dropped",
		    ASKS_MAX, (unsigned long long)times);
	return true;
}

static void
on_datagrams(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	for (int i = 0; i < DATAGRAMS_A_TURN && datagram_take(h->data); i++)
		;
}

/* A client that cannot be reached, or has no room, asks again. */
static void
datagram_answer(const struct ask *a, const uint8_t *msg, size_t len)
{
	struct sockaddr_storage ss;
	socklen_t sslen = addr_to_sockaddr(&a->client, &ss);

	(void)sendto(a->door->fd, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (struct sockaddr *)&ss, sslen);
}

/* ---- answers ---- */

static void
ask_end(struct listener *l, struct ask *a)
{
	if (a->conn != NULL)
		LIST_REMOVE(a, link);
	share_give(&l->shares, a->share, SHARE_QUERIES);
	*a = (struct ask){ 0 };
	LIST_INSERT_HEAD(&l->unused, a, link);
}

static void
on_answer(struct chan *c, const struct frame *f, int fd)
{
	struct listener *l = chan_arg(c);
	struct ask *a = &l->asks[f->flow % ASKS_MAX], was = *a;

	(void)fd;
	if (f->flow == 0 || was.flow != f->flow) {
		chan_fail(c, "an ANSWER to nothing");
		return;
	}
	ask_end(l, a);
	if (was.conn != NULL && was.parts && f->len == 0)
		stream_break(was.conn);
	else if (was.conn != NULL)
		stream_answer(was.conn, f->body, f->len);
	else if (!was.door->tcp && f->len > 0)
		datagram_answer(&was, f->body, f->len);
	stream_resume(l);
}

void
listen_proceed(struct listener *l, struct ask *a, bool on)
{
	uint8_t body[MSG_PROCEED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	a->owes = false;
	msg_proceed_put(&w, &(struct msg_proceed){ .flags = on ? PROCEED_ON : 0 });
	chan_send(l->dns, MSG_PROCEED, a->flow, body, sizeof(body), NULL, 0, -1);
}

static void
on_part(struct chan *c, const struct frame *f, int fd)
{
	struct listener *l = chan_arg(c);
	struct ask *a = &l->asks[f->flow % ASKS_MAX];

	(void)fd;
	if (f->flow == 0 || a->flow != f->flow || a->owes) {
		chan_fail(c, "a PART of nothing, or before its PROCEED");
		return;
	}
	a->parts = a->owes = true;
	if (a->conn != NULL && f->len > 0)
		stream_part(a->conn, f->body, f->len);
	else
		listen_proceed(l, a, false);
}

/* What the resolver may say; anything else ends the process. */
static const struct chan_handler answers[] = {
	{ MSG_ANSWER, on_answer },
	{ MSG_PART, on_part },
	{ 0, NULL }
};

/* ---- beginning and end ---- */

static void
on_end_of_time(uv_timer_t *t)
{
	uv_stop(t->loop);		/* the kernel kills them when we are gone */
}

/* The resolver sees the end of its channel, behind the last whole frame, and ends. */
static void
on_flush(struct chan *c)
{
	if (((struct listener *)chan_arg(c))->ending && chan_backlog(c) == 0)
		chan_shutdown(c);
}

/* Resolver and dialler end; then we do. */
static void
end(struct listener *l, int status)
{
	if (l->ending)
		return;
	l->ending = true;
	l->status = status;
	for (size_t i = 0; i < l->ndoors; i++)
		uv_poll_stop(&l->doors[i].poll);
	stream_end(l);
	(void)chan_flush(l->dns);
	on_flush(l->dns);
	uv_timer_start(&l->end, on_end_of_time, END_MS, 0);
}

static void
child_ended(struct listener *l, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		log_debug("a helper has ended");
	else if (WIFEXITED(status))
		log_debug("a helper ended with status %d", WEXITSTATUS(status));
	else
		log_warnx("a helper was killed by signal %d%s", WTERMSIG(status),
		    WTERMSIG(status) == SIGSYS ? " (the sandbox forbids what it tried)" : "");
	if (!l->ending)
		log_warnx("ends, since no name can be resolved any more (start it again)");
	end(l, 1);
	if (--l->children == 0)
		uv_stop(&l->loop);
}

static void
on_signal(uv_poll_t *h, int status, int events)
{
	struct listener *l = h->data;
	struct signalfd_siginfo info;
	int child;

	(void)status, (void)events;
	if (read(l->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo != SIGCHLD) {
		log_info("ends on signal %u", info.ssi_signo);
		end(l, 0);
		return;
	}
	while (l->children > 0 && waitpid(-1, &child, WNOHANG) > 0)
		child_ended(l, child);
}

static void
on_dns_end(struct chan *c, const char *why)
{
	if (why != NULL)
		log_warnx("%s sent garbage: %s", role_name(R_DNS), why);
	/* Its end is told by SIGCHLD too, with the reason. */
	if (why != NULL)
		end(chan_arg(c), 1);
}

/* The resolver is ready, so we are. */
static void
on_dns_hello(struct chan *c)
{
	struct listener *l = chan_arg(c);
	char text[ADDR_STRLEN];

	chan_handlers(c, answers);
	for (size_t i = 0; i < l->ndoors && !l->ending; i++) {
		struct door *d = &l->doors[i];

		uv_poll_start(&d->poll, UV_READABLE, d->tcp ? stream_on_door : on_datagrams);
		if (!d->tcp)
			log_info("listening on %s", addr_str(&d->addr, text));
	}
}

static void
poll_init(struct listener *l, uv_poll_t *h, int fd, void *data)
{
	int rc = uv_poll_init(&l->loop, h, fd);

	if (rc != 0)
		fatalx("cannot watch a descriptor: %s", uv_strerror(rc));
	h->data = data;
}

static void
doors_open(struct listener *l)
{
	for (size_t i = 0; i < l->ndoors; i++) {
		struct door *d = &l->doors[i];

		d->listener = l;
		poll_init(l, &d->poll, d->fd, d);
	}
}

void
listen_open(struct listener *l, int rfd, int wfd)
{
	struct chan_uv *u = NULL;
	int rc;

	if ((rc = uv_loop_init(&l->loop)) != 0)
		fatalx("cannot make an event loop: %s", uv_strerror(rc));
	LIST_INIT(&l->unused);
	for (size_t i = ASKS_MAX; i > 0; i--)
		LIST_INSERT_HEAD(&l->unused, &l->asks[i - 1], link);
	l->dns = chan_new(rfd, wfd, R_STACK, R_DNS, l);
	if (l->dns == NULL || (u = chan_uv_start(&l->loop, l->dns, on_dns_end)) == NULL)
		fatal("cannot use the channel to %s", role_name(R_DNS));
	chan_uv_on_flush(u, on_flush);
	chan_on_hello(l->dns, on_dns_hello);
	poll_init(l, &l->signals, l->signal_fd, l);
	uv_poll_start(&l->signals, UV_READABLE, on_signal);
	uv_timer_init(&l->loop, &l->end);
	stream_init(l);
	doors_open(l);
}

int
listen_run(struct listener *l)
{
	chan_hello(l->dns, 0);
	uv_run(&l->loop, UV_RUN_DEFAULT);
	return l->status;
}

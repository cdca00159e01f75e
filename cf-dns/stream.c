/*
 * stream.c - clients of the listener on TCP: two bytes of length, then a message (RFC 7766 8).
 *
 *              whole query                  its answer
 *   READING ─────────────────> listen_ask ─────────────> written
 *      │  ^                        │                        │ not at once: WRITING, not read
 *      │  └── somebody's query ────┘ the client has its     └──> READING
 *      │      has ended              share: STALLED
 *      └── CONN_IDLE_MS without a whole query or a whole answer, garbage, an error ──> closed
 *
 * A connection is read only while its client takes what it asked for, so what one can make
 * us hold is a message each way and CONN_ASKS answers; of all together UNSENT_MAX.  Queries
 * may follow each other without waiting, and are answered in the order in which that is
 * possible (RFC 7766 6.2.1.1).  Bytes alone are no sign of life: who sends or
 * takes one at a time is as idle as who does nothing.
 *
 * What must stay true: after conn_close() the connection is not touched; so functions that
 * may close it say whether it is still there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"
#include "log.h"

#define ACCEPTS_A_TURN	16
#define TICK_MS		500
#define IN_SMALL	1024		/* most queries have less than a tenth of it */
#define FDS_OF_OURS	64		/* doors, channel, loop, log */

struct conn {
	TAILQ_ENTRY(conn) link;		/* of all */
	TAILQ_ENTRY(conn) in_line;	/* of those stalled */
	uv_poll_t	 poll;
	struct door	*door;
	struct share	*share;
	struct addr	 client;
	int		 fd;
	int		 events;	/* that poll watches */
	bool		 stalled, ended;	/* ended: the client sends no more */
	uint64_t	 deadline;
	struct asks	 asks;
	size_t		 nasks;		/* as long as answers for them may come */
	uint8_t		*in, *out;
	size_t		 in_len, in_size;
	size_t		 out_off, out_len;
};

const struct sandbox_row stream_rows[] = {
	ALLOW(accept4,	"connections of clients"),
	ALLOW_ARG(ioctl, 1, FIONBIO, "libuv makes what it watches non-blocking"),
	{ 0 }
};

static void	on_conn(uv_poll_t *, int, int);
static bool	conn_serve(struct conn *);

struct asks *
stream_asks(struct conn *c)
{
	return &c->asks;
}

/* ---- a connection's life ---- */

static void
on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void
stall_end(struct conn *c)
{
	if (c->stalled)
		TAILQ_REMOVE(&c->door->listener->stalled, c, in_line);
	c->stalled = false;
}

static void
conn_close(struct conn *c)
{
	struct listener *l = c->door->listener;
	struct ask *a;

	while ((a = LIST_FIRST(&c->asks)) != NULL) {
		LIST_REMOVE(a, link);
		a->conn = NULL;
		if (a->owes)
			listen_proceed(l, a, false);
	}
	stall_end(c);
	TAILQ_REMOVE(&l->conns, c, link);
	share_give(&l->shares, c->share, SHARE_CONNS);
	l->unsent -= c->out_len;
	free(c->in);
	free(c->out);
	uv_close((uv_handle_t *)&c->poll, on_closed);
	close(c->fd);
}

static void
conn_touch(struct conn *c)
{
	struct listener *l = c->door->listener;

	c->deadline = uv_now(&l->loop) + CONN_IDLE_MS;
	TAILQ_REMOVE(&l->conns, c, link);
	TAILQ_INSERT_TAIL(&l->conns, c, link);
}

/* Who may ask on: takes its answers, and has not too many to come. */
static bool
may_ask(const struct conn *c)
{
	return c->out_len == 0 && c->nasks < CONN_ASKS;
}

/* Make the poll match what we wait for. */
static void
watch(struct conn *c)
{
	int want = (!c->ended && !c->stalled && may_ask(c) ? UV_READABLE : 0) |
	    (c->out_len > 0 ? UV_WRITABLE : 0);

	if (want == c->events)
		return;
	c->events = want;
	if (want != 0)
		uv_poll_start(&c->poll, want, on_conn);
	else
		uv_poll_stop(&c->poll);
}

/* ---- out ---- */

/* All is written: the next message of what has more may come. */
static void
parts_proceed(struct conn *c)
{
	struct ask *a;

	LIST_FOREACH(a, &c->asks, link)
		if (a->owes)
			listen_proceed(c->door->listener, a, true);
}

static bool
out_write(struct conn *c)
{
	struct listener *l = c->door->listener;
	ssize_t n = send(c->fd, c->out + c->out_off, c->out_len - c->out_off,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n == -1) {
		conn_close(c);
		return false;
	}
	c->out_off += (size_t)n;
	if (c->out_off < c->out_len)
		return true;
	l->unsent -= c->out_len;
	c->out_off = c->out_len = 0;
	free(c->out);
	c->out = NULL;
	conn_touch(c);
	parts_proceed(c);
	return true;
}

static bool
out_add(struct conn *c, const uint8_t *msg, size_t len)
{
	struct listener *l = c->door->listener;
	uint8_t *out;

	if (l->unsent + len + 2 > UNSENT_MAX ||
	    (out = realloc(c->out, c->out_len + len + 2)) == NULL)
		return false;
	c->out = out;
	out += c->out_len;
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	memcpy(out + 2, msg, len);
	c->out_len += len + 2;
	l->unsent += len + 2;
	return true;
}

void
stream_part(struct conn *c, const uint8_t *msg, size_t len)
{
	bool waits = c->out_len > 0;

	if (len > 0 && !out_add(c, msg, len)) {
		conn_close(c);
		return;
	}
	if (c->out_len > 0 && !waits && !out_write(c))
		return;
	conn_serve(c);
}

void
stream_answer(struct conn *c, const uint8_t *msg, size_t len)
{
	c->nasks--;
	stream_part(c, msg, len);
}

void
stream_break(struct conn *c)
{
	conn_close(c);
}

/* ---- in ---- */

static bool
in_room(struct conn *c, size_t want)
{
	uint8_t *in;

	if (want <= c->in_size)
		return true;
	if ((in = realloc(c->in, want)) == NULL)
		return false;
	c->in = in;
	c->in_size = want;
	return true;
}

static void
stall(struct conn *c)
{
	if (!c->stalled)
		TAILQ_INSERT_TAIL(&c->door->listener->stalled, c, in_line);
	c->stalled = true;
}

/* Ask what is there in whole.  False: it is no query, or memory is out. */
static bool
in_ask(struct conn *c)
{
	struct listener *l = c->door->listener;
	size_t len, at = 0;

	for (; may_ask(c) && c->in_len - at >= 2; at += len + 2) {
		len = (size_t)(c->in[at] << 8 | c->in[at + 1]);
		if (len + 2 > c->in_len - at) {
			if (!in_room(c, len + 2))
				return false;
			break;
		}
		if (!listen_is_query(c->in + at + 2, len))
			return false;
		if (!listen_ask(l, c->door, &c->client, c, c->in + at + 2, len)) {
			stall(c);
			break;
		}
		c->nasks++;
		conn_touch(c);
	}
	c->in_len -= at;
	memmove(c->in, c->in + at, c->in_len);
	return true;
}

static bool
in_read(struct conn *c)
{
	ssize_t n;

	if (c->in_len == c->in_size)
		return true;		/* a whole message is waiting */
	n = recv(c->fd, c->in + c->in_len, c->in_size - c->in_len, MSG_DONTWAIT);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	c->ended = n == 0;
	c->in_len += (size_t)n;
	return true;
}

/* Go on with it.  False: it has been closed. */
static bool
conn_serve(struct conn *c)
{
	stall_end(c);
	if (!in_ask(c) || (c->ended && c->nasks == 0 && c->out_len == 0 && !c->stalled)) {
		conn_close(c);
		return false;
	}
	watch(c);
	return true;
}

static void
on_conn(uv_poll_t *h, int status, int events)
{
	struct conn *c = h->data;

	if (status != 0) {
		conn_close(c);
		return;
	}
	if ((events & UV_WRITABLE) && c->out_len > 0 && !out_write(c))
		return;
	if ((events & UV_READABLE) && !c->ended && !in_read(c)) {
		conn_close(c);
		return;
	}
	conn_serve(c);
}

void
stream_resume(struct listener *l)
{
	struct conn *c = TAILQ_FIRST(&l->stalled);

	/* One for one: it goes to the end of the line if it is stalled again. */
	if (c != NULL)
		conn_serve(c);
}

/* ---- doors ---- */

static void	on_tick(uv_timer_t *);

/* No connection, no tick. */
static void
tick_start(struct listener *l)
{
	if (!uv_is_active((uv_handle_t *)&l->tick))
		uv_timer_start(&l->tick, on_tick, TICK_MS, TICK_MS);
}

static struct conn *
conn_new(struct door *door, int fd, const struct addr *client, struct share *share)
{
	struct listener *l = door->listener;
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = (struct conn){ .door = door, .share = share, .client = *client, .fd = fd };
	if (!in_room(c, IN_SMALL) || uv_poll_init(&l->loop, &c->poll, fd) != 0) {
		free(c->in);
		free(c);
		return NULL;
	}
	c->poll.data = c;
	LIST_INIT(&c->asks);
	TAILQ_INSERT_TAIL(&l->conns, c, link);
	conn_touch(c);
	tick_start(l);
	watch(c);
	return c;
}

static void
conn_take(struct door *door, int fd, const struct sockaddr_storage *ss)
{
	struct listener *l = door->listener;
	struct share *share = NULL;
	struct addr client;

	if (addr_from_sockaddr(ss, &client) && listen_knows(l, &client))
		share = share_take(&l->shares, &client, SHARE_CONNS);
	if (share != NULL && conn_new(door, fd, &client, share) != NULL)
		return;
	if (share != NULL)
		share_give(&l->shares, share, SHARE_CONNS);
	close(fd);
}

static void
doors_watch(struct listener *l, bool on)
{
	l->shut = !on;
	for (size_t i = 0; i < l->ndoors; i++) {
		if (!l->doors[i].tcp)
			continue;
		if (on)
			uv_poll_start(&l->doors[i].poll, UV_READABLE, stream_on_door);
		else
			uv_poll_stop(&l->doors[i].poll);
	}
}

/* Who waits at the door is still there at the next tick; until then it would only wake us. */
static void
accept_failed(struct listener *l, int err)
{
	if (err != EMFILE && err != ENFILE && err != ENOBUFS && err != ENOMEM)
		return;
	log_debug("no more connections for now: %s", strerror(err));
	doors_watch(l, false);
	tick_start(l);
}

void
stream_on_door(uv_poll_t *h, int status, int events)
{
	struct door *door = h->data;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	(void)status, (void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		len = sizeof(ss);
		fd = accept4(door->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			accept_failed(door->listener, errno);
			return;
		}
		conn_take(door, fd, &ss);
	}
}

static void
on_tick(uv_timer_t *t)
{
	struct listener *l = t->data;
	uint64_t now = uv_now(&l->loop);
	struct conn *c;

	while ((c = TAILQ_FIRST(&l->conns)) != NULL && c->deadline <= now)
		conn_close(c);
	if (l->shut && !l->ending)
		doors_watch(l, true);
	if (TAILQ_EMPTY(&l->conns))
		uv_timer_stop(t);
}

/* As many as there are descriptors for. */
static size_t
conns_most(void)
{
	struct rlimit nofile;

	if (getrlimit(RLIMIT_NOFILE, &nofile) != 0 || nofile.rlim_cur >= CONNS_MAX + FDS_OF_OURS)
		return CONNS_MAX;
	return nofile.rlim_cur > FDS_OF_OURS ? (size_t)nofile.rlim_cur - FDS_OF_OURS : 1;
}

void
stream_init(struct listener *l)
{
	TAILQ_INIT(&l->conns);
	TAILQ_INIT(&l->stalled);
	if (!shares_init(&l->shares, ASKS_MAX, conns_most()))
		fatal("no random bytes");
	uv_timer_init(&l->loop, &l->tick);
	l->tick.data = l;
}

void
stream_end(struct listener *l)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&l->conns)) != NULL)
		conn_close(c);
}

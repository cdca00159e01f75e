/*
 * relay.c - payload in frames, where a descriptor cannot be passed (ssh host cf-proxy), or where
 * the client counts it (OPEN_RELAY).
 *
 * Between a socket and DATA frames, with credit per flow and direction:
 *
 *   client --DATA--> [up_credit]   held (what the socket did not take) --> socket
 *   client <-WINDOW- as the socket takes it
 *   client <--DATA-- [down_credit] as much as the client has granted   <-- socket
 *   client --WINDOW->
 *
 * What must stay true: held is never longer than the credit that was granted, so a flow
 * costs at most MSG_WINDOW_INITIAL bytes up and nothing down; a flow that cannot go
 * on waits alone.  One read a flow and turn, so that a fast one does not starve others.
 * TCP beyond its credit is garbage.  Datagrams are never held: what does not fit is lost, as
 * on any network.
 *
 * A flow ends by CLOSE, which the client sends also after RESET; all that it sent before is
 * still delivered, unless the tree itself reset the flow.  Errors of a datagram socket
 * arrive as RESET with the errno; that a datagram was too long could not be told, so none is
 * sent with DF (direct.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dial.h"

#define WINDOW_STEP	(MSG_WINDOW_INITIAL / 4)	/* how much WINDOW gives back at once */
#define CREDIT_MAX	(1u << 30)			/* a client that grants more is mad */
#define HELD_MAX	(256u << 20)			/* of all flows together */
#define WIDEN_AT	(32 * 1024)			/* half of what a Linux sender has under way at first */
#define DATAGRAMS_A_TURN 16

struct relay {
	uint32_t	 up_credit;	/* the client may send this much yet */
	uint32_t	 up_owed;	/* taken by the socket, not yet granted again */
	uint32_t	 down_credit;	/* we may send this much yet */
	uint8_t		*held;		/* for the socket: held[off .. off+len) */
	size_t		 off, len, cap;
	bool		 up_eof;	/* the client has no more */
	bool		 up_shut;	/* and the destination was told */
	bool		 down_eof;	/* the destination has no more */
	bool		 widened;	/* its receive window may grow */
	uint32_t	 down_seen;	/* bytes, until widened */
};

const struct sandbox_row relay_rows[] = {
	ALLOW_NULL(sendto, 4,	"payload of DATA frames to the connected destination"),
	ALLOW_NULL(recvfrom, 4,	"payload for DATA frames"),
	ALLOW(shutdown,		"EOF frames"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_RCVLOWAT, "let the window of a long download grow"),
	{ 0 }
};

static uint8_t	buffer[MSG_TAIL_MAX];
static size_t	held_by_all;

static bool
is_stream(const struct flow *fl)
{
	return fl->proto == IPPROTO_TCP;
}

static void
send_u32(struct flow *fl, enum msg_type type, uint32_t v)
{
	uint8_t body[4];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, v);
	chan_send(fl->client->chan, type, fl->id, body, sizeof(body), NULL, 0, -1);
}

/* The destination is lost: say so (to one that still listens), and end the flow. */
static void
broken(struct flow *fl, int err)
{
	if (!fl->leaving)
		send_u32(fl, MSG_RESET, (uint32_t)err);
	flow_free(fl, false);
}

/* Wait for what the state allows; false: the flow is gone. */
static bool
rearm(struct flow *fl)
{
	const struct relay *r = fl->relay;
	bool in = !fl->leaving && !r->down_eof && (r->down_credit > 0 || !is_stream(fl));

	if (flow_arm(fl, (in ? EPOLLIN : 0u) | (r->len > 0 ? EPOLLOUT : 0u)))
		return true;
	broken(fl, ENOMEM);
	return false;
}

bool
relay_start(struct flow *fl)
{
	fl->relay = calloc(1, sizeof(*fl->relay));
	if (fl->relay == NULL)
		return false;
	fl->relay->up_credit = fl->relay->down_credit = MSG_WINDOW_INITIAL;
	return flow_arm(fl, EPOLLIN);
}

void
relay_free(struct relay *r)
{
	if (r == NULL)
		return;
	held_by_all -= r->len;
	free(r->held);
	free(r);
}

/* ---- up: frames to the socket ---- */

static void
taken(struct flow *fl, size_t len)
{
	struct relay *r = fl->relay;

	r->up_owed += (uint32_t)len;
	if (r->up_owed < WINDOW_STEP || fl->leaving || r->up_eof)
		return;
	send_u32(fl, MSG_WINDOW, r->up_owed);
	r->up_credit += r->up_owed;
	r->up_owed = 0;
}

/* Bytes that the socket took; -1 and errno when it is broken. */
static ssize_t
push(const struct flow *fl, const uint8_t *p, size_t len)
{
	ssize_t n = send(fl->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	return n;
}

static bool
hold(struct relay *r, const uint8_t *p, size_t len)
{
	size_t cap = r->cap != 0 ? r->cap : 4096;
	uint8_t *grown;

	if (held_by_all + len > HELD_MAX)
		return false;
	if (r->off > 0) {
		memmove(r->held, r->held + r->off, r->len);
		r->off = 0;
	}
	while (cap < r->len + len)
		cap *= 2;
	if (cap != r->cap) {
		if ((grown = realloc(r->held, cap)) == NULL)
			return false;
		r->held = grown;
		r->cap = cap;
	}
	memcpy(r->held + r->len, p, len);
	r->len += len;
	held_by_all += len;
	return true;
}

/* Nothing is held any more. */
static void
hold_end(struct relay *r)
{
	free(r->held);
	r->held = NULL;
	r->off = r->cap = 0;
}

/* Pass the client's EOF on once all before it has gone; false: the flow is gone. */
static bool
shut_if_due(struct flow *fl)
{
	struct relay *r = fl->relay;

	if (r->up_eof && !r->up_shut && r->len == 0) {
		r->up_shut = true;
		if (shutdown(fl->fd, SHUT_WR) != 0 && errno != ENOTCONN) {
			broken(fl, errno);
			return false;
		}
	}
	return true;
}

static void
datagram_up(struct flow *fl, const struct frame *f)
{
	struct relay *r = fl->relay;

	if (f->len > r->up_credit)
		return;
	r->up_credit -= f->len;
	if (push(fl, f->body, f->len) == -1 && errno != EMSGSIZE && errno != ENOBUFS &&
	    errno != ENOMEM && errno != EINVAL && errno != EPERM) {
		broken(fl, errno);
		return;
	}
	taken(fl, f->len);
}

void
relay_data(struct flow *fl, const struct frame *f)
{
	struct relay *r = fl->relay;
	ssize_t n = 0;

	if (!is_stream(fl)) {
		datagram_up(fl, f);
		return;
	}
	if (r->up_eof || f->len > r->up_credit) {
		chan_fail(fl->client->chan, r->up_eof ? "DATA after EOF" : "DATA beyond its credit");
		return;
	}
	r->up_credit -= f->len;
	if (r->len == 0 && f->len > 0 && (n = push(fl, f->body, f->len)) == -1) {
		broken(fl, errno);
		return;
	}
	if ((size_t)n < f->len && !hold(r, f->body + n, f->len - (size_t)n)) {
		broken(fl, ENOBUFS);
		return;
	}
	taken(fl, (size_t)n);
	rearm(fl);
}

void
relay_eof(struct flow *fl)
{
	if (!is_stream(fl))
		return;
	if (fl->relay->up_eof) {
		chan_fail(fl->client->chan, "EOF a second time");
		return;
	}
	fl->relay->up_eof = true;
	shut_if_due(fl);
}

/* The socket has room again; false: the flow is gone. */
static bool
held_push(struct flow *fl)
{
	struct relay *r = fl->relay;
	ssize_t n = push(fl, r->held + r->off, r->len);

	if (n == -1) {
		broken(fl, errno);
		return false;
	}
	r->off += (size_t)n;
	r->len -= (size_t)n;
	held_by_all -= (size_t)n;
	if (r->len == 0)
		hold_end(r);
	taken(fl, (size_t)n);
	if (fl->leaving && r->len == 0) {
		flow_free(fl, false);
		return false;
	}
	return shut_if_due(fl) && rearm(fl);
}

/* ---- down: the socket to frames ---- */

void
relay_window(struct flow *fl, const struct frame *f)
{
	struct rd r = rd_over(f->body, f->len);
	uint32_t more = rd_le32(&r);

	if (more > CREDIT_MAX - fl->relay->down_credit) {
		chan_fail(fl->client->chan, "more credit than there can be");
		return;
	}
	fl->relay->down_credit += more;
	rearm(fl);
}

static void
down_send(struct flow *fl, size_t len)
{
	fl->relay->down_credit -= (uint32_t)len;
	chan_send(fl->client->chan, MSG_DATA, fl->id, NULL, 0, buffer, len, -1);
}

/*
 * As long as the client's credit keeps the receive queue full the kernel takes the reader for a
 * slow one and does not grow the buffer: a download at 300 ms may stay at its first 64 KiB for
 * good.  A low-water mark grows it as far as tcp_rmem allows; taken back at once, it has no
 * other effect.
 */
static void
widen(struct flow *fl, size_t len)
{
	static const int most = INT_MAX, least = 1;
	struct relay *r = fl->relay;

	r->down_seen += (uint32_t)len;
	if (r->widened || r->down_seen < WIDEN_AT)
		return;
	r->widened = true;
	(void)setsockopt(fl->fd, SOL_SOCKET, SO_RCVLOWAT, &most, sizeof(most));
	(void)setsockopt(fl->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

static void
stream_down(struct flow *fl)
{
	struct relay *r = fl->relay;
	size_t room = r->down_credit < sizeof(buffer) ? r->down_credit : sizeof(buffer);
	ssize_t n = recv(fl->fd, buffer, room, MSG_DONTWAIT);

	if (n == -1) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			broken(fl, errno);
		return;
	}
	if (n == 0) {
		r->down_eof = true;
		chan_send(fl->client->chan, MSG_EOF, fl->id, NULL, 0, NULL, 0, -1);
	} else {
		if (!r->widened)
			widen(fl, (size_t)n);
		down_send(fl, (size_t)n);
	}
	rearm(fl);
}

static void
datagrams_down(struct flow *fl)
{
	size_t sum = 0;
	ssize_t n;

	for (int i = 0; i < DATAGRAMS_A_TURN && sum < sizeof(buffer); i++, sum += (size_t)n) {
		n = recv(fl->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == -1) {
			if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
				broken(fl, errno);
			return;
		}
		if ((size_t)n <= fl->relay->down_credit)
			down_send(fl, (size_t)n);
	}
}

/* ---- events ---- */

void
relay_ready(struct flow *fl, uint32_t events)
{
	bool in = (fl->armed & EPOLLIN) != 0, out = (fl->armed & EPOLLOUT) != 0;
	int err;

	/* Only waiting to write: reading will not find the error, and it stays. */
	if (!in && (events & EPOLLERR) && (err = direct_result(fl->fd)) != 0) {
		broken(fl, err);
		return;
	}
	if (out && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && !held_push(fl))
		return;
	if (!in || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	if (is_stream(fl))
		stream_down(fl);
	else
		datagrams_down(fl);
}

void
relay_close(struct flow *fl, enum close_reason reason)
{
	if (reason == CLOSE_RESET || fl->relay->len == 0) {
		flow_free(fl, reason == CLOSE_RESET);
		return;
	}
	idmap_take(&fl->client->flows, fl->id);
	fl->leaving = true;
	fl->client->leaving++;
	rearm(fl);
}

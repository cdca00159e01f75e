/*
 * tunnel.c - payload between a client and its destination, both ways, as the kernel takes it.
 *
 * Neither side is trusted, and nothing that passes is looked at.  What one side does not take is held, at
 * most one read of the other, which is not read meanwhile: so a slow reader slows the writer.
 *
 * What must stay true: a client gets no more of its bytes to the destination than its request
 * has (body_left): behind the body of a plain HTTP request another could follow, for another host,
 * that nobody has judged.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

#define READS_A_TURN	8

const struct sandbox_row tunnel_rows[] = {
	ALLOW_NULL(sendto, 4,	"payload, to connected sockets"),
	ALLOW_NULL(recvfrom, 4,	"payload"),
	ALLOW(shutdown,		"one side has said all"),
	{ 0 }
};

static uint8_t	buffer[65536];

/* ---- out ---- */

/* As much as the socket takes; -1: it is broken. */
static ssize_t
push(const struct side *s, const uint8_t *p, size_t len)
{
	ssize_t n = send(s->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : n;
}

static bool
give(struct side *s, const uint8_t *p, size_t len)
{
	ssize_t n = s->len > 0 || s->fd == -1 ? 0 : push(s, p, len);
	uint8_t *held;

	if (n == -1)
		return false;
	if ((size_t)n == len)
		return true;
	p += n;
	len -= (size_t)n;
	if ((held = malloc(s->len + len)) == NULL)
		return false;
	if (s->len > 0)
		memcpy(held, s->held + s->off, s->len);
	memcpy(held + s->len, p, len);
	free(s->held);
	s->held = held;
	s->off = 0;
	s->len += len;
	return true;
}

static bool
held_give(struct side *s)
{
	ssize_t n = s->len > 0 ? push(s, s->held + s->off, s->len) : 0;

	if (n == -1)
		return false;
	s->off += (size_t)n;
	s->len -= (size_t)n;
	if (s->len == 0) {
		free(s->held);
		s->held = NULL;
	}
	return true;
}

bool
tunnel_say(struct client *c, const void *p, size_t len)
{
	return give(&c->side[NEAR], p, len);
}

bool
tunnel_pass(struct client *c, const void *p, size_t len)
{
	c->up += len;
	return len == 0 || give(&c->side[FAR], p, len);	/* held where there is no such side yet */
}

/* ---- in ---- */

static bool
may_read(const struct client *c, int from)
{
	return !c->side[from].eof && c->side[1 - from].len == 0 &&
	    (from == FAR || c->body_left > 0);
}

static size_t
room(const struct client *c, int from)
{
	return from == NEAR && c->body_left < sizeof(buffer) ? (size_t)c->body_left : sizeof(buffer);
}

/* -1: broken, 0: nothing more for now, 1: perhaps. */
static int
move(struct client *c, int from)
{
	struct side *s = &c->side[from], *to = &c->side[1 - from];
	ssize_t n = recv(s->fd, buffer, room(c, from), MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->eof = n == 0;
	if (n == 0)
		return 0;
	if (from == FAR)
		c->down += (uint64_t)n;
	else
		c->up += (uint64_t)n;
	if (from == NEAR && c->body_left != REQUEST_ENDLESS)
		c->body_left -= (uint64_t)n;
	return give(to, buffer, (size_t)n) ? 1 : -1;
}

/* What it said has all been passed on, and it says no more. */
static bool
shut(struct client *c, int from)
{
	struct side *to = &c->side[1 - from];

	if (!c->side[from].eof || to->shut || to->len > 0)
		return true;
	to->shut = true;
	return shutdown(to->fd, SHUT_WR) == 0 || errno == ENOTCONN;
}

static bool
pump(struct client *c)
{
	uint64_t before = c->up + c->down;
	int more = 1;

	if (!held_give(&c->side[NEAR]) || !held_give(&c->side[FAR]))
		return false;
	for (int from = NEAR; from <= FAR; from++, more = 1)
		for (int i = 0; i < READS_A_TURN && more == 1 && may_read(c, from); i++)
			if ((more = move(c, from)) == -1)
				return false;
	if (c->up + c->down != before)
		c->deadline = uv_now(&c->listener->loop) + IDLE_MS;
	if ((c->side[NEAR].eof || c->side[FAR].eof) &&
	    c->deadline > uv_now(&c->listener->loop) + HALF_MS)
		c->deadline = uv_now(&c->listener->loop) + HALF_MS;
	return shut(c, NEAR) && shut(c, FAR);
}

/*
 * Both have said all.  Of a plain request the answer's end is the end: it said "Connection: close", and
 * what the client sends behind it is nobody's.
 */
static bool
is_over(const struct client *c)
{
	return c->side[FAR].eof && c->side[NEAR].len == 0 &&
	    (!c->request.tunnel || (c->side[NEAR].eof && c->side[FAR].len == 0));
}

static void
watch_side(struct client *c, int which)
{
	struct side *s = &c->side[which];
	bool reads = c->phase == PHASE_REQUEST || c->phase == PHASE_REPLY ? which == NEAR :
	    c->phase == PHASE_FIRST ? which == NEAR && first_reads(c) :
	    c->phase == PHASE_TUNNEL && may_read(c, which);
	int want = (reads ? UV_READABLE : 0) | (s->len > 0 ? UV_WRITABLE : 0);

	if (s->fd == -1 || want == s->events)
		return;
	s->events = want;
	if (want != 0)
		uv_poll_start(&s->poll, want, listen_ready);
	else
		uv_poll_stop(&s->poll);
}

void
tunnel_watch(struct client *c)
{
	watch_side(c, NEAR);
	watch_side(c, FAR);
}

void
tunnel_start(struct client *c)
{
	c->phase = PHASE_TUNNEL;
	c->deadline = uv_now(&c->listener->loop) + IDLE_MS;
	if (!pump(c))
		listen_drop(c, CLOSE_PEER);
	else if (is_over(c))
		listen_drop(c, CLOSE_EOF);
	else
		tunnel_watch(c);
}

void
tunnel_ready(struct client *c, int which)
{
	if (!pump(c))
		listen_drop(c, which == NEAR ? CLOSE_RESET : CLOSE_PEER);
	else if (is_over(c))
		listen_drop(c, CLOSE_EOF);
	else
		tunnel_watch(c);
}

bool
tunnel_flush(struct client *c)
{
	return held_give(&c->side[NEAR]);
}

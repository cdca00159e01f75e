/*
 * relay.c - payload between the child's TCP and the host end.
 *
 * Up, a segment goes to the host from the buffer it was read into; what the host does not
 * take waits, in that very buffer where it is large, packed into small ones otherwise, and
 * shrinks the window that the child is told.  Small packets, as a TUN without offloads gives them,
 * wait for the end of the turn and go together.  Down, the host is read straight into the buffer
 * that a segment leaves from, never more than the child's window takes, so nothing waits here
 * that was not sent; it is kept until acknowledged.
 *
 * What must stay true: a byte that was acknowledged to the child reaches the host, or the child
 * gets a RST.  The memory of a flow is bounded: up by the window (twice UP_CAP_MOST, as a large
 * buffer may be half full), down by DOWN_MEM_MOST: 3.5 MiB where both readers have stopped, and
 * nothing where they keep up.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tcp.h"
#include "tun_io.h"

#define KEEP_BIG	(32 * 1024)	/* a payload of this size keeps its 64 KiB buffer */
#define PACK		(4096 - sizeof(struct seg))	/* small ones are gathered in pieces of this */
#define PACK_BURST	(32 * 1024)	/* ... and of this where all of them are small */
#define BURST		6		/* segments down in a turn, then others have theirs */
#define UP_CAP_PRESSURE	(16 * 1024)

/* ---- payload that waits ---- */

uint32_t
seg_mem(const struct seg *s)
{
	return (uint32_t)(sizeof(*s) + (s->big != NULL ? sizeof(struct buf) : s->cap));
}

/* A copy of len bytes in a piece with room for cap. */
struct seg *
seg_new(struct tcp *t, const void *data, uint32_t len, uint32_t cap)
{
	struct seg *s = malloc(sizeof(*s) + cap);

	if (s == NULL)
		return NULL;
	*s = (struct seg){ .len = len, .cap = cap };
	memcpy(s->data, data, len);
	tcp_all(t)->mem += seg_mem(s);
	return s;
}

static struct seg *
seg_new_big(struct tcp *t, struct buf *b, uint32_t off, uint32_t len)
{
	struct seg *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	*s = (struct seg){ .big = b, .off = off, .len = len };
	tcp_all(t)->mem += seg_mem(s);
	return s;
}

void
seg_free(struct tcp *t, struct seg *s)
{
	tcp_all(t)->mem -= seg_mem(s);
	if (s->big != NULL)
		buf_put(t->f.stack, s->big);
	free(s);
}

void
segs_free(struct tcp *t, struct segs *list)
{
	struct seg *s;

	while ((s = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		seg_free(t, s);
	}
}

/* ---- up ---- */

uint32_t
relay_up_room(struct tcp *t)
{
	uint32_t cap = t->up_cap;

	if (tcp_all(t)->mem > MEM_PRESSURE && cap > UP_CAP_PRESSURE)
		cap = UP_CAP_PRESSURE;
	return t->up_len < cap ? cap - t->up_len : 0;
}

/* The host keeps up: let the child send more at once. */
static void
grow(struct tcp *t)
{
	if (t->up_cap >= UP_CAP_FIRST && t->up_cap < UP_CAP_MOST &&
	    t->f.up_bytes >= 2ull * t->up_cap && STAILQ_EMPTY(&t->up))
		t->up_cap *= 2;
}

/* The host end takes no more; what it still has to say goes down before the RST. */
static void
up_fail(struct tcp *t)
{
	t->up_failed = true;
	segs_free(t, &t->up);
	t->up_len = 0;
	t->f.readable = true;
	flow_run_later(&t->f);
}

static void
up_append(struct tcp *t, struct seg *s)
{
	STAILQ_INSERT_TAIL(&t->up, s, next);
	t->up_last = s;
}

static bool
up_keep(struct tcp *t, const uint8_t *data, uint32_t len)
{
	struct seg *last = STAILQ_EMPTY(&t->up) ? NULL : t->up_last, *s;
	uint32_t off, n, pack = t->f.stack->tun.no_gso ? PACK_BURST : PACK;
	struct buf *b;

	t->up_len += len;
	if (len >= KEEP_BIG && (b = tun_take_current(t->f.stack, data, &off)) != NULL) {
		if ((s = seg_new_big(t, b, off, len)) == NULL) {
			buf_put(t->f.stack, b);
			return false;
		}
		up_append(t, s);
		return true;
	}
	if (last != NULL && last->big == NULL) {
		n = last->cap - last->off - last->len;
		n = n < len ? n : len;
		memcpy(last->data + last->off + last->len, data, n);
		last->len += n;
		data += n;
		len -= n;
	}
	if (len == 0)
		return true;
	if ((s = seg_new(t, data, len, len < pack ? pack : len)) == NULL)
		return false;
	up_append(t, s);
	return true;
}

/*
 * Without offloads a stream comes in packets of the MTU, many in a burst.  Each sent on by itself
 * would be a packet of the host's: they go together at the end of the turn.
 */
static void
up_gather(struct tcp *t)
{
	t->f.woken = true;
	flow_run_later(&t->f);
}

void
relay_up(struct tcp *t, const uint8_t *data, uint32_t len)
{
	ssize_t n = 0;
	int err;

	if (t->f.dead || t->up_failed)
		return;
	if (t->f.writable && t->f.stack->tun.no_gso) {
		up_gather(t);
	} else if (STAILQ_EMPTY(&t->up) && t->f.writable) {
		n = host_send(&t->f, data, len, &err);
		if (n == HOST_ERROR) {
			up_fail(t);
			return;
		}
		if (n > 0)
			grow(t);
	}
	if ((uint32_t)n < len && !t->f.dead && !up_keep(t, data + n, len - (uint32_t)n))
		tcp_abort(t, CLOSE_PEER);	/* it is acknowledged and cannot be kept */
}

void
relay_up_flush(struct tcp *t)
{
	uint32_t told = t->told_wnd - (t->rcv_nxt - t->told_ack), room;
	struct seg *s;
	ssize_t n;
	int err;

	while (!t->f.dead && t->f.writable && (s = STAILQ_FIRST(&t->up)) != NULL) {
		n = host_send(&t->f, seg_bytes(s), s->len, &err);
		if (n == HOST_ERROR) {
			up_fail(t);
			return;
		}
		s->off += (uint32_t)n;
		s->len -= (uint32_t)n;
		t->up_len -= (uint32_t)n;
		if (s->len > 0)
			break;
		STAILQ_REMOVE_HEAD(&t->up, next);
		seg_free(t, s);
	}
	if (t->f.dead)
		return;
	if (t->f.stack->tun.no_gso)
		grow(t);
	room = relay_up_room(t);
	if (!t->fin_in && room > told && (room - told >= t->up_cap / 4 ||
	    (told < 2u * t->mss && room >= 2u * t->mss)))
		tcp_ack_later(t, true);
}

/* ---- down ---- */

/* Copy what is short, so that the large buffer goes back while it is warm. */
static struct seg *
down_keep(struct tcp *t, struct buf *b, uint32_t len)
{
	struct seg *s;

	if (len >= KEEP_BIG / 2)
		return seg_new_big(t, b, 0, len);
	s = seg_new(t, buf_data(b), len, len);
	if (s != NULL)
		buf_put(t->f.stack, b);
	return s;
}

/* Nothing came with it: what becomes of the flow. */
static void
down_end(struct tcp *t, ssize_t n)
{
	if (n == HOST_EOF && !t->up_failed)
		t->host_eof = true;
	else if (host_was_cut(&t->f) && t->una != t->nxt)
		return;			/* the ACK that is due brings us here again */
	else if (n != HOST_AGAIN || t->up_failed)
		tcp_abort(t, CLOSE_PEER);
}

/* What one segment may hold. */
static uint32_t
down_most(const struct tcp *t, uint32_t room)
{
	uint32_t most = tcp_seg_max(t);

	/* Without GSO a large read is cut up when it leaves; it is still one piece here. */
	if (most == t->mss)
		most = (UINT16_MAX / t->mss) * t->mss;
	return room < most ? room : most;
}

/*
 * Where the end of file has been announced it is looked for at once (*after), so that a short
 * answer and its FIN are one packet for the child.
 */
static ssize_t
down_read(struct tcp *t, uint8_t *data, uint32_t most, ssize_t *after)
{
	int err;
	ssize_t n = host_recv(&t->f, data, most, &err);

	*after = HOST_AGAIN;
	if (n <= 0 || (uint32_t)n == most || !t->f.host_rdhup || t->up_failed)
		return n;
	*after = host_recv(&t->f, data + n, most - (uint32_t)n, &err);
	return *after > 0 ? n + *after : n;
}

/* One segment.  false: nothing more for now. */
static bool
down_one(struct tcp *t, uint32_t room)
{
	struct stack *s = t->f.stack;
	struct buf *b = buf_get(s);
	struct seg *seg;
	ssize_t n, after;

	if (b == NULL)
		return false;
	n = down_read(t, buf_data(b), down_most(t, room), &after);
	if (n <= 0 || (seg = down_keep(t, b, (uint32_t)n)) == NULL) {
		buf_put(s, b);
		down_end(t, n > 0 ? HOST_ERROR : n);
		return false;
	}
	t->down_mem += seg_mem(seg);
	if (after == HOST_EOF)
		t->host_eof = true;
	tcp_send_seg(t, seg);
	if (after == HOST_ERROR)
		down_end(t, after);
	return true;
}

void
relay_down(struct tcp *t)
{
	uint32_t room;

	for (int i = 0; t->f.readable && !t->host_eof && !t->f.dead; i++) {
		if (t->state != TS_ESTABLISHED && t->state != TS_CLOSE_WAIT)
			return;
		if ((room = tcp_room(t)) == 0) {
			if (t->rto_at == 0)
				tcp_rto_start(t);	/* persist */
			return;
		}
		if (i == BURST) {
			flow_run_later(&t->f);
			return;
		}
		if (!down_one(t, room))
			return;
	}
	if (t->up_failed && !t->f.dead)
		tcp_abort(t, CLOSE_PEER);	/* nothing left to read before the RST */
}

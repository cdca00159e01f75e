/*
 * wire.c - see wire.h.
 *
 * The dialler tells of each socket when it begins to connect, so a packet may be here before it
 * is known to be of this run: all wait for HOLD_NS, in order, and are then written or forgotten.
 * Nothing of anybody else's is written: addresses and ports of both ends must be those of a
 * socket of the run, which counts for GRACE_NS after its end, for the last packets of it.  For so long
 * the kernel gives a TCP port to nobody else towards the same destination (TIME_WAIT).
 *
 * With more waiting than HELD_BYTES the oldest are decided early.  Whether what is forgotten then
 * was the run's nobody can tell, so it is not counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "known.h"
#include "log.h"

#define HOLD_NS		500000000u
#define GRACE_NS	30000000000u
#define HELD_BYTES	(16u << 20)

struct held {
	TAILQ_ENTRY(held) next;
	uint64_t	 until;
	struct captured	 packet;
	uint8_t		 data[];
};

static struct {
	struct chan	*chan;
	struct capture	*capture;
	struct known_table *sockets;
	size_t		 head;
	size_t		 bytes;
	TAILQ_HEAD(held_list, held) held;
} wire;

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- sockets ---- */

static void
on_tuple(struct chan *chan, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_flow flow = { .state = FLOW_IS_OPEN };
	struct msg_tuple m;
	uint64_t id = f->flow * 2;

	(void)fd;
	if (!msg_tuple_get(&r, &m)) {
		chan_fail(chan, "bad TUPLE");
		return;
	}
	id += (m.flags & TUPLE_OF_DNS) != 0;
	if ((m.flags & TUPLE_ENDED) != 0) {
		known_end(wire.sockets, id, now_ns() + GRACE_NS);
		return;
	}
	flow.proto = m.proto;
	flow.src = m.local;
	flow.dst = m.remote;
	known_tell(wire.sockets, id, &flow, "", 0);
}

static const struct chan_handler handlers[] = {
	{ MSG_TUPLE, on_tuple },
	{ 0, NULL }
};

void
wire_open(int fd, size_t head, struct capture *c)
{
	TAILQ_INIT(&wire.held);
	wire.capture = c;
	wire.head = head;
	wire.sockets = known_new();
	wire.chan = chan_new(fd, fd, R_CAPTURE, R_DIAL, NULL);
	if (wire.sockets == NULL || wire.chan == NULL)
		fatal("cannot use the channel to %s", role_name(R_DIAL));
	chan_handlers(wire.chan, handlers);
}

void
wire_hello(void)
{
	chan_hello(wire.chan, 0);
	(void)chan_flush(wire.chan);
}

int
wire_fd(void)
{
	return chan_rfd(wire.chan);
}

bool
wire_read(void)
{
	int rc = chan_drain(wire.chan);

	if (rc < 0)
		log_warnx("%s sent garbage: %s", role_name(R_DIAL), chan_why(wire.chan));
	return rc > 0;
}

/* ---- packets ---- */

/* Which way does it go, if it is of the run?  0: it is not. */
static uint32_t
direction_of(const struct captured *p)
{
	struct tuple t;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see through TAILQ_REMOVE */
	if (p->len <= wire.head)
		return 0;
	for (uint32_t outward = 0; outward < 2; outward++)
		if (tuple_of(p->data + wire.head, p->len - wire.head, outward == 1, &t) &&
		    known_find(wire.sockets, &t) != NULL)
			return 1 + outward;
	return 0;
}

static bool
write_if_ours(struct captured *p)
{
	if ((p->direction = direction_of(p)) == 0)
		return false;
	capture_packet(wire.capture, p);
	return true;
}

static void
head_take(struct held *h)
{
	TAILQ_REMOVE(&wire.held, h, next);
	wire.bytes -= h->packet.len;
	free(h);
}

void
wire_turn(bool all)
{
	uint64_t now = now_ns();
	struct held *h;

	known_expire(wire.sockets, now);
	while ((h = TAILQ_FIRST(&wire.held)) != NULL &&
	    (write_if_ours(&h->packet) || all || h->until <= now || wire.bytes > HELD_BYTES))
		head_take(h);
}

void
wire_packet(const struct captured *p)
{
	struct held *h = malloc(offsetof(struct held, data) + p->len);

	if (h == NULL)
		return;
	h->until = now_ns() + HOLD_NS;
	h->packet = *p;
	h->packet.data = memcpy(h->data, p->data, p->len);
	TAILQ_INSERT_TAIL(&wire.held, h, next);
	wire.bytes += p->len;
	if (wire.bytes > HELD_BYTES)
		wire_turn(false);
}

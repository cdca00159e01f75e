/*
 * first.c - a client whose flow owes its first flight (cf-protocol(7)).
 *
 *   OPENED_FIRST ─> what the client says ═ FIRST ══> policy stage: TLS server name, HTTP Host
 *                   GO_MORE: what it says next      ═ GO, with the descriptor ─> TUNNEL
 *                                                   ═ RESET: refused
 *
 * What must stay true: one FIRST is under way at a time; what it gave is written by the policy stage, and
 * what comes behind it by us.  There is no destination here before GO.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "listen.h"

#define PIECE	16384

static uint8_t	buffer[PIECE];

static void
say(struct client *c, uint32_t flags, const void *p, size_t len)
{
	uint8_t body[MSG_FIRST_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_first_put(&w, &(struct msg_first){ .flags = flags });
	chan_send(c->listener->policy, MSG_FIRST, c->flow, body, sizeof(body), p, len, -1);
	c->first_out = true;
}

/* What waits for the destination is held on that side, where tunnel.c will find the rest. */
static void
held_say(struct client *c)
{
	struct side *s = &c->side[FAR];
	size_t n = s->len < PIECE ? s->len : PIECE;

	say(c, 0, s->held + s->off, n);
	s->off += n;
	s->len -= n;
	if (s->len == 0) {
		free(s->held);
		s->held = NULL;
	}
}

bool
first_reads(const struct client *c)
{
	return !c->first_out && c->side[FAR].len == 0 && !c->side[NEAR].eof && c->body_left > 0;
}

/* Nothing is under way: say what there is. */
static void
go_on(struct client *c)
{
	if (!c->first_out && c->side[FAR].len > 0)
		held_say(c);
	tunnel_watch(c);
}

void
first_begin(struct client *c)
{
	c->phase = PHASE_FIRST;
	c->deadline = uv_now(&c->listener->loop) + IDLE_MS;
	go_on(c);
}

/* The client has something to say. */
void
first_ready(struct client *c)
{
	size_t room = c->body_left < PIECE ? (size_t)c->body_left : PIECE;
	ssize_t n = first_reads(c) ? recv(c->side[NEAR].fd, buffer, room, MSG_DONTWAIT) : -1;

	if (n == -1 && first_reads(c) && errno != EAGAIN && errno != EINTR) {
		listen_drop(c, CLOSE_RESET);
		return;
	}
	if (n == 0) {
		c->side[NEAR].eof = true;
		say(c, FIRST_END, NULL, 0);
	} else if (n > 0) {
		c->up += (uint64_t)n;
		if (c->body_left != REQUEST_ENDLESS)
			c->body_left -= (uint64_t)n;
		say(c, 0, buffer, (size_t)n);
	}
	tunnel_watch(c);
}

void
first_on_go(struct client *c, uint32_t flags)
{
	if ((flags & GO_ASK) != 0 && c->first_out)
		return;			/* what is under way answers it */
	c->first_out = false;
	if ((flags & GO_ASK) != 0 && c->side[FAR].len == 0)
		say(c, 0, NULL, 0);
	go_on(c);
}

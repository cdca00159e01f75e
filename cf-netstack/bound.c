/*
 * bound.c - see bound.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bound.h"

#include "log.h"
#include "stack.h"

static void
say_once(struct bound *b, enum limit which)
{
	if (!b->said)
		log_warnx("limit reached: %s (%zu); %s (said once)", limit_text(which), b->most,
		    limit_then(which));
	b->said = true;
}

/* A dialler in the policy stage's place has no record, and is not asked to know LIMIT. */
static void
tell(struct stack *s, enum limit which, uint64_t times)
{
	struct bound *b = &s->bounds[which];
	uint8_t body[MSG_LIMIT_LEN];
	struct wr w = wr_over(body, sizeof(body));

	if (s->proxy == NULL || chan_peer(s->proxy) != R_PROXY) {
		say_once(b, which);
		return;
	}
	msg_limit_put(&w, &(struct msg_limit){ .which = which, .most = (uint32_t)b->most,
	    .times = times });
	chan_send(s->proxy, MSG_LIMIT, 0, body, sizeof(body), NULL, 0, -1);
}

void
bound_reached(struct stack *s, enum limit which, size_t most)
{
	struct bound *b = &s->bounds[which];
	uint64_t times;

	b->most = most;
	if ((times = limit_count(&b->count, s->now, 1)) > 0)
		tell(s, which, times);
}

void
bounds_end(struct stack *s)
{
	uint64_t times;

	for (int i = LIMIT_FLOWS; i < LIMIT_COUNT; i++)
		if ((times = limit_rest(&s->bounds[i].count)) > 0)
			tell(s, (enum limit)i, times);
}

/*
 * counts.c - see counts.h.
 *
 * Somebody looks at the run (a monitor), and the end of a flow is too late for a rate.  A run
 * that nobody looks at has no timer for it.  Where more flows are busy than are told of at a
 * time, those that were told go to the end of the table, so each has its turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "counts.h"

#include "chan.h"
#include "host.h"

static void
tell(struct flow *f)
{
	uint8_t body[MSG_COUNTS_LEN];
	struct wr w = wr_over(body, sizeof(body));

	f->told_bytes = f->up_bytes + f->down_bytes;
	msg_counts_put(&w, &(struct msg_counts){ .up_bytes = f->up_bytes,
	    .down_bytes = f->down_bytes });
	chan_send(f->stack->proxy, MSG_COUNTS, f->id, body, sizeof(body), NULL, 0, -1);
}

static void
on_time(struct stack *s, struct timer *t)
{
	struct flow_list *all = &s->flows.all;
	struct flow *f, *next, *last = TAILQ_LAST(all, flow_list);
	int told = 0;

	timer_set(s, t, s->counts_every, on_time);
	if (s->proxy == NULL || chan_peer(s->proxy) != R_PROXY ||
	    chan_backlog(s->proxy) > HOST_BACKLOG_MAX / 2)
		return;
	for (f = TAILQ_FIRST(all); f != NULL && told < COUNTS_A_TURN; f = f == last ? NULL : next) {
		next = TAILQ_NEXT(f, in_all);
		if (!f->asked || !f->is_open || f->up_bytes + f->down_bytes == f->told_bytes)
			continue;
		tell(f);
		told++;
		TAILQ_REMOVE(all, f, in_all);
		TAILQ_INSERT_TAIL(all, f, in_all);
	}
}

void
counts_start(struct stack *s, uint64_t every_ms)
{
	s->counts_every = every_ms;
	if (every_ms > 0)
		timer_set(s, &s->counts, every_ms, on_time);
}

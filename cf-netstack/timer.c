/*
 * timer.c - deadlines in a binary heap, earliest first.
 *
 * Pure.  The caller says what time it is (stack->now) and sleeps until what timers_run()
 * returns; nothing here wakes anybody, so a stack without deadlines sleeps for good.
 * Setting and stopping is O(log n), and callers that can wait set a timer once and look
 * at its meaning when it fires (tcp_timer.c), so most packets do not come here at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "stack.h"

static void
place(struct timers *ts, size_t i, struct timer *t)
{
	ts->heap[i] = t;
	t->slot = i + 1;
}

static void
sift_up(struct timers *ts, size_t i, struct timer *t)
{
	for (; i > 0 && ts->heap[(i - 1) / 2]->at > t->at; i = (i - 1) / 2)
		place(ts, i, ts->heap[(i - 1) / 2]);
	place(ts, i, t);
}

static void
sift_down(struct timers *ts, size_t i, struct timer *t)
{
	size_t child;

	for (; (child = 2 * i + 1) < ts->n; i = child) {
		if (child + 1 < ts->n && ts->heap[child + 1]->at < ts->heap[child]->at)
			child++;
		if (ts->heap[child]->at >= t->at)
			break;
		place(ts, i, ts->heap[child]);
	}
	place(ts, i, t);
}

static bool
room(struct timers *ts)
{
	size_t cap = ts->cap == 0 ? 64 : ts->cap * 2;
	struct timer **p;

	if (ts->n < ts->cap)
		return true;
	if ((p = realloc(ts->heap, cap * sizeof(struct timer *))) == NULL)
		return false;
	ts->heap = p;
	ts->cap = cap;
	return true;
}

void
timer_stop(struct stack *s, struct timer *t)
{
	struct timers *ts = &s->timers;
	size_t i = t->slot - 1;
	struct timer *last;

	if (t->slot == 0)
		return;
	t->slot = 0;
	last = ts->heap[--ts->n];
	if (last == t)
		return;
	if (i > 0 && ts->heap[(i - 1) / 2]->at > last->at)
		sift_up(ts, i, last);
	else
		sift_down(ts, i, last);
}

/* Without memory for a slot the timer is lost; a flow without its timer still ends with its ends. */
void
timer_set(struct stack *s, struct timer *t, uint64_t ms,
    void (*fn)(struct stack *, struct timer *))
{
	timer_stop(s, t);
	if (!room(&s->timers))
		return;
	t->at = s->now + ms;
	t->fn = fn;
	sift_up(&s->timers, s->timers.n++, t);
}

int64_t
timers_run(struct stack *s)
{
	struct timers *ts = &s->timers;
	struct timer *t;

	while (ts->n > 0 && (t = ts->heap[0])->at <= s->now) {
		timer_stop(s, t);
		t->fn(s, t);
	}
	return ts->n == 0 ? -1 : (int64_t)(ts->heap[0]->at - s->now);
}

void
timers_done(struct timers *ts)
{
	free(ts->heap);
	*ts = (struct timers){ 0 };
}

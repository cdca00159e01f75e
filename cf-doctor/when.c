/*
 * when.c - what happened at what time: slices of time, and the flows with the most bytes.
 *
 * There are always SLICES slices.  Where something is later than all of them, two become one
 * until it is not; where something is earlier than the first, which happens where several
 * programs write, it counts there.  Times are what the log says and may be anything.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "summary.h"

#define FIRST_SLICE_MS	50

static void
slice_add(struct slice *to, const struct slice *from)
{
	to->flows += from->flows;
	to->denied += from->denied;
	to->up += from->up;
	to->down += from->down;
}

static void
slices_halve(struct tally *t)
{
	for (size_t i = 0; i < SLICES / 2; i++) {
		struct slice both = t->slice[2 * i];

		slice_add(&both, &t->slice[2 * i + 1]);
		t->slice[i] = both;
	}
	memset(t->slice + SLICES / 2, 0, SLICES / 2 * sizeof(t->slice[0]));
	t->slice_ms *= 2;
}

static struct slice *
slice_at(struct tally *t, int64_t ms)
{
	if (t->slice_ms == 0) {
		t->slice_start = ms;
		t->slice_ms = FIRST_SLICE_MS;
	}
	if (ms < t->slice_start)
		return &t->slice[0];
	while ((ms - t->slice_start) / t->slice_ms >= SLICES)
		slices_halve(t);
	return &t->slice[(ms - t->slice_start) / t->slice_ms];
}

void
when_note(struct tally *t, int64_t ms)
{
	if (!t->timed || ms < t->first_ms)
		t->first_ms = ms;
	if (!t->timed || ms > t->last_ms)
		t->last_ms = ms;
	t->timed = true;
	slice_at(t, ms);
}

void
when_denied(struct tally *t, int64_t ms)
{
	slice_at(t, ms)->denied++;
}

/* ---- the largest flows ---- */

static uint64_t
bytes(const struct flow *f)
{
	return f->up + f->down < f->up ? UINT64_MAX : f->up + f->down;
}

static void
swap(struct flow *a, struct flow *b)
{
	struct flow c = *a;

	*a = *b;
	*b = c;
}

static void
sift_down(struct flow *heap, size_t n)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && bytes(&heap[child + 1]) < bytes(&heap[child]))
			child++;
		if (bytes(&heap[at]) <= bytes(&heap[child]))
			return;
		swap(&heap[at], &heap[child]);
		at = child;
	}
}

static void
sift_up(struct flow *heap, size_t at)
{
	for (; at > 0 && bytes(&heap[at]) < bytes(&heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

static void
flow_leave_out(struct tally *t, const struct flow *f)
{
	t->n_other_flows++;
	t->other_flows.up += f->up;
	t->other_flows.down += f->down;
}

void
when_flow(struct tally *t, const struct flow *f)
{
	struct slice *s = slice_at(t, f->end);

	slice_add(s, &(struct slice){ .flows = 1, .up = f->up, .down = f->down });
	if (t->nflows < FLOWS_MAX) {
		t->flow[t->nflows] = *f;
		sift_up(t->flow, t->nflows++);
	} else if (bytes(f) > bytes(&t->flow[0])) {
		flow_leave_out(t, &t->flow[0]);
		t->flow[0] = *f;
		sift_down(t->flow, t->nflows);
	} else {
		flow_leave_out(t, f);
	}
}

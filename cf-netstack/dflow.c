/*
 * dflow.c - see dflow.h.
 *
 *   dflow_start --> asked (no reply yet) -- dflow_replied --> talking
 *                     |                                         |
 *                     '-- idle_ms without a datagram; ----------'--> flow_end
 *                         or the oldest when there are too many: of `asked` first
 *
 * SPDX-License-Identifier: MIT
 */
#include "dflow.h"

#include <stdlib.h>

#include "bound.h"

#define SEND_ATTEMPTS	4

struct dflows {
	struct dflow_list asked, talking;	/* the one that was silent for longest first */
	size_t		 n, n_opening;
};

static struct dflows *
dflows_of(struct stack *s)
{
	struct dflows *all = s->dflows;

	if (all == NULL && (all = calloc(1, sizeof(*all))) != NULL) {
		TAILQ_INIT(&all->asked);
		TAILQ_INIT(&all->talking);
		s->dflows = all;
	}
	return all;
}

static struct dflow_list *
list_of(struct dflow *d)
{
	struct dflows *all = d->f.stack->dflows;

	return d->replied ? &all->talking : &all->asked;
}

/* The other half of the table is for connections, which nothing can drive out. */
static void
make_room(struct stack *s, struct dflows *all)
{
	size_t most = s->flows.max / 2;
	struct dflow *d = TAILQ_FIRST(&all->asked);

	if (all->n < most)
		return;
	bound_reached(s, LIMIT_DATAGRAM_FLOWS, most);
	if (d == NULL)
		d = TAILQ_FIRST(&all->talking);
	if (d != NULL)
		flow_end(&d->f, CLOSE_IDLE);
}

static void
on_idle(struct stack *s, struct timer *t)
{
	struct dflow *d = (void *)((char *)t - offsetof(struct flow, timer));
	uint64_t idle = s->now - d->last;

	if (idle < d->idle_ms)
		timer_set(s, t, d->idle_ms - idle, on_idle);
	else
		flow_end(&d->f, CLOSE_IDLE);
}

struct dflow *
dflow_start(struct stack *s, const struct flow_kind *kind, const struct pkt *p,
    const struct addr *dst, uint64_t idle_ms)
{
	struct dflows *all = dflows_of(s);
	struct dflow *d;

	if (all == NULL)
		return NULL;
	if (all->n_opening >= DFLOWS_OPENING) {
		bound_reached(s, LIMIT_DATAGRAM_OPENING, DFLOWS_OPENING);
		return NULL;
	}
	make_room(s, all);
	if ((d = dflow_of(flow_new(s, kind, p->proto, &p->src, dst))) == NULL)
		return NULL;
	d->last = s->now;
	d->idle_ms = idle_ms;
	d->opening = true;
	all->n++;
	all->n_opening++;
	TAILQ_INSERT_TAIL(&all->asked, d, in_age);
	timer_set(s, &d->f.timer, idle_ms, on_idle);
	if (flow_open(&d->f, p))
		return d;
	flow_end(&d->f, CLOSE_CANCEL);
	return NULL;
}

void
dflow_answered(struct dflow *d)
{
	struct dflows *all = d->f.stack->dflows;

	if (d->opening)
		all->n_opening--;
	d->opening = false;
}

/* To the young end of its list, once a turn at most. */
static void
touch(struct dflow *d)
{
	if (d->last == d->f.stack->now || d->f.dead)
		return;
	d->last = d->f.stack->now;
	TAILQ_REMOVE(list_of(d), d, in_age);
	TAILQ_INSERT_TAIL(list_of(d), d, in_age);
}

void
dflow_sent(struct dflow *d)
{
	touch(d);
}

/*
 * The kernel queues an ICMP error first and sets the socket's error after that, so a send may
 * report one whose record was read already: an empty queue does not mean that the error
 * is this datagram's.  One that is comes again.
 */
int
dflow_send(struct dflow *d, const uint8_t *data, size_t len, dsock_error_fn fn)
{
	int err = 0;

	for (int attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
		if (host_send(&d->f, data, len, &err) != HOST_ERROR)
			return 0;
		if (host_fd(&d->f) < 0)
			break;
		(void)dsock_errors(&d->f, fn);
	}
	return err;
}

void
dflow_replied(struct dflow *d, uint64_t idle_ms)
{
	touch(d);
	if (d->replied || d->f.dead)
		return;
	TAILQ_REMOVE(list_of(d), d, in_age);
	d->replied = true;
	d->idle_ms = idle_ms;
	TAILQ_INSERT_TAIL(list_of(d), d, in_age);
}

void
dflow_idle(struct dflow *d, uint64_t idle_ms)
{
	d->idle_ms = idle_ms;
	timer_set(d->f.stack, &d->f.timer, idle_ms, on_idle);
}

void
dflow_done(struct dflow *d)
{
	struct dflows *all = d->f.stack->dflows;

	dflow_answered(d);
	pending_done(&d->pending);
	TAILQ_REMOVE(list_of(d), d, in_age);
	all->n--;
}

void
dflows_done(struct stack *s)
{
	free(s->dflows);
	s->dflows = NULL;
}

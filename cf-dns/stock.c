/*
 * stock.c - see stock.h.
 *
 * What must stay true: a port is in exactly one of coming, fresh, used and no stock, and a
 * stock has at most STOCK_MAX.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stock.h"

#include <assert.h>

_Static_assert((STOCK_MAX & (STOCK_MAX - 1)) == 0, "a remainder would favour the first");

void
stock_init(struct stock *s, const struct addr *server)
{
	*s = (struct stock){ .server = *server, .budget = STOCK_A_TICK };
	TAILQ_INIT(&s->coming);
	TAILQ_INIT(&s->fresh);
}

size_t
stock_size(const struct stock *s)
{
	return s->ncoming + s->nfresh + s->nused;
}

/* The first that nobody has used, one that is there before one that is not. */
static struct port *
new_first(const struct stock *s)
{
	struct port *p = TAILQ_FIRST(&s->fresh);

	return p != NULL ? p : TAILQ_FIRST(&s->coming);
}

static void
unlink_new(struct port *p)
{
	struct stock *s = p->stock;

	if (p->state == PORT_FRESH) {
		TAILQ_REMOVE(&s->fresh, p, link);
		s->nfresh--;
	} else {
		TAILQ_REMOVE(&s->coming, p, link);
		s->ncoming--;
	}
}

struct port *
stock_take(struct stock *s, uint16_t random, uint64_t now)
{
	struct port *p = new_first(s);

	if (p != NULL) {
		unlink_new(p);
		p->state = PORT_USED;
		s->used[s->nused++] = p;
	} else if (s->nused < STOCK_MAX) {
		return NULL;
	} else {
		p = s->used[random % STOCK_MAX];
	}
	s->last = now;
	if (s->takes < STOCK_AHEAD)
		s->takes++;
	if (++p->uses == STOCK_USES)
		stock_drop(p);
	return p;
}

/* One query is no reason for many ports: as many ahead as there were queries. */
size_t
stock_refill(struct stock *s)
{
	size_t have = s->ncoming + s->nfresh, want;

	if (have > s->takes / 2)
		return 0;
	want = s->takes - have;
	if (want > s->budget)
		want = s->budget;
	s->budget -= (unsigned)want;
	return want;
}

struct port *
stock_excess(const struct stock *s)
{
	if (stock_size(s) < STOCK_MAX)
		return NULL;
	return s->nused > 0 ? s->used[0] : new_first(s);
}

void
stock_add(struct stock *s, struct port *p)
{
	assert(stock_size(s) < STOCK_MAX);
	*p = (struct port){ .stock = s, .state = PORT_COMING };
	TAILQ_INSERT_TAIL(&s->coming, p, link);
	s->ncoming++;
}

void
stock_ready(struct port *p)
{
	struct stock *s = p->stock;

	if (s == NULL || p->state != PORT_COMING)
		return;
	unlink_new(p);
	p->state = PORT_FRESH;
	TAILQ_INSERT_TAIL(&s->fresh, p, link);
	s->nfresh++;
}

static void
unlink_used(struct port *p)
{
	struct stock *s = p->stock;
	size_t at = 0;

	while (s->used[at] != p)
		at++;
	for (s->nused--; at < s->nused; at++)
		s->used[at] = s->used[at + 1];
}

void
stock_drop(struct port *p)
{
	if (p->stock == NULL)
		return;
	if (p->state == PORT_USED)
		unlink_used(p);
	else
		unlink_new(p);
	p->stock = NULL;
}

struct port *
stock_any(const struct stock *s)
{
	return s->nused > 0 ? s->used[0] : new_first(s);
}

bool
stock_tick(struct stock *s, uint64_t now)
{
	s->budget = STOCK_A_TICK;
	if (now - s->last < STOCK_IDLE_MS)
		return false;
	s->takes = 0;
	return true;
}

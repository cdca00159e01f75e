/*
 * servers.c - see servers.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "servers.h"

#include <stdlib.h>

struct servers *
servers_new(const struct addr *addrs, size_t n)
{
	struct servers *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->refs = 1;
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->at[i].addr = addrs[i];
	return s;
}

struct servers *
servers_hold(struct servers *s)
{
	s->refs++;
	return s;
}

void
servers_drop(struct servers *s)
{
	if (s != NULL && --s->refs == 0)
		free(s);
}

bool
servers_have(const struct servers *s, const struct addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (addr_equal(&s->at[i].addr, a))
			return true;
	return false;
}

static uint64_t
down_for(const struct server *s)
{
	uint64_t ms = DOWN_MIN_MS;

	for (unsigned i = 1; i < s->times && ms < DOWN_MAX_MS; i++)
		ms *= 2;
	return ms < DOWN_MAX_MS ? ms : DOWN_MAX_MS;
}

/* Is it to be asked last?  The one query that is let through moves the time on. */
static bool
is_down(struct server *s, uint64_t now)
{
	if (s->times == 0)
		return false;
	if (now < s->until)
		return true;
	s->until = now + down_for(s);
	return false;
}

void
servers_order(struct servers *s, uint64_t now, uint8_t order[RESOLVERS_MAX])
{
	uint8_t down[RESOLVERS_MAX];
	size_t n = 0, ndown = 0;

	for (size_t i = 0; i < s->n; i++)
		if (is_down(&s->at[i], now))
			down[ndown++] = (uint8_t)i;
		else
			order[n++] = (uint8_t)i;
	for (size_t i = 0; i < ndown; i++)
		order[n++] = down[i];
}

bool
servers_failed(struct servers *s, size_t i, uint64_t asked, uint64_t now)
{
	struct server *at = &s->at[i];

	if (at->answered >= asked || (at->times > 0 && asked <= at->failed))
		return false;
	at->times++;
	at->failed = now;
	at->until = now + down_for(at);
	return true;
}

bool
servers_answered(struct servers *s, size_t i, uint64_t now)
{
	struct server *at = &s->at[i];
	bool was = at->times > 0;

	at->times = 0;
	at->answered = now;
	return was;
}

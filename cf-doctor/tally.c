/*
 * tally.c - the tables that events are counted in, and bytes to lines; see summary.h.  Pure.
 *
 * What an event counts for is in count.c.  The lines come from several programs through one pipe;
 * each is one write of at most EVENT_LINE_MAX bytes, so lines are whole unless a writer was
 * killed or is not ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "summary.h"

const struct tally_size tally_small = {
	.names = NAMES_MAX, .targets = TARGETS_MAX, .ips = IPS_MAX, .list = LIST_MAX,
	.talks = 256, .line = EVENT_LINE_MAX, .shown = 3
};
const struct tally_size tally_large = {
	.names = 32768, .targets = 32768, .ips = 65536, .list = 4096, .talks = 16384,
	.line = 1 << 20, .shown = 10
};

/* ---- what loses its number loses what was counted under it ---- */

static void
names_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->name[i] = (struct name){ 0 };
}

static void
targets_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->target[i] = (struct target){ .ip = -1, .next = -1 };
}

static void
name_ips_forget(struct name *n, const bool *gone)
{
	size_t left = 0;

	for (size_t i = 0; i < n->nips; i++)
		if (!gone[n->ip[i]])
			n->ip[left++] = n->ip[i];
	n->more_ips = n->more_ips || left < n->nips;
	n->nips = (uint8_t)left;
}

static void
ips_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->ip[i] = (struct ip){ .first = -1 };
	for (size_t i = 0; i < t->name_keys.n; i++)
		name_ips_forget(&t->name[i], k->gone);
	for (size_t i = 0; i < t->target_keys.n; i++)
		if (t->target[i].ip >= 0 && k->gone[t->target[i].ip])
			t->target[i].ip = -1;
}

static void
talks_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->talk[i] = (struct talk){ 0 };
}

static void
ip_domains_forget(struct ip *ip, const bool *gone)
{
	uint8_t left = 0;

	for (size_t i = 0; i < ip->ndomains; i++)
		if (!gone[ip->domain[i]]) {
			ip->domain[left] = ip->domain[i];
			ip->count[left++] = ip->count[i];
		}
	ip->ndomains = left;
}

static void
list_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;
	size_t list = (size_t)(k - t->list_keys);

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->list[list][i] = 0;
	for (size_t i = 0; list == LIST_DOMAINS && i < t->ip_keys.n; i++)
		ip_domains_forget(&t->ip[i], k->gone);
}

static void
quotas_dropped(void *tally, const struct keys *k)
{
	struct tally *t = tally;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			t->quota[i] = (struct quota){ 0 };
}

/* ---- the life of a tally ---- */

static bool
keys_make(struct tally *t, struct keys *k, size_t max, void (*dropped)(void *, const struct keys *))
{
	if (!keys_init(k, max))
		return false;
	k->owner = t;
	k->on_drop = dropped;
	return true;
}

static bool
tables_make(struct tally *t, const struct tally_size *size)
{
	bool ok = keys_make(t, &t->name_keys, size->names, names_dropped) &&
	    keys_make(t, &t->target_keys, size->targets, targets_dropped) &&
	    keys_make(t, &t->ip_keys, size->ips, ips_dropped) &&
	    keys_make(t, &t->talk_keys, size->talks, talks_dropped) &&
	    keys_make(t, &t->limit_keys, LIMITS_MAX, NULL) &&
	    keys_make(t, &t->quota_keys, QUOTAS_TOLD, quotas_dropped);

	t->line = malloc(size->line + 1);
	t->name = calloc(size->names, sizeof(*t->name));
	t->target = calloc(size->targets, sizeof(*t->target));
	t->ip = calloc(size->ips, sizeof(*t->ip));
	t->talk = calloc(size->talks, sizeof(*t->talk));
	t->flow = calloc(FLOWS_MAX, sizeof(*t->flow));
	for (int i = 0; i < LIST_COUNT; i++) {
		t->list[i] = calloc(size->list, sizeof(*t->list[i]));
		ok = ok && t->list[i] != NULL &&
		    keys_make(t, &t->list_keys[i], size->list, list_dropped);
	}
	return ok && t->line != NULL && t->name != NULL && t->target != NULL && t->ip != NULL &&
	    t->talk != NULL && t->flow != NULL;
}

struct tally *
tally_new(const struct tally_size *size)
{
	struct tally *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->size = size;
	if (!tables_make(t, size)) {
		tally_free(t);
		return NULL;
	}
	for (size_t i = 0; i < size->targets; i++)
		t->target[i].ip = t->target[i].next = -1;
	for (size_t i = 0; i < size->ips; i++)
		t->ip[i].first = -1;
	return t;
}

void
tally_watch(struct tally *t, void (*watch)(void *, enum event_kind, struct evline *), void *watcher)
{
	t->watch = watch;
	t->watcher = watcher;
}

void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	keys_done(&t->name_keys);
	keys_done(&t->target_keys);
	keys_done(&t->ip_keys);
	keys_done(&t->talk_keys);
	keys_done(&t->limit_keys);
	keys_done(&t->quota_keys);
	for (int i = 0; i < LIST_COUNT; i++) {
		keys_done(&t->list_keys[i]);
		free(t->list[i]);
	}
	free(t->line);
	free(t->name);
	free(t->target);
	free(t->ip);
	free(t->talk);
	free(t->flow);
	free(t);
}

/* ---- lines ---- */

/* NULL, or why it is no event. */
static const char *
line_take(struct tally *t)
{
	struct evline e;
	const char *why = evline_parse(&e, t->line, t->len), *name;

	if (why != NULL)
		return why;
	if ((name = evline_text(&e, F_EVENT)) == NULL)
		return "it has no \"event\"";
	count_event(t, &e, name);
	return NULL;
}

/* A line, or a part of one, has ended: what was gathered is all there is of it. */
static bool
line_end(struct tally *t, bool last)
{
	const char *why = t->skipping ? "it is too long" : NULL;

	t->number++;
	if (why == NULL)
		why = line_take(t);
	if (why != NULL && last)
		t->cut_short = true;
	if (why != NULL && t->skipping)
		t->too_long++;
	else if (why != NULL)
		t->malformed++;
	if (why != NULL && t->bad_line == 0 && !last) {
		t->bad_line = t->number;
		t->bad_why = why;
	}
	t->len = 0;
	t->skipping = false;
	return why == NULL || !t->size->strict;
}

bool
tally_feed(struct tally *t, const char *bytes, size_t len)
{
	const char *nl;
	size_t part;

	while (len > 0) {
		nl = memchr(bytes, '\n', len);
		part = nl != NULL ? (size_t)(nl - bytes) : len;
		if (part > t->size->line - t->len)
			t->skipping = true;
		if (!t->skipping) {
			memcpy(t->line + t->len, bytes, part);
			t->len += part;
		}
		if (nl == NULL)
			return true;
		if (!line_end(t, false))
			return false;
		bytes += part + 1;
		len -= part + 1;
	}
	return true;
}

void
tally_end(struct tally *t)
{
	if (t->len > 0 || t->skipping)
		line_end(t, true);
	rank_prepare(t);
}

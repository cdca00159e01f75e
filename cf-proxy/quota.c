/*
 * quota.c - see quota.h.
 *
 * What must stay true: used never exceeds the limit that was in force when it was counted.
 * Connections are counted when they are asked for and given back where they did not open, so
 * of many that are asked for at once no more than the limit can open.
 *
 * A datagram that does not fit leaves a rest that the next, shorter one might.  Open flows may
 * use it; new ones may not, or a tree that goes on sending would open a flow for each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quota.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "event.h"
#include "forms.h"
#include "siphash.h"

#define DESTS_FIRST	16		/* places, a power of two */
#define TEXT_LEN	(RULETEXT_MAX + 200)

/* Different addresses: an open hash table, at most half full. */
struct dests {
	struct addr	*at;
	size_t		 cap, n;
};

struct counter {
	char		*target;	/* its key */
	char		*cidr, *domain;
	uint64_t	 limit[QUOTA_KINDS];	/* all 0: no generation in force has it */
	bool		 spent[QUOTA_KINDS];	/* something did not fit */
	struct quota_used *count;
	struct dests	 dests;
};

struct quotas {
	struct quota_used *table;	/* QUOTAS_ROWS */
	struct counter	 counter[QUOTAS_ROWS];
	size_t		 n;
	const struct rules *rules;	/* of the limits in force */
	uint16_t	 of_rule[QUOTAS_MAX];	/* its quotas' counters */
	uint64_t	 key[2];
};

struct quota_hold {
	uint64_t	 passed[2];	/* down, up */
	bool		 opened, bytes;
	struct counter	*by;		/* whose limit was met last, and which */
	enum quota_kind	 kind;
	size_t		 n;
	struct counter	*at[];
};

/* ---- the counters ---- */

#define TABLE_LEN	(QUOTAS_ROWS * sizeof(struct quota_used))

static struct quota_used *
table_map(int fd)
{
	struct stat st;
	void *map;

	if (fd == -1)
		return calloc(1, TABLE_LEN);
	if (fstat(fd, &st) != 0 || st.st_size != TABLE_LEN)
		return NULL;
	map = mmap(NULL, TABLE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return map != MAP_FAILED ? map : NULL;
}

struct quotas *
quotas_new(int table_fd)
{
	struct quotas *q = calloc(1, sizeof(*q));

	if (q != NULL && siphash_key(q->key) && (q->table = table_map(table_fd)) != NULL)
		return q;
	free(q);
	return NULL;
}

void
quotas_free(struct quotas *q)
{
	if (q == NULL)
		return;
	for (size_t i = 0; i < q->n; i++) {
		free(q->counter[i].target);
		free(q->counter[i].cidr);
		free(q->counter[i].domain);
		free(q->counter[i].dests.at);
	}
	free(q);			/* the table may be mapped: it stays */
}

static bool
text_keep(char **out, const char *text)
{
	return text == NULL || (*out = strdup(text)) != NULL;
}

/* The counter of a text, made if it is new; NULL: there is no room. */
static struct counter *
counter_of(struct quotas *q, const struct quota_rule *rule)
{
	struct counter *c;

	for (size_t i = 0; i < q->n; i++)
		if (strcmp(q->counter[i].target, rule->target) == 0)
			return &q->counter[i];
	if (q->n == QUOTAS_ROWS)
		return NULL;
	c = &q->counter[q->n];
	if (!text_keep(&c->target, rule->target) || !text_keep(&c->cidr, rule->cidr) ||
	    !text_keep(&c->domain, rule->domain))
		return NULL;
	c->count = &q->table[q->n++];
	return c;
}

bool
quotas_set(struct quotas *q, const struct rules *rules)
{
	size_t n = rules != NULL ? quotas_count(rules) : 0;
	struct counter *of[QUOTAS_MAX];
	struct quota_rule rule;

	for (size_t i = 0; i < n; i++) {
		rule = quotas_get(rules, i);
		if ((of[i] = counter_of(q, &rule)) == NULL)
			return false;
	}
	for (size_t i = 0; i < q->n; i++)
		memset(q->counter[i].limit, 0, sizeof(q->counter[i].limit));
	for (size_t i = 0; i < n; i++) {
		memcpy(of[i]->limit, quotas_get(rules, i).limit, sizeof(of[i]->limit));
		memset(of[i]->spent, 0, sizeof(of[i]->spent));
		q->of_rule[i] = (uint16_t)(of[i] - q->counter);
	}
	q->rules = n > 0 ? rules : NULL;
	return true;
}

static void
limit_record(const struct counter *c, enum quota_kind kind)
{
	char text[TEXT_LEN], limit[QUOTAS_LIMIT_LEN];
	uint64_t used = c->count->used[kind];
	json_t *f;

	quotas_limit_str(kind, c->limit[kind], limit);
	snprintf(text, sizeof(text), "quota %s=%s: %llu used, %llu flows", c->target, limit,
	    (unsigned long long)used, (unsigned long long)c->count->flows);
	f = json_object();
	json_object_set_new(f, "target", event_text(c->target, strlen(c->target)));
	json_object_set_new(f, "limit", json_string(limit));
	json_object_set_new(f, "max", json_integer((json_int_t)c->limit[kind]));
	json_object_set_new(f, "used", json_integer((json_int_t)used));
	json_object_set_new(f, "flows", json_integer((json_int_t)c->count->flows));
	event_emit("quota", f, text);
}

void
quotas_record(const struct quotas *q)
{
	if (!event_wanted())
		return;
	for (size_t i = 0; i < q->n; i++)
		for (int k = 0; k < QUOTA_KINDS; k++)
			if (q->counter[i].limit[k] != 0)
				limit_record(&q->counter[i], (enum quota_kind)k);
}

/* ---- destinations ---- */

/* The one form of an address that stands for all, without its port. */
static struct addr
dest_of(const struct addr *a)
{
	struct addr forms[FORMS_MAX], own;

	forms_of(a, forms);
	memset(&own, 0, sizeof(own));
	own.family = forms[0].family;
	memcpy(own.ip, forms[0].ip, sizeof(own.ip));
	return own;
}

/* Its place, or the free one where it would go. */
static struct addr *
dest_place(const struct quotas *q, const struct dests *d, const struct addr *a)
{
	uint64_t words[3] = { a->family };
	size_t i;

	memcpy(&words[1], a->ip, sizeof(a->ip));
	i = (size_t)siphash_words(q->key, words, 3) & (d->cap - 1);
	while (d->at[i].family != 0 && !addr_equal(&d->at[i], a))
		i = (i + 1) & (d->cap - 1);
	return &d->at[i];
}

static bool
dest_known(const struct quotas *q, const struct dests *d, const struct addr *a)
{
	return d->cap > 0 && dest_place(q, d, a)->family != 0;
}

static bool
dests_grow(const struct quotas *q, struct dests *d)
{
	struct dests new = { .cap = d->cap == 0 ? DESTS_FIRST : 2 * d->cap, .n = d->n };

	if ((new.at = calloc(new.cap, sizeof(*new.at))) == NULL)
		return false;
	for (size_t i = 0; i < d->cap; i++)
		if (d->at[i].family != 0)
			*dest_place(q, &new, &d->at[i]) = d->at[i];
	free(d->at);
	*d = new;
	return true;
}

static bool
dest_add(const struct quotas *q, struct counter *c, const struct addr *a)
{
	struct dests *d = &c->dests;

	if (dest_known(q, d, a))
		return true;
	if (2 * (d->n + 1) > d->cap && !dests_grow(q, d))
		return false;
	*dest_place(q, d, a) = *a;
	c->count->used[QUOTA_DEST] = ++d->n;
	return true;
}

/* ---- words ---- */

static const char *const codes[QUOTA_KINDS] = {
	[QUOTA_UP] = "quota_bytes", [QUOTA_DOWN] = "quota_bytes", [QUOTA_BYTES] = "quota_bytes",
	[QUOTA_CONN] = "quota_connections", [QUOTA_DEST] = "quota_destinations",
};

static void
words(const struct counter *c, enum quota_kind kind, const char *verb, struct rules_words *out)
{
	char limit[QUOTAS_LIMIT_LEN];

	memset(out, 0, sizeof(*out));
	quotas_limit_str(kind, c->limit[kind], limit);
	out->reason_code = codes[kind];
	out->control = "--quota";
	out->matched_cidr = c->cidr;
	out->matched_domain = c->domain;
	out->quota.rule = c->target;
	memcpy(out->quota.limit, limit, sizeof(limit));
	out->quota.used = c->count->used[kind];
	snprintf(out->text, sizeof(out->text), "%s by `--quota %s=%s`", verb, c->target, limit);
	snprintf(out->hint, sizeof(out->hint), "it is used up: a larger limit would allow more");
}

void
quota_words(const struct quota_hold *h, struct rules_words *out)
{
	words(h->by, h->kind, "ended", out);
}

/* ---- flows ---- */

/* Is there no room under this limit for one more flow, to this destination? */
static bool
is_used_up(const struct quotas *q, const struct counter *c, enum quota_kind kind,
    const struct addr *dest)
{
	if (c->limit[kind] == 0)
		return false;
	if (kind == QUOTA_DEST && dest_known(q, &c->dests, dest))
		return false;
	return c->spent[kind] || c->count->used[kind] >= c->limit[kind];
}

static bool
refused(const struct quotas *q, const struct counter *c, const struct addr *dest,
    struct rules_words *why)
{
	for (int k = 0; k < QUOTA_KINDS; k++)
		if (is_used_up(q, c, (enum quota_kind)k, dest)) {
			words(c, (enum quota_kind)k, "blocked", why);
			return true;
		}
	return false;
}

static void
no_memory(struct rules_words *why)
{
	memset(why, 0, sizeof(*why));
	why->reason_code = codes[QUOTA_DEST];
	why->control = "--quota";
	snprintf(why->text, sizeof(why->text), "blocked: out of memory to count it by `--quota`");
}

/* The counters have room: take one flow of each, and its destination. */
static struct quota_hold *
hold_new(struct quotas *q, const uint16_t *of, size_t n, const struct addr *dest)
{
	struct quota_hold *h = calloc(1, offsetof(struct quota_hold, at[n]));

	for (size_t i = 0; h != NULL && i < n; i++) {
		struct counter *c = &q->counter[q->of_rule[of[i]]];

		if (c->limit[QUOTA_DEST] != 0 && !dest_add(q, c, dest)) {
			quota_release(h);
			return NULL;
		}
		c->count->used[QUOTA_CONN]++;
		h->bytes = h->bytes || c->limit[QUOTA_UP] != 0 || c->limit[QUOTA_DOWN] != 0 ||
		    c->limit[QUOTA_BYTES] != 0;
		h->at[h->n++] = c;
	}
	return h;
}

bool
quota_take(struct quotas *q, struct quota_hold **hold, const struct rules_flow *flow,
    struct rules_words *why)
{
	uint16_t of[QUOTAS_MAX];
	struct addr dest;
	size_t n;

	quota_release(*hold);
	*hold = NULL;
	if (q == NULL || q->rules == NULL || (n = quotas_of(q->rules, flow, of)) == 0)
		return true;
	dest = dest_of(&flow->dst);
	for (size_t i = 0; i < n; i++)
		if (refused(q, &q->counter[q->of_rule[of[i]]], &dest, why))
			return false;
	if ((*hold = hold_new(q, of, n, &dest)) != NULL)
		return true;
	no_memory(why);
	return false;
}

void
quota_opened(struct quota_hold *h)
{
	if (h == NULL || h->opened)
		return;
	h->opened = true;
	for (size_t i = 0; i < h->n; i++)
		h->at[i]->count->flows++;
}

void
quota_reopens(struct quota_hold *h)
{
	if (h == NULL || !h->opened)
		return;
	h->opened = false;
	for (size_t i = 0; i < h->n; i++)
		h->at[i]->count->flows--;
}

void
quota_release(struct quota_hold *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n && !h->opened; i++)
		h->at[i]->count->used[QUOTA_CONN]--;
	free(h);
}

bool
quota_counts(const struct quota_hold *h)
{
	return h != NULL && h->bytes;
}

uint64_t
quota_passed(const struct quota_hold *h, bool up)
{
	return h->passed[up];
}

/* ---- bytes ---- */

/* The limits that a byte of this way comes under. */
static const enum quota_kind kinds_of[2][2] = {
	{ QUOTA_DOWN, QUOTA_BYTES }, { QUOTA_UP, QUOTA_BYTES }
};

/* Less than *room is left of it: then that much, and it is who decided. */
static void
room_less(struct quota_hold *h, struct counter *c, enum quota_kind kind, uint32_t *room)
{
	uint64_t used = c->count->used[kind], left;

	if (c->limit[kind] == 0)
		return;
	left = used < c->limit[kind] ? c->limit[kind] - used : 0;
	if (left < *room) {
		*room = (uint32_t)left;
		h->by = c;
		h->kind = kind;
	}
}

uint32_t
quota_pass(struct quota_hold *h, bool up, uint32_t len, bool datagram)
{
	uint32_t room = len;

	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < 2; k++)
			room_less(h, h->at[i], kinds_of[up][k], &room);
	if (datagram && room < len) {
		h->by->spent[h->kind] = true;
		return 0;
	}
	for (size_t i = 0; i < h->n; i++)
		for (size_t k = 0; k < 2; k++)
			h->at[i]->count->used[kinds_of[up][k]] += room;
	h->passed[up] += room;
	return room;
}

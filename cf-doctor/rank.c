/*
 * rank.c - see summary.h.  Pure.
 *
 * Orders are childflow's: counts by count and key; names by queries, answers and name;
 * targets by attempts, errors, successes and target; rows as targets, then by name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "summary.h"

/* Is a before b?  ctx is what the items are numbers in. */
typedef bool	(*before)(const struct tally *, const void *ctx, uint64_t a, uint64_t b);

static void
top_offer(struct top *top, const struct tally *t, const void *ctx, before is_before,
    uint64_t item)
{
	size_t at = top->n;

	while (at > 0 && is_before(t, ctx, item, top->item[at - 1]))
		at--;
	if (at == top->max)
		return;
	if (top->n < top->max)
		top->n++;
	memmove(top->item + at + 1, top->item + at, (top->n - at - 1) * sizeof(*top->item));
	top->item[at] = item;
}

/* ---- orders ---- */

struct counted {
	const uint64_t	*n;
	char *const	*key;
};

static bool
count_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	const struct counted *c = ctx;

	(void)t;
	return c->n[a] != c->n[b] ? c->n[a] > c->n[b] : strcmp(c->key[a], c->key[b]) < 0;
}

static bool
name_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	const struct name *x = &t->name[a], *y = &t->name[b];

	(void)ctx;
	if (x->queries != y->queries)
		return x->queries > y->queries;
	if (x->answers != y->answers)
		return x->answers > y->answers;
	return strcmp(t->name_keys.text[a], t->name_keys.text[b]) < 0;
}

/* Attempts, errors, successes: more than 0 when x comes first, 0 when they are equal. */
static int
target_order(const struct target *x, const struct target *y)
{
	if (x->attempts != y->attempts)
		return x->attempts > y->attempts ? 1 : -1;
	if (x->error != y->error)
		return x->error > y->error ? 1 : -1;
	return x->ok != y->ok ? (x->ok > y->ok ? 1 : -1) : 0;
}

static bool
target_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	int order = target_order(&t->target[a], &t->target[b]);

	(void)ctx;
	return order != 0 ? order > 0 :
	    strcmp(t->target_keys.text[a], t->target_keys.text[b]) < 0;
}

static bool
talk_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	const struct talk *x = &t->talk[a], *y = &t->talk[b];
	double bytes_x = (double)x->up + (double)x->down, bytes_y = (double)y->up + (double)y->down;

	(void)ctx;
	if (bytes_x != bytes_y)
		return bytes_x > bytes_y;
	if (x->denied != y->denied)
		return x->denied > y->denied;
	if (x->flows != y->flows)
		return x->flows > y->flows;
	return strcmp(t->talk_keys.text[a], t->talk_keys.text[b]) < 0;
}

static bool
row_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	static const struct target none;
	size_t ta = ROW_TARGET(a), tb = ROW_TARGET(b);
	int order = target_order(ta > 0 ? &t->target[ta - 1] : &none,
	    tb > 0 ? &t->target[tb - 1] : &none);

	(void)ctx;
	if (order != 0)
		return order > 0;
	order = strcmp(t->name_keys.text[ROW_NAME(a)], t->name_keys.text[ROW_NAME(b)]);
	if (order != 0)
		return order < 0;
	return strcmp(ta > 0 ? t->target_keys.text[ta - 1] : "",
	    tb > 0 ? t->target_keys.text[tb - 1] : "") < 0;
}

/* ---- which ---- */

static int
target_compare(const void *a, const void *b, void *tally)
{
	uint64_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return target_before(tally, NULL, x, y) ? -1 : target_before(tally, NULL, y, x);
}

/*
 * Put the targets of each address on its list, best first: who looks for the best few finds them
 * at its beginning, however many there are.
 */
void
rank_prepare(struct tally *t)
{
	uint32_t *order = calloc(t->size->targets, sizeof(*order));
	size_t n = 0;

	for (size_t i = 0; i < t->ip_keys.n; i++)
		t->ip[i].first = -1;
	if (order == NULL)
		return;			/* no name has a target, then */
	for (size_t i = 0; i < t->target_keys.n; i++)
		if (t->target_keys.text[i] != NULL)
			order[n++] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), target_compare, t);
	while (n-- > 0) {
		struct target *target = &t->target[order[n]];

		if (target->ip < 0)
			continue;
		target->next = t->ip[target->ip].first;
		t->ip[target->ip].first = (int)order[n];
	}
	free(order);
}

static bool
name_has_ip(const struct name *n, int ip)
{
	for (size_t i = 0; i < n->nips; i++)
		if (ip >= 0 && n->ip[i] == (uint32_t)ip)
			return true;
	return false;
}

static bool
name_has_target(const struct tally *t, const struct name *n)
{
	for (size_t i = 0; i < n->nips; i++)
		if (t->ip[n->ip[i]].first >= 0)
			return true;
	return false;
}

static bool
name_has_domain(const struct tally *t, const struct name *n)
{
	for (size_t i = 0; i < n->nips; i++)
		if (t->ip[n->ip[i]].ndomains > 0)
			return true;
	return false;
}

void
rank_list(const struct tally *t, enum list_kind list, struct top *top)
{
	struct counted c = { t->list[list], t->list_keys[list].text };

	for (size_t i = 0; i < t->list_keys[list].n; i++)
		if (c.key[i] != NULL)
			top_offer(top, t, &c, count_before, i);
}

static bool
name_wanted(const struct tally *t, const struct name *n, enum names_wanted wanted)
{
	return wanted == NAMES_ALL || name_has_target(t, n) ||
	    (wanted == NAMES_CORRELATED && name_has_domain(t, n));
}

void
rank_names(const struct tally *t, struct top *top, enum names_wanted wanted)
{
	for (size_t i = 0; i < t->name_keys.n; i++)
		if (t->name_keys.text[i] != NULL && name_wanted(t, &t->name[i], wanted))
			top_offer(top, t, NULL, name_before, i);
}

void
rank_targets(const struct tally *t, struct top *top)
{
	for (size_t i = 0; i < t->target_keys.n; i++)
		if (t->target_keys.text[i] != NULL)
			top_offer(top, t, NULL, target_before, i);
}

void
rank_talks(const struct tally *t, struct top *top)
{
	for (size_t i = 0; i < t->talk_keys.n; i++)
		if (t->talk_keys.text[i] != NULL)
			top_offer(top, t, NULL, talk_before, i);
}

void
rank_targets_of_name(const struct tally *t, size_t name, struct top *top)
{
	const struct name *n = &t->name[name];

	for (size_t i = 0; i < n->nips; i++) {
		size_t left = top->max;

		for (int at = t->ip[n->ip[i]].first; at >= 0 && left-- > 0; at = t->target[at].next)
			top_offer(top, t, NULL, target_before, (uint64_t)at);
	}
}

void
rank_names_of_target(const struct tally *t, size_t target, struct top *top)
{
	for (size_t i = 0; i < t->name_keys.n; i++)
		if (t->name_keys.text[i] != NULL && name_has_ip(&t->name[i], t->target[target].ip))
			top_offer(top, t, NULL, name_before, i);
}

void
rank_rows(const struct tally *t, struct top *top)
{
	static struct top targets;

	for (size_t i = 0; i < t->name_keys.n; i++) {
		if (t->name_keys.text[i] == NULL)
			continue;
		targets.n = 0;
		targets.max = top->max;
		rank_targets_of_name(t, i, &targets);
		for (size_t j = 0; j < targets.n; j++)
			top_offer(top, t, NULL, row_before, (uint64_t)i << 32 | (targets.item[j] + 1));
		if (targets.n == 0 && name_has_domain(t, &t->name[i]))
			top_offer(top, t, NULL, row_before, (uint64_t)i << 32);
	}
}

static void
domain_count(struct domain_counts *out, uint16_t domain, uint64_t count)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->at[i].domain == domain) {
			out->at[i].count += count;
			return;
		}
	out->at[out->n].domain = domain;
	out->at[out->n++].count = count;
}

void
domains_of_ip(const struct tally *t, int ip, struct domain_counts *out)
{
	for (size_t i = 0; ip >= 0 && i < t->ip[ip].ndomains; i++)
		domain_count(out, t->ip[ip].domain[i], t->ip[ip].count[i]);
}

void
domains_of_name(const struct tally *t, size_t name, struct domain_counts *out)
{
	for (size_t i = 0; i < t->name[name].nips; i++)
		domains_of_ip(t, (int)t->name[name].ip[i], out);
}

static bool
domain_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	const struct domain_counts *c = ctx;
	char *const *text = t->list_keys[LIST_DOMAINS].text;

	return c->at[a].count != c->at[b].count ? c->at[a].count > c->at[b].count :
	    strcmp(text[c->at[a].domain], text[c->at[b].domain]) < 0;
}

void
rank_domains(const struct tally *t, const struct domain_counts *counts, struct top *top)
{
	for (size_t i = 0; i < counts->n; i++)
		top_offer(top, t, counts, domain_before, i);
}

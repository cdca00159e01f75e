/*
 * rank.c - see summary.h.  Pure.
 *
 * Orders are childflow's: counts by count and key; names by queries, answers and name;
 * targets by attempts, errors, successes and target; rows as targets, then by name.
 *
 * SPDX-License-Identifier: MIT
 */
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
row_before(const struct tally *t, const void *ctx, uint64_t a, uint64_t b)
{
	static const struct target none;
	uint64_t ta = a % ROW_NAME, tb = b % ROW_NAME;
	int order = target_order(ta > 0 ? &t->target[ta - 1] : &none,
	    tb > 0 ? &t->target[tb - 1] : &none);

	(void)ctx;
	if (order != 0)
		return order > 0;
	order = strcmp(t->name_keys.text[a / ROW_NAME], t->name_keys.text[b / ROW_NAME]);
	if (order != 0)
		return order < 0;
	return strcmp(ta > 0 ? t->target_keys.text[ta - 1] : "",
	    tb > 0 ? t->target_keys.text[tb - 1] : "") < 0;
}

/* ---- which ---- */

static bool
name_has_ip(const struct name *n, int ip)
{
	for (size_t i = 0; i < n->nips; i++)
		if (n->ip[i] == ip)
			return true;
	return false;
}

static bool
name_has_target(const struct tally *t, const struct name *n)
{
	for (size_t i = 0; i < t->target_keys.n; i++)
		if (name_has_ip(n, t->target[i].ip))
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
		top_offer(top, t, &c, count_before, i);
}

void
rank_names(const struct tally *t, struct top *top, bool only_correlated)
{
	for (size_t i = 0; i < t->name_keys.n; i++)
		if (!only_correlated || name_has_domain(t, &t->name[i]) ||
		    name_has_target(t, &t->name[i]))
			top_offer(top, t, NULL, name_before, i);
}

void
rank_targets(const struct tally *t, struct top *top)
{
	for (size_t i = 0; i < t->target_keys.n; i++)
		top_offer(top, t, NULL, target_before, i);
}

void
rank_targets_of_name(const struct tally *t, size_t name, struct top *top)
{
	for (size_t i = 0; i < t->target_keys.n; i++)
		if (name_has_ip(&t->name[name], t->target[i].ip))
			top_offer(top, t, NULL, target_before, i);
}

void
rank_names_of_target(const struct tally *t, size_t target, struct top *top)
{
	for (size_t i = 0; i < t->name_keys.n; i++)
		if (name_has_ip(&t->name[i], t->target[target].ip))
			top_offer(top, t, NULL, name_before, i);
}

void
rank_rows(const struct tally *t, struct top *top)
{
	for (size_t i = 0; i < t->name_keys.n; i++) {
		bool found = false;

		for (size_t j = 0; j < t->target_keys.n; j++)
			if (name_has_ip(&t->name[i], t->target[j].ip)) {
				top_offer(top, t, NULL, row_before, i * ROW_NAME + j + 1);
				found = true;
			}
		if (!found && name_has_domain(t, &t->name[i]))
			top_offer(top, t, NULL, row_before, i * ROW_NAME);
	}
}

void
domains_of_ip(const struct tally *t, int ip, struct domain_counts *out)
{
	if (ip < 0)
		return;
	for (size_t i = 0; i < t->ip[ip].ndomains; i++)
		out->n[t->ip[ip].domain[i]] += t->ip[ip].count[i];
}

void
domains_of_name(const struct tally *t, size_t name, struct domain_counts *out)
{
	for (size_t i = 0; i < t->name[name].nips; i++)
		domains_of_ip(t, t->name[name].ip[i], out);
}

void
rank_domains(const struct tally *t, const struct domain_counts *counts, struct top *top)
{
	struct counted c = { counts->n, t->list_keys[LIST_DOMAINS].text };

	for (size_t i = 0; i < t->list_keys[LIST_DOMAINS].n; i++)
		if (counts->n[i] > 0)
			top_offer(top, t, &c, count_before, i);
}

/*
 * rulespans.c - see rulespans.h.
 *
 * All edges of the ranges cut the selectors into cells.  Rules paint their cells in turn, the
 * first rule first, and pass over painted ones by links to the next free cell, so the work
 * stays near linear however much the ranges overlap.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rulespans.h"

#include <stdlib.h>

#include "rules.h"

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Where each range begins, and what follows its end; sorted, each once. */
static size_t
edges_sort(const struct claim *c, size_t n, uint32_t *edges)
{
	size_t unique = 0;

	for (size_t i = 0; i < n; i++) {
		edges[2 * i] = c[i].lo;
		edges[2 * i + 1] = c[i].hi + 1;
	}
	qsort(edges, 2 * n, sizeof(*edges), by_value);
	for (size_t i = 0; i < 2 * n; i++)
		if (unique == 0 || edges[unique - 1] != edges[i])
			edges[unique++] = edges[i];
	return unique;
}

static size_t
edge_find(const uint32_t *edges, size_t n, uint32_t value)
{
	size_t low = 0;

	while (n > 0) {
		size_t half = n / 2;

		if (edges[low + half] < value) {
			low += half + 1;
			n -= half + 1;
		} else
			n = half;
	}
	return low;
}

/* The first free cell from i on; links are shortened on the way. */
static size_t
cell_free(uint32_t *next, size_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

static bool
span_append(struct pile *spans, size_t first, uint32_t lo, uint32_t hi, uint32_t rule)
{
	struct flat_span *s;

	if (spans->n > first) {
		s = (struct flat_span *)spans->p + spans->n - 1;
		if (s->rule == rule && s->hi + 1 == lo) {
			s->hi = hi;
			return true;
		}
	}
	if ((s = pile_add(spans, 1, sizeof(*s))) == NULL)
		return false;
	*s = (struct flat_span){ lo, hi, rule };
	return true;
}

/* owner and next have a place for each edge; the last edge ends the last cell. */
static bool
cells_paint(const struct claim *c, size_t n, const uint32_t *edges, size_t n_edges,
    uint32_t *owner, uint32_t *next, struct pile *spans)
{
	size_t first = spans->n;

	for (size_t i = 0; i < n_edges; i++) {
		owner[i] = RULES_NONE;
		next[i] = (uint32_t)i;
	}
	for (size_t i = 0; i < n; i++) {
		size_t end = edge_find(edges, n_edges, c[i].hi + 1);
		size_t cell = cell_free(next, edge_find(edges, n_edges, c[i].lo));

		for (; cell < end; cell = cell_free(next, cell)) {
			owner[cell] = c[i].rule;
			next[cell] = (uint32_t)cell + 1;
		}
	}
	for (size_t i = 0; i + 1 < n_edges; i++)
		if (owner[i] != RULES_NONE &&
		    !span_append(spans, first, edges[i], edges[i + 1] - 1, owner[i]))
			return false;
	return true;
}

bool
rulespans_paint(const struct claim *c, size_t n, struct pile *spans)
{
	uint32_t *edges;
	size_t n_edges;
	bool ok;

	if (n == 1)
		return span_append(spans, spans->n, c->lo, c->hi, c->rule);
	if ((edges = calloc(n * 2, 3 * sizeof(*edges))) == NULL)
		return false;
	n_edges = edges_sort(c, n, edges);
	ok = cells_paint(c, n, edges, n_edges, edges + 2 * n, edges + 4 * n, spans);
	free(edges);
	return ok;
}

uint32_t
rulespans_whole(const struct flat_span *s, size_t n)
{
	uint32_t want = 0;

	for (size_t i = 0; i < n && s[i].lo == want; i++)
		want = s[i].hi + 1;
	return want == RULE_SELECTOR_LAST + 1 ? s[0].rule : RULES_NONE;
}

/*
 * rulecompile.c - a book of rules to one flat generation; see rulebook.h and rules_flat.h.
 *
 *	1. every network, name and "*" gets a key
 *	2. every range of every rule becomes a claim on its key
 *	3. claims, sorted by key and class, are painted into spans, a slot for each class
 *	4. the sections are laid behind the head
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "rulebook.h"
#include "rulebook_parts.h"
#include "rulespans.h"

#define ANY_KEY		0

struct build {
	const struct rulebook *book;
	const uint8_t	*seed;
	struct cidr_tree tree;
	struct flat_name *names;
	uint32_t	 n_names;	/* places, a power of two */
	uint32_t	 n_keys;
	struct pile	 claims, slots, spans;
	struct flat_key	*keys;
};

static const char *
string_at(const struct build *b, uint32_t at)
{
	return (const char *)b->book->strings.p + at;
}

static const struct rulebook_entry *
entry_at(const struct build *b, size_t i)
{
	return (const struct rulebook_entry *)b->book->entries.p + i;
}

/* ---- keys ---- */

static bool
names_init(struct build *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->book->entries.n; i++)
		n += entry_at(b, i)->target == RULETEXT_NAME;
	for (b->n_names = 4; b->n_names < 2 * n + 2;)
		b->n_names *= 2;
	return (b->names = calloc(b->n_names, sizeof(*b->names))) != NULL;
}

/* The place of this name, made if it is new. */
static struct flat_name *
name_place(struct build *b, uint32_t name)
{
	const char *text = string_at(b, name);
	uint32_t hash = (uint32_t)siphash(b->seed, text, strlen(text)), mask = b->n_names - 1;
	uint32_t i = hash & mask;

	for (; b->names[i].name != 0; i = (i + 1) & mask)
		if (b->names[i].hash == hash && strcmp(string_at(b, b->names[i].name), text) == 0)
			return &b->names[i];
	b->names[i] = (struct flat_name){ name, hash, b->n_keys, b->n_keys + 1 };
	b->n_keys += 2;
	return &b->names[i];
}

/* The keys of what a rule is about; returns how many, 0 when out of memory. */
static size_t
keys_get(struct build *b, const struct rulebook_entry *e, uint32_t keys[2])
{
	const struct flat_name *name;
	uint32_t *key;
	size_t n = 0;

	keys[0] = ANY_KEY;
	if (e->target == RULETEXT_ANY)
		return 1;
	if (e->target == RULETEXT_NET) {
		if ((key = cidr_add(&b->tree, &e->net, e->bits)) == NULL)
			return 0;
		if (*key == CIDR_NO_KEY)
			*key = b->n_keys++;
		keys[0] = *key;
		return 1;
	}
	name = name_place(b, e->name);
	if (e->self)
		keys[n++] = name->self_key;
	if (e->below)
		keys[n++] = name->below_key;
	return n;
}

/* ---- claims ---- */

static bool
claims_add(struct build *b, uint32_t rule)
{
	const struct rulebook_entry *e = entry_at(b, rule);
	const struct flat_rule *row = (const struct flat_rule *)b->book->rows.p + rule;
	const struct rule_range *range = (const struct rule_range *)b->book->ranges.p + e->range;
	uint32_t keys[2];
	size_t n = keys_get(b, e, keys);
	struct claim *c = n == 0 ? NULL : pile_add(&b->claims, n * e->n_ranges, sizeof(*c));

	if (c == NULL)
		return false;
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < e->n_ranges; i++)
			*c++ = (struct claim){ keys[k], row->class, range[i].lo, range[i].hi, rule };
	return true;
}

static int
by_key_class_rule(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

/* ---- slots ---- */

/* The claims of one key and class. */
static bool
slot_make(struct build *b, const struct claim *c, size_t n)
{
	struct flat_slot *slot = pile_add(&b->slots, 1, sizeof(*slot));
	size_t first = b->spans.n;

	if (slot == NULL || !rulespans_paint(c, n, &b->spans))
		return false;
	slot->class = c->class;
	slot->span = (uint32_t)first;
	slot->n = (uint32_t)(b->spans.n - first);
	slot->whole = rulespans_whole((struct flat_span *)b->spans.p + first, slot->n);
	if (b->keys[c->key].n++ == 0)
		b->keys[c->key].slot = (uint32_t)b->slots.n - 1;
	return true;
}

static bool
slots_make(struct build *b)
{
	const struct claim *c = b->claims.p;
	size_t n = b->claims.n;

	if (n > 0)
		qsort(b->claims.p, n, sizeof(*c), by_key_class_rule);
	if ((b->keys = calloc(b->n_keys, sizeof(*b->keys))) == NULL)
		return false;
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && c[k].key == c[i].key && c[k].class == c[i].class;)
			k++;
		if (!slot_make(b, c + i, k - i))
			return false;
	}
	return true;
}

/* ---- laying out ---- */

struct part {
	const void	*p;
	size_t		 n, size;
};

/* Give each part its place behind the head; returns the length of all, 0 when it is too long. */
static size_t
parts_place(const struct part *parts, struct flat_section *sections, size_t n)
{
	size_t off = sizeof(struct rules_head);

	for (size_t i = 0; i < n; i++) {
		sections[i] = (struct flat_section){ (uint32_t)off, (uint32_t)parts[i].n };
		off = (off + parts[i].n * parts[i].size + 7) / 8 * 8;
		if (parts[i].n > INT32_MAX || off > INT32_MAX)
			return 0;
	}
	return off;
}

static void *
layout(const struct build *b, size_t *out_len, const char **why)
{
	static const struct cidr_node no_node;
	const struct rulebook *book = b->book;
	const struct part parts[] = {
		{ b->tree.nodes != NULL ? b->tree.nodes : &no_node, b->tree.n,
		    sizeof(struct cidr_node) },
		{ b->keys, b->n_keys, sizeof(struct flat_key) },
		{ b->slots.p, b->slots.n, sizeof(struct flat_slot) },
		{ b->spans.p, b->spans.n, sizeof(struct flat_span) },
		{ book->rows.p, book->rows.n, sizeof(struct flat_rule) },
		{ b->names, b->n_names, sizeof(struct flat_name) },
		{ book->strings.p, book->strings.n, 1 },
		{ book->quotas.p, book->quotas.n, sizeof(struct flat_quota) },
		{ book->quota_ranges.p, book->quota_ranges.n, sizeof(struct rule_range) },
	};
	enum { N = sizeof(parts) / sizeof(parts[0]) };
	struct rules_head head = { .magic = FLAT_MAGIC, .version = FLAT_VERSION,
	    .flags = book->flags, .any_key = ANY_KEY, .labels_max = book->labels_max,
	    .root = { b->tree.root[0], b->tree.root[1] } };
	struct flat_section *sections[N] = { &head.nodes, &head.keys, &head.slots, &head.spans,
	    &head.rules, &head.names, &head.strings, &head.quotas, &head.quota_ranges }, placed[N];
	size_t len = parts_place(parts, placed, N);
	char *buf = len == 0 ? NULL : calloc(1, len);

	*why = len == 0 ? "the rules are too many for one policy" : "out of memory";
	if (buf == NULL)
		return NULL;
	for (size_t i = 0; i < N; i++) {
		*sections[i] = placed[i];
		if (parts[i].n > 0)
			memcpy(buf + placed[i].off, parts[i].p, parts[i].n * parts[i].size);
	}
	memcpy(head.seed, b->seed, sizeof(head.seed));
	head.len = *out_len = len;
	memcpy(buf, &head, sizeof(head));
	((struct rules_head *)(void *)buf)->sum = flat_sum((struct rules_head *)(void *)buf);
	return buf;
}

static void
build_done(struct build *b)
{
	cidr_done(&b->tree);
	free(b->names);
	free(b->keys);
	free(b->claims.p);
	free(b->slots.p);
	free(b->spans.p);
}

void *
rulebook_compile(const struct rulebook *book, const uint8_t seed[SIPHASH_KEY_LEN],
    size_t *out_len, const char **why)
{
	struct build b = { .book = book, .seed = seed, .n_keys = ANY_KEY + 1 };
	void *buf = NULL;
	bool ok;

	*why = "a rule in it was wrong";
	if (book->spoiled)
		return NULL;
	*why = "out of memory";
	cidr_init(&b.tree);
	ok = names_init(&b);
	for (size_t i = 0; i < book->rows.n && ok; i++)
		ok = claims_add(&b, (uint32_t)i);
	if (ok && slots_make(&b))
		buf = layout(&b, out_len, why);
	build_done(&b);
	return buf;
}

/*
 * rulebook.c - see rulebook.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rulebook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "quotas.h"
#include "rulebook_parts.h"
#include "rulefile.h"

#define STRINGS_MAX	(1u << 29)	/* far below what a place in a section can say */

void *
pile_add(struct pile *pile, size_t n, size_t size)
{
	size_t room = pile->room == 0 ? 64 : pile->room;
	void *p;

	while (room < pile->n + n)
		room *= 2;
	if (room != pile->room) {
		if ((p = reallocarray(pile->p, room, size)) == NULL)
			return NULL;
		pile->p = p;
		pile->room = room;
	}
	pile->n += n;
	return (char *)pile->p + (pile->n - n) * size;
}

/* Keep a string; 0 is the empty one, UINT32_MAX says that there is no memory. */
static uint32_t
string_keep(struct rulebook *b, const char *text, size_t len)
{
	size_t at = b->strings.n;
	char *p;

	if (len == 0 && at > 0)
		return 0;
	if (at + len + 1 > STRINGS_MAX || (p = pile_add(&b->strings, len + 1, 1)) == NULL)
		return UINT32_MAX;
	memcpy(p, text, len);
	p[len] = '\0';
	return (uint32_t)at;
}

/* ---- one rule more ---- */

/* Is it about some ports, and not about all of a protocol? */
static bool
names_port(const struct ruletext *t)
{
	for (size_t i = 0; i < t->n_ranges; i++)
		if ((t->range[i].lo & 0xffff) > 1 || (t->range[i].hi & 0xffff) != 0xffff)
			return true;
	return false;
}

static enum flat_class
class_of(const struct ruletext *t, bool allow)
{
	if (t->target == RULETEXT_ANY)
		return allow ? CLASS_ALLOW_ANY : CLASS_DENY_ANY;
	if (t->target == RULETEXT_NET)
		return allow ? CLASS_ALLOW_ADDR : CLASS_DENY_ADDR;
	if (allow)
		return names_port(t) ? CLASS_ALLOW_NAME_PORT : CLASS_ALLOW_NAME;
	return t->below ? CLASS_DENY_DOMAIN : CLASS_DENY_EXACT;
}

static void
labels_count(struct rulebook *b, const char *name)
{
	uint32_t n = 1;

	for (; *name != '\0'; name++)
		n += *name == '.';
	if (n > b->labels_max)
		b->labels_max = n;
}

/* The strings of a row. */
static bool
row_name(struct rulebook *b, const struct ruletext *t, struct flat_rule *row,
    struct rulebook_entry *entry)
{
	char text[ADDR_STRLEN + NAME_TEXT_MAX];
	bool star = t->below && !t->self;

	if (t->target == RULETEXT_NET) {
		ruletext_net_str(&t->net, t->bits, text);
		return (row->cidr = string_keep(b, text, strlen(text))) != UINT32_MAX;
	}
	if (t->target == RULETEXT_ANY)
		return true;
	snprintf(text, sizeof(text), "*.%s", t->name);
	row->domain = string_keep(b, text, strlen(text));
	if (row->domain == UINT32_MAX)
		return false;
	entry->name = row->domain + 2;		/* one string, with and without its star */
	if (!star)
		row->domain = entry->name;
	labels_count(b, t->name);
	return true;
}

static bool
rule_keep(struct rulebook *b, const struct ruletext *t, struct flat_rule row)
{
	struct rulebook_entry entry = { .target = t->target, .self = t->self, .below = t->below,
	    .net = t->net, .bits = t->bits, .range = b->ranges.n, .n_ranges = t->n_ranges };
	void *ranges, *rows, *entries;

	if (!row_name(b, t, &row, &entry))
		return false;
	ranges = pile_add(&b->ranges, t->n_ranges, sizeof(struct rule_range));
	rows = pile_add(&b->rows, 1, sizeof(row));
	entries = pile_add(&b->entries, 1, sizeof(entry));
	if (ranges == NULL || rows == NULL || entries == NULL)
		return false;
	memcpy(ranges, t->range, t->n_ranges * sizeof(struct rule_range));
	memcpy(rows, &row, sizeof(row));
	memcpy(entries, &entry, sizeof(entry));
	if (t->target == RULETEXT_NAME && row.class > CLASS_PRIVATE)
		b->flags |= rules_sources[row.source].allow ? RULES_HAS_ALLOW_NAMES :
		    RULES_HAS_DENY_NAMES;
	return true;
}

/* How the rule is shown: its own words, but names in their normal form. */
static uint32_t
shown_keep(struct rulebook *b, const struct ruletext *t, enum ruletext_kind kind,
    const char *text, size_t len)
{
	char shown[RULETEXT_MAX + NAME_STRLEN];
	size_t host = 0;
	int n;

	for (; len > 0 && (*text == ' ' || *text == '\t'); len--)
		text++;
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	if (kind == RULETEXT_CIDR) {
		ruletext_net_str(&t->net, t->bits, shown);
		return string_keep(b, shown, strlen(shown));
	}
	if (t->target != RULETEXT_NAME)
		return string_keep(b, text, len);
	while (host < len && text[host] != ':' && text[host] != '/')
		host++;
	n = snprintf(shown, sizeof(shown), "%s%s%.*s", t->below && !t->self ? "*." :
	    t->below && kind == RULETEXT_FULL ? "." : "", t->name, (int)(len - host), text + host);
	return string_keep(b, shown, (size_t)n);
}

/* ---- the book ---- */

/* A row of known.c, given here and not by the user. */
static bool
known_keep(struct rulebook *b, size_t i)
{
	static const enum flat_class classes[KNOWN_GROUPS] = {
		[KNOWN_NEVER] = CLASS_NEVER, [KNOWN_METADATA] = CLASS_METADATA,
		[KNOWN_PRIVATE] = CLASS_PRIVATE,
	};
	const struct known *k = &known_rows[i];
	struct flat_rule row = { .source = RULES_BUILTIN, .class = (uint8_t)classes[k->group],
	    .known = (uint16_t)i };
	struct ruletext t;
	struct ruletext_error err;
	char text[ADDR_STRLEN];

	if (k->name != NULL)
		return ruletext_parse(RULETEXT_EXACT, k->name, strlen(k->name), &t, &err) &&
		    rule_keep(b, &t, row);
	snprintf(text, sizeof(text), "%s/%u", k->net, k->bits);
	return ruletext_parse(RULETEXT_CIDR, text, strlen(text), &t, &err) && rule_keep(b, &t, row);
}

static bool
known_wanted(const struct known *k, unsigned switches)
{
	static const struct { const char *code; unsigned open; } opened[] = {
		{ "loopback", RULEBOOK_OPEN_LOOPBACK }, { "link_local", RULEBOOK_OPEN_LINK_LOCAL },
		{ "multicast", RULEBOOK_OPEN_MULTICAST },
	};

	if (k->group == KNOWN_METADATA)
		return (switches & RULES_BLOCK_METADATA) != 0;
	if (k->group == KNOWN_PRIVATE)
		return (switches & RULES_BLOCK_PRIVATE) != 0;
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++)
		if ((switches & opened[i].open) != 0 && strcmp(k->code, opened[i].code) == 0)
			return false;
	return true;
}

struct rulebook *
rulebook_new(unsigned switches)
{
	struct rulebook *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->flags = switches & (RULES_OFFLINE | RULES_BLOCK_METADATA | RULES_BLOCK_PRIVATE |
	    RULES_DEFAULT_DENY | RULES_PROXY_ONLY | RULES_PERMISSIVE);
	b->spoiled = string_keep(b, "", 0) != 0;
	for (size_t i = 0; i < known_nrows && !b->spoiled; i++)
		if (known_wanted(&known_rows[i], switches))
			b->spoiled = !known_keep(b, i);
	if (b->spoiled) {
		rulebook_free(b);
		return NULL;
	}
	return b;
}

void
rulebook_free(struct rulebook *b)
{
	if (b == NULL)
		return;
	free(b->rows.p);
	free(b->entries.p);
	free(b->ranges.p);
	free(b->strings.p);
	free(b->quotas.p);
	free(b->quota_ranges.p);
	free(b);
}

/* ---- adding ---- */

/* A rule's text; NULL when it was taken, else why not. */
static bool
text_add(struct rulebook *b, enum rules_source source, const char *text, size_t len,
    struct flat_rule row, struct ruletext_error *why)
{
	enum ruletext_kind kind = rules_sources[source].kind;
	struct ruletext t;

	why->column = 1;
	snprintf(why->why, sizeof(why->why), "there are more than %d rules", RULEBOOK_RULES_MAX);
	if (b->rows.n >= RULEBOOK_RULES_MAX || !ruletext_parse(kind, text, len, &t, why))
		return false;
	snprintf(why->why, sizeof(why->why), "out of memory");
	row.source = (uint8_t)source;
	row.class = (uint8_t)class_of(&t, rules_sources[source].allow);
	row.shown = shown_keep(b, &t, kind, text, len);
	return row.shown != UINT32_MAX && rule_keep(b, &t, row);
}

bool
rulebook_add(struct rulebook *b, enum rules_source source, const char *text,
    struct rulebook_error *err)
{
	struct ruletext_error why;
	char quoted[RULETEXT_QUOTED];

	if (text_add(b, source, text, strlen(text), (struct flat_rule){ 0 }, &why))
		return true;
	b->spoiled = true;
	err->line = 0;
	err->column = why.column;
	snprintf(err->text, sizeof(err->text), "%s %s, column %zu: %s",
	    rules_sources[source].option, ruletext_quote(text, strlen(text), quoted), why.column,
	    why.why);
	return false;
}

static bool
file_bad(struct rulebook *b, const char *path, const struct rulefile *f, const char *at,
    const char *why, struct rulebook_error *err)
{
	char quoted[RULETEXT_QUOTED];

	b->spoiled = true;
	err->line = f->line;
	err->column = (size_t)(at - f->start) + 1;
	ruletext_quote(path, strlen(path), quoted);
	snprintf(err->text, sizeof(err->text), "%.*s:%u:%zu: %s", (int)strlen(quoted) - 2, quoted + 1,
	    err->line, err->column, why);
	return false;
}

bool
rulebook_add_file(struct rulebook *b, enum rules_source source, const char *path,
    const void *bytes, size_t len, struct rulebook_error *err)
{
	struct flat_rule row = { .file = string_keep(b, path, strlen(path)) };
	struct rulefile f;
	struct ruletext_error bad;
	enum rulefile_got got;
	const char *text = NULL, *why = NULL;
	size_t n;

	rulefile_init(&f, bytes, len);
	if (row.file == UINT32_MAX)
		return file_bad(b, path, &f, f.start, "out of memory", err);
	while ((got = rulefile_next(&f, &text, &n, &why)) == RULEFILE_RULE) {
		row.line = f.line;
		if (!text_add(b, source, text, n, row, &bad))
			return file_bad(b, path, &f, text + bad.column - 1, bad.why, err);
	}
	return got == RULEFILE_END || file_bad(b, path, &f, text, why, err);
}

/* ---- quotas ---- */

static const struct flat_quota *
quota_same(const struct rulebook *b, const char *shown)
{
	const struct flat_quota *q = b->quotas.p;

	for (size_t i = 0; i < b->quotas.n; i++)
		if (strcmp((const char *)b->strings.p + q[i].shown, shown) == 0)
			return &q[i];
	return NULL;
}

/* A quota that was read; NULL, or why it cannot be kept. */
static const char *
quota_keep(struct rulebook *b, const struct quotatext *t, const char *text)
{
	struct flat_quota *q, new = { .net = t->target.net, .bits = (uint16_t)t->target.bits,
	    .target = (uint8_t)t->target.target, .self = t->target.self, .below = t->target.below,
	    .range = (uint32_t)b->quota_ranges.n, .n_ranges = (uint32_t)t->target.n_ranges };
	struct rulebook_entry entry = { .name = 0 };
	struct flat_rule row = { .cidr = 0 };
	void *ranges;

	if (b->quotas.n >= QUOTAS_MAX)
		return "there can be 256 quotas";
	memcpy(new.limit, t->limit, sizeof(new.limit));
	new.shown = shown_keep(b, &t->target, RULETEXT_FULL, text, t->target_len);
	if (new.shown == UINT32_MAX || !row_name(b, &t->target, &row, &entry))
		return "out of memory";
	if (quota_same(b, (const char *)b->strings.p + new.shown) != NULL)
		return "this target has a quota already: write all its limits in one, as "
		    "'example.com=10MB/up,20conn'";
	new.cidr = row.cidr;
	new.domain = row.domain;
	new.name = entry.name;
	ranges = pile_add(&b->quota_ranges, t->target.n_ranges, sizeof(struct rule_range));
	q = pile_add(&b->quotas, 1, sizeof(*q));
	if (ranges == NULL || q == NULL)
		return "out of memory";
	memcpy(ranges, t->target.range, t->target.n_ranges * sizeof(struct rule_range));
	memcpy(q, &new, sizeof(*q));
	if (t->target.target == RULETEXT_NAME)
		b->flags |= RULES_HAS_QUOTA_NAMES;
	return NULL;
}

bool
rulebook_add_quota(struct rulebook *b, const char *text, struct rulebook_error *err)
{
	struct ruletext_error why = { .column = 1 };
	char quoted[RULETEXT_QUOTED];
	struct quotatext t;
	const char *reason;

	if (quotatext_parse(text, strlen(text), &t, &why)) {
		if ((reason = quota_keep(b, &t, text)) == NULL)
			return true;
		snprintf(why.why, sizeof(why.why), "%s", reason);
	}
	b->spoiled = true;
	err->line = 0;
	err->column = why.column;
	snprintf(err->text, sizeof(err->text), "--quota %s, column %zu: %s",
	    ruletext_quote(text, strlen(text), quoted), why.column, why.why);
	return false;
}

/*
 * profile.c - what was learned, as a profile (TOML) that a person will read and change.
 *
 * One rule a line: for each destination and protocol the ports that were used, names before
 * addresses, names by domain, with a comment that says how often and by whom.  What was only looked
 * up is allowed as "NAME:53/udp": queries go to cf-dns whatever their address is, so this
 * opens the look-up and nothing else.  Names right below one become a wildcard where there are at
 * least `threshold` of them with the same ports; never below what looks like a public suffix.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "learn.h"
#include "log.h"

#define PORTS_LEN	200		/* of ports in one rule; more become the next rule */

struct rule {
	enum learn_kind	 kind;
	char		 target[NAME_TEXT_MAX + 8];
	char		 ports[PORTS_LEN];	/* ":80,443" */
	const char	*proto;			/* "/tcp"; "" where TCP and UDP have the same */
	uint64_t	 count;
	uint16_t	 by[LEARN_BY];
	uint8_t		 n_by;
	bool		 more_by;
	unsigned	 names;			/* how many the wildcard stands for; 0: it is none */
	char		 some[160];		/* of these */
	bool		 gone;
};
struct rules_list {
	struct rule	*at;
	size_t		 n;
};

/* ---- order ---- */

/* Names by their last label first, so that a domain stays together. */
static int
name_order(const char *a, const char *b)
{
	const char *p = a + strlen(a), *q = b + strlen(b);

	while (p > a && q > b) {
		if (*--p != *--q)
			return *p == '.' ? -1 : *q == '.' ? 1 : (unsigned char)*p - (unsigned char)*q;
	}
	return (p > a) - (q > b);
}

static int
learned_order(const void *a, const void *b)
{
	const struct learned *x = *(struct learned *const *)a, *y = *(struct learned *const *)b;
	int order;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	order = x->kind == LEARN_ADDRESS ? strcmp(x->target, y->target) :
	    name_order(x->target, y->target);
	if (order != 0)
		return order;
	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* ---- destinations to rules ---- */

static void
by_merge(struct rule *r, const uint16_t *by, uint8_t n, bool more)
{
	r->more_by = r->more_by || more;
	for (uint8_t i = 0; i < n; i++) {
		uint8_t j = 0;

		while (j < r->n_by && r->by[j] != by[i])
			j++;
		if (j < r->n_by)
			continue;
		if (r->n_by == LEARN_BY)
			r->more_by = true;
		else
			r->by[r->n_by++] = by[i];
	}
}

static const char *const protos[] = { [RULE_TCP] = "/tcp", [RULE_UDP] = "/udp",
	[RULE_ICMP] = "/icmp" };

static bool
port_add(struct rule *r, const struct learned *d)
{
	size_t len = strlen(r->ports);

	if (d->proto == RULE_ICMP)
		return true;
	if (len + sizeof(",65535") > sizeof(r->ports))
		return false;
	snprintf(r->ports + len, sizeof(r->ports) - len, "%c%u", len == 0 ? ':' : ',', d->port);
	return true;
}

static void
rule_take(struct rules_list *list, const struct learned *d)
{
	struct rule *r = list->n > 0 ? &list->at[list->n - 1] : NULL;

	if (r == NULL || r->kind != d->kind || strcmp(r->target, d->target) != 0 ||
	    strcmp(r->proto, protos[d->proto]) != 0 || !port_add(r, d)) {
		r = &list->at[list->n++];
		*r = (struct rule){ .kind = d->kind, .proto = protos[d->proto] };
		snprintf(r->target, sizeof(r->target), "%s", d->target);
		port_add(r, d);
	}
	r->count += d->count;
	by_merge(r, d->by, d->n_by, d->more_by);
}

/* Where TCP and UDP have the same ports, one rule is for both. */
static void
protocols_join(struct rules_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		struct rule *a = &list->at[i - 1], *b = &list->at[i];

		if (a->gone || a->kind != b->kind || strcmp(a->target, b->target) != 0 ||
		    strcmp(a->ports, b->ports) != 0 || strcmp(a->proto, "/tcp") != 0 ||
		    strcmp(b->proto, "/udp") != 0)
			continue;
		b->proto = "";
		b->count += a->count;
		by_merge(b, a->by, a->n_by, a->more_by);
		a->gone = true;
	}
}

/* ---- wildcards ---- */

/*
 * Without a list of public suffixes: a name of two labels whose last is a country and whose first
 * is short, as "co.uk", and every name of one label.  Who lets others have names below
 * his own (github.io) is not known here; the comment of a wildcard names some of those it is for.
 */
static bool
may_have_wildcard(const char *parent)
{
	const char *dot = strchr(parent, '.');

	return dot != NULL && (strchr(dot + 1, '.') != NULL || strlen(dot + 1) != 2 ||
	    dot - parent > 3);
}

static int
sibling_order(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
	const char *p = name_parent(x->target), *q = name_parent(y->target);
	int order = name_order(p != NULL ? p : "", q != NULL ? q : "");

	if (order == 0)
		order = strcmp(x->ports, y->ports);
	if (order == 0)
		order = strcmp(x->proto, y->proto);
	return order != 0 ? order : strcmp(x->target, y->target);
}

static bool
siblings(const struct rule *a, const struct rule *b)
{
	const char *p = name_parent(a->target), *q = name_parent(b->target);

	return p != NULL && q != NULL && strcmp(p, q) == 0 && strcmp(a->ports, b->ports) == 0 &&
	    strcmp(a->proto, b->proto) == 0;
}

static void
siblings_join(struct rule **s, size_t n)
{
	struct rule *all = s[0];
	char target[sizeof(all->target)];
	size_t len = 0;

	for (size_t i = 0; i < n && len < sizeof(all->some); i++)
		len += (size_t)snprintf(all->some + len, sizeof(all->some) - len, "%s%s",
		    i > 0 ? ", " : "", s[i]->target);
	if (len >= sizeof(all->some))
		memcpy(all->some + sizeof(all->some) - 5, " ...", 5);
	for (size_t i = 1; i < n; i++) {
		all->count += s[i]->count;
		by_merge(all, s[i]->by, s[i]->n_by, s[i]->more_by);
		s[i]->gone = true;
	}
	snprintf(target, sizeof(target), "*.%s", name_parent(all->target));
	memcpy(all->target, target, sizeof(target));
	all->names = (unsigned)n;
}

static void
wildcards_make(struct rules_list *list, unsigned threshold)
{
	struct rule **order = calloc(list->n + 1, sizeof(struct rule *));
	size_t n = 0, end;

	for (size_t i = 0; order != NULL && i < list->n; i++)
		if (!list->at[i].gone && list->at[i].kind == LEARN_NAME)
			order[n++] = &list->at[i];
	if (n > 0)
		qsort(order, n, sizeof(struct rule *), sibling_order);
	for (size_t i = 0; threshold > 0 && i < n; i = end) {
		for (end = i + 1; end < n && siblings(order[i], order[end]); end++)
			;
		if (end - i >= threshold && end - i > 1 &&
		    may_have_wildcard(name_parent(order[i]->target)))
			siblings_join(order + i, end - i);
	}
	free(order);
}

/* ---- look-ups ---- */

/* Does a rule that is there allow this name to be asked for? */
static bool
name_covered(const struct rules_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct rule *r = &list->at[i];
		size_t len = strlen(name), tail = strlen(r->target);

		if (r->gone || r->kind != LEARN_NAME)
			continue;
		if (strcmp(r->target, name) == 0 || (r->names > 0 && len > tail - 1 &&
		    strcmp(name + len - (tail - 1), r->target + 1) == 0))
			return true;
	}
	return false;
}

static void
lookups_take(struct rules_list *list, struct learned *const *all, size_t n)
{
	size_t rules = list->n;
	struct rules_list before = { list->at, rules };

	for (size_t i = 0; i < n; i++) {
		struct rule *r = &list->at[list->n];

		if (all[i]->kind != LEARN_LOOKUP || !all[i]->answered ||
		    name_covered(&before, all[i]->target))
			continue;
		*r = (struct rule){ .kind = LEARN_LOOKUP, .ports = ":53", .proto = "/udp",
		    .count = all[i]->count };
		snprintf(r->target, sizeof(r->target), "%s", all[i]->target);
		by_merge(r, all[i]->by, all[i]->n_by, all[i]->more_by);
		list->n++;
	}
}

static bool
rules_gather(const struct learn *l, unsigned threshold, struct rules_list *list)
{
	const struct learned **all = calloc(LEARN_MAX, sizeof(struct learned *));
	size_t n = 0;

	list->at = calloc(LEARN_MAX, sizeof(*list->at));
	for (size_t i = 0; all != NULL && i < l->keys.n; i++)
		if (l->keys.text[i] != NULL)
			all[n++] = &l->at[i];
	if (all == NULL || list->at == NULL) {
		free(all);
		return false;
	}
	qsort(all, n, sizeof(struct learned *), learned_order);
	for (size_t i = 0; i < n; i++)
		if (all[i]->kind != LEARN_LOOKUP)
			rule_take(list, all[i]);
	protocols_join(list);
	wildcards_make(list, threshold);
	lookups_take(list, (struct learned *const *)all, n);
	free(all);
	return true;
}

/* ---- writing ---- */

/* In a comment: one line, and nothing that does something. */
static void
put_escaped(FILE *f, const char *text)
{
	char out[4 * KEY_MAX + 8], cut[KEY_MAX + 1];

	snprintf(cut, sizeof(cut), "%s", text);
	fputs(log_escape(out, sizeof(out), cut), f);
}

static void
put_command(FILE *f, const json_t *facts)
{
	json_t *word;
	size_t i;

	if (json_array_size(json_object_get(facts, "command")) == 0)
		return;
	fputs("# The run:", f);
	json_array_foreach(json_object_get(facts, "command"), i, word) {
		if (i == 20) {
			fputs(" ...", f);
			break;
		}
		fputc(' ', f);
		put_escaped(f, json_is_string(word) ? json_string_value(word) : "?");
	}
	fputc('\n', f);
}

static void
put_rule(FILE *f, const struct learn *l, const struct rule *r)
{
	fprintf(f, "\t\"%s%s%s\",\t# %llu %s%s", r->target, r->ports, r->proto,
	    (unsigned long long)r->count, r->kind == LEARN_LOOKUP ? "quer" : "connection",
	    r->kind == LEARN_LOOKUP ? (r->count == 1 ? "y" : "ies") : r->count == 1 ? "" : "s");
	for (uint8_t i = 0; i < r->n_by; i++) {
		fputs(i == 0 ? " by " : ", ", f);
		put_escaped(f, l->processes.text[r->by[i]]);
	}
	fputs(r->more_by ? ", ...\n" : "\n", f);
	if (r->names > 0)
		fprintf(f, "\t\t# %u names: %s\n", r->names, r->some);
}

static void
put_group(FILE *f, const struct learn *l, const struct rules_list *list, enum learn_kind kind,
    const char *title)
{
	bool said = false;

	for (size_t i = 0; i < list->n; i++) {
		if (list->at[i].gone || list->at[i].kind != kind)
			continue;
		if (!said)
			fprintf(f, "\t# %s\n", title);
		said = true;
		put_rule(f, l, &list->at[i]);
	}
}

static void
put_head(FILE *f, const struct learn *l, const json_t *facts)
{
	fputs("# What a run of childflow needed; anything else is refused.\n", f);
	put_command(f, facts);
	fprintf(f, "# It made %llu connections and asked for names %llu times.\n",
	    (unsigned long long)l->connections, (unsigned long long)l->lookups);
	if (facts == NULL)
		fputs("# It did not end by itself: more may be needed.\n", f);
	if (l->keys.floor > 0)
		fprintf(f, "# It went to more than %d destinations: the rarest are missing.\n", LEARN_MAX);
}

char *
profile_render(const struct learn *l, const json_t *facts, unsigned threshold)
{
	struct rules_list list = { 0 };
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	bool ok = f != NULL && rules_gather(l, threshold, &list);

	if (ok) {
		put_head(f, l, facts);
		fputs("\ndefault_policy = \"deny\"\nallow = [\n", f);
		put_group(f, l, &list, LEARN_NAME, "names");
		put_group(f, l, &list, LEARN_ADDRESS, "addresses without a name");
		put_group(f, l, &list, LEARN_LOOKUP, "only looked up, never connected to");
		fputs("]\n", f);
	}
	free(list.at);
	if (f != NULL && fclose(f) == 0 && ok)
		return out;
	free(out);
	return NULL;
}

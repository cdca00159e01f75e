/*
 * poldiff.c - compare two policies by what they judge; see poldiff.h.  Pure but for memory.
 *
 * Rules are not compared as texts: two lists may say the same in other words.  Where either policy
 * has a boundary - a network's ends, a port range's - the world is cut, so that within
 * a piece both judge everything alike; one flow of each piece is judged by both.  Addresses
 * are judged without a name, names with an address that no rule is about.
 *
 * Not looked at: IPv6 addresses that stand for IPv4 ones (they are judged as those are), and a
 * name together with an address that another rule is about.
 *
 * SPDX-License-Identifier: MIT
 */
#include "poldiff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known.h"

#define CUTS_MAX	600		/* of ports and protocols */
#define OTHER_NAME	"any-other-name.invalid"

struct cuts {
	uint32_t	at[CUTS_MAX];	/* selectors that begin a piece, in order */
	size_t		n;
};
struct place {
	struct addr	addr;		/* that begins a piece */
};
struct compare {
	const struct poldiff_side *a, *b;
	struct cuts	 cuts;
	struct place	*place;
	size_t		 nplaces, room;
	struct addr	 neutral;
	char		*base_allowed, *base_refused;	/* of what no rule is about */
	json_t		*allowed, *refused;
	const char	*why;
};

/* ---- ports and protocols ---- */

static bool
cut_add(struct cuts *c, uint32_t selector)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i] == selector)
			return true;
	if (c->n == CUTS_MAX)
		return false;
	c->at[c->n++] = selector;
	return true;
}

static int
cut_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
cuts_of_side(struct cuts *c, const struct poldiff_side *side)
{
	for (size_t i = 0; i < side->n; i++)
		for (size_t j = 0; j < side->rule[i].n_ranges; j++)
			if (!cut_add(c, side->rule[i].range[j].lo) ||
			    !cut_add(c, side->rule[i].range[j].hi + 1))
				return false;
	return true;
}

static bool
cuts_make(struct compare *c)
{
	const uint32_t ends[] = { RULE_SELECTOR(RULE_TCP, 1), RULE_SELECTOR(RULE_UDP, 0),
	    RULE_SELECTOR(RULE_UDP, 1), RULE_SELECTOR(RULE_ICMP, 0), RULE_SELECTOR_LAST + 1 };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		cut_add(&c->cuts, ends[i]);
	c->why = "the rules have too many different ports";
	if (!cuts_of_side(&c->cuts, c->a) || !cuts_of_side(&c->cuts, c->b))
		return false;
	qsort(c->cuts.at, c->cuts.n, sizeof(c->cuts.at[0]), cut_order);
	return true;
}

/* "tcp 1-65535, udp 53": a range that is of one protocol. */
static void
range_put(FILE *f, uint32_t lo, uint32_t hi, const char *separator)
{
	static const char *const names[] = { [RULE_TCP] = "tcp", [RULE_UDP] = "udp",
	    [RULE_ICMP] = "icmp" };
	enum rule_proto proto = (enum rule_proto)(lo >> 16);

	fprintf(f, "%s%s", separator, names[proto]);
	if (proto == RULE_ICMP || ((lo & 0xffff) <= 1 && (hi & 0xffff) == 0xffff))
		return;
	fprintf(f, " %u", lo & 0xffff);
	if (hi != lo)
		fprintf(f, "-%u", hi & 0xffff);
}

/* ---- judging ---- */

static bool
allows(const struct poldiff_side *side, const struct addr *dst, uint32_t selector, const char *name)
{
	struct rules_flow flow = { .dst = *dst, .proto = (enum rule_proto)(selector >> 16),
	    .names = &name, .n_names = name != NULL };
	struct rules_verdict v;

	flow.dst.port = (uint16_t)(selector & 0xffff);
	return rules_judge(&side->rules, &flow, &v);
}

/* What `more` allows here and `less` does not, as words; heap, "" where there is nothing. */
static char *
gain(const struct compare *c, const struct poldiff_side *less, const struct poldiff_side *more,
    const struct addr *dst, const char *name)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	uint32_t start = 0, end = 0;
	bool open = false, said = false;

	for (size_t i = 0; f != NULL && i + 1 < c->cuts.n; i++) {
		uint32_t at = c->cuts.at[i];
		bool gained = at >> 16 < RULE_PROTOS && (at >> 16 == RULE_ICMP || (at & 0xffff) != 0) &&
		    allows(more, dst, at, name) && !allows(less, dst, at, name);

		if (open && (!gained || at >> 16 != start >> 16)) {
			range_put(f, start, end, said ? ", " : "");
			said = true;
			open = false;
		}
		if (gained && !open) {
			start = at;
			open = true;
		}
		end = c->cuts.at[i + 1] - 1;
		if (end >> 16 != at >> 16)
			end = at | 0xffff;
	}
	if (open)
		range_put(f, start, end, said ? ", " : "");
	return f != NULL && fclose(f) == 0 ? out : NULL;
}

/* ---- what is said ---- */

static void
say(json_t *list, const char *what, const char *ports)
{
	if (*ports != '\0')
		json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "ports", ports));
}

/* A piece of the world where both may differ; said only where it is not as everywhere. */
static bool
look(struct compare *c, const char *what, const struct addr *dst, const char *name)
{
	char *allowed = gain(c, c->a, c->b, dst, name), *refused = gain(c, c->b, c->a, dst, name);
	bool ok = allowed != NULL && refused != NULL;

	if (ok && strcmp(allowed, c->base_allowed) != 0)
		say(c->allowed, what, *allowed != '\0' ? allowed : "");
	if (ok && strcmp(refused, c->base_refused) != 0)
		say(c->refused, what, *refused != '\0' ? refused : "");
	free(allowed);
	free(refused);
	return ok;
}

static bool
bases_make(struct compare *c)
{
	char *allowed = gain(c, c->a, c->b, &c->neutral, OTHER_NAME),
	    *refused = gain(c, c->b, c->a, &c->neutral, OTHER_NAME);

	if (allowed == NULL || refused == NULL) {
		free(allowed);
		free(refused);
		return false;
	}
	c->base_allowed = allowed;
	c->base_refused = refused;
	say(c->allowed, "anything else", allowed);
	say(c->refused, "anything else", refused);
	return true;
}

/* ---- addresses ---- */

static bool
place_add(struct compare *c, const struct addr *a)
{
	void *p;

	if (c->nplaces == c->room) {
		c->room = c->room == 0 ? 256 : 2 * c->room;
		if ((p = reallocarray(c->place, c->room, sizeof(*c->place))) == NULL)
			return false;
		c->place = p;
	}
	c->place[c->nplaces] = (struct place){ .addr = *a };
	c->place[c->nplaces++].addr.port = 0;
	return true;
}

/* The last address of a network, and the one behind it; false: there is none. */
static struct addr
last_of(struct addr net, unsigned bits)
{
	for (unsigned i = bits; i < 8 * addr_iplen(&net); i++)
		net.ip[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return net;
}

static bool
step(struct addr *a, int by)
{
	for (size_t i = addr_iplen(a); i-- > 0; ) {
		a->ip[i] = (uint8_t)(a->ip[i] + by);
		if (a->ip[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

static bool
net_add(struct compare *c, const struct addr *net, unsigned bits)
{
	struct addr behind = last_of(*net, bits);

	return place_add(c, net) && (!step(&behind, 1) || place_add(c, &behind));
}

static int
place_order(const void *a, const void *b)
{
	const struct addr *x = &((const struct place *)a)->addr, *y = &((const struct place *)b)->addr;

	return x->family != y->family ? x->family - y->family : memcmp(x->ip, y->ip, 16);
}

static bool
is_inside(const struct addr *a, const struct addr *net, unsigned bits)
{
	struct addr last = last_of(*net, bits);

	return a->family == net->family && memcmp(a->ip, net->ip, 16) >= 0 &&
	    memcmp(a->ip, last.ip, 16) <= 0;
}

static bool
in_a_rule(const struct poldiff_side *side, const struct addr *a)
{
	for (size_t i = 0; i < side->n; i++)
		if (side->rule[i].target == RULETEXT_NET &&
		    is_inside(a, &side->rule[i].net, side->rule[i].bits))
			return true;
	return false;
}

static bool
known_net(const struct known *k, struct addr *net)
{
	return k->net != NULL && addr_parse(k->net, 0, net);
}

static bool
is_neutral(const struct compare *c, const struct addr *a)
{
	struct addr net;

	for (size_t i = 0; i < known_nrows; i++)
		if (known_net(&known_rows[i], &net) && is_inside(a, &net, known_rows[i].bits))
			return false;
	return !in_a_rule(c->a, a) && !in_a_rule(c->b, a);
}

static bool
places_make(struct compare *c)
{
	const struct poldiff_side *sides[] = { c->a, c->b };
	struct addr net, zero4 = { .family = 4 }, zero6 = { .family = 6 };
	bool ok = place_add(c, &zero4) && place_add(c, &zero6);
	size_t n = 0;

	for (size_t i = 0; i < known_nrows; i++)
		if (known_net(&known_rows[i], &net))
			ok = ok && net_add(c, &net, known_rows[i].bits);
	for (size_t s = 0; s < 2; s++)
		for (size_t i = 0; ok && i < sides[s]->n; i++)
			if (sides[s]->rule[i].target == RULETEXT_NET)
				ok = net_add(c, &sides[s]->rule[i].net, sides[s]->rule[i].bits);
	if (!ok)
		return false;
	qsort(c->place, c->nplaces, sizeof(*c->place), place_order);
	for (size_t i = 0; i < c->nplaces; i++)
		if (n == 0 || place_order(&c->place[n - 1], &c->place[i]) != 0)
			c->place[n++] = c->place[i];
	c->nplaces = n;
	addr_parse("1.0.0.0", 0, &c->neutral);
	for (size_t i = 0; i < n; i++)
		if (is_neutral(c, &c->place[i].addr)) {
			c->neutral = c->place[i].addr;
			break;
		}
	return true;
}

static void
span_str(const struct compare *c, size_t from, size_t to, char buf[2 * ADDR_STRLEN + 2])
{
	struct addr last = { .family = c->place[from].addr.family };
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	memset(last.ip, 0xff, addr_iplen(&last));
	if (to < c->nplaces && c->place[to].addr.family == last.family) {
		last = c->place[to].addr;
		step(&last, -1);
	}
	addr_ip_str(&c->place[from].addr, a);
	addr_ip_str(&last, b);
	snprintf(buf, 2 * ADDR_STRLEN + 2, strcmp(a, b) != 0 ? "%s-%s" : "%s", a, b);
}

/* Neighbours with the same difference are one. */
static bool
addresses_look(struct compare *c)
{
	char what[2 * ADDR_STRLEN + 2];
	size_t end;
	bool ok = true;

	for (size_t i = 0; ok && i < c->nplaces; i = end) {
		const struct addr *at = &c->place[i].addr;
		char *allowed = gain(c, c->a, c->b, at, NULL), *refused = gain(c, c->b, c->a, at, NULL);

		ok = allowed != NULL && refused != NULL;
		for (end = i + 1; ok && end < c->nplaces && c->place[end].addr.family == at->family;
		    end++) {
			char *p = gain(c, c->a, c->b, &c->place[end].addr, NULL),
			    *q = gain(c, c->b, c->a, &c->place[end].addr, NULL);
			bool same = p != NULL && q != NULL && strcmp(p, allowed) == 0 &&
			    strcmp(q, refused) == 0;

			free(p);
			free(q);
			if (!same)
				break;
		}
		span_str(c, i, end, what);
		ok = ok && look(c, what, at, NULL);
		free(allowed);
		free(refused);
	}
	return ok;
}

/* ---- names ---- */

static int
text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names that rules are about, and for those that are about more, one below. */
static bool
names_look(struct compare *c)
{
	const struct poldiff_side *sides[] = { c->a, c->b };
	char **name = calloc(c->a->n + c->b->n + 1, sizeof(*name)), below[NAME_TEXT_MAX + 32],
	    what[NAME_TEXT_MAX + 32];
	size_t n = 0;
	bool ok = name != NULL;

	for (size_t s = 0; ok && s < 2; s++)
		for (size_t i = 0; i < sides[s]->n; i++)
			if (sides[s]->rule[i].target == RULETEXT_NAME)
				name[n++] = sides[s]->rule[i].name;
	if (n > 0)
		qsort(name, n, sizeof(*name), text_order);
	for (size_t i = 0; ok && i < n; i++) {
		if (i > 0 && strcmp(name[i], name[i - 1]) == 0)
			continue;
		ok = look(c, name[i], &c->neutral, name[i]);
		snprintf(below, sizeof(below), "any-other.%s", name[i]);
		snprintf(what, sizeof(what), "*.%s", name[i]);
		ok = ok && (strlen(below) > NAME_TEXT_MAX || look(c, what, &c->neutral, below));
	}
	free(name);
	return ok;
}

json_t *
poldiff(const struct poldiff_side *a, const struct poldiff_side *b, const char **why)
{
	struct compare c = { .a = a, .b = b, .allowed = json_array(), .refused = json_array() };
	json_t *out = NULL;

	if (cuts_make(&c)) {
		c.why = "out of memory";
		if (places_make(&c) && bases_make(&c) && names_look(&c) && addresses_look(&c))
			out = json_pack("{s:O, s:O}", "allowed", c.allowed, "refused", c.refused);
	}
	*why = c.why;
	json_decref(c.allowed);
	json_decref(c.refused);
	free(c.place);
	free(c.base_allowed);
	free(c.base_refused);
	return out;
}

static void
list_put(FILE *f, const json_t *list, const char *title)
{
	json_t *v;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	fprintf(f, "%s:\n", title);
	json_array_foreach(list, i, v) {
		fprintf(f, "  %s: %s\n", json_string_value(json_object_get(v, "what")),
		    json_string_value(json_object_get(v, "ports")));
	}
}

char *
poldiff_text(const json_t *diff)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	list_put(f, json_object_get(diff, "allowed"), "newly allowed");
	list_put(f, json_object_get(diff, "refused"), "newly refused");
	return fclose(f) == 0 ? out : NULL;
}

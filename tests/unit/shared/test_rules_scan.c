/*
 * test_rules_scan.c - random rules and questions, judged twice: by rules.h, and by a scan.
 *
 * The scan is slow and plain: it goes through the rules in the order of the page, one by
 * one, and knows neither tries nor hashes nor compiled ranges.  It does not read texts
 * either: a random rule is made as a struct, and its text is written from that.
 * Worlds are small, so that rules and questions meet often.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../main.h"
#include "cidr.h"
#include "forms.h"
#include "known.h"
#include "rulebook.h"

enum { RULES = 40, QUESTIONS = 400, WORLDS = 15, SEEDS = 20 };

struct spec {
	enum rules_source source;
	enum ruletext_target target;
	bool		 self, below;
	char		 name[64];
	struct addr	 net;
	unsigned	 bits;
	int		 proto;			/* -1: any */
	unsigned	 lo, hi;		/* 0: no ports given */
};

struct world {
	unsigned	 flags;
	struct spec	 spec[RULES];
	size_t		 n, known;		/* rules of known.c come first */
};

static uint64_t	state;

static uint32_t
rnd(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull >> 32) * n >> 32);
}

/* ---- random things ---- */

static void
name_random(char out[64])
{
	static const char *const labels[] = { "a", "b", "c", "x_1", "xn--p1ai" };
	size_t n = 0;

	for (uint32_t i = rnd(3) + 1; i > 0; i--)
		n += (size_t)snprintf(out + n, 64 - n, "%s%s", n > 0 ? "." : "", labels[rnd(5)]);
	if (rnd(40) == 0)
		strcpy(out, "metadata.google.internal");
}

static struct addr
addr_random(void)
{
	static const char *const starts[] = { "::ffff:0.0.0.0", "64:ff9b::", "64:ff9b:1::", "2002::",
	    "2001::", "2001:db8::5efe:0.0.0.0", "2001:db8::", "fd00::", "::", "fe80::" };
	static const uint8_t bytes[] = { 0, 1, 10, 127, 169, 254, 192, 168, 255 };
	struct addr a;

	if (rnd(2) == 0) {
		a = (struct addr){ .family = 4 };
		for (int i = 0; i < 4; i++)
			a.ip[i] = bytes[rnd(sizeof(bytes))];
		return a;
	}
	ck_assert(addr_parse(starts[rnd(COUNT(starts))], 0, &a));
	for (int i = 0; i < 16; i++)
		if (i >= 12 || rnd(4) == 0)
			a.ip[i] |= bytes[rnd(sizeof(bytes))];
	return a;
}

static void
net_random(struct spec *s)
{
	struct addr forms[FORMS_MAX];

	s->net = addr_random();
	s->bits = rnd((uint32_t)addr_iplen(&s->net) * 8 + 1);
	cidr_mask(&s->net, s->bits);
	forms_of(&s->net, forms);
	if (s->net.family == 6 && s->bits >= 96 && forms[0].family == 4) {
		s->net = forms[0];			/* as rules keep it */
		s->bits -= 96;
	}
}

static void
spec_random(struct spec *s)
{
	const struct rules_source_row *row;

	*s = (struct spec){ .source = (enum rules_source)(1 + rnd(RULES_DENY)), .proto = -1 };
	row = &rules_sources[s->source];
	name_random(s->name);
	net_random(s);
	s->target = row->kind == RULETEXT_CIDR ? RULETEXT_NET :
	    row->kind != RULETEXT_FULL ? RULETEXT_NAME : (enum ruletext_target)rnd(3);
	s->self = row->kind != RULETEXT_FULL || rnd(3) > 0;
	s->below = row->kind == RULETEXT_DOMAIN ||
	    (row->kind == RULETEXT_FULL && (!s->self || rnd(2) == 0));
	if (row->kind != RULETEXT_FULL)
		return;
	s->proto = (int)rnd(4) - 1;
	if (s->proto != RULE_ICMP && rnd(3) > 0) {
		s->lo = 1 + rnd(6);
		s->hi = s->lo + rnd(4);
	}
	/* "*" for everything would leave no question open. */
	if (s->target == RULETEXT_ANY && s->lo == 0)
		s->lo = s->hi = 3, s->proto = s->proto == RULE_ICMP ? -1 : s->proto;
}

static void
spec_text(const struct spec *s, char *out, size_t room)
{
	static const char *const protos[] = { "/tcp", "/udp", "/icmp" };
	char net[ADDR_STRLEN], ports[32] = "";
	bool full = rules_sources[s->source].kind == RULETEXT_FULL;

	if (s->lo != 0 && s->lo == s->hi)
		snprintf(ports, sizeof(ports), ":%u", s->lo);
	else if (s->lo != 0)
		snprintf(ports, sizeof(ports), ":%u-%u", s->lo, s->hi);
	if (s->target == RULETEXT_NET)
		snprintf(out, room, "%s", ruletext_net_str(&s->net, s->bits, net));
	else if (s->target == RULETEXT_ANY)
		snprintf(out, room, "*");
	else
		snprintf(out, room, "%s%s", !full || !s->below ? "" : s->self ? "." : "*.", s->name);
	strcat(out, ports);
	if (s->proto >= 0)
		strcat(out, protos[s->proto]);
}

/* ---- the scan ---- */

static bool
net_covers(const struct addr *net, unsigned bits, struct addr a)
{
	a.port = net->port;
	cidr_mask(&a, bits);
	return addr_equal(net, &a);
}

static bool
spec_port(const struct spec *s, enum rule_proto proto, unsigned port)
{
	if (s->proto >= 0 && s->proto != (int)proto)
		return false;
	return s->lo == 0 || (proto != RULE_ICMP && port >= s->lo && port <= s->hi);
}

static bool
spec_name(const struct spec *s, const char *name)
{
	size_t n = strlen(name), m = strlen(s->name);

	if (strcmp(name, s->name) == 0)
		return s->self;
	return s->below && n > m + 1 && name[n - m - 1] == '.' && strcmp(name + n - m, s->name) == 0;
}

static bool
spec_addr(const struct spec *s, const struct addr *a, bool allow)
{
	struct addr forms[FORMS_MAX];
	size_t n = forms_of(a, forms);

	for (size_t i = 0; i < (allow ? 1 : n); i++)
		if (net_covers(&s->net, s->bits, forms[i]))
			return true;
	return false;
}

/* A row of known.c for this flow. */
static bool
known_hits(const struct known *k, const struct rules_flow *f)
{
	struct spec s = { .bits = k->bits };

	for (size_t i = 0; i < f->n_names && k->name != NULL; i++)
		if (strcmp(f->names[i], k->name) == 0)
			return true;
	if (k->name != NULL)
		return false;
	ck_assert(addr_parse(k->net, 0, &s.net));
	return spec_addr(&s, &f->dst, false);
}

static bool
spec_hits(const struct spec *s, const struct rules_flow *f, bool allow)
{
	if (!spec_port(s, f->proto, f->dst.port))
		return false;
	if (s->target == RULETEXT_ANY)
		return true;
	if (s->target == RULETEXT_NET)
		return spec_addr(s, &f->dst, allow);
	for (size_t i = 0; i < f->n_names; i++)
		if (spec_name(s, f->names[i]))
			return true;
	return false;
}

/* What the scan found: a word, and which rule. */
struct scan {
	const char	*word;
	size_t		 rule;
};

/* The first rule of this kind that covers the flow. */
static bool
scan_rank(const struct world *w, const struct rules_flow *f, bool allow,
    enum ruletext_target target, int below, struct scan *out)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct spec *s = &w->spec[i];

		if (rules_sources[s->source].allow != allow || s->target != target ||
		    (below >= 0 && s->below != below) || !spec_hits(s, f, allow))
			continue;
		out->rule = w->known + i;
		out->word = allow ? target == RULETEXT_NAME ? "name" : "address" :
		    rules_sources[s->source].code;
		return true;
	}
	return false;
}

static struct scan
scan_flow(const struct world *w, const struct rules_flow *f)
{
	static const struct { enum known_group group; unsigned flag; } groups[] = {
		{ KNOWN_NEVER, 0 }, { KNOWN_METADATA, RULES_BLOCK_METADATA },
		{ KNOWN_PRIVATE, RULES_BLOCK_PRIVATE },
	};
	struct scan got = { "offline", RULES_NONE };

	if (w->flags & RULES_OFFLINE)
		return got;
	for (size_t g = 0; g < COUNT(groups); g++)
		for (size_t i = 0; i < known_nrows; i++)
			if (known_rows[i].group == groups[g].group && known_hits(&known_rows[i], f) &&
			    (groups[g].flag == 0 || (w->flags & groups[g].flag))) {
				got.word = known_rows[i].code;
				return got;		/* which row is not compared */
			}
	if (scan_rank(w, f, false, RULETEXT_NET, -1, &got) ||
	    scan_rank(w, f, false, RULETEXT_NAME, 0, &got) ||
	    scan_rank(w, f, false, RULETEXT_NAME, 1, &got) ||
	    scan_rank(w, f, false, RULETEXT_ANY, -1, &got))
		return got;
	got.word = "proxy_only";
	if ((w->flags & RULES_PROXY_ONLY) && !f->proxied)
		return got;
	if (scan_rank(w, f, true, RULETEXT_NET, -1, &got) ||
	    scan_rank(w, f, true, RULETEXT_ANY, -1, &got) ||
	    ((w->flags & RULES_DEFAULT_DENY) && scan_rank(w, f, true, RULETEXT_NAME, -1, &got)))
		return got;
	got.word = w->flags & RULES_DEFAULT_DENY ? "default_deny" : "default";
	return got;
}

/* ---- comparing ---- */

static const char *
word_of(const struct rules *r, const struct rules_verdict *v, const struct rules_flow *f)
{
	static const char *const by[] = { "default", "address", "name" };
	struct rules_words words;

	rules_explain(r, v, f, NULL, &words);
	return v->allowed ? by[v->by] : words.reason_code;
}

static void
question(const struct world *w, const struct rules *r)
{
	char text[3][64];
	const char *names[3] = { text[0], text[1], text[2] };
	struct rules_flow f = { .dst = addr_random(), .proto = (enum rule_proto)rnd(3), .names = names,
	    .n_names = rnd(4), .proxied = rnd(2) };
	struct rules_verdict v;
	struct scan want;
	const char *got;

	for (int i = 0; i < 3; i++)
		name_random(text[i]);
	f.dst.port = (uint16_t)(f.proto == RULE_ICMP ? 0 : 1 + rnd(10));
	rules_judge(r, &f, &v);
	want = scan_flow(w, &f);
	got = word_of(r, &v, &f);
	ck_assert_msg(strcmp(got, want.word) == 0, "%s, not %s", got, want.word);
	if (want.rule != RULES_NONE)
		ck_assert_uint_eq(v.rule, want.rule);
}

static void *
world_compile(const struct world *w, struct rules *r)
{
	uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *b = rulebook_new(w->flags);
	struct rulebook_error err;
	const char *why;
	char text[160];
	size_t len;
	void *buf;

	for (size_t i = 0; i < w->n; i++) {
		spec_text(&w->spec[i], text, sizeof(text));
		ck_assert_msg(rulebook_add(b, w->spec[i].source, text, &err), "%s", err.text);
	}
	ck_assert_ptr_nonnull(buf = rulebook_compile(b, seed, &len, &why));
	why = rules_load(buf, len, r);
	ck_assert_msg(why == NULL, "%s", why);
	rulebook_free(b);
	return buf;
}

static void
world_of_flows(void)
{
	static struct world w;
	struct rules r;
	void *buf;

	w.flags = rnd(20) == 0 ? RULES_OFFLINE : 0;
	w.flags |= rnd(32) << 1 & (RULES_BLOCK_METADATA | RULES_BLOCK_PRIVATE | RULES_DEFAULT_DENY);
	w.flags |= rnd(4) == 0 ? RULES_PROXY_ONLY : 0;
	w.n = 0;
	buf = world_compile(&w, &r);
	w.known = rules_count(&r);
	free(buf);
	for (w.n = 0; w.n < rnd(RULES) + 1; w.n++)
		spec_random(&w.spec[w.n]);
	buf = world_compile(&w, &r);
	for (int q = 0; q < QUESTIONS; q++)
		question(&w, &r);
	free(buf);
}

START_TEST(compiled_rules_judge_as_a_scan_does)
{
	state = (uint64_t)_i * 2654435761u + 88172645463325252ull;
	for (int i = 0; i < WORLDS; i++)
		world_of_flows();
}
END_TEST

/* A name may be asked for exactly where some flow for it could be allowed, or the default does. */
static bool
scan_name(const struct world *w, const char *name)
{
	bool allowed = !(w->flags & RULES_DEFAULT_DENY);

	if ((w->flags & RULES_OFFLINE) ||
	    ((w->flags & RULES_BLOCK_METADATA) && strcmp(name, "metadata.google.internal") == 0))
		return false;
	for (size_t i = 0; i < w->n; i++) {
		const struct spec *s = &w->spec[i];
		bool hit = s->target == RULETEXT_ANY || (s->target == RULETEXT_NAME && spec_name(s, name));

		if (hit && !rules_sources[s->source].allow && s->lo == 0 && s->proto < 0)
			return false;
		if (hit && rules_sources[s->source].allow)
			allowed = true;
	}
	return allowed && !(w->flags & RULES_PROXY_ONLY);
}

static void
world_of_names(void)
{
	static struct world w;
	struct rules_verdict v;
	struct rules r;
	char name[64];
	void *buf;

	w.flags = (rnd(2) ? RULES_DEFAULT_DENY : 0) | (rnd(2) ? RULES_BLOCK_METADATA : 0) |
	    (rnd(9) == 0 ? RULES_PROXY_ONLY : 0);
	/* Few, so that no two refusals make a whole one together. */
	for (w.n = 0; w.n < rnd(8) + 1; w.n++) {
		spec_random(&w.spec[w.n]);
		if (!rules_sources[w.spec[w.n].source].allow)
			w.spec[w.n].proto = w.spec[w.n].proto >= 0 ? RULE_TCP : -1;
	}
	buf = world_compile(&w, &r);
	for (int q = 0; q < QUESTIONS; q++) {
		name_random(name);
		ck_assert_msg(rules_judge_name(&r, name, false, &v) == scan_name(&w, name), "%s", name);
	}
	free(buf);
}

START_TEST(compiled_rules_judge_names_as_a_scan_does)
{
	state = (uint64_t)_i * 40503u + 7;
	for (int i = 0; i < WORLDS; i++)
		world_of_names();
}
END_TEST

/* ---- many ---- */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* n rules, a third networks, the rest names, half of those with a port; as a file. */
static char *
list_make(unsigned n, size_t *len)
{
	char *text = malloc(n * 64), *p = text;

	for (unsigned i = 0; i < n; i++)
		switch (i % 3) {
		case 0:
			p += sprintf(p, "%u.%u.%u.0/24:443\n", 1 + i % 100, i / 100 % 256, i / 25600);
			break;
		case 1:
			p += sprintf(p, "*.h%u.example%u.com\n", i, i % 97);
			break;
		default:
			p += sprintf(p, "www.h%u.example.org:443/tcp\n", i);
		}
	*len = (size_t)(p - text);
	return text;
}

/* Average nanoseconds of a judgement, over flows that match and flows that do not. */
static double
lookups_time(const struct rules *r, unsigned n, unsigned *allowed)
{
	enum { ROUNDS = 200000 };
	char name[64];
	const char *names[] = { name };
	struct rules_flow f = { .names = names, .n_names = 1 };
	struct rules_verdict v;
	double start;

	addr_parse("203.0.113.1:443", 0, &f.dst);
	start = now();
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned k = (unsigned)((uint64_t)i * 2654435761u % n);

		snprintf(name, sizeof(name), i % 2 ? "a.b.h%u.example%u.com" : "www.h%u.example.org",
		    k, k % 97);
		f.dst.ip[0] = (uint8_t)(150 + k % 50);
		*allowed += rules_judge(r, &f, &v);
	}
	return (now() - start) / ROUNDS * 1e9;
}

START_TEST(many_rules_load_and_judge)
{
	static const unsigned sizes[] = { 10, 1000, 50000 };
	static const uint8_t seed[SIPHASH_KEY_LEN] = "many";
	unsigned n = sizes[_i], allowed = 0;
	struct rulebook *b = rulebook_new(RULES_DEFAULT_DENY);
	struct rulebook_error err;
	const char *why;
	struct rules r;
	size_t text_len, len;
	char *text = list_make(n, &text_len);
	double t[4];
	void *buf;

	t[0] = now();
	ck_assert_msg(rulebook_add_file(b, RULES_ALLOW_FILE, "list", text,
	    text_len, &err), "%s", err.text);
	t[1] = now();
	ck_assert_ptr_nonnull(buf = rulebook_compile(b, seed, &len, &why));
	t[2] = now();
	ck_assert_ptr_null(rules_load(buf, len, &r));
	t[3] = now();
	ck_assert_uint_ge(rules_count(&r), n);
	printf("%u rules: read %.1f ms, compiled %.1f ms, %zu KiB, loaded %.1f ms, ", n,
	    (t[1] - t[0]) * 1e3, (t[2] - t[1]) * 1e3, len / 1024, (t[3] - t[2]) * 1e3);
	printf("judged in %.0f ns\n", lookups_time(&r, n, &allowed));
	fflush(stdout);
	ck_assert_uint_gt(allowed, 50000);	/* about a third of either kind */
	ck_assert_uint_lt(allowed, 100000);
	free(text);
	free(buf);
	rulebook_free(b);
}
END_TEST

/* However the ranges of one target overlap, compiling stays near linear. */
START_TEST(many_rules_for_one_target_compile)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = "one";
	struct rulebook *b = rulebook_new(0);
	struct rulebook_error err;
	struct rules_flow f = { .proto = RULE_UDP };
	struct rules_verdict v;
	struct rules r;
	const char *why;
	char text[64];
	size_t len;
	void *buf;

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof(text), "*:%u-%u/udp", 1 + i, 65535 - i);
		ck_assert_msg(rulebook_add(b, RULES_DENY, text, &err), "%s", err.text);
	}
	ck_assert_ptr_nonnull(buf = rulebook_compile(b, seed, &len, &why));
	ck_assert_ptr_null(rules_load(buf, len, &r));
	addr_parse("203.0.113.1:1", 0, &f.dst);
	ck_assert(!rules_judge(&r, &f, &v));
	f.proto = RULE_TCP;
	ck_assert(rules_judge(&r, &f, &v));
	free(buf);
	rulebook_free(b);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("rules_scan");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, compiled_rules_judge_as_a_scan_does, 0, SEEDS);
	tcase_add_loop_test(tc, compiled_rules_judge_names_as_a_scan_does, 0, SEEDS);
	tcase_add_loop_test(tc, many_rules_load_and_judge, 0, 3);
	tcase_add_test(tc, many_rules_for_one_target_compile);
	return unit_run("rules_scan", tc);
}

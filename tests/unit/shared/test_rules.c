/*
 * test_rules.c - verdicts: each rank against the next, words, names, damaged generations.
 *
 * A row is a list of rules as on a command line, one thing that is asked, and the verdict.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "name.h"
#include "rulebook.h"
#include "rules_flat.h"

static const uint8_t	seed[SIPHASH_KEY_LEN] = "0123456789abcdef";

static const struct { const char *option; unsigned flag; } switches[] = {
	{ "--offline", RULES_OFFLINE }, { "--block-metadata", RULES_BLOCK_METADATA },
	{ "--block-private", RULES_BLOCK_PRIVATE }, { "--default-deny", RULES_DEFAULT_DENY },
	{ "--proxy-only", RULES_PROXY_ONLY }, { "--open-loopback", RULEBOOK_OPEN_LOOPBACK },
};

static unsigned
switches_of(const char *line)
{
	unsigned flags = 0;

	for (size_t i = 0; i < COUNT(switches); i++)
		if (strstr(line, switches[i].option) != NULL)
			flags |= switches[i].flag;
	return flags;
}

static void
option_add(struct rulebook *b, const char *option, const char *value)
{
	struct rulebook_error err;

	for (int i = 0; i < RULES_SOURCES; i++)
		if (strcmp(rules_sources[i].option, option) == 0) {
			ck_assert_msg(rulebook_add(b, (enum rules_source)i, value, &err), "%s", err.text);
			return;
		}
	ck_abort_msg("no option %s", option);
}

/* "--deny-cidr 10.0.0.0/8 --offline": a compiled generation. */
static void *
generation(const char *line, struct rules *out)
{
	struct rulebook *b = rulebook_new(switches_of(line));
	char copy[512], *word, *save, *value;
	const char *why;
	size_t len;
	void *buf;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		bool is_switch = false;

		for (size_t i = 0; i < COUNT(switches); i++)
			is_switch = is_switch || strcmp(word, switches[i].option) == 0;
		if (is_switch)
			continue;
		value = strtok_r(NULL, " ", &save);
		ck_assert_ptr_nonnull(value);
		option_add(b, word, value);
	}
	buf = rulebook_compile(b, seed, &len, &why);
	ck_assert_msg(buf != NULL, "%s", why);
	ck_assert_ptr_null(rules_load(buf, len, out));
	rulebook_free(b);
	return buf;
}

/* "tcp 10.0.0.1:80 name name": a flow.  Names point into text. */
static struct rules_flow
flow_of(char *text, const char *names[4])
{
	struct rules_flow f = { .names = names };
	char *save, *proto = strtok_r(text, " ", &save), *dst = strtok_r(NULL, " ", &save);

	f.proto = strcmp(proto, "udp") == 0 ? RULE_UDP : strcmp(proto, "icmp") == 0 ? RULE_ICMP : RULE_TCP;
	f.proxied = strcmp(proto, "proxied") == 0;
	ck_assert(addr_parse(dst, 0, &f.dst));
	while ((names[f.n_names] = strtok_r(NULL, " ", &save)) != NULL)
		f.n_names++;
	return f;
}

#define NAME_RULE	"allowed name"
#define BY_ADDR		"allowed address"
#define DEFAULT		"allowed default"

static const struct {
	const char	*rules, *asked, *verdict;
} rows[] = {
	/* nothing given */
	{ "", "tcp 8.8.8.8:53", DEFAULT }, { "", "name example.com", DEFAULT },
	{ "", "tcp 127.0.0.1:80", "loopback" }, { "", "tcp [::ffff:127.0.0.1]:80", "loopback" },
	{ "", "tcp [2001:0:808:808:0:0:80ff:fffe]:80", "loopback" },	/* Teredo client */
	{ "", "udp 224.0.0.251:5353", "multicast" }, { "", "icmp 255.255.255.255", "broadcast" },
	{ "", "tcp 0.0.0.0:1", "unspecified" }, { "", "tcp [fe80::1]:1", "link_local" },
	{ "", "tcp 192.0.0.1:1", "inside" },
	{ "--open-loopback", "tcp 127.0.0.1:80", DEFAULT },
	{ "--open-loopback", "tcp [fe80::1]:80", "link_local" },

	/* each rank before the next */
	{ "--offline --allow-cidr 0.0.0.0/0", "tcp 127.0.0.1:1", "offline" },
	{ "--offline --allow a", "name a", "offline" },
	{ "--block-private --allow-cidr 0.0.0.0/0", "tcp 127.0.0.1:1", "loopback" },
	{ "--block-metadata --block-private --deny-cidr 0.0.0.0/0", "tcp 169.254.169.254:80", "metadata" },
	{ "--block-private --deny-cidr 0.0.0.0/0", "tcp 10.0.0.1:80", "private" },
	{ "--block-private --allow-cidr 10.0.0.1", "tcp 10.0.0.1:80", "private" },
	{ "--deny-domain-exact a --deny-cidr 10.0.0.0/8", "tcp 10.0.0.1:80 a", "deny_cidr" },
	{ "--deny-domain a --deny-domain-exact a", "tcp 10.0.0.1:80 a", "deny_domain_exact" },
	{ "--deny *:80 --deny-domain a", "tcp 10.0.0.1:80 a", "deny_domain" },
	/* who does not know the names refuses what no name can make right, and no more */
	{ "--offline --allow a", "unnamed tcp 10.0.0.1:80 a", "offline" },
	{ "--allow a --block-private", "unnamed tcp 10.0.0.1:80 a", "private" },
	{ "--allow a --deny-cidr 10.0.0.0/8", "unnamed tcp 10.0.0.1:80 a", "deny_cidr" },
	{ "--default-deny --allow a --deny *:80", "unnamed tcp 10.0.0.1:80 a", "deny_rule" },
	{ "--default-deny --allow a", "unnamed tcp 10.0.0.1:80", NAME_RULE },
	{ "--default-deny --allow a", "unnamed tcp 127.0.0.1:80 a", "loopback" },
	{ "--default-deny --allow-cidr 10.0.0.1", "unnamed tcp 10.0.0.1:80", BY_ADDR },
	{ "--default-deny --allow-cidr 10.0.0.1", "unnamed tcp 10.0.0.2:80", "default_deny" },
	{ "--default-deny --deny-domain a", "unnamed tcp 10.0.0.2:80 a", "default_deny" },
	{ "--deny-domain a", "unnamed tcp 10.0.0.2:80 a", DEFAULT },
	{ "", "unnamed tcp 10.0.0.2:80", DEFAULT },

	{ "--proxy-only --deny *:80", "tcp 10.0.0.1:80", "deny_rule" },
	{ "--proxy-only --allow-cidr 10.0.0.1", "tcp 10.0.0.1:80", "proxy_only" },
	{ "--proxy-only --allow-cidr 10.0.0.1", "proxied 10.0.0.1:80", BY_ADDR },
	{ "--default-deny --allow a --allow-cidr 10.0.0.1", "tcp 10.0.0.1:80 a", BY_ADDR },
	{ "--default-deny --allow a --allow *:80", "tcp 10.0.0.1:80 a", BY_ADDR },
	{ "--default-deny --allow a", "tcp 10.0.0.1:80 a", NAME_RULE },
	{ "--default-deny --allow a", "tcp 10.0.0.1:80 b", "default_deny" },
	{ "--default-deny --allow a", "tcp 10.0.0.1:80", "default_deny" },
	{ "--allow a", "tcp 10.0.0.1:80 a", DEFAULT },
	{ "--allow 10.0.0.1 --deny 10.0.0.0/8", "tcp 10.0.0.1:80", "deny_rule" },
	{ "--allow 10.0.0.0/8 --deny 10.0.0.1", "tcp 10.0.0.1:80", "deny_rule" },

	/* metadata and private */
	{ "--block-metadata", "tcp 169.254.170.2:80", "metadata" },
	{ "--block-metadata", "tcp [fd00:ec2::254]:80", "metadata" },
	{ "--block-metadata", "tcp [64:ff9b::a9fe:a9fe]:80", "metadata" },
	{ "--block-metadata", "tcp [2002:a9fe:a9fe::]:80", "metadata" },
	{ "--block-metadata", "tcp 168.63.129.16:80", "metadata" },
	{ "--block-metadata", "name metadata.google.internal", "metadata" },
	{ "--block-metadata", "tcp 8.8.8.8:80 metadata.google.internal", "metadata" },
	{ "--block-metadata", "name x.metadata.google.internal", DEFAULT },
	{ "--block-metadata", "answer 169.254.169.254", "metadata" },
	{ "", "tcp 169.254.169.254:80", DEFAULT }, { "", "name metadata", DEFAULT },
	{ "--block-private", "tcp 100.64.1.1:1", "private" },
	{ "--block-private", "tcp [fd00::1]:1", "private" },
	{ "--block-private", "tcp [::ffff:192.168.0.1]:1", "private" },
	{ "--block-private", "tcp [fec0::1]:1", "private" },
	{ "--block-private", "tcp 172.32.0.1:1", DEFAULT },
	{ "--block-private", "answer 10.0.0.1", "private" },
	{ "--block-private", "answer 8.8.8.8", DEFAULT },
	{ "", "answer 10.0.0.1", DEFAULT }, { "", "answer 127.0.0.1", "loopback" },

	/* ports and protocols */
	{ "--deny 10.0.0.0/8:25", "tcp 10.1.1.1:25", "deny_rule" },
	{ "--deny 10.0.0.0/8:25", "udp 10.1.1.1:25", "deny_rule" },
	{ "--deny 10.0.0.0/8:25/tcp", "udp 10.1.1.1:25", DEFAULT },
	{ "--deny 10.0.0.0/8:25", "tcp 10.1.1.1:26", DEFAULT },
	{ "--deny 10.0.0.0/8:25", "icmp 10.1.1.1", DEFAULT },
	{ "--deny 10.0.0.0/8", "icmp 10.1.1.1", "deny_rule" },
	{ "--deny 10.0.0.0/8/icmp", "icmp 10.1.1.1", "deny_rule" },
	{ "--deny *:1-65535/udp", "udp 1.1.1.1:443", "deny_rule" },
	{ "--default-deny --allow [2001:db8::1]:443", "tcp [2001:db8::1]:443", BY_ADDR },
	{ "--default-deny --allow [2001:db8::1]:443", "tcp [2001:db8::2]:443", "default_deny" },
	{ "--default-deny --allow a:80 --allow a:90-99,443/tcp", "tcp 1.1.1.1:95 a", NAME_RULE },
	{ "--default-deny --allow a:80 --allow a:90-99,443/tcp", "udp 1.1.1.1:95 a", "default_deny" },
	{ "--deny 10.0.0.0/8:25", "answer 10.1.1.1", DEFAULT },
	{ "--deny 10.0.0.0/8/tcp --deny 10.0.0.0/8/udp --deny 10.0.0.0/8/icmp", "answer 10.1.1.1",
	    "deny_rule" },

	/* forms: refused in any, allowed in the own */
	{ "--deny-cidr 10.0.0.0/8", "tcp [64:ff9b:1::10.0.0.1]:1", "deny_cidr" },
	{ "--default-deny --allow-cidr 10.0.0.0/8", "tcp [64:ff9b::10.0.0.1]:1", "default_deny" },
	{ "--default-deny --allow-cidr 10.0.0.0/8", "tcp [::ffff:10.0.0.1]:1", BY_ADDR },
	{ "--default-deny --allow-cidr ::/0", "tcp [::ffff:10.0.0.1]:1", "default_deny" },
	{ "--default-deny --allow-cidr 64:ff9b::/96", "tcp [64:ff9b::10.0.0.1]:1", BY_ADDR },

	/* names */
	{ "--deny-domain a.b", "name a.b", "deny_domain" },
	{ "--deny-domain a.b", "name x.y.a.b", "deny_domain" },
	{ "--deny-domain a.b", "name b", DEFAULT }, { "--deny-domain a.b", "name xa.b", DEFAULT },
	{ "--deny-domain-exact a.b", "name x.a.b", DEFAULT },
	{ "--deny *.a.b", "name a.b", DEFAULT }, { "--deny *.a.b", "name x.a.b", "deny_rule" },
	{ "--deny .a.b", "name a.b", "deny_rule" }, { "--deny a.b", "name x.a.b", DEFAULT },
	{ "--deny a.b", "name x\\046a.b", DEFAULT }, { "--deny *.b", "name x\\046a.b", "deny_rule" },
	{ "--deny a.b:25", "name a.b", DEFAULT }, { "--deny *:25", "name a.b", DEFAULT },
	{ "--deny *", "name a.b", "deny_rule" }, { "--deny a.b --allow a.b", "name a.b", "deny_rule" },
	{ "--default-deny --allow a.b:25", "name a.b", NAME_RULE },
	{ "--default-deny --allow *:443", "name a.b", BY_ADDR },
	{ "--default-deny --allow 10.0.0.0/8", "name a.b", "default_deny" },
	{ "--default-deny", "name .", "default_deny" }, { "", "name .", DEFAULT },
	{ "--proxy-only", "name a.b", "proxy_only" },
	{ "--default-deny --allow-domain a.b --deny-domain-exact x.a.b", "name x.a.b",
	    "deny_domain_exact" },
	{ "--default-deny --allow-domain a.b --deny-domain-exact x.a.b", "tcp 1.1.1.1:1 y.a.b x.a.b",
	    "deny_domain_exact" },
	{ "--default-deny --allow-domain a.b", "tcp 1.1.1.1:1 c y.a.b", NAME_RULE },
};

static const char *
said(const struct rules *r, const struct rules_verdict *v, const struct rules_flow *f,
    const char *name, struct rules_words *w)
{
	static const char *const by[] = { DEFAULT, BY_ADDR, NAME_RULE };

	rules_explain(r, v, f, name, w);
	ck_assert_uint_gt(strlen(w->text), 0);
	ck_assert_ptr_nonnull(w->control);
	if (!v->allowed)
		ck_assert_uint_gt(strlen(w->hint), 0);
	return v->allowed ? by[v->by] : w->reason_code;
}

START_TEST(verdict_follows_the_ranks)
{
	struct rules r;
	struct rules_verdict v;
	struct rules_words w;
	void *buf = generation(rows[_i].rules, &r);
	char asked[256];
	const char *names[4], *got;
	struct rules_flow f;
	struct addr a;

	snprintf(asked, sizeof(asked), "%s", rows[_i].asked);
	if (strncmp(asked, "name ", 5) == 0) {
		rules_judge_name(&r, asked + 5, false, &v);
		got = said(&r, &v, NULL, asked + 5, &w);
	} else if (strncmp(asked, "answer ", 7) == 0) {
		ck_assert(addr_parse(asked + 7, 0, &a));
		rules_judge_answer(&r, &a, &v);
		got = said(&r, &v, NULL, "x", &w);
	} else if (strncmp(asked, "unnamed ", 8) == 0) {
		f = flow_of(asked + 8, names);
		rules_judge_unnamed(&r, &f, &v);
		f.n_names = 0;
		got = said(&r, &v, &f, NULL, &w);
	} else {
		f = flow_of(asked, names);
		rules_judge(&r, &f, &v);
		got = said(&r, &v, &f, NULL, &w);
	}
	ck_assert_msg(strcmp(got, rows[_i].verdict) == 0, "%s | %s: %s (%s)", rows[_i].rules,
	    rows[_i].asked, got, w.text);
	free(buf);
}
END_TEST

/* ---- words ---- */

static const struct {
	const char	*rules, *asked, *control, *cidr, *domain, *text, *hint;
} worded[] = {
	{ "--deny-cidr 10.0.0.0/8", "tcp 10.0.0.1:1", "--deny-cidr", "10.0.0.0/8", NULL,
	    "blocked by `--deny-cidr 10.0.0.0/8`", "take it away" },
	{ "--deny-domain Example.COM.", "tcp 1.1.1.1:1 www.example.com", "--deny-domain", NULL,
	    "example.com", "blocked by `--deny-domain example.com`", "take it away" },
	{ "--deny *.B\xc3\xbc" "cher.example:80/tcp", "tcp 1.1.1.1:80 a.xn--bcher-kva.example",
	    "--deny", NULL,
	    "*.xn--bcher-kva.example", "blocked by `--deny *.xn--bcher-kva.example:80/tcp`", "" },
	{ "--block-metadata", "tcp 169.254.169.254:80", "--block-metadata", "169.254.169.254/32", NULL,
	    "blocked by `--block-metadata`", "without --block-metadata" },
	{ "--offline", "tcp 1.1.1.1:80", "--offline", NULL, NULL, "blocked by `--offline`",
	    "without --offline" },
	{ "--default-deny", "tcp 1.1.1.1:80", "--default-policy", NULL, NULL,
	    "blocked by `--default-policy deny`", "--allow 1.1.1.1:80/tcp would" },
	{ "--default-deny", "udp [2001:db8::1]:80", "--default-policy", NULL, NULL,
	    "blocked by `--default-policy deny`", "--allow [2001:db8::1]:80/udp would" },
	{ "--default-deny", "icmp 1.1.1.1", "--default-policy", NULL, NULL,
	    "blocked by `--default-policy deny`", "--allow 1.1.1.1/icmp would" },
	{ "--default-deny", "tcp 1.1.1.1:80 a.b", "--default-policy", NULL, NULL,
	    "blocked by `--default-policy deny`", "--allow a.b:80/tcp would" },
	{ "--proxy-only", "udp 1.1.1.1:80", "--proxy-only", NULL, NULL, "blocked by `--proxy-only`", "" },
	{ "", "tcp 127.0.0.1:80", "built-in", "127.0.0.0/8", NULL,
	    "blocked: 127.0.0.1 is a loopback address", "--host-port 80 opens" },
	{ "", "icmp 127.0.0.1", "built-in", "127.0.0.0/8", NULL,
	    "blocked: 127.0.0.1 is a loopback address", "no option" },
	{ "", "tcp [2002:7f00:1::]:80", "built-in", "127.0.0.0/8", NULL,
	    "blocked: 2002:7f00:1:: stands for 127.0.0.1, a loopback address", "--host-port 80 opens" },
	{ "--default-deny --allow a:80", "tcp 1.1.1.1:80 a", "--allow", NULL, "a",
	    "allowed by `--allow a:80`", "" },
};

static void
str_same(const char *got, const char *want)
{
	ck_assert_int_eq(got == NULL, want == NULL);
	if (want != NULL)
		ck_assert_str_eq(got, want);
}

START_TEST(words_name_the_rule_and_a_way_out)
{
	struct rules r;
	struct rules_verdict v;
	struct rules_words w;
	void *buf = generation(worded[_i].rules, &r);
	const char *names[4];
	char asked[128];
	struct rules_flow f;

	snprintf(asked, sizeof(asked), "%s", worded[_i].asked);
	f = flow_of(asked, names);
	rules_judge(&r, &f, &v);
	rules_explain(&r, &v, &f, NULL, &w);
	str_same(w.control, worded[_i].control);
	str_same(w.matched_cidr, worded[_i].cidr);
	str_same(w.matched_domain, worded[_i].domain);
	str_same(w.text, worded[_i].text);
	ck_assert_msg(strstr(w.hint, worded[_i].hint) != NULL, "%s", w.hint);
	/* The way out that is named is one. */
	if (v.why == RULES_WHY_DEFAULT) {
		char line[256], rule[128];

		ck_assert_int_eq(sscanf(w.hint, "--allow %127s", rule), 1);
		snprintf(line, sizeof(line), "%s --allow %s", worded[_i].rules, rule);
		free(buf);
		buf = generation(line, &r);
		ck_assert(rules_judge(&r, &f, &v));
	}
	free(buf);
}
END_TEST

/* ---- files ---- */

START_TEST(file_rules_know_their_line)
{
	static const char text[] = "# list\n\n10.0.0.0/8\n*.example.com:25 # mail\n";
	struct rulebook *b = rulebook_new(0);
	struct rulebook_error err;
	struct rules r;
	struct rules_verdict v;
	struct rules_words w;
	const char *why, *names[] = { "a.example.com" };
	struct rules_flow f = { .names = names, .n_names = 1 };
	size_t len;
	void *buf;

	ck_assert(rulebook_add_file(b, RULES_DENY_FILE, "my.list", text, strlen(text), &err));
	buf = rulebook_compile(b, seed, &len, &why);
	ck_assert_ptr_null(rules_load(buf, len, &r));
	ck_assert(addr_parse("1.1.1.1:25", 0, &f.dst));
	ck_assert(!rules_judge(&r, &f, &v));
	rules_explain(&r, &v, &f, NULL, &w);
	ck_assert_str_eq(w.file, "my.list");
	ck_assert_uint_eq(w.line, 4);
	ck_assert_str_eq(w.text, "blocked by `--deny-file my.list`, line 4: `*.example.com:25`");
	ck_assert_str_eq(w.reason_code, "deny_rule");
	ck_assert_uint_eq(rules_flags(&r), RULES_HAS_DENY_NAMES);
	free(buf);
	rulebook_free(b);
}
END_TEST

START_TEST(one_error_spoils_the_book)
{
	static const char text[] = "a.b\n  a.b:99999\nc.d\n";
	struct rulebook *b = rulebook_new(0);
	struct rulebook_error err;
	const char *why = NULL;
	size_t len;

	ck_assert(!rulebook_add_file(b, RULES_ALLOW_FILE, "l\x1b", text, strlen(text), &err));
	ck_assert_uint_eq(err.line, 2);
	ck_assert_uint_eq(err.column, 7);
	ck_assert_str_eq(err.text, "l\\x1b:2:7: port '99999' is beyond 65535");
	ck_assert_ptr_null(rulebook_compile(b, seed, &len, &why));
	ck_assert_ptr_nonnull(why);
	rulebook_free(b);

	b = rulebook_new(0);
	ck_assert(!rulebook_add(b, RULES_DENY_CIDR, "10.0.0.1/8", &err));
	ck_assert_str_eq(err.text, "--deny-cidr '10.0.0.1/8', column 1: '10.0.0.1' has bits set "
	    "behind its length of 8: did you mean 10.0.0.0/8?");
	ck_assert(!rulebook_add_file(b, RULES_ALLOW_FILE, "l", "a\nb\0", 4, &err));
	ck_assert_str_eq(err.text, "l:2:2: there is a zero byte: this is not a text file");
	ck_assert_ptr_null(rulebook_compile(b, seed, &len, &why));
	rulebook_free(b);
}
END_TEST

/* ---- loading ---- */

START_TEST(damaged_generation_is_refused)
{
	struct rulebook *b = rulebook_new(RULES_BLOCK_METADATA);
	struct rules r;
	const char *why;
	size_t len;
	uint8_t *good, *copy;

	option_add(b, "--deny", "*.a.b:80");
	option_add(b, "--allow-cidr", "10.0.0.0/8");
	good = rulebook_compile(b, seed, &len, &why);
	copy = malloc(len + 8);
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + 1);		/* of its own, for a sanitizer */

		memcpy(cut, good, n);
		ck_assert_ptr_nonnull(rules_load(cut, n, &r));
		free(cut);
		memcpy(copy, good, len);
		copy[n] ^= (uint8_t)(1 << n % 8);
		ck_assert_msg(rules_load(copy, len, &r) != NULL, "byte %zu", n);
	}
	memcpy(copy, good, len);
	copy[len] = 0;
	ck_assert_ptr_nonnull(rules_load(copy, len + 1, &r));
	ck_assert_ptr_null(rules_load(copy, len, &r));
	memmove(copy + 4, good, len);
	ck_assert_ptr_nonnull(rules_load(copy + 4, len, &r));
	free(copy);
	free(good);
	rulebook_free(b);
}
END_TEST

START_TEST(same_rules_give_the_same_bytes)
{
	struct rules a, b;
	void *x = generation("--deny a.b --allow *:80 --allow-cidr 10.0.0.0/8", &a);
	void *y = generation("--deny a.b --allow *:80 --allow-cidr 10.0.0.0/8", &b);

	ck_assert_uint_eq(a.head->len, b.head->len);
	ck_assert_mem_eq(x, y, a.head->len);
	free(x);
	free(y);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("rules");

	tcase_add_loop_test(tc, verdict_follows_the_ranks, 0, (int)COUNT(rows));
	tcase_add_loop_test(tc, words_name_the_rule_and_a_way_out, 0, (int)COUNT(worded));
	tcase_add_test(tc, file_rules_know_their_line);
	tcase_add_test(tc, one_error_spoils_the_book);
	tcase_add_test(tc, damaged_generation_is_refused);
	tcase_add_test(tc, same_rules_give_the_same_bytes);
	return unit_run("rules", tc);
}

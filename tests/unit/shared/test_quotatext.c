/*
 * test_quotatext.c - quotas as people write them: what reads how, what is said of the rest, and
 * which flows a compiled one is about.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "quotas.h"
#include "rulebook.h"
#include "rules_flat.h"

#define KB	1000ull
#define MB	1000000ull

static const struct {
	const char	*text;
	uint64_t	 limit[QUOTA_KINDS];	/* up, down, both, connections, destinations */
} good[] = {
	{ "*=10MB/up", { 10 * MB } },
	{ "*=1GB/down", { 0, 1000 * MB } },
	{ "*=500MB", { 0, 0, 500 * MB } },
	{ "*=20conn", { 0, 0, 0, 20 } },
	{ "*=5dest", { 0, 0, 0, 0, 5 } },
	{ "*=1B/up,2KB/down,3MB,4conn,5dest", { 1, 2 * KB, 3 * MB, 4, 5 } },
	{ " *.example.com:443/tcp = 1kib/UP, ", { 0 } },
	{ "*=1KiB,2MiB/up", { 2 * 1048576, 0, 1024 } },
	{ "*=1gib", { 0, 0, 1u << 30 } },
	{ "*=2TiB/down", { 0, 2ull << 40 } },
	{ "*=3TB", { 0, 0, 3 * MB * MB } },
	{ "10.0.0.0/8:5432=65536dest,1000000000conn", { 0, 0, 0, 1000000000, 65536 } },
	{ "[2001:db8::1]:443/udp=007B", { 0, 0, 7 } },
	{ "*=1152921504606846976B", { 0, 0, QUOTA_BYTES_MOST } },
	{ "*=5conn  ", { 0, 0, 0, 5 } },
};

static const struct {
	const char	*text;
	size_t		 column;
	const char	*says;
} wrong[] = {
	{ "", 1, "TARGET=LIMIT" }, { "example.com", 12, "there is no '='" },
	{ "=1MB", 1, "the rule is empty" }, { "*=", 3, "a limit is missing" },
	{ "a..b=1MB", 3, "not a name" }, { "a:99999=1MB", 3, "beyond 65535" },
	{ "10.0.0.1/8=1MB", 1, "did you mean 10.0.0.0/8" },
	{ "*=MB", 3, "'MB' is not a limit" }, { "*=-1MB", 3, "not a limit" },
	{ "*=1.5GB", 4, "whole number" }, { "*=0MB", 3, "--deny" }, { "*=0conn", 3, "--deny" },
	{ "*=10", 5, "a unit is missing" }, { "*=10/up", 5, "a unit is missing" },
	{ "*=10M", 5, "did you mean MB" }, { "*=10k/up", 5, "did you mean KB" },
	{ "*=10mbit", 5, "not in bits" }, { "*=10 MB", 5, "is not a unit" },
	{ "*=5connections", 4, "did you mean conn" }, { "*=5hosts", 4, "did you mean dest" },
	{ "*=1PB", 4, "is not a unit" },
	{ "*=1MB/", 7, "is not a way" }, { "*=1MB/upload", 7, "did you mean '/up'" },
	{ "*=1MB/rx", 7, "did you mean '/down'" }, { "*=1MB/s", 7, "not a rate" },
	{ "*=1MB/day", 7, "not a rate" }, { "*=1MB/both", 7, "leave it out for both" },
	{ "*=5conn/up", 8, "only bytes have a way" },
	{ "*=1MB,2MB", 7, "given before" }, { "*=1MB/up,1conn,1KB/up", 16, "given before" },
	{ "*=65537dest", 3, "it can be 65536" }, { "*=1000000001conn", 3, "it can be 1000000000" },
	{ "*=1152921504606846977B", 3, "too large" }, { "*=2000000TB", 3, "too large" },
	{ "*=99999999999999999999999999TB", 3, "too large" },
	{ "*=1MB,", 7, "a limit is missing" }, { "*=1MB,,2conn", 7, "a limit is missing" },
	{ "*=1MB=2MB", 4, "is not a unit" },
};

START_TEST(text_reads_one_way)
{
	struct quotatext t;
	struct ruletext_error err = { 0 };

	if (good[_i].limit[0] + good[_i].limit[1] + good[_i].limit[2] + good[_i].limit[3] +
	    good[_i].limit[4] == 0) {		/* spaces are for targets, not for limits */
		ck_assert(!quotatext_parse(good[_i].text, strlen(good[_i].text), &t, &err));
		return;
	}
	ck_assert_msg(quotatext_parse(good[_i].text, strlen(good[_i].text), &t, &err), "%s: %s",
	    good[_i].text, err.why);
	for (int k = 0; k < QUOTA_KINDS; k++)
		ck_assert_uint_eq(t.limit[k], good[_i].limit[k]);
}
END_TEST

START_TEST(what_is_wrong_has_a_column_and_a_reason)
{
	struct quotatext t;
	struct ruletext_error err = { 0 };

	ck_assert_msg(!quotatext_parse(wrong[_i].text, strlen(wrong[_i].text), &t, &err), "%s",
	    wrong[_i].text);
	ck_assert_msg(err.column == wrong[_i].column, "%s: column %zu: %s", wrong[_i].text, err.column,
	    err.why);
	ck_assert_msg(strstr(err.why, wrong[_i].says) != NULL, "%s: %s", wrong[_i].text, err.why);
}
END_TEST

static const struct {
	enum quota_kind	 kind;
	uint64_t	 limit;
	const char	*text;
} shown[] = {
	{ QUOTA_UP, 10 * MB, "10MB/up" }, { QUOTA_DOWN, 1024, "1KiB/down" }, { QUOTA_BYTES, 1, "1B" },
	{ QUOTA_BYTES, 1234567, "1234567B" }, { QUOTA_UP, 1500 * KB, "1500KB/up" },
	{ QUOTA_BYTES, (uint64_t)5 << 30, "5GiB" }, { QUOTA_CONN, 20, "20conn" },
	{ QUOTA_DEST, 5, "5dest" }, { QUOTA_BYTES, QUOTA_BYTES_MOST, "1048576TiB" },
};

START_TEST(limit_is_shown_as_it_could_be_written)
{
	char buf[QUOTAS_LIMIT_LEN], text[80];
	struct ruletext_error err;
	struct quotatext t;

	ck_assert_str_eq(quotas_limit_str(shown[_i].kind, shown[_i].limit, buf), shown[_i].text);
	snprintf(text, sizeof(text), "*=%s", buf);
	ck_assert(quotatext_parse(text, strlen(text), &t, &err));
	ck_assert_uint_eq(t.limit[shown[_i].kind], shown[_i].limit);
}
END_TEST

/* ---- compiled ---- */

static const char *const quotas[] = {
	"*=1MB", "*:80=1conn", "*/udp=1MB", "10.0.0.0/8=1MB", "2001:db8::/32:443/tcp=1MB",
	"www.example.com=1MB", "*.example.com=1MB", ".Example.COM.:80,443/tcp=1MB", "*/icmp=1MB",
};

static void *
compiled(struct rules *out)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 7 };
	struct rulebook *book = rulebook_new(0);
	struct rulebook_error err;
	const char *why = NULL;
	void *flat;
	size_t len;

	for (size_t i = 0; i < COUNT(quotas); i++)
		ck_assert_msg(rulebook_add_quota(book, quotas[i], &err), "%s", err.text);
	flat = rulebook_compile(book, seed, &len, &why);
	ck_assert_msg(flat != NULL, "%s", why);
	ck_assert_ptr_null(rules_load(flat, len, out));
	rulebook_free(book);
	return flat;
}

static const struct {
	const char	*dst;		/* with its port */
	enum rule_proto	 proto;
	const char	*name;
	const char	*which;		/* digits: places in quotas[] */
} flows[] = {
	{ "192.0.2.1:22", RULE_TCP, NULL, "0" },
	{ "192.0.2.1:80", RULE_TCP, NULL, "01" },
	{ "192.0.2.1:80", RULE_UDP, NULL, "012" },
	{ "192.0.2.1", RULE_ICMP, NULL, "08" },
	{ "10.1.2.3:22", RULE_TCP, NULL, "03" },
	{ "11.1.2.3:22", RULE_TCP, NULL, "0" },
	{ "[::ffff:10.1.2.3]:22", RULE_TCP, NULL, "03" },
	{ "[64:ff9b::a01:203]:22", RULE_TCP, NULL, "03" },
	{ "[2001:db8::1]:443", RULE_TCP, NULL, "04" },
	{ "[2001:db8::1]:443", RULE_UDP, NULL, "02" },
	{ "[2001:db9::1]:443", RULE_TCP, NULL, "0" },
	{ "192.0.2.1:22", RULE_TCP, "www.example.com", "056" },
	{ "192.0.2.1:443", RULE_TCP, "www.example.com", "0567" },
	{ "192.0.2.1:443", RULE_TCP, "example.com", "07" },
	{ "192.0.2.1:443", RULE_TCP, "a.b.example.com", "067" },
	{ "192.0.2.1:443", RULE_TCP, "notexample.com", "0" },
	{ "192.0.2.1:443", RULE_TCP, "example.com.org", "0" },
	{ "192.0.2.1:443", RULE_TCP, "com", "0" },
	{ "192.0.2.1", RULE_UDP, NULL, "012" },	/* hears every port */
};

START_TEST(flow_comes_under_all_that_mean_it)
{
	struct rules rules;
	void *flat = compiled(&rules);
	struct rules_flow flow = { .proto = flows[_i].proto, .names = &flows[_i].name,
	    .n_names = flows[_i].name != NULL };
	uint16_t of[QUOTAS_MAX];
	char got[COUNT(quotas) + 1] = "";
	size_t n;

	ck_assert(addr_parse(flows[_i].dst, 0, &flow.dst));
	n = quotas_of(&rules, &flow, of);
	for (size_t i = 0; i < n; i++)
		got[i] = (char)('0' + of[i]);
	ck_assert_str_eq(got, flows[_i].which);
	free(flat);
}
END_TEST

START_TEST(quota_is_kept_with_its_words)
{
	struct rules rules;
	void *flat = compiled(&rules);

	ck_assert_uint_eq(quotas_count(&rules), COUNT(quotas));
	ck_assert_str_eq(quotas_get(&rules, 0).target, "*");
	ck_assert_ptr_null(quotas_get(&rules, 0).cidr);
	ck_assert_str_eq(quotas_get(&rules, 3).cidr, "10.0.0.0/8");
	ck_assert_str_eq(quotas_get(&rules, 6).domain, "*.example.com");
	ck_assert_str_eq(quotas_get(&rules, 7).target, ".example.com:80,443/tcp");
	ck_assert_uint_eq(quotas_get(&rules, 1).limit[QUOTA_CONN], 1);
	ck_assert(rules_hold_names(&rules));
	free(flat);
}
END_TEST

START_TEST(target_has_one_quota)
{
	struct rulebook *book = rulebook_new(0);
	struct rulebook_error err;

	ck_assert(rulebook_add_quota(book, "Example.com=1MB", &err));
	ck_assert(!rulebook_add_quota(book, " example.com.=1conn", &err));
	ck_assert_msg(strstr(err.text, "has a quota already") != NULL, "%s", err.text);
	rulebook_free(book);
}
END_TEST

START_TEST(there_is_an_end_of_quotas)
{
	struct rulebook *book = rulebook_new(0);
	struct rulebook_error err;
	char text[32];

	for (int i = 0; i <= QUOTAS_MAX; i++) {
		snprintf(text, sizeof(text), "*:%d=1MB", i + 1);
		ck_assert_int_eq(rulebook_add_quota(book, text, &err), i < QUOTAS_MAX);
	}
	rulebook_free(book);
}
END_TEST

/* A generation that refers outside of itself is none: each word of the section turned around. */
START_TEST(section_that_lies_is_refused_or_harmless)
{
	struct rules rules, twisted;
	uint8_t *flat = compiled(&rules);
	struct rules_head *head = (struct rules_head *)(void *)flat;
	size_t from = head->quotas.off, len = head->len;
	uint16_t of[QUOTAS_MAX];
	struct rules_flow flow = { .proto = RULE_TCP, .dst = { .family = 4, .port = 80 } };

	for (size_t at = from; at + 4 <= len; at += 4) {
		uint8_t *word = flat + at, saved[4];

		memcpy(saved, word, 4);
		memset(word, 0xff, 4);
		head->sum = flat_sum(head);
		if (rules_load(flat, len, &twisted) == NULL)
			(void)quotas_of(&twisted, &flow, of);
		memcpy(word, saved, 4);
	}
	free(flat);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("quotatext");

	tcase_add_loop_test(tc, text_reads_one_way, 0, (int)COUNT(good));
	tcase_add_loop_test(tc, what_is_wrong_has_a_column_and_a_reason, 0, (int)COUNT(wrong));
	tcase_add_loop_test(tc, limit_is_shown_as_it_could_be_written, 0, (int)COUNT(shown));
	tcase_add_loop_test(tc, flow_comes_under_all_that_mean_it, 0, (int)COUNT(flows));
	tcase_add_test(tc, quota_is_kept_with_its_words);
	tcase_add_test(tc, target_has_one_quota);
	tcase_add_test(tc, there_is_an_end_of_quotas);
	tcase_add_test(tc, section_that_lies_is_refused_or_harmless);
	return unit_run("quotatext", tc);
}

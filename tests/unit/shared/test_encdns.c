/*
 * test_encdns.c - what is known of encrypted DNS, and when it counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "encdns.h"
#include "name.h"
#include "rulebook.h"

START_TEST(names_are_sorted_and_in_normal_form)
{
	char name[NAME_STRLEN];
	struct name_error err;

	for (size_t i = 0; i < encdns_n_names; i++) {
		const char *row = encdns_names[i].name;

		ck_assert(name_from_ascii(row, strlen(row), name, &err));
		ck_assert_str_eq(name, row);
		if (i > 0)
			ck_assert_msg(strcmp(encdns_names[i - 1].name, row) < 0, "%s", row);
		ck_assert_ptr_eq(encdns_name(row), &encdns_names[i]);
	}
}
END_TEST

static const struct { const char *name; bool known; enum encdns_answer answer; } names[] = {
	{ "dns.google", true, ENCDNS_REFUSE },
	{ "mozilla.cloudflare-dns.com", true, ENCDNS_REFUSE },
	{ "abc123.dns.nextdns.io", true, ENCDNS_REFUSE },
	{ "use-application-dns.net", true, ENCDNS_NXDOMAIN },
	{ "mask.icloud.com", true, ENCDNS_NXDOMAIN },
	{ "mask-h2.icloud.com", true, ENCDNS_NXDOMAIN },
	{ "_dns.resolver.arpa", true, ENCDNS_EMPTY },
	{ "resolver.arpa", true, ENCDNS_EMPTY },
	{ "google", false, 0 }, { "www.google.com", false, 0 }, { "icloud.com", false, 0 },
	{ "xdns.google", false, 0 }, { "dns.google.example", false, 0 }, { ".", false, 0 },
	{ "arpa", false, 0 }, { "cloudflare-dns\\046com", false, 0 },
};

START_TEST(names_below_a_row_are_known_and_others_are_not)
{
	const struct encdns_name *row = encdns_name(names[_i].name);

	ck_assert_msg((row != NULL) == names[_i].known, "%s", names[_i].name);
	if (row != NULL)
		ck_assert_int_eq(row->answer, names[_i].answer);
}
END_TEST

static const struct { const char *addr; bool known; } flows[] = {
	{ "192.0.2.1:853", true }, { "[2001:db8::1]:853", true }, { "192.0.2.1:854", false },
	{ "8.8.8.8:443", true }, { "8.8.8.8:80", false }, { "8.8.8.9:443", false },
	{ "1.1.1.3:443", true }, { "1.1.1.4:443", false }, { "45.90.28.77:443", true },
	{ "[2606:4700:4700::1111]:443", true }, { "[2606:4700:4700::1113]:443", true },
	{ "[2606:4700:4700::1114]:443", false }, { "[2a07:a8c0::1:2:3]:443", true },
	{ "[::ffff:8.8.8.8]:443", true }, { "[64:ff9b::8.8.8.8]:443", true },
	{ "[2002:808:808::1]:443", true }, { "[::]:443", false }, { "0.0.0.0:443", false },
};

START_TEST(flows_to_servers_are_known_in_every_form_of_the_address)
{
	struct addr a;

	ck_assert(addr_parse(flows[_i].addr, 0, &a));
	ck_assert_msg((encdns_flow(&a) != NULL) == flows[_i].known, "%s", flows[_i].addr);
}
END_TEST

static const struct {
	unsigned switches;
	enum rules_source source;
	const char *rule;
	bool blocked;
} policies[] = {
	{ 0, RULES_DENY_DOMAIN, "a.test", true },
	{ 0, RULES_DENY_DOMAIN_EXACT, "a.test", true },
	{ 0, RULES_DENY, "*.a.test", true },
	{ RULES_DEFAULT_DENY, RULES_ALLOW_DOMAIN, "a.test", true },
	{ 0, RULES_ALLOW_DOMAIN, "a.test", false },	/* it decides nothing */
	{ RULES_DEFAULT_DENY, RULES_ALLOW_CIDR, "192.0.2.0/24", false },
	{ RULES_BLOCK_METADATA | RULES_BLOCK_PRIVATE, RULES_DENY_CIDR, "192.0.2.0/24", false },
	{ 0, RULES_DENY, "*:25", false },
};

START_TEST(rules_about_names_turn_it_on_and_options_have_the_last_word)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *book = rulebook_new(policies[_i].switches);
	struct rulebook_error err;
	struct rules rules;
	const char *why;
	size_t len;
	void *buf;

	ck_assert(rulebook_add(book, policies[_i].source, policies[_i].rule, &err));
	ck_assert_ptr_nonnull(buf = rulebook_compile(book, seed, &len, &why));
	ck_assert_ptr_null(rules_load(buf, len, &rules));
	ck_assert_int_eq(encdns_blocked(ENCDNS_BY_RULES, &rules), policies[_i].blocked);
	ck_assert(encdns_blocked(ENCDNS_BLOCK, &rules) && encdns_blocked(ENCDNS_BLOCK, NULL));
	ck_assert(!encdns_blocked(ENCDNS_ALLOW, &rules) && !encdns_blocked(ENCDNS_BY_RULES, NULL));
	rulebook_free(book);
	free(buf);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("encdns");

	tcase_add_test(tc, names_are_sorted_and_in_normal_form);
	tcase_add_loop_test(tc, names_below_a_row_are_known_and_others_are_not, 0, COUNT(names));
	tcase_add_loop_test(tc, flows_to_servers_are_known_in_every_form_of_the_address, 0,
	    COUNT(flows));
	tcase_add_loop_test(tc, rules_about_names_turn_it_on_and_options_have_the_last_word, 0,
	    COUNT(policies));
	return unit_run("encdns", tc);
}

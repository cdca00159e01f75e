/*
 * test_hostports.c - lists of ports, and the addresses that stand for the host's loopback.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../main.h"
#include "hostports.h"
#include "inside.h"

static const struct {
	const char	*text;
	uint16_t	 in[4], out[4];
	bool		 bad;
} lists[] = {
	{ "1", { 1 }, { 2, 65535 }, false },
	{ "65535", { 65535 }, { 1, 65534 }, false },
	{ "80,443", { 80, 443 }, { 79, 81, 442, 444 }, false },
	{ "8000-8010,9", { 8000, 8005, 8010, 9 }, { 7999, 8011, 8, 10 }, false },
	{ "7-7", { 7 }, { 6, 8 }, false },
	{ "", { 0 }, { 0 }, true }, { "0", { 0 }, { 0 }, true }, { "65536", { 0 }, { 0 }, true },
	{ "1,", { 0 }, { 0 }, true }, { ",1", { 0 }, { 0 }, true }, { "1-", { 0 }, { 0 }, true },
	{ "-1", { 0 }, { 0 }, true }, { "9-8", { 0 }, { 0 }, true }, { "1-2-3", { 0 }, { 0 }, true },
	{ "a", { 0 }, { 0 }, true }, { "1 ", { 0 }, { 0 }, true },
	{ "4294967297", { 0 }, { 0 }, true }, { "0000001", { 0 }, { 0 }, true },
};

START_TEST(list_has_its_ports_and_no_others)
{
	struct hostports h = { 0 };
	char why[128] = "";

	ck_assert_int_eq(hostports_add(&h, lists[_i].text, why, sizeof(why)), !lists[_i].bad);
	ck_assert_int_eq(lists[_i].bad, *why != '\0');
	for (int i = 0; i < 4 && !lists[_i].bad; i++) {
		ck_assert(lists[_i].in[i] == 0 || hostports_have(&h, lists[_i].in[i]));
		ck_assert(!hostports_have(&h, lists[_i].out[i]));
	}
}
END_TEST

START_TEST(lists_add_up_to_a_limit)
{
	struct hostports h = { 0 };
	char why[128], port[8];

	for (int i = 1; i <= HOSTPORTS_MAX; i++) {
		snprintf(port, sizeof(port), "%d", i);
		ck_assert(hostports_add(&h, port, why, sizeof(why)));
	}
	ck_assert(hostports_have(&h, 1) && hostports_have(&h, HOSTPORTS_MAX));
	ck_assert(!hostports_add(&h, "999", why, sizeof(why)));
	ck_assert(!hostports_have(&h, 999));
}
END_TEST

START_TEST(one_address_of_each_family_stands_for_loopback)
{
	static const char *const others[] = { "192.0.0.2", "192.0.0.4", "127.0.0.1", "0.0.0.0",
	    "::1", "::", "2001:2:0:cf::2", "::ffff:192.0.0.4" };
	struct addr a, b;

	ck_assert(addr_parse(INSIDE_HOST4, 80, &a) && hostports_is_inside(&a));
	b = hostports_outside(&a);
	ck_assert(addr_parse("127.0.0.1", 80, &a) && addr_equal(&a, &b) && hostports_is_loopback(&b));
	ck_assert(addr_parse(INSIDE_HOST6, 81, &a) && hostports_is_inside(&a));
	b = hostports_outside(&a);
	ck_assert(addr_parse("::1", 81, &a) && addr_equal(&a, &b) && hostports_is_loopback(&b));
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(addr_parse(others[i], 80, &a) && !hostports_is_inside(&a), "%s", others[i]);
	ck_assert(addr_parse("127.0.0.2", 80, &a) && !hostports_is_loopback(&a));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("hostports");

	tcase_add_loop_test(tc, list_has_its_ports_and_no_others, 0, (int)COUNT(lists));
	tcase_add_test(tc, lists_add_up_to_a_limit);
	tcase_add_test(tc, one_address_of_each_family_stands_for_loopback);
	return unit_run("hostports", tc);
}

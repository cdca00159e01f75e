/*
 * test_synthetic.c - numbers of names and their addresses, there and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "inside.h"
#include "synthetic.h"

static struct addr
parsed(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(text, 0, &a), "%s", text);
	return a;
}

START_TEST(each_number_comes_back_from_both_its_addresses)
{
	static const uint8_t families[] = { 4, 6 };
	static const uint32_t some[] = { 1, 2, 255, 256, 65535, 65536, 131069, SYNTHETIC_MAX };

	for (size_t f = 0; f < 2; f++)
		for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
			struct addr a = synthetic_addr(families[f], some[i]);

			ck_assert_uint_eq(a.family, families[f]);
			ck_assert(synthetic_is(&a));
			ck_assert_uint_eq(synthetic_number(&a), some[i]);
		}
}
END_TEST

START_TEST(ranges_are_those_of_the_inside)
{
	struct addr first4 = parsed(INSIDE_SYNTHETIC4), first6 = parsed(INSIDE_SYNTHETIC6);
	struct addr a = synthetic_addr(4, 0), b = synthetic_addr(6, 0);

	ck_assert(addr_equal(&a, &first4));
	ck_assert(addr_equal(&b, &first6));
	a = synthetic_addr(4, SYNTHETIC_MAX);
	b = parsed("198.19.255.254");
	ck_assert(addr_equal(&a, &b));
}
END_TEST

static const struct {
	const char	*text;
	bool		 is;
	uint32_t	 number;
} rows[] = {
	{ "198.18.0.1", true, 1 }, { "198.18.1.0", true, 256 }, { "198.19.0.0", true, 65536 },
	{ "198.18.0.0", true, 0 }, { "198.19.255.255", true, 0 },
	{ "198.17.255.255", false, 0 }, { "198.20.0.0", false, 0 }, { "192.0.0.1", false, 0 },
	{ "0.0.0.1", false, 0 },
	{ "2001:2:0:c612::1", true, 1 }, { "2001:2:0:c612::1:0", true, 65536 },
	{ "2001:2:0:c612::", true, 0 }, { "2001:2:0:c612::1:ffff", true, 0 },
	{ "2001:2:0:c612:1::1", true, 0 }, { "2001:2:0:c612::1:0:1", true, 0 },
	{ "2001:2:0:c611:ffff:ffff:ffff:ffff", false, 0 }, { "2001:2:0:c613::1", false, 0 },
	{ "::198.18.0.1", false, 0 }, { "::1", false, 0 },
};

START_TEST(address_is_a_names_or_it_is_not)
{
	struct addr a = parsed(rows[_i].text);

	ck_assert_msg(synthetic_is(&a) == rows[_i].is, "%s", rows[_i].text);
	ck_assert_msg(synthetic_number(&a) == rows[_i].number, "%s", rows[_i].text);
}
END_TEST

START_TEST(no_address_has_no_number)
{
	struct addr none = { 0 };

	ck_assert(!synthetic_is(&none));
	ck_assert_uint_eq(synthetic_number(&none), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("synthetic");

	tcase_add_test(tc, each_number_comes_back_from_both_its_addresses);
	tcase_add_test(tc, ranges_are_those_of_the_inside);
	tcase_add_loop_test(tc, address_is_a_names_or_it_is_not, 0,
	    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, no_address_has_no_number);
	return unit_run("synthetic", tc);
}

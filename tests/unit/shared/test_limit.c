/*
 * test_limit.c - a limit that is run into all the time is told now and then, and in full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "limit.h"

START_TEST(first_time_is_told_at_once_and_the_rest_now_and_then)
{
	struct limit_count c = { 0 };
	uint64_t told = 0, lines = 0, n, now;

	ck_assert_uint_eq(limit_rest(&c), 0);
	ck_assert_uint_eq(limit_count(&c, 0, 1), 1);
	ck_assert_uint_eq(limit_count(&c, 0, 1), 0);
	ck_assert_uint_eq(limit_rest(&c), 1);
	for (now = 1; now <= 10 * LIMIT_EVERY_MS; now++)
		if ((n = limit_count(&c, now, 3)) > 0) {
			told += n;
			lines++;
		}
	ck_assert_uint_eq(lines, 10);
	ck_assert_uint_eq(told + limit_rest(&c), 30 * LIMIT_EVERY_MS);
	ck_assert_uint_eq(limit_rest(&c), 0);
}
END_TEST

START_TEST(a_liar_makes_no_line_more_and_no_number_wrong_around)
{
	struct limit_count c = { 0 };

	ck_assert_uint_eq(limit_count(&c, 7, 1), 1);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(limit_count(&c, 8, UINT64_MAX), 0);
	ck_assert_uint_eq(limit_count(&c, 7 + LIMIT_EVERY_MS, 1), UINT64_MAX);
}
END_TEST

START_TEST(each_limit_has_its_words)
{
	ck_assert_ptr_nonnull(limit_name((enum limit)_i));
	ck_assert_ptr_nonnull(limit_text((enum limit)_i));
	ck_assert_ptr_nonnull(limit_then((enum limit)_i));
	for (int i = LIMIT_FLOWS; i < _i; i++)
		ck_assert_str_ne(limit_name((enum limit)i), limit_name((enum limit)_i));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("limit");

	tcase_add_test(tc, first_time_is_told_at_once_and_the_rest_now_and_then);
	tcase_add_test(tc, a_liar_makes_no_line_more_and_no_number_wrong_around);
	tcase_add_loop_test(tc, each_limit_has_its_words, LIMIT_FLOWS, LIMIT_COUNT);
	return unit_run("limit", tc);
}

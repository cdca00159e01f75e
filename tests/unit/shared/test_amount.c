/*
 * test_amount.c - sizes and times as people write them, and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include "amount.h"

static const struct { const char *text; uint64_t value; } sizes[] = {
	{ "0B", 0 }, { "7B", 7 }, { "10KB", 10000 }, { "10kib", 10240 }, { "3MB", 3000000 },
	{ "2GiB", (uint64_t)2 << 30 }, { "1TB", 1000000000000 }, { "18446744073709551615B", UINT64_MAX },
};
static const struct { const char *text; uint64_t value; } times[] = {
	{ "60", 60 }, { "60s", 60 }, { "5m", 300 }, { "2h", 7200 }, { "1d", 86400 },
};
static const char *const	neither[] = { "", "B", "-1B", "1 KB", "1K", "1.5MB", "0x10", "1KBs", "x1s", "+1",
	"18446744073709551616B", "18446744073709551615KB", "99999999999999999999" };

START_TEST(size_is_read)
{
	uint64_t v = 1;

	ck_assert(amount_bytes(sizes[_i].text, &v));
	ck_assert_uint_eq(v, sizes[_i].value);
}
END_TEST

START_TEST(time_is_read)
{
	uint64_t v = 1;

	ck_assert(amount_seconds(times[_i].text, &v));
	ck_assert_uint_eq(v, times[_i].value);
}
END_TEST

START_TEST(what_is_neither_is_refused)
{
	uint64_t v;

	ck_assert(!amount_bytes(neither[_i], &v));
	ck_assert(!amount_seconds(neither[_i], &v));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("amount");

	tcase_add_loop_test(tc, size_is_read, 0, COUNT(sizes));
	tcase_add_loop_test(tc, time_is_read, 0, COUNT(times));
	tcase_add_loop_test(tc, what_is_neither_is_refused, 0, COUNT(neither));
	return unit_run("amount", tc);
}

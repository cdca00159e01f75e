/*
 * test_servers.c - who is asked first, when the first has been silent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include "servers.h"

static struct servers	*s;

static void
fresh(size_t n)
{
	struct addr a[RESOLVERS_MAX] = { { 0 } };

	for (size_t i = 0; i < n; i++)
		a[i] = (struct addr){ .family = 4, .port = 53, .ip = { 192, 0, 2, (uint8_t)(i + 1) } };
	s = servers_new(a, n);
	ck_assert_ptr_nonnull(s);
}

/* The order as a number: 0, 1, 2 is 12, and 2, 0, 1 is 201. */
static unsigned
order(uint64_t now)
{
	uint8_t at[RESOLVERS_MAX];
	unsigned n = 0;

	servers_order(s, now, at);
	for (size_t i = 0; i < s->n; i++)
		n = n * 10 + at[i];
	return n;
}

START_TEST(they_are_asked_in_their_order_and_the_silent_one_last)
{
	fresh(3);
	ck_assert_uint_eq(order(0), 12);
	ck_assert(servers_failed(s, 0, 10, 1510));
	ck_assert_uint_eq(order(1510), 120);
	ck_assert(servers_failed(s, 2, 1510, 1600));
	ck_assert_uint_eq(order(1600), 102);
	ck_assert(servers_failed(s, 1, 1510, 1700));
	ck_assert_uint_eq(order(1700), 12);		/* all are down: as if none were */
	ck_assert(servers_answered(s, 1, 1800));
	ck_assert_uint_eq(order(1800), 102);
	ck_assert(!servers_answered(s, 1, 1801));
	servers_drop(s);
}
END_TEST

START_TEST(one_query_tries_it_when_its_time_has_come)
{
	uint64_t now = 5000, wait = DOWN_MIN_MS;

	fresh(2);
	for (int i = 0; i < 12; i++) {
		ck_assert(servers_failed(s, 0, now - 100, now));
		ck_assert_uint_eq(order(now), 10);
		ck_assert_uint_eq(order(now + wait - 1), 10);
		ck_assert_uint_eq(order(now + wait), 1);
		for (int n = 0; n < 100; n++)
			ck_assert_uint_eq(order(now + wait + 1), 10);
		now += wait + 1600;
		wait = wait * 2 < DOWN_MAX_MS ? wait * 2 : DOWN_MAX_MS;
	}
	ck_assert_uint_eq(wait, DOWN_MAX_MS);
	/* Once it answers it is as if it had never been silent. */
	ck_assert(servers_answered(s, 0, now));
	ck_assert_uint_eq(order(now), 1);
	ck_assert(servers_failed(s, 0, now + 1, now + 1501));
	ck_assert_uint_eq(order(now + 1501 + DOWN_MIN_MS), 1);
	servers_drop(s);
}
END_TEST

START_TEST(a_burst_that_is_not_answered_is_one_failure)
{
	fresh(2);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert_int_eq(servers_failed(s, 0, 100 + i, 1600 + i), i == 0);
	ck_assert_uint_eq(s->at[0].times, 1);
	servers_drop(s);
}
END_TEST

START_TEST(one_query_that_it_never_answers_does_not_make_it_dead)
{
	fresh(2);
	(void)servers_answered(s, 0, 200);		/* another query's, after this was sent */
	ck_assert(!servers_failed(s, 0, 100, 1600));
	ck_assert(!servers_failed(s, 0, 200, 1700));
	ck_assert_uint_eq(order(1700), 1);
	ck_assert(servers_failed(s, 0, 201, 1701));
	servers_drop(s);
}
END_TEST

START_TEST(a_list_lives_as_long_as_somebody_holds_it)
{
	struct servers *mine;

	fresh(1);
	mine = servers_hold(s);
	servers_drop(s);
	ck_assert(servers_have(mine, &mine->at[0].addr));
	ck_assert(!servers_have(mine, &(struct addr){ .family = 4, .port = 53, .ip = { 1 } }));
	servers_drop(mine);
	servers_drop(NULL);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("servers");

	tcase_add_test(tc, they_are_asked_in_their_order_and_the_silent_one_last);
	tcase_add_test(tc, one_query_tries_it_when_its_time_has_come);
	tcase_add_test(tc, a_burst_that_is_not_answered_is_one_failure);
	tcase_add_test(tc, one_query_that_it_never_answers_does_not_make_it_dead);
	tcase_add_test(tc, a_list_lives_as_long_as_somebody_holds_it);
	return unit_run("servers", tc);
}

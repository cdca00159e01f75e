/*
 * test_stock.c - which port a query takes, and for how long a port is one to take.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdlib.h>

#include "stock.h"

static struct stock	s;
static struct port	ports[4096];
static size_t		nports;

static void
fresh_stock(void)
{
	static const struct addr server = { .family = 4, .port = 53, .ip = { 192, 0, 2, 53 } };

	stock_init(&s, &server);
	nports = 0;
}

static struct port *
make(void)
{
	struct port *old = stock_excess(&s);

	if (old != NULL)
		stock_drop(old);
	ck_assert_uint_lt(nports, COUNT(ports));
	stock_add(&s, &ports[nports]);
	return &ports[nports++];
}

/* As upstream.c does it. */
static struct port *
take(uint16_t r, uint64_t now)
{
	struct port *p = stock_take(&s, r, now);

	if (p == NULL) {
		ck_assert_ptr_null(stock_excess(&s));
		stock_ready(make());
		p = stock_take(&s, r, now);
	}
	ck_assert_ptr_nonnull(p);
	return p;
}

START_TEST(a_query_takes_a_new_port_as_long_as_there_is_room)
{
	fresh_stock();
	for (size_t i = 0; i < STOCK_MAX; i++) {
		ck_assert_uint_eq(take((uint16_t)(i * 7), 0)->uses, 1);
		ck_assert_uint_eq(stock_size(&s), i + 1);
	}
	ck_assert_uint_eq(take(0, 0)->uses, 2);
	ck_assert_uint_eq(stock_size(&s), STOCK_MAX);
}
END_TEST

START_TEST(a_new_port_that_is_there_goes_before_one_that_comes_and_one_that_was_used)
{
	struct port *comes, *there;

	fresh_stock();
	for (size_t i = 0; i < STOCK_MAX - 2; i++)
		take(0, 0);
	comes = make();
	there = make();
	stock_ready(there);
	ck_assert_ptr_eq(stock_take(&s, 1, 0), there);
	ck_assert_ptr_eq(stock_take(&s, 1, 0), comes);
	stock_ready(comes);				/* taken already: not new any more */
	ck_assert_uint_eq(stock_take(&s, 1, 0)->uses, 2);
}
END_TEST

START_TEST(a_full_stock_gives_each_of_its_ports_for_some_random_number)
{
	unsigned seen[STOCK_MAX] = { 0 };

	fresh_stock();
	for (size_t i = 0; i < STOCK_MAX; i++)
		take(0, 0);
	for (unsigned r = 0; r < 4 * STOCK_MAX; r++)
		seen[stock_take(&s, (uint16_t)r, 0) - ports]++;
	for (size_t i = 0; i < STOCK_MAX; i++)
		ck_assert_uint_eq(seen[i], 4);
}
END_TEST

START_TEST(the_oldest_port_makes_room)
{
	fresh_stock();
	for (size_t i = 0; i < STOCK_MAX; i++)
		take(0, 0);
	for (size_t i = 0; i < STOCK_MAX; i++) {
		ck_assert_ptr_eq(stock_excess(&s), &ports[i]);
		make();
		ck_assert_ptr_null(ports[i].stock);
		ck_assert_uint_eq(stock_size(&s), STOCK_MAX);
	}
}
END_TEST

START_TEST(a_port_is_dropped_after_so_many_queries)
{
	struct port *p;

	fresh_stock();
	for (size_t i = 0; i < STOCK_MAX; i++)
		take(0, 0);
	p = s.used[5];
	for (unsigned i = 1; i < STOCK_USES; i++) {
		ck_assert_ptr_eq(p->stock, &s);
		ck_assert_ptr_eq(stock_take(&s, 5, 0), p);
	}
	ck_assert_ptr_null(p->stock);
	ck_assert_uint_eq(stock_size(&s), STOCK_MAX - 1);
	ck_assert_ptr_null(stock_take(&s, 5, 0));	/* room again */
	stock_drop(p);					/* no harm */
}
END_TEST

START_TEST(what_is_made_ahead_is_bounded_by_need_and_by_time)
{
	size_t n, total = 0;

	fresh_stock();
	ck_assert_uint_eq(stock_refill(&s), 0);		/* nobody has asked */
	for (unsigned i = 1; i <= 4; i++) {
		take(0, 0);
		for (n = stock_refill(&s); n > 0; n--)
			make();
		ck_assert_uint_le(s.ncoming + s.nfresh, i);
	}
	for (unsigned i = 0; i < 1000; i++) {
		take((uint16_t)i, 0);
		for (n = stock_refill(&s), total += n; n > 0; n--)
			make();
		ck_assert_uint_le(s.ncoming + s.nfresh, STOCK_AHEAD);
	}
	ck_assert_uint_le(total, STOCK_A_TICK);
	while (s.ncoming + s.nfresh > 0)
		take(0, 0);
	ck_assert_uint_eq(stock_refill(&s), 0);		/* not before the next tick */
	ck_assert(!stock_tick(&s, 100));
	ck_assert_uint_eq(stock_refill(&s), STOCK_AHEAD);
}
END_TEST

START_TEST(a_stock_that_nobody_wants_is_given_back)
{
	struct port *p;
	size_t n = 0;

	fresh_stock();
	take(0, 1000);
	make();
	stock_ready(make());
	ck_assert(!stock_tick(&s, 1000 + STOCK_IDLE_MS - 1));
	ck_assert(stock_tick(&s, 1000 + STOCK_IDLE_MS));
	for (; (p = stock_any(&s)) != NULL; n++)
		stock_drop(p);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(stock_size(&s), 0);
	ck_assert_uint_eq(stock_refill(&s), 0);
}
END_TEST

static size_t
count(const struct ports *list, int state)
{
	const struct port *p;
	size_t n = 0;

	TAILQ_FOREACH(p, list, link)
		n += p->stock == &s && (int)p->state == state ? 1 : STOCK_MAX + 1;
	return n;
}

/* Each port is where it says that it is, and there once. */
static bool
is_whole(void)
{
	static size_t seen[COUNT(ports)], round;

	round++;
	for (size_t i = 0; i < s.nused; i++) {
		struct port *p = s.used[i];

		if (p->stock != &s || p->state != PORT_USED || seen[p - ports] == round)
			return false;
		seen[p - ports] = round;
	}
	return count(&s.coming, PORT_COMING) == s.ncoming &&
	    count(&s.fresh, PORT_FRESH) == s.nfresh && stock_size(&s) <= STOCK_MAX;
}

/* Whatever happens in whatever order: see "what must stay true". */
START_TEST(any_order_of_events_keeps_it_whole)
{
	uint64_t now = 0;

	srand(4711);
	fresh_stock();
	for (int i = 0; i < 20000 && nports < COUNT(ports) - STOCK_MAX; i++) {
		int what = rand() % 16;

		if (what < 10)
			(void)take((uint16_t)rand(), now);
		else if (what < 12)
			for (size_t n = stock_refill(&s); n > 0; n--)
				make();
		else if (what < 14 && !TAILQ_EMPTY(&s.coming))
			stock_ready(TAILQ_FIRST(&s.coming));
		else if (what == 14 && nports > 0)
			stock_drop(&ports[(size_t)rand() % nports]);
		else
			(void)stock_tick(&s, now += 100);
		ck_assert(is_whole());
	}
	ck_assert_uint_gt(nports, 1000);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("stock");

	tcase_add_test(tc, a_query_takes_a_new_port_as_long_as_there_is_room);
	tcase_add_test(tc, a_new_port_that_is_there_goes_before_one_that_comes_and_one_that_was_used);
	tcase_add_test(tc, a_full_stock_gives_each_of_its_ports_for_some_random_number);
	tcase_add_test(tc, the_oldest_port_makes_room);
	tcase_add_test(tc, a_port_is_dropped_after_so_many_queries);
	tcase_add_test(tc, what_is_made_ahead_is_bounded_by_need_and_by_time);
	tcase_add_test(tc, a_stock_that_nobody_wants_is_given_back);
	tcase_add_test(tc, any_order_of_events_keeps_it_whole);
	return unit_run("stock", tc);
}

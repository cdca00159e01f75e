/*
 * test_timer.c - timers fire once, in order, and not before their time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>

#include "../main.h"
#include "stack.h"

#define N	500

static struct stack	s;
static struct timer	t[N];
static uint64_t		due[N];		/* 0: not set */
static uint64_t		last;

static void
on_fire(struct stack *st, struct timer *timer)
{
	size_t i = (size_t)(timer - t);

	ck_assert_uint_eq(due[i], timer->at);
	ck_assert_uint_le(due[i], st->now);
	ck_assert_uint_le(last, timer->at);
	last = timer->at;
	due[i] = 0;
}

START_TEST(any_order_of_setting_and_stopping_fires_what_is_due)
{
	size_t set;
	int64_t next;

	srand((unsigned)_i);
	s = (struct stack){ .now = 1 };
	last = 0;
	for (int round = 0; round < 3000; round++) {
		size_t i = (size_t)rand() % N;

		if (rand() % 3 == 0) {
			timer_stop(&s, &t[i]);
			due[i] = 0;
		} else {
			uint64_t ms = (uint64_t)rand() % 1000;

			timer_set(&s, &t[i], ms, on_fire);
			due[i] = s.now + ms;
		}
		if (rand() % 10 != 0)
			continue;
		s.now += (uint64_t)rand() % 50;
		last = 0;
		next = timers_run(&s);
		set = 0;
		for (i = 0; i < N; i++) {
			ck_assert(due[i] == 0 || due[i] > s.now);
			ck_assert(due[i] == 0 || (int64_t)(due[i] - s.now) >= next);
			set += due[i] != 0;
		}
		ck_assert_uint_eq(set, s.timers.n);
		ck_assert(set > 0 || next == -1);
	}
	s.now += 5000;
	last = 0;
	ck_assert_int_eq((int)timers_run(&s), -1);
	timers_done(&s.timers);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("timer");

	tcase_add_loop_test(tc, any_order_of_setting_and_stopping_fires_what_is_due, 0, 10);
	return unit_run("timer", tc);
}

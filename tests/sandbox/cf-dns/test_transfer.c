/*
 * test_transfer.c - zone transfers through the built program: message for message, at the asker's
 * pace, and never half of one for a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "world.h"

static struct world	*w;

/* Loops: with descriptors, and with DATA frames. */
static void
start(int frames, enum manner manner)
{
	w = world_new();
	w->caps = frames ? 0 : MSG_CAP_FD;
	for (int i = 0; i < RESOLVERS; i++)
		w->fakes[i].manner = manner;
	world_start(w, NULL);
}

static void
parts_until(unsigned n)
{
	int64_t end = now_ms() + 5000;

	while (w->nparts < n && now_ms() < end)
		world_turn(w, 10);
	ck_assert_uint_eq(w->nparts, n);
}

START_TEST(each_message_comes_once_and_the_last_is_the_answer)
{
	start(_i, TRANSFERS);
	ask(w, 1, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	ck_assert(world_until(w, 1, 20000));
	ck_assert_uint_eq(w->nparts, TRANSFER_MESSAGES - 1);
	ck_assert_uint_gt(w->last->len, 19000);
	ck_assert_uint_eq(wire_id(w->last->msg), 0x1001);
	ck_assert_int_eq(world_end(w), 0);
	ck_assert_uint_eq(flows_open(w, true), 0);
	ck_assert_str_eq(drain(w->err), "");
}
END_TEST

START_TEST(nothing_comes_until_what_came_is_taken)
{
	start(_i, TRANSFERS);
	w->hold_parts = true;
	ask(w, 1, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	for (unsigned n = 1; n < 20; n++) {
		parts_until(n);
		ck_assert_uint_eq(wire_id(w->last->msg), 0x1001);
		if (n < 3)
			world_for(w, 300);
		ck_assert_uint_eq(w->nparts, n);
		proceed(w->stack, 1, PROCEED_ON);
	}
	parts_until(20);
	/* Longer than any other query may take; and others are answered meanwhile. */
	w->fakes[0].manner = w->fakes[1].manner = ANSWERS_AT_ONCE;
	ask(w, 2, IPPROTO_UDP, INSIDE_GATEWAY4, "example.test", WIRE_A, 0);
	ck_assert(world_until(w, 1, 2000));
	world_for(w, 5000);
	ck_assert_uint_eq(w->nparts, 20);
	w->hold_parts = false;
	proceed(w->stack, 1, PROCEED_ON);
	ck_assert(world_until(w, 2, 20000));
	ck_assert_uint_eq(w->nparts, TRANSFER_MESSAGES - 1);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

START_TEST(who_wants_no_more_gets_an_empty_answer)
{
	start(_i, TRANSFERS);
	w->hold_parts = true;
	ask(w, 1, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	parts_until(1);
	ck_assert_uint_eq(flows_open(w, true), 1);
	proceed(w->stack, 1, 0);
	ck_assert(world_until(w, 1, 2000));
	ck_assert_uint_eq(w->last->len, 0);
	world_turn(w, 100);
	ck_assert_uint_eq(flows_open(w, true), 0);
	proceed(w->stack, 1, PROCEED_ON);		/* too late */
	ask(w, 2, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	parts_until(2);
	ck_assert_int_eq(world_end(w), 0);
	ck_assert_str_eq(drain(w->err), "");
}
END_TEST

START_TEST(what_breaks_off_ends_with_an_empty_answer)
{
	start(_i, TRANSFERS_HALF);
	ask(w, 1, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	ck_assert(world_until(w, 1, 20000));
	ck_assert_uint_eq(w->nparts, TRANSFER_MESSAGES / 2);
	ck_assert_uint_eq(w->last->len, 0);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

START_TEST(more_than_sixteen_get_servfail)
{
	start(_i, TRANSFERS);
	w->hold_parts = true;
	for (uint64_t i = 1; i <= 16; i++) {
		ask(w, i, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
		parts_until((unsigned)i);
	}
	ask(w, 17, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	ck_assert(world_until(w, 1, 6000));
	ck_assert_uint_eq(w->last->flow, 17);
	ck_assert_uint_eq(w->last->msg[3] & 0x0f, WIRE_SERVFAIL);
	proceed(w->stack, 1, 0);			/* one place is free again */
	ck_assert(world_until(w, 2, 2000));
	ask(w, 18, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	parts_until(17);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

START_TEST(proceed_without_a_part_is_garbage)
{
	start(0, TRANSFERS);
	w->hold_parts = true;
	ask(w, 1, IPPROTO_TCP, INSIDE_GATEWAY4, "example.test", WIRE_AXFR, 0);
	parts_until(1);
	/* The second come together; what has come of the zone is never that much of it. */
	for (int i = 0; i < (_i == 0 ? 1 : TRANSFER_MESSAGES); i++)
		proceed(w->stack, 1, _i == 0 ? 2 : PROCEED_ON);
	while (w->stack_end == 1)
		world_turn(w, 10);
	ck_assert_int_eq(world_end(w), 1);
	ck_assert_ptr_nonnull(strstr(drain(w->err), _i == 0 ? "bad PROCEED" :
	    "PROCEED without PART"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transfer");
	TCase *tc = tcase_create("transfer");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, each_message_comes_once_and_the_last_is_the_answer, 0, 2);
	tcase_add_loop_test(tc, nothing_comes_until_what_came_is_taken, 0, 2);
	tcase_add_loop_test(tc, who_wants_no_more_gets_an_empty_answer, 0, 2);
	tcase_add_loop_test(tc, what_breaks_off_ends_with_an_empty_answer, 0, 2);
	tcase_add_loop_test(tc, more_than_sixteen_get_servfail, 0, 2);
	tcase_add_loop_test(tc, proceed_without_a_part_is_garbage, 0, 2);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

/*
 * test_counts.c - what busy flows have carried is told now and then, in turns, and only if asked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "packets.h"

#include "counts.h"

static void
nothing(struct flow *f)
{
	(void)f;
}

static const struct flow_kind kind = { .name = "test", .size = sizeof(struct flow),
	.opened = nothing, .aborted = nothing, .done = nothing };

static void
hello_from(enum role role)
{
	uint8_t hello[MSG_HEADER_LEN + MSG_HELLO_LEN];
	struct wr w = wr_over(hello + MSG_HEADER_LEN, MSG_HELLO_LEN);

	frame_header(hello, MSG_HELLO, 0, 0, MSG_HELLO_LEN);
	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = role });
	ck_assert_int_eq(send(proxy_fd, hello, sizeof(hello), 0), sizeof(hello));
	chan_hello(s.proxy, 0);
	ck_assert_int_eq(chan_read(s.proxy), 1);
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, role).type, MSG_HELLO);
}

static struct flow *
busy_flow(uint32_t n)
{
	struct addr src = addr("192.0.0.2:1024"), dst = addr("203.0.113.10:80");
	struct flow *f;

	src.port = (uint16_t)(1024 + n);
	ck_assert_ptr_nonnull(f = flow_new(&s, &kind, PROTO_TCP, &src, &dst));
	f->id = stack_next_id(&s);
	f->asked = f->is_open = true;
	LIST_INSERT_HEAD(&s.flows.id[f->id & (s.flows.n_buckets - 1)], f, by_id);
	f->up_bytes = n;
	f->down_bytes = 1000;
	return f;
}

static size_t
told(void)
{
	size_t n = 0;
	struct frame f;

	s.now += 1000;
	timers_run(&s);
	while ((f = next_frame(s.proxy, proxy_fd, R_PROXY)).type != 0) {
		ck_assert_uint_eq(f.type, MSG_COUNTS);
		n++;
	}
	return n;
}

START_TEST(busy_flow_is_told_once_for_what_it_carried)
{
	struct flow *f;

	world_up();
	hello_from(R_PROXY);
	counts_start(&s, 1000);
	f = busy_flow(7);
	ck_assert_uint_eq(told(), 1);
	ck_assert_uint_eq(told(), 0);
	f->up_bytes++;
	ck_assert_uint_eq(told(), 1);
	world_down();
}
END_TEST

START_TEST(each_of_many_has_its_turn)
{
	world_up();
	hello_from(R_PROXY);
	for (uint32_t i = 0; i < 2 * COUNTS_A_TURN + 5; i++)
		busy_flow(i);
	counts_start(&s, 1000);
	ck_assert_uint_eq(told(), COUNTS_A_TURN);
	ck_assert_uint_eq(told(), COUNTS_A_TURN);
	ck_assert_uint_eq(told(), 5);
	ck_assert_uint_eq(told(), 0);
	world_down();
}
END_TEST

START_TEST(nobody_is_told_who_did_not_ask)
{
	world_up();
	hello_from(R_PROXY);
	counts_start(&s, 0);
	busy_flow(1);
	ck_assert_uint_eq(told(), 0);
	world_down();
}
END_TEST

START_TEST(dialler_is_not_told)
{
	world_up();
	hello_from(R_DIAL);
	counts_start(&s, 1000);
	busy_flow(1);
	s.now += 1000;
	timers_run(&s);
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_DIAL).type, 0);
	world_down();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("counts");

	tcase_add_test(tc, busy_flow_is_told_once_for_what_it_carried);
	tcase_add_test(tc, each_of_many_has_its_turn);
	tcase_add_test(tc, nobody_is_told_who_did_not_ask);
	tcase_add_test(tc, dialler_is_not_told);
	return unit_run("counts", tc);
}

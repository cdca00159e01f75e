/*
 * test_flow.c - the table of flows: who chooses the tuples cannot make its chains long, and
 * what is turned away is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "packets.h"

#define N		2048		/* flows, and then buckets */
#define CHAIN_MOST	16		/* one on the average: longer by chance once in 10^9 runs */

static void
nothing(struct flow *f)
{
	(void)f;
}

static const struct flow_kind kind = { .name = "test", .size = sizeof(struct flow),
	.aborted = nothing, .done = nothing };

struct tuple { struct addr src, dst; };
static struct tuple chosen[N];

/* The n-th tuple that a tree can make: of these, it picks. */
static struct tuple
tuple(int family, uint32_t n)
{
	static struct tuple base;
	struct tuple t;
	size_t last = family == 4 ? 3 : 15;

	if (base.src.family != family) {
		base.src = addr(family == 4 ? "192.0.0.2:1024" : "[2001:2:0:cf::2]:1024");
		base.dst = addr(family == 4 ? "203.0.113.10:80" : "[2001:db8::1]:80");
	}
	t = base;
	t.src.port = (uint16_t)(1024 + n % 60000);
	t.dst.ip[last - 1] = (uint8_t)(n / 60000 >> 8);
	t.dst.ip[last] = (uint8_t)(n / 60000);
	return t;
}

static size_t
longest_chain(void)
{
	size_t most = 0, len;
	struct flow *f;

	for (size_t i = 0; i < s.flows.n_buckets; i++) {
		len = 0;
		LIST_FOREACH(f, &s.flows.tuple[i], by_tuple)
			len++;
		if (len > most)
			most = len;
	}
	return most;
}

static void
fill(void)
{
	for (size_t i = 0; i < N; i++)
		ck_assert_ptr_nonnull(flow_new(&s, &kind, PROTO_TCP, &chosen[i].src, &chosen[i].dst));
	ck_assert_uint_eq(s.flows.n, N);
	ck_assert_uint_ge(s.flows.n_buckets, N);
	for (size_t i = 0; i < N; i++)
		ck_assert_ptr_nonnull(flow_find(&s, PROTO_TCP, &chosen[i].src, &chosen[i].dst));
}

static const int families[] = { 4, 6 };

/* The attacker knew the key of the run before, or guessed one, and has all of one bucket. */
START_TEST(tuples_that_collide_under_another_key_do_not_here)
{
	static const uint64_t guessed[2] = { 0, 0 };
	uint64_t before[2];
	const uint64_t *key = _i % 2 == 0 ? guessed : before;
	size_t n = 0;

	world_up();
	memcpy(before, s.flows.key, sizeof(before));
	world_down();
	for (uint32_t k = 0; n < N; k++) {
		struct tuple t = tuple(families[_i / 2], k);

		if (flow_hash(key, PROTO_TCP, &t.src, &t.dst) % N == 0)
			chosen[n++] = t;
	}
	world_up();
	ck_assert(s.flows.key[0] != before[0] && s.flows.key[1] != before[1]);
	fill();
	ck_assert_uint_lt(longest_chain(), CHAIN_MOST);
	world_down();
}
END_TEST

START_TEST(tuples_in_a_row_are_spread)
{
	world_up();
	for (uint32_t k = 0; k < N; k++)
		chosen[k] = tuple(families[_i], k);
	fill();
	ck_assert_uint_lt(longest_chain(), CHAIN_MOST);
	world_down();
}
END_TEST

/* ---- limits ---- */

/* The far end of the channel is the policy stage, or a dialler in its place. */
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
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, MSG_HELLO);
}

static void
knock(size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_null(flow_new(&s, &kind, PROTO_TCP, &chosen[N - 1].src,
		    &chosen[N - 1].dst));
}

static void
limit_is_told(enum limit which, uint32_t most, uint64_t times)
{
	struct frame f = next_frame(s.proxy, proxy_fd, R_PROXY);
	struct rd r = rd_over(f.body, f.len);
	struct msg_limit m;

	ck_assert_uint_eq(f.type, MSG_LIMIT);
	ck_assert(msg_limit_get(&r, &m));
	ck_assert_int_eq(m.which, which);
	ck_assert_uint_eq(m.most, most);
	ck_assert_uint_eq(m.times, times);
}

START_TEST(limit_is_told_to_the_policy_stage_now_and_then_and_in_full)
{
	world_up();
	s.flows.max = 3;
	for (uint32_t k = 0; k < N; k++)
		chosen[k] = tuple(4, k);
	hello_from(R_PROXY);
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(flow_new(&s, &kind, PROTO_TCP, &chosen[i].src, &chosen[i].dst));
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
	knock(1000);
	limit_is_told(LIMIT_FLOWS, 3, 1);
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
	s.now += LIMIT_EVERY_MS;
	knock(10);
	limit_is_told(LIMIT_FLOWS, 3, 1000);
	ck_assert(flows_drain(&s, false));
	limit_is_told(LIMIT_FLOWS, 3, 9);
	ck_assert(flows_drain(&s, false));
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
	world_down();
}
END_TEST

/* It would end the channel of one that does not know the message. */
START_TEST(limit_is_not_told_to_a_dialler)
{
	world_up();
	s.flows.max = 0;
	chosen[N - 1] = tuple(4, 0);
	hello_from(R_DIAL);
	knock(10);
	s.now += LIMIT_EVERY_MS;
	knock(10);
	ck_assert(flows_drain(&s, false));
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_DIAL).type, 0);
	world_down();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("flow");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, tuples_that_collide_under_another_key_do_not_here, 0, 4);
	tcase_add_loop_test(tc, tuples_in_a_row_are_spread, 0, 2);
	tcase_add_test(tc, limit_is_told_to_the_policy_stage_now_and_then_and_in_full);
	tcase_add_test(tc, limit_is_not_told_to_a_dialler);
	return unit_run("flow", tc);
}

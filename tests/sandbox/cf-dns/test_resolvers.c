/*
 * test_resolvers.c - the built cf-dns, sealed: whom it asks when, and when it asks nobody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "servers.h"
#include "world.h"

#define GATEWAY	INSIDE_GATEWAY4

static struct wire_answer
last(const struct world *w)
{
	struct wire_answer a;

	wire_answer(w->last->msg, w->last->len, &a);
	return a;
}

/* How long one query takes to be answered with an address. */
static int
took_ms(struct world *w, uint64_t flow)
{
	int64_t start = now_ms();
	char name[32];

	snprintf(name, sizeof(name), "n%u.test", (unsigned)flow);
	ask(w, flow, IPPROTO_UDP, GATEWAY, name, WIRE_A, 0);
	ck_assert(world_until(w, (unsigned)flow, 5000));
	ck_assert_uint_eq(last(w).naddrs, 1);
	return (int)(now_ms() - start);
}

START_TEST(a_dead_first_resolver_costs_one_query_time_and_no_other)
{
	struct world *w = world_new();
	unsigned asked;

	w->fakes[0].manner = STAYS_SILENT;
	world_start(w, NULL);
	ck_assert_int_ge(took_ms(w, 1), 1400);
	asked = w->fakes[0].nudp;
	for (uint64_t flow = 2; flow <= 200; flow++)
		ck_assert_int_lt(took_ms(w, flow), 700);
	ck_assert_uint_le(w->fakes[0].nudp, asked + 1);
	/* Its time has come: one query tries it. */
	world_for(w, DOWN_MIN_MS + 100);
	w->fakes[0].manner = ANSWERS_AT_ONCE;
	asked = w->fakes[1].nudp;
	ck_assert_int_lt(took_ms(w, 201), 700);
	for (uint64_t flow = 202; flow <= 250; flow++)
		took_ms(w, flow);
	ck_assert_uint_eq(w->fakes[1].nudp, asked);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

START_TEST(what_is_cached_is_not_asked_again)
{
	struct world *w = world_new();
	char one[ADDR_STRLEN];
	const char *args[] = { "-v", "--dns-cache", "8", "--resolver",
	    addr_str(&w->fakes[0].addr, one), NULL };
	uint64_t flow = 0;
	const char *log;

	world_start(w, args);
	for (int i = 0; i < 10; i++) {
		ask(w, ++flow, i % 2 ? IPPROTO_UDP : IPPROTO_TCP, GATEWAY,
		    i % 3 ? "www.example.test" : "wWw.eXample.test", WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 2000));
		ck_assert_uint_eq(last(w).naddrs, 1);
		ck_assert_uint_eq(wire_id(w->last->msg), 0x1000 + flow);
		ck_assert_int_eq(w->last->msg[13], 'w');
		ck_assert_int_eq(w->last->msg[14], i % 3 ? 'w' : 'W');
	}
	ck_assert_uint_eq(w->fakes[0].nudp, 1);
	/* Another type, another server, and what is an error, are asked. */
	ask(w, ++flow, IPPROTO_UDP, GATEWAY, "www.example.test", WIRE_AAAA, 0);
	ck_assert(world_until(w, (unsigned)flow, 2000));
	ck_assert_uint_eq(w->fakes[0].nudp, 2);
	w->fakes[0].manner = SAYS_SERVFAIL;
	for (int i = 0; i < 2; i++) {
		ask(w, ++flow, IPPROTO_UDP, GATEWAY, "fails.test", WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 2000));
		ck_assert_uint_eq(last(w).rcode, WIRE_SERVFAIL);
	}
	ck_assert_uint_eq(w->fakes[0].nudp, 4);
	ck_assert_int_eq(world_end(w), 0);
	log = drain(w->err);
	ck_assert_ptr_nonnull(strstr(log, "www.example.test A -> 203.0.113.10 (cached)"));
	log = drain(w->log);
	ck_assert_ptr_nonnull(strstr(log, "\"cached\""));
}
END_TEST

START_TEST(without_dns_cache_each_query_is_asked)
{
	struct world *w = world_new();

	world_start(w, NULL);
	for (uint64_t flow = 1; flow <= 5; flow++) {
		ask(w, flow, IPPROTO_UDP, GATEWAY, "www.example.test", WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 2000));
	}
	ck_assert_uint_eq(w->fakes[0].nudp, 5);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

/* cf-spawn says that the resolvers are these. */
static void
resolvers_are(struct world *w, const struct addr *list, size_t n)
{
	uint8_t body[MSG_LIST_MAX];
	struct wr wr = wr_over(body, sizeof(body));
	unsigned before = w->ntaken;

	msg_list_put(&wr, list, n);
	chan_send(w->spawn, MSG_RESOLVERS, 0, body, (size_t)(wr.p - body), NULL, 0, -1);
	for (int i = 0; i < 500 && w->ntaken == before; i++)
		world_turn(w, 10);
	ck_assert_uint_eq(w->ntaken, before + 1);
}

START_TEST(new_resolvers_are_asked_and_what_was_under_way_goes_on)
{
	struct world *w = world_new();
	char one[ADDR_STRLEN];
	const char *args[] = { "--dns-cache", "8", "--resolver",
	    addr_str(&w->fakes[0].addr, one), NULL };
	struct addr many[RESOLVERS_MAX];

	w->controlled = true;
	world_start(w, args);
	took_ms(w, 1);
	ck_assert_uint_eq(w->fakes[0].nudp, 1);
	/* This one is under way when they change, and is answered by the one that it went to. */
	w->fakes[0].manner = STAYS_SILENT;
	ask(w, 2, IPPROTO_UDP, GATEWAY, "late.test", WIRE_A, 0);
	for (int i = 0; i < 500 && w->fakes[0].nudp < 2; i++)
		world_turn(w, 10);
	resolvers_are(w, &w->fakes[1].addr, 1);
	w->fakes[0].manner = ANSWERS_AT_ONCE;
	/* What the old one said is no longer known. */
	ask(w, 3, IPPROTO_UDP, GATEWAY, "n1.test", WIRE_A, 0);
	ck_assert(world_until(w, 2, 1000));
	ck_assert_uint_eq(w->last->flow, 3);
	ck_assert_uint_eq(w->fakes[1].nudp, 1);
	ck_assert(world_until(w, 3, 3000));
	ck_assert_uint_eq(w->last->flow, 2);
	ck_assert_uint_eq(last(w).naddrs, 1);
	ck_assert_uint_eq(w->fakes[1].nudp, 1);
	/* None, and as many as there may be. */
	resolvers_are(w, NULL, 0);
	ask(w, 4, IPPROTO_UDP, GATEWAY, "n4.test", WIRE_A, 0);
	ck_assert(world_until(w, 4, 1000));
	ck_assert_uint_eq(last(w).rcode, WIRE_SERVFAIL);
	for (size_t i = 0; i < RESOLVERS_MAX; i++)
		many[i] = w->fakes[i % 2].addr;
	for (int i = 0; i < 100; i++)
		resolvers_are(w, many, RESOLVERS_MAX);
	took_ms(w, 5);
	ck_assert_int_eq(world_end(w), 0);
}
END_TEST

START_TEST(garbage_from_cf_spawn_is_one_line_and_status_1)
{
	static const struct {
		enum msg_type	type;
		uint8_t		body[24];
		size_t		len;
		const char	*why;
	} sent[] = {
		{ MSG_RESOLVERS, { 1 }, 4, "bad RESOLVERS" },
		{ MSG_RESOLVERS, { 1, 0, 0, 0, 9 }, 24, "bad RESOLVERS" },
		{ MSG_RESOLVERS, { 2, 0, 0, 0, 4 }, 24, "bad RESOLVERS" },
		{ MSG_FINISH, { 0 }, 4, "wrong direction" },
	};
	struct world *w = world_new();
	char want[80];

	w->controlled = true;
	world_start(w, NULL);
	for (int i = 0; i < 500 && chan_peer(w->spawn) == 0; i++)
		world_turn(w, 10);
	chan_send(w->spawn, sent[_i].type, 0, sent[_i].body, sent[_i].len, NULL, 0, -1);
	for (int i = 0; i < 500 && w->stack_end == 1; i++)
		world_turn(w, 10);
	ck_assert_int_eq(world_end(w), 1);
	snprintf(want, sizeof(want), "cf-dns: cf-spawn sent garbage: %s\n", sent[_i].why);
	ck_assert_str_eq(drain(w->err), want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-dns resolvers");
	TCase *tc = tcase_create("resolvers");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_dead_first_resolver_costs_one_query_time_and_no_other);
	tcase_add_test(tc, what_is_cached_is_not_asked_again);
	tcase_add_test(tc, without_dns_cache_each_query_is_asked);
	tcase_add_test(tc, new_resolvers_are_asked_and_what_was_under_way_goes_on);
	tcase_add_loop_test(tc, garbage_from_cf_spawn_is_one_line_and_status_1, 0, 4);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

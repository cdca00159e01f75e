/*
 * test_life.c - the built cf-dns, sealed, through its channels.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stock.h"
#include "world.h"

#define GATEWAY		INSIDE_GATEWAY4
#define WWW		"www.Example.test"

static struct wire_answer
last(const struct world *w)
{
	struct wire_answer a;

	wire_answer(w->last->msg, w->last->len, &a);
	return a;
}

static void
check_www(struct world *w, uint64_t flow)
{
	uint8_t q[512];
	struct wire_query wq;
	size_t len = query_make(q, (uint16_t)(0x1000 + flow), WWW, WIRE_A, 0);
	char text[ADDR_STRLEN];
	struct wire_answer a = last(w);

	wire_query(q, len, &wq);
	ck_assert_uint_eq(w->last->flow, flow);
	ck_assert(wire_answers(w->last->msg, w->last->len, q, &wq));
	ck_assert_uint_eq(a.rcode, WIRE_NOERROR);
	ck_assert_uint_ge(a.naddrs, 1);
	ck_assert_str_eq(addr_ip_str(&a.addrs[0], text), "203.0.113.10");
}

static void
check_servfail(struct world *w, uint64_t flow)
{
	struct wire_answer a = last(w);

	ck_assert_uint_eq(w->last->flow, flow);
	ck_assert_uint_eq(a.rcode, WIRE_SERVFAIL);
	ck_assert_uint_eq(wire_id(w->last->msg), 0x1000 + flow);
	ck_assert_uint_eq(w->last->msg[5], 1);		/* the question */
	ck_assert(w->last->msg[3] & 0x80);		/* RA */
	ck_assert(!a.truncated);
}

/* How the dialler gives its sockets: each promise is kept both ways. */
static const uint32_t ways[] = { MSG_CAP_FD, 0 };
#define WORLD()		struct world *w = world_new(); w->caps = ways[_i]
#define START(...)	world_start(w, (const char *const []){ __VA_ARGS__, NULL })
#define END(status)	ck_assert_msg(world_end(w) == (status), "%s", drain(w->err))

START_TEST(a_query_is_answered_and_nothing_is_left_open)
{
	int64_t end;
	WORLD();

	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 1232);
	ck_assert(world_until(w, 1, 2000));
	check_www(w, 1);
	ask(w, 2, IPPROTO_TCP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 2, 2000));
	check_www(w, 2);
	ck_assert_uint_eq(w->fakes[0].nudp, 2);
	ck_assert_uint_eq(w->fakes[1].nudp, 0);
	world_for(w, 50);
	ck_assert_uint_le(w->opens, 2 + 2);	/* as many ahead as there were queries */
	for (end = now_ms() + STOCK_IDLE_MS + 2000; w->closes < w->opens && now_ms() < end; )
		world_turn(w, 10);
	ck_assert_uint_eq(w->closes, w->opens);
	/* And again after the pause. */
	ask(w, 3, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 1232);
	ck_assert(world_until(w, 3, 2000));
	check_www(w, 3);
	END(0);
	ck_assert_str_eq(drain(w->err), "");
}
END_TEST

START_TEST(the_resolver_gets_the_message_as_it_was_but_for_its_id)
{
	uint8_t q[512];
	size_t len = query_make(q, 7, WWW, 65280, 4096);
	WORLD();

	world_start(w, NULL);
	for (uint64_t flow = 1; flow <= 8; flow++) {
		ask_raw(w, flow, IPPROTO_UDP, GATEWAY, q, len);
		ck_assert(world_until(w, (unsigned)flow, 2000));
		ck_assert_uint_eq(wire_id(w->last->msg), 7);
		ck_assert_uint_eq(w->fakes[0].last_len, len);
	}
	for (int i = 0; i < 8; i++)
		for (int k = 0; k < i; k++)
			ck_assert(w->fakes[0].ids[i] != w->fakes[0].ids[k] ||
			    w->fakes[0].ports[i] != w->fakes[0].ports[k]);
	END(0);
}
END_TEST

START_TEST(a_truncated_answer_is_asked_for_over_tcp)
{
	WORLD();
	w->fakes[0].manner = CUTS;
	w->fakes[0].size = 20000;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_TCP, GATEWAY, WWW, 16, 1232);
	ck_assert(world_until(w, 1, 3000));
	ck_assert_uint_gt(w->last->len, 19000);
	ck_assert_uint_eq(w->fakes[0].ntcp, 1);
	ck_assert(!last(w).truncated);
	/* The same over UDP: what fits, and TC. */
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, 16, 1232);
	ck_assert(world_until(w, 2, 3000));
	ck_assert_uint_le(w->last->len, 512);
	ck_assert(last(w).truncated);
	ck_assert_ptr_nonnull(last(w).opt);
	ck_assert_uint_eq(wire_id(w->last->msg), 0x1002);
	world_for(w, 50);
	ck_assert_uint_eq(flows_open(w, true), 0);
	END(0);
}
END_TEST

START_TEST(an_answer_of_64_kib_comes_over_tcp)
{
	WORLD();
	w->fakes[0].manner = CUTS;
	w->fakes[0].size = 65500;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_TCP, GATEWAY, WWW, 16, 1232);
	ck_assert(world_until(w, 1, 3000));
	ck_assert_uint_gt(w->last->len, 65000);
	END(0);
}
END_TEST

START_TEST(an_answer_that_fits_the_askers_udp_stays_whole)
{
	WORLD();
	w->fakes[0].size = 6000;	/* more than c-ares reads of a datagram */
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, 16, 8192);
	ck_assert(world_until(w, 1, 2000));
	ck_assert_uint_gt(w->last->len, 5700);
	ck_assert(!last(w).truncated);
	/* And without EDNS it is cut to 512, although the resolver did not. */
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, 16, 0);
	ck_assert(world_until(w, 2, 2000));
	ck_assert(last(w).truncated);
	ck_assert_uint_le(w->last->len, 512);
	END(0);
}
END_TEST

START_TEST(truncated_without_tcp_stays_truncated)
{
	char one[ADDR_STRLEN];
	WORLD();

	w->fakes[0].manner = CUTS_BUT_NO_TCP;
	START("--resolver", addr_str(&w->fakes[0].addr, one));
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, 16, 1232);
	ck_assert(world_until(w, 1, 3000));
	ck_assert(last(w).truncated);
	ask(w, 2, IPPROTO_TCP, GATEWAY, WWW, 16, 1232);
	ck_assert(world_until(w, 2, 3000));
	check_servfail(w, 2);
	END(0);
}
END_TEST

START_TEST(silent_and_lying_resolvers_give_servfail_within_five_seconds)
{
	int64_t start;
	WORLD();

	w->fakes[0].manner = STAYS_SILENT;
	w->fakes[1].manner = ONLY_LIES;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 1232);
	world_turn(w, 10);
	start = now_ms();
	ck_assert(world_until(w, 1, 6000));
	ck_assert_int_gt(now_ms() - start, 4000);
	ck_assert_int_lt(now_ms() - start, 5000);
	check_servfail(w, 1);
	ck_assert_ptr_nonnull(last(w).opt);
	ck_assert_uint_ge(w->fakes[0].nudp, 1);
	ck_assert_uint_ge(w->fakes[1].nudp, 1);
	END(0);
}
END_TEST

START_TEST(the_second_resolver_is_asked_when_the_first_is_silent)
{
	int64_t start = now_ms();
	WORLD();

	w->fakes[0].manner = STAYS_SILENT;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 4000));
	check_www(w, 1);
	ck_assert_int_ge(now_ms() - start, 1400);
	ck_assert_int_le(now_ms() - start, 2100);
	END(0);
}
END_TEST

START_TEST(the_second_resolver_is_asked_when_the_first_fails)
{
	int64_t start = now_ms();
	WORLD();

	w->fakes[0].manner = SAYS_SERVFAIL;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 4000));
	check_www(w, 1);
	/* Nobody listens there: connection refused. */
	close(w->fakes[0].udp);
	w->fakes[0].udp = -1;
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 2, 4000));
	check_www(w, 2);
	ck_assert_int_le(now_ms() - start, 1000);
	END(0);
}
END_TEST

START_TEST(errors_of_resolvers_are_passed_on)
{
	int64_t start = now_ms();
	WORLD();

	w->fakes[0].manner = w->fakes[1].manner = SAYS_SERVFAIL;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 4000));
	check_servfail(w, 1);
	w->fakes[0].manner = SAYS_NXDOMAIN;
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 2, 4000));
	ck_assert_uint_eq(last(w).rcode, 3);
	w->fakes[0].manner = ERROR_WITHOUT_QUESTION;
	ask(w, 3, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 3, 4000));
	ck_assert_uint_eq(last(w).rcode, WIRE_FORMERR);
	ck_assert_int_le(now_ms() - start, 1000);
	END(0);
}
END_TEST

START_TEST(what_is_no_answer_is_ignored)
{
	WORLD();
	w->fakes[0].manner = LIES_FIRST;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	check_www(w, 1);
	w->fakes[0].manner = SENDS_EMPTY_FIRST;
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 2, 1000));
	check_www(w, 2);
	END(0);
}
END_TEST

START_TEST(a_refusing_dialler_gives_servfail_at_once)
{
	WORLD();
	w->refuse = true;
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	check_servfail(w, 1);
	ask(w, 2, IPPROTO_UDP, "198.51.100.53", WWW, WIRE_A, 0);
	ck_assert(world_until(w, 2, 1000));
	check_servfail(w, 2);
	END(0);
	ck_assert_uint_eq(w->closes, 0);
}
END_TEST

START_TEST(the_asked_server_is_asked_unless_pinned)
{
	char one[ADDR_STRLEN], two[ADDR_STRLEN];
	WORLD();

	START("--resolver", addr_str(&w->fakes[0].addr, one));
	ask(w, 1, IPPROTO_UDP, addr_str(&w->fakes[1].addr, two), WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	check_www(w, 1);
	ck_assert_uint_eq(w->fakes[1].nudp, 1);
	END(0);

	w = world_new();
	w->caps = ways[_i];
	START("--pinned", "--resolver", addr_str(&w->fakes[0].addr, one));
	ask(w, 1, IPPROTO_UDP, addr_str(&w->fakes[1].addr, two), WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	check_www(w, 1);
	ck_assert_uint_eq(w->fakes[0].nudp, 1);
	ck_assert_uint_eq(w->fakes[1].nudp, 0);
	END(0);
}
END_TEST

START_TEST(a_zone_transfer_goes_over_tcp_at_once)
{
	char two[ADDR_STRLEN];
	WORLD();

	world_start(w, NULL);
	ask(w, 1, IPPROTO_TCP, addr_str(&w->fakes[1].addr, two), "example.test", WIRE_AXFR, 0);
	ck_assert(world_until(w, 1, 1000));
	ck_assert_uint_eq(w->fakes[1].nudp, 0);
	ck_assert_uint_eq(w->fakes[1].ntcp, 1);
	END(0);
}
END_TEST

START_TEST(a_long_query_is_passed_on_whole)
{
	static uint8_t q[60000];
	size_t len = query_make(q, 0x1001, WWW, WIRE_A, 1232);
	WORLD();

	/* The OPT record with an option of padding (RFC 7830). */
	q[len - 2] = (uint8_t)((sizeof(q) - len) >> 8), q[len - 1] = (uint8_t)(sizeof(q) - len);
	q[len + 1] = 12;
	q[len + 2] = (uint8_t)((sizeof(q) - len - 4) >> 8);
	q[len + 3] = (uint8_t)(sizeof(q) - len - 4);
	w->fakes[0].manner = CUTS;
	world_start(w, NULL);
	ask_raw(w, 1, IPPROTO_TCP, GATEWAY, q, sizeof(q));
	ck_assert(world_until(w, 1, 2000));
	check_www(w, 1);
	ck_assert_uint_eq(w->fakes[0].last_len, sizeof(q));
	END(0);
}
END_TEST

/* ---- answers that are made here ---- */

START_TEST(what_is_no_query_gets_formerr)
{
	static const struct { size_t at, len; uint8_t byte, questions; } bad[] = {
		{ 2, 0, 0x81, 0 },		/* QR */
		{ 0, 12, 0, 0 },		/* the question is missing */
		{ 0, 20, 0, 0 },		/* ends in its name */
		{ 5, 0, 2, 0 },			/* two questions */
		{ 12, 0, 0xc0, 0 },		/* a pointer to itself */
		{ 12, 0, 0x80, 0 },		/* no such label */
		{ 7, 0, 9, 1 },			/* records that are not there */
	};
	uint8_t q[512];
	size_t len;
	struct world *w = world_new();

	world_start(w, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = query_make(q, 0x4242, WWW, WIRE_A, 0);
		if (bad[i].at > 0)
			q[bad[i].at] = bad[i].byte;
		ask_raw(w, i + 1, IPPROTO_UDP, GATEWAY, q, bad[i].len > 0 ? bad[i].len : len);
		ck_assert(world_until(w, (unsigned)i + 1, 1000));
		ck_assert_uint_eq(last(w).rcode, WIRE_FORMERR);
		ck_assert_uint_eq(wire_id(w->last->msg), 0x4242);
		ck_assert_uint_eq(w->last->msg[5], bad[i].questions);
	}
	for (len = 0; len < 12; len++) {	/* no id to answer to: empty */
		ask_raw(w, 100 + len, IPPROTO_UDP, GATEWAY, q, len);
		ck_assert(world_until(w, w->nanswers + 1, 1000));
		ck_assert_uint_eq(w->last->len, 0);
	}
	END(0);
	ck_assert_uint_eq(w->opens, 0);
}
END_TEST

START_TEST(no_aaaa_answers_aaaa_with_nothing)
{
	char one[ADDR_STRLEN];
	struct world *w = world_new();

	START("--no-aaaa", "--resolver", addr_str(&w->fakes[0].addr, one));
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_AAAA, 1232);
	ck_assert(world_until(w, 1, 1000));
	ck_assert_uint_eq(last(w).rcode, WIRE_NOERROR);
	ck_assert_uint_eq(last(w).records, 0);
	ck_assert_uint_eq(w->opens, 0);
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 1232);
	ck_assert(world_until(w, 2, 1000));
	check_www(w, 2);
	END(0);
}
END_TEST

START_TEST(no_resolver_at_all_is_servfail_and_one_warning)
{
	const char *text;
	struct world *w = world_new();

	world_start(w, (const char *const []){ NULL });
	for (uint64_t flow = 1; flow <= 3; flow++) {
		ask(w, flow, IPPROTO_UDP, INSIDE_GATEWAY6, WWW, WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 1000));
		check_servfail(w, flow);
	}
	END(0);
	text = drain(w->err);
	ck_assert_ptr_nonnull(strstr(text, "no resolver is known"));
	ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text));
}
END_TEST

/* ---- floods ---- */

/* ---- ports ---- */

START_TEST(each_query_has_a_port_that_none_had_before)
{
	WORLD();
	world_start(w, NULL);
	for (uint64_t flow = 1; flow <= 40; flow++) {
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 1000));
	}
	ck_assert_uint_eq(w->fakes[0].nports, 40);
	/* More than a stock holds, at a rate that it keeps up with. */
	for (uint64_t flow = 41; flow <= 140; flow++) {
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 1000));
		world_for(w, 10);
		ck_assert_uint_le(flows_open(w, false), STOCK_MAX);
	}
	/* The kernel may give one again that was given back. */
	ck_assert_uint_ge(w->fakes[0].nports, 130);
	END(0);
}
END_TEST

START_TEST(an_answer_to_another_port_is_not_taken)
{
	WORLD();
	world_start(w, NULL);
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	w->fakes[0].manner = LIES_TO_THE_FIRST_PORT;
	for (uint64_t flow = 2; flow <= 20; flow++) {
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
		ck_assert(world_until(w, (unsigned)flow, 1000));
		check_www(w, flow);
	}
	END(0);
}
END_TEST

START_TEST(an_answer_to_a_query_that_is_done_is_not_taken)
{
	WORLD();
	w->fakes[0].manner = ANSWERS_TWICE;
	world_start(w, NULL);
	for (uint64_t flow = 1; flow < 500; flow++)
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 499, 5000));
	world_for(w, 50);				/* on_answer() would tell of a second one */
	ck_assert_uint_eq(w->nanswers, 499);
	END(0);
}
END_TEST

START_TEST(a_port_that_breaks_sends_all_its_queries_to_the_next_resolver)
{
	int64_t start;
	WORLD();

	w->fakes[0].manner = STAYS_SILENT;
	world_start(w, NULL);
	for (uint64_t flow = 1; flow <= 200; flow++)
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	start = now_ms();
	while (w->fakes[0].nudp < 200 && now_ms() < start + 1000)
		world_turn(w, 10);
	ck_assert_uint_eq(w->fakes[0].nudp, 200);
	ck_assert_uint_eq(w->fakes[0].nports, STOCK_MAX);
	close(w->fakes[0].udp);
	w->fakes[0].udp = -1;
	for (uint64_t flow = 201; flow <= 400; flow++)
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	/* The 200, and those of the first 200 whose ports these took; others were replaced before. */
	ck_assert_msg(world_until(w, 240, 1000), "%u answers", w->nanswers);
	ck_assert_int_lt(now_ms() - start, 1500);	/* when they would ask it anyway */
	ck_assert(world_until(w, 400, 3000));
	ck_assert_uint_ge(w->fakes[1].nudp, 400);
	END(0);
}
END_TEST

START_TEST(a_flood_is_answered_to_the_last_query)
{
	WORLD();
	world_start(w, NULL);
	for (uint64_t flow = 1; flow < ANSWERS; flow++) {
		ask(w, flow, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
		if (flow % 64 == 0)
			world_turn(w, 0);
	}
	ck_assert(world_until(w, ANSWERS - 1, 10000));
	/* Shared, but by no fewer than there may be. */
	ck_assert_uint_ge(w->fakes[0].nports, STOCK_MAX);
	ck_assert_uint_lt(w->opens, ANSWERS / 2);
	END(0);
}
END_TEST

START_TEST(a_flood_to_a_dead_server_leaves_room_for_others)
{
	char two[ADDR_STRLEN];
	WORLD();

	w->fakes[1].manner = STAYS_SILENT;
	world_start(w, NULL);
	addr_str(&w->fakes[1].addr, two);
	for (uint64_t flow = 2; flow < 1900; flow++)
		ask(w, flow, IPPROTO_UDP, two, WWW, WIRE_A, 0);
	/* The rest: SERVFAIL at once. */
	ck_assert(world_until(w, 1900 - 2 - 256 - 1024, 1500));
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	for (int i = 0; i < 15 && w->got[1] == 0; i++)
		world_for(w, 100);
	ck_assert_uint_eq(w->got[1], 1);
	ck_assert(world_until(w, 1899, 7000));
	END(0);
}
END_TEST

START_TEST(long_queries_are_bounded_by_their_bytes)
{
	static uint8_t q[60000];
	struct world *w = world_new();

	query_make(q, 1, WWW, WIRE_A, 0);
	w->fakes[0].manner = w->fakes[1].manner = STAYS_SILENT;
	world_start(w, NULL);
	for (uint64_t flow = 1; flow <= 400; flow++) {
		ask_raw(w, flow, IPPROTO_TCP, GATEWAY, q, sizeof(q));
		while (chan_backlog(w->stack) > 0)
			world_turn(w, 1);
	}
	ck_assert(world_until(w, 400 - (8 << 20) / sizeof(q), 2000));
	ck_assert_uint_eq(last(w).rcode, WIRE_SERVFAIL);
	END(0);
}
END_TEST

/* ---- peers that are not what they should be ---- */

START_TEST(the_client_hears_hello_after_the_dialler_said_it)
{
	struct world *w = world_new();

	w->hold_hello = true;
	world_start(w, NULL);
	world_for(w, 200);
	ck_assert_int_eq(chan_peer(w->dial), R_DNS);
	ck_assert_int_eq(chan_peer(w->stack), 0);
	chan_hello(w->dial, MSG_CAP_FD);
	world_for(w, 200);
	ck_assert_int_eq(chan_peer(w->stack), R_DNS);
	END(0);
}
END_TEST

static void
check_garbage(struct world *w, const char *why)
{
	const char *text;

	world_for(w, 100);
	ck_assert_int_eq(world_end(w), 1);
	text = drain(w->err);
	ck_assert_msg(strstr(text, why) != NULL, "%s", text);
	ck_assert_ptr_eq(strchr(text, '\n') + 1, text + strlen(text));
}

START_TEST(garbage_from_the_client_is_one_line_and_status_1)
{
	static const struct { uint32_t len; uint16_t type, nfds; const char *why; } bad[] = {
		{ 0xffffffff, MSG_QUERY, 0, "sent garbage: bad length" },
		{ 3, MSG_QUERY, 0, "sent garbage: bad length" },
		{ 0, 999, 0, "sent garbage: unknown message type" },
		{ 0, MSG_ANSWER, 0, "sent garbage: wrong direction" },
		{ MSG_QUERY_LEN, MSG_QUERY, 0, "sent garbage: bad QUERY" },
		{ MSG_QUERY_LEN, MSG_QUERY, 1, "sent garbage: unexpected descriptor" },
		{ 8, MSG_HELLO, 0, "sent garbage: a second HELLO" },
	};
	uint8_t raw[MSG_HEADER_LEN + MSG_QUERY_LEN] = { 0 };
	struct wr wr = wr_over(raw, sizeof(raw));
	struct world *w = world_new();

	world_start(w, NULL);
	world_for(w, 100);
	wr_le32(&wr, bad[_i].len);
	wr_le16(&wr, bad[_i].type);
	wr_le16(&wr, bad[_i].nfds);
	ck_assert_int_gt(write(chan_wfd(w->stack), raw, sizeof(raw)), 0);
	check_garbage(w, bad[_i].why);
}
END_TEST

START_TEST(garbage_from_the_dialler_is_one_line_and_status_1)
{
	static const struct { uint16_t type; size_t len; const char *why; } bad[] = {
		{ MSG_QUERY, MSG_QUERY_LEN, "wrong direction" },
		{ MSG_OPENED, 3, "bad length" },
		{ MSG_REFUSED, MSG_REFUSED_LEN, "bad REFUSED" },
		{ MSG_OPENED, MSG_OPENED_LEN, "OPENED without its descriptor" },
	};
	uint8_t raw[MSG_HEADER_LEN + 64] = { 0 };
	struct wr wr = wr_over(raw, sizeof(raw));
	struct world *w = world_new();

	world_start(w, NULL);
	world_for(w, 100);
	wr_le32(&wr, (uint32_t)bad[_i].len);
	wr_le16(&wr, bad[_i].type);
	ck_assert_int_gt(write(chan_wfd(w->dial), raw, MSG_HEADER_LEN + bad[_i].len), 0);
	check_garbage(w, bad[_i].why);
}
END_TEST

START_TEST(an_unknown_flow_and_its_socket_are_dropped)
{
	uint8_t body[MSG_OPENED_LEN] = { 0 };
	int pair[2];
	char byte;
	struct world *w = world_new();

	world_start(w, NULL);
	world_for(w, 100);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	chan_send(w->dial, MSG_OPENED, 4711, body, sizeof(body), NULL, 0, pair[1]);
	world_for(w, 100);
	ck_assert_int_eq(recv(pair[0], &byte, 1, MSG_DONTWAIT), 0);	/* closed there */
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ck_assert(world_until(w, 1, 1000));
	END(0);
}
END_TEST

START_TEST(the_end_of_the_dialler_is_the_end)
{
	struct world *w = world_new();

	world_start(w, NULL);
	world_for(w, 100);
	chan_shutdown(w->dial);
	world_for(w, 100);
	END(0);
}
END_TEST

/* ---- what is recorded ---- */

START_TEST(events_say_what_was_asked_and_answered)
{
	static const char *const keys[] = {
		"\"event\":\"dns_query\"", "\"event\":\"dns_answer\"", "\"schema_version\":1",
		"\"qname\":\"www.example.test\"", "\"qtype\":\"A\"", "\"protocol\":\"udp\"",
		"\"mode\":\"relayed\"", "\"answer_ips\":[\"203.0.113.10\"]", "\"rcode\":\"NOERROR\"",
		"\"server_ip\":\"127.0.0.1\"", "\"qtype\":\"AAAA\"", "\"qtype\":\"other\"",
		"\"mode\":\"synthetic_empty\"", "\"protocol\":\"tcp\"", "\"qname\":null",
		"\"qtype\":\"unknown\"", "\"rcode\":\"FORMERR\"", "\"server\":\"192.0.0.1:53\"",
		"\"qname\":\"a\\\\000\\\\027b.test\""
	};
	char one[ADDR_STRLEN];
	uint8_t q[512];
	size_t len;
	const char *log;
	struct world *w = world_new();

	START("--no-aaaa", "-v", "--resolver", addr_str(&w->fakes[0].addr, one));
	ask(w, 1, IPPROTO_UDP, GATEWAY, WWW, WIRE_A, 0);
	ask(w, 2, IPPROTO_UDP, GATEWAY, WWW, WIRE_AAAA, 0);
	ask(w, 3, IPPROTO_TCP, GATEWAY, WWW, 16, 0);
	len = query_make(q, 1, "axxb.test", WIRE_A, 0);
	q[14] = 0, q[15] = 27;
	ask_raw(w, 4, IPPROTO_UDP, GATEWAY, q, len);
	ask_raw(w, 5, IPPROTO_UDP, GATEWAY, q, 12);
	ck_assert(world_until(w, 5, 2000));
	END(0);
	log = drain(w->log);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		ck_assert_msg(strstr(log, keys[i]) != NULL, "%s is not in\n%s", keys[i], log);
	log = drain(w->err);
	ck_assert_ptr_nonnull(strstr(log, " DNS  ALLOWED  www.example.test A -> 203.0.113.10\n"));
	ck_assert_ptr_nonnull(strstr(log, " DNS  ALLOWED  www.example.test AAAA -> NOERROR, 0 records"));
	ck_assert_ptr_nonnull(strstr(log, "a\\000\\027b.test"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-dns");
	TCase *tc = tcase_create("life");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
#define TWICE(test)	tcase_add_loop_test(tc, test, 0, 2)
	TWICE(a_query_is_answered_and_nothing_is_left_open);
	TWICE(the_resolver_gets_the_message_as_it_was_but_for_its_id);
	TWICE(a_truncated_answer_is_asked_for_over_tcp);
	TWICE(an_answer_of_64_kib_comes_over_tcp);
	TWICE(an_answer_that_fits_the_askers_udp_stays_whole);
	TWICE(truncated_without_tcp_stays_truncated);
	TWICE(silent_and_lying_resolvers_give_servfail_within_five_seconds);
	TWICE(the_second_resolver_is_asked_when_the_first_is_silent);
	TWICE(the_second_resolver_is_asked_when_the_first_fails);
	TWICE(errors_of_resolvers_are_passed_on);
	TWICE(what_is_no_answer_is_ignored);
	TWICE(a_refusing_dialler_gives_servfail_at_once);
	TWICE(the_asked_server_is_asked_unless_pinned);
	TWICE(a_zone_transfer_goes_over_tcp_at_once);
	TWICE(a_long_query_is_passed_on_whole);
	TWICE(each_query_has_a_port_that_none_had_before);
	TWICE(an_answer_to_another_port_is_not_taken);
	TWICE(an_answer_to_a_query_that_is_done_is_not_taken);
	tcase_add_loop_test(tc, a_port_that_breaks_sends_all_its_queries_to_the_next_resolver, 0, 1);
	TWICE(a_flood_is_answered_to_the_last_query);
	tcase_add_loop_test(tc, a_flood_to_a_dead_server_leaves_room_for_others, 0, 1);
	tcase_add_test(tc, long_queries_are_bounded_by_their_bytes);
	tcase_add_test(tc, what_is_no_query_gets_formerr);
	tcase_add_test(tc, no_aaaa_answers_aaaa_with_nothing);
	tcase_add_test(tc, no_resolver_at_all_is_servfail_and_one_warning);
	tcase_add_test(tc, the_client_hears_hello_after_the_dialler_said_it);
	tcase_add_loop_test(tc, garbage_from_the_client_is_one_line_and_status_1, 0, 7);
	tcase_add_loop_test(tc, garbage_from_the_dialler_is_one_line_and_status_1, 0, 4);
	tcase_add_test(tc, an_unknown_flow_and_its_socket_are_dropped);
	tcase_add_test(tc, the_end_of_the_dialler_is_the_end);
	tcase_add_test(tc, events_say_what_was_asked_and_answered);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

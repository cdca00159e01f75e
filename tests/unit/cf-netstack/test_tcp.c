/*
 * test_tcp.c - a TCP conversation keeps its promises, on good roads and bad ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>

#include "../main.h"
#include "tcp_peer.h"

static const struct weather fair = { .mss = 1460, .window = 65535 << 4, .ts = true, .sack = true,
    .wscale = true, .up = 100000, .down = 200000 };

/* Everything goes both ways and both ends close. */
static void
converse(uint64_t seed, uint64_t limit)
{
	bool opened = false;

	world_begin(seed);
	while (st.now < limit) {
		if (n_opens == 1 && !opened) {
			opened = true;
			proxy_opened();
		}
		peer_tick();
		world_tick();
		if (w.frames && opened && !flow_closed)
			host_tick_frames();
		else if (opened)
			host_tick_fd();
		if (pe.fin_seen && pe.una == w.up + 1 && flow_closed && host_eof && !pe.ack_due)
			break;
	}
	MUST(!pe.reset && pe.fin_seen);
	MUST(pe.got == w.down && host_got == w.up && host_eof && pe.una == w.up + 1);
	MUST(flow_closed && flow_reason == CLOSE_EOF && n_opens == 1);
	MUST(flow_up == w.up && flow_down == w.down);
	for (int i = 0; i < 5000 && the_flow() != NULL; i++)
		world_tick();		/* TIME-WAIT ends by itself */
	MUST(st.flows.n == 0 && ((struct tcp_all *)st.tcp)->mem == 0 && st.timers.n == 0);
	world_end();
}

START_TEST(fair_weather_needs_no_repetition)
{
	w = fair;
	w.v6 = _i & 1;
	w.frames = (_i & 2) != 0;
	w.plain = (_i & 4) != 0;
	converse((uint64_t)_i, 20000);
}
END_TEST

START_TEST(any_weather_delivers_both_streams)
{
	static const unsigned losses[] = { 0, 5, 20, 100, 250 };
	static const unsigned jitters[] = { 0, 3, 30 };
	uint64_t seed = (uint64_t)_i + 1;

	dice_state = seed * 77777;
	for (int i = 0; i < 10; i++)
		dice(2);
	w = (struct weather){ .loss = losses[dice(5)], .dup = dice(2) ? 30 : 0,
	    .jitter = jitters[dice(3)], .mss = dice(3) ? 1460 : 100 + dice(1300),
	    .window = dice(2) ? 1 << 20 : 500 + dice(60000), .stalls = dice(2),
	    .ts = dice(2), .sack = dice(2), .wscale = dice(2), .v6 = dice(2),
	    .frames = dice(2), .up = dice(3) ? dice(60000) : 0, .down = dice(3) ? dice(90000) : 0,
	    .host_reads = dice(2) ? 0 : 1 + dice(3000) };
	if (w.v6 && w.mss > 1440)
		w.mss = 1440;
	w.plain = dice(3) == 0;
	converse(seed, 3000000);
}
END_TEST

/* ---- one thing at a time ---- */

static void
ticks(int n)
{
	while (n-- > 0)
		world_tick();
}

/* Up to the handshake's end. */
static struct tcp *
connected(void)
{
	peer_tick();
	ticks(2);
	proxy_opened();
	ticks(4);
	peer_send(0, 0, 0);
	ticks(3);
	MUST(pe.established && the_flow() != NULL && the_flow()->state == TS_ESTABLISHED);
	return the_flow();
}

START_TEST(syn_is_answered_only_when_the_host_is_connected)
{
	w = fair;
	world_begin(1);
	peer_tick();
	ticks(500);
	ck_assert(!pe.established && !pe.reset);
	ck_assert_uint_eq(n_opens, 1);
	peer_send(TF_SYN, 0, 0);		/* comes again: is not asked again */
	ticks(5);
	ck_assert_uint_eq(n_opens, 1);
	proxy_opened();
	ticks(5);
	ck_assert(pe.established);
	world_end();
}
END_TEST

static const struct { enum refusal why; uint32_t err; unsigned rst, icmp; } refusals[] = {
	{ REFUSED_ERRNO, ECONNREFUSED, 1, 0 },
	{ REFUSED_ERRNO, EHOSTUNREACH, 0, 1 },
	{ REFUSED_ERRNO, ENETUNREACH, 0, 1 },
	{ REFUSED_ERRNO, ETIMEDOUT, 0, 0 },
	{ REFUSED_POLICY, EACCES, 1, 0 },
	{ REFUSED_LIMIT, 0, 1, 0 },
};

START_TEST(refusal_is_what_connect_would_have_said)
{
	w = fair;
	w.v6 = _i & 1;
	world_begin(1);
	peer_tick();
	ticks(2);
	proxy_refused(refusals[_i / 2].why, refusals[_i / 2].err);
	ticks(5);
	ck_assert_uint_eq(n_rst_out, refusals[_i / 2].rst);
	ck_assert_uint_eq(n_icmp_out, refusals[_i / 2].icmp);
	ck_assert_uint_eq(st.flows.n, 0);
	ck_assert(!flow_closed);		/* after REFUSED there is no CLOSE */
	world_end();
}
END_TEST

START_TEST(child_gives_up_before_it_is_open)
{
	w = fair;
	world_begin(1);
	peer_tick();
	ticks(2);
	peer_send_raw(TF_RST, pe.iss + 1, 0, NULL, 0);
	ticks(3);
	ck_assert(flow_closed);
	ck_assert_int_eq(flow_reason, CLOSE_CANCEL);
	proxy_opened();				/* it crossed the CLOSE: closed, no answer */
	ticks(5);
	ck_assert(!pe.established);
	ck_assert_int_eq((int)read(host_far, (char[1]){ 0 }, 1), 0);
	world_end();
}
END_TEST

START_TEST(child_reset_ends_the_flow_only_at_the_exact_byte)
{
	struct tcp *t;

	w = fair;
	world_begin(1);
	t = connected();
	peer_send_raw(TF_RST, t->rcv_nxt + 100, 0, NULL, 0);
	ticks(3);
	ck_assert_ptr_nonnull(the_flow());
	ck_assert_uint_eq(((struct tcp_all *)st.tcp)->challenges, 1);
	peer_send_raw(TF_RST, t->rcv_edge + 100000, 0, NULL, 0);
	ticks(3);
	ck_assert_ptr_nonnull(the_flow());
	peer_send_raw(TF_RST, t->rcv_nxt, 0, NULL, 0);
	ticks(3);
	ck_assert(the_flow() == NULL && flow_closed);
	ck_assert_int_eq(flow_reason, CLOSE_RESET);
	world_end();
}
END_TEST

START_TEST(syn_in_a_connection_is_challenged)
{
	struct tcp *t;

	w = fair;
	world_begin(1);
	t = connected();
	peer_send_raw(TF_SYN, t->rcv_nxt + 5, 0, NULL, 0);
	ticks(3);
	ck_assert(the_flow() == t && t->state == TS_ESTABLISHED && !pe.reset);
	ck_assert_uint_eq(((struct tcp_all *)st.tcp)->challenges, 1);
	world_end();
}
END_TEST

START_TEST(ack_of_what_was_never_sent_is_not_believed)
{
	struct tcp *t;
	uint32_t una;

	w = fair;
	world_begin(1);
	t = connected();
	una = t->una;
	peer_send_raw(TF_ACK, t->rcv_nxt, t->nxt + 1000, (const uint8_t *)"x", 1);
	ticks(3);
	ck_assert(t->una == una && host_got == 0);
	ck_assert_uint_eq(((struct tcp_all *)st.tcp)->challenges, 1);
	world_end();
}
END_TEST

START_TEST(host_failure_reaches_the_child_as_reset)
{
	w = fair;
	world_begin(1);
	connected();
	peer_push();
	ticks(3);
	close(host_far);			/* unread bytes: a reset for a unix socket, too */
	host_far = -1;
	ticks(5);
	peer_push();
	ticks(10);
	ck_assert(pe.reset && flow_closed);
	ck_assert_int_eq(flow_reason, CLOSE_PEER);
	world_end();
}
END_TEST

START_TEST(keepalive_is_answered_while_the_host_lives)
{
	struct tcp *t;
	size_t before;

	w = fair;
	world_begin(1);
	t = connected();
	before = to_peer.n;
	peer_send_raw(TF_ACK, t->rcv_nxt - 1, t->nxt, NULL, 0);
	st.now += 2;
	ck_assert_uint_eq(before, 0);
	world_tick();
	ck_assert(!pe.reset && the_flow() == t);
	ck_assert_uint_eq(t->told_ack, t->rcv_nxt);
	world_end();
}
END_TEST

START_TEST(stopped_host_stops_the_child)
{
	struct tcp *t;

	w = fair;
	w.up = STREAM_MAX;
	world_begin(1);
	t = connected();
	for (int i = 0; i < 3000; i++) {	/* nobody reads host_far */
		peer_tick();
		world_tick();
	}
	ck_assert(pe.una < w.up && t->up_len <= UP_CAP_MOST && t->up_len > 0);
	ck_assert_uint_lt(pe.wnd, 65536);
	for (int i = 0; i < 60000 && host_got < w.up; i++) {
		peer_tick();
		world_tick();
		host_tick_fd();
	}
	ck_assert_uint_eq(host_got, w.up);
	world_end();
}
END_TEST

START_TEST(closed_window_is_probed_until_it_opens)
{
	w = fair;
	w.up = 0;
	world_begin(1);
	connected();
	pe.stall_until = st.now + 5000;
	peer_send(0, pe.nxt, 0);
	ticks(3);
	pe.told_edge = pe.got;
	for (int i = 0; i < 20000 && !pe.fin_seen; i++) {
		host_tick_fd();			/* no ACK but those that a probe asks for */
		if (pe.ack_due) {
			pe.ack_due = false;
			peer_send(0, pe.nxt, 0);
		}
		world_tick();
	}
	ck_assert(pe.fin_seen && pe.got == w.down);
	world_end();
}
END_TEST

/* How the end of a short answer comes; to: where the window that the peer tells ends. */
static void
short_answer(uint32_t down, uint32_t to)
{
	w = fair;
	w.up = 0;
	w.down = down;
	w.window = to;
	w.wscale = false;
	world_begin(1);
	connected();
	host_tick_fd();			/* sends, and ends */
	ticks(10);
	ck_assert_uint_eq(pe.got, down);
}

START_TEST(short_answer_and_its_end_are_one_packet)
{
	static const uint32_t lengths[] = { 1, 100, 1448, 2000 };
	struct tcp *t;

	short_answer(lengths[_i], 65535);
	t = the_flow();
	ck_assert(pe.fin_seen && t->fin_out);
	ck_assert_int_eq(t->state, TS_FIN_WAIT_1);
	ck_assert_uint_eq(t->nxt - t->una, lengths[_i] + 1);
	ck_assert_uint_eq(n_fin_out, 1);
	ck_assert_uint_eq(n_fin_with_data, 1);
	ticks(5000);			/* no ACK: both are repeated, in one packet again */
	ck_assert_uint_gt(n_fin_with_data, 1);
	peer_send(0, 0, 0);
	ticks(5);
	ck_assert_int_eq(t->state, TS_FIN_WAIT_2);
	ck_assert_uint_eq(t->down_len, 0);
	world_end();
}
END_TEST

START_TEST(an_end_without_room_waits_for_the_window)
{
	short_answer(700, 700);
	ck_assert(!pe.fin_seen && n_fin_out == 0);
	peer_send(0, 0, 0);		/* all is acknowledged, and there is room again */
	ticks(5);
	ck_assert(pe.fin_seen);
	ck_assert_uint_eq(n_fin_out, 1);
	ck_assert_uint_eq(n_fin_with_data, 0);
	world_end();
}
END_TEST

START_TEST(an_ack_of_the_data_alone_leaves_the_end_to_be_repeated)
{
	struct tcp *t;

	short_answer(500, 65535);
	t = the_flow();
	pe.fin_seen = false;		/* lost between the kernel's segments */
	peer_send(0, 0, 0);
	ticks(5);
	ck_assert_int_eq(t->state, TS_FIN_WAIT_1);
	ck_assert_uint_eq(t->nxt - t->una, 1);
	ticks(3000);
	ck_assert(pe.fin_seen);
	ck_assert_uint_gt(n_fin_out, 1);
	ck_assert_uint_eq(n_fin_with_data, 1);
	peer_send(0, 0, 0);
	ticks(5);
	ck_assert_int_eq(t->state, TS_FIN_WAIT_2);
	world_end();
}
END_TEST

/* Twenty packets of one burst: the host gets them in one piece, not in twenty. */
START_TEST(small_packets_of_a_burst_go_on_together)
{
	w = fair;
	w.up = 29000;
	w.frames = w.plain = true;
	world_begin(1);
	connected();
	peer_push();
	ticks(3);
	ck_assert_uint_eq(host_got, w.up);
	ck_assert_uint_eq(n_data, 1);
	ck_assert(host_eof);
	world_end();
}
END_TEST

START_TEST(room_at_the_host_is_asked_for_only_when_it_was_full)
{
	struct tcp *t;

	w = fair;
	w.up = STREAM_MAX;
	world_begin(1);
	t = connected();
	ck_assert(!t->f.out_watched);
	for (int i = 0; i < 3000 && t->f.writable; i++) {
		peer_tick();
		world_tick();
	}
	ck_assert(t->f.out_watched && !t->f.writable && t->up_len > 0);
	world_end();
}
END_TEST

/* RFC 9293 3.6, figure 13: each FIN is on its way before the other has come. */
START_TEST(both_ends_may_end_at_once)
{
	struct tcp *t;

	short_answer(500, 65535);		/* our FIN is out, and not acknowledged */
	t = the_flow();
	pe.fin_seen = false;
	peer_push();
	ticks(5);
	ck_assert_int_eq(t->state, TS_CLOSING);
	pe.fin_seen = true;
	peer_send(0, pe.nxt, 0);
	ticks(5);
	ck_assert_int_eq(t->state, TS_TIME_WAIT);
	ck_assert(flow_closed);
	world_end();
}
END_TEST

START_TEST(time_wait_gives_way_to_a_new_connection)
{
	uint32_t old;

	w = fair;
	w.up = w.down = 10;
	world_begin(1);
	connected();
	for (int i = 0; i < 1000 && !flow_closed; i++) {
		host_tick_fd();
		if (pe.ack_due)
			peer_send(0, pe.nxt, 0);
		pe.ack_due = false;
		if (pe.fin_seen)
			peer_push();		/* the host closes first */
		world_tick();
	}
	ck_assert(flow_closed && the_flow() != NULL && the_flow()->state == TS_TIME_WAIT);
	flow_closed = false;
	old = pe.iss;
	pe.iss = old + 1000000;
	peer_send(TF_SYN, 0, 0);
	ticks(3);
	ck_assert_uint_eq(n_opens, 2);
	ck_assert_int_eq(the_flow()->state, TS_HELD);
	world_end();
}
END_TEST

START_TEST(idle_flow_costs_little_and_sets_no_timer)
{
	struct tcp *t;

	w = fair;
	world_begin(1);
	t = connected();
	ticks(100);
	ck_assert_uint_lt(sizeof(*t), 1024 - 256);
	ck_assert_uint_eq(((struct tcp_all *)st.tcp)->mem, 0);
	ticks(2000);
	ck_assert_uint_eq(st.timers.n, 0);
	ck_assert_ptr_null(t->sacked);
	world_end();
}
END_TEST

/* A scan of the tree, or a flood: the rest is not refused but asks again later. */
START_TEST(opens_in_flight_are_bounded)
{
	w = fair;
	world_begin(1);
	for (unsigned i = 0; i < FLOWS_OPENING + 50; i++) {
		pe.server.port = (uint16_t)(1000 + i);
		peer_send(TF_SYN, 0, 0);
		if (i % 100 == 0)
			ticks(3);
	}
	ticks(3);
	ck_assert_uint_eq(n_opens, FLOWS_OPENING);
	ck_assert_uint_eq(st.flows.n, FLOWS_OPENING);
	ck_assert_uint_eq(n_rst_out, 0);
	world_end();
}
END_TEST

/* The tree has closed, the host has not read: TIME-WAIT or not, it is not drained yet. */
START_TEST(end_of_the_run_waits_for_what_was_sent)
{
	struct tcp *t;

	w = fair;
	w.up = 330000;		/* more than the socket takes, less than the window too */
	w.down = 0;
	world_begin(1);
	t = connected();
	if (_i == 0) {			/* the host has closed first */
		host_ended = true;
		shutdown(host_far, SHUT_WR);
	}
	for (int i = 0; i < 1000; i++) {
		peer_tick();
		world_tick();
	}
	ck_assert(t->fin_in && t->up_len > 0);
	ck_assert_int_eq(t->state, _i == 0 ? TS_TIME_WAIT : TS_CLOSE_WAIT);
	st.ending = true;
	ck_assert(!flows_drain(&st, true));
	for (int i = 0; i < 3000 && host_got < w.up; i++) {
		world_tick();
		host_tick_fd();
	}
	ck_assert_uint_eq(host_got, w.up);
	world_tick();
	ck_assert(flows_drain(&st, true));
	world_end();
}
END_TEST

START_TEST(nothing_answers_a_stray_reset)
{
	w = fair;
	world_begin(1);
	peer_send_raw(TF_RST | TF_ACK, 1, 1, NULL, 0);
	ticks(3);
	ck_assert_uint_eq(n_rst_out, 0);
	peer_send_raw(TF_ACK, 1, 77, NULL, 0);
	ticks(3);
	ck_assert_uint_eq(n_rst_out, 1);
	world_end();
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("tcp");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, fair_weather_needs_no_repetition, 0, 8);
	tcase_add_loop_test(tc, any_weather_delivers_both_streams, 0, 120);
	tcase_add_test(tc, syn_is_answered_only_when_the_host_is_connected);
	tcase_add_loop_test(tc, refusal_is_what_connect_would_have_said, 0, 2 * (int)COUNT(refusals));
	tcase_add_test(tc, child_gives_up_before_it_is_open);
	tcase_add_test(tc, child_reset_ends_the_flow_only_at_the_exact_byte);
	tcase_add_test(tc, syn_in_a_connection_is_challenged);
	tcase_add_test(tc, ack_of_what_was_never_sent_is_not_believed);
	tcase_add_test(tc, host_failure_reaches_the_child_as_reset);
	tcase_add_test(tc, keepalive_is_answered_while_the_host_lives);
	tcase_add_test(tc, stopped_host_stops_the_child);
	tcase_add_test(tc, closed_window_is_probed_until_it_opens);
	tcase_add_loop_test(tc, short_answer_and_its_end_are_one_packet, 0, 4);
	tcase_add_test(tc, an_end_without_room_waits_for_the_window);
	tcase_add_test(tc, an_ack_of_the_data_alone_leaves_the_end_to_be_repeated);
	tcase_add_test(tc, small_packets_of_a_burst_go_on_together);
	tcase_add_test(tc, room_at_the_host_is_asked_for_only_when_it_was_full);
	tcase_add_test(tc, both_ends_may_end_at_once);
	tcase_add_test(tc, time_wait_gives_way_to_a_new_connection);
	tcase_add_test(tc, idle_flow_costs_little_and_sets_no_timer);
	tcase_add_test(tc, opens_in_flight_are_bounded);
	tcase_add_loop_test(tc, end_of_the_run_waits_for_what_was_sent, 0, 2);
	tcase_add_test(tc, nothing_answers_a_stray_reset);
	return unit_run("tcp", tc);
}

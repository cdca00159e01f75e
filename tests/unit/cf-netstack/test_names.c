/*
 * test_names.c - DNS messages of the tree, as datagrams and in a stream, to cf-dns and back.
 *
 * The stream tests put a local service's flow in place without TCP: they call what
 * relay.c calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>

#include "packets.h"

static struct addr child, server;

/* ---- a child end that only keeps what it got ---- */

static uint8_t	down[1 << 20];
static size_t	down_len;
static bool	down_eof, was_refused;
static int	n_writable;

static void
kept_opened(struct flow *f)
{
	(void)f;
}

static void
kept_refused(struct flow *f, const struct msg_refused *m)
{
	(void)f, (void)m;
	was_refused = true;
}

static void
kept_readable(struct flow *f)
{
	ssize_t n;
	int err;

	while ((n = host_recv(f, down + down_len, sizeof(down) - down_len, &err)) > 0)
		down_len += (size_t)n;
	down_eof = down_eof || n == HOST_EOF;
}

static void
kept_writable(struct flow *f)
{
	(void)f;
	n_writable++;
}

static const struct flow_kind kept = {
	.name = "kept", .size = sizeof(struct flow), .opened = kept_opened,
	.refused = kept_refused, .readable = kept_readable, .writable = kept_writable,
	.aborted = kept_opened, .done = kept_opened,
};

static struct flow *
stream(void)
{
	struct flow *f = flow_new(&s, &kept, PROTO_TCP, &child, &server);

	ck_assert_ptr_nonnull(f);
	flow_open_local(f, &names_tcp);
	ck_assert(!was_refused && !f->dead);
	return f;
}

static void
setup(void)
{
	world_up();
	down_len = 0;
	down_eof = was_refused = false;
	n_writable = 0;
	child = addr("192.0.0.2:40000");
	server = addr("203.0.113.53:53");
}

/* A message of len bytes that is told by its first two. */
static const uint8_t *
message(uint16_t id, size_t len)
{
	static uint8_t m[70000];

	memset(m, 'm', len);
	m[0] = (uint8_t)(id >> 8);
	m[1] = (uint8_t)id;
	return m;
}

static struct frame
query(struct msg_query *m, size_t *len, const uint8_t **bytes)
{
	struct frame f = next_frame(s.dns, dns_fd, R_DNS);
	struct rd r = rd_over(f.body, f.len);

	if (f.type == 0)
		return f;
	ck_assert_uint_eq(f.type, MSG_QUERY);
	ck_assert(msg_query_get(&r, m));
	*bytes = r.p;
	*len = rd_left(&r);
	return f;
}

/* ---- datagrams ---- */

static const char *const asked[][2] = {
	{ "192.0.0.2:40000", "203.0.113.53:53" },
	{ "192.0.0.2:40000", "192.0.0.1:53" },
	{ "[2001:2:0:cf::2]:40000", "[2001:db8::53]:53" },
	{ "[2001:2:0:cf::2]:40000", "[2001:2:0:cf::1]:53" },
};

START_TEST(datagram_is_asked_and_answered_from_the_same_address)
{
	struct msg_query m;
	struct frame f;
	const uint8_t *bytes;
	size_t len;

	child = addr(asked[_i][0]);
	server = addr(asked[_i][1]);
	send_udp(&child, &server, message(7, 30), 30, NULL, NULL);
	f = query(&m, &len, &bytes);
	ck_assert_uint_ne(f.flow, 0);
	ck_assert(addr_equal(&m.src, &child) && addr_equal(&m.server, &server));
	ck_assert_uint_eq(m.transport, IPPROTO_UDP);
	ck_assert_uint_eq(len, 30);
	ck_assert_mem_eq(bytes, message(7, 30), 30);
	names_answer(&s, f.flow, message(7, 100), 100);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert(addr_equal(&seen[0].pkt.src, &server) && addr_equal(&seen[0].pkt.dst, &child));
	ck_assert_mem_eq(pkt_payload(&seen[0].pkt), message(7, 100), 100);
	names_answer(&s, f.flow, message(7, 100), 100);	/* twice is once */
	ck_assert_uint_eq(n_seen, 1);
}
END_TEST

START_TEST(long_answer_comes_in_pieces)
{
	struct msg_query m;
	struct frame f;
	const uint8_t *bytes;
	size_t len, total = 0;

	send_udp(&child, &server, message(7, 30), 30, NULL, NULL);
	f = query(&m, &len, &bytes);
	names_answer(&s, f.flow, message(7, 4000), 4000);
	ck_assert_uint_eq(n_seen, 3);
	for (size_t i = 0; i < n_seen; i++)
		total += seen[i].pkt.l4_len;
	ck_assert_uint_eq(total, 4000 + UDP_HEADER);
}
END_TEST

START_TEST(short_message_is_none)
{
	send_udp(&child, &server, message(7, 11), 11, NULL, NULL);
	send_udp(&child, &server, "", 0, NULL, NULL);
	ck_assert_uint_eq(next_frame(s.dns, dns_fd, R_DNS).type, 0);
}
END_TEST

START_TEST(unknown_answer_is_ignored)
{
	names_answer(&s, 99, message(7, 100), 100);
	send_udp(&child, &server, message(7, 30), 30, NULL, NULL);
	names_answer(&s, 99, message(7, 100), 100);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(what_is_asked_is_bounded)
{
	size_t n = 0;

	for (int i = 0; i < 20000; i++)
		send_udp(&child, &server, message((uint16_t)i, 30), 30, NULL, NULL);
	while (next_frame(s.dns, dns_fd, R_DNS).type != 0)
		n++;
	ck_assert_uint_ge(n, 1000);
	ck_assert_uint_lt(n, 20000);
}
END_TEST

/* ---- streams ---- */

/* How the same three messages are cut into what arrives. */
static const size_t steps[] = { 1, 2, 3, 7, 31, 32, 33, 64, 10000 };

static size_t
prefixed(uint8_t *out, uint16_t id, size_t len)
{
	out[0] = (uint8_t)(len >> 8);
	out[1] = (uint8_t)len;
	memcpy(out + 2, message(id, len), len);
	return len + 2;
}

START_TEST(stream_is_cut_at_its_length_words)
{
	static const size_t lens[] = { 30, 700, 12 };
	uint8_t in[1000];
	size_t len = 0, n, off, got;
	struct flow *f = stream();
	struct msg_query m;
	const uint8_t *bytes;
	int err;

	for (uint16_t i = 0; i < 3; i++)
		len += prefixed(in + len, i, lens[i]);
	for (off = 0; off < len; off += n) {
		n = len - off < steps[_i] ? len - off : steps[_i];
		ck_assert_int_eq(host_send(f, in + off, n, &err), n);
	}
	for (uint16_t i = 0; i < 3; i++) {
		struct frame q = query(&m, &got, &bytes);

		ck_assert_uint_eq(got, lens[i]);
		ck_assert_uint_eq(m.transport, IPPROTO_TCP);
		ck_assert_mem_eq(bytes, message(i, lens[i]), lens[i]);
		names_answer(&s, q.flow, message(i, 50), 50);
	}
	stack_turn(&s);
	ck_assert_uint_eq(down_len, 3 * 52);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(down[i * 52] << 8 | down[i * 52 + 1], 50);
		ck_assert_mem_eq(down + i * 52 + 2, message((uint16_t)i, 50), 50);
	}
	ck_assert(!down_eof);
}
END_TEST

START_TEST(answers_still_come_after_the_child_has_ended)
{
	uint8_t in[100];
	struct flow *f = stream();
	struct msg_query m;
	const uint8_t *bytes;
	struct frame q;
	size_t len;
	int err;

	host_send(f, in, prefixed(in, 1, 30), &err);
	host_shutdown(f);
	stack_turn(&s);
	ck_assert(!down_eof);
	q = query(&m, &len, &bytes);
	names_answer(&s, q.flow, message(1, 50), 50);
	stack_turn(&s);
	ck_assert_uint_eq(down_len, 52);
	ck_assert(down_eof);
}
END_TEST

START_TEST(connection_that_goes_away_takes_its_questions_along)
{
	uint8_t in[100];
	struct flow *f = stream();
	struct msg_query m;
	const uint8_t *bytes;
	struct frame q;
	size_t len;
	int err;

	host_send(f, in, prefixed(in, 1, 30), &err);
	q = query(&m, &len, &bytes);
	flow_end(f, CLOSE_RESET);
	stack_turn(&s);
	names_answer(&s, q.flow, message(1, 50), 50);
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(down_len, 0);
}
END_TEST

START_TEST(pipelining_is_bounded_and_goes_on_with_answers)
{
	static uint8_t in[200 * 32];
	struct flow *f = stream();
	struct msg_query m;
	const uint8_t *bytes;
	size_t len = 0, off = 0, got, rounds = 0;
	struct frame q;
	ssize_t n;
	int err;

	for (uint16_t i = 0; i < 200; i++)
		len += prefixed(in + len, i, 30);
	while (off < len && rounds++ < 1000) {
		n = host_send(f, in + off, len - off, &err);
		ck_assert_int_ge(n, 0);
		off += (size_t)n;
		ck_assert_uint_le(off, (down_len / 52 + 64) * 32);
		n_writable = 0;
		q = query(&m, &got, &bytes);
		ck_assert_uint_ne(q.type, 0);
		names_answer(&s, q.flow, message(0, 50), 50);
		stack_turn(&s);
		ck_assert(off == len || n_writable > 0);
	}
	ck_assert_uint_eq(off, len);
}
END_TEST

/* ---- answers in parts ---- */

/* The number of a query that has come over a stream. */
static uint64_t
asked_on(struct flow *f, uint16_t id)
{
	uint8_t in[100];
	struct msg_query m;
	const uint8_t *bytes;
	size_t len;
	int err;

	host_send(f, in, prefixed(in, id, 30), &err);
	return query(&m, &len, &bytes).flow;
}

/* What has been said to a PART: PROCEED's flags; -1: nothing yet. */
static int
proceeded(uint64_t id)
{
	struct frame f = next_frame(s.dns, dns_fd, R_DNS);
	struct rd r = rd_over(f.body, f.len);
	struct msg_proceed m;

	if (f.type == 0)
		return -1;
	ck_assert_uint_eq(f.type, MSG_PROCEED);
	ck_assert_uint_eq(f.flow, id);
	ck_assert(msg_proceed_get(&r, &m));
	return (int)m.flags;
}

START_TEST(parts_go_on_as_the_child_reads)
{
	uint64_t id = asked_on(stream(), 1);

	for (uint16_t i = 0; i < 3; i++) {
		names_part(&s, id, message(i, 50), 50);
		ck_assert_int_eq(proceeded(id), PROCEED_ON);
		ck_assert_int_eq(proceeded(id), -1);
	}
	names_answer(&s, id, message(3, 50), 50);
	stack_turn(&s);
	ck_assert_uint_eq(down_len, 4 * 52);
	for (uint16_t i = 0; i < 4; i++)
		ck_assert_mem_eq(down + i * 52 + 2, message(i, 50), 50);
	ck_assert(!down_eof);
}
END_TEST

START_TEST(parts_wait_for_a_child_that_does_not_read)
{
	struct flow *f = stream();
	uint64_t id = asked_on(f, 1);
	unsigned n = 0;
	int on, err;

	do {
		ck_assert_uint_lt(n++, 10);
		names_part(&s, id, message(1, 65535), 65535);
	} while ((on = proceeded(id)) == PROCEED_ON);
	ck_assert_int_eq(on, -1);
	ck_assert_uint_ge(n, 3);
	ck_assert_int_eq(host_recv(f, down, 1, &err), 1);	/* a byte is no room */
	ck_assert_int_eq(proceeded(id), -1);
	kept_readable(f);
	ck_assert_int_eq(proceeded(id), PROCEED_ON);
	ck_assert_int_eq(proceeded(id), -1);
	ck_assert_uint_eq(down_len, n * 65537 - 1);
}
END_TEST

START_TEST(child_that_goes_away_wants_no_more_parts)
{
	struct flow *f = stream();
	uint64_t id = asked_on(f, 1);

	while (names_part(&s, id, message(1, 65535), 65535), proceeded(id) == PROCEED_ON)
		;
	flow_end(f, CLOSE_RESET);
	stack_turn(&s);
	ck_assert_int_eq(proceeded(id), 0);
	ck_assert_int_eq(proceeded(id), -1);
	names_part(&s, id, message(1, 50), 50);		/* not seen in time */
	ck_assert_int_eq(proceeded(id), 0);
	names_answer(&s, id, NULL, 0);
	names_part(&s, id, message(1, 50), 50);		/* of nobody */
	ck_assert_int_eq(proceeded(id), 0);
}
END_TEST

START_TEST(answer_that_breaks_resets_its_connection)
{
	struct flow *f = stream();
	uint64_t id = asked_on(f, 1);
	ssize_t n;
	int err;

	names_part(&s, id, message(1, 50), 50);
	ck_assert_int_eq(proceeded(id), PROCEED_ON);
	names_answer(&s, id, NULL, 0);
	while ((n = host_recv(f, down, sizeof(down), &err)) > 0)
		;
	ck_assert_int_eq(n, HOST_ERROR);
	ck_assert_int_eq(err, ECONNRESET);
	/* Without a part it is only no answer. */
	f = stream();
	names_answer(&s, asked_on(f, 1), NULL, 0);
	ck_assert_int_eq(host_recv(f, down, sizeof(down), &err), HOST_AGAIN);
}
END_TEST

START_TEST(datagram_gets_no_parts)
{
	struct msg_query m;
	const uint8_t *bytes;
	size_t len;
	uint64_t id;

	send_udp(&child, &server, message(7, 30), 30, NULL, NULL);
	id = query(&m, &len, &bytes).flow;
	names_part(&s, id, message(7, 100), 100);
	ck_assert_int_eq(proceeded(id), 0);
	ck_assert_uint_eq(n_seen, 0);
}
END_TEST

START_TEST(two_parts_at_once_are_garbage)
{
	struct flow *f = stream();
	uint64_t id = asked_on(f, 1);

	while (names_part(&s, id, message(1, 65535), 65535), proceeded(id) == PROCEED_ON)
		;
	names_part(&s, id, message(1, 50), 50);
	ck_assert_str_eq(chan_why(s.dns), "PART before PROCEED");
}
END_TEST

START_TEST(garbage_in_a_stream_ends_it)
{
	static const uint8_t zero[20];
	struct flow *f = stream();
	int err;

	ck_assert_int_eq(host_send(f, zero, sizeof(zero), &err), sizeof(zero));
	stack_turn(&s);
	ck_assert(down_eof);
	ck_assert_uint_eq(next_frame(s.dns, dns_fd, R_DNS).type, 0);
}
END_TEST

START_TEST(idle_connection_is_ended)
{
	(void)stream();
	s.now += 59000;
	stack_turn(&s);
	ck_assert(!down_eof);
	s.now += 2000;
	stack_turn(&s);
	stack_turn(&s);
	ck_assert(down_eof);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, world_down);
	tcase_add_loop_test(tc, datagram_is_asked_and_answered_from_the_same_address, 0, 4);
	tcase_add_test(tc, long_answer_comes_in_pieces);
	tcase_add_test(tc, short_message_is_none);
	tcase_add_test(tc, unknown_answer_is_ignored);
	tcase_add_test(tc, what_is_asked_is_bounded);
	tcase_add_loop_test(tc, stream_is_cut_at_its_length_words, 0,
	    (int)(sizeof(steps) / sizeof(steps[0])));
	tcase_add_test(tc, answers_still_come_after_the_child_has_ended);
	tcase_add_test(tc, connection_that_goes_away_takes_its_questions_along);
	tcase_add_test(tc, pipelining_is_bounded_and_goes_on_with_answers);
	tcase_add_test(tc, parts_go_on_as_the_child_reads);
	tcase_add_test(tc, parts_wait_for_a_child_that_does_not_read);
	tcase_add_test(tc, child_that_goes_away_wants_no_more_parts);
	tcase_add_test(tc, answer_that_breaks_resets_its_connection);
	tcase_add_test(tc, datagram_gets_no_parts);
	tcase_add_test(tc, two_parts_at_once_are_garbage);
	tcase_add_test(tc, garbage_in_a_stream_ends_it);
	tcase_add_test(tc, idle_connection_is_ended);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

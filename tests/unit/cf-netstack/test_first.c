/*
 * test_first.c - a host end that owes its first flight: one FIRST at a time, nothing kept, and from
 * GO on a host end as any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "../main.h"
#include "dflow.h"
#include "packets.h"

static struct addr	 child, peer;
static int		 far = -1;	/* the far end of the socket that GO brings */
static unsigned		 n_writable, n_readable;
static uint8_t		 big[40000];

/* ---- a stream without a child ---- */

static void	on_writable(struct flow *f) { (void)f; n_writable++; }
static void	on_readable(struct flow *f) { (void)f; n_readable++; }
static void	on_nothing(struct flow *f) { (void)f; }

static void
on_refused(struct flow *f, const struct msg_refused *m)
{
	(void)f, (void)m;
}

static const struct flow_kind stream_kind = {
	.name = "stream", .size = sizeof(struct flow), .opened = on_nothing,
	.refused = on_refused, .readable = on_readable, .writable = on_writable,
	.aborted = on_nothing, .done = on_nothing,
};

static void
setup(void)
{
	world_up();
	child = addr("192.0.0.2:40000");
	peer = addr("203.0.113.10:80");
	n_writable = n_readable = 0;
	far = -1;
}

static void
teardown(void)
{
	world_down();
	if (far != -1)
		close(far);
}

static int
socket_for_go(int type)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	far = pair[0];
	return pair[1];
}

static const char *
far_got(void)
{
	static char text[64];
	struct pollfd p = { .fd = far, .events = POLLIN };
	ssize_t n = poll(&p, 1, 0) == 1 ? recv(far, text, sizeof(text) - 1, MSG_DONTWAIT) : -1;

	if (n == -1)
		return "(nothing)";
	text[n] = '\0';
	return n == 0 ? "(end)" : text;
}

static struct frame
expect(enum msg_type type)
{
	struct frame f = next_frame(s.proxy, proxy_fd, R_PROXY);

	ck_assert_uint_eq(f.type, type);
	return f;
}

/* A FIRST with these flags and so many bytes, that begin so. */
static void
expect_first(uint32_t flags, size_t len, const char *text)
{
	struct frame f = expect(MSG_FIRST);
	struct rd r = rd_over(f.body, f.len);
	struct msg_first m;

	ck_assert(msg_first_get(&r, &m));
	ck_assert_uint_eq(m.flags, flags);
	ck_assert_uint_eq(rd_left(&r), len);
	ck_assert(memcmp(r.p, text, strlen(text)) == 0);
}

static void
expect_nothing(void)
{
	expect((enum msg_type)0);
}

static struct flow *
owing(void)
{
	struct flow *f = flow_new(&s, &stream_kind, PROTO_TCP, &child, &peer);
	struct pkt p = { .family = 4 };

	ck_assert(flow_open(f, &p));
	flow_on_opened_first(&s, expect(MSG_OPEN).flow);
	ck_assert_int_eq(f->host_mode, HOST_FIRST);
	return f;
}

static ssize_t
give(struct flow *f, const void *data, size_t len)
{
	int err = 0;

	return host_send(f, data, len, &err);
}

START_TEST(one_first_at_a_time)
{
	struct flow *f = owing();

	ck_assert_int_eq(give(f, big, sizeof(big)), 16384);
	ck_assert(!f->writable);
	expect_first(0, 16384, "");
	f->writable = true;			/* whoever thinks so */
	ck_assert_int_eq(give(f, "x", 1), 0);
	ck_assert(!f->writable);
	expect_nothing();
	ck_assert(first_waits(f));
	first_on_go(&s, f->id, GO_MORE, -1);
	ck_assert_uint_eq(n_writable, 1);
	ck_assert_int_eq(give(f, "more", 4), 4);
	expect_first(0, 4, "more");
	first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	ck_assert_uint_eq(n_writable, 2);
	ck_assert_int_eq(f->host_mode, HOST_FD);
	ck_assert_str_eq(far_got(), "(nothing)");	/* what FIRST gave is not given twice */
	ck_assert_int_eq(give(f, "then", 4), 4);
	ck_assert_str_eq(far_got(), "then");
	ck_assert_uint_eq(f->up_bytes, 16384 + 8);
	expect_nothing();
}
END_TEST

START_TEST(end_is_told_last_and_passed_on)
{
	struct flow *f = owing();

	ck_assert_int_eq(give(f, "x", 1), 1);
	host_shutdown(f);
	expect_first(0, 1, "x");
	expect_nothing();
	first_on_go(&s, f->id, GO_MORE, -1);
	expect_first(FIRST_END, 0, "");
	first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	ck_assert_str_eq(far_got(), "(end)");
}
END_TEST

START_TEST(end_behind_the_first_flight_is_passed_on)
{
	struct flow *f = owing();

	ck_assert_int_eq(give(f, "x", 1), 1);
	host_shutdown(f);
	expect_first(0, 1, "x");
	first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	expect_nothing();
	ck_assert_str_eq(far_got(), "(end)");
}
END_TEST

START_TEST(asked_it_says_what_there_is)
{
	struct flow *f = owing();

	first_on_go(&s, f->id, GO_ASK, -1);
	expect_first(0, 0, "");
	ck_assert_int_eq(give(f, "x", 1), 0);
	first_on_go(&s, f->id, GO_MORE, -1);
	ck_assert_int_eq(give(f, "x", 1), 1);
	expect_first(0, 1, "x");
	first_on_go(&s, f->id, GO_ASK, -1);	/* it crosses */
	expect_nothing();
	first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	ck_assert_int_eq(f->host_mode, HOST_FD);
}
END_TEST

/* Without descriptors: the bytes of FIRST have used up credit, which WINDOW gives back. */
START_TEST(frames_go_on_with_the_credit_that_is_left)
{
	struct flow *f = owing();

	ck_assert_int_eq(give(f, big, 1000), 1000);
	expect_first(0, 1000, "");
	host_on_data(&s, f->id, (const uint8_t *)"early", 5);
	ck_assert_uint_eq(n_readable, 1);
	first_on_go(&s, f->id, 0, -1);
	ck_assert_int_eq(f->host_mode, HOST_FRAMES);
	ck_assert_uint_eq(f->queue->credit_out, MSG_WINDOW_INITIAL - 1000);
	host_on_window(&s, f->id, 1000);
	ck_assert_ptr_null(chan_why(s.proxy));
	ck_assert_int_eq(give(f, "x", 1), 1);
	expect(MSG_DATA);
	host_shutdown(f);
	expect(MSG_EOF);
}
END_TEST

START_TEST(reset_is_the_end_of_it)
{
	struct flow *f = owing();
	int err = 0;

	ck_assert_int_eq(give(f, "x", 1), 1);
	expect_first(0, 1, "x");
	host_on_reset(&s, f->id, EACCES);
	ck_assert(f->readable);
	ck_assert_int_eq(host_recv(f, big, sizeof(big), &err), HOST_ERROR);
	ck_assert_int_eq(err, EACCES);
	ck_assert_int_eq(host_send(f, "x", 1, &err), HOST_ERROR);
	flow_end(f, CLOSE_PEER);
	expect(MSG_CLOSE);
	first_on_go(&s, 1, GO_MORE, -1);	/* it crossed CLOSE */
	ck_assert_ptr_null(chan_why(s.proxy));
}
END_TEST

static const struct { uint32_t flags; bool said, over, fd; const char *why; } wrong[] = {
	{ 0,		false, false, false, "GO without a FIRST" },
	{ GO_MORE,	false, false, false, "GO without a FIRST" },
	{ 0,		true,  true,  true,  "GO for a flow that owes nothing" },
	{ GO_MORE,	true,  true,  false, "GO for a flow that owes nothing" },
	{ GO_MORE,	true,  false, true,  "unexpected descriptor" },
	{ GO_ASK,	true,  false, true,  "unexpected descriptor" },
};

START_TEST(go_that_nothing_asked_for_is_garbage)
{
	struct flow *f = owing();
	int pair[2];

	if (wrong[_i].said)
		ck_assert_int_eq(give(f, "x", 1), 1);
	if (wrong[_i].over)
		first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	first_on_go(&s, f->id, wrong[_i].flags, wrong[_i].fd ? pair[0] : -1);
	ck_assert_str_eq(chan_why(s.proxy), wrong[_i].why);
	if (wrong[_i].fd)			/* nobody keeps it */
		ck_assert_int_eq(read(pair[1], big, 1), 0);
	else
		close(pair[0]);
	close(pair[1]);
}
END_TEST

/* The run ends: what was said and waits for its verdict is not lost. */
START_TEST(end_of_the_run_waits_for_the_verdict)
{
	struct flow *f = owing();

	ck_assert_int_eq(give(f, "x", 1), 1);
	ck_assert(!flows_drain(&s, true));
	first_on_go(&s, f->id, 0, socket_for_go(SOCK_STREAM));
	ck_assert(flows_drain(&s, true));
}
END_TEST

/* ---- datagrams ---- */

static uint64_t
udp_owing(void)
{
	uint64_t id;

	peer.port = 443;
	send_udp(&child, &peer, "one", 3, NULL, NULL);
	id = expect(MSG_OPEN).flow;
	send_udp(&child, &peer, "two", 3, NULL, NULL);
	flow_on_opened_first(&s, id);
	expect_first(0, 3, "one");
	return id;
}

START_TEST(datagrams_wait_in_their_order)
{
	static const struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 4, .csum_start = 20,
	    .csum_offset = 6, .hdr_len = 28 };
	uint64_t id = udp_owing();

	send_udp(&child, &peer, "aaaabbbbcc", 10, NULL, &vh);	/* three in one */
	stack_burst_end(&s);
	expect_nothing();
	first_on_go(&s, id, GO_MORE, -1);
	expect_first(0, 3, "two");
	first_on_go(&s, id, GO_MORE, -1);
	expect_first(0, 4, "aaaa");
	first_on_go(&s, id, GO_MORE, -1);
	expect_first(0, 4, "bbbb");
	send_udp(&child, &peer, "last", 4, NULL, NULL);
	first_on_go(&s, id, 0, socket_for_go(SOCK_DGRAM));
	stack_burst_end(&s);
	ck_assert_str_eq(far_got(), "cc");
	ck_assert_str_eq(far_got(), "last");
	send_udp(&child, &peer, "now", 3, NULL, NULL);
	stack_burst_end(&s);
	ck_assert_str_eq(far_got(), "now");
	expect_nothing();
}
END_TEST

START_TEST(datagram_goes_at_once_where_more_was_asked_for)
{
	uint64_t id = udp_owing();

	first_on_go(&s, id, GO_MORE, -1);
	expect_first(0, 3, "two");
	first_on_go(&s, id, GO_MORE, -1);
	expect_nothing();
	send_udp(&child, &peer, "three", 5, NULL, NULL);
	expect_first(0, 5, "three");
}
END_TEST

START_TEST(refused_datagrams_are_an_icmp_error)
{
	uint64_t id = udp_owing();

	host_on_reset(&s, id, EACCES);
	while (stack_turn(&s))
		;
	ck_assert_uint_ge(n_seen, 1);
	ck_assert_int_eq(seen[0].pkt.proto, PROTO_ICMP);
	ck_assert_int_eq(seen[0].pkt.icmp_type, 3);	/* administratively prohibited */
	ck_assert_int_eq(seen[0].pkt.icmp_code, 13);
	expect(MSG_CLOSE);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("first");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_first_at_a_time);
	tcase_add_test(tc, end_is_told_last_and_passed_on);
	tcase_add_test(tc, end_behind_the_first_flight_is_passed_on);
	tcase_add_test(tc, asked_it_says_what_there_is);
	tcase_add_test(tc, frames_go_on_with_the_credit_that_is_left);
	tcase_add_test(tc, reset_is_the_end_of_it);
	tcase_add_loop_test(tc, go_that_nothing_asked_for_is_garbage, 0, (int)COUNT(wrong));
	tcase_add_test(tc, end_of_the_run_waits_for_the_verdict);
	tcase_add_test(tc, datagrams_wait_in_their_order);
	tcase_add_test(tc, datagram_goes_at_once_where_more_was_asked_for);
	tcase_add_test(tc, refused_datagrams_are_an_icmp_error);
	return unit_run("first flight", tc);
}

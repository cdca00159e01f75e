/*
 * test_ktcp.c - a SYN is held, written back as it came, and becomes a relay between two sockets.
 *
 * The test is the child's kernel: what is written back it answers by a connection over lo to the
 * listener, from the port that the SYN has named.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>

#include "../main.h"
#include "ktcp.h"
#include "tcp.h"
#include "packets.h"		/* defines s: behind tcp.h */

#define SEQ	1000u

static struct addr	 me4, me6, web4, web6;
static struct addr	 near, lo;		/* a child on lo, and the listener */
static int		 listener = -1, child = -1;
static bool		 answers;		/* the child's kernel does */
static struct { struct virtio_net_hdr vh; uint8_t data[4096]; size_t len; int n; } back;

/* ---- the child ---- */

/* Bound to the port that the flow is to have. */
static void
child_socket(void)
{
	struct sockaddr_storage ss = { 0 };
	struct addr any = lo;
	socklen_t len;

	any.port = 0;
	len = addr_to_sockaddr(&any, &ss);
	child = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(child, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(getsockname(child, (struct sockaddr *)&ss, &len), 0);
	ck_assert(addr_from_sockaddr(&ss, &near));
}

static void
child_connect(void)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = addr_to_sockaddr(&lo, &ss);

	ck_assert_int_eq(connect(child, (struct sockaddr *)&ss, len), 0);
}

static void
on_back(void *arg, const struct virtio_net_hdr *vh, const uint8_t *packet, size_t len)
{
	struct pkt p;
	struct tcp_seg_in in;

	if (ip_parse(packet, len, true, &p) != PKT_SOURCE &&
	    (p.proto != PROTO_TCP || !tcp_parse(&p, &in) || in.flags != TF_SYN)) {
		on_packet(arg, vh, packet, len);
		return;
	}
	ck_assert_uint_le(len, sizeof(back.data));
	back.vh = *vh;
	back.len = len;
	back.n++;
	memcpy(back.data, packet, len);
	if (answers)
		child_connect();
}

static uint8_t	sent[4096];		/* the SYN that was sent last */
static size_t	sent_len;
static const struct virtio_net_hdr syn_vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
    .csum_start = 20, .csum_offset = 16 };

/* It is given to ktcp_input itself, as ip.c takes no packet from lo. */
static bool
syn(const struct addr *src, const struct addr *dst, uint32_t seq, uint8_t flags, uint8_t reserved,
    size_t payload)
{
	static const uint8_t options[] = { 2, 4, 5, 0xb4, 1, 3, 3, 8 };
	struct wr w = wr_over(sent, sizeof(sent));
	struct ip_head ip = { .src = src, .dst = dst, .proto = PROTO_TCP, .hop_limit = 61 };
	struct tcp_head th = { .seq = seq, .flags = flags, .window = 64240,
	    .options = options, .optlen = sizeof(options) };
	size_t head = ip_put(&w, &ip, TCP_HEADER + sizeof(options) + payload);
	struct pkt p = { .base = sent, .l4_off = head, .family = src->family, .proto = PROTO_TCP,
	    .src = *src, .dst = *dst, .hop_limit = 61 };

	ip_put_tcp(&w, &ip, &th, 0);
	for (size_t i = 0; i < payload; i++)
		wr_u8(&w, (uint8_t)i);
	ck_assert(!w.bad);
	sent[head + 12] |= reserved;
	p.len = sent_len = (size_t)(w.p - sent);
	p.l4_len = p.len - head;
	return ktcp_input(&s, &p, &syn_vh);
}

/* ---- cf-proxy ---- */

static uint64_t
expect(enum msg_type type)
{
	struct frame f = next_frame(s.proxy, proxy_fd, R_PROXY);

	ck_assert_uint_eq(f.type, type);
	return f.flow;
}

static void
expect_nothing(void)
{
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
}

static struct msg_close
expect_close(void)
{
	struct frame f = next_frame(s.proxy, proxy_fd, R_PROXY);
	struct rd r = rd_over(f.body, f.len);
	struct msg_close m;

	ck_assert_uint_eq(f.type, MSG_CLOSE);
	ck_assert(msg_close_get(&r, &m));
	return m;
}

/* ---- the loop ---- */

static void
turn(void)
{
	struct epoll_event ev[16];
	int n = epoll_wait(s.epoll_fd, ev, 16, 20);

	for (int i = 0; i < n; i++)
		if (!ktcp_event(&s, ev[i].data.ptr, ev[i].events))
			host_event(ev[i].data.ptr, ev[i].events);
	stack_turn(&s);
}

static void
later(uint64_t ms)
{
	s.now += ms;
	s.now_us += ms * 1000;
	turn();
}

/* Turns until fd has something to say; that many bytes of it, or -errno. */
static int
hear(int fd, void *buf, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	for (int i = 0; poll(&p, 1, 0) == 0; i++) {
		if (i > 100)
			ck_abort_msg("nothing came");
		turn();
	}
	n = recv(fd, buf, len, MSG_DONTWAIT);
	return n < 0 ? -errno : (int)n;
}

static void
setup(void)
{
	struct sockaddr_storage ss = { 0 };
	struct addr any = { .family = 4, .ip = { 127, 0, 0, 1 } };
	socklen_t len = addr_to_sockaddr(&any, &ss);

	world_up();
	s.tun.tap = on_back;
	ck_assert_int_ge(s.epoll_fd = epoll_create1(EPOLL_CLOEXEC), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(listen(listener, 128), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&ss, &len), 0);
	ck_assert(addr_from_sockaddr(&ss, &lo));
	ktcp_open(&s);
	ck_assert(ktcp_listen(&s, &(struct msg_listen){ .family = 4, .port = lo.port }, listener));
	me4 = addr("192.0.0.2:40000");
	web4 = addr("203.0.113.10:80");
	me6 = addr("[2001:2:0:cf::2]:40000");
	web6 = addr("[2001:db8::10]:80");
	memset(&back, 0, sizeof(back));
	answers = true;
	child_socket();
}

static void
teardown(void)
{
	world_down();
	close(s.epoll_fd);
	if (child != -1)
		close(child);
	child = -1;
}

/* A second family, for what needs no connection. */
static void
listen6(void)
{
	ck_assert(ktcp_listen(&s, &(struct msg_listen){ .family = 6 },
	    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
}

/* ---- the SYN ---- */

START_TEST(a_syn_is_held_and_written_back_as_it_came)
{
	uint64_t id;

	answers = false;
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	id = expect(MSG_OPEN);
	expect_nothing();
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_int_eq(back.n, 0);
	flow_on_opened(&s, id, -1);
	ck_assert_int_eq(back.n, 1);
	ck_assert_uint_eq(back.len, sent_len);
	ck_assert(memcmp(back.data, sent, sent_len) == 0);
	ck_assert(memcmp(&back.vh, &syn_vh, sizeof(syn_vh)) == 0);
}
END_TEST

static const struct {
	struct msg_refused m;
	int	type4, code4, type6, code6;	/* -1: silence */
} refusals[] = {
	{ { .why = REFUSED_ERRNO, .err = ECONNREFUSED }, 3, 3, 1, 4 },
	{ { .why = REFUSED_ERRNO, .err = EHOSTUNREACH }, 3, 1, 1, 3 },
	{ { .why = REFUSED_ERRNO, .err = ENETUNREACH }, 3, 0, 1, 0 },
	{ { .why = REFUSED_ERRNO, .err = ETIMEDOUT }, -1, 0, -1, 0 },
	{ { .why = REFUSED_ERRNO, .err = EINVAL }, 3, 3, 1, 4 },
	{ { .why = REFUSED_POLICY, .err = EACCES }, 3, 13, 1, 1 },
	{ { .why = REFUSED_LIMIT, .err = EMFILE }, 3, 3, 1, 4 },
	{ { .why = REFUSED_PROXY }, 3, 3, 1, 4 },
};

START_TEST(a_refusal_is_an_icmp_error_about_the_syn)
{
	size_t i = (size_t)_i / 2;
	bool v6 = _i % 2;
	int type = v6 ? refusals[i].type6 : refusals[i].type4;

	listen6();
	ck_assert(v6 ? syn(&me6, &web6, SEQ, TF_SYN, 0, 0) : syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	flow_on_refused(&s, expect(MSG_OPEN), &refusals[i].m);
	expect_nothing();
	ck_assert_int_eq(back.n, 0);
	ck_assert_uint_eq(n_seen, type != -1);
	if (type != -1) {
		size_t quote = seen[0].pkt.l4_off + ICMP_HEADER;

		ck_assert_int_eq(seen[0].pkt.icmp_type, type);
		ck_assert_int_eq(seen[0].pkt.icmp_code, v6 ? refusals[i].code6 : refusals[i].code4);
		ck_assert(memcmp(seen[0].data + quote, sent, ip_header_len(v6 ? 6 : 4) + 8) == 0);
	}
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(once_more_asks_nobody_and_is_written_back)
{
	uint64_t id;

	answers = false;
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	id = expect(MSG_OPEN);
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	ck_assert(syn(&me4, &web4, SEQ + 5, TF_SYN, 0, 0));	/* another socket, the same tuple */
	expect_nothing();
	ck_assert_int_eq(back.n, 0);
	flow_on_opened(&s, id, -1);
	ck_assert_int_eq(back.n, 1);
	ck_assert(memcmp(back.data, sent, sent_len) == 0);	/* the newest */
	ck_assert(syn(&me4, &web4, SEQ + 5, TF_SYN, 0, 0));
	ck_assert_int_eq(back.n, 2);
	expect_nothing();
}
END_TEST

static const struct {
	const char *src, *dst;
	uint8_t	 flags, reserved;
} others[] = {
	{ "192.0.0.2:1", "203.0.113.10:80", TF_SYN, 0x08 },		/* the mark */
	{ "192.0.0.2:1", "203.0.113.10:80", TF_ACK, 0 },
	{ "192.0.0.2:1", "203.0.113.10:80", TF_SYN | TF_ACK, 0 },
	{ "192.0.0.2:1", "203.0.113.10:80", TF_RST, 0 },
	{ "192.0.0.2:1", "203.0.113.10:53", TF_SYN, 0 },
	{ "192.0.0.2:1", "192.0.0.1:80", TF_SYN, 0 },
	{ "[2001:2:0:cf::2]:1", "[2001:db8::10]:80", TF_SYN, 0 },	/* no listener */
	{ "192.0.0.2", "203.0.113.10:80", TF_SYN, 0 },
	{ "192.0.0.2:1", "203.0.113.10", TF_SYN, 0 },
};

START_TEST(other_packets_are_own_tcps)
{
	struct addr src = addr(others[_i].src), dst = addr(others[_i].dst);

	ck_assert(!syn(&src, &dst, SEQ, others[_i].flags, others[_i].reserved, 0));
	expect_nothing();
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

/* A socket on the device takes the tuple that was held for another. */
START_TEST(a_marked_syn_ends_what_was_held)
{
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	expect(MSG_OPEN);
	ck_assert(!syn(&me4, &web4, SEQ, TF_SYN, 0x08, 0));
	ck_assert_int_eq(expect_close().reason, CLOSE_CANCEL);
	ck_assert_ptr_null(flow_find(&s, PROTO_TCP, &me4, &web4));
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	expect(MSG_OPEN);
	ck_assert(syn(&me4, &web4, SEQ, TF_ACK, 0, 0));		/* not own TCP's, nor anybody's */
	expect_nothing();
}
END_TEST

START_TEST(long_syns_are_few)
{
	struct addr src = me4;
	int n = 0;

	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 3000));
	ck_assert_uint_eq(s.flows.n, 0);	/* no packet of the device is so long */
	for (src.port = 1; src.port < 3000; src.port++) {
		ck_assert(syn(&src, &web4, SEQ, TF_SYN, 0, 1300));
		n += flow_find(&s, PROTO_TCP, &src, &web4) != NULL;
	}
	ck_assert_int_gt(n, 500);
	ck_assert_int_lt(n, 1000);
	s.tun.tap = NULL;			/* each is told */
	flows_end_all(&s, CLOSE_END);
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 1300));	/* the room is free again */
	ck_assert_uint_eq(s.flows.n, 1);
}
END_TEST

START_TEST(descriptors_are_counted_twice)
{
	struct addr src = me4;
	struct msg_refused no = { .why = REFUSED_POLICY };

	s.flows.max_fds = 5;
	for (src.port = 1; src.port <= 3; src.port++)
		ck_assert(syn(&src, &web4, SEQ, TF_SYN, 0, 0));
	ck_assert_uint_eq(s.flows.n, 2);
	ck_assert_uint_eq(n_seen, 1);		/* the third hears of it */
	flow_on_refused(&s, expect(MSG_OPEN), &no);
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	ck_assert_uint_eq(s.flows.n, 2);
}
END_TEST

/* ---- the connection ---- */

static int	host = -1;		/* the far end of the host's socket */

static void
host_pair(int *theirs)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	host = fd[0];
	*theirs = fd[1];
}

/* A connection of the child to the listener, as if to the host. */
static uint64_t
connected(bool frames)
{
	uint64_t id;
	int theirs = -1;

	ck_assert(syn(&near, &lo, SEQ, TF_SYN, 0, 0));
	id = expect(MSG_OPEN);
	if (!frames)
		host_pair(&theirs);
	flow_on_opened(&s, id, theirs);
	for (int i = 0; flow_find(&s, PROTO_TCP, &near, &lo) != NULL; i++) {
		if (i > 100)
			ck_abort_msg("not accepted");
		turn();
	}
	ck_assert_uint_eq(s.flows.n, 1);
	return id;
}

START_TEST(both_ends_are_joined)
{
	struct msg_close m;
	char buf[16];

	connected(false);
	ck_assert_int_eq((int)send(child, "up", 2, 0), 2);
	ck_assert_int_eq(hear(host, buf, sizeof(buf)), 2);
	ck_assert_int_eq((int)send(host, "down", 4, 0), 4);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 4);
	shutdown(child, SHUT_WR);
	ck_assert_int_eq(hear(host, buf, sizeof(buf)), 0);
	ck_assert_int_eq((int)send(host, "late", 4, 0), 4);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 4);
	expect_nothing();
	close(host);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 0);
	m = expect_close();
	ck_assert_int_eq(m.reason, CLOSE_EOF);
	ck_assert_uint_eq(m.up_bytes, 2);
	ck_assert_uint_eq(m.down_bytes, 8);
	ck_assert_uint_eq(m.up_packets, 1);
	ck_assert_uint_eq(m.down_packets, 2);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(it_is_joined_in_frames_as_well)
{
	uint64_t id = connected(true);
	struct frame f;
	char buf[16];

	ck_assert_int_eq((int)send(child, "up", 2, 0), 2);
	for (int i = 0; i < 100 && chan_backlog(s.proxy) == 0; i++)
		turn();
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert(f.type == MSG_DATA && f.len == 2 && memcmp(f.body, "up", 2) == 0);
	host_on_data(&s, id, (const uint8_t *)"down", 4);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 4);
	host_on_eof(&s, id);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 0);
	shutdown(child, SHUT_WR);
	for (int i = 0; i < 100 && s.flows.n > 0; i++)
		turn();
	expect(MSG_EOF);
	ck_assert_int_eq(expect_close().reason, CLOSE_EOF);
}
END_TEST

START_TEST(credit_stops_the_child)
{
	static uint8_t buf[MSG_TAIL_MAX];
	uint64_t id = connected(true);
	size_t up = 0;
	struct frame f;

	memset(buf, 1, sizeof(buf));
	for (int i = 0; i < 40; i++) {
		(void)!send(child, buf, sizeof(buf), MSG_DONTWAIT);
		turn();
		while ((f = next_frame(s.proxy, proxy_fd, R_PROXY)).type == MSG_DATA)
			up += f.len;
	}
	ck_assert_uint_eq(up, MSG_WINDOW_INITIAL);
	host_on_window(&s, id, 1000);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert(f.type == MSG_DATA && f.len == 1000);
}
END_TEST

static void
reset(int *fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(*fd);
	*fd = -1;
}

START_TEST(a_reset_of_the_child_ends_it)
{
	connected(_i);
	if (_i == 0)
		ck_assert_int_eq((int)send(child, "last", 4, 0), 4);
	reset(&child);
	for (int i = 0; i < 100 && s.flows.n > 0; i++)
		turn();
	if (_i == 0) {
		char buf[16];

		ck_assert_int_eq(hear(host, buf, sizeof(buf)), 4);	/* what came before it */
	}
	ck_assert_int_eq(expect_close().reason, CLOSE_RESET);
}
END_TEST

START_TEST(a_reset_of_the_host_is_one_for_the_child)
{
	uint64_t id = connected(true);
	char buf[16];

	host_on_data(&s, id, (const uint8_t *)"last", 4);
	host_on_reset(&s, id, ECONNRESET);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), 4);
	ck_assert_int_eq(hear(child, buf, sizeof(buf)), -ECONNRESET);
	ck_assert_int_eq(expect_close().reason, CLOSE_PEER);
}
END_TEST

/* The kernel answers the SYN|ACK of a socket that has gone with a RST: nothing is accepted. */
START_TEST(a_child_that_gave_up_is_cleaned_away)
{
	int theirs;
	char c;

	answers = false;
	ck_assert(syn(&near, &lo, SEQ, TF_SYN, 0, 0));
	host_pair(&theirs);
	flow_on_opened(&s, expect(MSG_OPEN), theirs);
	later(2900);
	ck_assert_uint_eq(s.flows.n, 1);
	later(200);
	ck_assert_uint_eq(s.flows.n, 0);
	ck_assert_int_eq(expect_close().reason, CLOSE_RESET);
	ck_assert_int_eq(hear(host, &c, 1), 0);
}
END_TEST

static void
is_turned_away(void)
{
	char c;

	child_connect();
	turn();
	ck_assert_int_eq(hear(child, &c, 1), -ECONNRESET);
}

START_TEST(a_stranger_is_turned_away)
{
	is_turned_away();
}
END_TEST

START_TEST(who_is_not_opened_yet_is_a_stranger)
{
	ck_assert(syn(&near, &lo, SEQ, TF_SYN, 0, 0));
	expect(MSG_OPEN);
	is_turned_away();
	ck_assert_uint_eq(s.flows.n, 1);
	expect_nothing();
}
END_TEST

/* ---- the end of a run ---- */

START_TEST(what_is_held_ends_with_the_run)
{
	ck_assert(syn(&me4, &web4, SEQ, TF_SYN, 0, 0));
	expect(MSG_OPEN);
	ck_assert(flows_drain(&s, true));
	ck_assert_int_eq(expect_close().reason, CLOSE_CANCEL);
	ck_assert_uint_eq(n_seen, 1);		/* and is told so */
}
END_TEST

START_TEST(what_the_tree_has_closed_is_delivered)
{
	static uint8_t buf[1 << 16];
	size_t left;
	int n;

	connected(false);
	for (left = 0; left < 2 << 20 && (n = (int)send(child, buf, sizeof(buf), MSG_DONTWAIT)) > 0;)
		left += (size_t)n;
	close(child);
	child = -1;
	while (!flows_drain(&s, true)) {
		if ((n = hear(host, buf, sizeof(buf))) > 0)
			left -= (size_t)n;
	}
	while ((n = hear(host, buf, sizeof(buf))) > 0)
		left -= (size_t)n;
	ck_assert_uint_eq(left, 0);
}
END_TEST

START_TEST(what_the_tree_left_open_waits_only_for_the_last_process)
{
	char c;

	connected(false);
	turn();
	ck_assert(!flows_drain(&s, true));
	ck_assert(flows_drain(&s, false));
	ck_assert_int_eq(hear(child, &c, 1), -ECONNRESET);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ktcp");

	(void)send_udp;			/* not every test of packets.h has use for it */

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_syn_is_held_and_written_back_as_it_came);
	tcase_add_loop_test(tc, a_refusal_is_an_icmp_error_about_the_syn, 0, 2 * (int)COUNT(refusals));
	tcase_add_test(tc, once_more_asks_nobody_and_is_written_back);
	tcase_add_loop_test(tc, other_packets_are_own_tcps, 0, (int)COUNT(others));
	tcase_add_test(tc, a_marked_syn_ends_what_was_held);
	tcase_add_test(tc, long_syns_are_few);
	tcase_add_test(tc, descriptors_are_counted_twice);
	tcase_add_test(tc, both_ends_are_joined);
	tcase_add_test(tc, it_is_joined_in_frames_as_well);
	tcase_add_test(tc, credit_stops_the_child);
	tcase_add_loop_test(tc, a_reset_of_the_child_ends_it, 0, 2);
	tcase_add_test(tc, a_reset_of_the_host_is_one_for_the_child);
	tcase_add_test(tc, a_child_that_gave_up_is_cleaned_away);
	tcase_add_test(tc, a_stranger_is_turned_away);
	tcase_add_test(tc, who_is_not_opened_yet_is_a_stranger);
	tcase_add_test(tc, what_is_held_ends_with_the_run);
	tcase_add_test(tc, what_the_tree_has_closed_is_delivered);
	tcase_add_test(tc, what_the_tree_left_open_waits_only_for_the_last_process);
	return unit_run("ktcp", tc);
}

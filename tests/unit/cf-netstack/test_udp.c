/*
 * test_udp.c - UDP flows and echo between packets and real sockets on loopback.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "dflow.h"
#include "packets.h"

static struct addr child, peer;
static int server;			/* what the host end is connected to */

static const char *const families[][3] = {
	{ "192.0.0.2:40000", "203.0.113.10:9000", "127.0.0.1:0" },
	{ "[2001:2:0:cf::2]:40000", "[2001:db8::1]:9000", "[::1]:0" },
};

static void
setup(void)
{
	world_up();
	server = -1;
}

static void
teardown(void)
{
	world_down();
	if (server != -1)
		close(server);
}

static void
sides(int i)
{
	child = addr(families[i][0]);
	peer = addr(families[i][1]);
}

static bool
seen_error(size_t i, uint8_t type, uint8_t code)
{
	return i < n_seen && (seen[i].pkt.proto == PROTO_ICMP || seen[i].pkt.proto == PROTO_ICMP6) &&
	    seen[i].pkt.icmp_type == type && seen[i].pkt.icmp_code == code;
}

/* A connected pair of sockets on loopback; the host end is returned, the other is `server`. */
static int
sockets(int i)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t len = sizeof(ss);
	int on = 1, fd, family = i == 0 ? AF_INET : AF_INET6;

	ck_assert(addr_parse(i == 0 ? "127.0.0.1" : "::1", 0, &a));
	server = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert(server != -1 && fd != -1);
	len = addr_to_sockaddr(&a, &ss);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, len), 0);
	if (i == 0)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	else
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)), 0);
	len = sizeof(ss);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	len = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(connect(server, (struct sockaddr *)&ss, len), 0);
	return fd;
}

/* The OPEN that the last packet caused, answered with a socket. */
static struct flow *
open_flow(int i)
{
	struct frame f;
	struct msg_open m;
	struct rd r;

	send_udp(&child, &peer, "first", 5, NULL, NULL);
	stack_burst_end(&s);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_OPEN);
	r = rd_over(f.body, f.len);
	ck_assert(msg_open_get(&r, &m));
	ck_assert(m.proto == PROTO_UDP && m.flags == OPEN_DF && m.hop_limit == IP_HOPS);
	ck_assert(addr_equal(&m.src, &child) && addr_equal(&m.dst, &peer));
	flow_on_opened(&s, f.flow, sockets(i));
	return flow_by_id(&s, f.flow);
}

static ssize_t
server_recv(void *buf, size_t len)
{
	struct pollfd p = { .fd = server, .events = POLLIN };

	return poll(&p, 1, 2000) == 1 ? recv(server, buf, len, 0) : -1;
}

/* What the inner epoll would say about the host end. */
static void
host_ready(struct flow *f, short events)
{
	struct pollfd p = { .fd = host_fd(f), .events = events };

	ck_assert_int_eq(poll(&p, 1, 2000), 1);
	host_event(f, (uint32_t)p.revents);
}

START_TEST(datagrams_before_the_answer_are_kept)
{
	char buf[100];

	sides(_i);
	ck_assert_ptr_nonnull(open_flow(_i));
	ck_assert_int_eq(server_recv(buf, sizeof(buf)), 5);
	ck_assert_mem_eq(buf, "first", 5);
}
END_TEST

START_TEST(reply_comes_from_the_address_that_was_asked)
{
	struct flow *f;

	sides(_i);
	f = open_flow(_i);
	ck_assert_int_eq(send(server, "pong", 4, 0), 4);
	host_ready(f, POLLIN);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert(addr_equal(&seen[0].pkt.src, &peer) && addr_equal(&seen[0].pkt.dst, &child));
	ck_assert_uint_eq(seen[0].pkt.payload_len, 4);
	ck_assert_mem_eq(pkt_payload(&seen[0].pkt), "pong", 4);
}
END_TEST

/* Sizes of one burst, and how the server must see them. */
static const uint16_t bursts[][8] = {
	{ 100, 100, 100, 100 },
	{ 100, 100, 40, 100, 100 },
	{ 1, 1, 1 },
	{ 40, 100, 100, 100, 7, 7 },
	{ 1400, 1400, 1400, 200 },
	{ 0 + 1, 1200, 1 },
};

START_TEST(burst_arrives_datagram_by_datagram_in_order)
{
	uint8_t out[1500], in[1500];
	size_t n = sizeof(bursts[0]) / sizeof(bursts[0][0]);

	sides(_i % 2);
	ck_assert_ptr_nonnull(open_flow(_i % 2));
	ck_assert_int_eq(server_recv(in, sizeof(in)), 5);
	for (size_t k = 0; k < n && bursts[_i / 2][k] != 0; k++) {
		memset(out, (int)('a' + k), sizeof(out));
		send_udp(&child, &peer, out, bursts[_i / 2][k], NULL, NULL);
	}
	stack_burst_end(&s);
	for (size_t k = 0; k < n && bursts[_i / 2][k] != 0; k++) {
		ck_assert_int_eq(server_recv(in, sizeof(in)), bursts[_i / 2][k]);
		ck_assert_uint_eq(in[0], 'a' + k);
	}
}
END_TEST

/* What the server sends at once, and the same sizes seen by the child. */
static const uint16_t replies[][8] = {
	{ 100, 100, 100, 100 },
	{ 100, 100, 40, 100, 100 },
	{ 100, 200, 300, 50, 50, 50 },
	{ 10, 1400, 1400, 10, 1400 },
	{ 1400, 1, 1400, 1 },
	{ 1, 1, 1, 1, 1, 1, 1, 1 },
};

static void
replies_arrive(int i, const uint16_t *sizes, uint32_t offloads)
{
	uint8_t out[1500];
	struct flow *f;
	size_t k = 0, n = 0;

	sides(i);
	s.tun.offloads = offloads;
	f = open_flow(i);
	for (k = 0; k < 8 && sizes[k] != 0; k++) {
		memset(out, (int)('a' + k), sizeof(out));
		ck_assert_int_eq(send(server, out, sizes[k], 0), sizes[k]);
	}
	host_ready(f, POLLIN);
	k = 0;
	for (size_t at = 0; at < n_seen; at++) {
		const struct seen *d = &seen[at];
		size_t gso = d->vh.gso_type != 0 ? d->vh.gso_size : d->pkt.payload_len;

		ck_assert(d->vh.gso_type == 0 || offloads != 0);
		for (size_t off = 0; off < d->pkt.payload_len; off += n, k++) {
			n = d->pkt.payload_len - off < gso ? d->pkt.payload_len - off : gso;
			ck_assert_uint_lt(k, 8);
			ck_assert_uint_eq(n, sizes[k]);
			ck_assert_uint_eq(pkt_payload(&d->pkt)[off], 'a' + k);
			ck_assert_uint_eq(pkt_payload(&d->pkt)[off + n - 1], 'a' + k);
		}
	}
	ck_assert(k == 8 || sizes[k] == 0);
	ck_assert_uint_eq(f->down_packets, k);
}

START_TEST(replies_arrive_one_by_one_in_order)
{
	replies_arrive(_i % 2, replies[_i / 2], 0);
}
END_TEST

START_TEST(replies_arrive_in_trains_in_order)
{
	replies_arrive(_i % 2, replies[_i / 2], TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6);
	if (_i / 2 == 0)		/* the first says how long they are, the rest are one train */
		ck_assert_uint_eq(n_seen, 2);
}
END_TEST

START_TEST(empty_datagram_is_one)
{
	char buf[10];

	sides(_i);
	ck_assert_ptr_nonnull(open_flow(_i));
	ck_assert_int_eq(server_recv(buf, sizeof(buf)), 5);
	send_udp(&child, &peer, "", 0, NULL, NULL);
	stack_burst_end(&s);
	ck_assert_int_eq(server_recv(buf, sizeof(buf)), 0);
}
END_TEST

START_TEST(train_of_the_child_is_cut_at_its_size)
{
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4, .gso_size = 500 };
	uint8_t out[2200], in[1500];

	sides(_i);
	ck_assert_ptr_nonnull(open_flow(_i));
	ck_assert_int_eq(server_recv(in, sizeof(in)), 5);
	memset(out, 'x', sizeof(out));
	send_udp(&child, &peer, out, sizeof(out), NULL, &vh);
	for (int k = 0; k < 5; k++)
		ck_assert_int_eq(server_recv(in, sizeof(in)), k < 4 ? 500 : 200);
}
END_TEST

START_TEST(traffic_class_and_hop_limit_are_carried)
{
	struct ip_head like = { .hop_limit = 7, .tclass = 0xb8, .df = false };
	struct flow *f;
	int value = 0;
	socklen_t len = sizeof(value);

	sides(_i);
	f = open_flow(_i);
	send_udp(&child, &peer, "x", 1, &like, NULL);
	stack_burst_end(&s);
	ck_assert_int_eq(getsockopt(host_fd(f), _i == 0 ? IPPROTO_IP : IPPROTO_IPV6,
	    _i == 0 ? IP_TTL : IPV6_UNICAST_HOPS, &value, &len), 0);
	ck_assert_int_eq(value, 7);
	ck_assert_int_eq(getsockopt(host_fd(f), _i == 0 ? IPPROTO_IP : IPPROTO_IPV6,
	    _i == 0 ? IP_TOS : IPV6_TCLASS, &value, &len), 0);
	ck_assert_int_eq(value, 0xb8);
}
END_TEST

START_TEST(closed_port_is_told_as_icmp_about_the_packet)
{
	struct flow *f;
	struct pkt quote;
	uint8_t in[100];
	size_t at;

	sides(_i);
	f = open_flow(_i);
	ck_assert_int_eq(server_recv(in, sizeof(in)), 5);
	close(server);
	server = -1;
	send_udp(&child, &peer, "anybody", 7, NULL, NULL);
	stack_burst_end(&s);
	host_ready(f, POLLIN);
	ck_assert(seen_error(0, _i == 0 ? 3 : 1, _i == 0 ? 3 : 4));
	at = seen[0].pkt.payload_off;
	ck_assert_int_eq(ip_parse(seen[0].data + at, seen[0].pkt.len - at, false, &quote), PKT_OK);
	ck_assert(addr_equal(&quote.src, &child) && addr_equal(&quote.dst, &peer));
	ck_assert_uint_eq(quote.payload_len, 7);
	ck_assert_mem_eq(pkt_payload(&quote), "anybody", 7);
	ck_assert(!f->dead);		/* somebody may listen there later */
}
END_TEST

START_TEST(long_datagram_comes_in_pieces)
{
	static uint8_t out[20000];
	struct flow *f;
	size_t total = 0;

	sides(_i);
	f = open_flow(_i);
	ck_assert_int_eq(send(server, out, sizeof(out), 0), sizeof(out));
	host_ready(f, POLLIN);
	ck_assert_uint_gt(n_seen, 13);
	for (size_t k = 0; k < n_seen; k++) {
		ck_assert(seen[k].pkt.frag);
		ck_assert_uint_le(seen[k].pkt.len, s.tun.mtu);
		total += seen[k].pkt.l4_len;
	}
	ck_assert_uint_eq(total, UDP_HEADER + sizeof(out));
}
END_TEST

START_TEST(fragments_of_the_child_are_put_together)
{
	static uint8_t packet[20000], in[20000];
	uint8_t piece[1500];
	struct wr w = wr_over(packet, sizeof(packet));
	struct virtio_net_hdr none = { 0 };
	struct ip_head h = { .src = &child, .dst = &peer, .proto = PROTO_UDP };
	size_t hlen, l4 = UDP_HEADER + 9000;

	sides(_i);
	ck_assert_ptr_nonnull(open_flow(_i));
	ck_assert_int_eq(server_recv(in, sizeof(in)), 5);
	hlen = ip_put(&w, &h, l4);
	ip_put_udp(&w, &h, 9000, 0);
	memset(w.p, 'f', 9000);
	ip_finish(&h, packet + hlen, l4, 6);
	for (size_t off = 0; off < l4; off += 1400) {
		size_t n = l4 - off < 1400 ? l4 - off : 1400;
		bool more = off + n < l4;
		struct wr pw = wr_over(piece, sizeof(piece));

		if (_i == 0) {
			uint16_t c;

			ip_put(&pw, &h, n);
			piece[5] = 9;
			piece[6] = (uint8_t)((more ? 0x20 : 0) | off / 8 >> 8);
			piece[7] = (uint8_t)(off / 8);
			piece[10] = piece[11] = 0;
			c = ip_checksum(piece, IP4_HEADER, 0);
			piece[10] = (uint8_t)(c >> 8);
			piece[11] = (uint8_t)c;
		} else {
			h.proto = 44;
			ip_put(&pw, &h, n + 8);
			h.proto = PROTO_UDP;
			wr_be16(&pw, PROTO_UDP << 8);
			wr_be16(&pw, (uint16_t)(off | more));
			wr_be32(&pw, 99);
		}
		wr_bytes(&pw, packet + hlen + off, n);
		stack_packet(&s, &none, piece, (size_t)(pw.p - piece));
	}
	stack_burst_end(&s);
	ck_assert_int_eq(server_recv(in, sizeof(in)), 9000);
}
END_TEST

static const struct {
	enum refusal	why;
	int		err;
	uint8_t		type4, code4, type6, code6;	/* 0: nothing is said */
} refusals[] = {
	{ REFUSED_POLICY, EACCES, 3, 13, 1, 1 },
	{ REFUSED_ERRNO, ECONNREFUSED, 3, 3, 1, 4 },
	{ REFUSED_ERRNO, EHOSTUNREACH, 3, 1, 1, 3 },
	{ REFUSED_ERRNO, ENETUNREACH, 3, 0, 1, 0 },
	{ REFUSED_ERRNO, ETIMEDOUT, 0, 0, 0, 0 },
	{ REFUSED_LIMIT, EMFILE, 0, 0, 0, 0 },
};

START_TEST(refusal_is_told_about_each_datagram)
{
	int v6 = _i % 2, row = _i / 2;
	struct frame f;
	size_t want = refusals[row].type4 != 0 ? 3 : 0;

	sides(v6);
	for (int k = 0; k < 3; k++)
		send_udp(&child, &peer, "hello", 5, NULL, NULL);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_OPEN);
	flow_on_refused(&s, f.flow, &(struct msg_refused){ .why = refusals[row].why,
	    .err = (uint32_t)refusals[row].err });
	ck_assert_uint_eq(n_seen, want);
	for (size_t k = 0; k < want; k++)
		ck_assert(seen_error(k, v6 ? refusals[row].type6 : refusals[row].type4,
		    v6 ? refusals[row].code6 : refusals[row].code4));
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
	stack_turn(&s);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(gateway_has_no_port_open)
{
	struct addr gw = *stack_gateway(&s, _i == 0 ? 4 : 6);

	sides(_i);
	gw.port = 9;
	send_udp(&child, &gw, "x", 1, NULL, NULL);
	ck_assert(seen_error(0, _i == 0 ? 3 : 1, _i == 0 ? 3 : 4));
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(flow_ends_after_its_time_and_says_its_totals)
{
	struct flow *f;
	struct msg_close m;
	struct frame fr;
	struct rd r;

	sides(_i);
	f = open_flow(_i);
	ck_assert_int_eq(send(server, "pong!!", 6, 0), 6);
	host_ready(f, POLLIN);
	s.now += 179000;
	stack_turn(&s);
	ck_assert(!f->dead);
	s.now += 2000;
	stack_turn(&s);
	fr = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(fr.type, MSG_CLOSE);
	r = rd_over(fr.body, fr.len);
	ck_assert(msg_close_get(&r, &m));
	ck_assert_int_eq(m.reason, CLOSE_IDLE);
	ck_assert(m.up_bytes == 5 && m.up_packets == 1 && m.down_bytes == 6 && m.down_packets == 1);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(socket_of_the_child_that_has_gone_ends_the_flow)
{
	struct icmp_error e;
	struct pkt reply;
	uint8_t out[ICMP_ERROR_MAX];
	struct virtio_net_hdr none = { 0 };
	struct flow *f;
	size_t len;

	sides(_i);
	f = open_flow(_i);
	ck_assert_int_eq(send(server, "pong", 4, 0), 4);
	host_ready(f, POLLIN);
	ck_assert_int_eq(ip_parse(seen[0].data, seen[0].pkt.len, false, &reply), PKT_OK);
	ck_assert(icmp_error_of(EHOSTUNREACH, child.family, 0, &e));
	len = icmp_error_build(out, &e, &child, &reply);
	stack_packet(&s, &none, out, len);
	ck_assert(!f->dead);
	ck_assert(icmp_error_of(ECONNREFUSED, child.family, 0, &e));
	len = icmp_error_build(out, &e, &child, &reply);
	stack_packet(&s, &none, out, len);
	ck_assert(f->dead);
	stack_turn(&s);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(frames_carry_datagrams_where_no_socket_can)
{
	struct frame f;

	sides(_i);
	send_udp(&child, &peer, "one", 3, NULL, NULL);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_OPEN);
	flow_on_opened(&s, f.flow, -1);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_DATA);
	ck_assert_uint_eq(f.len, 3);
	host_on_data(&s, f.flow, (const uint8_t *)"reply", 5);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_mem_eq(pkt_payload(&seen[0].pkt), "reply", 5);
	host_on_reset(&s, f.flow, ECONNREFUSED);
	stack_turn(&s);
	ck_assert(seen_error(1, _i == 0 ? 3 : 1, _i == 0 ? 3 : 4));
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

START_TEST(what_waits_for_an_answer_is_bounded)
{
	struct pending q = { 0 };
	struct dattr attr = { 0 };
	static uint8_t data[60000];
	size_t n = 0;

	for (int k = 0; k < 1000; k++)
		pending_add(&q, &attr, data, 1, 0);
	ck_assert_uint_eq(q.n, PENDING_ITEMS);
	pending_done(&q);
	for (int k = 0; k < 1000; k++)
		pending_add(&q, &attr, data, sizeof(data), 0);
	ck_assert_uint_le(q.bytes, PENDING_BYTES);
	for (struct pending_item *item; (item = pending_take(&q)) != NULL; n++)
		free(item);
	ck_assert_uint_eq(n, PENDING_BYTES / sizeof(data));
}
END_TEST

/* ---- how long, and how many ---- */

static const struct {
	const char	*what;
	uint16_t	 port;
	bool		 replied, refused;
	uint64_t	 seconds;
} idles[] = {
	{ "asked",	9000, false, false,  30 },
	{ "refused",	9000, false, true,    5 },
	{ "replied",	9000, true,  false, 180 },
	{ "quic",	 443, true,  false, 300 },
	{ "replied, then refused", 9000, true, true, 180 },
};

START_TEST(flow_is_kept_for_as_long_as_its_kind_needs)
{
	struct flow *f;
	uint8_t in[100];
	int row = _i / 2;

	sides(_i % 2);
	peer.port = idles[row].port;
	f = open_flow(_i % 2);
	ck_assert_int_eq(server_recv(in, sizeof(in)), 5);
	if (idles[row].replied) {
		ck_assert_int_eq(send(server, "pong", 4, 0), 4);
		host_ready(f, POLLIN);
	}
	if (idles[row].refused) {
		close(server);
		server = -1;
		send_udp(&child, &peer, "x", 1, NULL, NULL);
		stack_burst_end(&s);
		host_ready(f, POLLIN);
	}
	s.now += idles[row].seconds * 1000 - 1;
	stack_turn(&s);
	ck_assert_msg(s.flows.n == 1, "%s: ended early", idles[row].what);
	s.now += 1;
	stack_turn(&s);
	ck_assert_msg(s.flows.n == 0, "%s: still there", idles[row].what);
}
END_TEST

/* Flows from as many ports of the child, each answered with DATA frames. */
static void
open_many(uint16_t first, int n)
{
	struct addr from = child;

	for (int k = 0; k < n; k++) {
		struct frame f;

		from.port = (uint16_t)(first + k);
		send_udp(&from, &peer, "x", 1, NULL, NULL);
		do
			f = next_frame(s.proxy, proxy_fd, R_PROXY);
		while (f.type == MSG_CLOSE || f.type == MSG_DATA);
		ck_assert_uint_eq(f.type, MSG_OPEN);
		flow_on_opened(&s, f.flow, -1);
		s.now++;
		stack_turn(&s);
	}
}

START_TEST(too_many_flows_drive_out_the_silent_ones)
{
	struct addr from;
	struct flow *talks, *old;

	sides(_i);
	s.flows.max = 40;
	from = child;
	open_many(1000, 2);
	from.port = 1000;
	ck_assert_ptr_nonnull(talks = flow_find(&s, PROTO_UDP, &from, &peer));
	host_on_data(&s, talks->id, (const uint8_t *)"reply", 5);
	open_many(2000, 200);
	ck_assert_uint_eq(s.flows.n, 20);		/* the rest is for connections */
	ck_assert_ptr_eq(flow_find(&s, PROTO_UDP, &from, &peer), talks);
	from.port = 1001;
	ck_assert_ptr_null(flow_find(&s, PROTO_UDP, &from, &peer));
	from.port = 2000 + 199;
	ck_assert_ptr_nonnull(flow_find(&s, PROTO_UDP, &from, &peer));
	/* One that goes on sending stays, too. */
	from.port = 2000 + 181;
	ck_assert_ptr_nonnull(old = flow_find(&s, PROTO_UDP, &from, &peer));
	send_udp(&from, &peer, "x", 1, NULL, NULL);
	s.now++;
	open_many(3000, 15);
	ck_assert_ptr_eq(flow_find(&s, PROTO_UDP, &from, &peer), old);
}
END_TEST

START_TEST(opens_in_flight_are_bounded)
{
	struct addr from;

	sides(_i);
	from = child;
	for (int k = 0; k < DFLOWS_OPENING + 100; k++) {
		from.port = (uint16_t)(1000 + k);
		send_udp(&from, &peer, "x", 1, NULL, NULL);
	}
	ck_assert_uint_eq(s.flows.n_opening, DFLOWS_OPENING);
	ck_assert_uint_eq(s.flows.n, DFLOWS_OPENING);
	s.now += 31000;
	stack_turn(&s);
	ck_assert_uint_eq(s.flows.n_opening, 0);
	send_udp(&from, &peer, "x", 1, NULL, NULL);
	ck_assert_uint_eq(s.flows.n_opening, 1);
}
END_TEST

/* ---- TFTP ---- */

/* The far end of the channel says that it can pass descriptors. */
static void
hello_with_fds(void)
{
	uint8_t hello[MSG_HEADER_LEN + MSG_HELLO_LEN];
	struct wr w = wr_over(hello + MSG_HEADER_LEN, MSG_HELLO_LEN);
	struct frame f;

	frame_header(hello, MSG_HELLO, 0, 0, MSG_HELLO_LEN);
	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = R_PROXY,
	    .caps = MSG_CAP_FD });
	ck_assert_int_eq(send(proxy_fd, hello, sizeof(hello), 0), sizeof(hello));
	chan_hello(s.proxy, MSG_CAP_FD);
	ck_assert_int_eq(chan_read(s.proxy), 1);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_HELLO);
}

static uint16_t
next_open_port(uint64_t *id)
{
	struct frame f = next_frame(s.proxy, proxy_fd, R_PROXY);
	struct rd r = rd_over(f.body, f.len);
	struct msg_open m;

	ck_assert_uint_eq(f.type, MSG_OPEN);
	ck_assert(msg_open_get(&r, &m));
	*id = f.flow;
	return m.dst.port;
}

START_TEST(tftp_is_answered_from_another_port)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr far;
	uint64_t any, tftp;
	struct flow *f;

	sides(_i);
	hello_with_fds();
	peer.port = 69;
	send_udp(&child, &peer, "read", 4, NULL, NULL);
	ck_assert_uint_eq(next_open_port(&any), 0);
	ck_assert_uint_eq(next_open_port(&tftp), 69);
	flow_on_opened(&s, any, sockets(_i));
	f = flow_by_id(&s, any);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&ss, &len), 0);
	ck_assert(addr_from_sockaddr(&ss, &far));
	ck_assert_int_eq(send(server, "data", 4, 0), 4);
	host_ready(f, POLLIN);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert(addr_equal(&seen[0].pkt.dst, &child));
	ck_assert_uint_eq(seen[0].pkt.src.port, far.port);
	ck_assert_mem_eq(seen[0].pkt.src.ip, peer.ip, 16);
	ck_assert_mem_eq(pkt_payload(&seen[0].pkt), "data", 4);
	send_udp(&child, &peer, "read", 4, NULL, NULL);	/* asks for no more of them */
	ck_assert_uint_eq(s.flows.n, 2);
	s.now += 31000;
	stack_turn(&s);
	ck_assert_uint_eq(s.flows.n, 0);
}
END_TEST

/* ---- echo ---- */

static size_t
echo(uint8_t *l4, int v6, const char *payload)
{
	struct wr w = wr_over(l4, 100);

	wr_u8(&w, v6 ? ICMP6_ECHO : ICMP4_ECHO);
	wr_u8(&w, 0);
	wr_be16(&w, 0);
	wr_be16(&w, 0x1234);
	wr_be16(&w, 1);
	wr_bytes(&w, payload, strlen(payload));
	return ICMP_HEADER + strlen(payload);
}

START_TEST(gateway_answers_echo)
{
	struct addr gw = *stack_gateway(&s, _i == 0 ? 4 : 6);
	uint8_t l4[100];
	size_t len = echo(l4, _i, "abcdefgh");

	sides(_i);
	child.port = 0;
	send_l4(&child, &gw, _i == 0 ? PROTO_ICMP : PROTO_ICMP6, l4, len, NULL, NULL);
	ck_assert(seen_error(0, _i == 0 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY, 0));
	ck_assert_mem_eq(seen[0].data + seen[0].pkt.l4_off + 4, l4 + 4, len - 4);
}
END_TEST

START_TEST(echo_reply_has_the_childs_identifier)
{
	uint8_t l4[100], reply[100];
	size_t len = echo(l4, _i, "abcdefgh");
	struct frame f;

	sides(_i);
	child.port = peer.port = 0;
	send_l4(&child, &peer, _i == 0 ? PROTO_ICMP : PROTO_ICMP6, l4, len, NULL, NULL);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_OPEN);
	flow_on_opened(&s, f.flow, -1);
	f = next_frame(s.proxy, proxy_fd, R_PROXY);
	ck_assert_uint_eq(f.type, MSG_DATA);
	ck_assert_uint_eq(f.len, len);
	ck_assert_mem_eq(f.body, l4, len);
	memcpy(reply, l4, len);
	reply[0] = _i == 0 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	reply[4] = 0xaa;			/* the socket's identifier */
	host_on_data(&s, f.flow, reply, len);
	ck_assert_uint_eq(n_seen, 1);
	ck_assert_mem_eq(seen[0].data + seen[0].pkt.l4_off + 4, l4 + 4, len - 4);
}
END_TEST

START_TEST(other_icmp_is_ignored)
{
	static const uint8_t types[2][6] = { { 0, 3, 5, 10, 13, 17 }, { 1, 2, 129, 133, 135, 137 } };
	uint8_t l4[100] = { 0 };

	sides(_i);
	for (size_t k = 0; k < sizeof(types[0]); k++) {
		l4[0] = types[_i][k];
		send_l4(&child, &peer, _i == 0 ? PROTO_ICMP : PROTO_ICMP6, l4, 40, NULL, NULL);
	}
	ck_assert_uint_eq(n_seen, 0);
	ck_assert_uint_eq(s.flows.n, 0);
	ck_assert_uint_eq(next_frame(s.proxy, proxy_fd, R_PROXY).type, 0);
}
END_TEST

START_TEST(unknown_protocol_is_told_apart_from_silence)
{
	static const struct { uint8_t proto; bool told; } protos[] = {
		{ 132, true }, { 47, true }, { PROTO_NONE, false },
	};
	static const struct virtio_net_hdr none;

	sides(_i);
	for (size_t k = 0; k < sizeof(protos) / sizeof(protos[0]); k++) {
		uint8_t p[60] = { 0 };
		struct wr w = wr_over(p, sizeof(p));
		struct ip_head h = { .src = &child, .dst = &peer, .proto = protos[k].proto };

		seen_clear();
		stack_packet(&s, &none, p, ip_put(&w, &h, 12) + 12);
		ck_assert_uint_eq(n_seen, protos[k].told);
		if (protos[k].told)
			ck_assert(seen_error(0, _i == 0 ? 3 : 4, _i == 0 ? 2 : 1));
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("udp");
	TCase *tc = tcase_create("udp");
	SRunner *r;
	int failed, replies_n = (int)(sizeof(replies) / sizeof(replies[0]));
	int bursts_n = (int)(sizeof(bursts) / sizeof(bursts[0]));
	int idles_n = (int)(sizeof(idles) / sizeof(idles[0]));
	int refusals_n = (int)(sizeof(refusals) / sizeof(refusals[0]));

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, datagrams_before_the_answer_are_kept, 0, 2);
	tcase_add_loop_test(tc, reply_comes_from_the_address_that_was_asked, 0, 2);
	tcase_add_loop_test(tc, burst_arrives_datagram_by_datagram_in_order, 0, bursts_n * 2);
	tcase_add_loop_test(tc, replies_arrive_one_by_one_in_order, 0, replies_n * 2);
	tcase_add_loop_test(tc, replies_arrive_in_trains_in_order, 0, replies_n * 2);
	tcase_add_loop_test(tc, empty_datagram_is_one, 0, 2);
	tcase_add_loop_test(tc, train_of_the_child_is_cut_at_its_size, 0, 2);
	tcase_add_loop_test(tc, traffic_class_and_hop_limit_are_carried, 0, 2);
	tcase_add_loop_test(tc, closed_port_is_told_as_icmp_about_the_packet, 0, 2);
	tcase_add_loop_test(tc, long_datagram_comes_in_pieces, 0, 2);
	tcase_add_loop_test(tc, fragments_of_the_child_are_put_together, 0, 2);
	tcase_add_loop_test(tc, refusal_is_told_about_each_datagram, 0, refusals_n * 2);
	tcase_add_loop_test(tc, gateway_has_no_port_open, 0, 2);
	tcase_add_loop_test(tc, flow_ends_after_its_time_and_says_its_totals, 0, 2);
	tcase_add_loop_test(tc, socket_of_the_child_that_has_gone_ends_the_flow, 0, 2);
	tcase_add_loop_test(tc, frames_carry_datagrams_where_no_socket_can, 0, 2);
	tcase_add_test(tc, what_waits_for_an_answer_is_bounded);
	tcase_add_loop_test(tc, flow_is_kept_for_as_long_as_its_kind_needs, 0, idles_n * 2);
	tcase_add_loop_test(tc, too_many_flows_drive_out_the_silent_ones, 0, 2);
	tcase_add_loop_test(tc, opens_in_flight_are_bounded, 0, 2);
	tcase_add_loop_test(tc, tftp_is_answered_from_another_port, 0, 2);
	tcase_add_loop_test(tc, gateway_answers_echo, 0, 2);
	tcase_add_loop_test(tc, echo_reply_has_the_childs_identifier, 0, 2);
	tcase_add_loop_test(tc, other_icmp_is_ignored, 0, 2);
	tcase_add_loop_test(tc, unknown_protocol_is_told_apart_from_silence, 0, 2);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

/*
 * test_ip.c - packets in, structs out; headers in, packets out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ip.h"

/* ---- known vectors ---- */

/* RFC 1071 3: the sum of 0001 f203 f4f5 f6f7 is ddf2. */
START_TEST(sum_is_that_of_rfc1071)
{
	static const uint8_t v[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	ck_assert_uint_eq(ip_sum_fold(ip_sum(v, sizeof(v), 0)), 0xddf2);
	ck_assert_uint_eq(ip_checksum(v, sizeof(v), 0), (uint16_t)~0xddf2);
}
END_TEST

START_TEST(sum_may_be_taken_in_pieces)
{
	uint8_t v[301];

	for (size_t i = 0; i < sizeof(v); i++)
		v[i] = (uint8_t)(i * 37 + 11);
	for (size_t cut = 0; cut < sizeof(v); cut += 2)
		ck_assert_uint_eq(ip_sum_fold(ip_sum(v + cut, sizeof(v) - cut, ip_sum(v, cut, 0))),
		    ip_sum_fold(ip_sum(v, sizeof(v), 0)));
}
END_TEST

/* An IPv4 header seen in many texts: its checksum is b861. */
START_TEST(ipv4_header_checksum_is_right)
{
	uint8_t h[] = { 0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00,
	    0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7 };

	ck_assert_uint_eq(ip_checksum(h, sizeof(h), 0), 0xb861);
}
END_TEST

/* A UDP datagram over IPv4 and an echo request over IPv6, as Linux sent them. */
static const uint8_t udp4[] = {
	0x45, 0x00, 0x00, 0x21, 0xbe, 0xef, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00,
	192, 0, 0, 2, 203, 0, 113, 10,
	0x9c, 0x40, 0x1f, 0x90, 0x00, 0x0d, 0x00, 0x00, 'h', 'e', 'l', 'l', 'o'
};
static const uint8_t tcp4[] = {
	0x45, 0x10, 0x00, 0x2c, 0x00, 0x01, 0x00, 0x00, 0x3f, 0x06, 0x00, 0x00,
	192, 0, 0, 2, 203, 0, 113, 10,
	0x9c, 0x40, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0,
	2, 4, 5, 0xb4
};
static const uint8_t echo6[] = {
	0x60, 0x00, 0x00, 0x00, 0x00, 0x0c, 58, 64,
	0x20, 0x01, 0, 2, 0, 0, 0, 0xcf, 0, 0, 0, 0, 0, 0, 0, 2,
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	128, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd'
};

/* Make checksums right after a test has changed something. */
static void
seal(uint8_t *p, size_t len)
{
	struct pkt k;

	if (p[0] >> 4 == 4) {
		size_t ihl = (size_t)(p[0] & 15) * 4;
		uint16_t c;

		p[10] = p[11] = 0;
		c = ip_checksum(p, ihl < len ? ihl : len, 0);
		p[10] = (uint8_t)(c >> 8);
		p[11] = (uint8_t)c;
	}
	if (ip_parse(p, len, true, &k) == PKT_OK && !k.frag) {
		struct ip_head h = { .src = &k.src, .dst = &k.dst, .proto = k.proto };

		ip_finish(&h, p + k.l4_off, k.l4_len,
		    k.proto == PROTO_TCP ? 16 : k.proto == PROTO_UDP ? 6 : 2);
	}
}

START_TEST(udp4_is_taken_apart)
{
	uint8_t p[sizeof(udp4) + 4] = { 0 };
	char text[ADDR_STRLEN];
	struct pkt k;

	memcpy(p, udp4, sizeof(udp4));
	seal(p, sizeof(udp4));
	ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);	/* with bytes behind it */
	ck_assert_str_eq(addr_str(&k.src, text), "192.0.0.2:40000");
	ck_assert_str_eq(addr_str(&k.dst, text), "203.0.113.10:8080");
	ck_assert_uint_eq(k.len, sizeof(udp4));
	ck_assert_uint_eq(k.hop_limit, 64);
	ck_assert(k.df && !k.frag);
	ck_assert_uint_eq(k.payload_len, 5);
	ck_assert_mem_eq(pkt_payload(&k), "hello", 5);
}
END_TEST

START_TEST(tcp4_options_are_not_payload)
{
	uint8_t p[sizeof(tcp4)];
	struct pkt k;

	memcpy(p, tcp4, sizeof(p));
	seal(p, sizeof(p));
	ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);
	ck_assert_uint_eq(k.tclass, 0x10);
	ck_assert(!k.df);
	ck_assert_uint_eq(k.l4_len, 24);
	ck_assert_uint_eq(k.payload_len, 0);
}
END_TEST

START_TEST(echo6_identifier_is_the_source_port)
{
	uint8_t p[sizeof(echo6)];
	struct pkt k;

	memcpy(p, echo6, sizeof(p));
	seal(p, sizeof(p));
	ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);
	ck_assert_uint_eq(k.src.port, 0x1234);
	ck_assert_uint_eq(k.dst.port, 0);
	ck_assert_uint_eq(k.icmp_type, ICMP6_ECHO);
	ck_assert_uint_eq(k.payload_len, 4);
}
END_TEST

/* ---- what must not pass ---- */

enum base { UDP4, TCP4, ECHO6 };
static const struct {
	const uint8_t	*p;
	size_t		 len;
} bases[] = { { udp4, sizeof(udp4) }, { tcp4, sizeof(tcp4) }, { echo6, sizeof(echo6) } };

/* One packet with some bytes changed, checksums made right again where seal says so. */
static const struct {
	const char	*what;
	enum base	 base;
	size_t		 len;		/* 0: all of it */
	struct { uint8_t at, value; } set[4];	/* at 0 with value 0 ends */
	bool		 seal;
	enum pkt_verdict verdict;
} bad[] = {
	{ "version 0", UDP4, 0, { { 0, 0x05 } }, true, PKT_MALFORMED },
	{ "version 5", UDP4, 0, { { 0, 0x55 } }, true, PKT_MALFORMED },
	{ "one byte", UDP4, 1, { { 0 } }, false, PKT_TRUNCATED },
	{ "19 bytes", UDP4, 19, { { 0 } }, false, PKT_TRUNCATED },
	{ "header alone", UDP4, 20, { { 3, 20 } }, true, PKT_TRUNCATED },
	{ "header length 16", UDP4, 0, { { 0, 0x44 } }, true, PKT_MALFORMED },
	{ "header longer than packet", UDP4, 0, { { 0, 0x4f } }, true, PKT_MALFORMED },
	{ "total length too long", UDP4, 0, { { 2, 0x01 } }, true, PKT_TRUNCATED },
	{ "total length below header", UDP4, 0, { { 3, 19 } }, true, PKT_MALFORMED },
	{ "no room for UDP header", UDP4, 0, { { 3, 27 } }, true, PKT_TRUNCATED },
	{ "bad header checksum", UDP4, 0, { { 10, 1 } }, false, PKT_CHECKSUM },
	{ "UDP length too long", UDP4, 0, { { 25, 14 } }, true, PKT_TRUNCATED },
	{ "UDP length 7", UDP4, 0, { { 25, 7 } }, true, PKT_MALFORMED },
	{ "UDP to port 0", UDP4, 0, { { 22, 0 }, { 23, 0 } }, true, PKT_MALFORMED },
	{ "UDP from port 0", UDP4, 0, { { 20, 0 }, { 21, 0 } }, true, PKT_MALFORMED },
	{ "source multicast", UDP4, 0, { { 12, 224 } }, true, PKT_SOURCE },
	{ "source loopback", UDP4, 0, { { 12, 127 } }, true, PKT_SOURCE },
	{ "destination multicast", UDP4, 0, { { 16, 239 } }, true, PKT_NOT_UNICAST },
	{ "unknown protocol", UDP4, 0, { { 9, 132 } }, true, PKT_PROTO },
	{ "ICMPv6 in IPv4", UDP4, 0, { { 9, 58 } }, true, PKT_PROTO },
	{ "fragment of 13 bytes with more", UDP4, 0, { { 6, 0x20 } }, true, PKT_MALFORMED },
	{ "piece beyond 65535", UDP4, 0, { { 6, 0x1f }, { 7, 0xff } }, true, PKT_MALFORMED },
	{ "TCP offset 16", TCP4, 0, { { 32, 0x40 } }, true, PKT_MALFORMED },
	{ "TCP offset behind the end", TCP4, 0, { { 32, 0x70 } }, true, PKT_TRUNCATED },
	{ "TCP cut", TCP4, 39, { { 3, 39 } }, true, PKT_TRUNCATED },
	{ "v6 one byte", ECHO6, 1, { { 0 } }, false, PKT_TRUNCATED },
	{ "v6 header cut", ECHO6, 39, { { 0 } }, false, PKT_TRUNCATED },
	{ "v6 payload cut", ECHO6, 51, { { 0 } }, false, PKT_TRUNCATED },
	{ "v6 ICMP cut", ECHO6, 47, { { 5, 7 } }, false, PKT_TRUNCATED },
	{ "v6 bad checksum", ECHO6, 0, { { 43, 1 } }, false, PKT_CHECKSUM },
	{ "v6 multicast", ECHO6, 0, { { 24, 0xff } }, true, PKT_NOT_UNICAST },
	{ "v6 link local", ECHO6, 0, { { 24, 0xfe }, { 25, 0x80 } }, true, PKT_NOT_UNICAST },
	{ "v6 source link local", ECHO6, 0, { { 8, 0xfe }, { 9, 0x80 } }, true, PKT_SOURCE },
	{ "ICMP in IPv6", ECHO6, 0, { { 6, 1 } }, true, PKT_PROTO },
	{ "no next header", ECHO6, 0, { { 6, 59 } }, true, PKT_PROTO },
	{ "extension longer than packet", ECHO6, 0, { { 6, 60 }, { 41, 9 } }, false, PKT_TRUNCATED },
	{ "routing header with a detour", ECHO6, 0, { { 6, 43 }, { 40, 58 }, { 43, 1 } }, false,
	    PKT_MALFORMED },
	{ "fragment header cut", ECHO6, 46, { { 6, 44 }, { 5, 6 } }, false, PKT_TRUNCATED },
};

START_TEST(bad_packet_is_told_apart)
{
	uint8_t p[128] = { 0 };
	size_t len = bad[_i].len != 0 ? bad[_i].len : bases[bad[_i].base].len;
	enum pkt_verdict v;
	struct pkt k;

	memcpy(p, bases[bad[_i].base].p, bases[bad[_i].base].len);
	seal(p, bases[bad[_i].base].len);
	for (size_t i = 0; i < 4 && (bad[_i].set[i].at != 0 || bad[_i].set[i].value != 0); i++)
		p[bad[_i].set[i].at] = bad[_i].set[i].value;
	if (bad[_i].seal)
		seal(p, len);
	v = ip_parse(p, len, false, &k);
	ck_assert_msg(v == bad[_i].verdict, "%s: %s, not %s", bad[_i].what, pkt_verdict_name(v),
	    pkt_verdict_name(bad[_i].verdict));
}
END_TEST

START_TEST(zero_udp_checksum_is_for_ipv4_only)
{
	uint8_t p[sizeof(udp4)], q[60] = { 0 };
	struct addr a, b;
	struct pkt k;
	struct wr w = wr_over(q, sizeof(q));

	memcpy(p, udp4, sizeof(p));
	seal(p, sizeof(p));
	p[26] = p[27] = 0;
	ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);
	ck_assert(addr_parse("2001:db8::1", 7, &a) && addr_parse("2001:db8::2", 9, &b));
	ip_put(&w, &(struct ip_head){ .src = &a, .dst = &b, .proto = PROTO_UDP }, 20);
	ip_put_udp(&w, &(struct ip_head){ .src = &a, .dst = &b }, 12, 0);
	ck_assert_int_eq(ip_parse(q, sizeof(q), false, &k), PKT_CHECKSUM);
	ck_assert_int_eq(ip_parse(q, sizeof(q), true, &k), PKT_OK);
}
END_TEST

/* Every shorter length of a good packet is refused, and none is read past. */
START_TEST(cut_packet_is_never_good)
{
	uint8_t p[128];

	memcpy(p, bases[_i].p, bases[_i].len);
	seal(p, bases[_i].len);
	for (size_t len = 0; len < bases[_i].len; len++) {
		uint8_t *exact = malloc(len + !len);
		struct pkt k;

		memcpy(exact, p, len);
		ck_assert_int_ne(ip_parse(exact, len, false, &k), PKT_OK);
		free(exact);
	}
}
END_TEST

/* ---- extension headers ---- */

static size_t
chain6(uint8_t *p, const uint8_t *kinds, size_t n)
{
	size_t at = IP6_HEADER;

	memcpy(p, echo6, IP6_HEADER);
	p[6] = n > 0 ? kinds[0] : 58;
	for (size_t i = 0; i < n; i++, at += 8) {
		memset(p + at, 0, 8);
		p[at] = i + 1 < n ? kinds[i + 1] : 58;
	}
	memcpy(p + at, echo6 + IP6_HEADER, 12);
	p[5] = (uint8_t)(at - IP6_HEADER + 12);
	seal(p, at + 12);
	return at + 12;
}

static const struct {
	uint8_t		 kinds[10];
	size_t		 n;
	enum pkt_verdict verdict;
} chains[] = {
	{ { 0 }, 1, PKT_OK },
	{ { 60 }, 1, PKT_OK },
	{ { 43 }, 1, PKT_OK },
	{ { 44 }, 1, PKT_OK },			/* atomic fragment */
	{ { 0, 60, 43, 60 }, 4, PKT_OK },
	{ { 60, 60, 60, 60, 60, 60, 60, 60 }, 8, PKT_OK },
	{ { 60, 60, 60, 60, 60, 60, 60, 60, 60 }, 9, PKT_HEADERS },
	{ { 60, 0 }, 2, PKT_MALFORMED },
	{ { 51 }, 1, PKT_PROTO },
};

START_TEST(extension_headers_are_followed_within_a_bound)
{
	uint8_t p[256];
	size_t len = chain6(p, chains[_i].kinds, chains[_i].n);
	struct pkt k;

	ck_assert_int_eq(ip_parse(p, len, false, &k), chains[_i].verdict);
	if (chains[_i].verdict == PKT_OK) {
		ck_assert_uint_eq(k.l4_off, IP6_HEADER + chains[_i].n * 8);
		ck_assert_uint_eq(k.src.port, 0x1234);
	}
}
END_TEST

/* ---- building ---- */

static const char *const sides[][2] = {
	{ "192.0.0.2:1000", "203.0.113.10:2000" },
	{ "[2001:2:0:cf::2]:1000", "[2001:db8::1]:2000" },
};

START_TEST(what_is_built_parses)
{
	struct addr a, b;
	uint8_t p[128], options[4] = { 2, 4, 5, 0xb4 };
	size_t n;
	struct wr w = wr_over(p, sizeof(p));
	struct ip_head h = { .src = &a, .dst = &b, .proto = PROTO_TCP, .tclass = 2,
	    .hop_limit = 9, .id = 77 };
	struct tcp_head t = { .seq = 0x01020304, .ack = 5, .flags = 0x12, .window = 1000,
	    .options = options, .optlen = 4 };
	struct pkt k;

	ck_assert(addr_parse(sides[_i][0], 0, &a) && addr_parse(sides[_i][1], 0, &b));
	n = ip_put(&w, &h, 24 + 3);
	ck_assert_uint_eq(ip_put_tcp(&w, &h, &t, 0), 24);
	wr_bytes(&w, "abc", 3);
	ck_assert(!w.bad);
	ip_finish(&h, p + n, 27, 16);
	ck_assert_int_eq(ip_parse(p, n + 27, false, &k), PKT_OK);
	ck_assert(addr_equal(&k.src, &a) && addr_equal(&k.dst, &b));
	ck_assert_uint_eq(k.hop_limit, 9);
	ck_assert_uint_eq(k.tclass, 2);
	ck_assert_mem_eq(pkt_payload(&k), "abc", 3);
}
END_TEST

/* What NEEDS_CSUM expects: the field holds the pseudo header's sum, and the kernel adds the rest. */
START_TEST(pseudo_sum_completes_to_the_full_checksum)
{
	struct addr a, b;
	uint8_t p[100];
	struct wr w = wr_over(p, sizeof(p));
	struct ip_head h = { .src = &a, .dst = &b, .proto = PROTO_UDP };
	size_t n;
	uint16_t c;
	struct pkt k;

	ck_assert(addr_parse(sides[_i][0], 0, &a) && addr_parse(sides[_i][1], 0, &b));
	n = ip_put(&w, &h, 8 + 5);
	ip_put_udp(&w, &h, 5, ip_pseudo(&a, &b, PROTO_UDP, 13));
	wr_bytes(&w, "hello", 5);
	c = ip_checksum(p + n, 13, 0);		/* as skb_checksum_help does it */
	p[n + 6] = (uint8_t)(c >> 8);
	p[n + 7] = (uint8_t)c;
	ck_assert_int_eq(ip_parse(p, n + 13, false, &k), PKT_OK);
}
END_TEST

START_TEST(too_long_for_a_header_is_refused)
{
	struct addr a, b;
	uint8_t p[64];
	struct wr w = wr_over(p, sizeof(p));

	ck_assert(addr_parse("192.0.0.2", 0, &a) && addr_parse("192.0.2.1", 0, &b));
	ip_put(&w, &(struct ip_head){ .src = &a, .dst = &b, .proto = PROTO_UDP }, 65516);
	ck_assert(w.bad);
}
END_TEST

/* ---- ICMP errors ---- */

static const struct {
	int	err;
	uint8_t	type4, code4, type6, code6;
} errors[] = {
	{ ECONNREFUSED, 3, 3, 1, 4 },
	{ EHOSTUNREACH, 3, 1, 1, 3 },
	{ ENETUNREACH, 3, 0, 1, 0 },
	{ EACCES, 3, 13, 1, 1 },
	{ EMSGSIZE, 3, 4, 2, 0 },
};

START_TEST(errno_has_an_icmp_error)
{
	struct icmp_error e;

	ck_assert(icmp_error_of(errors[_i].err, 4, 1400, &e));
	ck_assert(e.type == errors[_i].type4 && e.code == errors[_i].code4);
	ck_assert_uint_eq(e.info, errors[_i].err == EMSGSIZE ? 1400 : 0);
	ck_assert(icmp_error_of(errors[_i].err, 6, 1400, &e));
	ck_assert(e.type == errors[_i].type6 && e.code == errors[_i].code6);
	ck_assert(!icmp_error_of(ETIMEDOUT, 4, 0, &e));
}
END_TEST

START_TEST(error_quotes_the_packet)
{
	uint8_t p[sizeof(udp4)], out[ICMP_ERROR_MAX];
	struct icmp_error e = { .type = 3, .code = 4, .info = 1400 };
	struct addr from;
	struct pkt k, err;
	size_t n;

	memcpy(p, udp4, sizeof(p));
	seal(p, sizeof(p));
	ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);
	ck_assert(addr_parse("198.51.100.1", 0, &from));
	n = icmp_error_build(out, &e, &from, &k);
	ck_assert_uint_eq(n, 28 + sizeof(p));
	ck_assert_int_eq(ip_parse(out, n, false, &err), PKT_OK);
	ck_assert(err.icmp_type == 3 && err.icmp_code == 4);
	ck_assert_mem_eq(err.dst.ip, k.src.ip, 4);
	ck_assert_mem_eq(err.src.ip, from.ip, 4);
	ck_assert_uint_eq(out[26] << 8 | out[27], 1400);	/* next-hop MTU: RFC 1191 4 */
	ck_assert_mem_eq(out + 28, p, sizeof(p));
}
END_TEST

/* The quote of a packet with an unfinished checksum has the finished one. */
START_TEST(quote_has_a_whole_checksum)
{
	uint8_t p[sizeof(udp4)], half[sizeof(udp4)], out[ICMP_ERROR_MAX];
	struct icmp_error e = { .type = 3, .code = 3 };
	struct addr from;
	struct pkt k;

	memcpy(p, udp4, sizeof(p));
	seal(p, sizeof(p));
	memcpy(half, p, sizeof(p));
	half[26] = 0xab;
	half[27] = 0xcd;
	ck_assert_int_eq(ip_parse(half, sizeof(half), true, &k), PKT_OK);
	ck_assert(addr_parse("198.51.100.1", 0, &from));
	ck_assert_uint_gt(icmp_error_build(out, &e, &from, &k), 0);
	ck_assert_mem_eq(out + 28, p, sizeof(p));
}
END_TEST

START_TEST(error_stays_within_its_size)
{
	static const size_t most[] = { 576, 1280 };
	uint8_t p[3000] = { 0 }, out[ICMP_ERROR_MAX];
	struct icmp_error e = { .type = 1, .code = 1 };
	struct addr a, b;
	struct wr w = wr_over(p, sizeof(p));
	struct pkt k, err;
	size_t n, len;

	ck_assert(addr_parse(sides[_i][0], 0, &a) && addr_parse(sides[_i][1], 0, &b));
	e.type = _i == 0 ? 3 : 1;
	n = ip_put(&w, &(struct ip_head){ .src = &a, .dst = &b, .proto = PROTO_UDP }, 2008);
	ip_put_udp(&w, &(struct ip_head){ .src = &a, .dst = &b }, 2000, 0);
	ck_assert_int_eq(ip_parse(p, n + 2008, true, &k), PKT_OK);
	len = icmp_error_build(out, &e, &b, &k);
	ck_assert_uint_eq(len, most[_i]);
	ck_assert_int_eq(ip_parse(out, len, false, &err), PKT_OK);
}
END_TEST

START_TEST(no_error_about_an_error)
{
	static const struct { uint8_t type; bool told; } types[] = {
		{ 8, true }, { 13, true }, { 0, false }, { 3, false }, { 11, false }, { 5, false },
	};
	uint8_t p[32], out[ICMP_ERROR_MAX];
	struct icmp_error e = { .type = 3, .code = 1 };
	struct addr from;
	struct pkt k;

	ck_assert(addr_parse("198.51.100.1", 0, &from));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		memset(p, 0, sizeof(p));
		memcpy(p, udp4, 20);
		p[9] = PROTO_ICMP;
		p[3] = sizeof(p);
		p[20] = types[i].type;
		seal(p, sizeof(p));
		ck_assert_int_eq(ip_parse(p, sizeof(p), false, &k), PKT_OK);
		ck_assert_int_eq(icmp_error_build(out, &e, &from, &k) > 0, types[i].told);
	}
}
END_TEST

START_TEST(error_is_made_again_from_what_is_left)
{
	uint8_t out[ICMP_ERROR_MAX], l4[8] = { 0x9c, 0x40, 0x1f, 0x90, 0, 100, 0x12, 0x34 };
	struct icmp_error e = { .type = 11, .code = 0, .hop_limit = 61 };
	struct addr a, b, from;
	struct pkt err, quoted;
	size_t n;

	ck_assert(addr_parse("192.0.0.2:40000", 0, &a) && addr_parse("203.0.113.10:8080", 0, &b) &&
	    addr_parse("198.51.100.1", 0, &from));
	n = icmp_error_rebuild(out, &e, &from, &(struct ip_head){ .src = &a, .dst = &b,
	    .proto = PROTO_UDP, .hop_limit = 1 }, 100, l4, sizeof(l4));
	ck_assert_uint_eq(n, 28 + 28);
	ck_assert_int_eq(ip_parse(out, n, false, &err), PKT_OK);
	ck_assert_uint_eq(err.hop_limit, 61);
	ck_assert_uint_eq(out[28 + 2] << 8 | out[28 + 3], 120);	/* as long as it was */
	ck_assert_uint_eq(out[28 + 8], 1);
	ck_assert_uint_eq(ip_checksum(out + 28, 20, 0), 0);
	ck_assert_int_eq(ip_parse(out + 28, n - 28, true, &quoted), PKT_TRUNCATED);
	ck_assert_mem_eq(out + 48, l4, sizeof(l4));
}
END_TEST

#define N(a)	((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *s = suite_create("ip");
	TCase *tc = tcase_create("ip");
	SRunner *r;
	int failed;

	tcase_add_test(tc, sum_is_that_of_rfc1071);
	tcase_add_test(tc, sum_may_be_taken_in_pieces);
	tcase_add_test(tc, ipv4_header_checksum_is_right);
	tcase_add_test(tc, udp4_is_taken_apart);
	tcase_add_test(tc, tcp4_options_are_not_payload);
	tcase_add_test(tc, echo6_identifier_is_the_source_port);
	tcase_add_loop_test(tc, bad_packet_is_told_apart, 0, N(bad));
	tcase_add_test(tc, zero_udp_checksum_is_for_ipv4_only);
	tcase_add_loop_test(tc, cut_packet_is_never_good, 0, N(bases));
	tcase_add_loop_test(tc, extension_headers_are_followed_within_a_bound, 0, N(chains));
	tcase_add_loop_test(tc, what_is_built_parses, 0, N(sides));
	tcase_add_loop_test(tc, pseudo_sum_completes_to_the_full_checksum, 0, N(sides));
	tcase_add_test(tc, too_long_for_a_header_is_refused);
	tcase_add_loop_test(tc, errno_has_an_icmp_error, 0, N(errors));
	tcase_add_test(tc, error_quotes_the_packet);
	tcase_add_test(tc, quote_has_a_whole_checksum);
	tcase_add_loop_test(tc, error_stays_within_its_size, 0, N(sides));
	tcase_add_test(tc, no_error_about_an_error);
	tcase_add_test(tc, error_is_made_again_from_what_is_left);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

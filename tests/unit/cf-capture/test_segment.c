/*
 * test_segment.c - an offloaded packet in pieces: each is a packet that a wire could carry, and
 * together they are what was there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <netinet/in.h>
#include <string.h>

#include "capture.h"

#define SEGMENT	1448

static uint8_t	packet[65535], payload[65535];
static size_t	n_pieces, n_payload;
static struct { uint8_t bytes[2048]; size_t len; } piece[64];

static uint32_t
word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
half(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* The one's complement sum over bytes, done the slow way. */
static uint32_t
sum(uint32_t from, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		from += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (from > 0xffff)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static void
on_piece(void *arg, const uint8_t *p, size_t len)
{
	ck_assert_ptr_eq(arg, piece);
	ck_assert_uint_lt(n_pieces, COUNT(piece));
	ck_assert_uint_le(len, sizeof(piece[0].bytes));
	memcpy(piece[n_pieces].bytes, p, len);
	piece[n_pieces++].len = len;
}

/* A packet of `len` bytes of payload; options: bytes of TCP options. */
static size_t
build(int version, uint8_t proto, size_t options, size_t len)
{
	size_t ip = version == 4 ? 20 : 40, head = ip + (proto == IPPROTO_TCP ? 20 + options : 8);

	memset(packet, 0, head);
	packet[0] = (uint8_t)(version << 4 | (version == 4 ? 5 : 0));
	packet[version == 4 ? 9 : 6] = proto;
	if (version == 4)
		packet[5] = 7;			/* identification */
	memset(packet + (version == 4 ? 12 : 8), 0xc0, version == 4 ? 8 : 32);
	packet[ip + 1] = 80;
	if (proto == IPPROTO_TCP) {
		memcpy(packet + ip + 4, "\xff\xff\xff\x00", 4);	/* it wraps on the way */
		packet[ip + 12] = (uint8_t)((20 + options) / 4 << 4);
		packet[ip + 13] = 0x99;			/* CWR, ACK, PSH, FIN */
	}
	for (size_t i = 0; i < len; i++)
		packet[head + i] = (uint8_t)(i * 7 + i / 256);
	n_pieces = n_payload = 0;
	return head + len;
}

static void
piece_is_right(size_t i, int version, uint8_t proto, size_t head, size_t whole)
{
	const uint8_t *p = piece[i].bytes, *t;
	size_t len = piece[i].len, ip = version == 4 ? 20 : 40;
	uint32_t pseudo = sum((uint32_t)(proto + len - ip), p + (version == 4 ? 12 : 8),
	    version == 4 ? 8 : 32);

	t = p + ip;
	ck_assert_uint_eq(half(p + (version == 4 ? 2 : 4)), version == 4 ? len : len - ip);
	if (version == 4) {
		ck_assert_uint_eq(half(p + 4), 7 + i);
		ck_assert_uint_eq(sum(0, p, 20), 0xffff);
	}
	ck_assert_uint_eq(sum(pseudo, t, len - ip), 0xffff);
	if (proto == IPPROTO_TCP) {
		ck_assert_uint_eq(word(t + 4), 0xffffff00u + (uint32_t)n_payload);
		ck_assert_uint_eq(t[13] & 0x80, i == 0 ? 0x80 : 0);
		ck_assert_uint_eq(t[13] & 0x09, i + 1 == n_pieces ? 9 : 0);
		ck_assert_uint_eq(t[13] & 0x10, 0x10);
	} else {
		ck_assert_uint_eq(half(t + 4), len - ip);
	}
	memcpy(payload + n_payload, p + head, len - head);
	n_payload += len - head;
	ck_assert_uint_le(n_payload, whole);
}

static const struct { int version; uint8_t proto; size_t options, len; } packets[] = {
	{ 4, IPPROTO_TCP, 12, 10000 }, { 6, IPPROTO_TCP, 0, 14480 }, { 4, IPPROTO_TCP, 40, 1449 },
	{ 4, IPPROTO_TCP, 0, 1448 }, { 6, IPPROTO_TCP, 12, 1 }, { 4, IPPROTO_UDP, 0, 65507 - 10000 },
	{ 6, IPPROTO_UDP, 0, 2897 },
};

START_TEST(pieces_are_packets_and_all_of_it)
{
	int version = packets[_i].version;
	uint8_t proto = packets[_i].proto;
	size_t len = build(version, proto, packets[_i].options, packets[_i].len);
	size_t head = len - packets[_i].len;

	ck_assert(segment_cut(packet, len, SEGMENT, on_piece, piece));
	ck_assert_uint_eq(n_pieces, (packets[_i].len + SEGMENT - 1) / SEGMENT);
	for (size_t i = 0; i < n_pieces; i++)
		piece_is_right(i, version, proto, head, packets[_i].len);
	ck_assert_uint_eq(n_payload, packets[_i].len);
	ck_assert_mem_eq(payload, packet + head, n_payload);
}
END_TEST

START_TEST(what_cannot_be_cut_stays_whole)
{
	size_t len = build(4, IPPROTO_TCP, 0, 3000);

	ck_assert(!segment_cut(packet, len, 0, on_piece, piece));
	for (size_t n = 0; n <= 40; n++)
		ck_assert(!segment_cut(packet, n, SEGMENT, on_piece, piece));
	packet[6] = 0x20;			/* more fragments */
	ck_assert(!segment_cut(packet, len, SEGMENT, on_piece, piece));
	packet[6] = 0;
	packet[32] = 0x10;			/* a TCP header of 4 bytes */
	ck_assert(!segment_cut(packet, len, SEGMENT, on_piece, piece));
	packet[9] = IPPROTO_ICMP;
	ck_assert(!segment_cut(packet, len, SEGMENT, on_piece, piece));
	packet[0] = 0x75;
	ck_assert(!segment_cut(packet, len, SEGMENT, on_piece, piece));
	ck_assert_uint_eq(n_pieces, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("segment");

	tcase_add_loop_test(tc, pieces_are_packets_and_all_of_it, 0, COUNT(packets));
	tcase_add_test(tc, what_cannot_be_cut_stays_whole);
	return unit_run("segment", tc);
}

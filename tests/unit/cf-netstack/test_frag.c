/*
 * test_frag.c - pieces of packets, together and apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frag.h"

#define PAYLOAD	4000

static struct frags *f;

static void
setup(void)
{
	ck_assert_ptr_nonnull(f = frags_new());
}

static void
teardown(void)
{
	frags_free(f);
}

/* A UDP packet of PAYLOAD bytes and its checksum. */
static size_t
whole(uint8_t *p, uint8_t family, size_t payload)
{
	struct addr a, b;
	struct wr w = wr_over(p, 70000);
	struct ip_head h = { .src = &a, .dst = &b, .proto = PROTO_UDP, .id = 7 };
	size_t n;

	ck_assert(addr_parse(family == 4 ? "192.0.0.2:1" : "[2001:2:0:cf::2]:1", 0, &a));
	ck_assert(addr_parse(family == 4 ? "192.0.2.9:2" : "[2001:db8::9]:2", 0, &b));
	n = ip_put(&w, &h, UDP_HEADER + payload);
	ip_put_udp(&w, &h, payload, 0);
	for (size_t i = 0; i < payload; i++)
		wr_u8(&w, (uint8_t)(i * 7 + i / 251));
	ck_assert(!w.bad);
	ip_finish(&h, p + n, UDP_HEADER + payload, 6);
	return n + UDP_HEADER + payload;
}

struct piece {
	uint8_t	p[1500];
	size_t	len;
};

static size_t
cut(struct piece *out, const uint8_t *p, size_t len, size_t mtu, uint32_t id)
{
	struct frag_cut c = { .packet = p, .len = len, .mtu = mtu, .id = id };
	size_t n = 0;

	while ((out[n].len = frag_cut_next(&c, out[n].p)) > 0)
		n++;
	return n;
}

static bool
give(const struct piece *piece, uint64_t now, const uint8_t **out, size_t *len)
{
	struct pkt k;

	ck_assert_int_eq(ip_parse(piece->p, piece->len, false, &k), PKT_OK);
	ck_assert(k.frag);
	return frags_add(f, &k, now, out, len);
}

static const struct {
	uint8_t	family;
	uint8_t	order[4];	/* of four pieces */
	bool	twice;		/* each comes twice */
} orders[] = {
	{ 4, { 0, 1, 2, 3 }, false }, { 6, { 0, 1, 2, 3 }, false },
	{ 4, { 3, 2, 1, 0 }, false }, { 6, { 3, 2, 1, 0 }, false },
	{ 4, { 2, 0, 3, 1 }, false }, { 6, { 2, 0, 3, 1 }, false },
	{ 4, { 1, 3, 0, 2 }, true }, { 6, { 1, 3, 0, 2 }, true },
};

START_TEST(pieces_in_any_order_make_the_packet)
{
	static uint8_t p[70000];
	struct piece pieces[8];
	size_t len = whole(p, orders[_i].family, PAYLOAD), n = cut(pieces, p, len, 1280, 7), got;
	const uint8_t *out;
	struct pkt k;
	bool done = false;

	ck_assert_uint_eq(n, 4);
	for (size_t i = 0; i < n; i++) {
		ck_assert(!done);
		if (orders[_i].twice && i + 1 < n)
			ck_assert(!give(&pieces[orders[_i].order[i]], 0, &out, &got));
		done = give(&pieces[orders[_i].order[i]], 0, &out, &got);
	}
	ck_assert(done);
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(out, p, len);
	ck_assert_int_eq(ip_parse(out, got, false, &k), PKT_OK);
	ck_assert(!k.frag);
	ck_assert_uint_eq(frags_count(f), 0);
}
END_TEST

START_TEST(longest_packet_survives)
{
	static uint8_t p[70000];
	static struct piece pieces[64];
	size_t payload = _i == 4 ? 65507 : 65527, len = whole(p, (uint8_t)_i, payload), got = 0;
	size_t n = cut(pieces, p, len, 1500, 7);
	const uint8_t *out = NULL;

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(give(&pieces[i], 0, &out, &got), i + 1 == n);
	ck_assert_uint_eq(got, len);
	ck_assert_mem_eq(out, p, len);
}
END_TEST

/* Pieces of one made-up IPv4 packet: offset and length in bytes, more, a byte to fill with. */
struct made {
	uint16_t off, len;
	bool	 more;
	uint8_t	 fill;
};

static void
make(struct piece *out, const struct made *m)
{
	struct addr a, b;
	struct wr w = wr_over(out->p, sizeof(out->p));
	uint16_t c;

	ck_assert(addr_parse("192.0.0.2", 0, &a) && addr_parse("192.0.2.9", 0, &b));
	out->len = ip_put(&w, &(struct ip_head){ .src = &a, .dst = &b, .proto = PROTO_UDP,
	    .id = 9 }, m->len) + m->len;
	memset(w.p, m->fill, m->len);
	out->p[6] = (uint8_t)((m->more ? 0x20 : 0) | m->off / 8 >> 8);
	out->p[7] = (uint8_t)(m->off / 8);
	out->p[10] = out->p[11] = 0;
	c = ip_checksum(out->p, IP4_HEADER, 0);
	out->p[10] = (uint8_t)(c >> 8);
	out->p[11] = (uint8_t)c;
}

static const struct {
	const char	*what;
	struct made	 m[5];		/* len 0 ends */
	bool		 whole;		/* after the last of them */
} overlaps[] = {
	{ "no overlap", { { 0, 16, true, 1 }, { 16, 8, false, 2 } }, true },
	{ "a copy", { { 0, 16, true, 1 }, { 0, 16, true, 1 }, { 16, 8, false, 2 } }, true },
	{ "a copy with another content", { { 0, 16, true, 1 }, { 0, 16, true, 9 },
	    { 16, 8, false, 2 } }, false },
	{ "part of it again", { { 0, 16, true, 1 }, { 8, 16, true, 1 }, { 24, 8, false, 2 },
	    { 16, 8, true, 1 } }, false },
	{ "teardrop", { { 0, 32, true, 1 }, { 24, 4, false, 2 } }, false },
	{ "around what has come", { { 8, 8, true, 1 }, { 0, 24, true, 1 }, { 24, 8, false, 2 } },
	    false },
	{ "two ends", { { 16, 8, false, 1 }, { 24, 8, false, 1 }, { 0, 16, true, 1 } }, false },
	{ "behind the end", { { 16, 8, false, 1 }, { 32, 8, true, 1 }, { 0, 16, true, 1 } }, false },
	{ "the end before what has come", { { 32, 8, true, 1 }, { 16, 8, false, 1 },
	    { 0, 16, true, 1 } }, false },
	{ "late piece of a void packet", { { 0, 16, true, 1 }, { 8, 16, true, 1 },
	    { 0, 16, true, 1 }, { 16, 8, false, 1 } }, false },
	{ "odd end", { { 8, 5, false, 1 }, { 0, 8, true, 1 } }, true },
	{ "hole left", { { 0, 8, true, 1 }, { 16, 8, false, 1 } }, false },
};

START_TEST(overlap_voids_the_packet)
{
	struct piece piece;
	const uint8_t *out;
	size_t len;
	bool done = false;

	for (size_t i = 0; i < 5 && overlaps[_i].m[i].len != 0; i++) {
		make(&piece, &overlaps[_i].m[i]);
		done = give(&piece, 0, &out, &len);
	}
	ck_assert_msg(done == overlaps[_i].whole, "%s", overlaps[_i].what);
}
END_TEST

START_TEST(what_waits_is_bounded_in_number)
{
	static uint8_t p[70000];
	struct piece pieces[8];
	size_t len = whole(p, 6, PAYLOAD), got;
	const uint8_t *out;

	for (uint32_t id = 0; id < FRAG_PACKETS * 3; id++) {
		cut(pieces, p, len, 1280, id);
		ck_assert(!give(&pieces[0], id, &out, &got));
		ck_assert_uint_le(frags_count(f), FRAG_PACKETS);
	}
	/* The newest is there, the oldest has been driven out. */
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_eq(give(&pieces[i], 100, &out, &got), i == 3);
	cut(pieces, p, len, 1280, 0);
	for (size_t i = 1; i < 4; i++)
		ck_assert(!give(&pieces[i], 100, &out, &got));
}
END_TEST

START_TEST(what_waits_is_bounded_in_time)
{
	static uint8_t p[70000];
	struct piece pieces[8];
	size_t len = whole(p, 4, PAYLOAD), got;
	const uint8_t *out;

	cut(pieces, p, len, 1280, 7);
	for (size_t i = 0; i < 3; i++)
		ck_assert(!give(&pieces[i], 1000, &out, &got));
	ck_assert_uint_eq(frags_expire(f, 1001), 1000 + FRAG_TIME_MS);
	ck_assert_uint_eq(frags_count(f), 1);
	ck_assert(!give(&pieces[3], 1000 + FRAG_TIME_MS, &out, &got));
	ck_assert_uint_eq(frags_count(f), 1);		/* a new one, of which only the end is there */
	ck_assert_uint_eq(frags_expire(f, 1000 + 3 * FRAG_TIME_MS), 0);
	ck_assert_uint_eq(frags_count(f), 0);
}
END_TEST

START_TEST(pieces_fit_the_mtu_and_lie_on_units)
{
	static uint8_t p[70000];
	static struct piece pieces[64];
	size_t len = whole(p, (uint8_t)_i, 10000), n = cut(pieces, p, len, 1500, 0xabcd);

	for (size_t i = 0; i < n; i++) {
		struct pkt k;

		ck_assert_uint_le(pieces[i].len, 1500);
		ck_assert_int_eq(ip_parse(pieces[i].p, pieces[i].len, false, &k), PKT_OK);
		ck_assert(k.frag);
		ck_assert_uint_eq(k.frag_id, 0xabcd);
		ck_assert_uint_eq(k.proto, PROTO_UDP);
		ck_assert_int_eq(k.more, i + 1 < n);
	}
}
END_TEST

#define N(a)	((int)(sizeof(a) / sizeof((a)[0])))

int
main(void)
{
	Suite *s = suite_create("frag");
	TCase *tc = tcase_create("frag");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, pieces_in_any_order_make_the_packet, 0, N(orders));
	for (int family = 4; family <= 6; family += 2) {
		tcase_add_loop_test(tc, longest_packet_survives, family, family + 1);
		tcase_add_loop_test(tc, pieces_fit_the_mtu_and_lie_on_units, family, family + 1);
	}
	tcase_add_loop_test(tc, overlap_voids_the_packet, 0, N(overlaps));
	tcase_add_test(tc, what_waits_is_bounded_in_number);
	tcase_add_test(tc, what_waits_is_bounded_in_time);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

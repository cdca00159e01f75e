/*
 * test_tuple.c - flows of packets, and packets with another address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "tuple.h"

#define CHILD	192, 0, 0, 2
#define THERE	203, 0, 113, 10

/* Sums are those that tshark calls correct. */
static const uint8_t udp[] = {
	0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0x8e, 0xaf, CHILD, THERE,
	0x30, 0x39, 0x00, 0x07, 0, 12, 0, 0, 't', 'e', 's', 't'
};
static const uint8_t echo[] = {
	0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, CHILD, THERE, 8, 0, 0, 0, 0x12, 0x34, 0, 1
};
static const uint8_t tcp6[] = {
	0x60, 0, 0, 0, 0, 20, 6, 64,
	0x20, 1, 0, 2, 0, 0, 0, 0xcf, 0, 0, 0, 0, 0, 0, 0, 2,
	0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0
};

static uint32_t
sum_of(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += (uint32_t)p[i] << (i % 2 == 0 ? 8 : 0);
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* Puts the right sums in; then says whether they are right. */
static bool
sums(uint8_t *p, size_t len, bool put)
{
	size_t ip = p[0] >> 4 == 4 ? 20 : 40;
	uint8_t proto = p[0] >> 4 == 4 ? p[9] : p[6];
	uint8_t *at = p + ip + (proto == 6 ? 16 : proto == 17 ? 6 : 2);
	uint32_t pseudo = proto == 1 ? 0 : sum_of(p + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32,
	    proto + (uint32_t)(len - ip)), s;

	if (put) {
		memset(at, 0, 2);
		s = ~sum_of(p + ip, len - ip, pseudo) & 0xffff;
		at[0] = (uint8_t)(s >> 8);
		at[1] = (uint8_t)s;
		if (ip == 20) {
			memset(p + 10, 0, 2);
			s = ~sum_of(p, 20, 0) & 0xffff;
			p[10] = (uint8_t)(s >> 8);
			p[11] = (uint8_t)s;
		}
	}
	return sum_of(p + ip, len - ip, pseudo) == 0xffff && (ip == 40 || sum_of(p, 20, 0) == 0xffff);
}

static const struct { const uint8_t *packet; size_t len; uint16_t src, dst; } packets[] = {
	{ udp, sizeof(udp), 12345, 7 },
	{ echo, sizeof(echo), 0x1234, 0 },
	{ tcp6, sizeof(tcp6), 12345, 80 },
};

START_TEST(flow_is_found_and_its_address_replaced)
{
	const size_t len = packets[_i].len;
	uint8_t p[128];
	struct tuple t, in;
	struct addr to = { .family = packets[_i].packet[0] >> 4, .port = 54321, .ip = { 9, 8, 7, 6 } };

	memcpy(p, packets[_i].packet, len);
	ck_assert(sums(p, len, true));
	ck_assert(tuple_of(p, len, true, &t));
	ck_assert_uint_eq(t.src.port, packets[_i].src);
	ck_assert_uint_eq(t.dst.port, packets[_i].dst);
	ck_assert(tuple_rewrite(p, len, true, &to, true));
	ck_assert(sums(p, len, false));
	ck_assert(tuple_of(p, len, true, &in));
	ck_assert(addr_equal(&in.src, &to));
	ck_assert(addr_equal(&in.dst, &t.dst));
	ck_assert(tuple_rewrite(p, len, true, &t.src, true));
	ck_assert(tuple_of(p, len, true, &in));
	ck_assert(tuple_equal(&in, &t));
	for (size_t cut = 0; cut < len; cut++) {	/* whatever is there is all that is looked at */
		uint8_t *some = malloc(cut > 0 ? cut : 1);

		memcpy(some, p, cut);
		(void)tuple_of(some, cut, true, &in);
		(void)tuple_rewrite(some, cut, true, &to, true);
		free(some);
	}
}
END_TEST

/* "Port unreachable" about each of them. */
START_TEST(error_is_of_the_flow_that_it_is_about)
{
	const size_t inner = packets[_i].len;
	uint8_t p[192] = { 0x45, [8] = 64, 1, 0, 0, THERE, CHILD, 3, 3 };
	struct addr to = { .family = 4, .port = 54321, .ip = { 9, 8, 7, 6 } };
	struct tuple t, about;

	if (packets[_i].packet[0] >> 4 != 4)
		return;
	memcpy(p + 28, packets[_i].packet, inner);
	sums(p + 28, inner, true);
	ck_assert(sums(p, 28 + inner, true));
	ck_assert(tuple_of(packets[_i].packet, inner, true, &about));
	ck_assert(tuple_of(p, 28 + inner, false, &t));
	ck_assert(tuple_equal(&t, &about));
	ck_assert(tuple_rewrite(p, 28 + inner, false, &to, true));
	ck_assert(sums(p, 28 + inner, false));
	ck_assert(sums(p + 28, inner, false));
	ck_assert(tuple_of(p, 28 + inner, false, &t));
	ck_assert(addr_equal(&t.src, &to));
}
END_TEST

START_TEST(what_has_no_flow_has_none)
{
	uint8_t p[sizeof(udp)];
	struct addr other = { .family = 6 };
	struct tuple t;

	memcpy(p, udp, sizeof(p));
	ck_assert(!tuple_rewrite(p, sizeof(p), true, &other, true));
	p[7] = 1;			/* a later fragment */
	ck_assert(!tuple_of(p, sizeof(p), true, &t));
	memcpy(p, udp, sizeof(p));
	p[9] = 47;
	ck_assert(!tuple_of(p, sizeof(p), true, &t));
	ck_assert(!tuple_of(p, 0, true, &t));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("tuple");

	tcase_add_loop_test(tc, flow_is_found_and_its_address_replaced, 0, COUNT(packets));
	tcase_add_loop_test(tc, error_is_of_the_flow_that_it_is_about, 0, COUNT(packets));
	tcase_add_test(tc, what_has_no_flow_has_none);
	return unit_run("tuple", tc);
}

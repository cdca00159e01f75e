/*
 * test_share.c - nobody is starved, and nobody is served who is no client.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdio.h>

#include "share.h"

#define QUERIES		1024
#define CONNS		256

static struct shares	s;

static struct addr
client(unsigned n)
{
	return (struct addr){ .family = 4, .port = (uint16_t)(1024 + n),
	    .ip = { 192, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

/* As much as it gets, and one of it for giving back. */
static size_t
grab(unsigned n, enum share_kind kind, struct share **one)
{
	struct addr a = client(n);
	struct share *sh;
	size_t got = 0;

	while ((sh = share_take(&s, &a, kind)) != NULL) {
		ck_assert(*one == NULL || *one == sh);
		*one = sh;
		got++;
		a.port++;		/* many ports are still one client */
	}
	return got;
}

static size_t
clients_known(void)
{
	struct share *sh;
	size_t n = 0;

	for (size_t i = 0; i < SHARE_BUCKETS; i++)
		LIST_FOREACH(sh, &s.bucket[i], link)
			n++;
	return n;
}

START_TEST(who_is_alone_gets_half)
{
	struct share *one = NULL;

	ck_assert(shares_init(&s, QUERIES, CONNS));
	ck_assert_uint_eq(grab(0, SHARE_QUERIES, &one), QUERIES / 2);
	ck_assert_uint_eq(grab(0, SHARE_CONNS, &one), CONNS / 2);
	ck_assert_uint_eq(clients_known(), 1);
}
END_TEST

/* n greedy clients that take turns; then one who comes late gets about as much as each. */
START_TEST(who_comes_late_finds_room)
{
	size_t n = (size_t)_i, has[64] = { 0 }, more = 1;
	struct share *one = NULL;
	struct addr a;

	ck_assert(shares_init(&s, QUERIES, CONNS));
	while (more > 0) {
		more = 0;
		for (size_t i = 0; i < n; i++) {
			a = client((unsigned)i);
			if (share_take(&s, &a, SHARE_QUERIES) == NULL)
				continue;
			has[i]++;
			more++;
		}
	}
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_ge(has[i], QUERIES / (n + 1));
		ck_assert_uint_le(has[i], QUERIES / (n + 1) + 1);
	}
	ck_assert_uint_ge(grab(1000, SHARE_QUERIES, &one), QUERIES / (n + 1) / 2 - 1);
	ck_assert_uint_le(s.total[SHARE_QUERIES], QUERIES);
}
END_TEST

START_TEST(what_is_given_back_is_there_again)
{
	struct share *sh[2] = { NULL, NULL };
	size_t n[2];

	ck_assert(shares_init(&s, QUERIES, CONNS));
	for (int round = 0; round < 3; round++) {
		sh[0] = sh[1] = NULL;
		n[0] = grab(1, SHARE_QUERIES, &sh[0]);
		n[1] = grab(2, SHARE_CONNS, &sh[1]);
		ck_assert_uint_eq(n[0], QUERIES / 2);
		ck_assert_uint_eq(n[1], CONNS / 2);
		for (; n[0] > 0; n[0]--)
			share_give(&s, sh[0], SHARE_QUERIES);
		for (; n[1] > 0; n[1]--)
			share_give(&s, sh[1], SHARE_CONNS);
		ck_assert_uint_eq(clients_known(), 0);
		ck_assert_uint_eq(s.total[SHARE_QUERIES] + s.total[SHARE_CONNS], 0);
	}
}
END_TEST

/* A million addresses, each with one query: the sum is bounded, and so is what is kept. */
START_TEST(many_addresses_are_no_more_than_the_sum)
{
	size_t got = 0;
	struct addr a;

	ck_assert(shares_init(&s, QUERIES, CONNS));
	for (uint32_t i = 0; i < 1000000; i++) {
		a = (struct addr){ .family = 6, .ip = { 0x20, 1, 0xd, 0xb8, [12] = (uint8_t)(i >> 24),
		    (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		got += share_take(&s, &a, SHARE_QUERIES) != NULL;
	}
	ck_assert_uint_eq(got, QUERIES);
	ck_assert_uint_eq(clients_known(), QUERIES);
}
END_TEST

START_TEST(only_the_networks_that_are_named_may_ask)
{
	static const struct { const char *net, *client; bool may; } rows[] = {
		{ "192.168.0.0/16", "192.168.7.9", true },
		{ "192.168.0.0/16", "192.169.0.1", false },
		{ "192.168.1.9", "192.168.1.9", true },
		{ "192.168.1.9", "192.168.1.8", false },
		{ "2001:db8:1::/48", "2001:db8:1:2::3", true },
		{ "2001:db8:1::/48", "2001:db8:2::3", false },
		{ "0.0.0.0/0", "203.0.113.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "203.0.113.1", false },
	};
	struct cidr_tree t;
	struct addr a;
	char why[CLIENTS_WHY];

	for (size_t i = 0; i < COUNT(rows); i++) {
		cidr_init(&t);
		ck_assert_msg(clients_add(&t, rows[i].net, why), "%s: %s", rows[i].net, why);
		ck_assert(clients_add(&t, "198.51.100.0/24", why));
		ck_assert(clients_add(&t, "198.51.100.0/24", why));	/* twice is once */
		ck_assert(addr_parse(rows[i].client, 4711, &a));
		ck_assert_msg(clients_have(&t, &a) == rows[i].may, "%s", rows[i].client);
		cidr_done(&t);
	}
}
END_TEST

START_TEST(a_network_that_is_none_is_refused_with_a_reason)
{
	static const char *const bad[] = { "", "lan", "192.168.0.0/33", "192.168.1.1/16", "1.2.3" };
	struct cidr_tree t;
	char why[CLIENTS_WHY];

	cidr_init(&t);
	for (size_t i = 0; i < COUNT(bad); i++) {
		why[0] = '\0';
		ck_assert_msg(!clients_add(&t, bad[i], why), "%s", bad[i]);
		ck_assert_str_ne(why, "");
	}
	cidr_done(&t);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("share");

	tcase_add_test(tc, who_is_alone_gets_half);
	tcase_add_loop_test(tc, who_comes_late_finds_room, 1, 64);
	tcase_add_test(tc, what_is_given_back_is_there_again);
	tcase_add_test(tc, many_addresses_are_no_more_than_the_sum);
	tcase_add_test(tc, only_the_networks_that_are_named_may_ask);
	tcase_add_test(tc, a_network_that_is_none_is_refused_with_a_reason);
	return unit_run("cf-dns share", tc);
}

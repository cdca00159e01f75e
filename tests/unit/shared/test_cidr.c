/*
 * test_cidr.c - the trie of networks against a list of networks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "cidr.h"

static uint32_t	state = 1;

static uint32_t
rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (uint32_t)((uint64_t)state * n >> 32);
}

/* Few different bytes, so that networks nest and share. */
static struct addr
addr_random(void)
{
	struct addr a = { .family = rnd(2) == 0 ? 4 : 6 };

	for (size_t i = 0; i < addr_iplen(&a); i++)
		a.ip[i] = (uint8_t)(rnd(4) * 0x55);
	return a;
}

static bool
covers(const struct addr *net, unsigned bits, struct addr a)
{
	if (net->family != a.family)
		return false;
	cidr_mask(&a, bits);
	return memcmp(a.ip, net->ip, 16) == 0;
}

enum { NETS = 60 };

START_TEST(trie_finds_what_a_scan_finds)
{
	struct cidr_tree t;
	struct addr net[NETS];
	unsigned bits[NETS];
	uint32_t keys[CIDR_DEPTH];

	state = (uint32_t)_i + 1;
	cidr_init(&t);
	for (uint32_t i = 0; i < NETS; i++) {
		uint32_t *key;

		net[i] = addr_random();
		bits[i] = rnd((uint32_t)addr_iplen(&net[i]) * 8 + 1);
		cidr_mask(&net[i], bits[i]);
		ck_assert_ptr_nonnull(key = cidr_add(&t, &net[i], bits[i]));
		if (*key == CIDR_NO_KEY)
			*key = i;
		else			/* given twice: it is the same network */
			ck_assert(covers(&net[*key], bits[*key], net[i]) && bits[*key] == bits[i]);
	}
	ck_assert(cidr_ok(t.nodes, t.n, NETS));
	for (int q = 0; q < 200; q++) {
		struct addr a = q < NETS ? net[q] : addr_random();
		size_t n = cidr_find(t.nodes, t.root, &a, keys), want = 0;

		for (size_t k = 0; k < n; k++) {
			ck_assert(covers(&net[keys[k]], bits[keys[k]], a));
			ck_assert(k == 0 || bits[keys[k]] > bits[keys[k - 1]]);
		}
		for (uint32_t i = 0; i < NETS; i++) {
			bool again = false;

			for (uint32_t k = 0; k < i; k++)
				again = again || (bits[k] == bits[i] && net[k].family == net[i].family &&
				    memcmp(net[k].ip, net[i].ip, 16) == 0);
			want += !again && covers(&net[i], bits[i], a);
		}
		ck_assert_uint_eq(n, want);
	}
	cidr_done(&t);
}
END_TEST

START_TEST(array_that_could_loop_is_refused)
{
	struct cidr_node n[3] = { { .bits = 0 }, { .bits = 1, .key = CIDR_NO_KEY },
	    { .bits = 2, .key = 0 } };

	n[1].child[0] = 2;
	ck_assert(cidr_ok(n, 3, 1));
	ck_assert(!cidr_ok(n, 3, 0));
	ck_assert(!cidr_ok(n, 2, 1));
	n[2].child[1] = 1;
	ck_assert(!cidr_ok(n, 3, 1));
	n[2].child[1] = 2;
	ck_assert(!cidr_ok(n, 3, 1));
	n[2].child[1] = 0;
	n[2].bits = 129;
	ck_assert(!cidr_ok(n, 3, 1));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("cidr");

	tcase_add_loop_test(tc, trie_finds_what_a_scan_finds, 0, 100);
	tcase_add_test(tc, array_that_could_loop_is_refused);
	return unit_run("cidr", tc);
}

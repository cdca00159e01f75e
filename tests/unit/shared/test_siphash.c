/*
 * test_siphash.c - the vectors of the paper (key 00..0f, input 00, 01, ...), and that what
 * collides under one key does not under another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "siphash.h"

#define N	4096
#define BUCKETS	4096

static const struct {
	size_t		len;
	uint64_t	want;
} vectors[] = {
	{ 0, 0x726fdb47dd0e0e31 }, { 1, 0x74f839c593dc67fd }, { 7, 0xab0200f58b01d137 },
	{ 8, 0x93f5f5799a932462 }, { 15, 0xa129ca6149be45e5 },
};

START_TEST(hash_is_siphash_2_4)
{
	uint8_t key[SIPHASH_KEY_LEN], data[16];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = data[i] = i;
	ck_assert_uint_eq(siphash(key, data, vectors[_i].len), vectors[_i].want);
}
END_TEST

START_TEST(keys_are_random_and_differ)
{
	uint64_t a[2] = { 0 }, b[2] = { 0 };

	ck_assert(siphash_key(a) && siphash_key(b));
	ck_assert(a[0] != b[0] && a[1] != b[1] && a[0] != a[1]);
}
END_TEST

/* A row of numbers that all fall into bucket 0 under the key that an attacker guessed. */
START_TEST(what_collides_under_one_key_is_spread_under_another)
{
	static uint64_t chosen[N];
	static unsigned in[BUCKETS];
	const uint64_t guessed[2] = { 1, 2 };
	uint64_t key[2], word = 0;
	unsigned most = 0;

	ck_assert(siphash_key(key));
	for (size_t n = 0; n < N; word++)
		if (siphash_words(guessed, &word, 1) % BUCKETS == 0)
			chosen[n++] = word;
	for (size_t i = 0; i < N; i++)
		if (++in[siphash_words(key, &chosen[i], 1) % BUCKETS] > most)
			most++;
	/* One a bucket on the average; 16 in one has a chance of less than 1 in 10^9. */
	ck_assert_uint_lt(most, 16);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("siphash");

	tcase_add_loop_test(tc, hash_is_siphash_2_4, 0, (int)COUNT(vectors));
	tcase_add_test(tc, keys_are_random_and_differ);
	tcase_add_test(tc, what_collides_under_one_key_is_spread_under_another);
	return unit_run("siphash", tc);
}

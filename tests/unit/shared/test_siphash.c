/*
 * test_siphash.c - the vectors of the paper: key 00..0f, input 00, 01, ...
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"
#include "siphash.h"

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

int
main(void)
{
	TCase *tc = tcase_create("siphash");

	tcase_add_loop_test(tc, hash_is_siphash_2_4, 0, (int)COUNT(vectors));
	return unit_run("siphash", tc);
}

/*
 * siphash.c - see siphash.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "siphash.h"

#include <unistd.h>

static uint64_t
rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void
rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1]; v[1] = rotl(v[1], 13) ^ v[0]; v[0] = rotl(v[0], 32);
		v[2] += v[3]; v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3]; v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1]; v[1] = rotl(v[1], 17) ^ v[2]; v[2] = rotl(v[2], 32);
	}
}

static inline void
begin(uint64_t v[4], uint64_t k0, uint64_t k1)
{
	v[0] = k0 ^ 0x736f6d6570736575;
	v[1] = k1 ^ 0x646f72616e646f6d;
	v[2] = k0 ^ 0x6c7967656e657261;
	v[3] = k1 ^ 0x7465646279746573;
}

static inline void
compress(uint64_t v[4], uint64_t m, int n)
{
	v[3] ^= m;
	rounds(v, n);
	v[0] ^= m;
}

static inline uint64_t
end(uint64_t v[4], int n)
{
	v[2] ^= 0xff;
	rounds(v, n);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Up to eight bytes, the first the lowest. */
static uint64_t
word(const uint8_t *p, size_t n)
{
	uint64_t w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << 8 * i;
	return w;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t left = len;
	uint64_t v[4];

	begin(v, word(key, 8), word(key + 8, 8));
	for (; left >= 8; p += 8, left -= 8)
		compress(v, word(p, 8), 2);
	compress(v, word(p, left) | (uint64_t)len << 56, 2);
	return end(v, 4);
}

bool
siphash_key(uint64_t key[2])
{
	return getentropy(key, 2 * sizeof(*key)) == 0;
}

uint64_t
siphash_words(const uint64_t key[2], const uint64_t *words, size_t n)
{
	uint64_t v[4];

	begin(v, key[0], key[1]);
	for (size_t i = 0; i < n; i++)
		compress(v, words[i], 1);
	return end(v, 3);
}

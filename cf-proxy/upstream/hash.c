/*
 * hash.c - MD5 (RFC 1321) and SHA-256 (FIPS 180-4), as far as digest.c needs them.
 *
 * Here so that a run through a plain proxy does not load a library of megabytes for two functions.
 * Neither is fast, and nothing secret is compared with what they make.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "rd.h"

#define BLOCK		64

struct hash {
	enum digest_algorithm algorithm;
	uint32_t	 h[8];
	uint64_t	 total;
	uint8_t		 block[BLOCK];
	size_t		 len;
};

static uint32_t
rotl(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static uint32_t
rotr(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

/* ---- MD5: RFC 1321 3.4 ---- */

static const uint32_t md5_t[64] = {	/* floor(2^32 * abs(sin(i + 1))) */
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
	0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
	0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
	0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
	0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
	0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
	0xeb86d391,
};

static void
md5_block(uint32_t h[8], const uint8_t *p)
{
	static const uint8_t shift[4][4] = {
		{ 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 }
	};
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], x[16], f, t;
	struct rd r = rd_over(p, BLOCK);
	unsigned g;

	for (int i = 0; i < 16; i++)
		x[i] = rd_le32(&r);
	for (unsigned i = 0; i < 64; i++) {
		switch (i / 16) {
		case 0:	 f = (b & c) | (~b & d); g = i; break;
		case 1:	 f = (b & d) | (c & ~d); g = (5 * i + 1) % 16; break;
		case 2:	 f = b ^ c ^ d;		 g = (3 * i + 5) % 16; break;
		default: f = c ^ (b | ~d);	 g = 7 * i % 16; break;
		}
		t = d;
		d = c;
		c = b;
		b += rotl(a + f + x[g] + md5_t[i], shift[i / 16][i % 4]);
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
}

/* ---- SHA-256: FIPS 180-4 6.2 ---- */

static const uint32_t sha_k[64] = {	/* cube roots of the first 64 primes */
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static void
sha_block(uint32_t h[8], const uint8_t *p)
{
	uint32_t w[64], v[8], s0, s1, t1, t2;
	struct rd r = rd_over(p, BLOCK);

	for (int i = 0; i < 16; i++)
		w[i] = rd_be32(&r);
	for (int i = 16; i < 64; i++) {
		s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
		s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		s1 = rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25);
		t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_k[i] + w[i];
		s0 = rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22);
		t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* ---- both ---- */

static void
init(struct hash *s, enum digest_algorithm algorithm)
{
	static const uint32_t sha[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	static const uint32_t md5[8] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };

	*s = (struct hash){ .algorithm = algorithm };
	memcpy(s->h, algorithm == DIGEST_SHA256 ? sha : md5, sizeof(s->h));
}

static void
add(struct hash *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	s->total += len;
	for (; len > 0; len--) {
		s->block[s->len++] = *p++;
		if (s->len < BLOCK)
			continue;
		s->len = 0;
		if (s->algorithm == DIGEST_SHA256)
			sha_block(s->h, s->block);
		else
			md5_block(s->h, s->block);
	}
}

static void
finish(struct hash *s, char out[HASH_HEX])
{
	bool sha = s->algorithm == DIGEST_SHA256;
	uint64_t bits = s->total * 8;
	uint8_t end[HASH_MAX], length[8];
	size_t words = sha ? 8 : 4;
	struct wr w = wr_over(length, sizeof(length)), e = wr_over(end, sizeof(end));

	add(s, "\x80", 1);
	while (s->len != BLOCK - sizeof(length))
		add(s, "", 1);
	if (sha)
		wr_be(&w, bits, 8);
	else
		wr_le64(&w, bits);
	add(s, length, sizeof(length));
	for (size_t i = 0; i < words; i++) {
		if (sha)
			wr_be(&e, s->h[i], 4);
		else
			wr_le32(&e, s->h[i]);
	}
	for (size_t i = 0; i < 4 * words; i++)
		snprintf(out + 2 * i, 3, "%02x", end[i]);
}

void
hash_hex(enum digest_algorithm algorithm, const char *const *texts, size_t n, char out[HASH_HEX])
{
	struct hash s;

	init(&s, algorithm);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			add(&s, ":", 1);
		add(&s, texts[i], strlen(texts[i]));
	}
	finish(&s, out);
	explicit_bzero(&s, sizeof(s));
}

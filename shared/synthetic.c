/*
 * synthetic.c - see synthetic.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "synthetic.h"

#include <string.h>

#include "inside.h"

/* The ranges of inside.h as bytes; a unit test holds them against the texts. */
static const uint8_t net4[4] = { 198, 18 };
static const uint8_t net6[16] = { 0x20, 0x01, 0, 2, 0, 0, 0xc6, 0x12 };

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
be32_put(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

struct addr
synthetic_addr(uint8_t family, uint32_t number)
{
	struct addr a = { .family = family };

	if (family == 4) {
		be32_put(a.ip, be32(net4) + number);
	} else {
		memcpy(a.ip, net6, sizeof(net6));
		be32_put(a.ip + 12, number);
	}
	return a;
}

bool
synthetic_is(const struct addr *a)
{
	if (a->family == 4)
		return (be32(a->ip) ^ be32(net4)) >> (32 - INSIDE_SYNTHETIC4_LEN) == 0;
	return a->family == 6 && memcmp(a->ip, net6, INSIDE_SYNTHETIC6_LEN / 8) == 0;
}

uint32_t
synthetic_number(const struct addr *a)
{
	static const uint8_t zeroes[4];
	uint32_t n;

	if (!synthetic_is(a) || (a->family == 6 && memcmp(a->ip + 8, zeroes, sizeof(zeroes)) != 0))
		return 0;
	n = a->family == 4 ? be32(a->ip) - be32(net4) : be32(a->ip + 12);
	return n <= SYNTHETIC_MAX ? n : 0;
}

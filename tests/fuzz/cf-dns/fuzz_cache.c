/*
 * fuzz_cache.c - any bytes as an answer that is to be kept, and to be given again.
 *
 * The first byte says how much later.  What comes out of the cache answers the question, has as
 * many records as went in (but OPT), and is no longer than that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cache.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x)	do { if (!(x)) abort(); } while (0)

/* The question of any bytes, so that all kinds are asked; without its records. */
static size_t
question(uint8_t *out, const uint8_t *msg, size_t len)
{
	static const uint8_t plain[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1";
	uint8_t head[WIRE_HEAD_MAX + 11];
	struct wire_query q;
	size_t n = len < WIRE_HEAD_MAX ? len : WIRE_HEAD_MAX;

	memcpy(out, plain, sizeof(plain) - 1);
	if (n < WIRE_HEADER_LEN)
		return sizeof(plain) - 1;
	memcpy(head, msg, n);
	head[2] &= 0x01;
	memset(head + 6, 0, 6);
	if (wire_query(head, n, &q) != NULL)
		return sizeof(plain) - 1;
	memcpy(out, head, q.head_len);
	return q.head_len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct cache *c;
	uint8_t q[WIRE_HEAD_MAX + 11], *out;
	const struct addr by = { .family = 4 };
	struct wire_query wq;
	struct cache_key k;
	struct addr from;
	uint64_t later;
	size_t qlen, n;
	uint32_t life;

	if (len < 1)
		return 0;
	later = data[0] * UINT64_C(500);
	data++, len--;
	if (c == NULL)
		MUST((c = cache_new(4)) != NULL);
	qlen = question(q, data, len);
	if (wire_query(q, qlen, &wq) != NULL || !cache_key(&k, q, qlen, &wq, NULL))
		return 0;
	life = cache_life(data, len, &wq);
	cache_put(c, &k, &wq, data, len, &by, 0);
	out = cache_get(c, &k, q, &wq, later, &n, &from);
	MUST((out != NULL) == (later < life * UINT64_C(1000)));
	if (out != NULL) {
		MUST(n <= len && n >= wq.head_len);
		MUST(memcmp(out + WIRE_HEADER_LEN, q + WIRE_HEADER_LEN, wq.head_len - WIRE_HEADER_LEN) == 0);
		if (cache_life(out, n, &wq) != 0)
			MUST(cache_life(out, n, &wq) <= life);
	}
	free(out);
	return 0;
}

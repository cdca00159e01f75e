/*
 * svcb.c - see svcb.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "svcb.h"

#include <string.h>

#include "rd.h"

#define KEYS	64		/* of which is remembered that they are gone */

/* Over priority and target; the target is not compressed (RFC 9460 2.2). */
static bool
head_skip(struct rd *r)
{
	size_t name = 0;
	uint8_t c;

	(void)rd_be16(r);
	do {
		c = rd_u8(r);
		name += (size_t)c + 1;
		if (c > 63 || name > 255)
			return false;
		(void)rd_take(r, c);
	} while (c != 0 && !r->bad);
	return !r->bad;
}

/* Keys must come in order, each once (RFC 9460 2.2): what is written twice is read in two ways. */
static bool
params_ok(struct rd r)
{
	long last = -1;
	uint16_t key;

	while (rd_left(&r) > 0) {
		key = rd_be16(&r);
		(void)rd_take(&r, rd_be16(&r));
		if (r.bad || key <= last)
			return false;
		last = key;
	}
	return true;
}

/* The value of "mandatory" without keys that are gone. */
static size_t
mandatory_edit(uint64_t gone, uint8_t *value, size_t len)
{
	size_t left = 0;

	for (size_t i = 0; i + 2 <= len; i += 2) {
		unsigned key = (unsigned)(value[i] << 8 | value[i + 1]);

		if (key < KEYS && (gone >> key & 1) != 0)
			continue;
		memmove(value + left, value + i, 2);
		left += 2;
	}
	return left == 0 ? SVCB_GONE : left;
}

/* One pass over the parameters, which are shortened in place; returns the new length. */
static size_t
params_edit(uint8_t *p, size_t len, uint64_t *gone, svcb_fn *fn, void *arg)
{
	size_t in = 0, out = 0, n, left;

	for (; in < len; in += 4 + n) {
		uint16_t key = (uint16_t)(p[in] << 8 | p[in + 1]);

		n = (size_t)(p[in + 2] << 8 | p[in + 3]);
		if (fn == NULL)
			left = key == SVCB_MANDATORY ? mandatory_edit(*gone, p + in + 4, n) : n;
		else
			left = key == SVCB_MANDATORY ? n : fn(arg, key, p + in + 4, n);
		if (left == SVCB_GONE) {
			*gone |= key < KEYS ? UINT64_C(1) << key : 0;
			continue;
		}
		memmove(p + out, p + in, 4 + left);
		p[out + 2] = (uint8_t)(left >> 8);
		p[out + 3] = (uint8_t)left;
		out += 4 + left;
	}
	return out;
}

size_t
svcb_edit(uint8_t *data, size_t len, svcb_fn *fn, void *arg)
{
	struct rd r = rd_over(data, len);
	uint64_t gone = 0;
	size_t head, n;

	if (!head_skip(&r) || !params_ok(r))
		return SVCB_GONE;
	head = (size_t)(r.p - data);
	n = params_edit(data + head, len - head, &gone, fn, arg);
	if (gone != 0)
		n = params_edit(data + head, n, &gone, NULL, NULL);
	return head + n;
}

/*
 * blocks.h - a second opinion on pcapng: reads blocks by the specification's own words.
 *
 * Shares nothing with pcapng.c, so that the two can disagree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TEST_BLOCKS_H
#define TEST_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct block {
	uint32_t	 type;
	const uint8_t	*body;
	size_t		 len;
};

static inline uint32_t
word_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The block at p: 1, none left: 0, what is there is no whole block: -1. */
static inline int
block_next(const uint8_t **p, const uint8_t *end, struct block *b)
{
	size_t left = (size_t)(end - *p);
	uint32_t total;

	if (left == 0)
		return 0;
	if (left < 12)
		return -1;
	total = word_at(*p + 4);
	if (total < 12 || total % 4 != 0 || total > left || word_at(*p + total - 4) != total)
		return -1;
	*b = (struct block){ word_at(*p), *p + 8, total - 12 };
	*p += total;
	return 1;
}

/* Option `code` among those that start at offset `at`; NULL when it is not there. */
static inline const uint8_t *
block_option(const struct block *b, size_t at, uint16_t code, size_t *len)
{
	uint16_t head[2];

	while (at + 4 <= b->len) {
		memcpy(head, b->body + at, 4);
		if (at + 4 + head[1] > b->len || (head[0] == 0 && head[1] == 0))
			return NULL;
		if (head[0] == code) {
			*len = head[1];
			return b->body + at + 4;
		}
		at += 4 + ((size_t)head[1] + 3) / 4 * 4;
	}
	return NULL;
}

static inline bool
block_option_is(const struct block *b, size_t at, uint16_t code, const void *want, size_t wantlen)
{
	size_t len = 0;
	const uint8_t *p = block_option(b, at, code, &len);

	return p != NULL && len == wantlen && memcmp(p, want, len) == 0;
}

/* How many blocks of a type there are; -1 when the bytes are not whole blocks throughout. */
static inline int
blocks_count(const uint8_t *p, size_t len, uint32_t type)
{
	const uint8_t *end = p + len;
	struct block b;
	int n = 0, rc;

	while ((rc = block_next(&p, end, &b)) == 1)
		n += b.type == type;
	return rc == 0 ? n : -1;
}

#endif

/*
 * rd.h - read and write bytes between two pointers, and never past them.
 *
 * Every byte that comes from outside (a packet, a frame, a DNS message) is read
 * through struct rd.  A read past the end gives zeroes and sets `bad`; the caller
 * checks once, at the end, instead of before each field.  The same for struct wr.
 * le: the framed protocol.  be: what is on a network.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RD_H
#define CF_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t	*p, *end;
	bool		 bad;		/* something was read that was not there */
};

struct wr {
	uint8_t		*p, *end;
	bool		 bad;		/* something did not fit */
};

static inline struct rd
rd_over(const void *buf, size_t len)
{
	return (struct rd){ .p = buf, .end = (const uint8_t *)buf + len };
}

static inline struct wr
wr_over(void *buf, size_t len)
{
	return (struct wr){ .p = buf, .end = (uint8_t *)buf + len };
}

static inline size_t
rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

/* The next len bytes, borrowed from the buffer; NULL when there are fewer. */
static inline const uint8_t *
rd_take(struct rd *r, size_t len)
{
	const uint8_t *p = r->p;

	if (rd_left(r) < len) {
		r->bad = true;
		r->p = r->end;
		return NULL;
	}
	r->p += len;
	return p;
}

static inline void
rd_bytes(struct rd *r, void *out, size_t len)
{
	const uint8_t *p = rd_take(r, len);

	if (p == NULL)
		memset(out, 0, len);
	else
		memcpy(out, p, len);
}

/* An unsigned integer of 1 to 8 bytes, big (be) or little (le) endian. */
static inline uint64_t
rd_be(struct rd *r, size_t len)
{
	const uint8_t *p = rd_take(r, len);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static inline uint64_t
rd_le(struct rd *r, size_t len)
{
	const uint8_t *p = rd_take(r, len);
	uint64_t v = 0;

	for (size_t i = len; p != NULL && i > 0; i--)
		v = v << 8 | p[i - 1];
	return v;
}

static inline uint8_t  rd_u8(struct rd *r)   { return (uint8_t)rd_be(r, 1); }
static inline uint16_t rd_be16(struct rd *r) { return (uint16_t)rd_be(r, 2); }
static inline uint32_t rd_be32(struct rd *r) { return (uint32_t)rd_be(r, 4); }
static inline uint16_t rd_le16(struct rd *r) { return (uint16_t)rd_le(r, 2); }
static inline uint32_t rd_le32(struct rd *r) { return (uint32_t)rd_le(r, 4); }
static inline uint64_t rd_le64(struct rd *r) { return rd_le(r, 8); }

/* Room for the next len bytes; NULL when they do not fit. */
static inline uint8_t *
wr_take(struct wr *w, size_t len)
{
	uint8_t *p = w->p;

	if ((size_t)(w->end - w->p) < len) {
		w->bad = true;
		w->p = w->end;
		return NULL;
	}
	w->p += len;
	return p;
}

/* Not inlined: gcc 12 then warns of writes past the end on paths that wr_take() has cut off. */
static __attribute__((noinline, unused)) void
wr_bytes(struct wr *w, const void *in, size_t len)
{
	uint8_t *p = wr_take(w, len);

	if (p != NULL && len > 0)	/* in may be NULL then */
		memcpy(p, in, len);
}

static inline void
wr_be(struct wr *w, uint64_t v, size_t len)
{
	uint8_t b[8];

	for (size_t i = len; i > 0; i--, v >>= 8)
		b[i - 1] = (uint8_t)v;
	wr_bytes(w, b, len);
}

static inline void
wr_le(struct wr *w, uint64_t v, size_t len)
{
	uint8_t b[8];

	for (size_t i = 0; i < len; i++, v >>= 8)
		b[i] = (uint8_t)v;
	wr_bytes(w, b, len);
}

static inline void wr_u8(struct wr *w, uint8_t v)     { wr_be(w, v, 1); }
static inline void wr_be16(struct wr *w, uint16_t v)  { wr_be(w, v, 2); }
static inline void wr_be32(struct wr *w, uint32_t v)  { wr_be(w, v, 4); }
static inline void wr_le16(struct wr *w, uint16_t v)  { wr_le(w, v, 2); }
static inline void wr_le32(struct wr *w, uint32_t v)  { wr_le(w, v, 4); }
static inline void wr_le64(struct wr *w, uint64_t v)  { wr_le(w, v, 8); }

#endif

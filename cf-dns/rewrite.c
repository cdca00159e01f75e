/*
 * rewrite.c - see rewrite.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rewrite.h"

#include <string.h>

#include "rd.h"

#define RECENT		32	/* names that later ones can point to */
#define POINTER_MAX	0x3fff	/* RFC 1035 4.1.4 */
#define TYPE_OLD_MAX	16	/* TXT: the last type of RFC 1035 3.2.2 */

/* Types whose data has names that may be compressed, or that some compress (RFC 3597 4). */
static const struct layout {
	uint16_t	type;
	uint8_t		skip;		/* bytes, then */
	uint8_t		strings;	/* <character-string>s (none up to TYPE_OLD_MAX), then */
	uint8_t		names;		/* and then the rest */
} layouts[] = {
	{ 2, 0, 0, 1 }, { 3, 0, 0, 1 }, { 4, 0, 0, 1 },		/* NS, MD, MF */
	{ 5, 0, 0, 1 }, { 6, 0, 0, 2 },				/* CNAME, SOA */
	{ 7, 0, 0, 1 }, { 8, 0, 0, 1 }, { 9, 0, 0, 1 },		/* MB, MG, MR */
	{ 12, 0, 0, 1 }, { 14, 0, 0, 2 }, { 15, 2, 0, 1 },	/* PTR, MINFO, MX */
	{ 17, 0, 0, 2 }, { 18, 2, 0, 1 }, { 21, 2, 0, 1 },	/* RP, AFSDB, RT */
	{ 24, 18, 0, 1 }, { 26, 2, 0, 2 }, { 30, 0, 0, 1 },	/* SIG, PX, NXT */
	{ 33, 6, 0, 1 }, { 35, 4, 3, 1 },			/* SRV, NAPTR */
	{ 36, 2, 0, 1 }, { 39, 0, 0, 1 },			/* KX, DNAME */
};

struct recent {
	uint16_t	at;
	uint8_t		len;
	uint8_t		name[WIRE_NAME_MAX];
};

struct writer {
	struct wr	 w;
	uint8_t		*start;
	struct recent	 recent[RECENT];
	size_t		 n;		/* ever; the oldest give way */
};

/* ---- reading ---- */

/* A name at r, in full, appended to w. */
static bool
name_expand(struct rd *r, const uint8_t *msg, size_t len, struct wr *w)
{
	uint8_t name[WIRE_NAME_MAX];
	size_t at = (size_t)(r->p - msg), n;

	if ((n = wire_name(msg, len, &at, name)) == 0 || at > (size_t)(r->end - msg))
		return false;
	r->p = msg + at;
	wr_bytes(w, name, n);
	return !w->bad;
}

static void
bytes_copy(struct rd *r, size_t n, struct wr *w)
{
	const uint8_t *p = rd_take(r, n);

	if (p != NULL)
		wr_bytes(w, p, n);
}

static const struct layout *
layout_find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

/* The data of a record, names in full.  False: it is not what its type says. */
static bool
data_expand(struct rd data, const uint8_t *msg, size_t len, struct rewrite_record *rec)
{
	const struct layout *layout = rd_left(&data) > 0 ? layout_find(rec->type) : NULL;
	struct wr w = wr_over(rec->data, REWRITE_DATA_MAX);

	if (layout != NULL) {
		bytes_copy(&data, layout->skip, &w);
		for (int i = 0; i < layout->strings && rd_left(&data) > 0; i++)
			bytes_copy(&data, (size_t)*data.p + 1, &w);
		for (int i = 0; i < layout->names; i++)
			if (!name_expand(&data, msg, len, &w))
				return false;
	}
	bytes_copy(&data, rd_left(&data), &w);
	rec->len = (size_t)(w.p - rec->data);
	return !data.bad && !w.bad;
}

static bool
record_read(struct rd *r, const uint8_t *msg, size_t len, struct rewrite_record *rec)
{
	struct wr name = wr_over(rec->name, sizeof(rec->name));
	const uint8_t *data;
	uint16_t n;

	if (!name_expand(r, msg, len, &name))
		return false;
	rec->name_len = (size_t)(name.p - rec->name);
	rec->type = rd_be16(r);
	rec->class = rd_be16(r);
	rec->ttl = rd_be32(r);
	n = rd_be16(r);
	data = rd_take(r, n);
	return !r->bad && data_expand(rd_over(data, n), msg, len, rec);
}

/* ---- writing ---- */

static const struct recent *
recent_find(const struct writer *out, const uint8_t *name, size_t len)
{
	for (size_t i = 0; i < RECENT && i < out->n; i++)
		if (out->recent[i].len == len && memcmp(out->recent[i].name, name, len) == 0)
			return &out->recent[i];
	return NULL;
}

static void
recent_add(struct writer *out, const uint8_t *name, size_t len)
{
	size_t at = (size_t)(out->w.p - out->start);
	struct recent *r = &out->recent[out->n % RECENT];

	if (at > POINTER_MAX)
		return;
	r->at = (uint16_t)at;
	r->len = (uint8_t)len;
	memcpy(r->name, name, len);
	out->n++;
}

static void
name_write(struct writer *out, const uint8_t *name, size_t len)
{
	const struct recent *r;

	for (; name[0] != 0; len -= (size_t)name[0] + 1, name += (size_t)name[0] + 1) {
		if ((r = recent_find(out, name, len)) != NULL) {
			wr_be16(&out->w, (uint16_t)(0xc000 | r->at));
			return;
		}
		recent_add(out, name, len);
		wr_bytes(&out->w, name, (size_t)name[0] + 1);
	}
	wr_u8(&out->w, 0);
}

/* How long the name is that stands in full at p; data_expand() has read it. */
static size_t
name_length(const uint8_t *p)
{
	size_t n = 0;

	for (; p[n] != 0; n += (size_t)p[n] + 1)
		;
	return n + 1;
}

/* Only in types that every reader knows may names be compressed (RFC 3597 4). */
static void
data_write(struct writer *out, const struct rewrite_record *rec)
{
	const struct layout *layout = rec->type <= TYPE_OLD_MAX && rec->len > 0 ?
	    layout_find(rec->type) : NULL;
	const uint8_t *p = rec->data, *end = rec->data + rec->len;

	if (layout != NULL) {
		wr_bytes(&out->w, p, layout->skip);
		p += layout->skip;
		for (int i = 0; i < layout->names; i++, p += name_length(p))
			name_write(out, p, name_length(p));
	}
	wr_bytes(&out->w, p, (size_t)(end - p));
}

static void
record_write(struct writer *out, const struct rewrite_record *rec)
{
	uint8_t *at;
	size_t len;

	name_write(out, rec->name, rec->name_len);
	wr_be16(&out->w, rec->type);
	wr_be16(&out->w, rec->class);
	wr_be32(&out->w, rec->ttl);
	at = wr_take(&out->w, 2);
	data_write(out, rec);
	if (at == NULL)
		return;
	len = (size_t)(out->w.p - at) - 2;
	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
}

/* The questions go over in full; the first is what most names point to. */
static bool
questions_copy(struct rd *r, const uint8_t *msg, size_t len, unsigned n, struct writer *out)
{
	uint8_t name[WIRE_NAME_MAX];

	for (; n > 0; n--) {
		struct wr w = wr_over(name, sizeof(name));

		if (!name_expand(r, msg, len, &w))
			return false;
		name_write(out, name, (size_t)(w.p - name));
		bytes_copy(r, 4, &out->w);
	}
	return !r->bad;
}

size_t
rewrite(uint8_t *out, size_t room, const uint8_t *msg, size_t len, rewrite_fn *fn, void *arg)
{
	static uint8_t data[REWRITE_DATA_MAX];
	struct writer w = { .w = wr_over(out, room), .start = out };
	struct rd r = rd_over(msg, len);
	struct rewrite_record rec = { .data = data };
	uint16_t count[4], kept[4] = { 0 };

	bytes_copy(&r, 4, &w.w);
	for (int i = 0; i < 4; i++)
		count[i] = rd_be16(&r);
	(void)wr_take(&w.w, 8);
	if (r.bad || w.w.bad || !questions_copy(&r, msg, len, count[0], &w))
		return 0;
	kept[0] = count[0];
	for (rec.section = SECTION_ANSWER; rec.section <= SECTION_ADDITIONAL; rec.section++)
		for (unsigned i = 0; i < count[rec.section]; i++) {
			rec.data = data;
			if (!record_read(&r, msg, len, &rec))
				return 0;
			if (!fn(arg, &rec))
				continue;
			record_write(&w, &rec);
			kept[rec.section]++;
		}
	for (int i = 0; i < 4; i++) {
		out[4 + 2 * i] = (uint8_t)(kept[i] >> 8);
		out[5 + 2 * i] = (uint8_t)kept[i];
	}
	return w.w.bad ? 0 : (size_t)(w.w.p - out);
}

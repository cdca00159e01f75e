/*
 * lookup.c - a name's question, and what is said to it (RFC 1035 4).
 *
 * cf-dns has judged the answer and put made-up addresses into it (--synthetic), so it is asked
 * for nothing but the first record of its kind.  Still any bytes are fine.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "lookup.h"

#include <string.h>

#include "rd.h"

#define HEADER_LEN	12
#define LABEL_MAX	63
enum { TYPE_A = 1, TYPE_AAAA = 28, CLASS_IN = 1 };
enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

static uint16_t
type_of(uint8_t family)
{
	return family == 6 ? TYPE_AAAA : TYPE_A;
}

size_t
lookup_question(uint8_t out[LOOKUP_MAX], const char *name, uint8_t family)
{
	static const uint8_t header[HEADER_LEN] = { 0, 0, 1 /* RD */, 0, 0, 1 };
	struct wr w = wr_over(out, LOOKUP_MAX);

	wr_bytes(&w, header, sizeof(header));
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		if (n == 0 || n > LABEL_MAX)
			return 0;
		wr_u8(&w, (uint8_t)n);
		wr_bytes(&w, (const uint8_t *)name, n);
		name += name[n] == '.' ? n + 1 : n;
	}
	wr_u8(&w, 0);
	wr_be16(&w, type_of(family));
	wr_be16(&w, CLASS_IN);
	return w.bad ? 0 : (size_t)(w.p - out);
}

/* A name is walked over; a pointer ends it (RFC 1035 4.1.4). */
static void
name_skip(struct rd *r)
{
	uint8_t n;

	while (!r->bad && (n = rd_u8(r)) != 0) {
		if ((n & 0xc0) != 0) {
			(void)rd_u8(r);
			return;
		}
		(void)rd_take(r, n);
	}
}

static enum lookup
find(struct rd *r, unsigned records, uint8_t family, struct addr *out)
{
	for (; records > 0 && !r->bad; records--) {
		uint16_t type, len;
		const uint8_t *data;

		name_skip(r);
		type = rd_be16(r);
		(void)rd_take(r, 2 + 4);
		len = rd_be16(r);
		data = rd_take(r, len);
		if (r->bad || type != type_of(family) || len != (family == 6 ? 16 : 4))
			continue;
		*out = (struct addr){ .family = family };
		memcpy(out->ip, data, len);
		return LOOKUP_ADDRESS;
	}
	return r->bad ? LOOKUP_FAILED : LOOKUP_NONE;
}

enum lookup
lookup_answer(const uint8_t *msg, size_t len, uint8_t family, struct addr *out)
{
	struct rd r = rd_over(msg, len);
	unsigned rcode, questions, records;

	(void)rd_take(&r, 3);
	rcode = rd_u8(&r) & 0x0f;
	questions = rd_be16(&r);
	records = rd_be16(&r);
	(void)rd_take(&r, 4);
	if (r.bad)
		return LOOKUP_FAILED;
	if (rcode == RCODE_REFUSED)
		return LOOKUP_DENIED;
	if (rcode == RCODE_NXDOMAIN)
		return LOOKUP_NONE;
	if (rcode != RCODE_NOERROR)
		return LOOKUP_FAILED;
	for (; questions > 0 && !r.bad; questions--) {
		name_skip(&r);
		(void)rd_take(&r, 4);
	}
	return find(&r, records, family, out);
}

/*
 * zone.c - see zone.h.
 *
 *   whole (also as the answer to IXFR):   SOA ... SOA
 *   differences, from version a to c:     SOA(c)  SOA(a) gone SOA(b) new  SOA(b) gone SOA(c) new  SOA(c)
 *   nothing is new:                       SOA, and the asker has that version or a later one
 *
 * With differences the last is told by its serial, and by standing where the next step would begin.
 *
 * SPDX-License-Identifier: MIT
 */
#include "zone.h"

#include <string.h>

#define RCODE	0x0f

enum step { STEP_ON, STEP_END, STEP_BAD };

bool
zone_asked(const struct wire_query *q)
{
	return q->question && q->opcode == 0 && (q->qtype == WIRE_AXFR || q->qtype == WIRE_IXFR);
}

/* Letters make no difference (RFC 4343 3); lengths of labels are below 'A'. */
static size_t
owner_read(const uint8_t *msg, size_t len, size_t at, uint8_t out[WIRE_NAME_MAX])
{
	size_t n = wire_name(msg, len, &at, out);

	for (size_t i = 0; i < n; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] |= 0x20;
	return n;
}

/* Behind two names (RFC 1035 3.3.13). */
static bool
serial_read(const uint8_t *msg, size_t len, const struct wire_record *rec, uint32_t *out)
{
	size_t at = (size_t)(rec->data - msg), end = at + rec->len;
	uint8_t name[WIRE_NAME_MAX];
	struct rd r;

	if (end > len || wire_name(msg, end, &at, name) == 0 || wire_name(msg, end, &at, name) == 0)
		return false;
	r = rd_over(msg + at, end - at);
	*out = rd_be32(&r);
	return !r.bad;
}

void
zone_init(struct zone *z, const uint8_t *msg, size_t len, const struct wire_query *q)
{
	struct wire_record rec;
	struct wire_walk w;

	*z = (struct zone){ .may_differ = q->qtype == WIRE_IXFR };
	z->apex_len = owner_read(msg, q->head_len, WIRE_HEADER_LEN, z->apex);
	wire_walk(&w, msg, len);
	while (z->may_differ && !z->has_old && wire_next(&w, &rec))
		z->has_old = rec.section == 2 && rec.type == WIRE_SOA &&
		    serial_read(msg, len, &rec, &z->old_serial);
}

static bool
at_apex(const struct zone *z, const uint8_t *msg, size_t len, const struct wire_record *rec)
{
	uint8_t name[WIRE_NAME_MAX];
	size_t n = owner_read(msg, len, (size_t)(rec->start - msg), name);

	return n == z->apex_len && memcmp(name, z->apex, n) == 0;
}

/* SOA records at the apex, behind the first. */
static enum step
soa_take(struct zone *z, uint32_t serial)
{
	if (z->records == 1 && z->may_differ && z->has_old && serial == z->old_serial &&
	    serial != z->serial)
		z->differs = true;
	else if (!z->differs)
		return STEP_END;
	else if (z->adding && serial == z->serial)
		return STEP_END;
	else
		z->adding = !z->adding;
	return STEP_ON;
}

static enum step
record_take(struct zone *z, const uint8_t *msg, size_t len, const struct wire_record *rec)
{
	bool soa = rec->type == WIRE_SOA && at_apex(z, msg, len, rec);
	enum step step = STEP_ON;
	uint32_t serial = 0;

	if (soa && !serial_read(msg, len, rec, &serial))
		return STEP_BAD;
	if (z->records == 0 && !soa)
		return STEP_END;		/* no transfer */
	if (z->records == 0)
		z->serial = serial;
	else if (soa)
		step = soa_take(z, serial);
	if (z->records < 2)
		z->records++;
	return step;
}

/* The first is all there is so far: the asker has it already (RFC 1995 2, RFC 1982 3.2). */
static bool
nothing_new(const struct zone *z)
{
	return z->records == 1 && z->may_differ && z->has_old &&
	    z->serial - z->old_serial - 1 >= UINT32_C(0x7fffffff);
}

enum zone_is
zone_next(struct zone *z, const uint8_t *msg, size_t len)
{
	bool first = z->records == 0;
	enum step step = STEP_ON;
	struct wire_record rec;
	struct wire_walk w;

	wire_walk(&w, msg, len);
	while (wire_next(&w, &rec))
		if (rec.section == 1 && step == STEP_ON)
			step = record_take(z, msg, len, &rec);
	if (!wire_whole(&w) || step == STEP_BAD)
		return ZONE_BAD;
	if (step == STEP_END || (msg[3] & RCODE) != 0)
		return ZONE_LAST;
	/* Without a record it is no beginning. */
	return z->records == 0 || (first && nothing_new(z)) ? ZONE_LAST : ZONE_MORE;
}

bool
zone_answers(const uint8_t *answer, size_t len, const uint8_t *msg, const struct wire_query *q)
{
	/* QR set, opcode 0; id; no question. */
	if (len >= WIRE_HEADER_LEN && (answer[2] & 0xf8) == 0x80 && answer[4] == 0 && answer[5] == 0)
		return wire_id(answer) == wire_id(msg);
	return wire_answers(answer, len, msg, q);
}

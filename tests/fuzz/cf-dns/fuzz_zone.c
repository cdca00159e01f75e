/*
 * fuzz_zone.c - any bytes as a zone transfer: a query, then messages, each behind two bytes of
 * length.
 *
 * Besides "no byte is read that is not there": it ends at once where the answer is none, and
 * what does not end has at least begun with a SOA.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "zone.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x)	do { if (!(x)) abort(); } while (0)

/* A sanitizer sees a read beyond it. */
static uint8_t *
next(struct rd *r, size_t *len)
{
	const uint8_t *p;
	uint8_t *copy;

	*len = rd_be16(r);
	if (*len > rd_left(r))
		*len = rd_left(r);
	p = rd_take(r, *len);
	copy = malloc(*len + 1);
	memcpy(copy, p, *len);
	return realloc(copy, *len > 0 ? *len : 1);
}

static void
messages(struct rd *r, const uint8_t *q, size_t qlen, const struct wire_query *wq)
{
	enum zone_is is = ZONE_MORE;
	struct zone zone;
	uint8_t *msg;
	size_t len;

	zone_init(&zone, q, qlen, wq);
	MUST(zone.may_differ == (wq->qtype == WIRE_IXFR) && zone.apex_len > 0);
	while (rd_left(r) > 2 && is == ZONE_MORE) {
		msg = next(r, &len);
		(void)zone_answers(msg, len, q, wq);
		is = zone_next(&zone, msg, len);
		MUST(is != ZONE_MORE || (zone.records > 0 && len >= WIRE_HEADER_LEN));
		free(msg);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rd r = rd_over(data, len);
	struct wire_query wq;
	size_t qlen;
	uint8_t *q = next(&r, &qlen);

	if (wire_query(q, qlen, &wq) == NULL && zone_asked(&wq))
		messages(&r, q, qlen, &wq);
	free(q);
	return 0;
}

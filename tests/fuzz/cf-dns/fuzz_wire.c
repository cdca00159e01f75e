/*
 * fuzz_wire.c - any bytes as a query, as an answer, and as an answer to that query.
 *
 * Besides "no byte is read that is not there": what is built from hostile bytes can be
 * read again, says what was asked for, and fits where it is meant to go.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "wire.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x)	do { if (!(x)) abort(); } while (0)

static void
reply_check(const uint8_t *msg, const struct wire_query *q)
{
	static const enum wire_rcode rcodes[] = { WIRE_NOERROR, WIRE_FORMERR, WIRE_SERVFAIL };
	uint8_t out[WIRE_REPLY_MAX];
	struct wire_query again;
	struct wire_answer a;
	size_t len;

	for (size_t i = 0; i < 3; i++) {
		len = wire_reply(out, msg, q, rcodes[i]);
		MUST(len <= sizeof(out));
		wire_answer(out, len, &a);
		MUST(a.rcode == rcodes[i] && !a.truncated && a.naddrs == 0 && a.records == 0);
		MUST((a.opt != NULL) == q->edns);
		MUST(wire_answers(out, len, msg, q));
		out[2] &= 0x7f;
		MUST(wire_query(out, len, &again) == NULL);
		MUST(again.id == q->id && again.question == q->question);
	}
}

static void
truncate_check(const uint8_t *msg, size_t len)
{
	static const size_t limits[] = { 12, 17, 300, 512 };
	uint8_t out[512];
	struct wire_answer a;
	size_t n;

	for (size_t i = 0; i < 4; i++) {
		n = wire_truncate(out, limits[i], msg, len);
		MUST(n >= WIRE_HEADER_LEN && n <= limits[i]);
		wire_answer(out, n, &a);
		MUST(a.truncated && a.records == 0);
		MUST(wire_id(out) == wire_id(msg));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t plain[] = "\0\0\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1";
	char name[WIRE_NAME_STRLEN];
	struct wire_query q;
	struct wire_answer a;
	bool good;

	wire_answer(data, len, &a);
	good = wire_query(data, len, &q) == NULL;
	if (len >= WIRE_HEADER_LEN) {
		MUST(q.head_len <= len && q.head_len <= WIRE_HEAD_MAX && q.udp_size >= WIRE_UDP_MIN);
		MUST(strlen(wire_qname(data, &q, name)) < WIRE_NAME_STRLEN);
		truncate_check(data, len);
	}
	if (good)
		reply_check(data, &q);
	MUST(wire_query(plain, sizeof(plain) - 1, &q) == NULL);
	(void)wire_answers(data, len, plain, &q);
	return 0;
}

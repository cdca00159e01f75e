/*
 * test_match.c - whose answer is it: port, id and question, and nothing less.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdlib.h>
#include <string.h>

#include "dns.h"

#define HEAD		"\0\0\x01\0\0\1\0\0\0\0\0\0"
#define TAIL		"\7eXample\4test\0\0\1\0\1"
#define QLEN		(sizeof(HEAD "\1a" TAIL) - 1)

static struct dns	dns;

/* A query for LETTER.eXample.test that has left through `f` with `id`. */
static struct query *
asked(struct flow *f, uint16_t id, char letter)
{
	struct query *q = calloc(1, sizeof(*q) + QLEN);
	struct upstream *u = calloc(1, sizeof(*u));

	memcpy(q->msg, HEAD "\1a" TAIL, QLEN);
	q->msg[13] = (uint8_t)letter;
	q->len = QLEN;
	ck_assert_ptr_null(wire_query(q->msg, q->len, &q->wire));
	wire_set_id(q->msg, id);
	q->dns = &dns;
	q->id = id;
	u->query = q;
	u->flow = f;
	LIST_INSERT_HEAD(&q->upstreams, u, link);
	LIST_INSERT_HEAD(&dns.by_id[id % BUCKETS], q, by_id);
	return q;
}

static void
answer_to(uint8_t *out, const struct query *q)
{
	memcpy(out, q->msg, QLEN);
	out[2] |= 0x80;
}

static bool
taken(struct flow *f, const uint8_t *msg, size_t len)
{
	struct upstream *u = upstream_match(f, msg, len);

	return u != NULL && wire_answers(msg, len, u->query->msg, &u->query->wire);
}

START_TEST(only_port_and_id_and_question_together_make_an_answer)
{
	static struct flow f, g;
	struct query *q[3];
	uint8_t a[QLEN];

	f.dns = g.dns = &dns;
	q[0] = asked(&f, 0x1234, 'a');
	q[1] = asked(&f, 0x1235, 'b');			/* the same port */
	q[2] = asked(&g, 0x1234 + BUCKETS, 'a');	/* the same bucket */
	for (size_t i = 0; i < 3; i++) {
		struct flow *its = i == 2 ? &g : &f, *other = i == 2 ? &f : &g;

		answer_to(a, q[i]);
		ck_assert(taken(its, a, QLEN));
		ck_assert_ptr_eq(upstream_match(its, a, QLEN)->query, q[i]);
		ck_assert(!taken(other, a, QLEN));
		for (size_t n = 0; n < QLEN; n++)
			ck_assert(!taken(its, a, n));
		/* Each bit of the id, and of the question with its letter case. */
		for (size_t bit = 0; bit < QLEN * 8; bit++) {
			if (bit / 8 > 1 && bit / 8 < WIRE_HEADER_LEN)
				continue;
			a[bit / 8] ^= (uint8_t)(1u << bit % 8);
			ck_assert_msg(!taken(its, a, QLEN), "query %zu, bit %zu", i, bit);
			a[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
	/* With the id of another query that the port has. */
	answer_to(a, q[0]);
	wire_set_id(a, 0x1235);
	ck_assert(!taken(&f, a, QLEN));
}
END_TEST

START_TEST(a_query_that_is_done_or_has_failed_there_takes_nothing)
{
	static struct flow f;
	struct query *q;
	uint8_t a[QLEN];

	f.dns = &dns;
	q = asked(&f, 7, 'a');
	answer_to(a, q);
	ck_assert(taken(&f, a, QLEN));
	LIST_FIRST(&q->upstreams)->flow = NULL;		/* given up at this port */
	ck_assert(!taken(&f, a, QLEN));
	LIST_FIRST(&q->upstreams)->flow = &f;
	LIST_REMOVE(q, by_id);				/* answered */
	ck_assert(!taken(&f, a, QLEN));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("match");

	tcase_add_test(tc, only_port_and_id_and_question_together_make_an_answer);
	tcase_add_test(tc, a_query_that_is_done_or_has_failed_there_takes_nothing);
	return unit_run("match", tc);
}

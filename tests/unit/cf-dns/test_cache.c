/*
 * test_cache.c - what is kept, for whom and for how long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"

#define RD	0x01
#define CD	0x10
#define AD	0x20

/* A record of a test: its name is the question's. */
struct rec {
	int		 section;
	uint16_t	 type;
	uint32_t	 ttl;
	const char	*data;
	uint16_t	 len;
};
#define ADDRESS(ttl)	{ 1, 1, (ttl), "\xcb\0\x71\x0a", 4 }
#define ALIAS(ttl)	{ 1, 5, (ttl), "\1b\0", 3 }
#define SOA(ttl, none)	{ 2, 6, (ttl), "\1a\0" "\1b\0" "\0\0\0\1" "\0\0\0\2" "\0\0\0\3"	\
			  "\0\0\0\4" none, 26 }
#define OPT		{ 3, 41, 0, "", 0 }

struct message {
	uint8_t		 bytes[CACHE_ENTRY_MAX + 100];
	size_t		 len;
};

static const struct addr by = { .family = 4, .port = 53, .ip = { 192, 0, 2, 53 } };

/* flags: the third and fourth byte of the header. */
static struct message
question(uint16_t flags, const char *name, uint16_t type, const char *opt)
{
	struct message m = { 0 };
	struct wr w = wr_over(m.bytes, sizeof(m.bytes));
	size_t opt_len = opt != NULL ? (size_t)(uint8_t)opt[0] : 0;

	wr_be16(&w, 0x4711);
	wr_be16(&w, flags);
	wr_be16(&w, 1);
	wr_be32(&w, 0);
	wr_be16(&w, opt != NULL);
	wr_u8(&w, (uint8_t)strlen(name));
	wr_bytes(&w, name, strlen(name) + 1);
	wr_be16(&w, type);
	wr_be16(&w, WIRE_IN);
	if (opt != NULL) {
		wire_opt(&w, false, 0);
		w.p[-1] = (uint8_t)opt_len;
		wr_bytes(&w, opt + 1, opt_len);
	}
	m.len = (size_t)(w.p - m.bytes);
	return m;
}

static struct message
answer(const struct message *q, uint8_t rcode, const struct rec *recs, size_t n)
{
	struct message m = { 0 };
	struct wire_query wq;
	struct wr w = wr_over(m.bytes, sizeof(m.bytes));

	ck_assert_ptr_null(wire_query(q->bytes, q->len, &wq));
	wr_bytes(&w, q->bytes, wq.head_len);
	memset(m.bytes + 6, 0, 6);
	m.bytes[2] |= 0x84;		/* QR, AA */
	m.bytes[3] = (uint8_t)(m.bytes[3] | 0x80 | rcode);
	for (size_t i = 0; i < n && recs[i].section != 0; i++) {
		m.bytes[5 + 2 * recs[i].section]++;
		wr_bytes(&w, recs[i].type == WIRE_OPT ? "\0" : "\xc0\x0c", recs[i].type == WIRE_OPT ? 1 : 2);
		wr_be16(&w, recs[i].type);
		wr_be16(&w, WIRE_IN);
		wr_be32(&w, recs[i].ttl);
		wr_be16(&w, recs[i].len);
		wr_bytes(&w, recs[i].data, recs[i].len);
	}
	ck_assert(!w.bad);
	m.len = (size_t)(w.p - m.bytes);
	return m;
}

static bool
key_of(struct cache_key *k, const struct message *q, const struct addr *server)
{
	struct wire_query wq;

	return wire_query(q->bytes, q->len, &wq) == NULL && cache_key(k, q->bytes, q->len, &wq, server);
}

static void
put(struct cache *c, const struct message *q, const struct message *a, uint64_t now)
{
	struct wire_query wq;
	struct cache_key k;

	ck_assert(key_of(&k, q, NULL));
	wire_query(q->bytes, q->len, &wq);
	cache_put(c, &k, &wq, a->bytes, a->len, &by, now);
}

static bool
get(struct cache *c, const struct message *q, uint64_t now, struct message *out)
{
	struct wire_query wq;
	struct cache_key k;
	struct addr from;
	uint8_t *msg;

	ck_assert(key_of(&k, q, NULL));
	wire_query(q->bytes, q->len, &wq);
	msg = cache_get(c, &k, q->bytes, &wq, now, &out->len, &from);
	if (msg == NULL)
		return false;
	ck_assert(addr_equal(&from, &by));
	memcpy(out->bytes, msg, out->len);
	free(msg);
	ck_assert(wire_answers(out->bytes, out->len, q->bytes, &wq));
	return true;
}

static uint32_t
first_ttl(const struct message *m)
{
	struct wire_record rec;
	struct wire_walk w;

	wire_walk(&w, m->bytes, m->len);
	ck_assert(wire_next(&w, &rec));
	return rec.ttl;
}

/* ---- how long ---- */

static const struct {
	uint8_t		rcode;
	uint32_t	life;
	struct rec	recs[5];
} lives[] = {
	{ 0, 300, { ADDRESS(300) } },
	{ 0, 60, { ADDRESS(300), ADDRESS(60), OPT } },
	{ 0, 20, { ALIAS(20), ADDRESS(60) } },
	{ 0, 5, { ADDRESS(300), { 3, 1, 5, "\1\2\3\4", 4 } } },
	{ 0, 0, { ADDRESS(0) } },
	{ 0, 0, { ADDRESS(0x80000000) } },		/* RFC 2181 8 */
	{ 0, 86400, { ADDRESS(31536000) } },
	/* there is none: RFC 2308 5 */
	{ 3, 30, { SOA(3600, "\0\0\0\x1e") } },
	{ 3, 20, { SOA(20, "\0\0\0\x1e") } },
	{ 3, 10800, { SOA(86400, "\0\1\x51\x80") } },
	{ 3, 0, { SOA(3600, "\0\0\0\0") } },
	{ 3, 0, { { 0 } } },
	{ 0, 30, { SOA(3600, "\0\0\0\x1e") } },
	{ 0, 0, { { 0 } } },
	{ 0, 0, { { 2, 2, 3600, "\1a\0", 3 } } },	/* a referral */
	{ 0, 0, { ALIAS(60) } },			/* an alias of nothing, without an SOA */
	{ 0, 30, { ALIAS(60), SOA(3600, "\0\0\0\x1e") } },
	{ 3, 30, { ALIAS(60), SOA(3600, "\0\0\0\x1e") } },
	{ 3, 0, { { 2, 6, 60, "\0\0\0\x1e", 4 } } },	/* that is no SOA */
	/* errors, and what is signed for one transaction */
	{ 2, 0, { ADDRESS(300) } }, { 1, 0, { ADDRESS(300) } }, { 5, 0, { ADDRESS(300) } },
	{ 0, 0, { ADDRESS(300), { 3, 250, 0, "", 0 } } },
	{ 0, 0, { ADDRESS(300), OPT, { 3, 1, 60, "\1\2\3\4", 4 } } },
	{ 0, 0, { ADDRESS(300), { 3, 41, 0x01000000, "", 0 } } },	/* BADVERS */
};

START_TEST(an_answer_lives_as_long_as_it_says)
{
	struct message q = question(RD << 8, "a", WIRE_A, NULL);
	struct message a = answer(&q, lives[_i].rcode, lives[_i].recs, 5);
	struct wire_query wq;

	ck_assert_ptr_null(wire_query(q.bytes, q.len, &wq));
	ck_assert_uint_eq(cache_life(a.bytes, a.len, &wq), lives[_i].life);
	/* cut short anywhere, or with something behind it, it is not kept */
	for (size_t n = 0; n < a.len; n++)
		ck_assert_uint_eq(cache_life(a.bytes, n, &wq), 0);
	ck_assert_uint_eq(cache_life(a.bytes, a.len + 1, &wq), 0);
	a.bytes[2] |= 0x02;
	ck_assert_uint_eq(cache_life(a.bytes, a.len, &wq), 0);
}
END_TEST

START_TEST(ttls_count_down_and_then_it_is_gone)
{
	static const struct rec recs[] = { ADDRESS(300), ADDRESS(60) };
	struct message q = question(RD << 8, "a", WIRE_A, NULL), out;
	struct message a = answer(&q, 0, recs, COUNT(recs));
	struct cache *c = cache_new(10);

	ck_assert(!get(c, &q, 0, &out));
	put(c, &q, &a, 1000);
	ck_assert(get(c, &q, 1000, &out));
	ck_assert_uint_eq(first_ttl(&out), 300);
	ck_assert_uint_eq(out.bytes[2] & 0x04, 0);	/* AA */
	ck_assert(get(c, &q, 1000 + 59999, &out));
	ck_assert_uint_eq(first_ttl(&out), 241);
	ck_assert(!get(c, &q, 1000 + 60000, &out));
	ck_assert_uint_eq(cache_count(c), 0);
	ck_assert_uint_eq(cache_bytes(c), 0);
	cache_free(c);
}
END_TEST

START_TEST(that_there_is_none_counts_down_from_what_the_soa_says)
{
	static const struct rec recs[] = { SOA(3600, "\0\0\0\x1e") };
	struct message q = question(RD << 8, "a", WIRE_A, NULL), out;
	struct message a = answer(&q, 3, recs, COUNT(recs));
	struct cache *c = cache_new(10);

	put(c, &q, &a, 0);
	ck_assert(get(c, &q, 10000, &out));
	ck_assert_uint_eq(first_ttl(&out), 20);
	ck_assert_uint_eq(out.bytes[3] & 0x0f, 3);
	ck_assert(!get(c, &q, 30000, &out));
	cache_free(c);
}
END_TEST

/* ---- for whom ---- */

START_TEST(the_question_comes_back_as_it_is_asked_now)
{
	static const struct rec recs[] = { ADDRESS(300), OPT };
	struct message q = question(RD << 8, "name", WIRE_A, ""), out;
	struct message again = question(RD << 8, "nAmE", WIRE_A, "\14\0\12\0\10cookie!!");
	struct message a = answer(&q, 0, recs, COUNT(recs));
	struct cache *c = cache_new(10);
	struct wire_answer wa;

	put(c, &q, &a, 0);
	wire_set_id(again.bytes, 0x1234);
	ck_assert(get(c, &again, 0, &out));
	ck_assert_uint_eq(wire_id(out.bytes), 0x1234);
	ck_assert_int_eq(memcmp(out.bytes + 13, "nAmE", 4), 0);
	wire_answer(out.bytes, out.len, &wa);
	ck_assert_uint_eq(wa.naddrs, 1);
	ck_assert_uint_eq(wa.opt_len, 11);		/* one OPT, and no cookie in it */
	ck_assert_uint_eq(out.bytes[11], 1);
	cache_free(c);
}
END_TEST

START_TEST(each_bit_that_counts_is_another_question)
{
	static const struct addr other = { .family = 4, .port = 53, .ip = { 192, 0, 2, 1 } },
	    port = { .family = 4, .port = 54, .ip = { 192, 0, 2, 1 } };
	struct message q[] = {
		question(0, "a", WIRE_A, NULL), question(RD << 8, "a", WIRE_A, NULL),
		question(AD, "a", WIRE_A, NULL), question(CD, "a", WIRE_A, NULL),
		question(0, "a", WIRE_AAAA, NULL), question(0, "b", WIRE_A, NULL),
		question(0, "a", WIRE_A, ""), question(0, "a", WIRE_A, ""),
		question(0, "a", WIRE_A, NULL), question(0, "a", WIRE_A, NULL),
		question(0, "a", 64, NULL)
	};
	const struct addr *servers[COUNT(q)] = { [8] = &other, [9] = &port };
	struct cache_key k[COUNT(q)];

	q[7].bytes[q[7].len - 4] = 0x80;		/* DO */
	for (size_t i = 0; i < COUNT(q); i++) {
		ck_assert(key_of(&k[i], &q[i], servers[i]));
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(k[i].len != k[j].len ||
			    memcmp(k[i].bytes, k[j].bytes, k[i].len) != 0, "%zu is %zu", i, j);
	}
}
END_TEST

static const struct {
	uint16_t	 flags, type;
	const char	*opt;
	bool		 good;
} asked[] = {
	{ 0, WIRE_A, NULL, true }, { 0, WIRE_A, "", true },
	{ 0, WIRE_A, "\4\0\12\0\0", true },		/* cookie */
	{ 0, WIRE_A, "\6\0\14\0\2\0\0", true },		/* padding */
	{ 0, WIRE_A, "\4\0\3\0\0", false },		/* NSID */
	{ 0, WIRE_A, "\13\0\10\0\7\0\1\30\0\300\0\2", false },	/* client subnet */
	{ 0, WIRE_A, "\3\0\12\0", false },		/* half an option */
	{ 0, WIRE_AXFR, NULL, false }, { 0, WIRE_IXFR, NULL, false }, { 0, 255, NULL, false },
	{ 0x2800, WIRE_A, NULL, false },		/* UPDATE */
};

START_TEST(what_asks_for_more_than_an_answer_is_not_for_the_cache)
{
	struct message q = question(asked[_i].flags, "a", asked[_i].type, asked[_i].opt);
	struct cache_key k;

	ck_assert_int_eq(key_of(&k, &q, NULL), asked[_i].good);
}
END_TEST

/* ---- how much ---- */

START_TEST(entries_are_bounded_and_the_one_unused_for_longest_goes)
{
	static const struct rec recs[] = { ADDRESS(300) };
	struct cache *c = cache_new(3);
	struct message q[4], a, out;

	for (int i = 0; i < 4; i++) {
		q[i] = question(0, (const char *[]){ "a", "b", "c", "d" }[i], WIRE_A, NULL);
		a = answer(&q[i], 0, recs, 1);
		if (i == 3)
			ck_assert(get(c, &q[0], 0, &out));
		put(c, &q[i], &a, 0);
	}
	ck_assert_uint_eq(cache_count(c), 3);
	ck_assert(get(c, &q[0], 0, &out));
	ck_assert(!get(c, &q[1], 0, &out));
	ck_assert(get(c, &q[2], 0, &out));
	ck_assert(get(c, &q[3], 0, &out));
	cache_clear(c);
	ck_assert_uint_eq(cache_bytes(c), 0);
	ck_assert(!get(c, &q[0], 0, &out));
	cache_free(c);
}
END_TEST

START_TEST(bytes_are_bounded_whatever_the_answers)
{
	static char big[4000];
	const struct rec recs[] = { { 1, 16, 300, big, sizeof(big) } };
	struct cache *c = cache_new(1000);
	char name[16];

	for (int i = 0; i < 20000; i++) {
		struct message q, a;

		snprintf(name, sizeof(name), "n%d", i);
		q = question(0, name, 16, NULL);
		a = answer(&q, 0, recs, 1);
		put(c, &q, &a, 0);
		ck_assert_uint_le(cache_bytes(c), 1000 * CACHE_ENTRY_MEAN);
		ck_assert_uint_le(cache_count(c), 1000);
	}
	ck_assert_uint_gt(cache_count(c), 200);
	cache_free(c);
}
END_TEST

START_TEST(a_newer_answer_replaces_and_one_that_may_not_be_kept_removes)
{
	static const struct rec one[] = { ADDRESS(300) }, two[] = { ADDRESS(100) }, none[] = { ADDRESS(0) };
	struct message q = question(0, "a", WIRE_A, NULL), a, out;
	struct cache *c = cache_new(3);

	a = answer(&q, 0, one, 1), put(c, &q, &a, 0);
	a = answer(&q, 0, two, 1), put(c, &q, &a, 0);
	ck_assert_uint_eq(cache_count(c), 1);
	ck_assert(get(c, &q, 0, &out));
	ck_assert_uint_eq(first_ttl(&out), 100);
	a = answer(&q, 0, none, 1), put(c, &q, &a, 0);
	ck_assert(!get(c, &q, 0, &out));
	cache_free(c);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("cache");

	tcase_add_loop_test(tc, an_answer_lives_as_long_as_it_says, 0, COUNT(lives));
	tcase_add_test(tc, ttls_count_down_and_then_it_is_gone);
	tcase_add_test(tc, that_there_is_none_counts_down_from_what_the_soa_says);
	tcase_add_test(tc, the_question_comes_back_as_it_is_asked_now);
	tcase_add_test(tc, each_bit_that_counts_is_another_question);
	tcase_add_loop_test(tc, what_asks_for_more_than_an_answer_is_not_for_the_cache, 0, COUNT(asked));
	tcase_add_test(tc, entries_are_bounded_and_the_one_unused_for_longest_goes);
	tcase_add_test(tc, bytes_are_bounded_whatever_the_answers);
	tcase_add_test(tc, a_newer_answer_replaces_and_one_that_may_not_be_kept_removes);
	return unit_run("cache", tc);
}

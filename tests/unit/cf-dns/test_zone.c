/*
 * test_zone.c - where a zone transfer ends, however it is cut into messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <string.h>

#include "zone.h"

static uint8_t	query[512], msg[4096];
static size_t	query_len;
static struct wire_query wq;

static const uint8_t apex[] = "\4zOne\4test";	/* its last byte is the empty label */
static const uint8_t elsewhere[] = "\3sub\xc0\x0c";

static void
soa_put(struct wr *w, const uint8_t *owner, size_t owner_len, uint32_t serial)
{
	wr_bytes(w, owner, owner_len);
	wr_bytes(w, "\0\6\0\1\0\0\0\x3c\0\x1b", 10);
	wr_bytes(w, "\2ns\xc0\x0c", 5);
	wr_bytes(w, "\0", 1);
	wr_be32(w, serial);
	wr_bytes(w, "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1" "junk!", 17);
}

static void
ask(uint16_t type, bool has_old, uint32_t old)
{
	struct wr w = wr_over(query, sizeof(query));

	wr_bytes(&w, "\0\7\0\0\0\1\0\0\0\0\0\0", 12);
	query[9] = has_old;
	wr_bytes(&w, apex, sizeof(apex));
	wr_be16(&w, type);
	wr_be16(&w, WIRE_IN);
	if (has_old)
		soa_put(&w, (const uint8_t *)"\xc0\x0c", 2, old);
	query_len = (size_t)(w.p - query);
	ck_assert_ptr_null(wire_query(query, query_len, &wq));
}

/*
 * A letter is a record: 'a' an address; a digit SOA with that serial; 's' SOA of another name, 'S'
 * one with the apex in full and in other letters; '!' an SOA that is cut short.
 */
static size_t
message(const char *records)
{
	static const uint8_t other_letters[] = "\4ZoNE\4TEST";
	struct wr w = wr_over(msg, sizeof(msg));

	wr_bytes(&w, "\0\7\x84\0\0\1\0\0\0\0\0\0", 12);
	msg[7] = (uint8_t)strlen(records);
	wr_bytes(&w, query + 12, wq.head_len - 12u);
	for (; *records != '\0'; records++)
		if (*records == 'a')
			wr_bytes(&w, "\1h\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x0a", 18);
		else if (*records == 's')
			soa_put(&w, elsewhere, sizeof(elsewhere) - 1, 9);
		else if (*records == 'S')
			soa_put(&w, other_letters, sizeof(other_letters), 9);
		else if (*records == '!')
			wr_bytes(&w, "\xc0\x0c\0\6\0\1\0\0\0\x3c\0\5\0\0\0\0\1", 17);
		else
			soa_put(&w, (const uint8_t *)"\xc0\x0c", 2, (uint32_t)(*records - '0'));
	ck_assert(!w.bad);
	return (size_t)(w.p - msg);
}

/* Messages are divided by spaces; each but the last is to be ZONE_MORE. */
static const struct {
	uint16_t	 type;
	int		 old;		/* -1: none */
	const char	*messages;
	enum zone_is	 last;
} transfers[] = {
	{ WIRE_AXFR, -1, "9aa9", ZONE_LAST },
	{ WIRE_AXFR, -1, "99", ZONE_LAST },
	{ WIRE_AXFR, -1, "9 9", ZONE_LAST },
	{ WIRE_AXFR, -1, "9 a a a 9", ZONE_LAST },
	{ WIRE_AXFR, -1, "9a sa aas S", ZONE_LAST },
	{ WIRE_AXFR, -1, "9a a aaa", ZONE_MORE },
	{ WIRE_AXFR, -1, "9  a 9", ZONE_LAST },		/* an empty one */
	{ WIRE_AXFR, -1, "S a 9", ZONE_LAST },
	{ WIRE_AXFR, -1, "aa9", ZONE_LAST },		/* no transfer */
	{ WIRE_AXFR, -1, "s", ZONE_LAST },
	{ WIRE_AXFR, -1, "", ZONE_LAST },
	{ WIRE_AXFR, -1, "!", ZONE_BAD },
	{ WIRE_AXFR, -1, "9a a!", ZONE_BAD },
	{ WIRE_IXFR, 9, "9", ZONE_LAST },		/* nothing new */
	{ WIRE_IXFR, 8, "9", ZONE_MORE },
	{ WIRE_IXFR, 5, "4", ZONE_LAST },
	{ WIRE_IXFR, -1, "9", ZONE_MORE },
	{ WIRE_IXFR, 5, "9aa9", ZONE_LAST },		/* the whole zone */
	{ WIRE_IXFR, 5, "9 a a 9", ZONE_LAST },
	{ WIRE_IXFR, -1, "9a 9", ZONE_LAST },
	{ WIRE_IXFR, 5, "95a9a9", ZONE_LAST },		/* one step */
	{ WIRE_IXFR, 5, "9 5 a 9 a 9", ZONE_LAST },
	{ WIRE_IXFR, 5, "959 9", ZONE_LAST },
	{ WIRE_IXFR, 5, "95a7a 7aa9a 9", ZONE_LAST },	/* two */
	{ WIRE_IXFR, 5, "95 7 7 9", ZONE_MORE },
	{ WIRE_IXFR, 5, "95a9", ZONE_MORE },
};

START_TEST(the_end_is_where_it_is)
{
	const char *p = transfers[_i].messages;
	char one[64];
	enum zone_is is;
	struct zone z;

	ask(transfers[_i].type, transfers[_i].old >= 0, (uint32_t)transfers[_i].old);
	zone_init(&z, query, query_len, &wq);
	for (;;) {
		size_t n = strcspn(p, " ");

		memcpy(one, p, n);
		one[n] = '\0';
		is = zone_next(&z, msg, message(one));
		if (p[n] == '\0')
			break;
		ck_assert_msg(is == ZONE_MORE, "%s: ends at %s", transfers[_i].messages, p);
		p += n + 1;
	}
	ck_assert_msg(is == transfers[_i].last, "%s: %d", transfers[_i].messages, is);
}
END_TEST

/* Serials go round (RFC 1982). */
START_TEST(a_serial_is_newer_by_less_than_half_the_way_round)
{
	static const struct { uint32_t old, add; enum zone_is is; } serials[] = {
		{ 0xffffffff, 1, ZONE_MORE }, { 1, 0xffffffff, ZONE_LAST }, { 7, 0, ZONE_LAST },
		{ 7, 0x7fffffff, ZONE_MORE }, { 7, 0x80000000, ZONE_LAST },
	};
	struct zone z;
	struct wr w;

	for (size_t i = 0; i < COUNT(serials); i++) {
		size_t len;

		ask(WIRE_IXFR, true, serials[i].old);
		zone_init(&z, query, query_len, &wq);
		ck_assert(z.has_old && z.old_serial == serials[i].old);
		len = message("1");
		w = wr_over(msg + len - 21, 4);
		wr_be32(&w, serials[i].old + serials[i].add);
		ck_assert_int_eq(zone_next(&z, msg, len), serials[i].is);
	}
}
END_TEST

START_TEST(an_error_is_the_end)
{
	struct zone z;
	size_t len;

	ask(WIRE_AXFR, false, 0);
	zone_init(&z, query, query_len, &wq);
	ck_assert_int_eq(zone_next(&z, msg, message("9a")), ZONE_MORE);
	len = message("");
	msg[3] |= WIRE_SERVFAIL;
	ck_assert_int_eq(zone_next(&z, msg, len), ZONE_LAST);
}
END_TEST

START_TEST(what_is_cut_short_is_bad)
{
	struct zone first, z;
	size_t len;

	ask(WIRE_AXFR, false, 0);
	zone_init(&first, query, query_len, &wq);
	ck_assert_int_eq(zone_next(&first, msg, message("9a")), ZONE_MORE);
	len = message("aa9");
	for (size_t n = WIRE_HEADER_LEN; n < len; n++) {
		z = first;
		ck_assert_int_eq(zone_next(&z, msg, n), ZONE_BAD);
	}
	z = first;
	ck_assert_int_eq(zone_next(&z, msg, len + 1), ZONE_BAD);
	z = first;
	ck_assert_int_eq(zone_next(&z, msg, len), ZONE_LAST);
}
END_TEST

START_TEST(later_messages_may_leave_out_the_question_and_nothing_else)
{
	uint8_t m[] = "\0\7\x84\0\0\0\0\0\0\0\0\0";
	size_t len;

	ask(WIRE_AXFR, false, 0);
	len = message("a");
	ck_assert(zone_answers(msg, len, query, &wq));
	msg[13] ^= 1;
	ck_assert(!zone_answers(msg, len, query, &wq));
	ck_assert(zone_answers(m, 12, query, &wq));
	ck_assert(!zone_answers(m, 11, query, &wq));
	for (size_t bit = 0; bit < 6 * 8; bit++) {
		if (bit / 8 >= 2 && bit / 8 < 4 && (bit / 8 == 3 || bit % 8 < 3))
			continue;		/* AA, TC, RD; RA, AD, CD, code */
		m[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_msg(!zone_answers(m, 12, query, &wq), "bit %zu", bit);
		m[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

START_TEST(only_these_types_ask_for_one)
{
	for (uint32_t type = 0; type < 65536; type++) {
		ask((uint16_t)type, false, 0);
		ck_assert_int_eq(zone_asked(&wq), type == WIRE_AXFR || type == WIRE_IXFR);
	}
	wq.qtype = WIRE_AXFR;
	wq.opcode = 4;
	ck_assert(!zone_asked(&wq));
	wq.opcode = 0;
	wq.question = false;
	ck_assert(!zone_asked(&wq));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("zone");

	tcase_add_loop_test(tc, the_end_is_where_it_is, 0, (int)COUNT(transfers));
	tcase_add_test(tc, a_serial_is_newer_by_less_than_half_the_way_round);
	tcase_add_test(tc, an_error_is_the_end);
	tcase_add_test(tc, what_is_cut_short_is_bad);
	tcase_add_test(tc, later_messages_may_leave_out_the_question_and_nothing_else);
	tcase_add_test(tc, only_these_types_ask_for_one);
	return unit_run("zone", tc);
}

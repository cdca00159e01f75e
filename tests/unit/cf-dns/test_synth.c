/*
 * test_synth.c - names and their numbers, real addresses, reverse names, and the messages
 * that are composed of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../main.h"
#include "compose.h"
#include "name.h"
#include "synth.h"

static struct synth *s;

static void
setup(void)
{
	ck_assert_ptr_nonnull(s = synth_new());
}

static void
teardown(void)
{
	synth_free(s);
}

START_TEST(name_keeps_its_number)
{
	bool fresh;

	ck_assert_uint_eq(synth_find(s, "a.test"), 0);
	ck_assert_uint_eq(synth_number(s, "a.test", &fresh), 1);
	ck_assert(fresh);
	ck_assert_uint_eq(synth_number(s, "b.test", &fresh), 2);
	ck_assert(fresh);
	ck_assert_uint_eq(synth_number(s, "a.test", &fresh), 1);
	ck_assert(!fresh);
	ck_assert_uint_eq(synth_find(s, "b.test"), 2);
	ck_assert_str_eq(synth_name(s, 1), "a.test");
	ck_assert_ptr_null(synth_name(s, 0));
	ck_assert_ptr_null(synth_name(s, 3));
	ck_assert_ptr_null(synth_name(s, UINT32_MAX));
}
END_TEST

/* As many as there are addresses, and what is there stays when there are no more. */
START_TEST(numbers_are_used_up_and_never_given_twice)
{
	char name[32];
	bool fresh;

	for (uint32_t i = 1; i <= SYNTHETIC_MAX; i++) {
		snprintf(name, sizeof(name), "%u.test", i);
		ck_assert_uint_eq(synth_number(s, name, &fresh), i);
	}
	ck_assert_uint_eq(synth_number(s, "more.test", &fresh), 0);
	ck_assert(!fresh);
	ck_assert_uint_eq(synth_find(s, "more.test"), 0);
	for (uint32_t i = 1; i <= SYNTHETIC_MAX; i++) {
		snprintf(name, sizeof(name), "%u.test", i);
		ck_assert_uint_eq(synth_number(s, name, &fresh), i);
		ck_assert_str_eq(synth_name(s, i), name);
	}
}
END_TEST

START_TEST(long_names_use_them_up_sooner)
{
	char name[256];
	uint32_t n = 0;
	bool fresh;

	memset(name, 'x', 255);
	name[255] = '\0';
	do {
		snprintf(name, 9, "%08u", n);
		name[8] = 'x';
	} while (synth_number(s, name, &fresh) != 0 && ++n < SYNTHETIC_MAX);
	ck_assert_uint_eq(n, SYNTH_BYTES / 256);
}
END_TEST

START_TEST(real_addresses_are_kept_for_their_time)
{
	struct addr in[12], out[SYNTH_ADDRS];

	for (size_t i = 0; i < 12; i++)
		in[i] = (struct addr){ .family = i % 3 == 0 ? 6 : 4, .ip = { 192, 0, 2, (uint8_t)i } };
	synth_keep(s, 7, 4, in, 12, 1000);
	ck_assert_uint_eq(synth_real(s, 7, 4, 999, out), SYNTH_ADDRS);
	ck_assert_uint_eq(out[0].ip[3], 1);
	ck_assert_uint_eq(out[1].ip[3], 2);
	ck_assert_uint_eq(out[2].ip[3], 4);
	ck_assert_uint_eq(synth_real(s, 7, 4, 1000, out), 0);
	ck_assert_uint_eq(synth_real(s, 7, 6, 999, out), 0);
	ck_assert_uint_eq(synth_real(s, 8, 4, 999, out), 0);
	ck_assert_uint_eq(synth_real(s, 0, 4, 0, out), 0);
	synth_keep(s, 7, 6, in, 12, 1000);
	ck_assert_uint_eq(synth_real(s, 7, 6, 999, out), 4);
	ck_assert_uint_eq(synth_real(s, 7, 4, 999, out), SYNTH_ADDRS);
}
END_TEST

/* The place is another's then; the number's addresses are not known, and not the other's. */
START_TEST(numbers_that_share_a_place_do_not_mix)
{
	struct addr a = { .family = 4, .ip = { 192, 0, 2, 1 } }, out[SYNTH_ADDRS];

	synth_keep(s, 1, 4, &a, 1, 1000);
	synth_keep(s, 1 + SYNTH_REALS / 2, 4, &a, 1, 1000);
	ck_assert_uint_eq(synth_real(s, 1, 4, 0, out), 0);
	ck_assert_uint_eq(synth_real(s, 1 + SYNTH_REALS / 2, 4, 0, out), 1);
}
END_TEST

#define ZEROES8		"0.0.0.0.0.0.0.0."

static const struct {
	const char	*name;
	bool		 ours;
	uint32_t	 number;
} reverses[] = {
	{ "1.0.18.198.in-addr.arpa", true, 1 },
	{ "0.0.19.198.in-addr.arpa", true, 65536 },
	{ "0.0.18.198.in-addr.arpa", true, 0 },
	{ "1.0.20.198.in-addr.arpa", false, 0 },
	{ "01.0.18.198.in-addr.arpa", false, 0 },
	{ "1.0.18.198.in-addr.arpa.test", false, 0 },
	{ "x.1.0.18.198.in-addr.arpa", false, 0 },
	{ "0.18.198.in-addr.arpa", false, 0 },
	{ "999.0.18.198.in-addr.arpa", false, 0 },
	{ "-1.0.18.198.in-addr.arpa", false, 0 },
	{ "1.0.0.0.0.0.0.0." ZEROES8 "2.1.6.c.0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa", true, 1 },
	{ "f.f.f.f.f.f.f.f." ZEROES8 "2.1.6.c.0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa", true, 0 },
	{ "1.0.0.0.0.0.0.0." ZEROES8 "3.1.6.c.0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa", false, 0 },
	{ "1.0.0.0.0.0.0.0." ZEROES8 "2.1.6.c.0.0.0.0.2.0.0.0.1.0.0.g.ip6.arpa", false, 0 },
	{ "0.0.0.0.0.0.0." ZEROES8 "2.1.6.c.0.0.0.0.2.0.0.0.1.0.0.2.ip6.arpa", false, 0 },
	{ "www.test", false, 0 }, { ".", false, 0 },
};

START_TEST(reverse_name_is_of_a_range_or_not)
{
	uint32_t number = 0;

	ck_assert_msg(synth_reverse(reverses[_i].name, &number) == reverses[_i].ours, "%s",
	    reverses[_i].name);
	if (reverses[_i].ours)
		ck_assert_msg(number == reverses[_i].number, "%s: %u", reverses[_i].name, number);
}
END_TEST

/* ---- compose.c ---- */

#define L63	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L61	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"

static const struct {
	const char	*name;
	size_t		 len;		/* 0: none */
} labels[] = {
	{ "a.test", 8 }, { ".", 1 }, { "a", 3 }, { "a\\046b.test", 10 }, { "\\000.\\255", 5 },
	{ L63 "." L63 "." L63 "." L61, 255 },
	{ L63 "." L63 "." L63 "." L61 "x", 0 }, { L63 "." L63 "." L63 "." L61 ".x", 0 },
	{ L63 "x.test", 0 }, { "a..b", 0 }, { ".a", 0 }, { "a.", 0 }, { "a\\04", 0 },
	{ "a\\256", 0 }, { "a\\", 0 }, { "a\\x46", 0 },
};

START_TEST(name_becomes_labels_and_comes_back)
{
	uint8_t out[WIRE_NAME_MAX];
	char again[NAME_STRLEN];
	size_t at = 0, len = compose_labels(out, labels[_i].name);

	ck_assert_msg(len == labels[_i].len, "%s: %zu", labels[_i].name, len);
	if (len == 0)
		return;
	ck_assert_ptr_null(name_from_message(out, len, &at, again));
	ck_assert_uint_eq(at, len);
	ck_assert_str_eq(again, labels[_i].name);
}
END_TEST

START_TEST(query_is_one_that_we_would_pass_on)
{
	uint8_t msg[WIRE_HEAD_MAX];
	size_t len = compose_query(msg, L63 "." L63 "." L63 "." L61, WIRE_AAAA);
	struct wire_query q;

	ck_assert_uint_eq(len, WIRE_HEAD_MAX);
	ck_assert_ptr_null(wire_query(msg, len, &q));
	ck_assert(q.question && !q.edns);
	ck_assert_uint_eq(q.qtype, WIRE_AAAA);
	ck_assert_uint_eq(q.qclass, WIRE_IN);
	ck_assert_uint_eq(msg[2] & 1, 1);		/* RD */
	ck_assert_uint_eq(compose_query(msg, "a..b", WIRE_A), 0);
}
END_TEST

/* With and without EDNS, by the case of the question as it was asked. */
START_TEST(reply_has_the_one_record)
{
	static const uint8_t edns[] = { 0, 0, WIRE_OPT, 4, 0xd0, 0, 0, 0x80, 0, 0, 0 };
	static const uint8_t ip[4] = { 198, 18, 0, 1 };
	uint8_t msg[WIRE_HEAD_MAX + sizeof(edns)], out[COMPOSE_REPLY_MAX];
	size_t len = compose_query(msg, "www.test", WIRE_A), n;
	struct wire_answer a;
	struct wire_query q;

	msg[13] = 'W';
	if (_i == 1) {
		msg[11] = 1;
		memcpy(msg + len, edns, sizeof(edns));
		len += sizeof(edns);
	}
	ck_assert_ptr_null(wire_query(msg, len, &q));
	n = compose_reply(out, msg, &q, 30, ip, sizeof(ip));
	ck_assert(wire_answers(out, n, msg, &q));
	wire_answer(out, n, &a);
	ck_assert_uint_eq(a.rcode, WIRE_NOERROR);
	ck_assert_uint_eq(a.records, 1);
	ck_assert_uint_eq(a.naddrs, 1);
	ck_assert_uint_eq(a.ttl, 30);
	ck_assert_int_eq(memcmp(a.addrs[0].ip, ip, 4), 0);
	ck_assert((a.opt != NULL) == (_i == 1));
	ck_assert_uint_eq(n, q.head_len + 16u + a.opt_len);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("synth");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, name_keeps_its_number);
	tcase_add_test(tc, numbers_are_used_up_and_never_given_twice);
	tcase_add_test(tc, long_names_use_them_up_sooner);
	tcase_add_test(tc, real_addresses_are_kept_for_their_time);
	tcase_add_test(tc, numbers_that_share_a_place_do_not_mix);
	tcase_add_loop_test(tc, reverse_name_is_of_a_range_or_not, 0, COUNT(reverses));
	tcase_add_loop_test(tc, name_becomes_labels_and_comes_back, 0, COUNT(labels));
	tcase_add_test(tc, query_is_one_that_we_would_pass_on);
	tcase_add_loop_test(tc, reply_has_the_one_record, 0, 2);
	return unit_run("synth", tc);
}

/*
 * test_wire.c - DNS messages, also such as nobody sends in good faith.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define LIT(s)		(const uint8_t *)(s), sizeof(s) - 1
#define HEADER(flags, qd, an, ns, ar)	"\x12\x34" flags qd an ns ar
#define QUERY		HEADER("\x01\x10", "\0\1", "\0\0", "\0\0", "\0\0")
#define QUERY_OPT	HEADER("\x01\x10", "\0\1", "\0\0", "\0\0", "\0\1")
#define WWW		"\3wWw\7example\4test\0"
#define A_IN		"\0\1\0\1"
#define OPT(size)	"\0\0\x29" size "\0\0\x80\0\0\0"

START_TEST(queries_are_read_or_refused_with_a_reason)
{
	static const struct { const uint8_t *msg; size_t len; const char *why; } t[] = {
		{ LIT(QUERY WWW A_IN), NULL },
		{ LIT(QUERY "\0" A_IN), NULL },
		{ LIT(QUERY WWW A_IN "trailing"), NULL },
		{ LIT(QUERY_OPT WWW A_IN OPT("\x10\0")), NULL },
		{ LIT(HEADER("\0\0", "\0\0", "\0\0", "\0\0", "\0\0")), NULL },
		{ LIT(HEADER("\x28\0", "\0\1", "\0\0", "\0\1", "\0\0") WWW "\0\6\0\1"
		    WWW "\0\1\0\1\0\0\0\1\0\4\1\2\3\4"), NULL },		/* UPDATE */
		{ LIT("\x12\x34\1"), "shorter than a header" },
		{ LIT(HEADER("\x81\0", "\0\1", "\0\0", "\0\0", "\0\0") WWW A_IN), "not a query" },
		{ LIT(HEADER("\1\0", "\0\2", "\0\0", "\0\0", "\0\0") WWW A_IN WWW A_IN),
		    "more than one question" },
		{ LIT(QUERY), "bad question" },
		{ LIT(QUERY WWW), "bad question" },
		{ LIT(QUERY WWW "\0\1\0"), "bad question" },
		{ LIT(QUERY "\3www"), "bad question" },
		{ LIT(QUERY "\x3f""ab\0" A_IN), "bad question" },
		{ LIT(QUERY "\xc0\x0c" A_IN), "bad question" },		/* itself */
		{ LIT(QUERY "\xc0\x00" A_IN), "bad question" },		/* the header */
		{ LIT(QUERY "\xc0\x10" A_IN A_IN), "bad question" },	/* ahead */
		{ LIT(QUERY "\xc0"), "bad question" },
		{ LIT(QUERY "\1a\xc0\x0c" A_IN), "bad question" },	/* a loop */
		{ LIT(QUERY "\x40" A_IN A_IN), "bad question" },
		{ LIT(QUERY "\x80" A_IN A_IN), "bad question" },
		{ LIT(QUERY_OPT WWW A_IN), "a record does not fit" },
		{ LIT(QUERY_OPT WWW A_IN "\0\0\x29\x10\0\0\0\0\0\0\1"), "a record does not fit" },
		{ LIT(HEADER("\1\0", "\0\1", "\0\0", "\0\0", "\0\2") WWW A_IN OPT("\2\0") OPT("\2\0")),
		    "bad OPT" },
		{ LIT(QUERY_OPT WWW A_IN "\1x" OPT("\2\0")), "bad OPT" },
		{ LIT(HEADER("\1\0", "\0\1", "\xff\xff", "\xff\xff", "\xff\xff") WWW A_IN),
		    "a record does not fit" },
	};
	struct wire_query q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *why = wire_query(t[i].msg, t[i].len, &q);

		if (t[i].why == NULL)
			ck_assert_msg(why == NULL, "%zu: %s", i, why);
		else
			ck_assert_msg(why != NULL && strcmp(why, t[i].why) == 0, "%zu: %s", i, why);
		if (t[i].len >= WIRE_HEADER_LEN)
			ck_assert_uint_eq(q.id, 0x1234);
	}
}
END_TEST

START_TEST(names_of_255_bytes_are_read_and_longer_are_not)
{
	uint8_t msg[512] = QUERY;
	struct wire_query q;
	char name[WIRE_NAME_STRLEN];

	for (size_t over = 0; over < 3; over++) {
		size_t at = 12;

		for (int i = 0; i < 3; i++, at += 64)
			memset(msg + at + 1, 1, msg[at] = 63);
		msg[at] = (uint8_t)(61 + over);
		memset(msg + at + 1, 1, 61 + over);
		at += 62 + over;
		memcpy(msg + at, "\0" A_IN, 5);
		if (over > 0) {
			ck_assert_ptr_nonnull(wire_query(msg, at + 5, &q));
			continue;
		}
		ck_assert_ptr_null(wire_query(msg, at + 5, &q));
		ck_assert_uint_eq(q.head_len, WIRE_HEAD_MAX);
		wire_qname(msg, &q, name);
		ck_assert_uint_eq(strlen(name), 4 * 250 + 3);
	}
}
END_TEST

START_TEST(a_query_says_what_datagram_it_takes)
{
	static const struct { const uint8_t *msg; size_t len; uint16_t size; } t[] = {
		{ LIT(QUERY WWW A_IN), 512 },
		{ LIT(QUERY_OPT WWW A_IN OPT("\0\0")), 512 },
		{ LIT(QUERY_OPT WWW A_IN OPT("\1\xff")), 512 },
		{ LIT(QUERY_OPT WWW A_IN OPT("\2\1")), 513 },
		{ LIT(QUERY_OPT WWW A_IN OPT("\xff\xff")), 65535 },
	};
	struct wire_query q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ck_assert_ptr_null(wire_query(t[i].msg, t[i].len, &q));
		ck_assert_uint_eq(q.udp_size, t[i].size);
		ck_assert_uint_eq(q.qtype, WIRE_A);
		ck_assert_uint_eq(q.qclass, WIRE_IN);
		ck_assert(q.question);
		ck_assert(q.edns == (i > 0) && q.dnssec_ok == (i > 0));
	}
}
END_TEST

#define LONG	"0123456789012345678901234567890123456789012345678901234567890123"

static const struct { bool edns; enum wire_ede code; const char *text; size_t text_len; } denials[] = {
	{ true, WIRE_EDE_BLOCKED, "blocked by --deny", 17 },
	{ true, WIRE_EDE_FILTERED, "", 0 },
	{ true, WIRE_EDE_BLOCKED, LONG "and more", WIRE_EDE_TEXT },
	{ false, WIRE_EDE_BLOCKED, "blocked", 0 },
};

START_TEST(a_denial_says_why_where_there_is_edns)
{
	uint8_t out[WIRE_DENIAL_MAX];
	struct wire_answer a;
	struct wire_query q;
	size_t len, text = denials[_i].text_len;

	if (denials[_i].edns)
		ck_assert_ptr_null(wire_query(LIT(QUERY_OPT WWW A_IN OPT("\x10\0")), &q));
	else
		ck_assert_ptr_null(wire_query(LIT(QUERY WWW A_IN), &q));
	len = wire_denial(out, (const uint8_t *)QUERY_OPT WWW A_IN, &q, WIRE_NXDOMAIN,
	    denials[_i].code, denials[_i].text);
	wire_answer(out, len, &a);
	ck_assert_uint_eq(a.rcode, WIRE_NXDOMAIN);
	ck_assert(wire_answers(out, len, (const uint8_t *)QUERY_OPT WWW A_IN, &q));
	ck_assert((a.opt != NULL) == denials[_i].edns);
	if (!denials[_i].edns)
		return;
	ck_assert_uint_eq(a.opt_len, 11 + 4 + 2 + text);
	ck_assert_uint_eq(a.opt[10], 4 + 2 + text);		/* RDLENGTH */
	ck_assert_mem_eq(a.opt + 11, "\0\x0f\0", 3);
	ck_assert_uint_eq(a.opt[14], 2 + text);
	ck_assert_uint_eq(a.opt[16], denials[_i].code);
	ck_assert_mem_eq(a.opt + 17, denials[_i].text, text);
}
END_TEST

START_TEST(replies_echo_question_and_edns)
{
	static const struct {
		const uint8_t *msg; size_t len; enum wire_rcode rcode; const uint8_t *out; size_t outlen;
	} t[] = {
		{ LIT(QUERY WWW A_IN "junk"), WIRE_SERVFAIL,
		  LIT(HEADER("\x81\x92", "\0\1", "\0\0", "\0\0", "\0\0") WWW A_IN) },
		{ LIT(QUERY_OPT WWW A_IN OPT("\x10\0")), WIRE_NOERROR,
		  LIT(HEADER("\x81\x90", "\0\1", "\0\0", "\0\0", "\0\1") WWW A_IN OPT("\4\xd0")) },
		{ LIT(HEADER("\xff\xff", "\0\1", "\0\0", "\0\0", "\0\0") WWW A_IN), WIRE_FORMERR,
		  LIT(HEADER("\xf9\x91", "\0\0", "\0\0", "\0\0", "\0\0")) },
		{ LIT(QUERY "\xc0\x0c" A_IN), WIRE_FORMERR,
		  LIT(HEADER("\x81\x91", "\0\0", "\0\0", "\0\0", "\0\0")) },
	};
	uint8_t out[WIRE_REPLY_MAX];
	struct wire_query q;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		wire_query(t[i].msg, t[i].len, &q);
		ck_assert_uint_eq(wire_reply(out, t[i].msg, &q, t[i].rcode), t[i].outlen);
		ck_assert_mem_eq(out, t[i].out, t[i].outlen);
	}
}
END_TEST

#define REPLY		HEADER("\x81\x80", "\0\1", "\0\1", "\0\0", "\0\0")
#define REPLY_A		"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xcb\0\x71\x0a"

START_TEST(only_the_answer_to_the_question_answers_it)
{
	static const struct { const uint8_t *msg; size_t len; bool ok; } t[] = {
		{ LIT(REPLY WWW A_IN REPLY_A), true },
		{ LIT(REPLY "\3www\7EXAMPLE\4test\0" A_IN REPLY_A), false },	/* letter case */
		{ LIT(REPLY "\3www\7example\4test\0" A_IN REPLY_A), false },
		{ LIT(REPLY WWW A_IN), true },		/* what follows is for who reads it */
		{ LIT("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" WWW A_IN), false },
		{ LIT(QUERY WWW A_IN), false },
		{ LIT(REPLY WWW "\0\x1c\0\1"), false },
		{ LIT(REPLY WWW "\0\1\0\3"), false },
		{ LIT(REPLY "\3wwx\7example\4test\0" A_IN), false },
		{ LIT(REPLY "\3www\7example\4tes\0" A_IN), false },
		{ LIT(REPLY WWW "\0\1\0"), false },
		{ LIT(REPLY "\xc0\x0c" A_IN), false },
		{ LIT(HEADER("\x81\x80", "\0\2", "\0\0", "\0\0", "\0\0") WWW A_IN WWW A_IN), false },
		{ LIT(HEADER("\xa1\x80", "\0\1", "\0\0", "\0\0", "\0\0") WWW A_IN), false },
		{ LIT(HEADER("\x81\x80", "\0\0", "\0\0", "\0\0", "\0\0")), false },
		{ LIT(HEADER("\x81\x81", "\0\0", "\0\0", "\0\0", "\0\0")), true },	/* FORMERR */
		{ LIT(HEADER("\x81\x83", "\0\0", "\0\0", "\0\0", "\0\0")), false },	/* NXDOMAIN */
		{ LIT("\x12\x34\x81\x81\0\0\0\0\0\0\0"), false },
		{ LIT(""), false },
	};
	static const uint8_t query[] = QUERY WWW A_IN;
	struct wire_query q;

	ck_assert_ptr_null(wire_query(query, sizeof(query) - 1, &q));
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		ck_assert_msg(wire_answers(t[i].msg, t[i].len, query, &q) == t[i].ok, "%zu", i);
}
END_TEST

START_TEST(addresses_of_the_answer_section_are_found)
{
	static const uint8_t msg[] = HEADER("\x81\x80", "\0\1", "\0\4", "\0\1", "\0\2") WWW A_IN
	    "\xc0\x0c\0\5\0\1\0\0\0\5\0\4\1a\xc0\x10"			/* CNAME */
	    "\xc0\x2e\0\1\0\1\0\0\0\5\0\4\xcb\0\x71\x0a"			/* A */
	    "\xc0\x2e\0\x1c\0\1\0\0\0\5\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
	    "\xc0\x2e\0\1\0\1\0\0\0\5\0\3\xcb\0\x71"			/* of three bytes */
	    "\xc0\x10\0\2\0\1\0\0\0\5\0\2\xc0\x0c"
	    "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\1\2\3\4"			/* additional */
	    "\0\0\x29\4\xd0\1\0\0\0\0\0";
	struct wire_answer a;
	char text[ADDR_STRLEN];

	wire_answer(msg, sizeof(msg) - 1, &a);
	ck_assert_uint_eq(a.naddrs, 2);
	ck_assert_str_eq(addr_ip_str(&a.addrs[0], text), "203.0.113.10");
	ck_assert_str_eq(addr_ip_str(&a.addrs[1], text), "2001:db8::1");
	ck_assert_uint_eq(a.records, 4);
	ck_assert_uint_eq(a.rcode, 16);				/* BADVERS */
	ck_assert_uint_eq(a.opt_len, 11);
	for (size_t len = 0; len < sizeof(msg); len++) {	/* no byte is read that is not there */
		uint8_t *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, msg, len);
		wire_answer(copy, len, &a);
		free(copy);
	}
}
END_TEST

START_TEST(more_addresses_than_fit_are_counted)
{
	static uint8_t msg[65535] = HEADER("\x81\x80", "\0\1", "\x0f\x00", "\0\0", "\0\0") WWW A_IN;
	size_t at = 12 + sizeof(WWW) - 1 + 4;
	struct wire_answer a;

	for (int i = 0; i < 0x0f00; i++, at += 16)
		memcpy(msg + at, REPLY_A, 16);
	wire_answer(msg, at, &a);
	ck_assert_uint_eq(a.naddrs, 0x0f00);
	ck_assert_uint_eq(a.addrs[WIRE_ADDRS - 1].ip[3], 10);
}
END_TEST

START_TEST(truncation_keeps_question_and_opt)
{
	static const uint8_t msg[] = HEADER("\x85\xa3", "\0\1", "\0\2", "\0\0", "\0\1") WWW A_IN
	    REPLY_A REPLY_A OPT("\4\xd0");
	static const uint8_t cut[] = HEADER("\x87\xa3", "\0\1", "\0\0", "\0\0", "\0\1") WWW A_IN
	    OPT("\4\xd0");
	uint8_t out[512];
	size_t head = sizeof(cut) - 1 - 11;

	ck_assert_uint_eq(wire_truncate(out, 512, msg, sizeof(msg) - 1), sizeof(cut) - 1);
	ck_assert_mem_eq(out, cut, sizeof(cut) - 1);
	/* Where OPT has no room it goes, then the question. */
	ck_assert_uint_eq(wire_truncate(out, head + 10, msg, sizeof(msg) - 1), head);
	ck_assert_uint_eq(out[11], 0);
	ck_assert_uint_eq(wire_truncate(out, head - 1, msg, sizeof(msg) - 1), 12 + 11);
	ck_assert_uint_eq(wire_truncate(out, 12, msg, sizeof(msg) - 1), 12);
	ck_assert_uint_eq(out[5], 0);
}
END_TEST

START_TEST(names_are_written_so_that_they_do_nothing)
{
	static const struct { const uint8_t *msg; size_t len; const char *text; } t[] = {
		{ LIT(QUERY WWW A_IN), "www.example.test" },
		{ LIT(QUERY "\0" A_IN), "." },
		{ LIT(QUERY "\3a.b\1c\0" A_IN), "a\\.b.c" },
		{ LIT(QUERY "\4\\\"$;\0" A_IN), "\\\\\\\"\\$\\;" },
		{ LIT(QUERY "\3\0\x1b\xff\0" A_IN), "\\000\\027\\255" },
		{ LIT(QUERY "\3A b\0" A_IN), "a\\032b" },
		{ LIT(QUERY "\xa_sip-_tcp1\0" A_IN), "_sip-_tcp1" },
		{ LIT(QUERY), "" },
	};
	struct wire_query q;
	char name[WIRE_NAME_STRLEN];

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		wire_query(t[i].msg, t[i].len, &q);
		ck_assert_str_eq(wire_qname(t[i].msg, &q, name), t[i].text);
	}
}
END_TEST

START_TEST(types_and_codes_have_names_or_numbers)
{
	char buf[WIRE_LABEL_LEN];

	ck_assert_str_eq(wire_type_name(1, buf), "A");
	ck_assert_str_eq(wire_type_name(65, buf), "HTTPS");
	ck_assert_str_eq(wire_type_name(65535, buf), "TYPE65535");
	ck_assert_str_eq(wire_rcode_name(3, buf), "NXDOMAIN");
	ck_assert_str_eq(wire_rcode_name(4095, buf), "RCODE4095");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wire");
	TCase *tc = tcase_create("wire");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, queries_are_read_or_refused_with_a_reason);
	tcase_add_test(tc, names_of_255_bytes_are_read_and_longer_are_not);
	tcase_add_test(tc, a_query_says_what_datagram_it_takes);
	tcase_add_test(tc, replies_echo_question_and_edns);
	tcase_add_loop_test(tc, a_denial_says_why_where_there_is_edns, 0,
	    sizeof(denials) / sizeof(denials[0]));
	tcase_add_test(tc, only_the_answer_to_the_question_answers_it);
	tcase_add_test(tc, addresses_of_the_answer_section_are_found);
	tcase_add_test(tc, more_addresses_than_fit_are_counted);
	tcase_add_test(tc, truncation_keeps_question_and_opt);
	tcase_add_test(tc, names_are_written_so_that_they_do_nothing);
	tcase_add_test(tc, types_and_codes_have_names_or_numbers);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

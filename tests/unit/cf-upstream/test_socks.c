/*
 * test_socks.c - SOCKS5, byte for byte, and what may come back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "socks.h"

START_TEST(requests_are_these_bytes)
{
	static const struct addr v4 = { .family = 4, .port = 0x1234, .ip = { 192, 0, 2, 1 } };
	static const struct addr v6 = { .family = 6, .port = 443,
	    .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	uint8_t out[SOCKS_REQUEST_MAX];
	char longest[256];

	ck_assert_uint_eq(socks_hello(out, false), 3);
	ck_assert_int_eq(memcmp(out, "\x05\x01\x00", 3), 0);
	ck_assert_uint_eq(socks_hello(out, true), 4);
	ck_assert_int_eq(memcmp(out, "\x05\x02\x00\x02", 4), 0);
	ck_assert_uint_eq(socks_auth(out, "user", "pw"), 9);
	ck_assert_int_eq(memcmp(out, "\x01\x04user\x02pw", 9), 0);
	memset(longest, 'x', 255);
	longest[255] = '\0';
	ck_assert_uint_eq(socks_auth(out, longest, longest), 513);
	ck_assert_uint_eq(socks_request(out, SOCKS_CONNECT, &v4, NULL), 10);
	ck_assert_int_eq(memcmp(out, "\x05\x01\x00\x01\xc0\x00\x02\x01\x12\x34", 10), 0);
	ck_assert_uint_eq(socks_request(out, SOCKS_ASSOCIATE, &v6, ""), 22);
	ck_assert_int_eq(memcmp(out, "\x05\x03\x00\x04\x20\x01\x0d\xb8", 8), 0);
	ck_assert_uint_eq(socks_request(out, SOCKS_CONNECT, &v6, "a.onion"), 14);
	ck_assert_int_eq(memcmp(out, "\x05\x01\x00\x03\x07""a.onion\x01\xbb", 14), 0);
}
END_TEST

/* However an answer is cut, never more is wanted than it has. */
START_TEST(an_answer_tells_its_own_length)
{
	static const struct { const uint8_t bytes[8]; size_t want; } replies[] = {
		{ { 5, 0, 0, 1 }, 10 }, { { 5, 0, 0, 4 }, 22 }, { { 5, 0, 0, 3, 0 }, 7 },
		{ { 5, 0, 0, 3, 255 }, SOCKS_REPLY_MAX }, { { 5, 0, 0, 2 }, 0 }, { { 5, 0, 0, 0 }, 0 },
	};

	for (size_t i = 0; i < COUNT(replies); i++)
		for (size_t have = 0; have < 300; have++)
			ck_assert_uint_eq(socks_reply_len(replies[i].bytes, have),
			    have < 5 ? 5 : replies[i].want);
	ck_assert_uint_eq(socks_method_len(NULL, 0), 2);
	ck_assert_uint_eq(socks_auth_len(NULL, 0), 2);
}
END_TEST

START_TEST(a_login_is_only_made_where_there_is_one)
{
	enum socks_method m;
	uint8_t p[2] = { 5, 0 };
	int err;

	for (int method = 0; method < 256; method++) {
		p[1] = (uint8_t)method;
		for (int auth = 0; auth < 2; auth++)
			ck_assert_int_eq(socks_method(p, auth, &m, &err) == NULL,
			    method == 0 || (method == 2 && auth));
	}
	p[1] = 0;
	for (int version = 0; version < 256; version++) {
		p[0] = (uint8_t)version;
		ck_assert_int_eq(socks_method(p, true, &m, &err) == NULL, version == 5);
	}
	for (int status = 0; status < 256; status++) {
		p[1] = (uint8_t)status;
		ck_assert_int_eq(socks_auth_answer(p, &err) == NULL, status == 0);
	}
}
END_TEST

START_TEST(replies_have_words_and_an_errno)
{
	uint8_t p[SOCKS_REPLY_MAX] = { 5, 0, 0, 1, 192, 0, 2, 9, 0x12, 0x34 };
	struct addr a;
	int err;

	ck_assert_ptr_null(socks_reply(p, 10, &a, &err));
	ck_assert(a.family == 4 && a.port == 0x1234 && a.ip[3] == 9);
	for (size_t cut = 4; cut < 10; cut++) {
		uint8_t *exact = malloc(cut);

		memcpy(exact, p, cut);
		ck_assert_ptr_nonnull(socks_reply(exact, cut, &a, &err));
		free(exact);
	}
	for (int code = 1; code < 256; code++) {
		p[1] = (uint8_t)code;
		ck_assert_ptr_nonnull(socks_reply(p, 10, &a, &err));
		ck_assert(err == ECONNREFUSED || err == EHOSTUNREACH || err == ENETUNREACH);
	}
	memcpy(p, "\x05\x00\x00\x03\x02""ab\x12\x34", 9);
	ck_assert_ptr_null(socks_reply(p, 9, &a, &err));
	ck_assert(a.family == 0 && a.port == 0x1234);
	p[0] = 4;
	ck_assert_ptr_nonnull(socks_reply(p, 9, &a, &err));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("socks");

	tcase_add_test(tc, requests_are_these_bytes);
	tcase_add_test(tc, an_answer_tells_its_own_length);
	tcase_add_test(tc, a_login_is_only_made_where_there_is_one);
	tcase_add_test(tc, replies_have_words_and_an_errno);
	return unit_run("socks", tc);
}

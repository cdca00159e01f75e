/*
 * test_request.c - what clients of a proxy ask for, what goes on of it, and what is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "lookup.h"
#include "request.h"

static char	head[REQUEST_MAX];
static size_t	head_len;

#define CL	"Content-Length: "
#define GET	"GET http://a.test/ HTTP/1.1\r\n"

/* What goes on: NULL where it is a tunnel. */
static const struct {
	const char	*in, *host, *out;
	uint16_t	 port;
	uint64_t	 body;
} good[] = {
	{ "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n", "a.test", NULL, 443, REQUEST_ENDLESS },
	{ "CONNECT [::1]:1 HTTP/1.0\r\n\r\n", "", NULL, 1, REQUEST_ENDLESS },
	{ "GET http://A.Test HTTP/1.1\r\n\r\n", "a.test",
	  "GET / HTTP/1.1\r\nHost: A.Test\r\nConnection: close\r\n\r\n", 80, 0 },
	{ "GET HTTP://a.test:8080?x HTTP/1.0\r\nhost: b.test\r\nX: y\r\n\r\n", "a.test",
	  "GET /?x HTTP/1.0\r\nHost: a.test:8080\r\nConnection: close\r\nX: y\r\n\r\n", 8080, 0 },
	{ "OPTIONS http://a.test HTTP/1.1\r\n\r\n", "a.test",
	  "OPTIONS * HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 80, 0 },
	{ "POST http://a.test/p HTTP/1.1\r\n" CL "5\r\nConnection: keep-alive, x-mine, content-length\r\n"
	  "X-Mine: 1\r\nX-Theirs:2\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n\r\n", "a.test",
	  "POST /p HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n" CL "5\r\nX-Theirs:2\r\n\r\n",
	  80, 5 },
	{ "PUT http://a.test/ HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", "a.test",
	  "PUT / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nTransfer-Encoding: Chunked\r\n\r\n",
	  80, REQUEST_ENDLESS },
	{ "POST http://a.test/ HTTP/1.1\r\n" CL "7\r\n" CL " 7\r\n\r\n", "a.test", NULL, 80, 7 },
};

START_TEST(this_is_what_goes_on)
{
	const char *in = good[_i].in;
	struct request r;

	for (size_t n = 0; n < strlen(in); n++)
		ck_assert_int_eq(http_request(in, n, &r, head, &head_len), REQUEST_MORE);
	ck_assert_msg(http_request(in, strlen(in), &r, head, &head_len) == REQUEST_DONE, "%s", r.why);
	ck_assert_uint_eq(r.used, strlen(in));
	ck_assert_str_eq(r.host.name, good[_i].host);
	ck_assert_uint_eq(r.port, good[_i].port);
	ck_assert(r.body == good[_i].body);
	ck_assert(r.tunnel == (strncmp(in, "CONNECT", 7) == 0));
	if (good[_i].out != NULL) {
		ck_assert_uint_eq(head_len, strlen(good[_i].out));
		ck_assert_int_eq(memcmp(head, good[_i].out, head_len), 0);
	}
}
END_TEST

static const struct { const char *in; int status; } wrong[] = {
	{ "\r\n\r\n", 400 }, { "GET\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET https://a.test/ HTTP/1.1\r\n\r\n", 400 }, { "GET ftp://a.test/ HTTP/1.1\r\n\r\n", 400 },
	{ "GET http:///x HTTP/1.1\r\n\r\n", 400 }, { "GET http://a.test/ HTTP/1.2\r\n\r\n", 505 },
	{ "GET http://a.test/  HTTP/1.1\r\n\r\n", 505 }, { " GET http://a.test/ HTTP/1.1\r\n\r\n", 400 },
	{ "GET http://u@a.test/ HTTP/1.1\r\n\r\n", 400 }, { "GET http://a.test/#f HTTP/1.1\r\n\r\n", 400 },
	{ "GET http://a.test:0/ HTTP/1.1\r\n\r\n", 400 }, { "GET http://a_b%2e.test/ HTTP/1.1\r\n\r\n", 400 },
	{ "CONNECT a.test HTTP/1.1\r\n\r\n", 400 }, { "CONNECT a.test:99999 HTTP/1.1\r\n\r\n", 400 },
	{ "connect a.test:1 HTTP/1.1\r\n\r\n", 400 },
	{ GET "A : b\r\n\r\n", 400 }, { GET "A\r\n\r\n", 400 }, { GET ": b\r\n\r\n", 400 },
	{ GET " folded\r\n\r\n", 400 }, { GET "A: b\r\n c: d\r\n\r\n", 400 }, { GET "A: b\nC: d\r\n\r\n", 400 },
	{ GET "A: b\rC: d\r\n\r\n", 400 }, { "GET http://a.test/\nx HTTP/1.1\r\n\r\n", 400 },
	{ GET CL "1\r\n" CL "2\r\n\r\n", 400 }, { GET CL "-1\r\n\r\n", 400 }, { GET CL "1,1\r\n\r\n", 400 },
	{ GET CL "\r\n\r\n", 400 }, { GET CL "99999999999999999999\r\n\r\n", 400 },
	{ GET CL "1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
	{ GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501 },
	{ "GET http://a.test/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ GET "Connection: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n\r\n", 400 },
};

START_TEST(what_could_be_read_in_two_ways_is_refused)
{
	struct request r;

	ck_assert_msg(http_request(wrong[_i].in, strlen(wrong[_i].in), &r, head, &head_len) ==
	    REQUEST_BAD, "%s", wrong[_i].in);
	ck_assert_msg(r.status == wrong[_i].status, "%d for %s", r.status, wrong[_i].in);
	ck_assert_uint_gt(strlen(r.why), 0);
	ck_assert_uint_eq(head_len, 0);
}
END_TEST

START_TEST(a_head_has_an_end)
{
	static char in[REQUEST_MAX + 64];
	struct request r;

	memset(in, 'x', sizeof(in));
	memcpy(in, GET "A: ", strlen(GET) + 3);
	ck_assert_int_eq(http_request(in, REQUEST_MAX - 1, &r, head, &head_len), REQUEST_MORE);
	ck_assert_int_eq(http_request(in, REQUEST_MAX, &r, head, &head_len), REQUEST_BAD);
	ck_assert_int_eq(r.status, 431);
	/* It fits, but not with what we put into it. */
	memcpy(in + REQUEST_MAX - 4, "\r\n\r\n", 4);
	ck_assert_int_eq(http_request(in, REQUEST_MAX, &r, head, &head_len), REQUEST_BAD);
	ck_assert_int_eq(r.status, 431);
}
END_TEST

START_TEST(socks_is_these_bytes)
{
	static const struct { const char *in; size_t len; enum request_state is; int status; } rows[] = {
		{ "\x05\x01\x00\x01\xcb\x00\x71\x0a\x00\x50", 10, REQUEST_DONE, 0 },
		{ "\x05\x01\x00\x03\x06" "a.test\x00\x50", 13, REQUEST_DONE, 0 },
		{ "\x05\x01\x00\x03\x09" "192.0.2.1\x00\x50", 16, REQUEST_DONE, 0 },
		{ "\x05\x01\x00\x03\x08" "a.test:1\x00\x50", 15, REQUEST_BAD, 1 },
		{ "\x05\x01\x00\x03\x00\x00\x50", 7, REQUEST_BAD, 1 },
		{ "\x05\x01\x00\x03\x06" "a\0test\x00\x50", 13, REQUEST_BAD, 1 },
		{ "\x05\x01\x00\x01\xcb\x00\x71\x0a\x00\x00", 10, REQUEST_BAD, 1 },
		{ "\x05\x02\x00\x01\xcb\x00\x71\x0a\x00\x50", 10, REQUEST_BAD, 7 },
		{ "\x05\x03\x00\x01\xcb\x00\x71\x0a\x00\x50", 10, REQUEST_BAD, 7 },
		{ "\x05\x01\x00\x05\xcb", 5, REQUEST_BAD, 8 },
		{ "\x04", 1, REQUEST_BAD, 1 },
	};
	struct request r;
	size_t used;

	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t n = 0; n < rows[i].len && n < 5 && i < 3; n++)
			ck_assert_int_eq(socks_request((const uint8_t *)rows[i].in, n, &r), REQUEST_MORE);
		ck_assert_int_eq(socks_request((const uint8_t *)rows[i].in, rows[i].len, &r), rows[i].is);
		ck_assert_int_eq(r.status, rows[i].status);
		if (r.status == 0)
			ck_assert(r.used == rows[i].len && r.port == 80 && r.tunnel);
	}
	ck_assert_int_eq(socks_greeting((const uint8_t *)"\x05\x02\x02", 3, &used), REQUEST_MORE);
	ck_assert_int_eq(socks_greeting((const uint8_t *)"\x05\x02\x02\x00", 4, &used), REQUEST_DONE);
	ck_assert_uint_eq(used, 4);
	ck_assert_int_eq(socks_greeting((const uint8_t *)"\x05\x01\x02", 3, &used), REQUEST_BAD);
	ck_assert_int_eq(socks_greeting((const uint8_t *)"\x05\x00", 2, &used), REQUEST_BAD);
}
END_TEST

START_TEST(a_name_is_asked_for_and_found)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 18, 0, 1 };
	uint8_t msg[LOOKUP_MAX + sizeof(record)];
	size_t n = lookup_question(msg, "a-b.test", 4);
	struct addr a;

	ck_assert_uint_eq(n, 12 + 10 + 4);
	ck_assert_int_eq(memcmp(msg + 12, "\x03" "a-b\x04test\x00\x00\x01\x00\x01", 14), 0);
	ck_assert_int_eq(lookup_answer(msg, n, 4, &a), LOOKUP_NONE);
	memcpy(msg + n, record, sizeof(record));
	msg[7] = 1;
	for (size_t cut = 0; cut < n + sizeof(record); cut++)
		ck_assert_int_eq(lookup_answer(msg, cut, 4, &a), LOOKUP_FAILED);
	ck_assert_int_eq(lookup_answer(msg, n + sizeof(record), 4, &a), LOOKUP_ADDRESS);
	ck_assert_uint_eq(a.ip[1], 18);
	ck_assert_int_eq(lookup_answer(msg, n + sizeof(record), 6, &a), LOOKUP_NONE);
	msg[3] = 5;
	ck_assert_int_eq(lookup_answer(msg, n, 4, &a), LOOKUP_DENIED);
	msg[3] = 3;
	ck_assert_int_eq(lookup_answer(msg, n, 4, &a), LOOKUP_NONE);
	msg[3] = 2;
	ck_assert_int_eq(lookup_answer(msg, n, 4, &a), LOOKUP_FAILED);
	ck_assert_uint_eq(lookup_question(msg, "a..b", 4), 0);
	ck_assert_uint_eq(lookup_question(msg,
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 4), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("request");

	tcase_add_loop_test(tc, this_is_what_goes_on, 0, (int)COUNT(good));
	tcase_add_loop_test(tc, what_could_be_read_in_two_ways_is_refused, 0, (int)COUNT(wrong));
	tcase_add_test(tc, a_head_has_an_end);
	tcase_add_test(tc, socks_is_these_bytes);
	tcase_add_test(tc, a_name_is_asked_for_and_found);
	return unit_run("request", tc);
}

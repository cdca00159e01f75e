/*
 * test_http.c - answers to CONNECT, however they come; requests, byte for byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "http.h"

#define OK	"HTTP/1.1 200 OK\r\n\r\n"

static const struct {
	const char	*text;
	enum http_state	 state;
	unsigned	 status;
	size_t		 rest;		/* behind it */
} answers[] = {
	{ OK, HTTP_DONE, 200, 0 },
	{ OK "payload", HTTP_DONE, 200, 7 },
	{ "HTTP/1.0 200\n\npayload", HTTP_DONE, 200, 7 },
	{ "HTTP/1.1 204 \r\n\r\n", HTTP_DONE, 204, 0 },
	{ "HTTP/1.1 299 any of these\r\nA: b\r\n c\r\n\r\n", HTTP_DONE, 299, 0 },
	{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n" OK "x", HTTP_DONE, 200, 1 },
	{ "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\nbody", HTTP_DONE, 407, 4 },
	{ "HTTP/1.1 200 OK\r\nA: b\r\n", HTTP_MORE, 200, 0 },
	{ "HTTP/1.1 200 OK", HTTP_MORE, 0, 0 },
	{ "", HTTP_MORE, 0, 0 },
	{ "HTTP/2 200\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "HTTP/1.2 200\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "HTTP/1.1  20\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "HTTP/1.1 2000\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "HTTP/1.1 099 x\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "HTTP/1.1 101 x\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "http/1.1 200 x\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "\r\nHTTP/1.1 200 x\r\n\r\n", HTTP_BAD, 0, 0 },
	{ "SSH-2.0-OpenSSH_9.2\r\n", HTTP_BAD, 0, 0 },
};

/* In pieces of `piece` bytes; how many were used. */
static enum http_state
feed(struct http_reply *r, const char *text, size_t len, size_t piece, size_t *used)
{
	enum http_state state = HTTP_MORE;
	const char *why = NULL;
	size_t n;

	memset(r, 0, sizeof(*r));
	for (*used = 0; *used < len && state == HTTP_MORE; *used += n) {
		size_t now = len - *used < piece ? len - *used : piece;
		uint8_t *exact = malloc(now);

		memcpy(exact, text + *used, now);
		state = http_feed(r, exact, now, &n, &why);
		ck_assert(n <= now && (state != HTTP_MORE || n == now));
		ck_assert((state == HTTP_BAD) == (why != NULL));
		free(exact);
	}
	return state;
}

START_TEST(answer_means_the_same_in_any_pieces)
{
	size_t len = strlen(answers[_i].text), used;
	struct http_reply r;

	for (size_t piece = 1; piece <= len + 1; piece++) {
		ck_assert_int_eq(feed(&r, answers[_i].text, len, piece, &used), answers[_i].state);
		if (answers[_i].state != HTTP_DONE)
			continue;
		ck_assert_uint_eq(r.status, answers[_i].status);
		ck_assert_uint_eq(len - used, answers[_i].rest);
	}
}
END_TEST

START_TEST(long_heads_are_taken_up_to_a_bound)
{
	static char text[3 * HTTP_HEAD_MAX];
	struct http_reply r;
	size_t used, at;

	at = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX: ");
	memset(text + at, 'y', 60000);
	strcpy(text + at + 60000, "\r\n\r\n");
	ck_assert_int_eq(feed(&r, text, strlen(text), 1000, &used), HTTP_DONE);
	memset(text + at, 'y', 2 * HTTP_HEAD_MAX);
	ck_assert_int_eq(feed(&r, text, at + 2 * HTTP_HEAD_MAX, 1000, &used), HTTP_BAD);
	ck_assert_uint_le(used, HTTP_HEAD_MAX + 1);
}
END_TEST

START_TEST(a_header_counts_only_whole)
{
	static char text[HTTP_LINE_MAX * 2];
	struct http_reply r;
	size_t used;

	feed(&r, "HTTP/1.1 407 x\r\nproxy-authenticate: Basic\r\n\r\n", 45, 99, &used);
	ck_assert(r.asks_basic);
	feed(&r, "HTTP/1.1 407 x\r\nX-Proxy-Authenticate: Basic\r\n\r\n", 47, 99, &used);
	ck_assert(!r.asks_basic);
	feed(&r, "HTTP/1.1 407 x\r\nProxy-Authenticate: \0Basic\r\n\r\n", 46, 99, &used);
	ck_assert(!r.asks_basic);
	/* A Digest that is cut off at the end of what is kept is none. */
	sprintf(text, "HTTP/1.1 407 x\r\nProxy-Authenticate: Digest nonce=\"%0*d\"\r\n\r\n",
	    HTTP_LINE_MAX, 1);
	ck_assert_int_eq(feed(&r, text, strlen(text), 99, &used), HTTP_DONE);
	ck_assert_int_eq(r.digest.algorithm, DIGEST_NONE);
}
END_TEST

START_TEST(requests_are_these_bytes)
{
	char out[HTTP_REQUEST_MAX], auth[64];
	char longer[HTTP_REQUEST_MAX];
	static const struct { const char *user, *pass, *want; } basic[] = {
		{ "Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },	/* RFC 7617 2 */
		{ "test", "123\xc2\xa3", "Basic dGVzdDoxMjPCow==" },			/* 2.1 */
		{ "a", "b", "Basic YTpi" }, { "a", "bc", "Basic YTpiYw==" },
		{ "a", "bcd", "Basic YTpiY2Q=" },
	};

	ck_assert_uint_eq(http_request(out, "a.example:443", NULL), strlen(out));
	ck_assert_str_eq(out, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
	http_request(out, "[2001:db8::1]:1", "Basic x");
	ck_assert_str_eq(out, "CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\n"
	    "Proxy-Authorization: Basic x\r\n\r\n");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_uint_eq(http_request(out, "a:1", longer), 0);
	for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++) {
		ck_assert_uint_eq(http_basic(auth, sizeof(auth), basic[i].user, basic[i].pass),
		    strlen(basic[i].want));
		ck_assert_str_eq(auth, basic[i].want);
	}
	ck_assert_uint_eq(http_basic(auth, 10, "a", "b"), 0);
	ck_assert_uint_eq(http_basic(auth, 11, "a", "b"), 10);
}
END_TEST

START_TEST(every_status_has_words)
{
	int err = 0;

	for (unsigned s = 0; s < 1100; s++) {
		ck_assert_ptr_nonnull(http_words(s, &err));
		ck_assert(err == ECONNREFUSED || err == EHOSTUNREACH);
	}
	http_words(403, &err);
	ck_assert_int_eq(err, ECONNREFUSED);
	http_words(504, &err);
	ck_assert_int_eq(err, EHOSTUNREACH);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("http");

	tcase_add_loop_test(tc, answer_means_the_same_in_any_pieces, 0, (int)COUNT(answers));
	tcase_add_test(tc, long_heads_are_taken_up_to_a_bound);
	tcase_add_test(tc, a_header_counts_only_whole);
	tcase_add_test(tc, requests_are_these_bytes);
	tcase_add_test(tc, every_status_has_words);
	return unit_run("http", tc);
}

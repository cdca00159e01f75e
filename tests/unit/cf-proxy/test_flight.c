/*
 * test_flight.c - what real clients say first, and what a hostile one may say instead.
 *
 * The recordings are also where the fuzz targets begin (tests/fuzz/corpus).
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "flight.h"
#include "rd.h"

#define HOST	"www.example.test"

static struct flight f;

/* A heap copy of exact length: a sanitizer sees a read beyond. */
static enum flight_state
say(const void *bytes, size_t n, bool end)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum flight_state state;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, n);
	state = flight_stream(copy, n, end, &f);
	free(copy);
	return state;
}

/* Each prefix says MORE or the final word, with the same names. */
static enum flight_state
all_prefixes(const void *bytes, size_t n)
{
	enum flight_state last = say(bytes, n, false);
	struct flight final = f;

	for (size_t i = 0; i < n; i++) {
		enum flight_state state = say(bytes, i, false);

		if (state == FLIGHT_MORE)
			continue;
		ck_assert_msg(state == last, "%d at %zu of %zu, %d at the end", state, i, n, last);
		ck_assert_int_eq(f.kind, final.kind);
		if (state != FLIGHT_BAD)
			ck_assert_mem_eq(&f, &final, sizeof(f));
	}
	f = final;
	return last;
}

static enum flight_state
text(const char *s)
{
	return all_prefixes(s, strlen(s));
}

/* ---- recordings ---- */

static const struct recording {
	const char		*file;
	enum flight_kind	 kind;
	enum flight_state	 state;
	const char		*name;
} recordings[] = {
	{ "tlshello/openssl_sni", FLIGHT_TLS, FLIGHT_NAMED, HOST },
	{ "tlshello/openssl_nosni", FLIGHT_TLS, FLIGHT_NAMELESS, NULL },
	{ "tlshello/openssl_tls12", FLIGHT_TLS, FLIGHT_NAMED, HOST },
	{ "tlshello/openssl_frag", FLIGHT_TLS, FLIGHT_NAMED, HOST },	/* several records */
	{ "tlshello/curl_tls", FLIGHT_TLS, FLIGHT_NAMED, HOST },
	{ "tlshello/curl_tls_address", FLIGHT_TLS, FLIGHT_NAMELESS, NULL },
	{ "tlshello/python_tls", FLIGHT_TLS, FLIGHT_NAMED, HOST },
	{ "tlshello/node_tls", FLIGHT_TLS, FLIGHT_NAMED, HOST },
	{ "httphost/curl_http", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/curl_http_post", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/curl_http_address", FLIGHT_HTTP, FLIGHT_NAMELESS, NULL },
	{ "httphost/curl_http10", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/curl_upgrade", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/curl_proxy", FLIGHT_HTTP, FLIGHT_NAMED, HOST },	/* absolute-form */
	{ "httphost/curl_connect", FLIGHT_HTTP, FLIGHT_NAMED, HOST },	/* authority-form */
	{ "httphost/python_http", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/node_http", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/wget_http", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/busybox_http", FLIGHT_HTTP, FLIGHT_NAMED, HOST },
	{ "httphost/ssh", FLIGHT_OTHER, FLIGHT_NAMELESS, NULL },
	{ "h2c/curl_h2", FLIGHT_H2, FLIGHT_NAMED, HOST },
	{ "h2c/curl_h2_post", FLIGHT_H2, FLIGHT_NAMED, HOST },
	{ "h2c/node_h2", FLIGHT_H2, FLIGHT_NAMED, HOST },
};

static size_t
load(const char *file, uint8_t *out, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", file);
	ck_assert_msg((fd = open(path, O_RDONLY)) != -1, "%s", path);
	ck_assert_int_gt(n = read(fd, out, size), 0);
	close(fd);
	return (size_t)n;
}

START_TEST(real_clients_are_understood_however_cut)
{
	const struct recording *r = &recordings[_i];
	uint8_t bytes[4096];
	size_t n = load(r->file, bytes, sizeof(bytes));

	ck_assert_msg(all_prefixes(bytes, n) == r->state, "%s: %d", r->file,
	    say(bytes, n, false));
	ck_assert_int_eq(f.kind, r->kind);
	ck_assert_uint_eq(f.n_names, r->name != NULL ? 1 : 0);
	if (r->name != NULL)
		ck_assert_str_eq(f.name[0], r->name);
}
END_TEST

/* ---- TLS ---- */

/* A ClientHello under construction; what it contains is put in by the tests. */
static uint8_t	hello[FLIGHT_MAX + 64], wire[2 * FLIGHT_MAX];
static struct wr h;

static void
patch(struct wr *w, uint8_t *at, size_t len)
{
	struct wr p = wr_over(at, len);

	wr_be(&p, (uint64_t)(w->p - at) - len, len);
}

static void
ext(uint16_t type, const void *body, size_t len)
{
	wr_be16(&h, type);
	wr_be16(&h, (uint16_t)len);
	wr_bytes(&h, body, len);
}

static void
ext_zeroes(uint16_t type, size_t len)
{
	static const uint8_t zeroes[FLIGHT_MAX];

	ext(type, zeroes, len);
}

static void
sni(const char *name, size_t len)
{
	wr_be16(&h, 0);
	wr_be16(&h, (uint16_t)(len + 5));
	wr_be16(&h, (uint16_t)(len + 3));
	wr_u8(&h, 0);
	wr_be16(&h, (uint16_t)len);
	wr_bytes(&h, name, len);
}

static void
sni_text(const char *name)
{
	sni(name, strlen(name));
}

static void
hello_begin(void)
{
	h = wr_over(hello, sizeof(hello));
	wr_u8(&h, 1);
	wr_be(&h, 0, 3);
	wr_be16(&h, 0x0303);
	wr_bytes(&h, (uint8_t[32]){ 7 }, 32);
	wr_u8(&h, 0);
	wr_be16(&h, 4);
	wr_be(&h, 0x1a1a1301, 4);		/* GREASE, and a real one */
	wr_be16(&h, 0x0100);
	wr_be16(&h, 0);
}

static size_t
hello_end(void)
{
	patch(&h, hello + 4 + 2 + 32 + 1 + 6 + 2, 2);
	patch(&h, hello + 1, 3);
	ck_assert(!h.bad);
	return (size_t)(h.p - hello);
}

/* The hello in records of at most `cut` bytes. */
static enum flight_state
hello_say(size_t cut)
{
	size_t len = hello_end();
	struct wr w = wr_over(wire, sizeof(wire));

	for (size_t at = 0; at < len; at += cut) {
		size_t n = len - at < cut ? len - at : cut;

		wr_be(&w, 0x160301, 3);
		wr_be16(&w, (uint16_t)n);
		wr_bytes(&w, hello + at, n);
	}
	ck_assert(!w.bad);
	return all_prefixes(wire, (size_t)(w.p - wire));
}

START_TEST(hello_is_put_together_from_records_of_any_size)
{
	static const size_t cuts[] = { 1, 2, 3, 5, 64, 100, 2000 };

	hello_begin();
	ext_zeroes(0x2a2a, 0);				/* GREASE */
	sni_text("A.Example.TEST.");
	ext_zeroes(51, 4 + 1216 + 4 + 32);		/* X25519MLKEM768 and X25519 */
	ext_zeroes(0xfafa, 1);
	ck_assert_int_eq(hello_say(cuts[_i]), FLIGHT_NAMED);
	ck_assert_str_eq(f.name[0], "a.example.test");
	ck_assert(!f.ech);
}
END_TEST

START_TEST(ech_is_judged_by_its_outer_name)
{
	hello_begin();
	sni_text("outer.test");
	ext_zeroes(0xfe0d, 200);
	ck_assert_int_eq(hello_say(500), FLIGHT_NAMED);
	ck_assert_str_eq(f.name[0], "outer.test");
	ck_assert(f.ech);
}
END_TEST

static const struct sni_case {
	const char		*name;
	size_t			 len;
	enum flight_state	 state;
} sni_cases[] = {
	{ "192.0.2.1", 9, FLIGHT_NAMELESS },
	{ "2001:db8::1", 11, FLIGHT_NAMELESS },
	{ "a b.test", 8, FLIGHT_NAMELESS },
	{ "a.test\0.evil", 12, FLIGHT_NAMELESS },
	{ "a..test", 7, FLIGHT_NAMELESS },
	{ "127.1", 5, FLIGHT_NAMELESS },
	{ "a.test:443", 10, FLIGHT_NAMELESS },
	{ "", 0, FLIGHT_BAD },
	{ "xn--nxasmq6b.test", 17, FLIGHT_NAMED },
	{ "_a.test", 7, FLIGHT_NAMED },
};

START_TEST(server_name_that_is_none_is_no_name)
{
	hello_begin();
	sni(sni_cases[_i].name, sni_cases[_i].len);
	ck_assert_int_eq(hello_say(64), sni_cases[_i].state);
	ck_assert_uint_eq(f.n_names, sni_cases[_i].state == FLIGHT_NAMED);
}
END_TEST

START_TEST(two_server_names_are_bad_and_both_are_told)
{
	hello_begin();
	sni_text("a.test");
	ext_zeroes(10, 4);
	sni_text("b.test");
	ck_assert_int_eq(hello_say(64), FLIGHT_BAD);
	ck_assert_uint_eq(f.n_names, 2);
	ck_assert_str_eq(f.name[1], "b.test");

	hello_begin();
	ext(0, "\0\x12\0\0\6a.test\0\0\6b.test", 20);	/* two entries of one extension */
	ck_assert_int_eq(hello_say(64), FLIGHT_BAD);
	ck_assert_uint_eq(f.n_names, 2);
}
END_TEST

static const struct raw_case {
	const char	*body;
	size_t		 len;
} bad_lists[] = {
	{ "", 0 }, { "\0\0", 2 }, { "\0\x09\0\0\6a.test\0", 12 }, { "\0\x0a\0\0\6a.test", 11 },
	{ "\0\x09\1\0\6a.test", 11 }, { "\0\x09\0\0\7a.test", 11 }, { "\0\x03\0\0\0", 5 },
};

START_TEST(broken_server_name_extension_is_bad)
{
	hello_begin();
	ext(0, bad_lists[_i].body, bad_lists[_i].len);
	ck_assert_int_eq(hello_say(64), FLIGHT_BAD);
}
END_TEST

START_TEST(extension_past_the_end_is_bad)
{
	hello_begin();
	sni_text("a.test");
	wr_be16(&h, 0x1234);
	wr_be16(&h, 1);
	ck_assert_int_eq(hello_say(64), FLIGHT_BAD);
}
END_TEST

static const struct field_case {
	size_t	at, len;		/* bytes of a hello of this form, and how many */
	uint8_t	bytes[2];
} bad_fields[] = {
	{ 38, 1, { 33 } },		/* the session id is longer than there can be */
	{ 38, 1, { 255 } },
	{ 39, 2, { 0, 3 } }, { 39, 2, { 0, 0 } }, { 39, 2, { 1, 0 } },	/* ciphers */
	{ 45, 1, { 200 } },		/* compression */
	{ 47, 2, { 0, 14 } }, { 47, 2, { 0, 16 } }, { 47, 2, { 0, 0 } },	/* extensions: 15 */
};

START_TEST(hello_that_does_not_add_up_is_bad)
{
	const struct field_case *c = &bad_fields[_i];

	hello_begin();
	sni_text("a.test");
	ck_assert_uint_eq(hello_end(), 49 + 15);
	ck_assert_int_eq(hello_say(64), FLIGHT_NAMED);
	memcpy(hello + c->at, c->bytes, c->len);
	memcpy(wire, "\x16\3\1\0\x40", 5);
	memcpy(wire + 5, hello, 64);
	ck_assert_int_eq(all_prefixes(wire, 5 + 64), FLIGHT_BAD);
	ck_assert_uint_eq(f.n_names, 0);
}
END_TEST

static const struct old_case {
	size_t			session_id, ciphers;
	enum flight_state	state;
} old_hellos[] = {
	{ 0, 2, FLIGHT_NAMELESS }, { 32, 4, FLIGHT_NAMELESS }, { 33, 2, FLIGHT_BAD },
	{ 0, 0, FLIGHT_BAD }, { 0, 3, FLIGHT_BAD },
};

START_TEST(hello_without_extensions_names_nobody)
{
	const struct old_case *c = &old_hellos[_i];
	struct wr w = wr_over(wire, sizeof(wire));
	size_t len = 2 + 32 + 1 + c->session_id + 2 + c->ciphers + 2;

	wr_be(&w, 0x160301, 3);
	wr_be16(&w, (uint16_t)(4 + len));
	wr_be32(&w, (uint32_t)(0x01000000 | len));
	wr_be16(&w, 0x0301);
	wr_bytes(&w, (uint8_t[32]){ 0 }, 32);
	wr_u8(&w, (uint8_t)c->session_id);
	wr_bytes(&w, (uint8_t[33]){ 0 }, c->session_id);
	wr_be16(&w, (uint16_t)c->ciphers);
	wr_bytes(&w, (uint8_t[4]){ 0 }, c->ciphers);
	wr_be16(&w, 0x0100);
	ck_assert_int_eq(all_prefixes(wire, (size_t)(w.p - wire)), c->state);
}
END_TEST

START_TEST(hello_longer_than_the_bound_is_bad_at_once)
{
	struct wr w = wr_over(wire, sizeof(wire));
	size_t len;

	ck_assert_int_eq(all_prefixes("\x16\3\1\0\4\1\0\x40\0", 9), FLIGHT_BAD);
	hello_begin();
	sni_text("a.test");
	ext_zeroes(21, FLIGHT_MAX - 4 - (size_t)(h.p - hello) - 5 * 4);
	len = hello_end();
	ck_assert_uint_lt(len, FLIGHT_MAX);
	wr_be(&w, 0x160301, 3);
	wr_be16(&w, (uint16_t)len);
	wr_bytes(&w, hello, len);
	ck_assert_int_eq(say(wire, (size_t)(w.p - wire), false), FLIGHT_NAMED);
}
END_TEST

static const struct bytes_case {
	const char		*bytes;
	size_t			 len;
	enum flight_kind	 kind;
	enum flight_state	 state;
} odd_tls[] = {
	{ "\x16", 1, FLIGHT_TLS, FLIGHT_MORE },
	{ "\x16\3\1\0\0", 5, FLIGHT_TLS, FLIGHT_BAD },		/* an empty record */
	{ "\x16\3\1\x40\1", 5, FLIGHT_TLS, FLIGHT_BAD },		/* one that is too long */
	{ "\x16\2\1\0\x40\1", 6, FLIGHT_TLS, FLIGHT_BAD },
	{ "\x16\3\1\0\x40\2", 6, FLIGHT_TLS, FLIGHT_BAD },	/* a ServerHello */
	{ "\x15\3\1\0\2\1\0\x16\3\1", 10, FLIGHT_TLS, FLIGHT_BAD },	/* a warning in front */
	{ "\x17\3\3\0\5abcde", 10, FLIGHT_TLS, FLIGHT_BAD },
	{ "\x16\3\1\0\2\1\0\x17\3\3\0\1a", 13, FLIGHT_TLS, FLIGHT_BAD },	/* between two */
	{ "\x80\x2e\1\3\1\0\x15\0\0\0\x10", 11, FLIGHT_TLS, FLIGHT_NAMELESS },	/* SSL 2 */
	{ "\x80\x2e\1\0\2\0\x15\0\0\0\x10", 11, FLIGHT_TLS, FLIGHT_NAMELESS },
	{ "\x80\x2e\4\0\2", 5, FLIGHT_OTHER, FLIGHT_NAMELESS },
	{ "\x15\1\1", 3, FLIGHT_OTHER, FLIGHT_NAMELESS },
	{ "\0\0\0\x08\4\xd2\x16\x2f", 8, FLIGHT_OTHER, FLIGHT_NAMELESS },	/* PostgreSQL */
	{ "\x10\x1a\0\4MQTT", 8, FLIGHT_OTHER, FLIGHT_NAMELESS },
};

START_TEST(what_is_nearly_tls_is_tls)
{
	ck_assert_int_eq(all_prefixes(odd_tls[_i].bytes, odd_tls[_i].len), odd_tls[_i].state);
	ck_assert_int_eq(f.kind, odd_tls[_i].kind);
}
END_TEST

/* ---- HTTP/1 ---- */

#define GET	"GET / HTTP/1.1\r\n"
#define CRLF	"\r\n"

static const struct http_case {
	const char		*text;
	enum flight_kind	 kind;
	enum flight_state	 state;
	const char		*names[FLIGHT_NAMES];
} https[] = {
	/* where the host stands, and how */
	{ GET "Host: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED, { "a.test" } },
	{ GET "hOSt:\t A.Test.:8080 \t\r\nX: y\r\n\r\nbody",
	    FLIGHT_HTTP, FLIGHT_NAMED, { "a.test" } },
	{ GET "X: Host: b.test\r\nHost:a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED, { "a.test" } },
	{ "PROPFIND /a%20b?c=d HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED,
	    { "a.test" } },
	{ "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED, { "a.test" } },
	{ "GET http://a.test/x HTTP/1.1\r\nHost: a.test:80\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED,
	    { "a.test" } },
	{ "GET http://a.test HTTP/1.0\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED, { "a.test" } },
	{ "GET http://a.test?q HTTP/1.1\r\nHost: b.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED,
	    { "a.test", "b.test" } },
	{ "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test:443\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMED,
	    { "a.test", "b.test" } },
	/* no name */
	{ GET CRLF, FLIGHT_HTTP, FLIGHT_NAMELESS, { NULL } },
	{ GET "Host:\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS, { NULL } },
	{ GET "Host: 192.0.2.1:80\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS, { NULL } },
	{ GET "Host: [2001:db8::1]\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS, { NULL } },
	{ "GET http://192.0.2.1/ HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS,
	    { "a.test" } },
	{ "GET http://a.test/ HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS,
	    { "a.test" } },
	{ "GET /\r\n", FLIGHT_HTTP, FLIGHT_NAMELESS, { NULL } },		/* HTTP/0.9 */
	{ "GET http://a.test/\r\nHost: b.test\r\n\r\n",
	    FLIGHT_HTTP, FLIGHT_NAMELESS, { "a.test" } },
	/* two readers, two hosts */
	{ GET "Host: a.test\r\nHost: b.test\r\n\r\n",
	    FLIGHT_HTTP, FLIGHT_BAD, { "a.test", "b.test" } },
	{ GET "Host: a.test\r\nhost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { "a.test" } },
	{ GET "Host:\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { "a.test" } },
	{ GET "Host: a.test, b.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host: a.test\r\n b.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { "a.test" } },
	{ GET "X: y\r\n\tHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET " Host: b.test\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host : a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET ": a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "X: a\rHost: b.test\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "X: a\nHost: b.test\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET / HTTP/1.1\nHost: a.test\n\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host: a.test\r\n\nHost: b.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { "a.test" } },
	{ GET "Host: a.test\1\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host: u@a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host: a.test/x\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ GET "Host: a.test:99999\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET http://u@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
	    FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET http:///x HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET http:\\\\a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n",
	    FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "CONNECT / HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET\t/\tHTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET /\rHTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET / http/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "PUT / http/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET / HTTP/1.10\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "\r\n" GET "Host: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "\n\n" GET "Host: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "GET /\1 HTTP/1.1\r\nHost: a.test\r\n\r\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	{ "x / HTTP/1.1\nHost: a.test\n\n", FLIGHT_HTTP, FLIGHT_BAD, { NULL } },
	/* not yet */
	{ GET "Host: a.test\r\n", FLIGHT_HTTP, FLIGHT_MORE, { "a.test" } },
	{ "GET / HTT", FLIGHT_OTHER, FLIGHT_MORE, { NULL } },
	{ "\r\n", FLIGHT_OTHER, FLIGHT_MORE, { NULL } },
	/* something else */
	{ "EHLO a.test\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "SSH-2.0-x\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "*1\r\n$4\r\nPING\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "PING\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "GET key\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "get key\r\n", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "0032git-upload-pack /x\1host=a\1", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "{\"json\": 1}", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
	{ "\x7f", FLIGHT_OTHER, FLIGHT_NAMELESS, { NULL } },
};

START_TEST(heads_are_read_strictly)
{
	const struct http_case *c = &https[_i];
	size_t n = 0;

	ck_assert_msg(text(c->text) == c->state, "%s", c->text);
	ck_assert_msg(f.kind == c->kind, "%s", c->text);
	while (n < FLIGHT_NAMES && c->names[n] != NULL) {
		ck_assert_str_eq(f.name[n], c->names[n]);
		n++;
	}
	ck_assert_uint_eq(f.n_names, n);
}
END_TEST

START_TEST(end_makes_what_is_cut_off_bad_and_other_kinds_other)
{
	ck_assert_int_eq(say(GET, strlen(GET), true), FLIGHT_BAD);
	ck_assert_int_eq(say("hello", 5, true), FLIGHT_NAMELESS);
	ck_assert_int_eq(f.kind, FLIGHT_OTHER);
	ck_assert_int_eq(say("\x16\3\1", 3, true), FLIGHT_BAD);
	ck_assert_int_eq(say("", 0, true), FLIGHT_NAMELESS);
	ck_assert_int_eq(say("", 0, false), FLIGHT_MORE);
}
END_TEST

START_TEST(head_without_end_is_bad_at_the_bound)
{
	static char head[FLIGHT_MAX + 100];

	memset(head, 'a', sizeof(head));
	memcpy(head, GET "Host: a.test\r\nX: ", strlen(GET "Host: a.test\r\nX: "));
	ck_assert_int_eq(say(head, FLIGHT_MAX - 1, false), FLIGHT_MORE);
	ck_assert_int_eq(say(head, FLIGHT_MAX, false), FLIGHT_BAD);
	ck_assert_int_eq(say(head, sizeof(head), false), FLIGHT_BAD);
	ck_assert_str_eq(f.name[0], "a.test");
	memset(head, 'a', sizeof(head));
	ck_assert_int_eq(say(head, FLIGHT_MAX, false), FLIGHT_BAD);
}
END_TEST

/* ---- HTTP/2 ---- */

#define PREFACE	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void
h2_begin(void)
{
	h = wr_over(hello, sizeof(hello));
	wr_bytes(&h, PREFACE, strlen(PREFACE));
}

static void
h2_frame(uint8_t type, uint8_t flags, uint32_t stream, const char *body, size_t len)
{
	wr_be(&h, len, 3);
	wr_u8(&h, type);
	wr_u8(&h, flags);
	wr_be32(&h, stream);
	wr_bytes(&h, body, len);
}

/* Names and values, as literals without indexing and without Huffman (RFC 7541 6.2.2). */
static size_t
h2_fields(char *out, const char *const *pairs)
{
	char *p = out;

	for (; *pairs != NULL; pairs += 2) {
		*p++ = 0;
		*p++ = (char)strlen(pairs[0]);
		p = stpcpy(p, pairs[0]);
		*p++ = (char)strlen(pairs[1]);
		p = stpcpy(p, pairs[1]);
	}
	return (size_t)(p - out);
}

static const struct h2_case {
	const char		*fields[12];
	enum flight_state	 state;
	const char		*names[FLIGHT_NAMES];
} h2_cases[] = {
	{ { ":method", "GET", ":authority", "A.test:80", NULL }, FLIGHT_NAMED, { "a.test" } },
	{ { ":method", "GET", "host", "a.test", NULL }, FLIGHT_NAMED, { "a.test" } },
	{ { ":authority", "a.test", "host", "b.test", NULL },
	    FLIGHT_NAMED, { "a.test", "b.test" } },
	{ { ":authority", "a.test", "host", "a.test", NULL }, FLIGHT_NAMED, { "a.test" } },
	{ { ":method", "GET", NULL }, FLIGHT_NAMELESS, { NULL } },
	{ { ":authority", "192.0.2.1", "host", "a.test", NULL }, FLIGHT_NAMELESS, { "a.test" } },
	{ { ":authority", "a.test", ":authority", "b.test", NULL }, FLIGHT_BAD, { "a.test" } },
	{ { "host", "a.test", "host", "b.test", NULL }, FLIGHT_BAD, { "a.test" } },
	{ { "x", "y", ":authority", "a.test", NULL }, FLIGHT_BAD, { NULL } },
	{ { "Host", "a.test", NULL }, FLIGHT_BAD, { NULL } },
	{ { ":authority", "u@a.test", NULL }, FLIGHT_BAD, { NULL } },
	{ { "", "a.test", NULL }, FLIGHT_BAD, { NULL } },
};

static enum flight_state
h2_say(void)
{
	ck_assert(!h.bad);
	return all_prefixes(hello, (size_t)(h.p - hello));
}

START_TEST(authority_is_read_from_any_cut_of_the_block)
{
	const struct h2_case *c = &h2_cases[_i];
	char block[256], padded[300];
	size_t len = h2_fields(block, c->fields), n = 0;

	for (size_t cut = 0; cut <= len; cut++) {
		size_t pad = cut % 7;

		h2_begin();
		h2_frame(4, 0, 0, "\0\1\0\0\x10\0", 6);		/* SETTINGS */
		h2_frame(8, 0, 0, "\0\1\0\0", 4);			/* WINDOW_UPDATE */
		h2_frame(0xb6, 7, 9, "grease", 6);
		memset(padded, 0, sizeof(padded));
		padded[0] = (char)pad;
		memcpy(padded + 6, block, cut);
		h2_frame(1, 0x8 | 0x20, 1, padded, 6 + cut + pad);	/* HEADERS */
		h2_frame(9, 0x4, 1, block + cut, len - cut);		/* CONTINUATION */
		h2_frame(0, 1, 1, "body", 4);
		ck_assert_int_eq(h2_say(), c->state);
		ck_assert_int_eq(f.kind, FLIGHT_H2);
	}
	while (n < FLIGHT_NAMES && c->names[n] != NULL) {
		ck_assert_str_eq(f.name[n], c->names[n]);
		n++;
	}
	ck_assert_uint_eq(f.n_names, n);
}
END_TEST

/* SETTINGS first, sound frames, and nothing of another stream within a header block. */
START_TEST(frames_out_of_order_are_bad)
{
	static const struct { uint8_t type, flags; uint32_t stream; uint8_t len; } frames[][2] = {
		{ { 1, 4, 1, 0 } }, { { 4, 1, 0, 0 } }, { { 4, 0, 1, 0 } }, { { 4, 0, 0, 5 } },
		{ { 4, 0, 0, 0 }, { 0, 0, 1, 4 } }, { { 4, 0, 0, 0 }, { 3, 0, 1, 4 } },
		{ { 4, 0, 0, 0 }, { 5, 4, 1, 8 } }, { { 4, 0, 0, 0 }, { 7, 0, 0, 8 } },
		{ { 4, 0, 0, 0 }, { 9, 4, 1, 8 } }, { { 4, 0, 0, 0 }, { 1, 4, 2, 0 } },
		{ { 4, 0, 0, 0 }, { 1, 4, 0, 0 } }, { { 4, 0, 0, 0 }, { 1, 0xc, 1, 0 } },
		{ { 4, 0, 0, 0 }, { 1, 0x24, 1, 4 } }, { { 4, 0, 0, 0 }, { 1, 0xc, 1, 5 } },
	};

	h2_begin();
	h2_frame(frames[_i][0].type, frames[_i][0].flags, frames[_i][0].stream,
	    "\xff\xff\xff\xff\xff", frames[_i][0].len);
	if (_i >= 4)
		h2_frame(frames[_i][1].type, frames[_i][1].flags, frames[_i][1].stream,
		    "\xff\xff\xff\xff\xff\xff\xff\xff", frames[_i][1].len);
	ck_assert_int_eq(h2_say(), FLIGHT_BAD);
}
END_TEST

START_TEST(what_interrupts_a_header_block_is_bad)
{
	h2_begin();
	h2_frame(4, 0, 0, "", 0);
	h2_frame(1, 0, 1, "\x82", 1);
	h2_frame(9, 4, 3, "\x82", 1);
	ck_assert_int_eq(h2_say(), FLIGHT_BAD);
	h2_begin();
	h2_frame(4, 0, 0, "", 0);
	h2_frame(1, 0, 1, "\x82", 1);
	h2_frame(6, 0, 0, "12345678", 8);
	ck_assert_int_eq(h2_say(), FLIGHT_BAD);
}
END_TEST

START_TEST(block_that_is_not_hpack_is_bad)
{
	static const struct raw_case blocks[] = { { "\x80", 1 }, { "\xff\xff\xff\xff\xff\xff", 6 },
	    { "\x40", 1 }, { "\xc6", 1 }, { "\x41\x8c\xf1", 3 }, { "\x3f\xff\xff\xff\x0f", 5 } };

	h2_begin();
	h2_frame(4, 0, 0, "", 0);
	h2_frame(1, 4, 1, blocks[_i].body, blocks[_i].len);
	ck_assert_int_eq(h2_say(), FLIGHT_BAD);
}
END_TEST

START_TEST(block_of_endless_fields_is_bad)
{
	static char gets[1025];

	memset(gets, 0x82, sizeof(gets));		/* ":method: GET" in a byte */
	h2_begin();
	h2_frame(4, 0, 0, "", 0);
	h2_frame(1, 4, 1, gets, sizeof(gets) - 1);
	ck_assert_int_eq(say(hello, (size_t)(h.p - hello), false), FLIGHT_NAMELESS);
	h2_begin();
	h2_frame(4, 0, 0, "", 0);
	h2_frame(1, 4, 1, gets, sizeof(gets));
	ck_assert_int_eq(say(hello, (size_t)(h.p - hello), false), FLIGHT_BAD);
}
END_TEST

START_TEST(preface_alone_or_a_long_frame)
{
	h2_begin();
	ck_assert_int_eq(h2_say(), FLIGHT_MORE);
	h2_frame(4, 0, 0, "", 0);
	ck_assert_int_eq(h2_say(), FLIGHT_MORE);
	wr_be(&h, 16385, 3);
	wr_bytes(&h, "\1\4\0\0\0\1", 6);
	ck_assert_int_eq(h2_say(), FLIGHT_BAD);
	ck_assert_int_eq(text("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"), FLIGHT_BAD);
	ck_assert_int_eq(f.kind, FLIGHT_HTTP);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("flight");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, real_clients_are_understood_however_cut, 0, COUNT(recordings));
	tcase_add_loop_test(tc, hello_is_put_together_from_records_of_any_size, 0, 7);
	tcase_add_test(tc, ech_is_judged_by_its_outer_name);
	tcase_add_loop_test(tc, server_name_that_is_none_is_no_name, 0, COUNT(sni_cases));
	tcase_add_test(tc, two_server_names_are_bad_and_both_are_told);
	tcase_add_loop_test(tc, broken_server_name_extension_is_bad, 0, COUNT(bad_lists));
	tcase_add_test(tc, extension_past_the_end_is_bad);
	tcase_add_loop_test(tc, hello_that_does_not_add_up_is_bad, 0, COUNT(bad_fields));
	tcase_add_loop_test(tc, hello_without_extensions_names_nobody, 0, COUNT(old_hellos));
	tcase_add_test(tc, hello_longer_than_the_bound_is_bad_at_once);
	tcase_add_loop_test(tc, what_is_nearly_tls_is_tls, 0, COUNT(odd_tls));
	tcase_add_loop_test(tc, heads_are_read_strictly, 0, COUNT(https));
	tcase_add_test(tc, end_makes_what_is_cut_off_bad_and_other_kinds_other);
	tcase_add_test(tc, head_without_end_is_bad_at_the_bound);
	tcase_add_loop_test(tc, authority_is_read_from_any_cut_of_the_block, 0, COUNT(h2_cases));
	tcase_add_loop_test(tc, frames_out_of_order_are_bad, 0, 14);
	tcase_add_test(tc, what_interrupts_a_header_block_is_bad);
	tcase_add_loop_test(tc, block_that_is_not_hpack_is_bad, 0, 6);
	tcase_add_test(tc, block_of_endless_fields_is_bad);
	tcase_add_test(tc, preface_alone_or_a_long_frame);
	return unit_run("flight", tc);
}

/*
 * test_name.c - one normal form for names, wherever they come from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "idn.h"
#include "name.h"

#define L63	"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
#define N253	L63 "." L63 "." L63 ".aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg"

/* Text to normal form; want NULL: it is no name, and `at` is where. */
static const struct {
	const char	*text, *want;
	size_t		 at;
} texts[] = {
	{ "example.com", "example.com", 0 }, { "EXAMPLE.Com", "example.com", 0 },
	{ "example.com.", "example.com", 0 }, { "localhost", "localhost", 0 },
	{ "_dmarc.example.com", "_dmarc.example.com", 0 },
	{ "r3---sn-4g5e6n.example", "r3---sn-4g5e6n.example", 0 },
	{ "-edge-.example", "-edge-.example", 0 }, { "xn--BCHER-kva.example", "xn--bcher-kva.example", 0 },
	{ L63 ".com", L63 ".com", 0 }, { N253, N253, 0 }, { N253 ".", N253, 0 },
	{ "", NULL, 0 }, { ".", NULL, 0 }, { "..", NULL, 0 }, { "example.com..", NULL, 12 },
	{ "a..b", NULL, 2 }, { ".a", NULL, 0 }, { "a b", NULL, 1 }, { "a\tb", NULL, 1 },
	{ "*.a", NULL, 0 }, { "a/b", NULL, 1 }, { "a\\046b", NULL, 1 }, { "a:1", NULL, 1 },
	{ L63 "g.com", NULL, 0 }, { N253 "g", NULL, 253 },

	/* UTS #46, non-transitional */
	{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", 0 },
	{ "B\xc3\x9c" "CHER.Example.", "xn--bcher-kva.example", 0 },
	{ "bu\xcc\x88" "cher.example", "xn--bcher-kva.example", 0 },		/* u and a diaeresis */
	{ "stra\xc3\x9f" "e.de", "xn--strae-oqa.de", 0 },			/* stays, IDNA 2008 */
	{ "_x.b\xc3\xbc" "cher.r3---a", "_x.xn--bcher-kva.r3---a", 0 },	/* ASCII labels stay */
	{ "b\xc3\xbc" "cher\xe3\x80\x82" "example", "xn--bcher-kva.example", 0 },	/* U+3002 */
	{ "\xef\xbd\x85xample\xef\xbc\x8e" "com", "example.com", 0 },		/* fullwidth */
	{ "\xd1\x80\xd1\x84", "xn--p1ai", 0 },
	{ "a.b\xc3(", NULL, 3 }, { "\xc0\xae" "com", NULL, 0 }, { "\xed\xa0\x80", NULL, 0 },
	{ "a.\xf4\x90\x80\x80", NULL, 2 }, { "\xe2\x80\xae" "com.x", NULL, 0 },	/* U+202E */
	{ "a\xef\xbc\x8f" "b", NULL, 0 },			/* a fullwidth '/' is no letter */
	{ "\xe2\x92\x88" "com", NULL, 0 },			/* U+2488 "1." would be two labels */
};

START_TEST(text_has_one_normal_form)
{
	char out[NAME_STRLEN];
	struct name_error err = { NULL, 9999 };
	bool ok = idn_name(texts[_i].text, strlen(texts[_i].text), out, &err);

	ck_assert_msg(ok == (texts[_i].want != NULL), "%s", texts[_i].text);
	if (ok) {
		ck_assert_str_eq(out, texts[_i].want);
		ck_assert(name_from_ascii(out, strlen(out), out, &err));
		ck_assert_str_eq(out, texts[_i].want);
	} else {
		ck_assert_ptr_nonnull(err.why);
		ck_assert_uint_eq(err.at, texts[_i].at);
	}
}
END_TEST

#define WIRE(bytes)	(const uint8_t *)(bytes), sizeof(bytes) - 1

/* A name at `off` of a message; want NULL: there is none. */
static const struct {
	const uint8_t	*msg;
	size_t		 len, off;
	const char	*want;
	size_t		 next;
} wires[] = {
	{ WIRE("\3WwW\7example\3com\0"), 0, "www.example.com", 17 },
	{ WIRE("\0"), 0, ".", 1 },
	{ WIRE("\3a.b\0"), 0, "a\\046b", 5 },			/* one label with a dot */
	{ WIRE("\1a\1b\0"), 0, "a.b", 5 },
	{ WIRE("\3a\0b\0"), 0, "a\\000b", 5 },
	{ WIRE("\4\\046\0"), 0, "\\092046", 6 },
	{ WIRE("\2\xc3\xbc\0"), 0, "\\195\\188", 4 },
	{ WIRE("\2* \0"), 0, "\\042\\032", 4 },
	{ WIRE("\3com\0\1a\xc0\0"), 5, "a.com", 9 },		/* compressed, backwards */
	{ WIRE("\3com\0\1a\xc0\0\1b\xc0\5"), 9, "b.a.com", 13 },
	{ WIRE("\3com\0\xc0\0\xc0\5"), 7, "com", 9 },		/* a pointer to a pointer */
	{ WIRE("\xc0\0"), 0, NULL, 0 },				/* to itself */
	{ WIRE("\1a\xc0\0"), 0, NULL, 0 },			/* round and round */
	{ WIRE("\1a\xc0\4\1b\0"), 0, NULL, 0 },			/* ahead */
	{ WIRE("\3com\0\1a\xc0\5"), 5, NULL, 0 },		/* into the name itself */
	{ WIRE("\1a\xc0"), 0, NULL, 0 }, { WIRE("\1a"), 0, NULL, 0 }, { WIRE("\3ab"), 0, NULL, 0 },
	{ WIRE("\100aaaa\0"), 0, NULL, 0 }, { WIRE("\200a\0"), 0, NULL, 0 },
	{ WIRE("a"), 1, NULL, 0 }, { WIRE("a"), 7, NULL, 0 },
};

START_TEST(wire_name_keeps_its_labels_apart)
{
	char out[NAME_STRLEN];
	size_t off = wires[_i].off;
	uint8_t *copy = malloc(wires[_i].len);		/* of exact length, for a sanitizer */
	const char *why;

	memcpy(copy, wires[_i].msg, wires[_i].len);
	why = name_from_message(copy, wires[_i].len, &off, out);
	free(copy);
	ck_assert_msg((why == NULL) == (wires[_i].want != NULL), "row %d: %s", _i, why);
	if (why == NULL) {
		ck_assert_str_eq(out, wires[_i].want);
		ck_assert_uint_eq(off, wires[_i].next);
	}
}
END_TEST

START_TEST(wire_name_of_255_bytes_fits_and_no_longer)
{
	uint8_t msg[260] = { 0 };
	char out[NAME_STRLEN];
	size_t off = 0;

	for (size_t i = 0; i < 4; i++) {
		msg[i * 64] = i < 3 ? 63 : 61;
		memset(msg + i * 64 + 1, 0xff, msg[i * 64]);
	}
	ck_assert_ptr_null(name_from_message(msg, 255, &off, out));
	ck_assert_uint_eq(off, 255);
	ck_assert_uint_eq(strlen(out), 250 * 4 + 3);
	msg[192] = 62;
	msg[254] = 0xff;
	off = 0;
	ck_assert_ptr_nonnull(name_from_message(msg, 256, &off, out));
}
END_TEST

/* A Host header; name NULL and ip NULL: neither. */
static const struct {
	const char	*text, *name, *ip;
	uint16_t	 port;
	bool		 sni;		/* the same as a TLS server name */
} hosts[] = {
	{ "Example.com", "example.com", NULL, 0, true },
	{ "example.com.", "example.com", NULL, 0, true },
	{ "example.com:8443", "example.com", NULL, 8443, false },
	{ "example.com.:443", "example.com", NULL, 443, false },
	{ "example.com:", "example.com", NULL, 0, false },
	{ "192.0.2.1", NULL, "192.0.2.1", 0, true }, { "192.0.2.1:80", NULL, "192.0.2.1", 80, false },
	{ "192.0.2.1.", NULL, "192.0.2.1", 0, true },
	{ "[2001:DB8::1]", NULL, "2001:db8::1", 0, false },
	{ "[2001:db8::1]:443", NULL, "2001:db8::1", 443, false },
	{ "[fe80::1%25eth0]:443", NULL, "fe80::1", 443, false },
	{ "[::ffff:10.0.0.1]", NULL, "::ffff:10.0.0.1", 0, false },
	{ "_a.b", "_a.b", NULL, 0, true },
	{ "", NULL, NULL, 0, true }, { ".", NULL, NULL, 0, true }, { "a..", NULL, NULL, 0, true },
	{ "a:0", NULL, NULL, 0, true }, { "a:65536", NULL, NULL, 0, true },
	{ "a:123456", NULL, NULL, 0, true }, { "a:b", NULL, NULL, 0, true },
	{ "[::1", NULL, NULL, 0, true }, { "[::1]x", NULL, NULL, 0, true }, { "[]", NULL, NULL, 0, true },
	{ "[1.2.3.4]", NULL, NULL, 0, true }, { "[", NULL, NULL, 0, true },
	{ "127.1", NULL, NULL, 0, true }, { "2130706433", NULL, NULL, 0, true },
	{ "0x7f000001", NULL, NULL, 0, true }, { "a.0X1f", NULL, NULL, 0, true },
	{ "0x", NULL, NULL, 0, true }, { "1.2.3.4.5", NULL, NULL, 0, true },
	{ "010.0.0.1", NULL, NULL, 0, true }, { "user@a", NULL, NULL, 0, true },
	{ "a b", NULL, NULL, 0, true }, { "b\xc3\xbc" "cher", NULL, NULL, 0, true },
	{ "a,b", NULL, NULL, 0, true },
};

static void
host_check(const struct name_host *got, int i)
{
	char ip[ADDR_STRLEN];

	ck_assert_int_eq(got->port, hosts[i].port);
	ck_assert_int_eq(got->is_addr, hosts[i].ip != NULL);
	if (got->is_addr) {
		struct addr want;

		ck_assert(addr_parse(hosts[i].ip, 0, &want));
		addr_ip_str(&want, ip);
		want.port = hosts[i].port;
		ck_assert_msg(addr_equal(&got->addr, &want), "%s is not %s", hosts[i].text, ip);
	} else
		ck_assert_str_eq(got->name, hosts[i].name);
}

START_TEST(host_is_a_name_or_an_address)
{
	struct name_host host;
	const char *why = name_from_host(hosts[_i].text, strlen(hosts[_i].text), &host);
	bool good = hosts[_i].name != NULL || hosts[_i].ip != NULL;

	ck_assert_msg((why == NULL) == good, "%s: %s", hosts[_i].text, why);
	if (good)
		host_check(&host, _i);
	why = name_from_sni((const uint8_t *)hosts[_i].text, strlen(hosts[_i].text), &host);
	ck_assert_msg((why == NULL) == (good && hosts[_i].sni), "%s", hosts[_i].text);
	if (why == NULL)
		host_check(&host, _i);
}
END_TEST

START_TEST(server_name_may_be_an_ipv6_address)
{
	struct name_host host;

	ck_assert_ptr_null(name_from_sni((const uint8_t *)"::1", 3, &host));
	ck_assert(host.is_addr);
	ck_assert_ptr_nonnull(name_from_sni((const uint8_t *)"a\0b", 3, &host));
	ck_assert_ptr_nonnull(name_from_host("a\0b", 3, &host));
	ck_assert_ptr_nonnull(name_from_host("192.0.2.1\0", 10, &host));
}
END_TEST

START_TEST(parents_end_at_the_last_label)
{
	ck_assert_str_eq(name_parent("a.b.c"), "b.c");
	ck_assert_ptr_null(name_parent("c"));
	ck_assert_ptr_null(name_parent("."));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("name");

	tcase_add_loop_test(tc, text_has_one_normal_form, 0, (int)COUNT(texts));
	tcase_add_loop_test(tc, wire_name_keeps_its_labels_apart, 0, (int)COUNT(wires));
	tcase_add_test(tc, wire_name_of_255_bytes_fits_and_no_longer);
	tcase_add_loop_test(tc, host_is_a_name_or_an_address, 0, (int)COUNT(hosts));
	tcase_add_test(tc, server_name_may_be_an_ipv6_address);
	tcase_add_test(tc, parents_end_at_the_last_label);
	return unit_run("name", tc);
}

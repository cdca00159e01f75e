/*
 * test_hops.c - the address of a proxy as it is written, and the list as it is handed on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "hops.h"

static const struct { const char *text, *shown; } good[] = {
	{ "http://proxy.example:3128", "http://proxy.example:3128" },
	{ "HTTPS://Proxy.Example.:443/", "https://proxy.example:443" },
	{ "socks5://127.0.0.1:1080", "socks5://127.0.0.1:1080" },
	{ "socks5h://[::1]:1080", "socks5h://[::1]:1080" },
	{ "http://[2001:db8::1]:1/", "http://[2001:db8::1]:1" },
};
static const char *const bad[] = {
	"", "proxy.example:3128", "ftp://proxy.example:1", "http://", "http://proxy.example",
	"http://proxy.example:", "http://proxy.example:0", "http://proxy.example:65536",
	"http://proxy.example:3128/path", "http://proxy.example:3128?x", "http://proxy.example:3128#x",
	"http://user:pass@proxy.example:3128", "http://user@proxy.example:3128", "http://::1:80",
	"http://[::1:80", "http://a b:80", "http://1.2.3:80", "socks4://proxy.example:1080",
	"http://proxy.example:80//", "http:proxy.example:80",
};

START_TEST(an_address_is_taken_as_it_is_meant)
{
	char buf[HOP_STRLEN];
	struct hop h;

	ck_assert_ptr_null(hop_parse(good[_i].text, &h));
	ck_assert_str_eq(hop_str(&h, buf), good[_i].shown);
	ck_assert(h.addr.port != 0 && !h.has_auth);
}
END_TEST

START_TEST(what_is_none_is_refused)
{
	struct hop h;

	ck_assert_msg(hop_parse(bad[_i], &h) != NULL, "%s", bad[_i]);
}
END_TEST

START_TEST(the_list_survives_whole_or_not_at_all)
{
	static const uint8_t ca[] = "certificates";
	struct hops in = { .n = 2, .insecure = true, .timeout_ms = 12345, .ca = ca, .ca_len = 12 }, out;
	static uint8_t bytes[HOPS_MAX * 1024];
	struct wr w = wr_over(bytes, sizeof(bytes));
	size_t len;
	struct rd r;

	hop_parse("http://proxy.example:3128", &in.hop[0]);
	hop_parse("socks5h://[::1]:1080", &in.hop[1]);
	in.hop[1].has_auth = true;
	strcpy(in.hop[1].user, "user");
	memset(in.hop[1].pass, 'x', HOP_SECRET_MAX);
	hops_put(&w, &in);
	len = (size_t)(w.p - bytes);
	r = rd_over(bytes, len);
	ck_assert(hops_get(&r, &out));
	ck_assert(out.n == 2 && out.insecure && out.timeout_ms == 12345 && out.ca_len == 12);
	ck_assert_int_eq(memcmp(out.ca, ca, 12), 0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(addr_equal(&in.hop[i].addr, &out.hop[i].addr));
		ck_assert_str_eq(in.hop[i].name, out.hop[i].name);
		ck_assert_str_eq(in.hop[i].user, out.hop[i].user);
		ck_assert_str_eq(in.hop[i].pass, out.hop[i].pass);
		ck_assert_int_eq(in.hop[i].has_auth, out.hop[i].has_auth);
	}
	ck_assert(!hops_tls(&out) && !hops_udp(&out));
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut + 1);

		memcpy(exact, bytes, cut);
		r = rd_over(exact, cut);
		ck_assert(!hops_get(&r, &out));
		free(exact);
	}
	r = rd_over(bytes, len + 1);
	ck_assert(!hops_get(&r, &out));
	bytes[0]++;
	r = rd_over(bytes, len);
	ck_assert(!hops_get(&r, &out));
}
END_TEST

START_TEST(only_names_that_a_request_can_carry_fit)
{
	char longest[HOP_NAME_MAX + 2];

	memset(longest, 'x', sizeof(longest));
	ck_assert(hop_name_fits("a-b_c.9", 7));
	ck_assert(hop_name_fits(longest, HOP_NAME_MAX));
	ck_assert(!hop_name_fits(longest, HOP_NAME_MAX + 1));
	ck_assert(!hop_name_fits("", 0));
	for (int c = 0; c < 256; c++) {
		char one = (char)c;
		bool ok = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		    c == '.';

		ck_assert_int_eq(hop_name_fits(&one, 1), ok);
	}
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("hops");

	tcase_add_loop_test(tc, an_address_is_taken_as_it_is_meant, 0, (int)COUNT(good));
	tcase_add_loop_test(tc, what_is_none_is_refused, 0, (int)COUNT(bad));
	tcase_add_test(tc, the_list_survives_whole_or_not_at_all);
	tcase_add_test(tc, only_names_that_a_request_can_carry_fit);
	return unit_run("hops", tc);
}

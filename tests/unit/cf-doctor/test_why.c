/*
 * test_why.c - destinations as people write them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "why.h"

static const struct {
	const char	*text, *name, *addr;	/* addr: where it is no name */
	enum rule_proto	 proto;
	unsigned	 port;
	bool		 assumed;
} good[] = {
	{ "example.com", "example.com", NULL, RULE_TCP, 443, true },
	{ "Example.COM.", "example.com", NULL, RULE_TCP, 443, true },
	{ "example.com:80", "example.com", NULL, RULE_TCP, 80, false },
	{ "example.com:53/udp", "example.com", NULL, RULE_UDP, 53, false },
	{ "example.com/udp", "example.com", NULL, RULE_UDP, 443, true },
	{ "example.com/icmp", "example.com", NULL, RULE_ICMP, 0, false },
	{ "192.0.2.1", NULL, "192.0.2.1", RULE_TCP, 443, true },
	{ "192.0.2.1:22/tcp", NULL, "192.0.2.1", RULE_TCP, 22, false },
	{ "192.0.2.1/icmp", NULL, "192.0.2.1", RULE_ICMP, 0, false },
	{ "2001:db8::1", NULL, "2001:db8::1", RULE_TCP, 443, true },
	{ "[2001:db8::1]:80/udp", NULL, "2001:db8::1", RULE_UDP, 80, false },
	{ "http://example.com", "example.com", NULL, RULE_TCP, 80, false },
	{ "HTTPS://example.com/a:b@c", "example.com", NULL, RULE_TCP, 443, false },
	{ "https://user:pw@example.com:8443/x?y#z", "example.com", NULL, RULE_TCP, 8443, false },
	{ "ssh://git@192.0.2.1/x", NULL, "192.0.2.1", RULE_TCP, 22, false },
	{ "http://[2001:db8::1]/", NULL, "2001:db8::1", RULE_TCP, 80, false },
	{ "http://[2001:db8::1]:81", NULL, "2001:db8::1", RULE_TCP, 81, false },
	{ "odd://example.com:9/", "example.com", NULL, RULE_TCP, 9, false },
};

START_TEST(destination_is_read)
{
	char why[RULETEXT_WHY] = "", ip[ADDR_STRLEN];
	struct whydest d;

	ck_assert_msg(whydest_parse(good[_i].text, &d, why), "%s: %s", good[_i].text, why);
	ck_assert_int_eq(d.is_name, good[_i].name != NULL);
	if (d.is_name)
		ck_assert_str_eq(d.name, good[_i].name);
	else
		ck_assert_str_eq(addr_ip_str(&d.addr, ip), good[_i].addr);
	ck_assert_int_eq(d.proto, good[_i].proto);
	ck_assert_uint_eq(d.addr.port, good[_i].port);
	ck_assert_int_eq(d.assumed, good[_i].assumed);
}
END_TEST

static const char *const bad[] = {
	"", "*", "*:25", ".example.com", "*.example.com", "10.0.0.0/8", "2001:db8::/32",
	"example.com:1-9", "example.com:80,443", "example.com:0x50", "a b", "odd://example.com",
	"http://", "http:///x", "http://a@", "://x:1", "192.0.2.1:70000", "example.com/sctp",
};

START_TEST(what_is_no_single_destination_is_refused)
{
	char why[RULETEXT_WHY] = "";
	struct whydest d;

	ck_assert_msg(!whydest_parse(bad[_i], &d, why), "%s", bad[_i]);
	ck_assert_uint_gt(strlen(why), 0);
}
END_TEST

START_TEST(long_urls_end_in_a_reason)
{
	static char text[4096];
	char why[RULETEXT_WHY];
	struct whydest d;

	memcpy(text, "http://", 7);
	for (size_t len = 8; len < sizeof(text) - 1; len += 61) {
		memset(text + 7, 'a', len - 7);
		text[len] = '\0';
		if (len > 7 + 63)
			ck_assert(!whydest_parse(text, &d, why));
	}
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("why");

	tcase_add_loop_test(tc, destination_is_read, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(tc, what_is_no_single_destination_is_refused, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, long_urls_end_in_a_reason);
	return unit_run("why", tc);
}

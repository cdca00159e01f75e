/*
 * test_addr.c - addresses as text, as the kernel has them, and as they really are.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "addr.h"

static const struct {
	const char	*text, *want;	/* want: NULL where it is no address */
} parses[] = {
	{ "1.2.3.4",		"1.2.3.4:53" },
	{ "1.2.3.4:80",		"1.2.3.4:80" },
	{ "1.2.3.4:65535",	"1.2.3.4:65535" },
	{ "::1",		"[::1]:53" },
	{ "[::1]",		"[::1]:53" },
	{ "[2001:DB8::1]:8053",	"[2001:db8::1]:8053" },
	{ "2001:db8::1:80",	"[2001:db8::1:80]:53" },
	{ "::ffff:1.2.3.4",	"[::ffff:1.2.3.4]:53" },
	{ "",			NULL },
	{ ":",			NULL },
	{ ":53",		NULL },
	{ "1.2.3",		NULL },
	{ "1.2.3.4.5",		NULL },
	{ "1.2.3.256",		NULL },
	{ "01.2.3.4",		NULL },
	{ "1.2.3.4:",		NULL },
	{ "1.2.3.4:0",		NULL },
	{ "1.2.3.4:65536",	NULL },
	{ "1.2.3.4:-1",		NULL },
	{ "1.2.3.4:+1",		NULL },
	{ "1.2.3.4: 1",		NULL },
	{ "1.2.3.4:80x",	NULL },
	{ "1.2.3.4:99999999999999999999", NULL },
	{ "[1.2.3.4]:80",	NULL },
	{ "[::1",		NULL },
	{ "[::1]80",		NULL },
	{ "[::1]:",		NULL },
	{ "[]:80",		NULL },
	{ "fe80::1%eth0",	NULL },
	{ "localhost",		NULL },
	{ " 1.2.3.4",		NULL },
	{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee]:1", NULL },
};

START_TEST(text_is_read_or_refused)
{
	struct addr a = { .family = 99 };
	char buf[ADDR_STRLEN];
	bool ok = addr_parse(parses[_i].text, 53, &a);

	ck_assert_msg(ok == (parses[_i].want != NULL), "%s", parses[_i].text);
	if (ok)
		ck_assert_str_eq(addr_str(&a, buf), parses[_i].want);
	else
		ck_assert_uint_eq(a.family, 99);	/* out is left alone */
}
END_TEST

static const struct {
	const char	*text, *want;
} forms[] = {
	{ "192.0.2.1",			"192.0.2.1" },
	{ "::ffff:127.0.0.1",		"127.0.0.1" },		/* RFC 4291 2.5.5.2 */
	{ "::ffff:0:127.0.0.1",		"::ffff:0:7f00:1" },	/* none of the forms */
	{ "::127.0.0.1",		"127.0.0.1" },		/* RFC 4291 2.5.5.1 */
	{ "64:ff9b::10.0.0.1",		"10.0.0.1" },		/* RFC 6052 2.1 */
	{ "64:ff9b:1::10.0.0.1",	"64:ff9b:1::a00:1" },
	{ "2002:a9fe:a9fe::1",		"169.254.169.254" },	/* RFC 3056 2 */
	{ "2002:7f00:1:2:3:4:5:6",	"127.0.0.1" },
	{ "2001:db8::1",		"2001:db8::1" },
	{ "::",				"::" },
	{ "::1",			"::1" },
	{ "::2",			"0.0.0.2" },
};

START_TEST(forms_of_an_address_are_undone)
{
	struct addr a, real;
	char buf[ADDR_STRLEN];

	ck_assert(addr_parse(forms[_i].text, 443, &a));
	real = addr_canonical(&a);
	ck_assert_str_eq(addr_ip_str(&real, buf), forms[_i].want);
	ck_assert_uint_eq(real.port, 443);
}
END_TEST

START_TEST(kernel_form_comes_back)
{
	struct sockaddr_storage ss;
	struct addr a, b;

	if (parses[_i].want == NULL || !addr_parse(parses[_i].text, 53, &a))
		return;
	ck_assert_uint_eq(addr_iplen(&a), a.family == 4 ? 4 : 16);
	ck_assert_uint_gt(addr_to_sockaddr(&a, &ss), 0);
	ck_assert(addr_from_sockaddr(&ss, &b));
	ck_assert(addr_equal(&a, &b));
	b.port ^= 1;
	ck_assert(!addr_equal(&a, &b));
	b = a;
	b.ip[addr_iplen(&b) - 1] ^= 1;
	ck_assert(!addr_equal(&a, &b));
}
END_TEST

START_TEST(no_address_is_no_sockaddr)
{
	struct addr none = { 0 };
	struct sockaddr_storage ss = { .ss_family = AF_UNIX };
	char buf[ADDR_STRLEN];

	ck_assert(!addr_from_sockaddr(&ss, &none));
	ck_assert_uint_eq(none.family, 0);
	ck_assert_uint_eq(addr_to_sockaddr(&none, &ss), 0);
	ck_assert_str_eq(addr_ip_str(&none, buf), "-");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("addr");

	tcase_add_loop_test(tc, text_is_read_or_refused, 0, (int)COUNT(parses));
	tcase_add_loop_test(tc, forms_of_an_address_are_undone, 0, (int)COUNT(forms));
	tcase_add_loop_test(tc, kernel_form_comes_back, 0, (int)COUNT(parses));
	tcase_add_test(tc, no_address_is_no_sockaddr);
	return unit_run("addr", tc);
}

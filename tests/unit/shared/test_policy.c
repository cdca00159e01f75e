/*
 * test_policy.c - which destinations no option can allow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "policy.h"

static const struct {
	const char	*ip, *code;	/* code: NULL where it is allowed */
} judged[] = {
	{ "192.0.2.1", NULL }, { "8.8.8.8", NULL }, { "10.0.0.1", NULL },
	{ "2001:db8::1", NULL }, { "fd00::1", NULL }, { "169.254.169.254", NULL },
	{ "1.0.0.0", NULL }, { "126.255.255.255", NULL }, { "128.0.0.0", NULL },
	{ "223.255.255.255", NULL }, { "240.0.0.0", NULL }, { "255.255.255.254", NULL },
	{ "191.255.255.255", NULL }, { "192.0.0.8", NULL },
	{ "2001:2:0:ce:ffff:ffff:ffff:ffff", NULL }, { "2001:2:0:d0::", NULL },
	{ "fec0::1", NULL }, { "fe7f::1", NULL }, { "feff::", NULL },
	{ "64:ff9b::8.8.8.8", NULL }, { "2002:808:808::1", NULL },

	{ "0.0.0.0", "unspecified" }, { "0.255.255.255", "unspecified" }, { "::", "unspecified" },
	{ "127.0.0.1", "loopback" }, { "127.255.255.255", "loopback" }, { "::1", "loopback" },
	{ "224.0.0.1", "multicast" }, { "239.255.255.255", "multicast" },
	{ "ff02::1", "multicast" }, { "ff0e::1", "multicast" },
	{ "255.255.255.255", "broadcast" },
	{ "fe80::1", "link_local" }, { "febf:ffff::1", "link_local" },
	{ "192.0.0.0", "inside" }, { "192.0.0.2", "inside" }, { "192.0.0.7", "inside" },
	{ "2001:2:0:cf::", "inside" }, { "2001:2:0:cf:ffff:ffff:ffff:ffff", "inside" },

	{ "::ffff:127.0.0.1", "loopback" }, { "::127.0.0.1", "loopback" },
	{ "64:ff9b::127.0.0.1", "loopback" }, { "2002:7f00:1::", "loopback" },
	{ "::ffff:0.0.0.0", "unspecified" }, { "::2", "unspecified" },
	{ "::ffff:224.0.0.1", "multicast" }, { "64:ff9b::255.255.255.255", "broadcast" },
	{ "::ffff:192.0.0.2", "inside" }, { "2002:c000:2::1", "inside" },
};

START_TEST(destination_is_judged_in_every_form)
{
	struct policy *p = policy_new();
	struct policy_verdict v;
	struct addr dst;
	char ip[ADDR_STRLEN];

	ck_assert(addr_parse(judged[_i].ip, 80, &dst));
	ck_assert_msg(policy_judge(p, &dst, &v) == (judged[_i].code == NULL), "%s", judged[_i].ip);
	ck_assert_int_eq(v.allowed, judged[_i].code == NULL);
	if (judged[_i].code != NULL) {
		ck_assert_str_eq(v.reason_code, judged[_i].code);
		ck_assert_str_eq(v.control, "built-in");
		ck_assert_ptr_nonnull(strchr(v.matched_cidr, '/'));
		ck_assert_ptr_nonnull(strstr(v.text, addr_ip_str(&dst, ip)));
	}
	policy_free(p);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("policy");

	tcase_add_loop_test(tc, destination_is_judged_in_every_form, 0, (int)COUNT(judged));
	return unit_run("policy", tc);
}

/*
 * test_forms.c - the IPv4 addresses that an address may stand for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "forms.h"

/* The own form, then others; the address as written is always among them. */
static const struct {
	const char	*ip, *own, *others[4];
} rows[] = {
	{ "10.0.0.1", "10.0.0.1", { 0 } }, { "::", "::", { 0 } }, { "::1", "::1", { 0 } },
	{ "2001:db8::1", "2001:db8::1", { 0 } }, { "fe80::1", "fe80::1", { 0 } },
	{ "::ffff:10.0.0.1", "10.0.0.1", { "::ffff:10.0.0.1" } },
	{ "::10.0.0.1", "::10.0.0.1", { "10.0.0.1" } }, { "::2", "::2", { "0.0.0.2" } },
	{ "::ffff:0:10.0.0.1", "::ffff:0:10.0.0.1", { "10.0.0.1" } },
	{ "64:ff9b::10.0.0.1", "64:ff9b::10.0.0.1", { "10.0.0.1" } },
	{ "2002:a00:1::5", "2002:a00:1::5", { "10.0.0.1" } },
	/* Teredo: server 65.54.227.120, client 192.0.2.45 */
	{ "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
	    { "65.54.227.120", "192.0.2.45" } },
	{ "2001:0:808:808:0:0:f5ff:fffe", "2001:0:808:808:0:0:f5ff:fffe",
	    { "8.8.8.8", "10.0.0.1" } },
	{ "2001:db8::5efe:10.0.0.1", "2001:db8::5efe:10.0.0.1", { "10.0.0.1" } },
	{ "2001:db8::200:5efe:a00:1", "2001:db8::200:5efe:a00:1", { "10.0.0.1" } },
	{ "2001:db8::100:5efe:a00:1", "2001:db8::100:5efe:a00:1", { 0 } },
	/* local NAT64: /96, /64, /56, /48 */
	{ "64:ff9b:1::10.0.0.1", "64:ff9b:1::10.0.0.1", { "10.0.0.1" } },
	{ "64:ff9b:1:0:a:0:100::", "64:ff9b:1:0:a:0:100:0",
	    { "10.0.0.1", "1.0.0.0" } },
	{ "64:ff9b:1:a:0:1::", "64:ff9b:1:a:0:1::", { "10.0.0.1" } },
	{ "64:ff9b:1:a00:0:100::", "64:ff9b:1:a00:0:100::", { "10.0.0.1" } },
	{ "64:ff9b:1:c0a8:1:200::", "64:ff9b:1:c0a8:1:200::",
	    { "192.168.1.2", "168.1.2.0", "1.2.0.0" } },
	{ "64:ff9b:1::", "64:ff9b:1::", { "0.0.0.0" } },
	{ "64:ff9b:2::10.0.0.1", "64:ff9b:2::10.0.0.1", { 0 } },
};

static bool
among(const struct addr *forms, size_t n, const char *ip)
{
	struct addr want;
	bool found = false;

	ck_assert(addr_parse(ip, 7, &want));
	for (size_t i = 0; i < n; i++)
		found = found || addr_equal(&forms[i], &want);
	return found;
}

START_TEST(address_has_all_its_forms)
{
	struct addr a, forms[FORMS_MAX];
	size_t n, others = 0;

	ck_assert(addr_parse(rows[_i].ip, 7, &a));
	n = forms_of(&a, forms);
	ck_assert_uint_le(n, FORMS_MAX);
	ck_assert_msg(among(forms, 1, rows[_i].own), "%s", rows[_i].ip);
	ck_assert(among(forms, n, rows[_i].ip));
	for (; others < COUNT(rows[0].others) && rows[_i].others[others] != NULL; others++)
		ck_assert_msg(among(forms, n, rows[_i].others[others]), "%s: not %s", rows[_i].ip,
		    rows[_i].others[others]);
	ck_assert_msg(n == 1 + others, "%s has %zu forms", rows[_i].ip, n);
}
END_TEST

/* No address at all has more forms than there is room for. */
START_TEST(forms_stay_within_bounds)
{
	struct addr a = { .family = 6 }, forms[FORMS_MAX];
	uint32_t x = 1;

	for (int i = 0; i < 200000; i++) {
		static const uint8_t starts[][6] = { { 0, 0x64, 0xff, 0x9b, 0, 1 }, { 0x20, 1 },
		    { 0x20, 2 }, { 0 } };

		for (size_t k = 0; k < 16; k++)
			a.ip[k] = (x = x * 1664525 + 1013904223) >> 30 == 0 ? (uint8_t)(x >> 8) : 0;
		memcpy(a.ip, starts[i % 4], sizeof(starts[0]));
		if (i % 8 < 4)
			memcpy(a.ip + 8, "\0\0\x5e\xfe", 4);
		ck_assert_uint_le(forms_of(&a, forms), FORMS_MAX - 1);
	}
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("forms");

	tcase_add_loop_test(tc, address_has_all_its_forms, 0, (int)COUNT(rows));
	tcase_add_test(tc, forms_stay_within_bounds);
	return unit_run("forms", tc);
}

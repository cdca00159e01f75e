/*
 * test_texts.c - the texts that stand in for resolv.conf and the hosts file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

static const struct {
	const char	*extra, *host;
	const char	*merged;	/* NULL: refused, and why begins with `why` */
	const char	*why;
} merges[] = {
	{ "", "127.0.0.1 localhost\n", "127.0.0.1 localhost\n", NULL },
	{ "192.0.2.1 a\n", "127.0.0.1 localhost\n", "192.0.2.1 a\n127.0.0.1 localhost\n", NULL },
	/* no newline at the end of either */
	{ "192.0.2.1 a", "127.0.0.1 b", "192.0.2.1 a\n127.0.0.1 b\n", NULL },
	/* a name that is overridden takes its whole line away; case does not matter */
	{ "192.0.2.1 A\n", "10.0.0.1 a other\n10.0.0.2 b\n", "192.0.2.1 A\n10.0.0.2 b\n", NULL },
	{ "192.0.2.1 b\n", "10.0.0.1 a b # b\n", "192.0.2.1 b\n", NULL },
	/* a name in a comment is no name */
	{ "192.0.2.1 b\n", "10.0.0.1 a # b\n", "192.0.2.1 b\n10.0.0.1 a # b\n", NULL },
	{ "# c\n\n \t\n192.0.2.1\tx\ty # z\n", "", "# c\n\n \t\n192.0.2.1\tx\ty # z\n", NULL },
	{ "2001:db8::1 six\nfe80::1%eth0 z\n", "", "2001:db8::1 six\nfe80::1%eth0 z\n", NULL },
	{ "192.0.2.1 a\r\n", "", "192.0.2.1 a\r\n", NULL },
	{ "nonsense a\n", "", NULL, "line 1: \"nonsense\" is not an address" },
	{ "192.0.2.1 a\n192.0.2.1:80 b\n", "", NULL, "line 2: \"192.0.2.1:80\" is not an address" },
	{ "[::1] a\n", "", NULL, "line 1: \"[::1]\" is not an address" },
	{ "192.0.2.1\n", "", NULL, "line 1: an address without a name" },
	{ "\n\n1.2.3.4.5 a\n", "", NULL, "line 3: \"1.2.3.4.5\" is not an address" },
};

START_TEST(hosts_are_merged_or_refused_with_the_line)
{
	char why[256] = "";
	char *out = hosts_merge(merges[_i].extra, merges[_i].host, why, sizeof(why));

	if (merges[_i].merged != NULL) {
		ck_assert_ptr_nonnull(out);
		ck_assert_str_eq(out, merges[_i].merged);
	} else {
		ck_assert_ptr_null(out);
		ck_assert_msg(strncmp(why, merges[_i].why, strlen(merges[_i].why)) == 0, "%s", why);
	}
	free(out);
}
END_TEST

START_TEST(a_very_long_line_is_refused_and_not_copied_whole)
{
	size_t len = 100000;
	char *line = malloc(len + 1), why[256];

	memset(line, 'x', len);
	line[len] = '\0';
	ck_assert_ptr_null(hosts_merge(line, "", why, sizeof(why)));
	ck_assert_uint_lt(strlen(why), sizeof(why));
	free(line);
}
END_TEST

static const struct {
	const char	*arg;
	const char	*line;		/* NULL: refused */
} added[] = {
	{ "a:192.0.2.1", "192.0.2.1 a\n" },
	{ "a.b-c.example:2001:db8::1", "2001:db8::1 a.b-c.example\n" },
	{ "a:[2001:db8::1]", "2001:db8::1 a\n" },
	{ "_a=192.0.2.1", "192.0.2.1 _a\n" },
	{ "a", NULL }, { "a:", NULL }, { ":192.0.2.1", NULL }, { "a:b", NULL }, { "", NULL },
	{ "a:192.0.2.1:80", NULL }, { "a:[2001:db8::1]:80", NULL }, { "a:[192.0.2.1]", NULL },
	{ "a:[2001:db8::1", NULL }, { "a:[]", NULL }, { "a b:192.0.2.1", NULL },
	{ "a#:192.0.2.1", NULL }, { "a\n10.0.0.1 b:192.0.2.1", NULL }, { "a..b:192.0.2.1", NULL },
	{ "a.:192.0.2.1", NULL }, { "-a:192.0.2.1", NULL }, { "a:fe80::1%eth0", NULL },
};

START_TEST(a_host_that_is_added_is_a_line_or_refused)
{
	char *lines = NULL, why[128] = "";

	ck_assert_int_eq(hosts_add(&lines, added[_i].arg, why, sizeof(why)), added[_i].line != NULL);
	if (added[_i].line != NULL)
		ck_assert_str_eq(lines, added[_i].line);
	else
		ck_assert(lines == NULL && why[0] != '\0');
	free(lines);
}
END_TEST

START_TEST(hosts_that_are_added_add_up)
{
	char *lines = NULL, why[128];

	ck_assert(hosts_add(&lines, "a:192.0.2.1", why, sizeof(why)));
	ck_assert(hosts_add(&lines, "a:2001:db8::1", why, sizeof(why)));
	ck_assert(!hosts_add(&lines, "b:nonsense", why, sizeof(why)));
	ck_assert(hosts_add(&lines, "b:192.0.2.2", why, sizeof(why)));
	ck_assert_str_eq(lines, "192.0.2.1 a\n2001:db8::1 a\n192.0.2.2 b\n");
	free(lines);
}
END_TEST

static const struct {
	const char	*text;
	const char	*out;
	size_t		 n;
	const char	*first;		/* resolver */
} resolvs[] = {
	{ "", "nameserver 192.0.0.1\n", 0, NULL },
	{ "nameserver 192.0.2.53\n", "nameserver 192.0.0.1\n", 1, "192.0.2.53:53" },
	{ "nameserver 192.0.2.53", "nameserver 192.0.0.1\n", 1, "192.0.2.53:53" },
	{ "search a.example b.example\nnameserver ::1\noptions ndots:2 edns0\n",
	  "nameserver 192.0.0.1\nsearch a.example b.example\noptions ndots:2 edns0\n", 1, "[::1]:53" },
	{ "domain example\n# nameserver 192.0.2.1\n;x\nnameserver\t127.0.0.53\n",
	  "nameserver 192.0.0.1\ndomain example\n", 1, "127.0.0.53:53" },
	/* a zone or a name is no address; the next line still counts */
	{ "nameserver fe80::1%eth0\nnameserver localhost\nnameserver 192.0.2.9\n",
	  "nameserver 192.0.0.1\n", 1, "192.0.2.9:53" },
	{ "searching x\noptionsx\nnameserver 192.0.2.9", "nameserver 192.0.0.1\n", 1, "192.0.2.9:53" },
};

START_TEST(resolv_conf_keeps_what_is_the_hosts)
{
	struct texts t = { 0 };
	char text[ADDR_STRLEN];

	ck_assert(resolv_parse(resolvs[_i].text, &t));
	ck_assert_str_eq(t.resolv, resolvs[_i].out);
	ck_assert_uint_eq(t.resolvers.n, resolvs[_i].n);
	if (resolvs[_i].first != NULL)
		ck_assert_str_eq(addr_str(&t.resolvers.at[0], text), resolvs[_i].first);
	free(t.resolv);
}
END_TEST

START_TEST(more_resolvers_than_there_is_room_for_are_left_out)
{
	char text[64 * 32] = "";
	struct texts t = { 0 };

	for (int i = 0; i < 64; i++)
		strcat(text, "nameserver 192.0.2.1\n");
	ck_assert(resolv_parse(text, &t));
	ck_assert_uint_eq(t.resolvers.n, RESOLVERS_MAX);
	free(t.resolv);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("texts");
	TCase *tc = tcase_create("texts");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, hosts_are_merged_or_refused_with_the_line, 0,
	    sizeof(merges) / sizeof(merges[0]));
	tcase_add_loop_test(tc, a_host_that_is_added_is_a_line_or_refused, 0,
	    sizeof(added) / sizeof(added[0]));
	tcase_add_test(tc, hosts_that_are_added_add_up);
	tcase_add_test(tc, a_very_long_line_is_refused_and_not_copied_whole);
	tcase_add_loop_test(tc, resolv_conf_keeps_what_is_the_hosts, 0,
	    sizeof(resolvs) / sizeof(resolvs[0]));
	tcase_add_test(tc, more_resolvers_than_there_is_room_for_are_left_out);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

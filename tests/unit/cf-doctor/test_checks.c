/*
 * test_checks.c - the table, what its rows read, and the child that tries things.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

START_TEST(rows_are_complete_and_differ)
{
	for (const struct check *c = checks; c->name != NULL; c++) {
		ck_assert_ptr_nonnull(c->run);
		ck_assert(c->key && c->label && c->ability && c->why);
		ck_assert_str_ne(c->name, "summary");	/* the other program's word */
		for (const struct check *d = checks; d < c; d++) {
			ck_assert_str_ne(c->name, d->name);
			ck_assert_str_ne(c->key, d->key);
		}
	}
}
END_TEST

/* Whatever this host can do: each finding says something, a bad one what to do. */
START_TEST(finding_says_what_and_what_to_do)
{
	for (const struct check *c = checks; c->name != NULL; c++) {
		struct finding f = { 0 };

		c->run(&f);
		ck_assert_msg(f.detail[0] != '\0', "%s", c->name);
		ck_assert_msg(f.ok == (f.hint[0] == '\0'), "%s: %s", c->name, f.detail);
	}
}
END_TEST

static const struct { const char *text; size_t n; const char *first; } resolv[] = {
	{ "nameserver 192.0.2.1\n", 1, "192.0.2.1:53" },
	{ "nameserver\t2001:db8::1 \r\nnameserver 192.0.2.2", 2, "[2001:db8::1]:53" },
	{ "search x\noptions edns0\n", 0, NULL },
	{ "# nameserver 192.0.2.1\n nameserver 192.0.2.1\nnameservers 192.0.2.1\n", 0, NULL },
	{ "nameserver\nnameserver \nnameserver x\nnameserver 192.0.2.3", 1, "192.0.2.3:53" },
	{ "", 0, NULL },
};

START_TEST(resolv_conf_is_read)
{
	struct addr out[RESOLVERS_MAX];
	char buf[ADDR_STRLEN];

	ck_assert_uint_eq(resolv_parse(resolv[_i].text, strlen(resolv[_i].text), out), resolv[_i].n);
	if (resolv[_i].n > 0)
		ck_assert_str_eq(addr_str(&out[0], buf), resolv[_i].first);
}
END_TEST

START_TEST(resolvers_are_bounded)
{
	struct addr out[RESOLVERS_MAX];
	char text[100 * sizeof("nameserver 192.0.2.1\n")] = "";

	for (int i = 0; i < 100; i++)
		strcat(text, "nameserver 192.0.2.1\n");
	ck_assert_uint_eq(resolv_parse(text, strlen(text), out), RESOLVERS_MAX);
}
END_TEST

static const struct { const char *text; unsigned long n; } subids[] = {
	{ "me:100000:65536\n", 65536 }, { "1000:1:2\nme:5:6\n", 8 }, { "you:100000:65536\n", 0 },
	{ "me\nme:\nme:1\nme:1:\n:1:1\n", 0 }, { "mee:1:1\nm:1:1\n10000:1:1\n", 0 }, { "", 0 },
};

START_TEST(subids_are_added_up)
{
	ck_assert_uint_eq(subid_parse(subids[_i].text, strlen(subids[_i].text), "me", 1000),
	    subids[_i].n);
}
END_TEST

static void
finds(struct probe *p)
{
	*p = (struct probe){ .step = 3, .err = ENOSPC, .value = 77 };
}

static void
dies(struct probe *p)
{
	(void)p;
	raise(SIGKILL);
}

static void
leaves(struct probe *p)
{
	(void)p;
	_exit(9);
}

static void
hangs(struct probe *p)
{
	(void)p;
	for (;;)
		pause();
}

START_TEST(probe_brings_back_what_it_found)
{
	struct probe p;

	ck_assert_int_eq(probe_run(finds, &p), PROBE_DONE);
	ck_assert_int_eq(p.step, 3);
	ck_assert_int_eq(p.err, ENOSPC);
	ck_assert_uint_eq(p.value, 77);
}
END_TEST

START_TEST(probe_that_dies_is_told_from_one_that_hangs)
{
	struct probe p;

	ck_assert_int_eq(probe_run(dies, &p), PROBE_KILLED);
	ck_assert_int_eq(p.err, SIGKILL);
	ck_assert_int_eq(probe_run(leaves, &p), PROBE_KILLED);
	ck_assert_int_eq(p.err, 0);
	probe_limit = 50;
	ck_assert_int_eq(probe_run(hangs, &p), PROBE_LATE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("checks");
	TCase *tc = tcase_create("checks");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rows_are_complete_and_differ);
	tcase_add_test(tc, finding_says_what_and_what_to_do);
	tcase_add_loop_test(tc, resolv_conf_is_read, 0, (int)LEN(resolv));
	tcase_add_test(tc, resolvers_are_bounded);
	tcase_add_loop_test(tc, subids_are_added_up, 0, (int)LEN(subids));
	tcase_add_test(tc, probe_brings_back_what_it_found);
	tcase_add_test(tc, probe_that_dies_is_told_from_one_that_hangs);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

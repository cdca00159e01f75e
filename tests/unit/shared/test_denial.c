/*
 * test_denial.c - denials: each kind is said once, all are counted, and few lines are many.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../main.h"
#include "denial.h"
#include "log.h"

static FILE	*lines;		/* what goes to stderr */

static void
stderr_take(void)
{
	ck_assert_ptr_nonnull(lines = tmpfile());
	ck_assert_int_eq(dup2(fileno(lines), STDERR_FILENO), STDERR_FILENO);
	log_init("test", 0);
}

/* How many lines have this in them; NULL: all. */
static int
lines_with(const char *part)
{
	char line[4096];
	int n = 0;

	rewind(lines);
	while (fgets(line, sizeof(line), lines) != NULL)
		n += part == NULL || strstr(line, part) != NULL;
	return n;
}

START_TEST(denial_is_said_once_with_its_way_out)
{
	stderr_take();
	denial_init(-1);
	ck_assert(denial_tell("tcp 192.0.2.1:80", "blocked by `a`", "do without a"));
	ck_assert(!denial_tell("tcp 192.0.2.1:80", "blocked by `a`", "do without a"));
	ck_assert(denial_tell("tcp 192.0.2.1:80", "blocked by `b`", ""));
	ck_assert(denial_tell("udp 192.0.2.1:80", "blocked by `a`", ""));
	ck_assert_int_eq(lines_with(NULL), 3);
	ck_assert_int_eq(lines_with("test: tcp 192.0.2.1:80: blocked by `a`; do without a\n"), 1);
	ck_assert_int_eq(lines_with("test: tcp 192.0.2.1:80: blocked by `b`\n"), 1);
	denial_end();
	ck_assert_int_eq(lines_with(NULL), 4);
	ck_assert_int_eq(lines_with("test: tcp 192.0.2.1:80: refused 2 times\n"), 1);
	denial_end();
	ck_assert_int_eq(lines_with(NULL), 4);
}
END_TEST

START_TEST(what_passes_by_permission_is_told_as_such)
{
	int fd = eventfd(0, 0);
	uint64_t n;

	stderr_take();
	denial_init(fd);
	ck_assert(denial_permit("tcp 192.0.2.1:80", "blocked by `a`", "do without a"));
	ck_assert(!denial_permit("tcp 192.0.2.1:80", "blocked by `a`", "do without a"));
	ck_assert(denial_mention("tcp 192.0.2.1:80", "ended", ""));
	ck_assert_int_eq(lines_with("test: tcp 192.0.2.1:80: would be blocked by `a`; do without a\n"), 1);
	denial_end();
	ck_assert_int_eq(lines_with("test: tcp 192.0.2.1:80: would be refused 2 times\n"), 1);
	ck_assert_int_eq(read(fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 2);	/* what is only mentioned is not counted */
	close(fd);
}
END_TEST

START_TEST(every_denial_is_counted)
{
	int fd = eventfd(0, 0);
	uint64_t n;

	stderr_take();
	denial_init(fd);
	for (int i = 0; i < 5; i++)
		denial_tell(i % 2 == 0 ? "a" : "b", "no", "");
	ck_assert_int_eq(read(fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 5);
}
END_TEST

START_TEST(many_denials_are_few_lines)
{
	char what[64];

	stderr_take();
	denial_init(-1);
	for (int i = 0; i < 20000; i++) {
		snprintf(what, sizeof(what), "tcp 192.0.2.1:%d", i % 10000);
		denial_tell(what, "no", "");
	}
	ck_assert_int_eq(lines_with(NULL), DENIAL_LINES + 1);
	ck_assert_int_eq(lines_with("only counted"), 1);
	denial_end();
	ck_assert_int_le(lines_with(NULL), DENIAL_LINES + 1 + 20);
	ck_assert_int_eq(lines_with("not said: 19872 more refusals\n"), 1);
	ck_assert_int_eq(lines_with("refused 2 times\n"), 16);
	ck_assert_int_eq(lines_with("others of these were refused 48 times more\n"), 1);
}
END_TEST

START_TEST(what_the_tree_chose_cannot_drive_a_terminal)
{
	stderr_take();
	denial_init(-1);
	denial_tell("dns a\033[2Jb", "no", "");
	ck_assert_int_eq(lines_with("\033"), 0);
	ck_assert_int_eq(lines_with("dns a\\x1b[2Jb: no\n"), 1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("denial");

	tcase_add_test(tc, denial_is_said_once_with_its_way_out);
	tcase_add_test(tc, what_passes_by_permission_is_told_as_such);
	tcase_add_test(tc, every_denial_is_counted);
	tcase_add_test(tc, many_denials_are_few_lines);
	tcase_add_test(tc, what_the_tree_chose_cannot_drive_a_terminal);
	return unit_run("denial", tc);
}

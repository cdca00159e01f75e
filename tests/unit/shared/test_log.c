/*
 * test_log.c - bytes of others on a terminal: shown, and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "log.h"

static const struct {
	const char	*in, *out;
} escapes[] = {
	{ "plain text, with \"quotes\" and \\", "plain text, with \"quotes\" and \\" },
	{ "", "" },
	{ "\x1b[31mred", "\\x1b[31mred" },
	{ "a\nb\tc\rd", "a\\x0ab\\x09c\\x0dd" },
	{ "\x7f\x01", "\\x7f\\x01" },
	{ "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80", "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "\xc2\x9b" "31m", "\\xc2\\x9b31m" },			/* C1: CSI in one character */
	{ "\xe2\x80\xae" "abc", "\\xe2\\x80\\xaeabc" },		/* right-to-left override */
	{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },			/* isolate */
	{ "\xff\xfe", "\\xff\\xfe" },
	{ "\xc0\xaf", "\\xc0\\xaf" },				/* over-long '/' */
	{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },			/* a surrogate */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },		/* beyond U+10FFFF */
	{ "\xe2\x82", "\\xe2\\x82" },				/* cut */
};

START_TEST(text_is_shown_and_drives_nothing)
{
	char out[256];

	ck_assert_ptr_eq(log_escape(out, sizeof(out), escapes[_i].in), out);
	ck_assert_str_eq(out, escapes[_i].out);
}
END_TEST

START_TEST(every_buffer_length_ends_in_a_zero)
{
	for (size_t len = 1; len < 40; len++) {
		char *out = malloc(len);	/* so that a sanitizer sees one byte too many */

		log_escape(out, len, "\x1b\xe2\x82\xac\xff ab\xf0\x9f\x98\x80\x1b\x1b");
		ck_assert_uint_lt(strlen(out), len);
		free(out);
	}
}
END_TEST

START_TEST(a_line_is_one_line)
{
	char got[4096] = "", text[3000];
	int p[2];
	ssize_t n;

	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	log_init("cf-test", 0);
	log_warnx("%s", text);
	log_info("not said without -v");
	close(STDERR_FILENO);
	n = read(p[0], got, sizeof(got) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_ptr_eq(strchr(got, '\n'), got + n - 1);
	ck_assert_int_eq(strncmp(got, "cf-test: \\x0a", 13), 0);
	ck_assert_int_eq(read(p[0], got, 1), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("log");

	tcase_add_loop_test(tc, text_is_shown_and_drives_nothing, 0, (int)COUNT(escapes));
	tcase_add_test(tc, every_buffer_length_ends_in_a_zero);
	tcase_add_test(tc, a_line_is_one_line);
	return unit_run("log", tc);
}

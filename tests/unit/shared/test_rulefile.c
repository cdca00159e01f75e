/*
 * test_rulefile.c - files of rules, line by line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "rulefile.h"

#define FILE_OF(bytes)	(bytes), sizeof(bytes) - 1

/* What is read: "line:text|", at last "end" or "line:column!". */
static const struct {
	const char	*bytes;
	size_t		 len;
	const char	*want;
} files[] = {
	{ FILE_OF(""), "end" }, { FILE_OF("\n\n"), "end" }, { FILE_OF("a"), "1:a|end" },
	{ FILE_OF("a\nb\n"), "1:a|2:b|end" }, { FILE_OF("a\r\n\r\nb\r\n"), "1:a|3:b|end" },
	{ FILE_OF("\xef\xbb\xbf" "a\n"), "1:a|end" },
	{ FILE_OF("a\n\xef\xbb\xbf" "b"), "1:a|2:\xef\xbb\xbf" "b|end" },
	{ FILE_OF("# all\n  a  # one\n#b\n\t# c\n"), "2:a|end" },
	{ FILE_OF("a#b\n"), "1:a#b|end" }, { FILE_OF("a\t#\n"), "1:a|end" },
	{ FILE_OF("  a b  \n"), "1:a b|end" }, { FILE_OF("b\xc3\xbc\n"), "1:b\xc3\xbc|end" },
	{ FILE_OF("a\nb\0c\nd"), "1:a|2:2!" }, { FILE_OF("a\n\xff\n"), "1:a|2:1!" },
	{ FILE_OF("# \xff\n"), "1:3!" }, { FILE_OF("\xff\xfe" "a\0"), "1:1!" },
	{ FILE_OF("a\rb\n"), "1:a\rb|end" },
};

static void
file_say(const char *bytes, size_t len, char *out, size_t room)
{
	struct rulefile f;
	const char *text, *why = NULL;
	size_t n, used = 0;
	enum rulefile_got got;

	rulefile_init(&f, bytes, len);
	while ((got = rulefile_next(&f, &text, &n, &why)) == RULEFILE_RULE)
		used += (size_t)snprintf(out + used, room - used, "%u:%.*s|", f.line, (int)n, text);
	if (got == RULEFILE_END)
		snprintf(out + used, room - used, "end");
	else {
		ck_assert_ptr_nonnull(why);
		snprintf(out + used, room - used, "%u:%d!", f.line, (int)(text - f.start) + 1);
	}
}

START_TEST(file_gives_its_rules_and_their_lines)
{
	char *copy = malloc(files[_i].len + 1), said[256];

	memcpy(copy, files[_i].bytes, files[_i].len);
	file_say(copy, files[_i].len, said, sizeof(said));
	ck_assert_str_eq(said, files[_i].want);
	free(copy);
}
END_TEST

START_TEST(line_length_is_bounded)
{
	char bytes[RULEFILE_LINE_MAX + 4], said[2 * RULEFILE_LINE_MAX];

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes + RULEFILE_LINE_MAX, "\r\nb", 3);
	file_say(bytes, RULEFILE_LINE_MAX + 3, said, sizeof(said));
	ck_assert_ptr_nonnull(strstr(said, "|2:b|end"));
	bytes[RULEFILE_LINE_MAX] = 'a';
	file_say(bytes, RULEFILE_LINE_MAX + 3, said, sizeof(said));
	ck_assert_str_eq(said, "1:1!");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("rulefile");

	tcase_add_loop_test(tc, file_gives_its_rules_and_their_lines, 0, (int)COUNT(files));
	tcase_add_test(tc, line_length_is_bounded);
	return unit_run("rulefile", tc);
}

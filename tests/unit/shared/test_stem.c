/*
 * test_stem.c - names of files that belong together.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "../main.h"
#include "stem.h"

static const struct { const char *path, *word, *want; } words[] = {
	{ "run.pcapng",		"egress",	"run.egress.pcapng" },
	{ "run",		"egress",	"run.egress" },
	{ "a.b/run",		"child",	"a.b/run.child" },
	{ "a.b/.run",		"child",	"a.b/.run.child" },
	{ "/tmp/x.y.pcapng",	"0",		"/tmp/x.y.0.pcapng" },
	{ "run.",		"0",		"run.0." },
};

START_TEST(word_stands_before_the_last_dot)
{
	char out[64];

	ck_assert(stem_insert(words[_i].path, words[_i].word, out, sizeof(out)));
	ck_assert_str_eq(out, words[_i].want);
	ck_assert(!stem_insert(words[_i].path, words[_i].word, out, strlen(words[_i].want)));
}
END_TEST

START_TEST(numbers_sort)
{
	char out[64];

	ck_assert(stem_number("run.pcapng", 3, 10, out, sizeof(out)));
	ck_assert_str_eq(out, "run.3.pcapng");
	ck_assert(stem_number("run.pcapng", 3, 11, out, sizeof(out)));
	ck_assert_str_eq(out, "run.03.pcapng");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("stem");

	tcase_add_loop_test(tc, word_stands_before_the_last_dot, 0, COUNT(words));
	tcase_add_test(tc, numbers_sort);
	return unit_run("stem", tc);
}

/*
 * test_helpgroups.c - the pages of --help: every option is on one of them, and each fits a screen.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "cli.h"
#include "spawn.h"

#define SCREEN_LINES	24
#define SCREEN_COLUMNS	80

START_TEST(an_option_is_on_one_page)
{
	for (const struct cli_option *o = options_table; o->name != NULL; o++) {
		int pages = 0;

		for (const struct cli_group *g = options_groups; g->about != NULL; g++)
			if (g->name != NULL)
				pages += cli_in_group(&options_cli, g, o);
		ck_assert_msg(pages == (o->help != NULL), "--%s is on %d pages", o->name, pages);
	}
}
END_TEST

START_TEST(a_page_names_only_options)
{
	for (const struct cli_group *g = options_groups; g->about != NULL; g++) {
		char names[1024], *rest = names, *word;

		snprintf(names, sizeof(names), "%s", g->options != NULL ? g->options : "");
		while ((word = strtok_r(rest, " ", &rest)) != NULL) {
			const struct cli_option *o = options_table;

			while (o->name != NULL && strcmp(o->name, word) != 0)
				o++;
			ck_assert_msg(o->name != NULL, "no option is called --%s", word);
		}
	}
}
END_TEST

START_TEST(a_page_fits_a_screen)
{
	char line[256];
	int lines = 0;
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	fflush(stdout);
	ck_assert_int_ne(dup2(fileno(f), STDOUT_FILENO), -1);
	cli_help_on(&options_cli, options_groups[_i].name);
	fflush(stdout);
	rewind(f);
	for (; fgets(line, sizeof(line), f) != NULL; lines++)
		ck_assert_msg(strcspn(line, "\n") <= SCREEN_COLUMNS, "too wide: %s", line);
	ck_assert_int_gt(lines, 2);
	ck_assert_int_le(lines, SCREEN_LINES);
	fclose(f);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("helpgroups");
	int pages = 0;

	while (options_groups[pages].about != NULL)
		pages++;
	tcase_add_test(tc, an_option_is_on_one_page);
	tcase_add_test(tc, a_page_names_only_options);
	tcase_add_loop_test(tc, a_page_fits_a_screen, 0, pages);
	return unit_run("helpgroups", tc);
}

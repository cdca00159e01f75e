/*
 * test_table.c - the program's table of options: names that stay apart, and its pages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "spawn.h"

#define PAGE		"man/cf-profile.5"
#define OWN_PAGE	"man/cf-spawn.1"

START_TEST(names_and_letters_and_keys_are_each_of_one_row)
{
	char a[CLI_NAME_LEN], b[CLI_NAME_LEN];

	for (const struct cli_option *o = options_table; o->name != NULL; o++) {
		ck_assert_uint_lt(strlen(o->name), CLI_NAME_LEN - 8);
		/* --proxy has none, as --no-proxy is what other programs mean by it. */
		ck_assert_msg(strncmp(o->name, "no-", 3) != 0 || strcmp(o->name, "no-proxy") == 0 ||
		    cli_by_key(options_table, o->name + 3) == NULL, "%s is a negated form too", o->name);
		for (const struct cli_option *p = options_table; p < o; p++) {
			ck_assert_str_ne(o->name, p->name);
			ck_assert_msg(o->letter == 0 || o->letter != p->letter, "-%c", o->letter);
			ck_assert_str_ne(cli_key(o, a), cli_key(p, b));
		}
	}
}
END_TEST

/* What --help calls repeatable is a list in a profile, and the other way round. */
START_TEST(repeatable_options_are_lists)
{
	for (const struct cli_option *o = options_table; o->name != NULL; o++) {
		if (o->help != NULL && strstr(o->help, "(repeatable") != NULL)
			ck_assert_msg((o->flags & CLI_LIST) != 0, "%s is no CLI_LIST", o->name);
		if ((o->flags & CLI_LIST) != 0)
			ck_assert_msg(o->value != NULL, "%s is a list of nothing", o->name);
	}
}
END_TEST

static char	page[256][CLI_NAME_LEN];	/* the keys that the page has an item for */
static size_t	on_page;

static void
page_read(void)
{
	FILE *f = fopen(PAGE, "re");
	char line[512];

	ck_assert_msg(f != NULL, "cannot open %s: run the tests from the top directory", PAGE);
	for (on_page = 0; fgets(line, sizeof(line), f) != NULL;)
		if (strncmp(line, ".It Ic ", 7) == 0 && on_page < COUNT(page))
			sscanf(line + 7, "%63s", page[on_page++]);
	fclose(f);
}

static bool
is_on_page(const char *key)
{
	for (size_t i = 0; i < on_page; i++)
		if (strcmp(page[i], key) == 0)
			return true;
	return false;
}

START_TEST(the_page_has_every_key_and_no_other)
{
	char key[CLI_NAME_LEN];

	page_read();
	for (const struct cli_option *o = options_table; o->name != NULL; o++)
		if (cli_has_key(o))
			ck_assert_msg(is_on_page(cli_key(o, key)), PAGE " has no \".It Ic %s\"", key);
	for (size_t i = 0; i < on_page; i++)
		ck_assert_msg(strcmp(page[i], "extends") == 0 || strcmp(page[i], "command") == 0 ||
		    cli_by_key(options_table, page[i]) != NULL, PAGE " has %s, which is no key", page[i]);
}
END_TEST

/* The words of the list of all long options, with their dashes. */
static void
index_read(void)
{
	FILE *f = fopen(OWN_PAGE, "re");
	char line[512];
	bool inside = false;

	ck_assert_msg(f != NULL, "cannot open %s: run the tests from the top directory", OWN_PAGE);
	on_page = 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strcmp(line, ".Ss All long options\n") == 0)
			inside = true;
		else if (inside && strcmp(line, ".El\n") == 0)
			break;
		else if (inside && strncmp(line, ".It ", 4) == 0)
			for (char *rest = line, *word; on_page < COUNT(page) &&
			    (word = strtok_r(rest, " \n", &rest)) != NULL;)
				if (strncmp(word, "--", 2) == 0)
					snprintf(page[on_page++], CLI_NAME_LEN, "%s", word);
	fclose(f);
}

START_TEST(the_index_has_every_option_and_no_other)
{
	char name[CLI_NAME_LEN + 2];
	size_t shown = 0;

	index_read();
	for (const struct cli_option *o = options_table; o->name != NULL; o++)
		if (o->help != NULL) {
			snprintf(name, sizeof(name), "--%s", o->name);
			ck_assert_msg(is_on_page(name), OWN_PAGE " has no %s in its list", name);
			shown++;
		}
	ck_assert_uint_eq(on_page, shown);
}
END_TEST

START_TEST(a_typing_error_is_answered_by_the_option_that_was_meant)
{
	static const struct { const char *word, *meant; } typed[] = {
		{ "nmae", "name" }, { "atach", "attach" }, { "prnt-plan", "print-plan" },
		{ "allow-domian", "allow-domain" }, { "flowlog", "flow-log" }, { "zzzzzz", NULL },
		{ "", NULL }, { "a-word-that-is-much-longer-than-any-name-of-an-option-can-be", NULL },
	};

	ck_assert_pstr_eq(cli_name_meant(options_table, typed[_i].word), typed[_i].meant);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, names_and_letters_and_keys_are_each_of_one_row);
	tcase_add_test(tc, repeatable_options_are_lists);
	tcase_add_test(tc, the_page_has_every_key_and_no_other);
	tcase_add_test(tc, the_index_has_every_option_and_no_other);
	tcase_add_loop_test(tc, a_typing_error_is_answered_by_the_option_that_was_meant, 0, 8);
	return unit_run("table", tc);
}

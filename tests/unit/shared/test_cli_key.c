/*
 * test_cli_key.c - options as keys and variables, and the --no- form of the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <string.h>

#include "cli.h"

static bool
set_nothing(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	return true;
}

static const struct cli_option table[] = {
	{ 'a', "alpha-beta",	NULL,	set_nothing, "a switch" },
	{ 0,   "allow-cidr",	"NET",	set_nothing, "a list", CLI_LIST, CLI_NEVER, "allow_cidrs" },
	{ 0,   "number",	"N",	set_nothing, "a number" },
	{ 0,   "size",		"SIZE",	set_nothing, "an amount" },
	{ 0,   "file",		"FILE",	set_nothing, "a path" },
	{ 'v', "verbose",	NULL,	set_nothing, "counts", CLI_COUNT },
	{ 0,   "which",		"NAME",	set_nothing, "no key", CLI_LIST | CLI_NO_KEY },
	{ 'h', "help",		NULL,	set_nothing, "acts at once", CLI_NOW },
	{ 0,   "hidden",	"NAME",	set_nothing, NULL },
	{ 0 }
};

static const struct {
	const char	*key, *variable;
	enum cli_kind	 kind;
} names[] = {
	{ "alpha_beta",	"CF_ALPHA_BETA",	CLI_SWITCH },
	{ "allow_cidrs", "CF_ALLOW_CIDR",	CLI_TEXT },
	{ "number",	"CF_NUMBER",		CLI_NUMBER },
	{ "size",	"CF_SIZE",		CLI_AMOUNT },
	{ "file",	"CF_FILE",		CLI_PATH },
	{ "verbose",	"CF_VERBOSE",		CLI_COUNTER },
	{ NULL,		"CF_WHICH",		CLI_TEXT },
	{ NULL,		NULL,			CLI_SWITCH },
	{ "hidden",	"CF_HIDDEN",		CLI_TEXT },
};

START_TEST(row_has_its_key_and_its_variable)
{
	const struct cli_option *o = &table[_i];
	char buf[CLI_NAME_LEN];

	ck_assert_int_eq(cli_has_key(o), names[_i].key != NULL);
	ck_assert_int_eq(cli_has_variable(o), names[_i].variable != NULL);
	ck_assert_int_eq(cli_kind(o), names[_i].kind);
	if (names[_i].key != NULL) {
		ck_assert_str_eq(cli_key(o, buf), names[_i].key);
		ck_assert_ptr_eq(cli_by_key(table, names[_i].key), o);
	}
	if (names[_i].variable != NULL)
		ck_assert_str_eq(cli_variable(o, buf), names[_i].variable);
}
END_TEST

static const char *const meant[][2] = {
	{ "allow_cidr", "allow_cidrs" }, { "alow_cidrs", "allow_cidrs" }, { "Size", "size" },
	{ "alpha-beta", "alpha_beta" }, { "nmuber", "number" }, { "filee", "file" },
	{ "something_else", NULL }, { "hiden", NULL }, { "", NULL }, { "whichs", NULL },
	{ "a_word_that_is_much_longer_than_any_key_of_any_table_could_ever_be_here", NULL },
};

START_TEST(nearest_key_is_found_and_a_far_one_is_not)
{
	char buf[CLI_NAME_LEN];
	const char *got = cli_key_meant(table, meant[_i][0], buf);

	if (meant[_i][1] == NULL)
		ck_assert_ptr_null(got);
	else
		ck_assert_pstr_eq(got, meant[_i][1]);
}
END_TEST

START_TEST(booleans_have_four_spellings)
{
	static const char *const on[] = { "1", "true", "Yes", "ON" }, *const off[] = { "0", "False",
	    "no", "off" }, *const neither[] = { "", "2", "y", "true " };
	char why[CLI_WHY_LEN];
	bool b;

	for (size_t i = 0; i < COUNT(on); i++) {
		ck_assert(cli_boolean(on[i], &b, why) && b);
		ck_assert(cli_boolean(off[i], &b, why) && !b);
		ck_assert(!cli_boolean(neither[i], &b, why));
	}
}
END_TEST

/* ---- cli_walk ---- */

static char	said[256];

static bool
take(void *ctx, const struct cli_option *o, const char *arg, bool negated, char *why)
{
	(void)ctx, (void)why;
	strcat(said, negated ? "-" : "+");
	strcat(said, o->name);
	if (arg != NULL)
		strcat(strcat(said, "="), arg);
	return true;
}

START_TEST(negated_forms_come_beside_the_others)
{
	static char *argv[] = { "x", "-a", "--no-alpha-beta", "--file=f", "--no-file", "-vv", "--",
	    "--no-size", NULL };
	const struct cli cli = { "x", "", "", table, true };

	*said = '\0';
	ck_assert_int_eq(cli_walk(&cli, take, NULL, 8, argv, 2), 7);
	ck_assert_str_eq(said, "+alpha-beta-alpha-beta+file=f-file+verbose+verbose");
}
END_TEST

START_TEST(what_acts_at_once_has_no_negated_form)
{
	static char *argv[] = { "x", "--no-help", NULL };
	const struct cli cli = { "x", "", "", table, true };

	cli_walk(&cli, take, NULL, 2, argv, 33);
}
END_TEST

START_TEST(a_program_may_do_without_negated_forms)
{
	static char *argv[] = { "x", "--no-alpha-beta", NULL };
	const struct cli cli = { "x", "", "", table, false };

	cli_walk(&cli, take, NULL, 2, argv, 33);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("cli_key");

	tcase_add_loop_test(tc, row_has_its_key_and_its_variable, 0, COUNT(names));
	tcase_add_loop_test(tc, nearest_key_is_found_and_a_far_one_is_not, 0, COUNT(meant));
	tcase_add_test(tc, booleans_have_four_spellings);
	tcase_add_test(tc, negated_forms_come_beside_the_others);
	tcase_add_exit_test(tc, what_acts_at_once_has_no_negated_form, 33);
	tcase_add_exit_test(tc, a_program_may_do_without_negated_forms, 33);
	return unit_run("cli_key", tc);
}

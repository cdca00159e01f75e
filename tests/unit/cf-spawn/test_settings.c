/*
 * test_settings.c - whose word counts, what is dumped, and what comes back of it.
 *
 * The table is one of the test's own with a row of each kind; that of the program is held
 * against its page in test_table.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdlib.h>
#include <string.h>

#include "settings.h"
#include "sources.h"

static char	applied[512];

static bool
set(void *conf, const char *arg, char *why)
{
	(void)conf;
	strcat(strcat(applied, arg != NULL ? arg : "!"), " ");
	snprintf(why, CLI_WHY_LEN, "it is bad");
	return arg == NULL || strcmp(arg, "bad") != 0;
}

enum { SWITCH, OTHER, LIST, TEXT, NUMBER, COUNTER, SECRET, PATHS, WHICH };
static const struct cli_option table[] = {
	{ 0, "switch",	NULL,	set, "" },
	{ 0, "other",	NULL,	set, "" },
	{ 0, "list",	"NAME",	set, "", CLI_LIST, CLI_NEVER, "lists" },
	{ 0, "text",	"NAME",	set, "" },
	{ 0, "number",	"N",	set, "" },
	{ 0, "counter",	NULL,	set, "", CLI_COUNT },
	{ 0, "secret",	"WORD",	set, "", CLI_SECRET },
	{ 0, "paths",	"FILE",	set, "", CLI_LIST },
	{ 0, "which",	"NAME",	set, "", CLI_LIST | CLI_NO_KEY },
	{ 0 }
};

static const struct origin	line3 = { FROM_PROFILE, "/p.toml", 3, 7 },
				environment = { .from = FROM_ENVIRONMENT },
				words = { .from = FROM_COMMAND_LINE };
static struct settings		s;

static void
setup(void)
{
	ck_assert(settings_init(&s, table));
	settings_layer(&s);
	*applied = '\0';
}

static void
teardown(void)
{
	settings_done(&s);
}

static void
put(int row, const char *text, const struct origin *o)
{
	ck_assert(settings_put(&s, &table[row], text, o));
}

static const char *
apply(void)
{
	static char why[SETTINGS_WHY];

	*why = '\0';
	return settings_apply(&s, NULL, why) ? applied : why;
}

static const char *
dump(bool secrets)
{
	static char text[4096];
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_null(settings_dump(&s, secrets, f));
	fclose(f);
	return text;
}

START_TEST(a_later_layer_replaces_lists_too)
{
	put(LIST, "a", &line3);
	put(LIST, "b", &line3);
	put(TEXT, "one", &line3);
	settings_layer(&s);
	put(LIST, "c", &words);
	put(TEXT, "two", &words);
	ck_assert_str_eq(apply(), "c two ");
}
END_TEST

START_TEST(within_a_layer_lists_grow_and_the_last_text_counts)
{
	put(LIST, "a", &words);
	put(TEXT, "one", &words);
	put(LIST, "b", &words);
	put(TEXT, "two", &words);
	put(COUNTER, NULL, &words);
	put(COUNTER, NULL, &words);
	ck_assert_str_eq(apply(), "a b two ! ! ");
}
END_TEST

START_TEST(a_cleared_setting_is_not_applied)
{
	put(SWITCH, NULL, &line3);
	put(LIST, "a", &line3);
	settings_layer(&s);
	settings_clear(&s, &table[SWITCH], &words);
	settings_clear(&s, &table[LIST], &words);
	put(LIST, "b", &words);
	ck_assert_str_eq(apply(), "b ");
}
END_TEST

START_TEST(a_bad_value_says_where_it_stands)
{
	put(TEXT, "bad", &line3);
	ck_assert_str_eq(apply(), "/p.toml:3:7: text bad: it is bad");
	settings_layer(&s);
	put(TEXT, "bad", &environment);
	ck_assert_str_eq(apply(), "CF_TEXT=bad: it is bad");
	settings_layer(&s);
	put(TEXT, "bad", &words);
	ck_assert_str_eq(apply(), "--text bad: it is bad");
}
END_TEST

START_TEST(a_bad_secret_is_not_in_its_message)
{
	put(SECRET, "bad", &line3);
	ck_assert_ptr_null(strstr(apply() + 8, " bad:"));
}
END_TEST

START_TEST(the_dump_has_each_value_and_its_origin)
{
	put(SWITCH, NULL, &line3);
	put(LIST, "q\"\\\t\x7f", &line3);
	put(LIST, "\xc3\xa4", &line3);
	settings_layer(&s);
	put(NUMBER, "12", &environment);
	settings_layer(&s);
	put(COUNTER, NULL, &words);
	settings_clear(&s, &table[OTHER], &words);
	settings_clear(&s, &table[TEXT], &words);
	settings_clear(&s, &table[PATHS], &words);
	put(WHICH, "p", &words);
	ck_assert(settings_put(&s, &settings_command, "true", &words));
	ck_assert_str_eq(dump(false),
	    "switch = true\t# /p.toml:3\n"
	    "other = false\t# command line\n"
	    "lists = [\t# /p.toml:3\n"
	    "\t\"q\\\"\\\\\\u0009\\u007F\",\t# /p.toml:3\n"
	    "\t\"\xc3\xa4\",\t# /p.toml:3\n"
	    "]\n"
	    "# text is not set\t# command line\n"
	    "number = 12\t# CF_NUMBER\n"
	    "counter = 1\t# command line\n"
	    "paths = []\t# command line\n"
	    "command = [\t# command line\n"
	    "\t\"true\",\t# command line\n"
	    "]\n");
}
END_TEST

START_TEST(secrets_are_dumped_when_asked_for)
{
	put(SECRET, "hush", &line3);
	ck_assert_str_eq(dump(false), "# secret is set, and shown with --dump-secrets\t# /p.toml:3\n");
	ck_assert_str_eq(dump(true), "secret = \"hush\"\t# /p.toml:3\n");
}
END_TEST

START_TEST(a_file_name_cannot_leave_its_comment)
{
	const struct origin odd = { FROM_PROFILE, "/x\ncommand = [\"evil\"]", 1, 1 };

	put(SWITCH, NULL, &odd);
	ck_assert_str_eq(dump(false), "switch = true\t# /x\\x0acommand = [\"evil\"]:1\n");
}
END_TEST

START_TEST(what_is_not_utf8_is_not_dumped)
{
	put(TEXT, "\xff", &words);
	ck_assert_ptr_nonnull(settings_dump(&s, false, stderr));
}
END_TEST

/* ---- the environment ---- */

START_TEST(variables_are_read_as_their_kind)
{
	char why[SETTINGS_WHY];

	put(SWITCH, NULL, &line3);
	put(LIST, "a", &line3);
	setenv("CF_SWITCH", "off", 1);
	setenv("CF_OTHER", "yes", 1);
	setenv("CF_LIST", " b  c\t", 1);
	setenv("CF_PATHS", "/x y\n/z", 1);
	setenv("CF_COUNTER", "2", 1);
	setenv("CF_TEXT", "", 1);		/* as if it were not there */
	ck_assert(sources_environment(&s, why));
	ck_assert_str_eq(apply(), "! b c ! ! /x y /z ");
}
END_TEST

static const char *const bad_variables[][2] = {
	{ "CF_SWITCH", "maybe" }, { "CF_COUNTER", "-1" }, { "CF_COUNTER", "1000000" },
	{ "CF_COUNTER", "x" },
};

START_TEST(a_variable_that_says_nothing_is_an_error)
{
	char why[SETTINGS_WHY] = "";

	setenv(bad_variables[_i][0], bad_variables[_i][1], 1);
	ck_assert(!sources_environment(&s, why));
	ck_assert_ptr_eq(strstr(why, bad_variables[_i][0]), why);
}
END_TEST

START_TEST(secrets_are_taken_out_of_the_environment)
{
	char why[SETTINGS_WHY];
	const char *old;

	setenv("CF_SECRET", "hush", 1);
	setenv("CF_TEXT", "stays", 1);
	old = getenv("CF_SECRET");
	ck_assert(sources_environment(&s, why));
	sources_forget(table);
	ck_assert_ptr_null(getenv("CF_SECRET"));
	ck_assert_str_eq(getenv("CF_TEXT"), "stays");
	ck_assert_ptr_null(strstr(old, "hush"));
	ck_assert_str_eq(apply(), "stays hush ");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("settings");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_later_layer_replaces_lists_too);
	tcase_add_test(tc, within_a_layer_lists_grow_and_the_last_text_counts);
	tcase_add_test(tc, a_cleared_setting_is_not_applied);
	tcase_add_test(tc, a_bad_value_says_where_it_stands);
	tcase_add_test(tc, a_bad_secret_is_not_in_its_message);
	tcase_add_test(tc, the_dump_has_each_value_and_its_origin);
	tcase_add_test(tc, secrets_are_dumped_when_asked_for);
	tcase_add_test(tc, a_file_name_cannot_leave_its_comment);
	tcase_add_test(tc, what_is_not_utf8_is_not_dumped);
	tcase_add_test(tc, variables_are_read_as_their_kind);
	tcase_add_loop_test(tc, a_variable_that_says_nothing_is_an_error, 0, COUNT(bad_variables));
	tcase_add_test(tc, secrets_are_taken_out_of_the_environment);
	return unit_run("settings", tc);
}

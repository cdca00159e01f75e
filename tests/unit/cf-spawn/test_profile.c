/*
 * test_profile.c - what cf-toml says of a profile, believed or not, and keys against the table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <string.h>

#include "profile.h"
#include "spawn.h"

/* ---- tomlread.c ---- */

static const char *const no_document[] = {
	"", "null", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"error\":[\"x\",1,1]}",
	"{\"keys\":[],\"keys\":[]}", "{\"keys\":[[]]}", "{\"keys\":[[1,1,1,[\"string\",1,1,\"\"]]]}",
	"{\"keys\":[[\"a\",0,1,[\"string\",1,1,\"\"]]]}", "{\"keys\":[[\"a\",1,-1,[\"string\",1,1,\"\"]]]}",
	"{\"keys\":[[\"a\",1,1,[\"string\",1,1]]]}", "{\"keys\":[[\"a\",1,1,[\"string\",1,1,2]]]}",
	"{\"keys\":[[\"a\",1,1,[\"integer\",1,1,\"2\"]]]}", "{\"keys\":[[\"a\",1,1,[\"boolean\",1,1,1]]]}",
	"{\"keys\":[[\"a\",1,1,[\"list\",1,1,[[\"list\",1,1,[]]]]]]}",
	"{\"keys\":[[\"a\",1,1,[\"table\",1,1,{}]]]}", "{\"keys\":[[\"a\",1,1,[\"odd\",1,1]]]}",
	"{\"keys\":[[\"a\",1,1,[\"string\",1,1,\"\\u0000\"]]]}", "{\"keys\":[[\"a\",1,1]]}",
	"{\"keys\":[[\"a\",1,1,[\"string\",1,1,\"\"],1]]}", "{\"keys\":[]} x",
	"{\"keys\":[[\"a\",1,4000000000,[\"string\",1,1,\"\"]]]}", "{\"error\":[\"x\",0,1]}",
	"{\"error\":\"x\"}", "{\"error\":[1,1,1]}", "{\"other\":1}",
};

START_TEST(what_is_not_the_form_is_refused_whole)
{
	struct toml_doc doc;
	struct toml_error err;

	ck_assert(!toml_read(no_document[_i], strlen(no_document[_i]), &doc, &err));
	ck_assert_uint_eq(err.line, 0);
	ck_assert_ptr_nonnull(strstr(err.text, "cf-toml"));
	toml_done(&doc);
}
END_TEST

START_TEST(an_error_of_the_profile_keeps_its_place)
{
	static const char json[] = "{\"error\":[\"no value\",7,3]}";
	struct toml_doc doc;
	struct toml_error err;

	ck_assert(!toml_read(json, sizeof(json) - 1, &doc, &err));
	ck_assert_str_eq(err.text, "no value");
	ck_assert_uint_eq(err.line, 7);
	ck_assert_uint_eq(err.column, 3);
	toml_done(&doc);
}
END_TEST

START_TEST(keys_come_in_the_order_of_the_file)
{
	static const char json[] = "{\"keys\":[[\"a\",9,1,[\"integer\",9,5,-4]],"
	    "[\"b\",2,1,[\"list\",2,5,[[\"string\",3,2,\"x\"],[\"table\",4,2]]]],"
	    "[\"c\",2,30,[\"boolean\",2,34,true]]]}";
	struct toml_doc doc;
	struct toml_error err;

	ck_assert(toml_read(json, sizeof(json) - 1, &doc, &err));
	ck_assert_uint_eq(doc.n, 3);
	ck_assert_str_eq(doc.key[0].name, "b");
	ck_assert_uint_eq(doc.key[0].value.n, 2);
	ck_assert_str_eq(doc.key[0].value.item[0].text, "x");
	ck_assert_str_eq(doc.key[0].value.item[1].text, "table");
	ck_assert_uint_eq(doc.key[0].value.item[1].line, 4);
	ck_assert(doc.key[1].value.on);
	ck_assert_int_eq((int)doc.key[2].value.number, -4);
	toml_done(&doc);
}
END_TEST

/* ---- profile_key.c ---- */

/* One key at line 2, its value at column 9; why, or "" and the settings. */
static const char *
take(struct settings *s, const char *key, const char *value)
{
	static char why[PROFILE_WHY];
	char json[512];
	struct toml_doc doc;
	struct toml_error err;

	snprintf(json, sizeof(json), "{\"keys\":[[\"%s\",2,1,%s]]}", key, value);
	ck_assert_msg(toml_read(json, strlen(json), &doc, &err), "%s", json);
	ck_assert(settings_init(s, options_table));
	settings_layer(s);
	*why = '\0';
	ck_assert_int_eq(profile_take(s, &doc, "/d/p.toml", "/d", why), *why == '\0');
	toml_done(&doc);
	return why;
}

#define STRING(t)	"[\"string\",2,9,\"" t "\"]"
static const struct { const char *key, *value, *why; } refusals[] = {
	{ "offlin",	"[\"boolean\",2,9,true]", "2:1: offlin: unknown key, did you mean offline?" },
	{ "help",	"[\"boolean\",2,9,true]", "2:1: help: " },
	{ "profile",	STRING("x"),		"2:1: profile: " },
	{ "qqqqqqqq",	STRING("x"),		"2:1: qqqqqqqq: no option has this key" },
	{ "include",	STRING("x"),		"2:1: include: unknown key, did you mean extends?" },
	{ "offline",	"[\"integer\",2,9,1]",	"2:9: offline: expected true or false, found a number" },
	{ "dns_cache",	STRING("5"),		"2:9: dns_cache: expected a number, found a string" },
	{ "verbose",	"[\"integer\",2,9,-1]",	"2:9: verbose: expected a number from 0 to 100" },
	{ "verbose",	"[\"integer\",2,9,101]", "2:9: verbose: expected a number from 0 to 100" },
	{ "user",	"[\"table\",2,9]",	"2:9: user: expected a string, found a table" },
	{ "user",	"[\"list\",2,9,[]]",	"2:9: user: expected a string, found a list" },
	{ "capture",	"[\"boolean\",2,9,true]", "2:9: capture: expected a path (a string), found true" },
	{ "allow",	"[\"integer\",2,9,1]",	"2:9: allow: expected a list of strings, found a number" },
	{ "allow",	"[\"list\",2,9,[[\"string\",2,10,\"a\"],[\"float\",3,4]]]",
	  "3:4: allow: expected a list of strings, found a float" },
	{ "command",	STRING("x y"),		"2:9: command: expected a list of strings" },
};

START_TEST(a_wrong_key_or_type_is_refused_with_its_place)
{
	struct settings s;
	const char *why = take(&s, refusals[_i].key, refusals[_i].value);
	char want[256];

	snprintf(want, sizeof(want), "/d/p.toml:%s", refusals[_i].why);
	ck_assert_msg(strncmp(why, want, strlen(want)) == 0, "%s", why);
	settings_done(&s);
}
END_TEST

/* Every key of the program takes its kind. */
START_TEST(every_key_is_taken)
{
	static const char *const good[] = { [CLI_SWITCH] = "[\"boolean\",2,9,true]",
	    [CLI_COUNTER] = "[\"integer\",2,9,1]", [CLI_NUMBER] = "[\"integer\",2,9,1]",
	    [CLI_AMOUNT] = STRING("1M"), [CLI_PATH] = STRING("x"), [CLI_TEXT] = STRING("x") };
	char key[CLI_NAME_LEN], list[256];
	struct settings s;

	for (const struct cli_option *o = options_table; o->name != NULL; o++) {
		const char *value = good[cli_kind(o)];

		if (!cli_has_key(o))
			continue;
		if ((o->flags & CLI_LIST) != 0) {
			snprintf(list, sizeof(list), "[\"list\",2,9,[%s,%s]]", value, value);
			value = list;
		}
		ck_assert_str_eq(take(&s, cli_key(o, key), value), "");
		ck_assert_uint_eq(settings_find(&s, o)->n, (o->flags & CLI_LIST) != 0 ? 2 : 1);
		settings_done(&s);
	}
}
END_TEST

static const struct { const char *dir, *path, *whole; } paths[] = {
	{ "/d", "x", "/d/x" }, { "/d", "./x", "/d/x" }, { "/d", "a/../x", "/d/x" },
	{ "/d/e", "../x", "/d/x" }, { "/d", "../../../x", "/x" }, { "/d", "/x//y/.", "/x/y" },
	{ "/", "x", "/x" }, { "/", "..", "/" }, { "/d", ".", "/d" }, { "/d", "...", "/d/..." },
};

START_TEST(paths_are_relative_to_the_profile)
{
	char got[PROFILE_PATH_MAX];

	ck_assert(profile_path(paths[_i].dir, paths[_i].path, got));
	ck_assert_str_eq(got, paths[_i].whole);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_none)
{
	static char path[PROFILE_PATH_MAX + 10];
	char got[PROFILE_PATH_MAX];

	memset(path, 'x', sizeof(path) - 1);
	ck_assert(!profile_path("/d", path, got));
	path[PROFILE_PATH_MAX - 3] = '\0';
	ck_assert(!profile_path("/d", path, got));
	path[PROFILE_PATH_MAX - 4] = '\0';
	ck_assert(profile_path("/d", path, got));
	ck_assert_uint_eq(strlen(got), PROFILE_PATH_MAX - 1);
}
END_TEST

START_TEST(what_is_no_file_stays_as_it_is)
{
	static const char *const as_is[] = { "-", "fd:3", "" };
	struct settings s;
	char value[64];

	for (size_t i = 0; i < COUNT(as_is); i++) {
		snprintf(value, sizeof(value), "[\"string\",2,9,\"%s\"]", as_is[i]);
		ck_assert_str_eq(take(&s, "capture", value), "");
		ck_assert_str_eq(settings_find_name(&s, "capture")->value[0].text, as_is[i]);
		settings_done(&s);
	}
	ck_assert_str_eq(take(&s, "capture", STRING("fd")), "");
	ck_assert_str_eq(settings_find_name(&s, "capture")->value[0].text, "/d/fd");
	settings_done(&s);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("profile");

	tcase_add_loop_test(tc, what_is_not_the_form_is_refused_whole, 0, COUNT(no_document));
	tcase_add_test(tc, an_error_of_the_profile_keeps_its_place);
	tcase_add_test(tc, keys_come_in_the_order_of_the_file);
	tcase_add_loop_test(tc, a_wrong_key_or_type_is_refused_with_its_place, 0, COUNT(refusals));
	tcase_add_test(tc, every_key_is_taken);
	tcase_add_loop_test(tc, paths_are_relative_to_the_profile, 0, COUNT(paths));
	tcase_add_test(tc, a_path_that_is_too_long_is_none);
	tcase_add_test(tc, what_is_no_file_stays_as_it_is);
	return unit_run("profile", tc);
}

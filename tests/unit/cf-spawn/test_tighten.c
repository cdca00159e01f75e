/*
 * test_tighten.c - what an untrusted profile may and may not change, with the program's table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <string.h>

#include "settings.h"
#include "spawn.h"

/* Settings in a line: "offline allow=a allow=b deny-cidr=[] cap-net-raw=off". */
static void
fill(struct settings *s, const char *line, enum from from)
{
	const struct origin o = { from, "/p", 1, 1 };
	char copy[256], *rest = copy, *word, *value;

	ck_assert(settings_init(s, options_table));
	settings_layer(s);
	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")) != NULL) {
		struct setting *one;

		if (*word == '\0')
			continue;
		if ((value = strchr(word, '=')) != NULL)
			*value++ = '\0';
		ck_assert_ptr_nonnull(one = settings_find_name(s, word));
		if (value != NULL && (strcmp(value, "[]") == 0 || strcmp(value, "off") == 0))
			settings_clear(s, one->row, &o);
		else
			ck_assert(settings_put(s, one->row, value, &o));
	}
}

/* The other way round, in the order of the table, cleared ones left out. */
static const char *
line_of(const struct settings *s)
{
	static char line[512];

	*line = '\0';
	for (size_t i = 0; i <= s->nrows; i++)
		for (size_t k = 0; k < s->at[i].n; k++) {
			strcat(strcat(line, *line != '\0' ? " " : ""), s->at[i].row->name);
			if (s->at[i].value[k].text != NULL)
				strcat(strcat(line, "="), s->at[i].value[k].text);
		}
	return line;
}

/* after: NULL, the untrusted profile is refused. */
static const struct { const char *before, *theirs, *after; } tries[] = {
	/* switches */
	{ "",				"offline",			"offline" },
	{ "offline",			"offline=off",			NULL },
	{ "",				"offline=off",			"" },
	{ "",				"block-private block-metadata fail-on-leak",
	  "block-private block-metadata fail-on-leak" },
	{ "cap-net-raw",		"cap-net-raw=off",		"" },
	{ "",				"cap-net-raw",			NULL },
	{ "allow-encrypted-dns",	"allow-encrypted-dns=off",	"" },
	{ "",				"allow-encrypted-dns",		NULL },
	/* the default */
	{ "",				"default-policy=deny",		"default-policy=deny" },
	{ "default-policy=deny",	"default-policy=allow",		NULL },
	{ "",				"default-policy=allow",		NULL },
	/* refusals are added to, never replaced */
	{ "deny-cidr=10.0.0.0/8",	"deny-cidr=1.0.0.0/8",
	  "deny-cidr=10.0.0.0/8 deny-cidr=1.0.0.0/8" },
	{ "deny-cidr=10.0.0.0/8",	"deny-cidr=[]",			"deny-cidr=10.0.0.0/8" },
	{ "deny-domain=a",		"deny-domain=a",		"deny-domain=a" },
	/* permissions get fewer */
	{ "allow=a allow=b",		"allow=b",			"allow=b" },
	{ "allow=a",			"allow=b",			NULL },
	{ "allow=a",			"allow=a allow=b",		NULL },
	{ "allow=a",			"allow-cidr=10.0.0.0/8",	NULL },
	{ "default-policy=deny",	"allow-domain=a",		NULL },
	{ "default-policy=deny allow-domain=a", "allow-domain=[]",	"default-policy=deny" },
	/* the list that made the default "deny" must not take it away with it */
	{ "allow=a",			"allow=[]",			"default-policy=deny" },
	{ "allow=a",			"allow=[] allow-cidr=0.0.0.0/0", NULL },
	{ "allow=a",			"allow=[] allow-domain=b",	NULL },
	/* where all is allowed, a list of what stays allowed opens nothing */
	{ "",				"allow=a allow=b",		"allow=a allow=b" },
	{ "",				"allow=a allow-cidr=10.0.0.0/8",
	  "allow-cidr=10.0.0.0/8 allow=a" },
	{ "deny=b",			"allow-domain=a default-policy=deny",
	  "default-policy=deny allow-domain=a deny=b" },
	/* all else */
	{ "",				"dns=192.0.2.1",		NULL },
	{ "",				"command=sh",			NULL },
	{ "",				"capture=/tmp/x",		NULL },
	{ "",				"hosts-file=/tmp/x",		NULL },
	{ "",				"add-host=a:192.0.2.1",		NULL },
	{ "",				"deny-file=/dev/zero",		NULL },
	{ "",				"allow-file=/tmp/x",		NULL },
	{ "",				"run-as-root",			NULL },
	{ "",				"user=root",			NULL },
	{ "",				"verbose",			NULL },
	{ "offline",			"status-fd=1",			NULL },
};

START_TEST(an_untrusted_profile_only_takes_away)
{
	char why[SETTINGS_WHY] = "";
	struct settings s, theirs;
	bool ok;

	fill(&s, tries[_i].before, FROM_COMMAND_LINE);
	fill(&theirs, tries[_i].theirs, FROM_PROFILE);
	ok = settings_tighten(&s, &theirs, why);
	if (tries[_i].after == NULL) {
		ck_assert_msg(!ok, "%s then %s", tries[_i].before, tries[_i].theirs);
		ck_assert_ptr_nonnull(strstr(why, "--trust /p"));
	} else {
		ck_assert_msg(ok, "%s then %s: %s", tries[_i].before, tries[_i].theirs, why);
		ck_assert_str_eq(line_of(&s), tries[_i].after);
	}
	settings_done(&s);
	settings_done(&theirs);
}
END_TEST

/* A new option stays closed to strangers until its row says how it is safe. */
START_TEST(a_row_that_says_nothing_is_refused)
{
	static const char *const safe[] = { "offline", "block-private", "block-metadata",
	    "default-policy", "allow-cidr", "deny-cidr", "allow-domain", "allow-domain-exact",
	    "deny-domain", "deny-domain-exact", "allow", "deny", "block-encrypted-dns",
	    "allow-encrypted-dns", "fail-on-leak", "cap-net-raw", "seal", "strict" };
	static const char *const opening[] = { "keep-fd", "allow-socket", "writable", "map-root",
	    "run-as-root" };

	for (size_t i = 0; i < COUNT(safe); i++) {
		const struct cli_option *o = options_table;

		while (strcmp(o->name, safe[i]) != 0)
			o++;
		ck_assert_int_ne(o->tightens, CLI_NEVER);
	}
	for (size_t i = 0; i < COUNT(opening); i++) {
		const struct cli_option *o = options_table;

		while (strcmp(o->name, opening[i]) != 0)
			o++;
		ck_assert_int_eq(o->tightens, CLI_NEVER);
	}
	for (const struct cli_option *o = options_table; o->name != NULL; o++) {
		if (o->value != NULL && o->tightens != CLI_NEVER)
			ck_assert_msg(o->tightens == CLI_TO_DENY || (o->flags & CLI_LIST) != 0, "%s",
			    o->name);
		if (cli_kind(o) == CLI_PATH)	/* which file is read or written is not theirs to say */
			ck_assert_msg(o->tightens == CLI_NEVER, "%s", o->name);
	}
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("tighten");

	tcase_add_loop_test(tc, an_untrusted_profile_only_takes_away, 0, COUNT(tries));
	tcase_add_test(tc, a_row_that_says_nothing_is_refused);
	return unit_run("tighten", tc);
}

/*
 * cli_help.c - a table of options as text: a screen at a time for people, one a line for programs.
 *
 *	--help		the groups' first, which has no name, and what the other groups are
 *	--help GROUP	the options of one
 *	--help all	of all
 *	--help options	fields parted by tabs, which the completions of shells are made from
 *
 * A table without groups has one page, whatever word follows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "color.h"
#include "log.h"

#define HELP_COLUMN	30
#define GROUP_COLUMN	20
#define SCREEN_COLUMNS	80

#ifndef CF_VERSION
#define CF_VERSION "0"
#endif

static bool	colors;

/* In what is between, when colours are wanted. */
static const char *bold(void)  { return colors ? "\033[1m" : ""; }
static const char *plain(void) { return colors ? "\033[0m" : ""; }

/* Words up to the screen's edge; further lines begin below the first. */
static void
wrapped_print(const char *text)
{
	int at = HELP_COLUMN;

	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (at > HELP_COLUMN && at + 1 + len > SCREEN_COLUMNS) {
			printf("\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		}
		at += printf("%s%.*s", at > HELP_COLUMN ? " " : "", len, text);
		text += len + (text[len] == ' ');
	}
	putchar('\n');
}

static void
row_print(const struct cli_option *o)
{
	char left[80];
	int len = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", o->letter ? '-' : ' ',
	    o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
	    o->value != NULL ? " " : "", o->value != NULL ? o->value : "");

	if (len < HELP_COLUMN)
		printf("%s%s%s%*s", bold(), left, plain(), HELP_COLUMN - len, "");
	else
		printf("%s%s%s\n%*s", bold(), left, plain(), HELP_COLUMN, "");
	wrapped_print(o->help);
}

/* Whether the group's own list, words with spaces between, has it. */
static bool
is_listed(const struct cli_group *g, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = g->options; at != NULL && (at = strstr(at, name)) != NULL; at += len)
		if ((at == g->options || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

bool
cli_in_group(const struct cli *cli, const struct cli_group *g, const struct cli_option *o)
{
	if (o->help == NULL)
		return false;
	if (g->options != NULL)
		return is_listed(g, o->name);
	for (const struct cli_group *other = cli->groups; other->about != NULL; other++)
		if (other->name != NULL && is_listed(other, o->name))
			return false;
	return true;
}

static void
rows_print(const struct cli *cli, const struct cli_group *g)
{
	for (const struct cli_option *o = cli->options; o->name != NULL; o++)
		if (g == NULL ? o->help != NULL : cli_in_group(cli, g, o))
			row_print(o);
}

static void
usage_print(const struct cli *cli)
{
	printf("%susage:%s %s %s\n%s\n\n", bold(), plain(), cli->name, cli->usage, cli->about);
}

static void
group_print(const struct cli *cli, const struct cli_group *g)
{
	printf("%s%s%s: %s\n", bold(), g->name, plain(), g->about);
	rows_print(cli, g);
}

/* The first page. */
static void
short_print(const struct cli *cli)
{
	const struct cli_group *g = cli->groups;

	usage_print(cli);
	rows_print(cli, g);
	putchar('\n');
	while ((++g)->about != NULL)
		printf("  --help %s%-*s%s %s\n", bold(), GROUP_COLUMN, g->name, plain(), g->about);
	printf("  --help %s%-*s%s %s\n", bold(), GROUP_COLUMN, "all", plain(), "all of them");
}

static void
all_print(const struct cli *cli)
{
	usage_print(cli);
	if (cli->groups == NULL)
		rows_print(cli, NULL);
	else
		for (const struct cli_group *g = cli->groups + 1; g->about != NULL; g++) {
			group_print(cli, g);
			if (g[1].about != NULL)
				putchar('\n');
		}
}

/* Whether it has a form with "no-" that is no option by itself. */
static bool
is_negatable(const struct cli *cli, const struct cli_option *o)
{
	if (!cli->negatable || (o->flags & CLI_NOW) != 0)
		return false;
	for (const struct cli_option *other = cli->options; other->name != NULL; other++)
		if (strncmp(other->name, "no-", 3) == 0 && strcmp(other->name + 3, o->name) == 0)
			return false;
	return true;
}

/* Each line of a text, whose further lines may begin with spaces, behind a word. */
static void
lines_print(const char *word, const char *text)
{
	for (size_t len; *text != '\0'; text += strspn(text, "\n ")) {
		len = strcspn(text, "\n");
		printf("%s\t%.*s\n", word, (int)len, text);
		text += len;
	}
}

/*
 * "usage" and "about", each line; "page", name, about; "option", letter, name, value, its form with
 * "no-", help; - where there is none.
 */
static void
table_print(const struct cli *cli)
{
	char usage[1024];

	snprintf(usage, sizeof(usage), "%s %s", cli->name, cli->usage);
	lines_print("usage", usage);
	lines_print("about", cli->about);
	for (const struct cli_group *g = cli->groups; g != NULL && g->about != NULL; g++)
		if (g->name != NULL)
			printf("page\t%s\t%s\n", g->name, g->about);
	for (const struct cli_option *o = cli->options; o->name != NULL; o++) {
		bool no = is_negatable(cli, o);

		if (o->help != NULL)
			printf("option\t%c\t%s\t%s\t%s%s\t%s\n", o->letter != 0 ? o->letter : '-',
			    o->name, o->value != NULL ? o->value : "-", no ? "no-" : "-",
			    no ? o->name : "", o->help);
	}
}

static _Noreturn void
no_such_group(const struct cli *cli, const char *word)
{
	char names[256] = "";
	size_t len = 0;

	for (const struct cli_group *g = cli->groups + 1; g->about != NULL && len < sizeof(names); g++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s, ", g->name);
	fatalx("there is no --help %s (there is %sall)", word, names);
}

void
cli_help_on(const struct cli *cli, const char *word)
{
	const struct cli_group *g = cli->groups;

	colors = color_wanted(STDOUT_FILENO);
	if (word != NULL && strcmp(word, "options") == 0) {
		table_print(cli);
	} else if (g == NULL || (word != NULL && strcmp(word, "all") == 0)) {
		all_print(cli);
	} else if (word == NULL || *word == '-') {
		short_print(cli);
	} else {
		while ((++g)->about != NULL && strcmp(g->name, word) != 0)
			;
		if (g->about == NULL)
			no_such_group(cli, word);
		group_print(cli, g);
	}
}

void
cli_version(const struct cli *cli)
{
	printf("%s %s\n", cli->name, CF_VERSION);
}

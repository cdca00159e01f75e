/*
 * cli.c - see cli.h.  getopt_long(3) does the parsing; the table is turned into its form.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define LONG_ONLY	256	/* getopt codes of options without a letter start here */
#define OPTIONS_MAX	160
#define FD_MOST		65535

/* What to help with is the word behind --help, where there is one. */
static const char	*help_word;
static int		 help_status;

/* What getopt_long(3) wants. */
struct forms {
	char		 letters[2 * OPTIONS_MAX + 3];
	struct option	 longs[2 * OPTIONS_MAX];
	char		 no[OPTIONS_MAX][CLI_NAME_LEN];	/* "no-" and the name */
	int		 n;				/* rows */
};

/* The same names once more with "no-"; their codes follow those of the names. */
static void
forms_negated(struct forms *f, const struct cli_option *o)
{
	int at = f->n;

	for (int i = 0; i < f->n; i++) {
		if ((o[i].flags & CLI_NOW) != 0)
			continue;
		snprintf(f->no[i], sizeof(f->no[i]), "no-%s", o[i].name);
		f->longs[at++] = (struct option){ .name = f->no[i], .has_arg = no_argument,
		    .val = LONG_ONLY + OPTIONS_MAX + i };
	}
	f->longs[at] = (struct option){ 0 };
}

static void
forms_make(struct forms *f, const struct cli *cli)
{
	const struct cli_option *o = cli->options;
	struct option *longs = f->longs;
	char *letters = f->letters;
	int n = 0;

	*letters++ = '+';		/* stop at the first operand */
	*letters++ = ':';		/* we print the messages */
	for (; n < OPTIONS_MAX - 1 && o[n].name != NULL; n++) {
		longs[n] = (struct option){ .name = o[n].name,
		    .has_arg = o[n].value != NULL ? required_argument : no_argument,
		    .val = LONG_ONLY + n };
		if (o[n].letter != 0) {
			*letters++ = o[n].letter;
			if (o[n].value != NULL)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	longs[n] = (struct option){ 0 };
	f->n = n;
	if (cli->negatable)
		forms_negated(f, o);
}

/* The row that getopt's code stands for; -1 where none. */
static int
row_of(const struct cli_option *o, int n, int code)
{
	if (code >= LONG_ONLY)
		return (code - LONG_ONLY) % OPTIONS_MAX;
	for (int i = 0; i < n; i++)
		if (o[i].letter != 0 && o[i].letter == code)
			return i;
	return -1;
}

static _Noreturn void
bad_option(const struct cli *cli, const char *word, int code, int status)
{
	const char *near;

	log_fatal_status(status);
	if (code == ':')
		fatalx("option %s needs a value (try: %s --help)", word, cli->name);
	if (strncmp(word, "--", 2) == 0 && strchr(word, '=') == NULL &&
	    (near = cli_name_meant(cli->options, word + 2)) != NULL && strcmp(near, word + 2) != 0)
		fatalx("unknown option %s (did you mean --%s? try: %s --help)", word, near,
		    cli->name);
	fatalx("unknown or unfitting option %s (try: %s --help)", word, cli->name);
}

int
cli_walk(const struct cli *cli, cli_take take, void *ctx, int argc, char **argv, int usage_status)
{
	char why[CLI_WHY_LEN] = "", word[64];
	struct forms forms = { 0 };
	int code, row, before;
	bool negated;

	forms_make(&forms, cli);
	help_status = usage_status;
	optind = 0;			/* glibc: start over */
	opterr = 0;
	for (before = 1; (code = getopt_long(argc, argv, forms.letters, forms.longs, NULL)) != -1;
	    before = optind) {
		row = row_of(cli->options, forms.n, code);
		negated = code >= LONG_ONLY + OPTIONS_MAX;
		help_word = argv[optind];
		if (row >= 0 && take(ctx, &cli->options[row], optarg, negated, why))
			continue;
		if (row >= 0) {
			log_fatal_status(usage_status);
			fatalx("--%s%s%s: %s", cli->options[row].name, optarg != NULL ? " " : "",
			    optarg != NULL ? optarg : "", why);
		}
		if (optopt != 0 && optopt < LONG_ONLY)
			snprintf(word, sizeof(word), "-%c", optopt);
		else
			snprintf(word, sizeof(word), "%s", argv[before < argc ? before : argc - 1]);
		bad_option(cli, word, code, usage_status);
	}
	return optind;
}

static bool
take_set(void *conf, const struct cli_option *row, const char *arg, bool negated, char *why)
{
	(void)negated;			/* needs a table that is negatable: cli_walk's */
	return row->set(conf, arg, why);
}

int
cli_parse(const struct cli *cli, void *conf, int argc, char **argv, int usage_status)
{
	return cli_walk(cli, take_set, conf, argc, argv, usage_status);
}

void
cli_help(const struct cli *cli)
{
	log_fatal_status(help_status);
	cli_help_on(cli, help_word);
}

bool
cli_number(const char *arg, long least, long most, long *out, char *why)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(arg, &end, 10);
	if (end == arg || *end != '\0' || errno != 0 || v < least || v > most) {
		snprintf(why, CLI_WHY_LEN, "not a whole number from %ld to %ld", least, most);
		return false;
	}
	*out = v;
	return true;
}

bool
cli_true(const char *arg, bool *out, char *why)
{
	(void)arg, (void)why;
	*out = true;
	return true;
}

bool
cli_text_or_json(const char *arg, bool *json, char *why)
{
	*json = strcmp(arg, "json") == 0;
	if (*json || strcmp(arg, "text") == 0)
		return true;
	snprintf(why, CLI_WHY_LEN, "neither text nor json");
	return false;
}

bool
cli_count(const char *arg, int *out, char *why)
{
	(void)arg, (void)why;
	(*out)++;
	return true;
}

bool
cli_fd(const char *arg, int *out, char *why)
{
	long fd;

	if (!cli_number(arg, 3, FD_MOST, &fd, why))
		return false;
	*out = (int)fd;
	return true;
}

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
#define OPTIONS_MAX	128
#define HELP_COLUMN	30
#define FD_MOST		65535

#ifndef CF_VERSION
#define CF_VERSION "0"
#endif

/* Fill getopt's two forms from the table; returns how many rows there are. */
static int
forms(const struct cli_option *o, char *letters, struct option *longs)
{
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
	return n;
}

/* The row that getopt's code stands for; -1 where none. */
static int
row_of(const struct cli_option *o, int n, int code)
{
	if (code >= LONG_ONLY)
		return code - LONG_ONLY < n ? code - LONG_ONLY : -1;
	for (int i = 0; i < n; i++)
		if (o[i].letter != 0 && o[i].letter == code)
			return i;
	return -1;
}

/* Names of options that begin as `word` does, for the message about a typing error. */
static const char *
nearest(const struct cli_option *o, const char *word)
{
	size_t best_len = 2;
	const char *best = NULL;

	for (; o->name != NULL; o++) {
		size_t len = 0;

		if (o->help == NULL)
			continue;
		while (word[len] != '\0' && word[len] == o->name[len])
			len++;
		if (len > best_len) {
			best_len = len;
			best = o->name;
		}
	}
	return best;
}

static _Noreturn void
bad_option(const struct cli *cli, const char *word, int code, int status)
{
	const char *near;

	log_fatal_status(status);
	if (code == ':')
		fatalx("option %s needs a value (try: %s --help)", word, cli->name);
	if (strncmp(word, "--", 2) == 0 && strchr(word, '=') == NULL &&
	    (near = nearest(cli->options, word + 2)) != NULL && strcmp(near, word + 2) != 0)
		fatalx("unknown option %s (did you mean --%s? try: %s --help)", word, near,
		    cli->name);
	fatalx("unknown or unfitting option %s (try: %s --help)", word, cli->name);
}

int
cli_parse(const struct cli *cli, void *conf, int argc, char **argv, int usage_status)
{
	char letters[2 * OPTIONS_MAX + 3], why[CLI_WHY_LEN] = "", word[64];
	struct option longs[OPTIONS_MAX];
	int n = forms(cli->options, letters, longs), code, row, before;

	optind = 0;			/* glibc: start over */
	opterr = 0;
	for (before = 1; (code = getopt_long(argc, argv, letters, longs, NULL)) != -1;
	    before = optind) {
		row = row_of(cli->options, n, code);
		if (row >= 0 && cli->options[row].set(conf, optarg, why))
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

void
cli_help(const struct cli *cli)
{
	printf("usage: %s %s\n%s\n\n", cli->name, cli->usage, cli->about);
	for (const struct cli_option *o = cli->options; o->name != NULL; o++) {
		char left[80];
		int len;

		if (o->help == NULL)
			continue;
		len = snprintf(left, sizeof(left), "  %c%c%s--%s%s%s", o->letter ? '-' : ' ',
		    o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
		    o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		if (len < HELP_COLUMN)
			printf("%-*s%s\n", HELP_COLUMN, left, o->help);
		else
			printf("%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
	}
}

void
cli_version(const struct cli *cli)
{
	printf("%s %s\n", cli->name, CF_VERSION);
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

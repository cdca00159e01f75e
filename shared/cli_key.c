/*
 * cli_key.c - rows of options as keys of a profile and as variables of the environment.
 *
 *	--allow-cidr	allow_cidrs	CF_ALLOW_CIDR
 *
 * A key is the option's name with '_', unless the row says otherwise; a variable always is
 * the name in capitals behind CF_.  What a value is follows from what --help calls it, so a
 * new row has its key and its variable without a word more.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

enum cli_kind
cli_kind(const struct cli_option *o)
{
	static const struct {
		const char	*value;		/* what --help calls it */
		enum cli_kind	 kind;
	} kinds[] = {
		{ "N", CLI_NUMBER }, { "FILE", CLI_PATH }, { "DIR", CLI_PATH },
		/* These may be written as a number or as a text: 10, "10M", "10s". */
		{ "SIZE", CLI_AMOUNT }, { "BYTES", CLI_AMOUNT }, { "SECONDS", CLI_AMOUNT },
		{ "TIME", CLI_AMOUNT }, { "MS", CLI_AMOUNT }, { "RATE", CLI_AMOUNT },
		{ "COUNT", CLI_AMOUNT }, { "PORT", CLI_AMOUNT },
	};

	if (o->value == NULL)
		return (o->flags & CLI_COUNT) != 0 ? CLI_COUNTER : CLI_SWITCH;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(o->value, kinds[i].value) == 0)
			return kinds[i].kind;
	return CLI_TEXT;
}

bool
cli_has_key(const struct cli_option *o)
{
	return (o->flags & (CLI_NOW | CLI_NO_KEY)) == 0;
}

bool
cli_has_variable(const struct cli_option *o)
{
	return (o->flags & CLI_NOW) == 0;
}

const char *
cli_key(const struct cli_option *o, char buf[CLI_NAME_LEN])
{
	snprintf(buf, CLI_NAME_LEN, "%s", o->key != NULL ? o->key : o->name);
	for (char *p = buf; *p != '\0'; p++)
		if (*p == '-')
			*p = '_';
	return buf;
}

const char *
cli_variable(const struct cli_option *o, char buf[CLI_NAME_LEN])
{
	snprintf(buf, CLI_NAME_LEN, "CF_%s", o->name);
	for (char *p = buf; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
	return buf;
}

const struct cli_option *
cli_by_key(const struct cli_option *o, const char *key)
{
	char buf[CLI_NAME_LEN];

	for (; o->name != NULL; o++)
		if (cli_has_key(o) && strcmp(cli_key(o, buf), key) == 0)
			return o;
	return NULL;
}

/* How many letters have to change, come or go (Levenshtein); words shorter than CLI_NAME_LEN. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[CLI_NAME_LEN + 1], la = strlen(a), lb = strlen(b), corner, above;

	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			above = row[j];
			row[j] = corner + (a[i - 1] != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			corner = above;
		}
	}
	return row[lb];
}

const char *
cli_name_meant(const struct cli_option *o, const char *word)
{
	size_t len = strlen(word), best = len / 3 + 2, d;
	const char *name = NULL;

	if (len >= CLI_NAME_LEN)
		return NULL;
	for (; o->name != NULL; o++)
		if (o->help != NULL && (d = distance(word, o->name)) < best) {
			best = d;
			name = o->name;
		}
	return name;
}

const char *
cli_key_meant(const struct cli_option *o, const char *word, char buf[CLI_NAME_LEN])
{
	char key[CLI_NAME_LEN], lower[CLI_NAME_LEN];
	size_t len = strlen(word), best = len / 3 + 2, d;
	bool found = false;

	if (len == 0 || len >= CLI_NAME_LEN)
		return NULL;
	for (size_t i = 0; i <= len; i++)
		lower[i] = word[i] == '-' ? '_' : (char)tolower((unsigned char)word[i]);
	for (; o->name != NULL; o++) {
		if (!cli_has_key(o) || o->help == NULL)
			continue;
		if ((d = distance(lower, cli_key(o, key))) >= best)
			continue;
		best = d;
		found = true;
		memcpy(buf, key, sizeof(key));
	}
	return found ? buf : NULL;
}

bool
cli_boolean(const char *text, bool *out, char *why)
{
	static const char *const words[][2] = { { "0", "1" }, { "false", "true" }, { "no", "yes" },
	    { "off", "on" } };

	for (size_t i = 0; i < COUNT(words); i++)
		for (int v = 0; v < 2; v++)
			if (strcasecmp(text, words[i][v]) == 0) {
				*out = v == 1;
				return true;
			}
	snprintf(why, CLI_WHY_LEN, "write 1 or 0 (true, yes and on, false, no and off mean the same)");
	return false;
}

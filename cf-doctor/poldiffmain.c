/*
 * poldiffmain.c - the command line of `cf-doctor policy-diff`: two files of rules, or profiles.
 *
 * The policies are those that cf-spawn would have with --profile, with --allow-file, or with
 * --deny-file.
 *
 * Exit: 0 both allow the same, 1 they do not, 2 trouble, as diff(1) has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "poldiff.h"
#include "polopts.h"
#include "rulefile.h"

#define FILE_MAX	(8 << 20)

struct options {
	bool	deny, json;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET(options, deny, cli_true)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 0,   "deny",	  NULL,	  set_deny,    "files of rules are of --deny-file, not of --allow-file" },
	{ 0,   "format",  "FORM", set_json,    "text (the default) or json" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor policy-diff", "[options] OLD NEW",
	"Say what NEW allows or refuses that OLD does not: files of rules, or profiles (*.toml, NAME).",
	options
};

static void
text_add(struct poldiff_side *side, enum rules_source source, const char *text, size_t len)
{
	struct ruletext_error err;

	if (side->n == POLDIFF_RULES_MAX)
		fatalx("a policy has more than %d rules: too many to compare", POLDIFF_RULES_MAX);
	if (ruletext_parse(rules_sources[source].kind, text, len, &side->rule[side->n], &err))
		side->n++;
}

/* Until the next one is read. */
static const char *
bytes_read(const char *path, size_t *len)
{
	static char bytes[FILE_MAX + 1];
	FILE *f = fopen(path, "re");
	bool ok = f != NULL;

	if (ok) {
		*len = fread(bytes, 1, FILE_MAX + 1, f);
		ok = !ferror(f);
		fclose(f);
	}
	if (!ok)
		fatal("cannot read %s", path);
	if (*len > FILE_MAX)
		fatalx("%s is larger than 8 MiB: too large to compare", path);
	return bytes;
}

static void
bytes_add(struct poldiff_side *side, enum rules_source source, const char *bytes, size_t len)
{
	const char *text, *why;
	struct rulefile f;
	size_t n;

	rulefile_init(&f, bytes, len);
	while (rulefile_next(&f, &text, &n, &why) == RULEFILE_RULE)
		text_add(side, source, text, n);
}

/* The rules one by one, once all of them have been found good. */
static void
texts_read(struct poldiff_side *side, const struct ruleopts *rules)
{
	const char *bytes;
	size_t len;

	for (size_t i = 0; i < rules->n; i++) {
		const struct ruleopts_given *g = &rules->given[i];

		if (g->source == RULES_ALLOW_FILE || g->source == RULES_DENY_FILE) {
			bytes = bytes_read(g->text, &len);
			bytes_add(side, g->source, bytes, len);
		} else
			text_add(side, g->source, g->text, strlen(g->text));
	}
}

/* By its ending, or because it is the name of one and no file here. */
static bool
is_profile(const char *word)
{
	const char *dot = strrchr(word, '.');

	return (dot != NULL && strcmp(dot, ".toml") == 0) ||
	    (strchr(word, '/') == NULL && access(word, F_OK) != 0);
}

/* A file that a profile names is read twice here: it may be no pipe. */
static void
file_check(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		fatal("cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		fatalx("%s is not a file", path);
}

static void
profile_side(struct poldiff_side *side, const char *word)
{
	static struct policy_made made;
	struct polopts polopts = { 0 };

	polopts_profile(&polopts, word);
	polopts_make(&polopts, &made);
	polopts_done(&polopts);
	for (size_t i = 0; i < made.rules.n; i++)
		if (made.rules.given[i].source == RULES_ALLOW_FILE ||
		    made.rules.given[i].source == RULES_DENY_FILE)
			file_check(made.rules.given[i].text);
	policy_made_load(&made, &side->rules);	/* stays */
	texts_read(side, &made.rules);
	ruleopts_done(&made.rules);
}

static void
file_side(struct poldiff_side *side, const char *path, enum rules_source source)
{
	static const uint8_t seed[SIPHASH_KEY_LEN];	/* nobody is judged by these but here */
	struct rulebook *book = rulebook_new(source == RULES_ALLOW_FILE ? RULES_DEFAULT_DENY : 0);
	struct rulebook_error err;
	const char *why;
	size_t len, flat_len;
	const char *bytes = bytes_read(path, &len);
	void *flat;

	if (book == NULL)
		fatalx("out of memory");
	if (!rulebook_add_file(book, source, path, bytes, len, &err))
		fatalx("%s (cf-policy(7) has the grammar)", err.text);
	if ((flat = rulebook_compile(book, seed, &flat_len, &why)) == NULL ||
	    (why = rules_load(flat, flat_len, &side->rules)) != NULL)
		fatalx("cannot use the rules of %s: %s", path, why);
	bytes_add(side, source, bytes, len);
	rulebook_free(book);
}

static void
side_read(struct poldiff_side *side, const char *word, enum rules_source source)
{
	if ((side->rule = calloc(POLDIFF_RULES_MAX, sizeof(*side->rule))) == NULL)
		fatalx("out of memory");
	if (is_profile(word))
		profile_side(side, word);
	else
		file_side(side, word, source);
}

int
poldiff_main(int argc, char **argv)
{
	static struct poldiff_side old, new;
	struct options o = { .deny = false };
	enum rules_source source;
	const char *why;
	json_t *diff;
	char *text;
	int at;

	log_fatal_status(2);
	at = cli_parse(&cli, &o, argc, argv, 2);
	if (at + 2 != argc)
		fatalx("two files of rules, or profiles, are compared (try: cf-doctor policy-diff --help)");
	source = o.deny ? RULES_DENY_FILE : RULES_ALLOW_FILE;
	side_read(&old, argv[at], source);
	side_read(&new, argv[at + 1], source);
	if ((diff = poldiff(&old, &new, &why)) == NULL)
		fatalx("cannot compare: %s", why);
	text = o.json ? json_dumps(diff, JSON_INDENT(2) | JSON_ENSURE_ASCII) : poldiff_text(diff);
	if (text == NULL || printf("%s%s", text, o.json ? "\n" : "") < 0 || fflush(stdout) != 0)
		fatal("cannot write the difference");
	return json_array_size(json_object_get(diff, "allowed")) +
	    json_array_size(json_object_get(diff, "refused")) > 0;
}

/*
 * poldiffmain.c - the command line of `cf-doctor policy-diff`: two files of rules.
 *
 * The policies are those that cf-spawn would have with --allow-file, or with --deny-file.
 *
 * Exit: 0 both allow the same, 1 they do not, 2 trouble, as diff(1) has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "poldiff.h"
#include "rulefile.h"
#include "ruleopts.h"

#define FILE_MAX	(8 << 20)

struct options {
	bool	deny, json;
};

static const struct cli	cli;

static bool
set_format(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	o->json = strcmp(arg, "json") == 0;
	if (o->json || strcmp(arg, "text") == 0)
		return true;
	snprintf(why, CLI_WHY_LEN, "neither text nor json");
	return false;
}

CLI_SET(options, deny, cli_true)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 0,   "deny",	  NULL,	  set_deny,    "the files are of --deny-file, not of --allow-file" },
	{ 0,   "format",  "FORM", set_format,  "text (the default) or json" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor policy-diff", "[options] OLD NEW",
	"Say what the rules of file NEW allow or refuse that those of OLD do not.", options
};

/* The rules one by one, once the whole file has been found good. */
static void
texts_read(struct poldiff_side *side, const char *path, const char *bytes, size_t len)
{
	struct ruletext_error err;
	struct rulefile f;
	const char *text, *why;
	size_t n;

	if ((side->rule = calloc(POLDIFF_RULES_MAX, sizeof(*side->rule))) == NULL)
		fatalx("out of memory");
	rulefile_init(&f, bytes, len);
	while (rulefile_next(&f, &text, &n, &why) == RULEFILE_RULE) {
		if (side->n == POLDIFF_RULES_MAX)
			fatalx("%s has more than %d rules: too many to compare", path, POLDIFF_RULES_MAX);
		if (ruletext_parse(RULETEXT_FULL, text, n, &side->rule[side->n], &err))
			side->n++;
	}
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
side_read(struct poldiff_side *side, const char *path, enum rules_source source)
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
	texts_read(side, path, bytes, len);
	rulebook_free(book);
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
		fatalx("two files of rules are compared (try: cf-doctor policy-diff --help)");
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

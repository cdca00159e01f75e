/*
 * explain.c - see explain.h.
 *
 * Exit: 0 the profile can be used, 1 it cannot, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explain.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cf-spawn/profile.h"
#include "../cf-spawn/spawn.h"
#include "cli.h"
#include "log.h"

struct options {
	bool	json;
};

static const struct cli	cli;

CLI_SET(options, json, cli_text_or_json)
CLI_SET_TOLD(cli)

static const struct cli_option options[] = {
	{ 0,   "format",  "FORM", set_json,    "text (the default) or json" },
	{ 'h', "help",	  NULL,	  set_help,    "print this" },
	{ 'V', "version", NULL,	  set_version, "print the version" },
	{ 0,   NULL,	  NULL,	  NULL,	       NULL }
};

static const struct cli cli = {
	"cf-doctor profile", "[options] FILE|NAME",
	"Say whether a profile can be used, and what it means.",
	options
};

/* What takes something away from what a run promises. */
static const struct { const char *option, *note; } notes[] = {
	{ "permissive", "refuses nothing of what the rules refuse" },
	{ "run-as-root", "root can write root's files, and have something outside act" },
	{ "keep-fd", "passes descriptors on, wherever they lead" },
	{ "allow-socket", "leaves a socket open on which something outside listens" },
	{ "allow-encrypted-dns", "names can be asked for past the rules about names" },
	{ "host-port", "opens ports of the host's own loopback" },
	{ "proxy-insecure", "whoever is on the way to the proxy can be the proxy" },
	{ "proxy-password", "whoever reads the profile has the password" },
	{ "capture-keys", "whoever has the capture can read TLS connections" },
};

/* ---- is it right? ---- */

/* These are about descriptors of a process that is not this one. */
static bool
is_elsewhere(const struct cli_option *row)
{
	return strcmp(row->name, "status-fd") == 0 || strcmp(row->name, "keep-fd") == 0;
}

/* NULL, or what is wrong, which stays until the next one. */
static const char *
check(const struct settings *s)
{
	static const struct origin origin = { .from = FROM_COMMAND_LINE };
	static char why[SETTINGS_WHY];
	static struct conf conf;
	struct settings kept = *s;
	bool ok;
	void *flat;
	size_t len;

	kept.at = malloc(s->nrows * sizeof(*kept.at) + sizeof(*kept.at));
	if (kept.at == NULL)
		return "out of memory";
	memcpy(kept.at, s->at, (s->nrows + 1) * sizeof(*kept.at));
	for (size_t i = 0; i < kept.nrows; i++)
		if (is_elsewhere(kept.at[i].row))
			kept.at[i] = (struct setting){ .row = kept.at[i].row, .origin = origin };
	ok = settings_apply(&kept, &conf, why);
	free(kept.at);
	if (!ok)
		return why;
	if ((flat = ruleopts_compile(&conf.rules, &len, why)) == NULL)
		return why;
	free(flat);
	return NULL;
}

/* ---- what it means ---- */

static json_t *
escaped(const char *text)
{
	size_t room = 4 * strlen(text) + 8;
	char *out = malloc(room);
	json_t *s = out != NULL ? json_string(log_escape(out, room, text)) : NULL;

	free(out);
	return s;
}

static json_t *
setting_json(const struct setting *one)
{
	char key[CLI_NAME_LEN], at[4200];
	json_t *values = json_array();

	for (size_t i = 0; i < one->n; i++)
		json_array_append_new(values, one->value[i].text == NULL ? json_true() :
		    (one->row->flags & CLI_SECRET) != 0 ? json_string("(secret)") :
		    escaped(one->value[i].text));
	return json_pack("{s:s, s:o, s:o, s:s}", "key", cli_key(one->row, key), "values", values,
	    "origin", escaped(settings_origin(one->row, &one->origin, at, sizeof(at))),
	    "meaning", one->row == &settings_command ? "what is run where nothing else is said" :
	    one->row->help != NULL ? one->row->help : "accepted, and changes nothing");
}

static json_t *
notes_json(const struct settings *s)
{
	json_t *out = json_array();
	char text[256];

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (settings_find_name(s, notes[i].option)->n > 0) {
			snprintf(text, sizeof(text), "--%s: %s", notes[i].option, notes[i].note);
			json_array_append_new(out, json_string(text));
		}
	return out;
}

static json_t *
model(const struct settings *s, const char *path, const char *wrong)
{
	json_t *list = json_array();

	for (size_t i = 0; wrong == NULL && i <= s->nrows; i++)
		if (s->at[i].layer != 0)
			json_array_append_new(list, setting_json(&s->at[i]));
	return json_pack("{s:o, s:b, s:o, s:s?, s:o, s:o}", "profile", escaped(path), "valid",
	    wrong == NULL, "error", wrong != NULL ? escaped(wrong) : json_null(), "default_policy",
	    wrong != NULL ? NULL : settings_default_deny(s) ? "deny" : "allow", "settings", list,
	    "notes", wrong == NULL ? notes_json(s) : json_array());
}

/* ---- in words ---- */

static const char *
word(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
say_setting(const json_t *one)
{
	const json_t *values = json_object_get(one, "values");
	json_t *v;
	size_t i;

	printf("%s: ", word(one, "key"));
	if (json_array_size(values) == 0)
		printf("off, or none");
	json_array_foreach(values, i, v) {
		printf("%s%s", i > 0 ? ", " : "", json_is_string(v) ? json_string_value(v) : "on");
	}
	printf("\n  %s\n  from %s\n", word(one, "meaning"), word(one, "origin"));
}

static void
say(const json_t *m)
{
	json_t *v;
	size_t i;

	printf("childflow profile\nprofile: %s\nstatus: %s\n", word(m, "profile"),
	    json_is_true(json_object_get(m, "valid")) ? "valid" : "not valid");
	if (word(m, "error") != NULL) {
		printf("  %s\n", word(m, "error"));
		return;
	}
	printf("what no rule is about: %s\n", strcmp(word(m, "default_policy"), "deny") == 0 ?
	    "refused" : "allowed");
	json_array_foreach(json_object_get(m, "notes"), i, v) {
		printf("mind %s\n", json_string_value(v));
	}
	puts("");
	json_array_foreach(json_object_get(m, "settings"), i, v) {
		say_setting(v);
	}
}

int
explain_main(int argc, char **argv)
{
	struct options o = { .json = false };
	int at = cli_parse(&cli, &o, argc, argv, 2);
	const char *wrong = NULL;
	char why[PROFILE_WHY];
	struct settings s;		/* its texts are the process's */
	json_t *m;

	if (at + 1 != argc) {
		log_fatal_status(2);
		fatalx("%s (try: cf-doctor profile --help)", at == argc ? "no profile is named" :
		    "one profile at a time");
	}
	if (!options_settings(&s))
		fatalx("out of memory");
	wrong = profile_load(&s, argv[at], why) ? check(&s) : why;
	if ((m = model(&s, argv[at], wrong)) == NULL)
		fatalx("out of memory");
	if (o.json) {
		json_dumpf(m, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		say(m);
	}
	json_decref(m);
	if (fflush(stdout) != 0)
		fatal("cannot write");
	return wrong == NULL ? 0 : 1;
}

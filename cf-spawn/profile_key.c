/*
 * profile_key.c - the keys of one profile, held against the table of options.
 *
 * A message says where the key stands, what is wrong, what was expected and what was
 * perhaps meant.  Paths are relative to the profile that names them: a profile means the
 * same from every directory.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "profile.h"

#define COUNTER_MAX	100

bool
profile_path(const char *dir, const char *path, char out[PROFILE_PATH_MAX])
{
	const char *parts[2] = { path[0] == '/' ? "" : dir, path };
	size_t len = 0, n;

	for (int i = 0; i < 2; i++)
		for (const char *p = parts[i]; *p != '\0'; p += n + strspn(p + n, "/")) {
			n = strcspn(p, "/");
			if (n == 0 || (n == 1 && p[0] == '.'))
				continue;
			if (n == 2 && p[0] == '.' && p[1] == '.') {
				while (len > 0 && out[--len] != '/')
					;
				continue;
			}
			if (len + n + 2 > PROFILE_PATH_MAX)
				return false;
			out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
		}
	if (len == 0)
		out[len++] = '/';
	out[len] = '\0';
	return true;
}

struct key {
	struct settings	*s;
	const struct cli_option *row;
	const struct toml_key *key;
	const char	*file, *dir;
	char		*why;
};

static bool
wrong(const struct key *k, unsigned line, unsigned column, const char *text)
{
	snprintf(k->why, PROFILE_WHY, "%s:%u:%u: %.100s: %s", k->file, line, column, k->key->name,
	    text);
	return false;
}

static bool
wrong_type(const struct key *k, const struct toml_value *v, const char *expected)
{
	static const char *const found[] = { [TOML_STRING] = "a string", [TOML_INTEGER] = "a number",
	    [TOML_BOOLEAN] = "true or false", [TOML_LIST] = "a list" };
	char text[160];

	snprintf(text, sizeof(text), "expected %s, found %s%s", expected,
	    v->type == TOML_OTHER ? "a " : "", v->type == TOML_OTHER ? v->text : found[v->type]);
	return wrong(k, v->line, v->column, text);
}

static bool
put(const struct key *k, const struct toml_value *v, const char *text)
{
	struct origin origin = { FROM_PROFILE, k->file, v->line, v->column };

	return settings_put(k->s, k->row, text, &origin) ||
	    wrong(k, v->line, v->column, "out of memory");
}

static bool
put_text(const struct key *k, const struct toml_value *v)
{
	char path[PROFILE_PATH_MAX];

	/* "-" and descriptors are no files beside the profile. */
	if (cli_kind(k->row) != CLI_PATH || strcmp(v->text, "-") == 0 || v->text[0] == '\0' ||
	    strncmp(v->text, "fd:", 3) == 0)
		return put(k, v, v->text);
	if (!profile_path(k->dir, v->text, path))
		return wrong(k, v->line, v->column, "the path is too long");
	return put(k, v, path);
}

static bool
put_number(const struct key *k, const struct toml_value *v)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", v->number);
	return put(k, v, text);
}

static const char *
expected(const struct key *k, bool list)
{
	switch (cli_kind(k->row)) {
	case CLI_NUMBER:	return list ? "a list of numbers" : "a number";
	case CLI_AMOUNT:	return list ? "a list of numbers or strings" : "a number or a string";
	case CLI_PATH:		return list ? "a list of paths" : "a path (a string)";
	default:		return list ? "a list of strings" : "a string";
	}
}

static bool
put_one(const struct key *k, const struct toml_value *v, bool in_list)
{
	enum cli_kind kind = cli_kind(k->row);

	if (v->type == TOML_STRING && kind != CLI_NUMBER)
		return put_text(k, v);
	if (v->type == TOML_INTEGER && (kind == CLI_NUMBER || kind == CLI_AMOUNT))
		return put_number(k, v);
	return wrong_type(k, v, expected(k, in_list));
}

static void
clear(const struct key *k, const struct toml_value *v)
{
	struct origin origin = { FROM_PROFILE, k->file, v->line, v->column };

	settings_clear(k->s, k->row, &origin);
}

/* The list replaces: also an empty one. */
static bool
put_list(const struct key *k, const struct toml_value *v)
{
	if (v->type == TOML_STRING && k->row != &settings_command)
		return put_one(k, v, false);	/* a list of one may go without brackets */
	if (v->type != TOML_LIST)
		return wrong_type(k, v, expected(k, true));
	clear(k, v);
	for (size_t i = 0; i < v->n; i++)
		if (!put_one(k, &v->item[i], true))
			return false;
	return true;
}

static bool
put_switch(const struct key *k, const struct toml_value *v)
{
	if (v->type != TOML_BOOLEAN)
		return wrong_type(k, v, "true or false");
	if (v->on)
		return put(k, v, NULL);
	clear(k, v);
	return true;
}

static bool
put_counter(const struct key *k, const struct toml_value *v)
{
	if (v->type != TOML_INTEGER || v->number < 0 || v->number > COUNTER_MAX)
		return wrong_type(k, v, "a number from 0 to 100");
	clear(k, v);
	for (long long i = 0; i < v->number; i++)
		if (!put(k, v, NULL))
			return false;
	return true;
}

static bool
unknown(const struct key *k)
{
	char meant[CLI_NAME_LEN], text[160] = "no option has this key (cf-profile(5) lists all)";

	if (cli_key_meant(k->s->rows, k->key->name, meant) != NULL)
		snprintf(text, sizeof(text), "unknown key, did you mean %s? (cf-profile(5) lists all)",
		    meant);
	else if (strcmp(k->key->name, "extend") == 0 || strcmp(k->key->name, "include") == 0)
		snprintf(text, sizeof(text), "unknown key, did you mean extends?");
	return wrong(k, k->key->line, k->key->column, text);
}

bool
profile_parent(const struct toml_doc *doc, const char *file, const struct toml_value **out, char *why)
{
	struct key k = { .file = file, .why = why };

	*out = NULL;
	for (size_t i = 0; i < doc->n; i++) {
		const struct toml_value *v = &doc->key[i].value;

		if (strcmp(doc->key[i].name, PROFILE_EXTENDS) != 0)
			continue;
		k.key = &doc->key[i];
		if (v->type != TOML_STRING || v->text[0] == '\0')
			return wrong_type(&k, v, "the path or the name of one profile");
		*out = v;
	}
	return true;
}

static bool
take_key(struct key *k)
{
	const struct toml_value *v = &k->key->value;

	k->row = strcmp(k->key->name, settings_command.name) == 0 ? &settings_command :
	    cli_by_key(k->s->rows, k->key->name);
	if (k->row == NULL)
		return unknown(k);
	if ((k->row->flags & CLI_LIST) != 0)
		return put_list(k, v);
	switch (cli_kind(k->row)) {
	case CLI_SWITCH:	return put_switch(k, v);
	case CLI_COUNTER:	return put_counter(k, v);
	default:		return put_one(k, v, false);
	}
}

bool
profile_take(struct settings *s, const struct toml_doc *doc, const char *file, const char *dir,
    char *why)
{
	struct key k = { .s = s, .file = file, .dir = dir, .why = why };

	for (size_t i = 0; i < doc->n; i++) {
		k.key = &doc->key[i];
		if (strcmp(k.key->name, PROFILE_EXTENDS) != 0 && !take_key(&k))
			return false;
	}
	return true;
}

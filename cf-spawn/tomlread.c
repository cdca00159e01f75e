/*
 * tomlread.c - see tomlread.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tomlread.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static bool
place(const json_t *tuple, size_t at, unsigned *line, unsigned *column)
{
	const json_t *l = json_array_get(tuple, at), *c = json_array_get(tuple, at + 1);

	if (!json_is_integer(l) || !json_is_integer(c) || json_integer_value(l) < 1 ||
	    json_integer_value(c) < 1 || json_integer_value(l) > TOMLREAD_FILE_MAX + 1 ||
	    json_integer_value(c) > TOMLREAD_FILE_MAX + 1)
		return false;
	*line = (unsigned)json_integer_value(l);
	*column = (unsigned)json_integer_value(c);
	return true;
}

static bool	value(const json_t *, bool in_list, struct toml_value *);

static bool
take_string(const json_t *json, struct toml_value *v)
{
	v->text = json_string_value(json);
	return v->text != NULL;
}

static bool
take_integer(const json_t *json, struct toml_value *v)
{
	v->number = json_integer_value(json);
	return json_is_integer(json);
}

static bool
take_boolean(const json_t *json, struct toml_value *v)
{
	v->on = json_is_true(json);
	return json_is_boolean(json);
}

static bool
take_list(const json_t *json, struct toml_value *v)
{
	size_t n = json_array_size(json);

	if (!json_is_array(json) || n > TOMLREAD_ITEMS_MAX ||
	    (n > 0 && (v->item = calloc(n, sizeof(*v->item))) == NULL))
		return false;
	v->n = n;
	for (size_t i = 0; i < n; i++)
		if (!value(json_array_get(json, i), true, &v->item[i]))
			return false;
	return true;
}

static const struct {
	const char	*name;
	enum toml_type	 type;
	bool		(*take)(const json_t *, struct toml_value *);
} types[] = {
	{ "string",	TOML_STRING,	take_string },
	{ "integer",	TOML_INTEGER,	take_integer },
	{ "boolean",	TOML_BOOLEAN,	take_boolean },
	{ "list",	TOML_LIST,	take_list },
	/* without a value */
	{ "array",	TOML_OTHER,	NULL },
	{ "table",	TOML_OTHER,	NULL },
	{ "float",	TOML_OTHER,	NULL },
	{ "date or time", TOML_OTHER,	NULL },
};

static bool
value(const json_t *tuple, bool in_list, struct toml_value *v)
{
	const char *name = json_string_value(json_array_get(tuple, 0));

	*v = (struct toml_value){ 0 };
	if (name == NULL || !place(tuple, 1, &v->line, &v->column))
		return false;
	for (size_t i = 0; i < COUNT(types); i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		v->type = types[i].type;
		v->text = types[i].name;
		if (types[i].take == NULL)
			return json_array_size(tuple) == 3;
		return json_array_size(tuple) == 4 && !(in_list && v->type == TOML_LIST) &&
		    types[i].take(json_array_get(tuple, 3), v);
	}
	return false;
}

static int
by_place(const void *a, const void *b)
{
	const struct toml_key *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

static bool
keys(const json_t *list, struct toml_doc *out)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > TOMLREAD_KEYS_MAX ||
	    (n > 0 && (out->key = calloc(n, sizeof(*out->key))) == NULL))
		return false;
	for (size_t i = 0; i < n; i++) {
		const json_t *tuple = json_array_get(list, i);
		struct toml_key *k = &out->key[out->n++];

		k->name = json_string_value(json_array_get(tuple, 0));
		if (k->name == NULL || json_array_size(tuple) != 4 ||
		    !place(tuple, 1, &k->line, &k->column) ||
		    !value(json_array_get(tuple, 3), false, &k->value))
			return false;
	}
	if (n > 1)
		qsort(out->key, n, sizeof(*out->key), by_place);
	return true;
}

/* Is it an error that the converter found, and not one of the converter? */
static bool
said_error(const json_t *tuple, struct toml_error *err)
{
	const char *text = json_string_value(json_array_get(tuple, 0));

	if (text == NULL || json_array_size(tuple) != 3 ||
	    !place(tuple, 1, &err->line, &err->column))
		return false;
	snprintf(err->text, sizeof(err->text), "%s", text);
	return true;
}

bool
toml_read(const char *json, size_t len, struct toml_doc *out, struct toml_error *err)
{
	json_t *root = len > TOMLREAD_JSON_MAX ? NULL :
	    json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);

	*out = (struct toml_doc){ .json = root };
	*err = (struct toml_error){ 0 };
	if (json_object_size(root) == 1) {
		if (keys(json_object_get(root, "keys"), out))
			return true;
		if (said_error(json_object_get(root, "error"), err))
			return false;
	}
	snprintf(err->text, sizeof(err->text), "cf-toml does not say what it should "
	    "(install childflow again)");
	err->line = err->column = 0;
	return false;
}

void
toml_done(struct toml_doc *doc)
{
	for (size_t i = 0; i < doc->n; i++)
		free(doc->key[i].value.item);
	free(doc->key);
	json_decref(doc->json);
	*doc = (struct toml_doc){ 0 };
}

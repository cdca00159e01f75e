/*
 * auditread.c - is what a program says about itself of the right form?
 *
 * Pure.  Each member that should be there is, with the right type, and no other.  Texts are
 * printable ASCII, so that what comes of them can go to a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"

#include <stdbool.h>
#include <string.h>

struct form {
	const char		*key;
	json_type		 type;
	enum { REQUIRED, NULLABLE, OPTIONAL } how;
	const struct form	*of;	/* of an object, or of the objects of an array; NULL: texts */
};

static const struct form argument[] = {
	{ "argument", JSON_INTEGER, REQUIRED, NULL }, { "mask", JSON_STRING, REQUIRED, NULL },
	{ "value", JSON_STRING, REQUIRED, NULL }, { "means", JSON_STRING, NULLABLE, NULL }, { 0 }
};
static const struct form call[] = {
	{ "call", JSON_STRING, REQUIRED, NULL }, { "number", JSON_INTEGER, REQUIRED, NULL },
	{ "arguments", JSON_ARRAY, REQUIRED, argument },
	{ "reason", JSON_STRING, REQUIRED, NULL }, { 0 }
};
static const struct form limit[] = {
	{ "limit", JSON_STRING, REQUIRED, NULL }, { "value", JSON_INTEGER, REQUIRED, NULL },
	{ "reason", JSON_STRING, REQUIRED, NULL }, { 0 }
};
static const struct form role[] = {
	{ "role", JSON_STRING, REQUIRED, NULL }, { "does", JSON_STRING, REQUIRED, NULL },
	{ "namespaces", JSON_ARRAY, REQUIRED, NULL }, { "root", JSON_STRING, REQUIRED, NULL },
	{ "stays", JSON_STRING, NULLABLE, NULL }, { "limits", JSON_ARRAY, REQUIRED, limit },
	{ "calls", JSON_ARRAY, REQUIRED, call }, { 0 }
};
static const struct form family[] = {
	{ "family", JSON_INTEGER, REQUIRED, NULL }, { "means", JSON_STRING, REQUIRED, NULL },
	{ "reason", JSON_STRING, REQUIRED, NULL }, { 0 }
};
static const struct form refused[] = {
	{ "call", JSON_STRING, REQUIRED, NULL }, { "condition", JSON_STRING, NULLABLE, NULL },
	{ "error", JSON_STRING, REQUIRED, NULL }, { "reason", JSON_STRING, REQUIRED, NULL }, { 0 }
};
static const struct form tree[] = {
	{ "families", JSON_ARRAY, REQUIRED, family }, { "refused", JSON_ARRAY, REQUIRED, refused },
	{ 0 }
};
static const struct form start[] = {
	{ "role", JSON_STRING, REQUIRED, NULL }, { "program", JSON_STRING, REQUIRED, NULL },
	{ "namespaces", JSON_ARRAY, REQUIRED, NULL }, { 0 }
};
static const struct form program_form[] = {
	{ "program", JSON_STRING, REQUIRED, NULL }, { "roles", JSON_ARRAY, REQUIRED, role },
	{ "tree", JSON_OBJECT, OPTIONAL, tree }, { "starts", JSON_ARRAY, OPTIONAL, start }, { 0 }
};

static bool	object_fits(const json_t *, const struct form *, const char **at);

static bool
text_fits(const json_t *s)
{
	const char *p = json_string_value(s);

	for (size_t i = 0; i < json_string_length(s); i++)
		if (p[i] < ' ' || p[i] > '~')
			return false;
	return true;
}

static bool
value_fits(const json_t *v, const struct form *f, const char **at)
{
	const json_t *one;
	size_t i;

	*at = f->key;
	if (json_is_null(v) && f->how == NULLABLE)
		return true;
	if (json_typeof(v) != f->type || (f->type == JSON_STRING && !text_fits(v)))
		return false;
	if (f->type == JSON_OBJECT)
		return object_fits(v, f->of, at);
	json_array_foreach(v, i, one)		/* no turn where it is no array */
		if (f->of != NULL ? !object_fits(one, f->of, at) :
		    !json_is_string(one) || !text_fits(one))
			return false;
	return true;
}

/* *at: the member that does not. */
static bool
object_fits(const json_t *o, const struct form *f, const char **at)
{
	size_t known = 0;
	const json_t *v;

	if (!json_is_object(o))
		return false;
	for (; f->key != NULL; f++) {
		v = json_object_get(o, f->key);
		if (v == NULL && f->how == OPTIONAL)
			continue;
		*at = f->key;
		if (v == NULL || !value_fits(v, f, at))
			return false;
		known++;
	}
	return known == json_object_size(o);
}

json_t *
audit_read(const char *text, size_t len, const char *program, char why[AUDIT_WHY])
{
	const char *at = "program", *is;
	json_error_t err;
	json_t *o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &err);

	if (o == NULL)
		snprintf(why, AUDIT_WHY, "it is not JSON");
	else if (!object_fits(o, program_form, &at))
		snprintf(why, AUDIT_WHY, "\"%s\" is not as it should be, or something is there beside it",
		    at);
	else if (is = json_string_value(json_object_get(o, "program")), strcmp(is, program) != 0)
		snprintf(why, AUDIT_WHY, "it says that it is %.64s", is);
	else
		return o;
	json_decref(o);
	return NULL;
}

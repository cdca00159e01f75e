/*
 * sayjson.c - see sayjson.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sayjson.h"

#include "flowlog.h"

json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

void
put(FILE *f, const json_t *o, const char *key)
{
	say_text(f, json_string_value(json_object_get(o, key)));
}

void
put_each(FILE *f, const json_t *array, void (*each)(FILE *, const json_t *))
{
	json_t *v;
	size_t i;

	if (json_array_size(array) == 0)
		fputs("none", f);
	json_array_foreach(array, i, v) {
		fputs(i > 0 ? ", " : "", f);
		each(f, v);
	}
}

static void
put_string(FILE *f, const json_t *v)
{
	say_text(f, json_string_value(v));
}

void
put_list(FILE *f, const json_t *array)
{
	put_each(f, array, put_string);
}

static void
put_count(FILE *f, const json_t *v)
{
	put(f, v, "key");
	fprintf(f, "=%" JSON_INTEGER_FORMAT, number(v, "count"));
}

void
put_counts(FILE *f, const json_t *array)
{
	put_each(f, array, put_count);
}

void
put_attempts(FILE *f, const json_t *target)
{
	fprintf(f, "attempts=%" JSON_INTEGER_FORMAT ", ok=%" JSON_INTEGER_FORMAT
	    ", error=%" JSON_INTEGER_FORMAT ", flow_end=%" JSON_INTEGER_FORMAT,
	    number(target, "connect_attempts"), number(target, "connect_ok"),
	    number(target, "connect_error"), number(target, "flow_end"));
}

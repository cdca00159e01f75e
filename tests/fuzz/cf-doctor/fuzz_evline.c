/*
 * fuzz_evline.c - any bytes as a line of a log: what we take jansson takes, and with the same values.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "evline.h"

#define KEY(name, key)	key,
static const char *const keys[F_COUNT] = { EVLINE_FIELDS(KEY) };

static void
same(const struct evvalue *v, const json_t *j)
{
	switch (v->type) {
	case VAL_STRING:
		if (!json_is_string(j) || json_string_length(j) != v->string.len ||
		    memcmp(json_string_value(j), v->string.text, v->string.len) != 0)
			abort();
		break;
	case VAL_INTEGER:
		if (!json_is_integer(j) || json_integer_value(j) != v->integer)
			abort();
		break;
	case VAL_TRUE:
	case VAL_FALSE:
		if (!json_is_boolean(j) || json_is_true(j) != (v->type == VAL_TRUE))
			abort();
		break;
	case VAL_ARRAY:
		if (!json_is_array(j) || json_array_size(j) < v->n)
			abort();
		break;
	case VAL_NONE:
		if (j != NULL && !json_is_null(j))
			abort();
		break;
	case VAL_OTHER:
		if (!json_is_object(j) && !json_is_real(j))
			abort();
		break;
	}
}

/*
 * Where the two differ: jansson takes no real that no double can hold, though it is JSON, and
 * passes over a zero byte behind a number, which is not.
 */
static bool
differs(const uint8_t *data, size_t len, const json_error_t *error)
{
	return memchr(data, '\0', len) != NULL ||
	    strstr(error->text, "real number overflow") != NULL;
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *line = malloc(len + 1);
	struct evline e;
	json_error_t error = { 0 };
	json_t *j = json_loadb((const char *)data, len, JSON_ALLOW_NUL, &error);
	const char *why;

	if (line == NULL)
		abort();
	if (len > 0)
		memcpy(line, data, len);
	why = evline_parse(&e, line, len);
	if (why == NULL && j == NULL && !differs(data, len, &error))
		abort();
	if (why != NULL && json_is_object(j) && strstr(why, "too deeply") == NULL &&
	    !differs(data, len, &error))
		abort();
	for (size_t i = 0; why == NULL && j != NULL && i < F_COUNT; i++)
		same(&e.field[i], json_object_get(j, keys[i]));
	json_decref(j);
	free(line);
	return 0;
}

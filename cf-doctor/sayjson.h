/*
 * sayjson.h - values of a summary or report model as words of a line, for a person.
 *
 * What a member has not, is said as "none", "unavailable" or 0.  Strings go through say_text().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SAYJSON_H
#define CF_SAYJSON_H

#include <jansson.h>
#include <stdio.h>

/* The integer o[key]; 0 where there is none. */
json_int_t	number(const json_t *o, const char *key);
/* The string o[key]. */
void		put(FILE *, const json_t *o, const char *key);
/* "a, b" of an array of strings, or "none". */
void		put_list(FILE *, const json_t *array);
/* What each() says of every member, ", " between, or "none". */
void		put_each(FILE *, const json_t *array, void (*each)(FILE *, const json_t *));
/* "k=n, k=n" of [{key, count}], or "none". */
void		put_counts(FILE *, const json_t *array);
/* "attempts=n, ok=n, ..." of a target. */
void		put_attempts(FILE *, const json_t *target);

#endif

/*
 * flight_check.h - what has to hold for the first flight of any stream (flight.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_FLIGHT_CHECK_H
#define FUZZ_FLIGHT_CHECK_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "flight.h"
#include "name.h"

/* Names are in their normal form, and different. */
static inline void
flight_check_names(const struct flight *f)
{
	assert(f->n_names <= FLIGHT_NAMES);
	for (size_t i = 0; i < f->n_names; i++) {
		struct name_error err;
		char again[NAME_STRLEN];

		assert(name_from_ascii(f->name[i], strlen(f->name[i]), again, &err));
		assert(strcmp(again, f->name[i]) == 0 && !name_is_number(again));
	}
	assert(f->n_names < 2 || strcmp(f->name[0], f->name[1]) != 0);
}

static inline enum flight_state
flight_check_state(const uint8_t *bytes, size_t n, bool end, struct flight *f)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);		/* a sanitizer sees a read beyond */
	enum flight_state state;

	assert(copy != NULL);
	memcpy(copy, bytes, n);
	state = flight_stream(copy, n, end, f);
	free(copy);
	flight_check_names(f);
	assert(state != FLIGHT_NAMED || f->n_names > 0);
	assert(state != FLIGHT_MORE || (!end && n < FLIGHT_MAX));
	assert(f->kind != FLIGHT_OTHER || f->n_names == 0);
	return state;
}

/* A shorter prefix asks for more or says the same. */
static inline void
flight_check_stream(const uint8_t *bytes, size_t n)
{
	struct flight whole, part;
	enum flight_state state = flight_check_state(bytes, n, false, &whole), early;
	size_t step = n / 16 + 1;

	if (state != FLIGHT_MORE)
		assert(flight_check_state(bytes, n, true, &part) == state);
	else
		flight_check_state(bytes, n, true, &part);
	for (size_t i = n % step; i < n; i += step) {
		early = flight_check_state(bytes, i, false, &part);
		if (early == FLIGHT_MORE)
			continue;
		assert(early == state && part.kind == whole.kind);
		assert(state == FLIGHT_BAD || memcmp(&part, &whole, sizeof(whole)) == 0);
	}
}

#endif

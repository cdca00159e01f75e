/*
 * lookup.h - the two DNS messages that a name costs: its question, and the answer of cf-dns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LOOKUP_H
#define CF_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define LOOKUP_MAX	300		/* bytes of a question */

enum lookup { LOOKUP_ADDRESS, LOOKUP_NONE, LOOKUP_DENIED, LOOKUP_FAILED };

/* The question for a name of letters, digits, '-', '_' and dots; 0: it is too long. */
size_t		lookup_question(uint8_t out[LOOKUP_MAX], const char *name, uint8_t family);
/* The first address of this family in the answer. */
enum lookup	lookup_answer(const uint8_t *msg, size_t len, uint8_t family, struct addr *out);

#endif

/*
 * rulespans.h - ranges that overlap to ranges that do not: the first rule wins.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULESPANS_H
#define CF_RULESPANS_H

#include "rulebook_parts.h"

/* A rule wants these selectors of a key for its class. */
struct claim {
	uint32_t	key, class, lo, hi, rule;
};

/*
 * Append to `spans` (struct flat_span) the sorted ranges of n claims, which are sorted
 * by rule; each range has the lowest rule that claims it.  False: out of memory.
 */
bool	rulespans_paint(const struct claim *, size_t n, struct pile *spans);

/* The first rule of n spans where they leave no selector out, else RULES_NONE. */
uint32_t rulespans_whole(const struct flat_span *, size_t n);

#endif

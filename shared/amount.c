/*
 * amount.c - see amount.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "amount.h"

#include <ctype.h>
#include <stddef.h>
#include <strings.h>

struct unit {
	const char	*name;
	uint64_t	 value;
};

static const struct unit sizes[] = {
	{ "B", 1 }, { "KB", 1000 }, { "MB", 1000000 }, { "GB", 1000000000 }, { "TB", 1000000000000 },
	{ "KiB", 1u << 10 }, { "MiB", 1u << 20 }, { "GiB", 1u << 30 }, { "TiB", (uint64_t)1 << 40 },
	{ 0 }
};
static const struct unit times[] = {
	{ "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { 0 }
};

static bool
parse(const char *text, const struct unit *units, uint64_t *out)
{
	uint64_t n = 0;
	const char *p;

	for (p = text; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	}
	if (p == text)
		return false;
	for (; units->name != NULL; units++)
		if (strcasecmp(p, units->name) == 0)
			return !__builtin_mul_overflow(n, units->value, out);
	return false;
}

bool
amount_bytes(const char *text, uint64_t *out)
{
	return parse(text, sizes, out);
}

bool
amount_seconds(const char *text, uint64_t *out)
{
	return parse(text, times, out);
}

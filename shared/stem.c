/*
 * stem.c - see stem.h.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stem.h"

#include <stdio.h>
#include <string.h>

bool
stem_insert(const char *path, const char *word, char *out, size_t len)
{
	const char *base = strrchr(path, '/'), *dot;

	base = base != NULL ? base + 1 : path;
	dot = strrchr(base, '.');
	if (dot == NULL || dot == base)
		dot = base + strlen(base);
	return (size_t)snprintf(out, len, "%.*s.%s%s", (int)(dot - path), path, word, dot) < len;
}

bool
stem_number(const char *path, size_t i, size_t n, char *out, size_t len)
{
	char last[24], word[24];
	int width = snprintf(last, sizeof(last), "%zu", n - 1);

	snprintf(word, sizeof(word), "%0*zu", width, i);
	return stem_insert(path, word, out, len);
}

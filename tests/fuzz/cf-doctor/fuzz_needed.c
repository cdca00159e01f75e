/*
 * fuzz_needed.c - any bytes as a program: the names that come of it lie within it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "needed.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct needed needed;
	const char *end = (const char *)data + len;

	if (needed_find(data, len, &needed) != NULL)
		return 0;
	for (size_t i = 0; i < needed.n; i++)
		if (needed.name[i] < (const char *)data || needed.name[i] >= end ||
		    memchr(needed.name[i], '\0', (size_t)(end - needed.name[i])) == NULL)
			abort();
	return 0;
}

/*
 * fuzz_audit.c - any bytes as what a program says with --audit: what is taken can be printed, and
 * nothing of it moves a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>

#include "audit.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char why[AUDIT_WHY], *text = NULL;
	json_t *o = audit_read((const char *)data, len, "cf-x", why);
	size_t n = 0;
	FILE *f;

	if (o == NULL)
		return 0;
	if ((f = open_memstream(&text, &n)) == NULL)
		abort();
	audit_print(f, o);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			abort();
	free(text);
	json_decref(o);
	return 0;
}

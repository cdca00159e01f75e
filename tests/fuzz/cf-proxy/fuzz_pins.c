/*
 * fuzz_pins.c - any text as a hosts file: it is read to its end, and every name that comes out is
 * one, at an address that a flow may go to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "pins.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct addr some = { .family = 4, .ip = { 192, 0, 2, 1 } };
	struct names *n = names_new();
	char *exact = malloc(len > 0 ? len : 1), again[NAME_STRLEN];
	const char *names[NAMES_A_FLOW];
	struct name_error err;
	size_t count;

	assert(n != NULL && exact != NULL);
	memcpy(exact, data, len);		/* a sanitizer sees a read beyond */
	assert(pins_add(n, exact, len) == 0 || names_bytes(n) > NAMES_BYTES / 4);
	count = names_of(n, &some, names, NAMES_A_FLOW);
	for (size_t i = 0; i < count; i++) {
		assert(name_from_ascii(names[i], strlen(names[i]), again, &err));
		assert(strcmp(again, names[i]) == 0);
	}
	names_free(n);
	free(exact);
	return 0;
}

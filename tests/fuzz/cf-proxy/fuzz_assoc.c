/*
 * fuzz_assoc.c - a datagram as a SOCKS5 proxy sends it: its payload is the end of it, or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dial.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct addr dst = { .family = 4, .port = 7, .ip = { 192, 0, 2, 1 } };
	uint8_t *exact = malloc(len);
	const uint8_t *p;
	size_t n;

	if (len > 0)
		memcpy(exact, data, len);
	for (int named = 0; named < 2; named++) {
		p = assoc_payload(exact, len, &dst, named, &n);
		assert(p == NULL || (p > exact && p + n == exact + len && len - n <= 262));
		assert(p == NULL || exact[2] == 0);
		/* An address that was asked for is the one that answers. */
		assert(p == NULL || named || exact[3] != 1 || memcmp(exact + 4, dst.ip, 4) == 0);
	}
	free(exact);
	return 0;
}

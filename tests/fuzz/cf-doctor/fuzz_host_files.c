/*
 * fuzz_host_files.c - any bytes as resolv.conf and subuid.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "doctor.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct addr out[RESOLVERS_MAX];
	size_t n = resolv_parse((const char *)data, len, out);

	if (n > RESOLVERS_MAX)
		abort();
	for (size_t i = 0; i < n; i++)
		if (out[i].family != 4 && out[i].family != 6)
			abort();
	(void)subid_parse((const char *)data, len, "me", 1000);
	return 0;
}

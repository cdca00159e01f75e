/*
 * fuzz_httphost.c - any bytes as the first of an HTTP client: where a host is told, no
 * second line of the head could be taken for one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <strings.h>

#include "flight_check.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Lines of the head, behind the first, that a liberal server could take for Host. */
static size_t
host_lines(const uint8_t *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 1; i < n; i++) {
		if (p[i - 1] != '\n' && p[i - 1] != '\r')
			continue;
		if (n - i >= 2 && p[i - 1] == '\n' && memcmp(p + i, "\r\n", 2) == 0)
			break;
		while (i < n && (p[i] == ' ' || p[i] == '\t'))
			i++;
		if (n - i >= 4 && strncasecmp((const char *)p + i, "host", 4) == 0 &&
		    n - i > 4 && strchr(": \t", p[i + 4]) != NULL && p[i + 4] != 0)
			count++;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct flight f;

	flight_check_stream(data, len);
	if (flight_stream(data, len, false, &f) == FLIGHT_NAMED && f.kind == FLIGHT_HTTP)
		assert(host_lines(data, len) <= 1);
	return 0;
}

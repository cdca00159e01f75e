/*
 * fuzz_socks.c - a SOCKS5 proxy's bytes, taken as a greeting's, a login's and a request's answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "socks.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum socks_method method;
	uint8_t buf[SOCKS_REPLY_MAX], *exact;
	size_t have = 0, want;
	struct addr bound;
	const char *why;
	int err = 0;

	if (len >= 2) {
		why = socks_method(data, data[0] & 1, &method, &err);
		assert(why != NULL || method == SOCKS_NONE || method == SOCKS_PASSWORD);
		(void)socks_auth_answer(data, &err);
	}
	/* As tunnel.c does it. */
	while ((want = socks_reply_len(buf, have)) > have && have < len) {
		assert(want <= SOCKS_REPLY_MAX);
		buf[have] = data[have];
		have++;
	}
	if (want != have || want == 0)
		return 0;
	exact = malloc(have);
	memcpy(exact, buf, have);
	why = socks_reply(exact, have, &bound, &err);
	assert(why != NULL ? err != 0 : data[1] == 0);
	assert(bound.family == 0 || bound.family == 4 || bound.family == 6);
	free(exact);
	return 0;
}

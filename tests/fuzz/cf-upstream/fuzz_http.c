/*
 * fuzz_http.c - a proxy's answer to CONNECT in pieces; the first byte says of what size.
 *
 * The same comes of it in one piece.  A challenge that is found can be answered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum http_state
feed(struct http_reply *r, const uint8_t *data, size_t len, size_t piece, size_t *used)
{
	enum http_state state = HTTP_MORE;
	const char *why;
	size_t n;

	memset(r, 0, sizeof(*r));
	for (*used = 0; *used < len && state == HTTP_MORE; *used += n) {
		size_t now = len - *used < piece ? len - *used : piece;
		uint8_t *exact = malloc(now);

		memcpy(exact, data + *used, now);
		why = NULL;
		state = http_feed(r, exact, now, &n, &why);
		assert(n <= now && n > 0 && (state == HTTP_BAD) == (why != NULL));
		free(exact);
	}
	return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_reply a, b;
	char out[DIGEST_ANSWER_MAX];
	size_t used_a, used_b, n;
	enum http_state one, many;

	if (len == 0)
		return 0;
	one = feed(&a, data + 1, len - 1, len, &used_a);
	many = feed(&b, data + 1, len - 1, data[0] % 37 + 1u, &used_b);
	assert(one == many && used_a == used_b && a.status == b.status);
	assert(one != HTTP_DONE || (a.status >= 200 && a.ended));
	assert(a.total <= HTTP_HEAD_MAX + 1);
	if (a.digest.algorithm != DIGEST_NONE) {
		n = digest_answer(&a.digest, "user", "pass", "a.example:443", "c", 1, out);
		assert(n == 0 || (n == strlen(out) && out[strcspn(out, "\r\n")] == '\0'));
	}
	return 0;
}

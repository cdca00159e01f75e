/*
 * fuzz_request.c - a client's bytes as an HTTP request, as SOCKS5, and as an answer of cf-dns.
 *
 * What goes on of an HTTP request is one head: nothing in it could be read as the end of one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "request.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
http(const char *in, size_t len)
{
	static char head[REQUEST_MAX];
	struct request r;
	size_t n;
	enum request_state s = http_request(in, len, &r, head, &n);

	assert((s == REQUEST_BAD) == (r.status != 0));
	assert(n <= sizeof(head));
	if (s != REQUEST_DONE) {
		assert(n == 0);
		return;
	}
	assert(r.used <= len && r.used <= REQUEST_MAX && r.port != 0);
	assert(r.host.is_addr || r.host.name[0] != '\0');
	assert(r.tunnel == (n == 0));
	if (n == 0)
		return;
	assert(memmem(head, n, "\r\n\r\n", 4) == head + n - 4);
	for (size_t i = 0; i < n; i++) {
		assert(head[i] != '\0');
		assert(head[i] != '\n' || (i > 0 && head[i - 1] == '\r'));
		assert(head[i] != '\r' || head[i + 1] == '\n');
	}
}

static void
socks(const uint8_t *in, size_t len)
{
	struct request r;
	size_t used;

	(void)socks_greeting(in, len, &used);
	assert(used <= len);
	if (socks_request(in, len, &r) == REQUEST_DONE)
		assert(r.used <= len && r.port != 0 && r.tunnel);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct addr a;

	memcpy(exact, data, len);
	http((const char *)exact, len);
	socks(exact, len);
	for (uint8_t family = 4; family <= 6; family += 2)
		if (lookup_answer(exact, len, family, &a) == LOOKUP_ADDRESS)
			assert(a.family == family);
	free(exact);
	return 0;
}

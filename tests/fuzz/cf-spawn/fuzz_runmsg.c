/*
 * fuzz_runmsg.c - any bytes as what comes at a run's control socket: a message and a joiner's words.
 *
 * Words that were taken are put again to the same bytes, so nothing of them was lost or added.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"

static void
message(const uint8_t *data, size_t len)
{
	static struct run_msg m;
	size_t n = len < RUN_HEAD + RUN_TEXT_MAX ? len : RUN_HEAD + RUN_TEXT_MAX;

	memset(&m, 0xff, sizeof(m));
	memcpy(&m, data, n);
	if (runmsg_valid(&m, n) && (n < RUN_HEAD || strlen(m.text) > n - RUN_HEAD))
		abort();
}

static void
words(const uint8_t *data, size_t len)
{
	char *bytes = malloc(len + 1), *again;
	struct run_words w;
	size_t n;

	if (bytes == NULL)
		return;
	memcpy(bytes, data, len);
	if (runwords_get(bytes, len, &w)) {
		if (w.argv[0] == NULL)
			abort();
		again = runwords_put(&w, &n);
		if (again == NULL || n != len || memcmp(again, data, len) != 0)
			abort();
		free(again);
	}
	runwords_free(&w);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	message(data, len);
	words(data, len);
	return 0;
}

/*
 * fuzz_flowtable.c - any bytes as lines of a flow log: bounded, and printable on a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "flowtable.h"

static void
plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			abort();
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct row *list[FLOWTABLE_MAX];
	struct flowtable *t = flowtable_new();
	const uint8_t *nl;
	size_t part, n;

	for (; len > 0; data += part, len -= part) {
		nl = memchr(data, '\n', len);
		part = nl != NULL ? (size_t)(nl - data) + 1 : len;
		flowtable_line(t, (const char *)data, part - (nl != NULL));
	}
	for (int order = 0; order < ROW_ORDERS; order++) {
		n = flowtable_list(t, order, "", list);
		if (n != t->n || n > FLOWTABLE_MAX)
			abort();
		for (size_t i = 0; i < n; i++) {
			plain(list[i]->proto);
			plain(list[i]->remote);
			plain(list[i]->name);
			plain(list[i]->process);
			plain(list[i]->why);
		}
	}
	flowtable_free(t);
	return 0;
}

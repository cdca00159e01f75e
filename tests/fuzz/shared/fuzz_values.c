/*
 * fuzz_values.c - values of options: an address, an amount, a time, ports.
 *
 * An address that was taken is the same when what we write for it is read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "amount.h"
#include "hostports.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
address_check(const char *text)
{
	char shown[ADDR_STRLEN];
	struct addr a, again;

	if (!addr_parse(text, 53, &a))
		return;
	if ((a.family != 4 && a.family != 6) ||
	    !addr_parse(addr_str(&a, shown), 54, &again) || !addr_equal(&a, &again))
		abort();
}

static void
ports_check(const char *text)
{
	struct hostports ports = { 0 };
	char why[200] = "";

	if (!hostports_add(&ports, text, why, sizeof(why))) {
		if (why[0] == '\0')
			abort();
		return;
	}
	for (size_t i = 0; i < ports.n; i++)
		if (ports.at[i].lo == 0 || ports.at[i].lo > ports.at[i].hi ||
		    !hostports_have(&ports, ports.at[i].hi))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	uint64_t n;

	memcpy(text, data, len);
	text[len] = '\0';
	address_check(text);
	(void)amount_bytes(text, &n);
	(void)amount_seconds(text, &n);
	ports_check(text);
	free(text);
	return 0;
}

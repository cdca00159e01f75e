/*
 * fuzz_hops.c - a proxy's URL, and the list of proxies as cf-upstream gets it.
 *
 * What was taken is told again without its secrets, and a list that was read comes out of
 * hops_put() as it went in, up to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hops.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
url_check(const char *text)
{
	char shown[HOP_STRLEN];
	struct hop hop;

	if (hop_parse(text, &hop) != NULL)
		return;
	if (hop.scheme >= HOP_SCHEMES || hop.addr.port == 0 ||
	    (hop.name[0] != '\0' && !hop_name_fits(hop.name, strlen(hop.name))))
		abort();
	(void)hop_str(&hop, shown);
	for (const char *p = shown; *p != '\0'; p++)
		if ((uint8_t)*p <= ' ' || (uint8_t)*p >= 0x7f || *p == '@')
			abort();
}

static void
list_check(const uint8_t *data, size_t len)
{
	static uint8_t again[HOPS_BYTES_MAX];
	static struct hops hops, twice;
	struct rd r = rd_over(data, len);
	struct wr w = wr_over(again, sizeof(again));

	if (!hops_get(&r, &hops))
		return;
	if (hops.n == 0 || hops.n > HOPS_MAX)
		abort();
	(void)hops_tls(&hops);
	(void)hops_udp(&hops);
	hops_put(&w, &hops);
	r = rd_over(again, (size_t)(w.p - again));
	if (!hops_get(&r, &twice) || twice.n != hops.n || twice.ca_len != hops.ca_len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = '\0';
	url_check(text);
	free(text);
	list_check(data, len);
	return 0;
}

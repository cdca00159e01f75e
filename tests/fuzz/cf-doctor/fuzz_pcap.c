/*
 * fuzz_pcap.c - any bytes as a capture: it is told in both forms, the same however it comes in
 * pieces, and no text of it can drive a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "pcap.h"

static char *
told(const struct pcap *p)
{
	json_t *model = pcap_model(p, "file");
	char *text = model != NULL ? pcap_text(model) : NULL;

	if (text == NULL || strncmp(text, "childflow capture\n", 18) != 0)
		abort();
	for (const char *c = text; *c != '\0'; c++)
		if (((uint8_t)*c < 0x20 && *c != '\n') || *c == 0x7f)
			abort();
	json_decref(model);
	return text;
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t pieces[] = { 1, 7, 1 << 20 };
	char *text[3];

	for (size_t k = 0; k < 3; k++) {
		struct pcap *p = pcap_new(len, 8);

		if (p == NULL)
			abort();
		for (size_t at = 0; at < len; at += pieces[k])
			pcap_feed(p, data + at, len - at < pieces[k] ? len - at : pieces[k]);
		pcap_end(p);
		text[k] = told(p);
		pcap_free(p);
	}
	if (strcmp(text[0], text[1]) != 0 || strcmp(text[0], text[2]) != 0)
		abort();
	for (size_t k = 0; k < 3; k++)
		free(text[k]);
	return 0;
}

/*
 * fuzz_summary.c - any bytes as event lines; the text may not drive a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "summary.h"

/* Lines of printable characters; what is above ASCII is log_escape's business and tested there. */
static void
text_check(const char *text)
{
	if (strncmp(text, "childflow summary\n", 18) != 0)
		abort();
	for (; *text != '\0'; text++)
		if (((uint8_t)*text < 0x20 && *text != '\n') || *text == 0x7f)
			abort();
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tally *t = tally_new(&tally_small);
	json_t *model;
	char *text;

	if (t == NULL)
		abort();
	tally_feed(t, (const char *)data, len / 2);
	tally_feed(t, (const char *)data + len / 2, len - len / 2);
	tally_end(t);
	if ((model = model_new(t, NULL)) == NULL || (text = text_render(model)) == NULL)
		abort();
	text_check(text);
	free(text);
	json_decref(model);
	tally_free(t);
	return 0;
}

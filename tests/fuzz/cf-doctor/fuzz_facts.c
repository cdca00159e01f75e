/*
 * fuzz_facts.c - any bytes as the facts of a run: refused with a reason, or printable.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "summary.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct tally *t;
	const char *why = NULL;
	json_t *facts = facts_parse((const char *)data, len, &why), *model;
	char *text;

	if (t == NULL)
		t = tally_new(&tally_small);
	if ((facts == NULL) != (why != NULL))
		abort();
	model = model_new(t, facts);
	json_decref(facts);
	if (model == NULL || (text = text_render(model)) == NULL)
		abort();
	for (const char *p = text; *p != '\0'; p++)
		if ((uint8_t)*p < 0x20 && *p != '\n')
			abort();
	free(text);
	json_decref(model);
	return 0;
}

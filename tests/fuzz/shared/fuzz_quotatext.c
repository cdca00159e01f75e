/*
 * fuzz_quotatext.c - the text of one quota, and its way into a generation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "quotas.h"
#include "rulebook.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_limits(const struct quotatext *t)
{
	static const uint64_t most[QUOTA_KINDS] = { QUOTA_BYTES_MOST, QUOTA_BYTES_MOST,
	    QUOTA_BYTES_MOST, QUOTA_COUNT_MOST, QUOTA_DEST_MOST };
	char buf[QUOTAS_LIMIT_LEN];
	bool any = false;

	for (int k = 0; k < QUOTA_KINDS; k++) {
		any = any || t->limit[k] != 0;
		if (t->limit[k] > most[k])
			abort();
		if (t->limit[k] != 0)
			(void)quotas_limit_str((enum quota_kind)k, t->limit[k], buf);
	}
	if (!any || t->target.n_ranges == 0)
		abort();
}

static void
check_generation(const char *text)
{
	static const uint8_t seed[SIPHASH_KEY_LEN];
	struct rules_flow flow = { .proto = RULE_TCP, .dst = { .family = 4, .port = 443 } };
	struct rulebook *book = rulebook_new(0);
	struct rulebook_error err;
	struct rules rules;
	uint16_t of[QUOTAS_MAX];
	const char *why;
	void *flat;
	size_t len;

	if (!rulebook_add_quota(book, text, &err) ||
	    (flat = rulebook_compile(book, seed, &len, &why)) == NULL ||
	    rules_load(flat, len, &rules) != NULL || quotas_of(&rules, &flow, of) > 1)
		abort();
	free(flat);
	rulebook_free(book);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct quotatext t;
	struct ruletext_error err;
	char *text = malloc(len + 1);

	memcpy(text, data, len);
	text[len] = '\0';
	if (!quotatext_parse(text, len, &t, &err)) {
		if (err.column == 0 || err.column > len + 1 || err.why[0] == '\0')
			abort();
	} else {
		check_limits(&t);
		if (strlen(text) == len)
			check_generation(text);
	}
	free(text);
	return 0;
}

/*
 * fuzz_ruletext.c - one rule's text; the first byte is the kind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "cidr.h"
#include "ruletext.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_rule(const struct ruletext *t)
{
	struct addr net = t->net;

	if (t->target == RULETEXT_NET && (t->bits > addr_iplen(&net) * 8 || cidr_mask(&net, t->bits)))
		abort();
	if (t->target == RULETEXT_NAME && (t->name[0] == '\0' || (!t->self && !t->below)))
		abort();
	if (t->n_ranges == 0 || t->n_ranges > RULETEXT_SPANS)
		abort();
	for (size_t i = 0; i < t->n_ranges; i++)
		if (t->range[i].lo > t->range[i].hi || t->range[i].hi > RULE_SELECTOR_LAST)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ruletext t;
	struct ruletext_error err;

	if (len == 0)
		return 0;
	if (ruletext_parse((enum ruletext_kind)(data[0] % RULETEXT_KINDS), (const char *)data + 1,
	    len - 1, &t, &err))
		check_rule(&t);
	else if (err.column == 0 || err.column > len || err.why[0] == '\0')
		abort();
	return 0;
}

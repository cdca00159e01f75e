/*
 * ruleshow.c - see ruleshow.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ruleshow.h"

#include "known.h"
#include "rules_flat.h"

static const struct flat_rule *
rows_of(const struct rules *r)
{
	return (const struct flat_rule *)(const void *)(r->base + r->head->rules.off);
}

static const char *
string_at(const struct rules *r, uint32_t at)
{
	return at == 0 ? NULL : (const char *)r->base + r->head->strings.off + at;
}

static bool
is_given(const struct flat_rule *row)
{
	return row->class > CLASS_PRIVATE;
}

size_t
ruleshow_given(const struct rules *r)
{
	size_t n = 0;

	for (uint32_t i = 0; i < r->head->rules.n; i++)
		n += is_given(&rows_of(r)[i]);
	return n;
}

void
ruleshow_each(const struct rules *r, bool given,
    void (*say)(void *arg, const struct ruleshow_row *), void *arg)
{
	for (uint32_t i = 0; i < r->head->rules.n; i++) {
		const struct flat_rule *row = &rows_of(r)[i];
		const struct known *known = &known_rows[row->known < known_nrows ? row->known : 0];
		struct ruleshow_row out = { .option = rules_sources[row->source].option,
		    .allow = rules_sources[row->source].allow, .shown = string_at(r, row->shown),
		    .file = string_at(r, row->file), .line = row->line,
		    .never = row->class == CLASS_NEVER, .cidr = string_at(r, row->cidr) };

		if (given ? !is_given(row) : !out.never)
			continue;
		if (out.never) {
			out.what = known->what;
			out.code = known->code;
		}
		say(arg, &out);
	}
}

/*
 * fuzz_rulefile.c - a file of rules, from its bytes to a generation that is judged by.
 *
 * What was compiled has to load, and to stay within itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "rulebook.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
judge_some(const struct rules *r, const char *name)
{
	struct rules_flow f = { .dst = { .family = 4, .port = 443, .ip = { 10, 0, 0, 1 } },
	    .names = &name, .n_names = 1 };
	struct rules_verdict v;
	struct rules_words w;

	rules_judge(r, &f, &v);
	rules_explain(r, &v, &f, NULL, &w);
	f.dst.family = 6;
	rules_judge(r, &f, &v);
	rules_explain(r, &v, &f, NULL, &w);
	rules_judge_name(r, name, false, &v);
	rules_explain(r, &v, NULL, name, &w);
	rules_judge_answer(r, &f.dst, &v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t seed[SIPHASH_KEY_LEN];
	struct rulebook *b = rulebook_new(RULES_DEFAULT_DENY | RULES_BLOCK_METADATA);
	struct rulebook_error err = { 0 };
	struct rules r;
	const char *why;
	size_t out_len;
	void *buf;
	bool ok;

	if (b == NULL)
		return 0;
	ok = rulebook_add_file(b, RULES_ALLOW_FILE, "f", data, len, &err) &&
	    rulebook_add_file(b, RULES_DENY_FILE, "g", data, len, &err);
	if (!ok && (err.line == 0 || err.column == 0 || err.text[0] == '\0'))
		abort();
	buf = rulebook_compile(b, seed, &out_len, &why);
	if ((buf != NULL) != ok)
		abort();
	if (buf != NULL) {
		if (rules_load(buf, out_len, &r) != NULL)
			abort();
		judge_some(&r, "a.example.com");
		judge_some(&r, ".");
	}
	free(buf);
	rulebook_free(b);
	return 0;
}

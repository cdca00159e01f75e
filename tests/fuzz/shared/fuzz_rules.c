/*
 * fuzz_rules.c - a generation that was written over, with its hash made right again.
 *
 * The input is pairs of a place and a byte, put into a good generation.  The hash would stop
 * nearly all of that; here the checks behind it have to.  What still loads must judge without
 * leaving the buffer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "rulebook.h"
#include "rules_flat.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const uint8_t	seed[SIPHASH_KEY_LEN];
static void		*good;
static size_t		 good_len;

static void
good_make(void)
{
	static const char *const deny[] = { "*.b.example:80", "10.0.0.0/8", "10.1.0.0/16:1-9/tcp",
	    "2001:db8::/32", "*:25", ".example.com", "2001:db8:1::/48/udp" };
	struct rulebook *b = rulebook_new(RULES_DEFAULT_DENY | RULES_BLOCK_METADATA);
	struct rulebook_error err;
	const char *why;

	for (size_t i = 0; b != NULL && i < sizeof(deny) / sizeof(deny[0]); i++)
		if (!rulebook_add(b, i % 2 ? RULES_DENY : RULES_ALLOW, deny[i], &err))
			abort();
	if (b == NULL || (good = rulebook_compile(b, seed, &good_len, &why)) == NULL)
		abort();
	rulebook_free(b);
}

static void
judge(const struct rules *r, const char *ip)
{
	static const char *const names[] = { "a.b.example", "example.com", "metadata", "x.y.z.q" };
	struct rules_flow f = { .names = names, .n_names = 4 };
	struct rules_verdict v;
	struct rules_words w;

	if (!addr_parse(ip, 80, &f.dst))
		abort();
	rules_judge(r, &f, &v);
	rules_explain(r, &v, &f, NULL, &w);
	rules_judge_name(r, names[0], true, &v);
	rules_judge_answer(r, &f.dst, &v);
	rules_explain(r, &v, &f, NULL, &w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rules_head head;
	struct rules r;
	uint8_t *buf;

	if (good == NULL)
		good_make();
	if ((buf = malloc(good_len)) == NULL)
		return 0;
	memcpy(buf, good, good_len);
	for (size_t i = 0; i + 3 <= len; i += 3)
		buf[(size_t)(data[i] << 8 | data[i + 1]) % good_len] = data[i + 2];
	memcpy(&head, buf, sizeof(head));
	head.len = good_len;
	memcpy(buf, &head, sizeof(head));
	head.sum = flat_sum((const struct rules_head *)(const void *)buf);
	memcpy(buf, &head, sizeof(head));
	if (rules_load(buf, good_len, &r) == NULL) {
		judge(&r, "10.1.2.3");
		judge(&r, "2001:db8:1::1");
		judge(&r, "64:ff9b:1::10.0.0.1");
	}
	free(buf);
	return 0;
}

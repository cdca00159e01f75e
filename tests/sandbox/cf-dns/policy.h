/*
 * policy.h - rules for cf-dns in a test: made here, sealed, under a number that it inherits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TEST_POLICY_H
#define CF_TEST_POLICY_H

#include "rulebook.h"
#include "rulesfd.h"
#include "world.h"

#define RULES_FD	500
#define RULES_FD_TEXT	"500"

struct rule {
	enum rules_source source;
	const char	*text;		/* NULL: the end */
};

static void
rules_give(unsigned switches, const struct rule *rule)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 1 };
	struct rulebook *book = rulebook_new(switches);
	struct rulebook_error err;
	const char *why;
	size_t len;
	void *buf;
	int fd;

	for (; rule->text != NULL; rule++)
		ck_assert_msg(rulebook_add(book, rule->source, rule->text, &err), "%s", err.text);
	ck_assert_ptr_nonnull(buf = rulebook_compile(book, seed, &len, &why));
	ck_assert_int_ne(fd = rulesfd_make(buf, len), -1);
	ck_assert_int_eq(dup2(fd, RULES_FD), RULES_FD);
	close(fd);
	free(buf);
	rulebook_free(book);
}

#define RULES(switches, ...) \
	rules_give((switches), (const struct rule []){ __VA_ARGS__, { 0, NULL } })

#endif

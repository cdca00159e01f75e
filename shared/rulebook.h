/*
 * rulebook.h - from rules as they are written to the generation that rules.h judges by.
 *
 * cf-spawn's side (and that of a helper that runs alone with rules of its own).  The rules
 * are given in any order, by option and by file; order matters only for which rule is
 * named where several say the same.  One error spoils the book: it will not compile,
 * so a policy is never in force with a rule missing.
 *
 * Pure but for memory.  Files are given as bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULEBOOK_H
#define CF_RULEBOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "rules.h"
#include "siphash.h"

#define RULEBOOK_RULES_MAX	1000000

/* Switches that open what is never allowed otherwise; given with those of rules.h. */
enum { RULEBOOK_OPEN_LOOPBACK = 0x10000, RULEBOOK_OPEN_LINK_LOCAL = 0x20000,
	RULEBOOK_OPEN_MULTICAST = 0x40000 };

struct rulebook;

struct rulebook_error {
	unsigned	 line;			/* of a file, else 0 */
	size_t		 column;		/* from 1 */
	char		 text[640];		/* the whole message: where, what, why, and what was meant */
};

/* NULL: out of memory. */
struct rulebook	*rulebook_new(unsigned switches);
void		 rulebook_free(struct rulebook *);	/* NULL is fine */

/* False: *err is filled. */
bool		 rulebook_add(struct rulebook *, enum rules_source, const char *text,
		    struct rulebook_error *err);
/* A file's rules, for RULES_ALLOW_FILE and RULES_DENY_FILE; path is for messages. */
bool		 rulebook_add_file(struct rulebook *, enum rules_source, const char *path,
		    const void *bytes, size_t len, struct rulebook_error *err);

/* A quota, as quotatext.h reads it; one for each target.  False: *err is filled. */
bool		 rulebook_add_quota(struct rulebook *, const char *text, struct rulebook_error *err);

/*
 * The generation, from malloc(), for rules_load().  seed: random, so that nobody can
 * foresee the hash.  NULL: *why says why.
 */
void		*rulebook_compile(const struct rulebook *, const uint8_t seed[SIPHASH_KEY_LEN],
		    size_t *out_len, const char **why);

#endif

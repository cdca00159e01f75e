/*
 * poldiff.h - cf-doctor policy-diff: what one policy allows and the other refuses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_POLDIFF_H
#define CF_POLDIFF_H

#include <jansson.h>

#include "rules.h"
#include "ruletext.h"

#define POLDIFF_RULES_MAX	20000

/* A policy as it judges, and the rules that it was made of: these say where to look. */
struct poldiff_side {
	struct rules	 rules;
	struct ruletext	*rule;
	size_t		 n;
};

/*
 * {allowed: [{what, ports}], refused: [...]}: what b does that a does not.  NULL and *why
 * where that is too much.
 */
json_t	*poldiff(const struct poldiff_side *a, const struct poldiff_side *b, const char **why);
char	*poldiff_text(const json_t *diff);

/* argv[0] is "policy-diff"; the status to exit with: 0 no difference, 1 one, 2 trouble. */
int	 poldiff_main(int argc, char **argv);

#endif

/*
 * ruleshow.h - the rules of a generation one by one, for people and for counting.
 *
 * What is shown is what is judged by: the compiled form, not the options, so that a rule which
 * was misread would be seen.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULESHOW_H
#define CF_RULESHOW_H

#include "rules.h"

struct ruleshow_row {
	const char	*option;	/* "--deny-file" */
	bool		 allow;
	const char	*shown;		/* as it was written, names in their normal form */
	const char	*file;		/* where it stands, or NULL */
	unsigned	 line;
	bool		 never;		/* of those that are refused always; what, code, cidr say which */
	const char	*cidr, *what, *code;
};

/* How many rules the user gave: those that are not built in. */
size_t	ruleshow_given(const struct rules *);
/* Call say for each of the user's rules (given), or for each that is refused always. */
void	ruleshow_each(const struct rules *, bool given,
	    void (*say)(void *arg, const struct ruleshow_row *), void *arg);

#endif

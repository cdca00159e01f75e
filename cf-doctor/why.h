/*
 * why.h - cf-doctor why: would this destination be allowed, and which rule decides.
 *
 * whydest.c (pure) reads what the user wrote; why.c judges by the same rules as a run
 * does, and says what came of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_WHY_H
#define CF_WHY_H

#include <stdbool.h>

#include "name.h"
#include "ruletext.h"

struct whydest {
	bool		 is_name;
	char		 name[NAME_TEXT_MAX + 1];	/* in normal form */
	struct addr	 addr;		/* with the port; family 0 where it is a name */
	enum rule_proto	 proto;
	bool		 assumed;	/* no port was given: 443 */
};

/* NAME, ADDRESS, either with :PORT and /PROTOCOL, or a URL.  False: why says what is wrong. */
bool	whydest_parse(const char *text, struct whydest *out, char why[RULETEXT_WHY]);

/* argv[0] is "why"; the status to exit with. */
int	why_main(int argc, char **argv);

#endif

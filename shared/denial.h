/*
 * denial.h - what the policy refused, told to a person: each kind once, repeats counted.
 *
 * A tree that is refused something often tries again, and one that is hostile can do so a
 * hundred thousand times a second, each time with another destination.  So a denial is
 * one line on stderr when it is new, at most DENIAL_LINES of them, and a few lines with the
 * counts at the end of the run.
 *
 * cf-spawn learns that there were any (--fail-on-leak) from a counter (eventfd(2)) that
 * its helpers have inherited; it goes up before the denial takes effect.
 *
 * The texts go through log.h, so what the tree chose in them cannot drive a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DENIAL_H
#define CF_DENIAL_H

#include <stdbool.h>

#define DENIAL_LINES	64
#define DENIAL_TEXT	160	/* of what was refused, kept for the count at the end */

/* count_fd: the counter, -1 where nobody counts. */
void	denial_init(int count_fd);
/*
 * what: "tcp 203.0.113.1:80"; reason: "blocked by ..."; hint: what would allow it, or "".
 * Returns whether it was said, or only counted.
 */
bool	denial_tell(const char *what, const char *reason, const char *hint);
/* The same, but it does not count: nobody has tried what is refused. */
bool	denial_mention(const char *what, const char *reason, const char *hint);
/* It passes, by --permissive, but would be refused: counted as if it were. */
bool	denial_permit(const char *what, const char *reason, const char *hint);
/* At the end: which were repeated, and how many were not told at all. */
void	denial_end(void);

#endif

/*
 * limit.h - limits that a command tree runs into: their names, and how often one is told.
 *
 * A tree that has run into a limit does so with every packet.  The first time is told at once,
 * then at most once in LIMIT_EVERY_MS with how often it was meanwhile, and the rest at the end
 * of the run: few lines, and a total that is right.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LIMIT_H
#define CF_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "msg.h"

#define LIMIT_EVERY_MS	5000

const char	*limit_name(enum limit);	/* as events have it: "flows" */
const char	*limit_text(enum limit);	/* for people: "flows of the command tree" */
const char	*limit_then(enum limit);	/* and what becomes of those beyond it */

struct limit_count {			/* all zero to begin with */
	bool		told;		/* ever */
	uint64_t	at;		/* ms, when it was told last */
	uint64_t	untold;
};
/* `times` more.  Returns how often to tell now; 0: it was told not long ago. */
uint64_t	 limit_count(struct limit_count *, uint64_t now_ms, uint64_t times);
/* What has not been told, at the end. */
uint64_t	 limit_rest(struct limit_count *);

#endif

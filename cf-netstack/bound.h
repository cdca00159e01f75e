/*
 * bound.h - tell of a limit that the command tree has run into.
 *
 * This program holds no record, so cf-proxy's policy stage is told (LIMIT) and writes the
 * event.  Where another stands in its place the line goes to standard error, once for each limit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_BOUND_H
#define CF_BOUND_H

#include <stddef.h>

#include "limit.h"

struct stack;

struct bound {
	struct limit_count count;
	size_t		 most;		/* the limit, as it was when it was reached */
	bool		 said;		/* on standard error */
};

/* One more was turned away because there are `most`.  As often as it happens. */
void	bound_reached(struct stack *, enum limit, size_t most);
/* The run ends: what was not told yet is. */
void	bounds_end(struct stack *);

#endif

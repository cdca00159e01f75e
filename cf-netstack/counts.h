/*
 * counts.h - tell cf-proxy now and then what open flows have carried so far.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_COUNTS_H
#define CF_COUNTS_H

#include "stack.h"

#define COUNTS_A_TURN	256	/* flows that are told of each time; the others have the next */

/* Every so many ms, for each flow that has carried something since; 0: never. */
void	counts_start(struct stack *, uint64_t every_ms);

#endif

/*
 * totals.h - what a run's flows have carried, in memory that cf-proxy's policy stage and cf-spawn
 * share.
 *
 * The stage alone writes; who reads may see a flow in one number and not yet in another.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TOTALS_H
#define CF_TOTALS_H

#include <stdint.h>

struct totals {
	uint64_t	flows, open;	/* that were opened, and of those that still are */
	uint64_t	up, down;	/* payload bytes: of ended flows, and of open ones as far as told */
};

#endif

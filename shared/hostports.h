/*
 * hostports.h - which ports of the host's own loopback the tree may reach (--host-port).
 *
 * 127.0.0.1 inside is the tree's own, so the host's has other addresses there
 * (inside.h).  The policy stage takes these for what they stand for, and the dialler checks
 * the port once more; both have the list as an option.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_HOSTPORTS_H
#define CF_HOSTPORTS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

#define HOSTPORTS_MAX	64		/* ports and ranges */

struct hostports {
	size_t		 n;		/* 0: none is open */
	struct { uint16_t lo, hi; } at[HOSTPORTS_MAX];
};

/* "5432,8000-8099", added to what is there.  False: why (of len bytes) says what is wrong. */
bool	hostports_add(struct hostports *, const char *text, char *why, size_t len);
bool	hostports_have(const struct hostports *, uint16_t port);

/* Is it one of the addresses that stand for the host's loopback inside?  Which address that is. */
bool	hostports_is_inside(const struct addr *);
struct addr hostports_outside(const struct addr *inside);
/* Is it 127.0.0.1 or ::1? */
bool	hostports_is_loopback(const struct addr *);

#endif

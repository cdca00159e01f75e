/*
 * pending.h - datagrams that wait for the answer to OPEN.
 *
 * A sender without a connection does not wait, so a few datagrams are kept until the policy has
 * answered.  What is over a bound is dropped, as on any full queue.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PENDING_H
#define CF_PENDING_H

#include "dsock.h"

#define PENDING_ITEMS	64
#define PENDING_BYTES	((size_t)128 << 10)	/* of one flow */
#define PENDING_TOTAL	((size_t)8 << 20)	/* of all flows */

struct pending_item {
	struct pending_item *next;
	struct dattr	 attr;
	size_t		 len;
	size_t		 gso_size;
	uint8_t		 data[];
};

/* All zero is empty. */
struct pending {
	struct pending_item *first, *last;
	size_t		 n, bytes;
};

/* A copy of the datagram (or train, gso_size not 0) at the end; dropped where a bound says so. */
void			 pending_add(struct pending *, const struct dattr *, const uint8_t *data,
			    size_t len, size_t gso_size);
struct pending_item	*pending_take(struct pending *);	/* the first, or NULL; free() it */
/* Of a train only its first datagram. */
struct pending_item	*pending_take_one(struct pending *);
void			 pending_done(struct pending *);

#endif

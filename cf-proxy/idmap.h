/*
 * idmap.h - find a flow by its number.
 *
 * Numbers come from the other end of a channel, who may choose them as it likes; a keyed hash
 * (siphash.h) gives them their place, so a peer cannot aim at one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_IDMAP_H
#define CF_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idmap {
	struct idmap_slot	*slots;
	size_t			 cap, n;	/* cap: a power of two */
	uint64_t		 key[2];
};

bool	 idmap_init(struct idmap *);		/* false: out of memory */
void	 idmap_done(struct idmap *);		/* the values are the caller's */

/* id is never 0, value never NULL. */
void	*idmap_get(const struct idmap *, uint64_t id);		/* NULL: not there */
bool	 idmap_put(struct idmap *, uint64_t id, void *value);	/* id is new; false: no memory */
void	*idmap_take(struct idmap *, uint64_t id);		/* and forget it */
/* Take out any; start with *at = 0 and put none between; NULL when it is empty. */
void	*idmap_pop(struct idmap *, size_t *at);

#endif

/*
 * portmap.h - one host port for one UDP socket of the tree, whatever it talks to.
 *
 * Endpoint-independent mapping (RFC 4787 4.1, REQ-1): what STUN learns about a socket
 * from one server is then true for the next peer.  The table says which host port the
 * flows of an inside address and port have; it is a wish, not a promise: a full
 * table or a port that is taken costs a flow its old port, never the flow.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PORTMAP_H
#define CF_PORTMAP_H

#include "addr.h"

#define PORTMAP_MAX	16384		/* sources that have a mapping at once */

struct portmap;
struct mapping;

struct portmap	*portmap_new(void);		/* NULL: out of memory */
void		 portmap_free(struct portmap *);

/* Take one more reference of a source's mapping; NULL when it has none. */
struct mapping	*portmap_hold(struct portmap *, const struct addr *src);
/*
 * The port that the same inside port has in the other address family, or 0: one socket of the
 * tree may speak both, and should then be one to its peers.
 */
uint16_t	 portmap_hint(const struct portmap *, const struct addr *src);
/* Note that src, which has no mapping, now has this port; NULL when there is no room. */
struct mapping	*portmap_add(struct portmap *, const struct addr *src, uint16_t port);
/* Give a reference back; the last one ends the mapping.  NULL is fine. */
void		 portmap_drop(struct portmap *, struct mapping *);
uint16_t	 mapping_port(const struct mapping *);	/* 0 for NULL */

#endif

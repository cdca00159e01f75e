/*
 * cidr.h - networks to keys: a path-compressed binary trie, flat and without pointers.
 *
 * Nodes refer to each other by their place in one array, so the array can be written to a
 * file and used from there.  A look-up passes at most one node for each bit of an address,
 * however many networks there are.  Node 0 is not a node; 0 means "none".
 *
 * cidr_ok() is what must hold before cidr_find() may be used on an array from elsewhere:
 * each child is in the array and longer than its parent, so every walk ends.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CIDR_H
#define CF_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define CIDR_NO_KEY	UINT32_MAX
#define CIDR_DEPTH	129		/* one node for each length from 0 to 128 */

struct cidr_node {
	uint8_t		ip[16];		/* zero behind `bits` */
	uint32_t	child[2];	/* by the first bit behind `bits` */
	uint32_t	key;		/* CIDR_NO_KEY: only a fork */
	uint32_t	bits;
};

/* While it grows. */
struct cidr_tree {
	struct cidr_node *nodes;
	uint32_t	 n, room;
	uint32_t	 root[2];	/* IPv4, IPv6 */
};

void		 cidr_init(struct cidr_tree *);
void		 cidr_done(struct cidr_tree *);
/* The key of this network, to be set if it is CIDR_NO_KEY; NULL: out of memory. */
uint32_t	*cidr_add(struct cidr_tree *, const struct addr *net, unsigned bits);

bool		 cidr_ok(const struct cidr_node *, uint32_t n, uint32_t n_keys);
/* The keys of all networks that hold the address, the widest first; returns how many. */
size_t		 cidr_find(const struct cidr_node *, const uint32_t root[2], const struct addr *,
		    uint32_t keys[CIDR_DEPTH]);

/* Clear what is behind the first `bits` bits; true when there was something. */
bool		 cidr_mask(struct addr *, unsigned bits);

#endif

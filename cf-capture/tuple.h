/*
 * tuple.h - which flow a raw IP packet belongs to, and the same packet with another address.
 *
 * Pure.  Packets are what the tree sends, and are cut where they end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TUPLE_H
#define CF_TUPLE_H

#include "addr.h"

/* As the tree has it: src is its own address, whichever way the packet goes. */
struct tuple {
	uint8_t		proto;
	struct addr	src, dst;	/* ICMP echo: the port of src is the identifier */
};

/*
 * False: it is of no flow: a later fragment, another protocol, cut before its ports.  An ICMP error
 * is of the flow of the packet in it.
 */
bool	tuple_of(const uint8_t *packet, size_t len, bool outward, struct tuple *);
bool	tuple_equal(const struct tuple *, const struct tuple *);

/*
 * Put an address of its family in the place of the tree's, and where ports is true its port too;
 * checksums follow (RFC 1624).  False: it is no IP packet of that family.
 */
bool	tuple_rewrite(uint8_t *packet, size_t len, bool outward, const struct addr *to, bool ports);

#endif

/*
 * dgram.h - datagrams to the child: headers, checksum offload, trains, pieces.
 *
 * What UDP, ICMP echo and names have in common on their way down.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DGRAM_H
#define CF_DGRAM_H

#include <linux/if_tun.h>

#include "stack.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4	/* Linux 6.2; older headers lack them */
#define VIRTIO_NET_HDR_GSO_UDP_L4	5
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#define DGRAM_ROOM	(IP6_HEADER + UDP_HEADER)	/* that must be free before a payload */

/* A UDP datagram from src to dst (both with ports). */
struct dgram {
	const struct addr *src, *dst;
	uint8_t		*payload;	/* DGRAM_ROOM bytes before it are overwritten */
	size_t		 len;
	size_t		 gso_size;	/* not 0: a train of datagrams of this size, the last may be shorter */
	uint8_t		 tclass, hop_limit;	/* hop_limit 0: the usual */
};
void	dgram_udp(struct stack *, const struct dgram *);
/* The same from memory that must not change. */
void	dgram_udp_copy(struct stack *, const struct addr *src, const struct addr *dst,
	    const uint8_t *payload, size_t len);

/*
 * A whole ICMP message (its checksum is made here) at l4, IP6_HEADER bytes before it are
 * overwritten.  What is longer than the MTU leaves in pieces.
 */
void	dgram_icmp(struct stack *, const struct ip_head *, uint8_t *l4, size_t len);

/*
 * Whom an ICMP error is said to come from: `from`, or the gateway where that is not known
 * (NULL, another family) or would not be believed (loopback).
 */
const struct addr *dgram_error_from(const struct stack *, const struct addr *from, uint8_t family);

#endif

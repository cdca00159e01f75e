/*
 * inside.h - the addresses that the command tree sees as its own network.
 *
 * 192.0.0.0/29 is the IPv4 service continuity prefix (RFC 7335): real hosts do not use
 * it, so nothing real is shadowed.  2001:2::/48 is for benchmarks (RFC 5180); unlike
 * a unique local address (fc00::/7) it has the label of global addresses, so address
 * selection (RFC 6724 2.1) does not put IPv6 last.
 *
 * With --dns-mode synthetic every name has an address of its own, from 198.18.0.0/15, the IPv4
 * range for benchmarks (RFC 2544 C.2.2), and from another /64 of 2001:2::/48, for the same
 * reasons.  c612 is 198.18.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_INSIDE_H
#define CF_INSIDE_H

#define INSIDE_CHILD4		"192.0.0.2"
#define INSIDE_GATEWAY4		"192.0.0.1"
#define INSIDE_PREFIX4		"192.0.0.0"
#define INSIDE_PREFIX4_LEN	29
#define INSIDE_CHILD6		"2001:2:0:cf::2"
#define INSIDE_GATEWAY6		"2001:2:0:cf::1"
#define INSIDE_PREFIX6		"2001:2:0:cf::"
#define INSIDE_PREFIX6_LEN	64

/* The host's own loopback, where --host-port opens ports of it; else nobody. */
#define INSIDE_HOST4		"192.0.0.3"
#define INSIDE_HOST6		"2001:2:0:cf::3"

/* Nobody: refused by every policy, so nothing that the tree does meets it. */
#define INSIDE_NOBODY4		"192.0.0.6"
#define INSIDE_NOBODY6		"2001:2:0:cf::6"

#define INSIDE_SYNTHETIC4	"198.18.0.0"
#define INSIDE_SYNTHETIC4_LEN	15
#define INSIDE_SYNTHETIC6	"2001:2:0:c612::"
#define INSIDE_SYNTHETIC6_LEN	64

#define INSIDE_MTU		1500
#define INSIDE_DNS_PORT		53

#endif

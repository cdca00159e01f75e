/*
 * forms.h - every address that an address may stand for.
 *
 * An IPv6 address can carry an IPv4 address that a router, a translator or a tunnel
 * sends the packet to.  Which of them are at work on the host's network nobody
 * here knows, so all readings count, and they count one way only:
 *
 *	refused	where any form is covered by a rule that refuses;
 *	allowed	where the own form is covered by a rule that allows.
 *
 * The own form is the address itself, except that an IPv4-mapped address is the IPv4
 * address: the kernel sends the same packets for both.
 *
 *	::ffff:0:0/96		IPv4-mapped		RFC 4291 2.5.5.2
 *	::/96			IPv4-compatible		RFC 4291 2.5.5.1 (not :: and ::1)
 *	::ffff:0:0:0/96		IPv4-translated		RFC 2765 2.1
 *	64:ff9b::/96		NAT64			RFC 6052 2.1
 *	64:ff9b:1::/48		NAT64, local use	RFC 8215; prefixes of 48, 56, 64 and 96 bits
 *	2002::/16		6to4			RFC 3056 2
 *	2001::/32		Teredo			RFC 4380 4: the server, and the client (inverted)
 *	*:0:5efe:v4, *:200:5efe:v4	ISATAP		RFC 5214 6.1, in any prefix
 *
 * Not undone: NAT64 and 6rd prefixes that a provider chose; nothing in the address shows
 * them.  A rule on that prefix does.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FORMS_H
#define CF_FORMS_H

#include "addr.h"

#define FORMS_MAX	8

/*
 * All forms of an address, out[0] the own form; returns how many, at least one.  The
 * address as it is written is among them.  Ports go along.
 */
size_t	forms_of(const struct addr *, struct addr out[FORMS_MAX]);

#endif

/*
 * addr.h - an address and port of either family, as one plain value.
 *
 * What the protocol, the policy and the stack pass around.  It is never a cast of
 * packet memory or of a sockaddr; the two conversions below copy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_ADDR_H
#define CF_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	uint8_t		family;		/* 4, 6, or 0 for none */
	uint16_t	port;		/* host order */
	uint8_t		ip[16];		/* network order; the first 4 bytes for family 4 */
};

#define ADDR_STRLEN	64		/* "[v6]:65535" and the terminating zero */

/* Length of the address itself: 4, 16 or 0. */
size_t		addr_iplen(const struct addr *);
bool		addr_equal(const struct addr *, const struct addr *);	/* port included */
/* 127.0.0.0/8 or ::1 (RFC 1122 3.2.1.3, RFC 4291 2.5.3). */
bool		addr_is_loopback(const struct addr *);
/* The host part as text ("192.0.2.1", "2001:db8::1"); buf of ADDR_STRLEN. */
const char	*addr_ip_str(const struct addr *, char *buf);
/* With the port, as childflow writes it: "192.0.2.1:80", "[2001:db8::1]:80". */
const char	*addr_str(const struct addr *, char *buf);
/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]:53"; false when it is none of these. */
bool		addr_parse(const char *text, uint16_t default_port, struct addr *out);
/* To and from the kernel's form.  Returns the length; 0 when there is no address. */
socklen_t	addr_to_sockaddr(const struct addr *, struct sockaddr_storage *);
bool		addr_from_sockaddr(const struct sockaddr_storage *, struct addr *out);
/*
 * The address that packets to `a` really go to: IPv4-mapped (RFC 4291 2.5.5.2),
 * IPv4-compatible (2.5.5.1), NAT64 (RFC 6052 2.1), and 6to4 (RFC 3056 2) forms become
 * the IPv4 address inside; all others are returned as they are.
 */
struct addr	addr_canonical(const struct addr *a);

#endif

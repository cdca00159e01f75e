/*
 * hostroute.h - what the routing table of this process's network namespace says; nothing is sent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_HOSTROUTE_H
#define CF_HOSTROUTE_H

#include <stdbool.h>

/* Is there a route to the IPv6 internet? */
bool	hostroute_ipv6(void);

#endif

/*
 * alone.h - a helper without cf-spawn: what it takes from the host, and what it gives up, itself.
 *
 * For `cf-dns --listen` and `cf-proxy --listen`.  All functions end the process, with a message, where
 * they fail.  In this order: read, bind, alone_user_become(), alone_powers_drop(), fork,
 * sandbox_enter(), with which each leaves the network.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_ALONE_H
#define CF_ALONE_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/*
 * Standard input, output and error that are closed become /dev/null, or a descriptor that is made
 * later would be taken for one of them.
 */
void	alone_standard_fds(void);
/* The nameservers of resolv.conf(5), at most max and at least one. */
size_t	alone_resolvers(struct addr *out, size_t max);
/* Root becomes this user (NULL: nobody); for others a name is an error, and NULL does nothing. */
void	alone_user_become(const char *name);
/* No capability any more: a port below 1024 may have needed one, and no more is to be bound. */
void	alone_powers_drop(void);
/*
 * A signalfd(2) for what ends us: TERM, INT and HUP, but for those that our caller has us ignore
 * (nohup(1), jobs in the background of a script); and for CHLD, where there are children.
 */
int	alone_signals_take(bool children);

#endif

/*
 * childnet.h - the network of a command tree, made by a process inside its namespace.
 *
 * cf-spawn's child makes it for a run; cf-doctor makes one in a throw-away namespace to see
 * whether this host can.  Nothing here knows either of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CHILDNET_H
#define CF_CHILDNET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* tun.c: the TUN device as a descriptor, with the offloads granted; -1, errno and *what. */
int	tun_open(unsigned *offloads, const char **what);

/*
 * netlink.c: addresses, routes, everything up; -1, errno and *what.  *ipv6 is false where
 * this kernel would have none of it.
 */
int	netlink_configure(bool *ipv6, const char **what);
/* The same in a namespace that somebody else made: all of it, but for lo, ends with tun0. */
int	netlink_configure_lent(bool *ipv6, const char **what);
/* Best effort: what this netns needs changed in /proc/sys/net. */
void	netlink_sysctls(gid_t gid);

/* ---- the kernel path: kpath.c tells its story ---- */

enum kpath_family { KPATH_4, KPATH_6, KPATH_FAMILIES };

struct kpath {
	int		 listen_fd[KPATH_FAMILIES];	/* -1: own TCP for this family */
	char		 why[160];	/* the first step that failed and how; "" none did */
};

/*
 * Build it for each family and try it with one connection.  What cannot be built or does not
 * work is taken down again, and so is the rest of its family.
 */
void	kpath_open(struct kpath *, int tun_fd, bool ipv6);

/* Of one family: its addresses in the inside, as text. */
struct kpath_side {
	int		 family;	/* AF_INET, AF_INET6: the NFPROTO_ numbers are the same */
	const char	*name;
	const char	*child, *gateway, *nobody;
};

/* Each step adds or removes what it is named for; -1, errno and *what. */
int	nftables_add(const struct kpath_side *, const char **what);
void	nftables_remove(const struct kpath_side *);
int	routing_add(const struct kpath_side *, const char **what);
void	routing_remove(const struct kpath_side *);
/* One connection, held and let go, that leaves nothing behind. */
int	held_try(const struct kpath_side *, int tun_fd, int listen_fd, const char **what);

#define KPATH_PORT	1	/* of the listeners; below what the tree may bind */
#define KPATH_MARK	2	/* of a SYN on its way to the TUN */

#endif

/*
 * kpath.c - the kernel path: the tree's SYNs by the TUN, its data by its own kernel.
 *
 *	connect()                                                     cf-netstack
 *	   | SYN  routed to lo, marked, routed again ---> tun0 ======> takes it, connects
 *	   | (waits: nobody has answered)                              outside, then puts
 *	   |      tproxy <------------------------------- tun0 <====== the same bytes back
 *	   | SYN-ACK, data, FIN ...  lo ----> listener's accepted socket --splice--> outside
 *
 * The listener has an address of the inside that no connection of the tree reaches: a SYN to it
 * goes to the TUN like any other, and cf-netstack refuses it.  It is made here, with rights that
 * the tree will not have, and passed to cf-netstack before the TUN; the tree never holds it.
 *
 * What must stay true: a family works as a whole or leaves nothing behind; the tree cannot
 * change any of it, as it has no CAP_NET_ADMIN in this namespace.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "childnet.h"
#include "inside.h"

#define LISTEN_BACKLOG	4096	/* a burst that cf-netstack has let go at once */
#define RECEIVE_BUFFER	(512 * 1024)	/* bounds what a stalled connection holds */

static const struct kpath_side sides[KPATH_FAMILIES] = {
	[KPATH_4] = { AF_INET, "IPv4", INSIDE_CHILD4, INSIDE_GATEWAY4, INSIDE_NOBODY4 },
	[KPATH_6] = { AF_INET6, "IPv6", INSIDE_CHILD6, INSIDE_GATEWAY6, INSIDE_NOBODY6 },
};

static int
listener_bind(int fd, const struct kpath_side *side)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(KPATH_PORT) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(KPATH_PORT) };

	if (side->family == AF_INET) {
		inet_pton(AF_INET, side->gateway, &sin.sin_addr);
		return bind(fd, (struct sockaddr *)&sin, sizeof(sin));
	}
	inet_pton(AF_INET6, side->gateway, &sin6.sin6_addr);
	return bind(fd, (struct sockaddr *)&sin6, sizeof(sin6));
}

/* What accepted sockets inherit. */
static void
listener_tune(int fd)
{
	const int on = 1, size = RECEIVE_BUFFER;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* lo loses nothing: no pacing (bbr), and no early end of slow start (cubic). */
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

/* *fd is -1 or to be closed, whatever comes of it. */
static int
listener_open(int *fd, const struct kpath_side *side, const char **what)
{
	const int on = 1;
	bool v4 = side->family == AF_INET;

	*what = "make the listening socket";
	*fd = socket(side->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd == -1)
		return -1;
	*what = "make the listening socket transparent";
	if (setsockopt(*fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT,
	    &on, sizeof(on)) != 0)
		return -1;
	listener_tune(*fd);
	*what = "listen";
	return listener_bind(*fd, side) != 0 || listen(*fd, LISTEN_BACKLOG) != 0 ? -1 : 0;
}

/* In order of what is most likely missing, so that little is to be taken down. */
static int
side_open(int *fd, const struct kpath_side *side, int tun_fd, const char **what)
{
	return listener_open(fd, side, what) != 0 || nftables_add(side, what) != 0 ||
	    routing_add(side, what) != 0 || held_try(side, tun_fd, *fd, what) != 0 ? -1 : 0;
}

static void
side_close(int *fd, const struct kpath_side *side)
{
	routing_remove(side);
	nftables_remove(side);
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
kpath_open(struct kpath *k, int tun_fd, bool ipv6)
{
	const char *what;

	*k = (struct kpath){ .listen_fd = { -1, -1 } };
	for (int i = 0; i < KPATH_FAMILIES; i++) {
		if ((sides[i].family == AF_INET6 && !ipv6) ||
		    side_open(&k->listen_fd[i], &sides[i], tun_fd, &what) == 0)
			continue;
		if (k->why[0] == '\0')
			snprintf(k->why, sizeof(k->why), "%s: cannot %s: %s", sides[i].name, what,
			    strerror(errno));
		side_close(&k->listen_fd[i], &sides[i]);
	}
}

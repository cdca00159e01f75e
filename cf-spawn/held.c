/*
 * held.c - try the kernel path with one connection, before anything else uses it.
 *
 * We are all sides at once: the client that connects, cf-netstack that takes the SYN off the
 * TUN and puts the same bytes back, and the owner of the listener.  That shows that the rules
 * select, that the route brings the SYN here, that tproxy finds the listener and that the
 * addresses on both ends are the real ones; a kernel can accept all rules and lack one of
 * these.  The address is one that nobody has and every policy refuses.
 *
 * What must stay true: nothing of it is left.  Both ends close with RST, which leaves no
 * TIME-WAIT, and what the TUN holds is read off.  It runs before the command exists, so the
 * only packets are our own; each wait has a limit, though the kernel does all at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "childnet.h"

#define WAIT_MS		50
#define PACKETS_MAX	16	/* that are not the one we look for */
#define PORT		9	/* discard (RFC 863); any would do */
#define VNET_LEN	10	/* struct virtio_net_hdr */

struct held {
	int			 client, accepted;
	struct sockaddr_storage	 dst;
	socklen_t		 dstlen;
	uint8_t			 packet[2048];
	ssize_t			 len;
};

static socklen_t
sockaddr_make(struct sockaddr_storage *ss, int family, const char *text, uint16_t port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		sin->sin_port = htons(port);
		inet_pton(family, text, &sin->sin_addr);
		return sizeof(*sin);
	}
	sin6->sin6_port = htons(port);
	inet_pton(family, text, &sin6->sin6_addr);
	return sizeof(*sin6);
}

static bool
wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, WAIT_MS) == 1)
		return true;
	errno = ETIMEDOUT;
	return false;
}

/* Our SYN to the address, without the bit that sends it to own TCP (nftables.c). */
static bool
is_our_syn(const struct kpath_side *side, const uint8_t *p, size_t len)
{
	bool v4 = side->family == AF_INET;
	size_t iplen = v4 ? 20 : 40, dst_at = v4 ? 16 : 24, proto_at = v4 ? 9 : 6;
	uint8_t dst[16];

	inet_pton(side->family, side->nobody, dst);
	return len >= iplen + 20 && p[0] >> 4 == (v4 ? 4 : 6) && p[proto_at] == IPPROTO_TCP &&
	    memcmp(p + dst_at, dst, v4 ? 4 : 16) == 0 && (p[iplen + 12] & 0x08) == 0 &&
	    (p[iplen + 13] & 0x16) == 0x02;
}

static bool
syn_take(struct held *h, const struct kpath_side *side, int tun_fd)
{
	for (int i = 0; i < PACKETS_MAX && wait_readable(tun_fd); i++) {
		h->len = read(tun_fd, h->packet, sizeof(h->packet));
		if (h->len > VNET_LEN &&
		    is_our_syn(side, h->packet + VNET_LEN, (size_t)h->len - VNET_LEN))
			return true;
	}
	return false;
}

/* Both ends have each other's addresses, and the client's is connected. */
static bool
addresses_match(const struct held *h)
{
	struct sockaddr_storage client = { 0 }, local = { 0 }, peer = { 0 }, remote = { 0 };
	socklen_t len = h->dstlen, len2 = h->dstlen, len3 = h->dstlen, len4 = h->dstlen;

	return getsockname(h->client, (struct sockaddr *)&client, &len) == 0 &&
	    getpeername(h->client, (struct sockaddr *)&remote, &len2) == 0 &&
	    getsockname(h->accepted, (struct sockaddr *)&local, &len3) == 0 &&
	    getpeername(h->accepted, (struct sockaddr *)&peer, &len4) == 0 &&
	    memcmp(&local, &h->dst, h->dstlen) == 0 && memcmp(&remote, &h->dst, h->dstlen) == 0 &&
	    memcmp(&peer, &client, h->dstlen) == 0;
}

static int
hold(struct held *h, const struct kpath_side *side, int tun_fd, int listen_fd, const char **what)
{
	*what = "start a connection";
	h->client = socket(side->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	h->dstlen = sockaddr_make(&h->dst, side->family, side->nobody, PORT);
	if (h->client == -1 || connect(h->client, (struct sockaddr *)&h->dst, h->dstlen) == 0 ||
	    errno != EINPROGRESS)
		return -1;
	*what = "find the SYN on the TUN";
	if (!syn_take(h, side, tun_fd))
		return -1;
	*what = "put the SYN back into the TUN";
	if (write(tun_fd, h->packet, (size_t)h->len) != h->len)
		return -1;
	*what = "accept the connection";
	if (!wait_readable(listen_fd) ||
	    (h->accepted = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) == -1)
		return -1;
	*what = "see the addresses of the connection";
	errno = EADDRNOTAVAIL;
	return addresses_match(h) ? 0 : -1;
}

static void
reset(int fd)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	if (fd == -1)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

int
held_try(const struct kpath_side *side, int tun_fd, int listen_fd, const char **what)
{
	struct held h = { .client = -1, .accepted = -1 };
	int rc = hold(&h, side, tun_fd, listen_fd, what), saved = errno;

	reset(h.client);
	reset(h.accepted);
	for (int i = 0; i < PACKETS_MAX && read(tun_fd, h.packet, sizeof(h.packet)) > 0; i++)
		;
	errno = saved;
	return rc;
}

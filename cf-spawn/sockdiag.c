/*
 * sockdiag.c - see sockdiag.h.
 *
 * The kernel is on the other side (sock_diag(7)).  Asked for one socket by its two ends it looks
 * it up as it would for a packet, so the cost does not grow with their number.  What it gives may
 * be another one than was meant (a listener, a socket on the wildcard address), so the answer is
 * held against the question.
 *
 * Echo sockets cannot be asked about: the kernel has no diag for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

struct request {
	struct nlmsghdr		 head;
	struct inet_diag_req_v2	 diag;
};

int
sockdiag_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* The kernel's idea of which end is which is the other way round for UDP, for historical reasons. */
static void
ends_put(struct inet_diag_sockid *id, const struct addr *a, const struct addr *b)
{
	id->idiag_sport = htons(a->port);
	id->idiag_dport = htons(b->port);
	memcpy(id->idiag_src, a->ip, addr_iplen(a));
	memcpy(id->idiag_dst, b->ip, addr_iplen(b));
}

static bool
is_it(const struct inet_diag_msg *m, const struct msg_who *who)
{
	if (m->id.idiag_sport != htons(who->src.port))
		return false;
	return who->proto == IPPROTO_UDP || (m->id.idiag_dport == htons(who->dst.port) &&
	    m->idiag_state != TCP_LISTEN);
}

static unsigned long
answer_read(const uint8_t *buf, size_t len, const struct msg_who *who, uint32_t seq)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)buf;
	const struct inet_diag_msg *m = NLMSG_DATA(head);

	if (len < NLMSG_LENGTH(sizeof(*m)) || head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) ||
	    head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_seq != seq)
		return 0;
	return is_it(m, who) ? m->idiag_inode : 0;
}

unsigned long
sockdiag_inode(int fd, const struct msg_who *who, unsigned ifindex)
{
	static uint32_t seq;
	union {
		struct nlmsghdr	align;
		uint8_t		bytes[4096];
	} buf;
	struct request q = {
		.head = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = ++seq },
		.diag = { .sdiag_family = who->dst.family == 4 ? AF_INET : AF_INET6,
		    .sdiag_protocol = who->proto, .idiag_states = ~0u,
		    .id = { .idiag_if = ifindex,
			.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } },
	};
	ssize_t n;

	if (who->proto == IPPROTO_TCP)
		ends_put(&q.diag.id, &who->src, &who->dst);
	else if (who->proto == IPPROTO_UDP)
		ends_put(&q.diag.id, &who->dst, &who->src);
	else
		return 0;
	if (send(fd, &q, sizeof(q), 0) != (ssize_t)sizeof(q))
		return 0;
	do {
		n = recv(fd, buf.bytes, sizeof(buf.bytes), 0);
	} while (n == -1 && errno == EINTR);
	return n > 0 ? answer_read(buf.bytes, (size_t)n, who, seq) : 0;
}

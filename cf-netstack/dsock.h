/*
 * dsock.h - the host's datagram socket of a flow: what goes beside the payload.
 *
 * The socket came from cf-proxy, connected, with IP_RECVERR on.  Hop limit, traffic class and
 * don't-fragment of the child's packets are carried over by setsockopt, only when they
 * change (sendmsg with control data is not allowed in the sandbox: it could name an
 * address); those of replies and routers' errors come as control data of recvmsg.  A flow
 * whose host end is DATA frames has none of this, and these functions then do nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DSOCK_H
#define CF_DSOCK_H

#include "stack.h"

/* What a packet of the child asks of the path. */
struct dattr {
	uint8_t		 hop_limit, tclass;
	bool		 df;
};
static inline struct dattr
dattr_of(const struct pkt *p)
{
	return (struct dattr){ .hop_limit = p->hop_limit, .tclass = p->tclass, .df = p->df };
}
static inline bool
dattr_equal(const struct dattr *a, const struct dattr *b)
{
	return a->hop_limit == b->hop_limit && a->tclass == b->tclass && a->df == b->df;
}

/* What was set on the socket; all zero for a new one. */
struct dsock {
	struct dattr	 attr;
	bool		 known;		/* attr is what the socket has */
	uint16_t	 segment;	/* UDP_SEGMENT; 0: off */
};

/* Ask for the control data that dsock_recv gives; bulk: and for trains (UDP).  Once, after OPENED. */
void	 dsock_watch(struct flow *, bool bulk);
void	 dsock_attr(struct flow *, struct dsock *, const struct dattr *);
bool	 dsock_segment(struct flow *, struct dsock *, uint16_t size);
uint32_t dsock_mtu(const struct flow *);	/* of the path, as the kernel knows it; 0: unknown */

struct rx_info {
	size_t		 gso_size;	/* a train of datagrams of this size; 0: one datagram */
	uint8_t		 hop_limit;	/* 0: not known */
	uint8_t		 tclass;
	uint16_t	 from_port;	/* of the sender; only from dsock_recv */
};
/* As host_recv. */
ssize_t	 dsock_recv(struct flow *, void *data, size_t len, struct rx_info *, int *err);

/*
 * Many datagrams in one call, each expected to be `size` bytes: they come to lie one behind
 * the other at base, and what is beyond that size is at `rest` (valid until the next call).
 * Returns how many, or HOST_AGAIN, HOST_ERROR.  Only for a flow with a descriptor.
 */
#define DSOCK_BATCH	32
struct dsock_msg {
	size_t		 len;
	const uint8_t	*rest;
	struct rx_info	 rx;
};
int	 dsock_recv_batch(struct flow *, uint8_t *base, size_t size, unsigned n,
	    struct dsock_msg *out, int *err);

/* An ICMP error about something that the socket has sent. */
struct dsock_error {
	struct icmp_error error;	/* of the flow's family */
	struct addr	 from;		/* family 0 when not known */
	const uint8_t	*data;		/* what was sent, from behind UDP header or from the ICMP header on */
	size_t		 len;		/* as much of it as was quoted */
};
typedef void	(*dsock_error_fn)(struct flow *, const struct dsock_error *);

/* Empty the error queue, at most a batch of it; how many there were.  Local errors are
   only counted: send has reported them. */
unsigned dsock_errors(struct flow *, dsock_error_fn);

/* What REFUSED means in ICMP; false: the child hears nothing. */
bool	 refused_error(const struct msg_refused *, uint8_t family, struct icmp_error *out);

#endif

/*
 * batch.h - several netlink requests in one datagram, each acknowledged.
 *
 * Which one failed is known by its sequence number; the caller gives each a few words for
 * the message.  The kernel handles a datagram before send(2) returns, so the answers are
 * there already and nothing here waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_BATCH_H
#define CF_BATCH_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_SIZE	4096
#define BATCH_REQUESTS	24

struct batch {
	char		 buf[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t		 len;
	unsigned	 n;			/* requests; their sequence numbers are 1..n */
	const char	*what[BATCH_REQUESTS];	/* of each, for the message */
	uint32_t	 acked, optional;	/* bit i: of request i+1 */
	uint32_t	 refused;		/* optional ones that failed */
};

/*
 * Begin a request; flags as the netlink header has them.  With NLM_F_ACK it must succeed,
 * unless it is optional: then its bit in refused says that it did not.
 */
struct nlmsghdr	*batch_request(struct batch *, const char *what, bool optional, uint16_t type,
		    uint16_t flags);
void		 batch_request_end(struct batch *, const struct nlmsghdr *);
/* Send all over a socket of this protocol and take the answers.  -1, errno and *what. */
int		 batch_run(struct batch *, int protocol, const char **what);

#endif

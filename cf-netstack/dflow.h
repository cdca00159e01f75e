/*
 * dflow.h - what flows of datagrams have in common: UDP and ICMP echo.
 *
 * A sender without a connection says neither hello nor goodbye.  A flow begins with the first
 * datagram, waits for the answer to its OPEN with a few of them, and ends when nothing has
 * come for a time, or when too many others have begun since.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DFLOW_H
#define CF_DFLOW_H

#include "dsock.h"
#include "pending.h"

#define DFLOWS_OPENING	1024	/* asked for and not answered: an eighth of what all kinds may have */

/* Begins the struct of such a kind. */
struct dflow {
	struct flow	 f;
	TAILQ_ENTRY(dflow) in_age;	/* the list of its state, oldest first */
	struct pending	 pending;	/* before OPENED */
	struct dsock	 sock;
	uint64_t	 last;		/* when something went either way */
	uint64_t	 idle_ms;	/* it ends after so long without */
	size_t		 last_len;	/* of the newest datagram up, without its UDP header */
	bool		 opening;	/* counted as such */
	bool		 replied;	/* the peer has answered, ever */
};
TAILQ_HEAD(dflow_list, dflow);

static inline struct dflow *
dflow_of(struct flow *f)
{
	return (struct dflow *)f;
}

/*
 * A new flow to dst (its family and address those of p), asked for.  Where there are too many
 * datagram flows the one that was silent for longest makes room, such without any reply first,
 * so that TCP and conversations stand while a port scan goes by.  NULL: no room, drop the packet.
 */
struct dflow	*dflow_start(struct stack *, const struct flow_kind *, const struct pkt *,
		    const struct addr *dst, uint64_t idle_ms);
void		 dflow_answered(struct dflow *);	/* OPENED or REFUSED has come */
void		 dflow_sent(struct dflow *);		/* a datagram went up */
/*
 * Give it to the socket; errors of earlier datagrams, that a send reports instead of
 * sending, go to fn.  Returns 0 (sent, or lost as on any wire) or the errno of this one.
 */
int		 dflow_send(struct dflow *, const uint8_t *data, size_t len, dsock_error_fn fn);
void		 dflow_replied(struct dflow *, uint64_t idle_ms);	/* one went down */
void		 dflow_idle(struct dflow *, uint64_t idle_ms);	/* another limit from now on */
void		 dflow_done(struct dflow *);		/* for kind->done */

#endif

/*
 * ktcp.h - the child end of a TCP flow whose protocol the child's own kernel speaks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_KTCP_H
#define CF_KTCP_H

#include "stack.h"

bool	ktcp_all_init(struct stack *);
void	ktcp_all_done(struct stack *);
/* Before the seal: what the seal forbids later. */
void	ktcp_open(struct stack *);
/* From cf-spawn: the handshakes of a family are completed here.  Takes fd over; false: it cannot be. */
bool	ktcp_listen(struct stack *, const struct msg_listen *, int fd);

/* A TCP packet of the child.  false: it is own TCP's. */
bool	ktcp_input(struct stack *, const struct pkt *, const struct virtio_net_hdr *);

/*
 * An event of the loop; data is what was given to epoll.  false: it is of another's.
 * The lowest bit of a flow's address says that its child end is meant, not its host end.
 */
bool	ktcp_event(struct stack *, void *data, uint32_t events);

extern const struct sandbox_row ktcp_rows[];

#endif

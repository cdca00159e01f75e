/*
 * flow.h - what stack.c and chans.c ask of flow.c beyond stack.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FLOW_H
#define CF_FLOW_H

#include "stack.h"

/* Where a tuple goes, for who knows the key. */
uint64_t flow_hash(const uint64_t key[2], uint8_t proto, const struct addr *src,
	    const struct addr *dst);
bool	flow_table_init(struct flow_table *);
void	flow_table_done(struct flow_table *);

/* Free what ended in this turn. */
void	flows_bury(struct stack *);
/* End every flow: kind->aborted, then CLOSE. */
void	flows_end_all(struct stack *, enum close_reason);

/* End those that have nothing left to deliver.  true: none is left. */
bool	flows_drain(struct stack *, bool empty);
/* A number that changes while something is delivered. */
uint64_t flows_progress(const struct stack *);

/* From cf-proxy.  fd (or -1) is taken over.  Unknown numbers are ignored: they crossed a CLOSE. */
void	flow_on_opened(struct stack *, uint64_t id, int fd);
/* The same where it owes its first flight. */
void	flow_on_opened_first(struct stack *, uint64_t id);
void	flow_on_refused(struct stack *, uint64_t id, const struct msg_refused *);
void	flow_on_lost(struct flow *);
/* An open flow by its number, or NULL. */
struct flow	*flow_by_id(struct stack *, uint64_t id);

#endif

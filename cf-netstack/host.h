/*
 * host.h - what flow.c, chans.c and tun_io.c ask of host.c beyond stack.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_HOST_H
#define CF_HOST_H

#include "stack.h"

/* The answer was OPENED.  fd -1: DATA frames.  Takes fd over; false: it cannot be used. */
bool	host_attach(struct flow *, int fd);
/* It owes its first flight (first.c). */
bool	host_attach_first(struct flow *);
bool	host_attach_local(struct flow *, const struct local_service *);
/* Drop the host end; reset: the peer is to see a RST, not a FIN. */
void	host_close(struct flow *, bool reset);

/* A host end without a descriptor has failed: all further calls say so. */
void	host_fail(struct flow *, int err);

/* Events of epoll(7) on the descriptor. */
void	host_event(struct flow *, uint32_t events);
/* Its place in the run list has come. */
void	host_run(struct flow *);
/* The channel to cf-proxy has room again: those that waited for it go on. */
void	hosts_chan_drained(struct stack *);
/* Frames from cf-proxy; what is no longer known or does not fit is judged here. */
void	host_on_data(struct stack *, uint64_t id, const uint8_t *data, size_t len);
void	host_on_window(struct stack *, uint64_t id, uint32_t bytes);
void	host_on_eof(struct stack *, uint64_t id);
void	host_on_reset(struct stack *, uint64_t id, uint32_t err);

/* ---- first.c: a host end that owes its first flight ---- */

/* As host_send: up in a FIRST, one at a time. */
ssize_t	first_send(struct flow *, const void *data, size_t len, int *err);
void	first_shutdown(struct flow *);
/* Does what the tree has said wait for its answer? */
bool	first_waits(const struct flow *);
/* From cf-proxy; fd (or -1) is taken over. */
void	first_on_go(struct stack *, uint64_t id, uint32_t flags, int fd);

/* With more than this queued on the channel, flows wait with their DATA. */
#define HOST_BACKLOG_MAX	(4 << 20)

#endif

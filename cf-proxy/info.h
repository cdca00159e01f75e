/*
 * info.h - what cf-capture is told: flows, names, and sockets of the host.
 *
 * Each stage has at most one such channel, and each function does nothing where there is none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_INFO_H
#define CF_PROXY_INFO_H

#include <uv.h>

#include "proxy.h"

/* Takes fd over; -1: nobody is told.  Ends the process where it cannot be used.  Before the seal. */
void	info_open(uv_loop_t *, int fd, enum role me);
void	info_hello(void);
/* It has sent something, and the loop was stopped. */
bool	info_failed(void);
/* Call it when cf-capture is ready, or now where there is none. */
void	info_when_ready(void (*)(void *), void *arg);

/* ---- the policy stage ---- */

bool	info_wanted(void);		/* is there anybody to tell? */
/*
 * A flow, with the addresses that the tree has for it, may leave by this rule (NULL: by none), through
 * that upstream proxy (NULL: directly); or it is refused.
 */
void	info_allowed(const struct msg_open *, const struct record_names *, const char *rule,
	    const char *upstream);
void	info_refused(const struct msg_open *, const struct record_names *, const struct rules_words *why);
/* It has this address on the host; NULL: it has come to nothing. */
void	info_result(uint64_t flow, const struct msg_open *, const struct addr *local);
/* A NAME of cf-dns, as it came. */
void	info_name(const struct frame *);

/* ---- the dialler ---- */

/* A socket on its way to o->dst, and its end. */
void	info_socket(uint64_t flow, bool of_dns, const struct msg_open *, int fd);
void	info_socket_ended(uint64_t flow, bool of_dns);

#endif

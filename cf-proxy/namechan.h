/*
 * namechan.h - the channel to cf-dns: what it says of names, and what it is asked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_NAMECHAN_H
#define CF_PROXY_NAMECHAN_H

#include <uv.h>

#include "names.h"

struct namechan;

/* What cf-dns resolved: addresses without port, none where there is none. */
typedef void	(*namechan_resolved)(void *arg, uint64_t question, const struct addr *, size_t n);
/* It sent garbage; it is not used any more. */
typedef void	(*namechan_failed)(void *arg);

/* The one of this process.  Fills `names`.  Ends the process where it cannot.  Before the seal. */
struct namechan	*namechan_open(uv_loop_t *, int fd, struct names *, void *arg, namechan_resolved,
		    namechan_failed);
/* After the seal: cf-dns waits for it. */
void		 namechan_hello(struct namechan *);
/* All that cf-dns has written by now is in the table. */
void		 namechan_drain(struct namechan *);
/* Ask; the number is not used twice.  False: nobody is there to answer. */
bool		 namechan_resolve(struct namechan *, uint64_t question, uint8_t family,
		    const char *name);

#endif

/*
 * tls.h - TLS to a proxy, with bytes on all sides: it neither reads nor writes a socket.
 *
 *	wire --feed--> [ ] --read--> plain
 *	wire <--out--- [ ] <--write-- plain
 *
 * So one session can run inside another (https behind https).  cf-upstream-tls has it from OpenSSL;
 * cf-upstream is made without (notls.c), and is not started where a proxy needs it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_TLS_H
#define CF_UPSTREAM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hops.h"
#include "sandbox.h"

#define TLS_WHY_LEN	160

struct tls;

extern const struct sandbox_row	tls_rows[];
extern const char		tls_program[];	/* that which has this tls.h */

/* Before the seal: what the sessions trust.  Ends the process where it cannot be read. */
void		 tls_open(const struct hops *);
struct tls	*tls_new(const struct hop *);	/* NULL: out of memory */
void		 tls_free(struct tls *);	/* NULL is fine */

bool		 tls_feed(struct tls *, const void *, size_t);	/* false: out of memory */
size_t		 tls_out(struct tls *, void *, size_t);		/* 0: there is nothing */

/* Go on with the handshake.  1: done, 0: more has to come, -1: it failed, and why. */
int		 tls_handshake(struct tls *, char why[TLS_WHY_LEN]);
/* Plain bytes; 0: the other side has ended the session, -1: more has to come, -2: it is broken. */
long		 tls_read(struct tls *, void *, size_t);
bool		 tls_write(struct tls *, const void *, size_t);	/* all of it; false: it is broken */
void		 tls_end(struct tls *);		/* no more from us (close_notify) */

#endif

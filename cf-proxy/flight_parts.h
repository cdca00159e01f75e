/*
 * flight_parts.h - what the readers of first flights have in common (flight.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FLIGHT_PARTS_H
#define CF_FLIGHT_PARTS_H

#include "flight.h"

enum flight_likeness { LIKE_NO, LIKE_PERHAPS, LIKE_YES };

/* Do the bytes (one at least) begin like this kind? */
enum flight_likeness	tlshello_like(const uint8_t *, size_t);
enum flight_likeness	httphost_like(const uint8_t *, size_t);
enum flight_likeness	h2c_like(const uint8_t *, size_t);

/* They do: the first flight. */
enum flight_state	tlshello_read(const uint8_t *, size_t, struct flight *);
enum flight_state	httphost_read(const uint8_t *, size_t, struct flight *);
enum flight_state	h2c_read(const uint8_t *, size_t, struct flight *);

/* A ClientHello without what carries it: the bytes of the handshake so far (RFC 8446 4). */
enum flight_state	tlshello_message(const uint8_t *, size_t, struct flight *);

/* An authority or Host; an address is FLIGHT_NAMELESS. */
enum flight_state	flight_add_host(struct flight *, const char *, size_t);
/* A TLS server name; what is no name at all is FLIGHT_NAMELESS too. */
enum flight_state	flight_add_sni(struct flight *, const uint8_t *, size_t);

#endif

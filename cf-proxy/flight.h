/*
 * flight.h - what a client says first on a new flow, and which name it says it wants.
 *
 * On the other side is the command tree, which writes these bytes as it likes: every
 * length in them is a claim.  What must stay true:
 *   - a name is told only when no server could take the same bytes for another one: two
 *     server names, two Host fields, a folded line, a lone CR are FLIGHT_BAD, not a choice;
 *   - a longer prefix of the same flow never takes back what a shorter one said (only
 *     FLIGHT_MORE gives way), so it does not matter how the bytes were cut into segments;
 *   - FLIGHT_OTHER is what neither a TLS nor an HTTP server would answer as such: what is
 *     nearly TLS or nearly HTTP is that kind, and FLIGHT_BAD.
 *
 * The heads of HTTP/1 are read by httphost.c itself.  The library at hand (http-parser) takes
 * bare LF, folded lines and a second Host, as a server should that wants to be
 * liberal; here each of these is a way to show two names.  HPACK is inflated by nghttp2,
 * the keys of QUIC Initials are nettle's.
 *
 * Deliberately not done: what follows the first flight (a second request, a second hello
 * after a HelloRetryRequest, what is said inside TLS), see cf-policy(7).
 *
 * Pure: no descriptor, no clock, no log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FLIGHT_H
#define CF_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

enum flight_kind { FLIGHT_OTHER, FLIGHT_TLS, FLIGHT_HTTP, FLIGHT_H2, FLIGHT_QUIC };

enum flight_state {
	FLIGHT_MORE,		/* not decided: more bytes are needed */
	FLIGHT_NAMED,		/* all that it names are names, and there is one at least */
	FLIGHT_NAMELESS,	/* it names nothing, or an address; FLIGHT_OTHER is always this */
	FLIGHT_BAD		/* broken, ambiguous, or longer than FLIGHT_MAX */
};

#define FLIGHT_NAMES	2	/* HTTP may name two: the target's authority and Host */
#define FLIGHT_MAX	16384	/* a first flight longer than this without a name is FLIGHT_BAD */

/*
 * Whatever the state, name[] has the names that were read so far: a name that is denied is
 * denied also in a flight that is otherwise nameless or bad.
 */
struct flight {
	enum flight_kind kind;
	size_t		 n_names;
	char		 name[FLIGHT_NAMES][MSG_NAME_MAX + 1];	/* in the normal form of name.h */
	bool		 ech;		/* TLS: the name is the outer one (or ECH is greased) */
};

/* All bytes of a stream so far; end: there will be no more. */
enum flight_state	flight_stream(const uint8_t *bytes, size_t n, bool end, struct flight *out);

/* A QUIC client's first datagrams, in the order in which they were sent. */
struct flight_quic;

struct flight_quic	*flight_quic_new(void);
void			 flight_quic_free(struct flight_quic *);
enum flight_state	 flight_quic_datagram(struct flight_quic *, const uint8_t *, size_t,
			    struct flight *out);

/* Could a QUIC server take this datagram for the first one of a connection? */
bool			 flight_is_quic(const uint8_t *, size_t);

#endif

/*
 * zone.h - where a zone transfer ends (RFC 5936 2.2, RFC 1995 4).
 *
 * A transfer is one answer in any number of messages; nothing says how many but the SOA record of
 * the zone, which stands at its beginning and again at its end.  Others in between there are
 * only in a transfer of differences, where they stand for versions of the zone.
 *
 * Pure.  The messages come from a name server and may be anything.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_ZONE_H
#define CF_DNS_ZONE_H

#include "wire.h"

struct zone {
	uint8_t		 apex[WIRE_NAME_MAX];	/* lower case */
	size_t		 apex_len;
	bool		 may_differ;	/* IXFR */
	bool		 has_old;	/* of the asker: */
	uint32_t	 old_serial;
	uint32_t	 serial;	/* of the SOA at the beginning */
	unsigned	 records;	/* that have been seen; more than two count as two */
	bool		 differs;	/* it is one of differences, and */
	bool		 adding;	/* records that come are new ones */
};

enum zone_is { ZONE_MORE, ZONE_LAST, ZONE_BAD };

/* The query asks for one. */
bool		 zone_asked(const struct wire_query *);
/* msg is that query. */
void		 zone_init(struct zone *, const uint8_t *msg, size_t len, const struct wire_query *);
/*
 * The next message of the answer, which starts with the first.  ZONE_LAST: no more come, as it is
 * the end, an error, or no transfer at all.  ZONE_BAD: it cannot be read to its end.
 */
enum zone_is	 zone_next(struct zone *, const uint8_t *msg, size_t len);

/*
 * Is it a message of the answer to that query?  Those behind the first need not repeat the
 * question (RFC 5936 2.2.1).
 */
bool		 zone_answers(const uint8_t *answer, size_t len, const uint8_t *msg,
		    const struct wire_query *);

#endif

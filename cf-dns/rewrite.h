/*
 * rewrite.h - a DNS message again, with records changed or left out.
 *
 * Names in messages are compressed: a record may continue in any record before it, so none
 * can be cut out of the middle.  Here each record is read with its names in full, shown to the
 * caller, and written to a new message, where names are compressed anew.
 *
 * Pure.  The bytes come from a resolver and may be anything.  Data of types that may not be
 * compressed (RFC 3597 4) and of types that nobody knows is taken over as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_REWRITE_H
#define CF_DNS_REWRITE_H

#include "wire.h"

#define REWRITE_DATA_MAX	65535

enum { SECTION_ANSWER = 1, SECTION_AUTHORITY = 2, SECTION_ADDITIONAL = 3 };

struct rewrite_record {
	unsigned	 section;
	uint8_t		 name[WIRE_NAME_MAX];	/* labels in full */
	size_t		 name_len;
	uint16_t	 type, class;
	uint32_t	 ttl;
	uint8_t		*data;		/* names in full; see rewrite_fn */
	size_t		 len;
};

/*
 * False: the record is left out.  Data of types without names in it may be changed, up to
 * REWRITE_DATA_MAX; nothing else.
 */
typedef bool	rewrite_fn(void *arg, struct rewrite_record *);

/* The length of what was written to out; 0: it cannot be read to its end, or does not fit. */
size_t	rewrite(uint8_t *out, size_t room, const uint8_t *msg, size_t len, rewrite_fn *fn,
	    void *arg);

#endif

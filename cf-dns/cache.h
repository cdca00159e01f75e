/*
 * cache.h - answers that were given lately, to be given again (--dns-cache).
 *
 * What is kept is a whole message under the whole question, so nothing that an answer says
 * of other names is ever believed of them.  The question is name (in lower case), type and
 * class, whom the tree asked, and what of the query changes the answer: the bits RD, AD, CD
 * and DO, and whether it has an EDNS record.  The tree chooses the names, so the
 * hash is keyed; and it can fill the cache, so both its entries and its bytes are bounded, the
 * one that nobody asked for the longest going first.
 *
 * Kept are NOERROR and NXDOMAIN, whole, for as long as the shortest of their TTLs; those that
 * say "there is none" as RFC 2308 5 has it: with an SOA, and for no longer than that says.
 *
 * Pure: bytes and milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_CACHE_H
#define CF_DNS_CACHE_H

#include "wire.h"

#define CACHE_ENTRIES_MAX	65536	/* that anybody may ask for */
#define CACHE_ENTRY_MAX		8192	/* bytes of an answer; a longer one is not kept */
#define CACHE_ENTRY_MEAN	1024	/* so many an entry, and all together are at their bound */
#define CACHE_KEY_MAX		(WIRE_NAME_MAX + 4 + 1 + 19)
#define CACHE_LIFE_MAX		86400u	/* s; a TTL of a year is a mistake (RFC 8767 4) */
#define CACHE_NONE_MAX		10800u	/* s; "there is none" (RFC 2308 5) */

struct cache;
struct cache_key {
	size_t		len;
	uint8_t		bytes[CACHE_KEY_MAX];
};

/* NULL when there is no memory, or no random key. */
struct cache	*cache_new(size_t entries);
void		 cache_free(struct cache *);
void		 cache_clear(struct cache *);
size_t		 cache_count(const struct cache *);
/* Of all answers that are kept, with what keeping them costs. */
size_t		 cache_bytes(const struct cache *);

/* server: whom the tree asked, or NULL: the resolvers.  False: not a query for a cache. */
bool		 cache_key(struct cache_key *, const uint8_t *msg, size_t len,
		    const struct wire_query *, const struct addr *server);
/* How many seconds an answer to this query may be kept; 0: not at all. */
uint32_t	 cache_life(const uint8_t *answer, size_t len, const struct wire_query *);
/* Keep it, if it may be; by: who gave it. */
void		 cache_put(struct cache *, const struct cache_key *, const struct wire_query *,
		    const uint8_t *answer, size_t len, const struct addr *by, uint64_t now);
/*
 * The answer to msg as it is today, from malloc: TTLs counted down, the question as it was
 * asked now.  NULL: there is none.
 */
uint8_t		*cache_get(struct cache *, const struct cache_key *, const uint8_t *msg,
		    const struct wire_query *, uint64_t now, size_t *out_len, struct addr *by);

#endif

/*
 * frag.h - pieces of packets: put together what the tree cut, cut what is too long for it.
 *
 * Pure but for memory and the time, which the caller says.  The pieces are the tree's: any
 * order, overlapping, never complete.  What is held is bounded in number, bytes and time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FRAG_H
#define CF_FRAG_H

#include "ip.h"

#define FRAG_PACKETS	16	/* in the making at once; a new one drives out the oldest */
#define FRAG_TIME_MS	30000	/* RFC 8200 4.5 says 60 s; the tree is never that far away */

struct frags;

struct frags	*frags_new(void);	/* NULL when memory is out */
void		 frags_free(struct frags *);

/*
 * Take a packet that ip_parse() said is a fragment.  True when it was the last one missing:
 * *out is the whole packet, without any trace of having been cut, to be parsed from the
 * start; it is lent until the next call.
 */
bool	frags_add(struct frags *, const struct pkt *, uint64_t now_ms,
	    const uint8_t **out, size_t *len);
/* Forget what has waited for too long.  Returns when to be called next, 0: nothing is waiting. */
uint64_t frags_expire(struct frags *, uint64_t now_ms);
size_t	frags_count(const struct frags *);

/* A packet of ours (no options, no extension headers) that is cut into pieces of at most mtu. */
struct frag_cut {
	const uint8_t	*packet;
	size_t		 len;
	size_t		 mtu;	/* at least 576 for IPv4, 1280 for IPv6 */
	uint32_t	 id;
	size_t		 done;	/* of what is behind the header; start with 0 */
};

/* The next piece, at most mtu bytes at out; returns its length, 0 when there is no more. */
size_t	frag_cut_next(struct frag_cut *, uint8_t *out);

#endif

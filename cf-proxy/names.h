/*
 * names.h - which names an address has been given for.
 *
 * What the policy says of names is held against flows through this table.  It is filled by
 * cf-dns, before the tree learns an address, and from the hosts file.  The tree decides what
 * is asked, so it decides what is in here, and how much:
 *
 * - There are at most NAMES_MAX names and NAMES_BYTES of them, and NAMES_AT at one address.
 *   For one more, one that has expired goes, if there is one among the oldest, else the oldest.
 * - A name that a live flow went by is held by it: it neither expires nor goes.  So a
 *   million names that are asked for take nothing from flows that are there already, and a
 *   program that opens one more connection beside a live one may.
 * - Where all are held the new name is not kept; a flow then has fewer names than it might,
 *   which allows less and never more, as names that a rule refuses are never answered.
 * - Entries of the hosts file are there for ever, and may take half of the room.
 *
 * Made-up addresses (synthetic.h) have one name each, which they keep.
 *
 * Pure but for the key of its hash.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_NAMES_H
#define CF_PROXY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define NAMES_MAX	65536
#define NAMES_BYTES	(8u << 20)
#define NAMES_AT	64
#define NAMES_A_FLOW	8		/* as many as are judged, held, and told of */
#define NAMES_MADE_UP_BYTES (16u << 20)
#define NAMES_EVER	UINT64_MAX

struct names;
struct name_at;				/* a name at an address */

struct names	*names_new(void);	/* NULL: out of memory, or of random numbers */
void		 names_free(struct names *);	/* NULL is fine; nothing is held any more */

/* Time goes on: ms of any clock that does not go back. */
void		 names_clock(struct names *, uint64_t now_ms);

/*
 * The address (its port does not count) was given for this name until then, or longer if
 * that was said before.  NAMES_EVER: a pin.  False: there is no room.
 */
bool		 names_add(struct names *, const struct addr *, const char *name, size_t len,
		    uint64_t until_ms);
/* The names of an address, newest first; they are good until the next names_add(). */
size_t		 names_of(struct names *, const struct addr *, const char **out, size_t max);
/* Does a hosts file name it? */
bool		 names_pinned(struct names *, const struct addr *);
/* Was it given for this name, be it not among the newest? */
bool		 names_have(struct names *, const struct addr *, const char *name);

/* A flow goes by these names, until each is released. */
size_t		 names_hold(struct names *, const struct addr *, struct name_at **out, size_t max);
void		 names_release(struct names *, struct name_at *);
const char	*names_text(const struct name_at *);

/* The name of a made-up address, by its number; NULL: nobody's. */
const char	*names_made_up(const struct names *, uint32_t number);
/* False: it has another one, or there is no room. */
bool		 names_make_up(struct names *, uint32_t number, const char *name, size_t len);

/* How many there are and how much memory they take, made-up ones left out. */
size_t		 names_count(const struct names *);
size_t		 names_bytes(const struct names *);

#endif

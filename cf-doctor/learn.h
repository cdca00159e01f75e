/*
 * learn.h - from what a run did to the smallest profile that would have let it.
 *
 * learn.c gathers destinations while events come; profile.c groups them into rules and writes
 * them down.  Every string may have been chosen by the command tree: what becomes a rule is a
 * name in its normal form or an address, and all else stands in comments, escaped.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LEARN_H
#define CF_LEARN_H

#include <jansson.h>
#include <stdio.h>

#include "recorded.h"

#define LEARN_MAX	8192		/* destinations, each with a port and a protocol */
#define LEARN_BY	3		/* processes that are named for each */

enum learn_kind { LEARN_NAME, LEARN_ADDRESS, LEARN_LOOKUP };

struct learned {
	enum learn_kind	 kind;
	char		 target[NAME_TEXT_MAX + 1];	/* a name, or an address as rules have it */
	enum rule_proto	 proto;
	uint16_t	 port;
	uint64_t	 count;
	bool		 answered;			/* LEARN_LOOKUP: there is such a name */
	uint16_t	 by[LEARN_BY];			/* processes */
	uint8_t		 n_by;
	bool		 more_by;
};

struct learn {
	struct recorder	*recorder;
	struct keys	 keys, processes;
	struct learned	 at[LEARN_MAX];
	uint64_t	 connections, lookups;
};

struct learn	*learn_new(void);		/* NULL: out of memory */
void		 learn_free(struct learn *);
/* For struct tally's watch; the watcher is the learn. */
void		 learn_event(void *learn, enum event_kind, struct evline *);

/*
 * The profile, as TOML.  facts: what cf-spawn knows, or NULL.  threshold: as many names right
 * below one become a wildcard; 0: they never do.  Heap, NULL: out of memory.
 */
char		*profile_render(const struct learn *, const json_t *facts, unsigned threshold);

#endif

/*
 * known.h - what cf-proxy has said of flows.
 *
 * The newest KNOWN_MAX are kept.  Keys are chosen by the tree, so the tables are hashed with a
 * random key.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_KNOWN_FLOWS_H
#define CF_KNOWN_FLOWS_H

#include <sys/queue.h>

#include "msg.h"
#include "tuple.h"

#define KNOWN_MAX	16384
#define COMM_LEN	64

struct known {
	TAILQ_ENTRY(known) all;
	LIST_ENTRY(known) by_tuple, by_id;
	struct tuple	 tuple;
	uint64_t	 id;
	enum flow_state	 state;
	uint64_t	 until;		/* ns; 0: for as long as there is room */
	struct addr	 local;		/* with FLOW_IS_OPEN */
	uint32_t	 pid;		/* 0: not known */
	char		 comm[COMM_LEN];
	char		*comment;	/* of its first packet; NULL: none, or it was written */
	uint8_t		 views;		/* bits: in which it was written */
};

struct known_table;

struct known_table	*known_new(void);	/* NULL: out of memory, or of random numbers */
void			 known_free(struct known_table *);
/* Take a FLOW in; words are its tail. */
void			 known_tell(struct known_table *, uint64_t id, const struct msg_flow *,
			    const char *words, size_t len);
/* It has ended: forget it then. */
void			 known_end(struct known_table *, uint64_t id, uint64_t until_ns);
void			 known_expire(struct known_table *, uint64_t now_ns);
struct known		*known_find(struct known_table *, const struct tuple *);

#endif

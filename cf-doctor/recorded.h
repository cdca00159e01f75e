/*
 * recorded.h - what the tree asked for, out of the events that tell of it.
 *
 * Who judges a recorded run again (poltest.h) or learns from one (learn.h) asks for a name at each
 * dns_query, and for a flow at each connect_attempt and each flow that was refused; other
 * events tell what became of these.  A log of childflow does not say by which names a flow goes;
 * then they are those that answers gave its address for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RECORDED_H
#define CF_RECORDED_H

#include "name.h"
#include "rules.h"
#include "summary.h"

#define RECORDED_NAMES	8

enum recorded_kind { RECORDED_NOTHING, RECORDED_NAME, RECORDED_FLOW };

struct recorded {
	enum recorded_kind kind;
	bool		 refused;	/* then */
	bool		 proxied;
	struct addr	 dst;		/* of a flow; without a port for RULE_ICMP */
	enum rule_proto	 proto;
	size_t		 n_names;	/* of a name: 1 */
	const char	*name[RECORDED_NAMES];	/* in the form of name.h; until the next event */
	char		 process[KEY_MAX + 1];
};

struct recorder;

struct recorder	*recorder_new(void);	/* NULL: out of memory */
void		 recorder_free(struct recorder *);
/* Returns out->kind. */
enum recorded_kind recorded_get(struct recorder *, enum event_kind, struct evline *,
		    struct recorded *out);

#endif

/*
 * servers.h - a list of resolvers, and which of them have been silent lately.
 *
 * The first is asked first, as resolv.conf(5) has it, unless it is down: it was given
 * TRY_MS, or refused, and has answered nothing at all since that query was sent.  A server that is
 * down is asked last, so it costs nobody time; but when its time has come one query asks it
 * in its place, to see.  The time doubles from 1 s to 60 s; one answer, and it is up.
 *
 *   up ── servers_failed ──> down for 1, 2, 4 ... 60 s ── servers_answered ──> up
 *                               └── servers_order: time has come, one query in its place
 *
 * A list does not change while a query goes by it: another list takes its place, and it
 * goes with its last query.  Pure: addresses and milliseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_SERVERS_H
#define CF_DNS_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define RESOLVERS_MAX	16
#define DOWN_MIN_MS	1000u
#define DOWN_MAX_MS	60000u

struct server {
	struct addr	 addr;
	uint64_t	 answered;	/* when it did last */
	uint64_t	 failed;	/* when it was found down last */
	uint64_t	 until;		/* it is down until then */
	unsigned	 times;		/* that it failed in a row; 0: it is up */
};

struct servers {
	unsigned	 refs;
	size_t		 n;
	struct server	 at[RESOLVERS_MAX];
};

/* For one holder; NULL when there is no memory. */
struct servers	*servers_new(const struct addr *, size_t n);
struct servers	*servers_hold(struct servers *);
void		 servers_drop(struct servers *);	/* the last one frees it; NULL is fine */
bool		 servers_have(const struct servers *, const struct addr *);

/* In which order a query is to ask them. */
void		 servers_order(struct servers *, uint64_t now, uint8_t order[RESOLVERS_MAX]);
/* A query that was sent to it at `asked` has had no answer.  True: so it is down, from now on. */
bool		 servers_failed(struct servers *, size_t, uint64_t asked, uint64_t now);
/* True: it was down. */
bool		 servers_answered(struct servers *, size_t, uint64_t now);

#endif

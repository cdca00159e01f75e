/*
 * encdns.h - names asked past cf-dns: encrypted DNS, and how to know it.
 *
 * A tree that asks DNS over TLS, QUIC or HTTPS gets addresses that cf-dns has not seen, for
 * names that cf-dns would have refused.  So these are refused where a rule is about names
 * (or --block-encrypted-dns says so): port 853 and known servers' addresses by cf-proxy, known
 * servers' names by cf-dns.  A client is told first, by the names that it asks to find
 * out whether it may: most then use plain DNS.
 *
 * Not to be had: a server that nobody knows.  With a policy that refuses by default it is
 * refused like everything else; with one that allows by default it is a destination as any.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_ENCDNS_H
#define CF_ENCDNS_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "rules.h"

enum encdns_choice { ENCDNS_BY_RULES, ENCDNS_BLOCK, ENCDNS_ALLOW };

/* Is it refused?  rules: NULL where there are none. */
bool		 encdns_blocked(enum encdns_choice, const struct rules *);

/* What is answered to a name. */
enum encdns_answer {
	ENCDNS_REFUSE,		/* it is a server: as names that a rule denies */
	ENCDNS_NXDOMAIN,	/* a question whether it may be used: no */
	ENCDNS_EMPTY		/* the same */
};

struct encdns_name {
	const char	*name;		/* it, and all names below it */
	enum encdns_answer answer;
	const char	*what;		/* "a server of DNS over HTTPS" */
};

/* name: in the form of name.h.  NULL: nothing is known of it. */
const struct encdns_name	*encdns_name(const char *name);

/* What a TCP or UDP flow to dst would be; NULL: nothing is known of it. */
const char	*encdns_flow(const struct addr *dst);

/* What is said of one that is refused; what: from the two above. */
void		 encdns_words(const char *what, struct rules_words *out);

extern const struct encdns_name	encdns_names[];	/* sorted by name */
extern const size_t		encdns_n_names;

#endif

/*
 * proxy.h - what the files of cf-proxy share.
 *
 * Two programs in one binary, two processes, two filters:
 *
 *   cf-netstack == OPEN ==> policy stage == OPEN ==> dialler ---> destinations
 *               <= OPENED =              <= OPENED =
 *
 *                        ^= NAME, RESOLVE = cf-dns
 *
 * The policy stage (broker.h; namechan.c, names.c, record.c) decides and records and has no
 * sockets; the dialler (dial.h) has sockets and reads nothing of the tree but fixed-size
 * frames and payload that it does not look into.  Both ask judge.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_H
#define CF_PROXY_H

#include "chan.h"
#include "encdns.h"
#include "limit.h"
#include "names.h"
#include "policy.h"
#include "rules.h"
#include "sandbox.h"

#define RESOLVERS_MAX	16

/* The command line. */
struct proxy_conf {
	bool		 policy;		/* the role */
	bool		 print;			/* -n */
	int		 verbose;
	int		 dial_fd, log_fd;	/* of the policy stage; -1: none */
	int		 names_fd, hosts_fd;	/* the same */
	bool		 synthetic;		/* of the policy stage: made-up addresses are in use */
	int		 dns_fd;		/* of the dialler; -1: none */
	int		 control_fd;		/* of the dialler; -1: none */
	int		 rules_fd;		/* of both; -1: none */
	int		 info_fd;		/* to cf-capture, of both; -1: none */
	int		 violations_fd;		/* of the policy stage; -1: none */
	enum encdns_choice encdns;	/* of both */
	bool		 resolvers_only;
	struct addr	 resolvers[RESOLVERS_MAX];
	size_t		 n_resolvers;
};

/*
 * A stage, as main() leads it: open takes over the channel (rfd, wfd) and ends the
 * process if it cannot; hello comes after the seal; run returns the exit status.
 */
struct stage {
	enum role	  role;
	const struct sandbox_row *const	*sandbox;
	void		*(*open)(const struct proxy_conf *, int rfd, int wfd);
	void		 (*hello)(void *);
	int		 (*run)(void *);
};
extern const struct stage	broker_stage, dial_stage;

/*
 * The body of an OPEN.  false: no such flow can be: flow 0, or an ICMP of the other
 * address family.
 */
bool		 proxy_open_get(const struct frame *, struct msg_open *out);
/* REFUSED; text may be NULL. */
void		 proxy_refuse(struct chan *, uint64_t flow, const struct msg_refused *,
		    const char *text);
/* Say that the channel to `peer` has failed. */
void		 proxy_garbage(const struct chan *, enum role peer, const char *why);
const char	*proxy_proto_name(uint8_t proto);	/* as events have it: "tcp" */

/* ---- judge.c: may it leave ---- */

struct judge;

/* rules_fd: taken over; -1: none.  Ends the process where they cannot be used. */
struct judge	*judge_new(int rules_fd, enum encdns_choice);
/*
 * Each returns whether it is allowed, and fills *out only where it is not.  names: those of
 * the destination's address.
 */
bool		 judge_flow(const struct judge *, const struct msg_open *,
		    const char *const *names, size_t n, struct rules_words *out);
bool		 judge_dial(const struct judge *, const struct msg_open *, struct rules_words *out);
/* Nothing at all may leave, not even a query to a resolver of this run. */
bool		 judge_offline(const struct judge *);

/* ---- record.c: the events of the policy stage ---- */

/* The names of a flow, newest first. */
struct record_names {
	const char	*name[NAMES_A_FLOW];
	size_t		 n;
};

void		 record_attempt(const struct msg_open *, const struct record_names *);
/* error: NULL when the flow is open. */
void		 record_result(const struct msg_open *, const struct record_names *,
		    const char *error, size_t len);
/* name: for which the address was given, NULL where none is known. */
void		 record_violation(const struct msg_open *, const struct rules_words *,
		    const char *name);
void		 record_end(uint64_t flow, const struct msg_open *, const struct record_names *,
		    const struct msg_close *, uint64_t duration_ms);
/*
 * The tree has run into a limit.  most: 0 where it is not known.  Told at the rate of limit.h,
 * whoever counts and however often; record_limits_end() tells the rest.
 */
void		 record_limit(enum limit, uint64_t most, uint64_t times, uint64_t now_ms);
void		 record_limits_end(void);

#endif

/*
 * proxy.h - what the files of cf-proxy share.
 *
 * Two programs in one binary, two processes, two filters:
 *
 *   cf-netstack == OPEN ==> policy stage == OPEN ==> dialler ---> destinations
 *               <= OPENED =              <= OPENED =
 *
 *                        ^= NAME, RESOLVE = cf-dns, WHO = the watcher
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
#include "event.h"
#include "hostports.h"
#include "limit.h"
#include "names.h"
#include "policy.h"
#include "rules.h"
#include "sandbox.h"

#define RESOLVERS_MAX	16
#define UPSTREAM_ADDRS_MAX 16
#define NO_PROXY_MAX	64		/* lists */

/* Which destinations an upstream proxy is told by name. */
enum way_names { WAY_NAMES_AUTO, WAY_NAMES_ALWAYS, WAY_NAMES_NEVER };

/* --quic: what becomes of QUIC where a rule is about names (first.c). */
enum quic_choice { QUIC_BLOCK, QUIC_CHECK, QUIC_ALLOW };

/* The command line. */
struct proxy_conf {
	bool		 policy;		/* the role */
	bool		 print;			/* -n */
	int		 verbose;
	bool		 color;			/* of what -v says */
	bool		 log_reader[EVENT_FDS];	/* a helper reads it, whose end loses nothing */
	bool		 keep_flows;		/* of the policy stage: reload.c */
	int		 dial_fd;		/* of the policy stage; -1: none */
	int		 log_fd[EVENT_FDS];	/* the same */
	int		 who_fd;		/* the same */
	int		 names_fd, hosts_fd;	/* the same */
	bool		 synthetic;		/* of the policy stage: made-up addresses are in use */
	int		 dns_fd;		/* of the dialler; -1: none */
	int		 control_fd;		/* of both; -1: none */
	int		 rules_fd;		/* of both; -1: none */
	int		 quotas_fd;		/* of the policy stage; -1: none */
	int		 totals_fd;		/* of the policy stage; -1: none */
	int		 info_fd;		/* to cf-capture, of both; -1: none */
	int		 violations_fd;		/* of the policy stage; -1: none */
	enum encdns_choice encdns;	/* of both */
	enum quic_choice quic;		/* of the policy stage */
	struct hostports host;		/* of both: --host-port */
	/* The upstream proxy: of the dialler */
	int		 upstream_fd;		/* -1: there is none */
	struct addr	 upstream_at[UPSTREAM_ADDRS_MAX];
	size_t		 n_upstream_at;
	const char	*upstream_name;		/* as messages say it */
	long		 connect_timeout;	/* ms */
	bool		 dns_direct;
	/* of the policy stage */
	bool		 upstream;		/* there is one */
	bool		 upstream_udp;		/* which carries UDP (of both) */
	bool		 udp_direct, icmp_direct;
	enum way_names	 proxy_names;
	const char	*no_proxy[NO_PROXY_MAX];
	size_t		 n_no_proxy;
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
	struct sandbox_role sandbox;
	void		*(*open)(const struct proxy_conf *, int rfd, int wfd);
	void		 (*hello)(void *);
	int		 (*run)(void *);
};
extern const struct stage	broker_stage, dial_stage;

/*
 * The body of an OPEN, and the name in its tail (len 0: none).  false: no such flow can be: flow
 * 0, or an ICMP of the other address family.
 */
bool		 proxy_open_get(const struct frame *, struct msg_open *out, const char **name,
		    size_t *len);
/* REFUSED; text may be NULL. */
void		 proxy_refuse(struct chan *, uint64_t flow, const struct msg_refused *,
		    const char *text);
/* RESET and CLOSE; a CLOSE of ours has no totals. */
void		 proxy_reset(struct chan *, uint64_t flow, uint32_t err);
void		 proxy_close(struct chan *, uint64_t flow, enum close_reason);
/* Say that the channel to `peer` has failed. */
void		 proxy_garbage(const struct chan *, enum role peer, const char *why);
struct judge;

/* To cf-spawn: what it told has been done. */
void		 proxy_taken(struct chan *, enum msg_type);
/*
 * A RULES frame: the judge goes by them from now on, or the channel has failed.  Returns their
 * number, 0 where it has.
 */
uint32_t	 proxy_rules_take(struct chan *, const struct frame *, int fd, struct judge *);
const char	*proxy_proto_name(uint8_t proto);	/* as events have it: "tcp" */

/* paths.c: where cf-listen is. */
extern const char	paths_libexec[];

/* ---- judge.c: may it leave ---- */

/* rules_fd: taken over; -1: none.  Ends the process where they cannot be used. */
struct judge	*judge_new(int rules_fd, enum encdns_choice, const struct hostports *);
/* The next generation, on a descriptor that is taken over; NULL, or why the old one stays. */
const char	*judge_swap(struct judge *, int rules_fd);
/*
 * Each returns whether it is allowed, and fills *out only where it is not.  names: those of
 * the destination's address.
 */
bool		 judge_flow(const struct judge *, const struct msg_open *,
		    const char *const *names, size_t n, struct rules_words *out);
bool		 judge_dial(const struct judge *, const struct msg_open *, struct rules_words *out);
/*
 * Does a flow that is allowed owe its first flight?  Strict: by a name alone, at_port: by a rule
 * that names the port.  Lenient: it may not name what is denied.
 */
enum judge_need { JUDGE_NOTHING, JUDGE_LENIENT, JUDGE_STRICT };
enum judge_need	 judge_first(const struct judge *, const struct msg_open *,
		    const char *const *names, size_t n, bool *at_port);
/* The words for what allows it. */
void		 judge_explain(const struct judge *, const struct msg_open *,
		    const char *const *names, size_t n, struct rules_words *out);
/*
 * --permissive: what judge_flow() has just refused passes all the same, but is to be recorded.
 * judge_dial() goes by that itself.
 */
bool		 judge_permits(const struct judge *, const struct rules_words *);
/* The generation in force, NULL: there is the floor alone. */
const struct rules *judge_rules(const struct judge *);
/* A flow as rules see it. */
struct rules_flow judge_as(const struct msg_open *, const char *const *names, size_t n);
/* Of what judge_flow() allows: the words of the rule that did; false: there are no rules. */
bool		 judge_allowed(const struct judge *, const struct msg_open *,
		    const char *const *names, size_t n, struct rules_words *out);
/* A destination that has no address here: the upstream proxy finds it.  Only its name counts. */
bool		 judge_named(const struct judge *, const struct msg_open *, const char *name,
		    struct rules_words *out);
/* From now on flows go by an upstream proxy, but those with OPEN_DIRECT. */
void		 judge_upstream(struct judge *);
/* Nothing at all may leave, not even a query to a resolver of this run. */
bool		 judge_offline(const struct judge *);

/* ---- record.c: the events of the policy stage ---- */

struct who;

/* What events tell of a flow beside its OPEN: above all its names, newest first. */
struct record_names {
	const char	*name[NAMES_A_FLOW];
	size_t		 n;
	uint64_t	 flow;		/* its number */
	const struct who *who;		/* the process that opened it; NULL: not known */
	const struct addr *local;	/* host side; NULL: not known (yet) */
	const char	*rule;		/* that let it through; NULL: it is not about any */
	const char	*server_name;	/* of its first flight (record_server_name), or NULL */
};

/* There is an upstream proxy, by which flows without OPEN_DIRECT go. */
void		 record_upstream(const char *name);
/* By which it goes; NULL: directly. */
const char	*record_upstream_of(const struct msg_open *);
void		 record_attempt(const struct msg_open *, const struct record_names *);
/* error: NULL when the flow is open. */
void		 record_result(const struct msg_open *, const struct record_names *,
		    const char *error, size_t len);
void		 record_violation(const struct msg_open *, const struct rules_words *,
		    const struct record_names *);
/* The same, but it passes. */
void		 record_permitted(const struct msg_open *, const struct rules_words *,
		    const struct record_names *);
/* What it has carried so far. */
void		 record_update(const struct msg_open *, const struct record_names *,
		    const struct msg_counts *);
/* reason: why we have ended it; NULL: cf-netstack's own reason counts. */
void		 record_end(const struct msg_open *, const struct record_names *,
		    const struct msg_close *, const char *reason, uint64_t duration_ms);
/* A flow that was open is ended by a new generation: no violation, the tree did nothing. */
void		 record_withdrawn(const struct msg_open *, const struct rules_words *,
		    const struct record_names *);
/*
 * The tree has run into a limit.  most: 0 where it is not known.  Told at the rate of limit.h,
 * whoever counts and however often; record_limits_end() tells the rest.
 */
void		 record_limit(enum limit, uint64_t most, uint64_t times, uint64_t now_ms);
void		 record_limits_end(void);

#endif

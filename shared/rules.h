/*
 * rules.h - what may leave: judging destinations and names by a compiled set of rules.
 *
 * cf-spawn reads rules (rulebook.h) and compiles them into one flat buffer, one generation
 * of the policy.  Each helper gets it as a sealed memfd, holds it against rules_load()
 * once, and then judges in place: nothing is copied, allocated or parsed after that.  A flat
 * form, and not the texts, goes to the helpers so that they parse no rules (cf-dns does, where
 * it runs alone and is given some), and a new generation costs them one pass over the buffer.
 * The buffer comes from cf-spawn and is not an attacker's; rules_load() still refuses
 * what is cut short, of another version, or refers outside of itself.  The caller sees
 * to it that nobody can write to the buffer meanwhile (F_SEAL_WRITE, or a copy).
 *
 * Precedence, for a flow to an address (first that applies; so a refusal always beats
 * a permission, however wide the one and narrow the other):
 *
 *	 1  --offline				refused
 *	 2  never: loopback, multicast, ...	refused		known.c; what no option opens
 *	 3  --block-metadata			refused		addresses, and their names
 *	 4  --block-private			refused
 *	 5  --deny-cidr, --deny ADDRESS		refused
 *	 6  --deny-domain-exact, --deny NAME	refused		any of the flow's names
 *	 7  --deny-domain, --deny .NAME, *.NAME	refused		any of the flow's names
 *	 8  --deny '*:PORT'			refused
 *	 9  --proxy-only, and no proxy		refused
 *	10  --allow-cidr, --allow ADDRESS	allowed by address
 *	11  --allow '*:PORT'			allowed by address
 *	12  --allow-domain[-exact], --allow NAME	allowed by name: one of the flow's names
 *	13  --default-policy			as it says
 *
 * This is childflow's order, except that --proxy-only comes before what allows.  Among rules of
 * one rank the one that was given first is named, in rank 12 of those that name the port if there
 * are any; it makes no difference to the answer.  With
 * default allow, 12 is not asked: what is allowed anyway needs no proof of its name.
 *
 * Ranks 2 to 8 look at every form of an address (forms.h), 10 at its own form only.
 *
 * A name may be asked for: refused by 1, 3, 6, 7, 8, 9 in this order where the rules refuse
 * all ports of it, then allowed where 11 or 12 allow any port, else as 13 says.  So with
 * default deny a name that no rule allows never leaves in a DNS query, and with
 * address rules alone no name does.
 *
 * Not judged here: whether a name belongs to an address (cf-dns knows), and what a flow says
 * first (cf-proxy reads it); RULES_BY_NAME tells the caller that it has to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULES_H
#define CF_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "ruletext.h"

/* The switches of a generation. */
enum {
	RULES_OFFLINE = 1, RULES_BLOCK_METADATA = 2, RULES_BLOCK_PRIVATE = 4,
	RULES_DEFAULT_DENY = 8, RULES_PROXY_ONLY = 16,
	RULES_PERMISSIVE = 32,		/* what is refused passes, and is told; not judged here */
	/* set by the compiler: */
	RULES_HAS_DENY_NAMES = 256, RULES_HAS_ALLOW_NAMES = 512, RULES_HAS_QUOTA_NAMES = 1024
};

#define RULES_NONE	UINT32_MAX

/* The option a rule came by; the rows of rules_sources[]. */
enum rules_source {
	RULES_BUILTIN, RULES_ALLOW_CIDR, RULES_DENY_CIDR, RULES_ALLOW_DOMAIN,
	RULES_ALLOW_DOMAIN_EXACT, RULES_DENY_DOMAIN, RULES_DENY_DOMAIN_EXACT, RULES_ALLOW,
	RULES_DENY, RULES_ALLOW_FILE, RULES_DENY_FILE,
	RULES_QUOTA,			/* no rule: quotas.h */
	RULES_SOURCES
};

struct rules_source_row {
	const char	*option;	/* "--deny-cidr"; the control of an event */
	const char	*code;		/* "deny_cidr"; its reason_code where the rule refuses */
	bool		 allow;
	enum ruletext_kind kind;
};
extern const struct rules_source_row	rules_sources[RULES_SOURCES];

/* A generation, borrowed from the buffer. */
struct rules {
	const struct rules_head *head;
	const uint8_t	*base;
};

/* NULL, or why this is not a generation.  The buffer is 8-byte aligned and outlives *out. */
const char	*rules_load(const void *buf, size_t len, struct rules *out);
unsigned	 rules_flags(const struct rules *);
size_t		 rules_count(const struct rules *);
size_t		 rules_size(const struct rules *);	/* bytes of its buffer */
/* Is there a rule about names that decides anything (rank 6, 7 or 12), or a quota of one? */
bool		 rules_hold_names(const struct rules *);

/* ---- judging ---- */

struct rules_flow {
	struct addr	 dst;		/* family 0: an upstream proxy finds it, only names count */
	enum rule_proto	 proto;		/* a port of ICMP does not count */
	const char *const *names;	/* in the form of name.h; for which dst was given */
	size_t		 n_names;
	bool		 proxied;	/* it goes by the upstream proxy */
};

enum rules_why {
	RULES_WHY_ALLOWED, RULES_WHY_OFFLINE, RULES_WHY_RULE, RULES_WHY_PROXY_ONLY,
	RULES_WHY_DEFAULT
};

enum rules_by { RULES_BY_DEFAULT, RULES_BY_ADDRESS, RULES_BY_NAME };

struct rules_verdict {
	bool		 allowed;
	enum rules_why	 why;		/* of a refusal */
	enum rules_by	 by;		/* of a permission: BY_NAME has to be proved by the flow */
	bool		 at_port;	/* BY_NAME: by a rule that names the port */
	uint32_t	 rule;		/* that decided, RULES_NONE where a switch did */
	size_t		 name;		/* which of the flow's names it matched, else n_names */
	struct addr	 form;		/* which form of the address it matched */
};

/* Each returns out->allowed. */
bool		 rules_judge(const struct rules *, const struct rules_flow *,
		    struct rules_verdict *out);
/* The same for a flow whose address is not known yet: its port, protocol and names count. */
bool		 rules_judge_nowhere(const struct rules *, const struct rules_flow *,
		    struct rules_verdict *out);
/*
 * The same by one who does not know the names, and ignores those that are given: refuses what
 * no name could make right.  Ranks 6 and 7 are not seen, and where a rule allows names
 * all is allowed by name that only 13 would refuse.
 */
bool		 rules_judge_unnamed(const struct rules *, const struct rules_flow *,
		    struct rules_verdict *out);
bool		 rules_judge_name(const struct rules *, const char *name, bool proxied,
		    struct rules_verdict *out);
/*
 * May an answer to a name point here?  Refused where ranks 2 to 5 refuse every port of it:
 * what a tree could not reach anyway is not told to it (DNS rebinding).
 */
bool		 rules_judge_answer(const struct rules *, const struct addr *,
		    struct rules_verdict *out);

/* ---- words ---- */

struct rules_words {
	const char	*reason_code;	/* "deny_cidr"; "allowed" where it is */
	const char	*control;	/* "--deny-cidr", "built-in" */
	const char	*matched_cidr, *matched_domain;	/* NULL where there is none */
	const char	*file;		/* where the rule stands, NULL unless in a file */
	unsigned	 line;
	bool		 never;		/* not even --permissive lets it pass */
	struct {			/* where a quota decided (quotas.h); rule NULL: none did */
		const char	*rule;	/* its target */
		char		 limit[40];
		uint64_t	 used;
	}		 quota;
	char		 text[1600];	/* "blocked by `--deny-cidr 10.0.0.0/8`" */
	char		 hint[1200];	/* what would allow it */
};

/* The words of a verdict; flow or name as they were judged, the other NULL. */
void		 rules_explain(const struct rules *, const struct rules_verdict *,
		    const struct rules_flow *, const char *name, struct rules_words *out);

#endif

/*
 * summary.h - from event lines to the summary of a run: count, rank, say.
 *
 *   lines ── tally_feed() ──► struct tally ── model_new() ──► JSON object ──► text or JSON
 *                             bounded          + facts        (one model, two forms)
 *
 * Every string in an event may have been chosen by the command tree or by a server that
 * it talked to.  Memory has a bound that does not depend on the input (under 2 MiB);
 * what did not fit is counted, and the summary says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SUMMARY_H
#define CF_SUMMARY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"
#include "sandbox.h"

/* ---- keys.c: strings become small numbers ---- */

#define KEY_MAX		255		/* longer strings are cut: a DNS name has 253 */

struct keys {
	size_t		 n, max;
	uint64_t	 other;		/* how often a string found no room */
	char		**text;
	uint32_t	*slot;		/* hash table of index + 1; 0 is empty */
	size_t		 mask;
	uint32_t	 seed;
};

/* False when memory is out.  max: how many different strings there may be. */
bool	keys_init(struct keys *, size_t max);
void	keys_done(struct keys *);
/* The number of a string, new or known; -1 and counted in `other` when it is full. */
int	keys_add(struct keys *, const char *text);

/* ---- tally.c: events become counts ---- */

#define NAMES_MAX	1024		/* different DNS names, */
#define TARGETS_MAX	1024		/* addresses with ports, */
#define IPS_MAX		2048		/* and addresses that are kept apart */
#define LIST_MAX	128		/* different reasons, errors, domains, ... */
#define LIMITS_MAX	16		/* different limits that were reached */
#define QUOTAS_TOLD	64		/* limits of quotas */
#define NAME_IPS	16		/* addresses kept for a name */
#define IP_DOMAINS	4		/* matched domains kept for an address */

enum event_kind {
	EV_DNS_QUERY, EV_DNS_ANSWER, EV_CONNECT_ATTEMPT, EV_CONNECT_RESULT,
	EV_POLICY_VIOLATION, EV_FLOW_END, EV_RUNTIME_FAILURE, EV_UNKNOWN, EV_LIMIT_REACHED,
	EV_QUOTA, EV_COUNT
};
enum list_kind {
	LIST_VIOLATIONS, LIST_CONTROLS, LIST_DOMAINS, LIST_ERRORS, LIST_FAILURES,
	LIST_PHASES, LIST_DENIED, LIST_PERMITTED, LIST_COUNT
};
enum flow_kind { FLOW_TCP, FLOW_UDP, FLOW_ICMP, FLOW_COUNT };

struct name {
	uint64_t	queries, answers;
	uint16_t	ip[NAME_IPS];
	uint8_t		nips;
	bool		more_ips;	/* than there is room for */
};
struct target {
	uint64_t	attempts, ok, error, end;
	int		ip;		/* -1: none, or no room */
};
struct ip {
	uint64_t	count[IP_DOMAINS];
	uint8_t		domain[IP_DOMAINS];	/* key of LIST_DOMAINS */
	uint8_t		ndomains;
};

/* What was used of a limit; its key is "TARGET=LIMIT". */
struct quota {
	uint64_t	used, max, flows;
};

struct tally {
	char		line[EVENT_LINE_MAX];	/* the one that is not all here yet */
	size_t		len;
	bool		skipping;		/* the rest of a line that is too long */

	uint64_t	events[EV_COUNT], total;
	uint64_t	malformed, too_long;	/* lines that are no event */
	uint64_t	flows[FLOW_COUNT], up_bytes, down_bytes;
	struct keys	name_keys, target_keys, ip_keys, limit_keys, quota_keys, list_keys[LIST_COUNT];
	struct name	name[NAMES_MAX];
	struct target	target[TARGETS_MAX];
	struct ip	ip[IPS_MAX];
	uint64_t	list[LIST_COUNT][LIST_MAX];
	uint64_t	limit[LIMITS_MAX];	/* how often */
	struct quota	quota[QUOTAS_TOLD];
};

extern const char *const	event_names[EV_COUNT];
extern const char *const	list_names[LIST_COUNT];
extern const char *const	flow_names[FLOW_COUNT];

struct tally	*tally_new(void);	/* NULL when memory is out */
void		 tally_free(struct tally *);
/* The next bytes of the stream, cut anywhere. */
void		 tally_feed(struct tally *, const char *bytes, size_t len);
/* No more bytes: a last line without its end counts as what it is. */
void		 tally_end(struct tally *);

/* ---- rank.c: which are the most ---- */

#define TOP_MAX		10

/* The best `max` of what was offered, best first. */
struct top {
	size_t		n, max;
	uint64_t	item[TOP_MAX];
};
void	rank_list(const struct tally *, enum list_kind, struct top *);
void	rank_names(const struct tally *, struct top *, bool only_correlated);
void	rank_targets(const struct tally *, struct top *);
/* Both ways through the addresses that answers gave for a name. */
void	rank_targets_of_name(const struct tally *, size_t name, struct top *);
void	rank_names_of_target(const struct tally *, size_t target, struct top *);
/* Items are name * ROW_NAME + target + 1, or + 0 for a name without a target. */
#define ROW_NAME	(TARGETS_MAX + 1)
void	rank_rows(const struct tally *, struct top *);
/* Domains of rules that matched for an address, or for any address of a name. */
struct domain_counts { uint64_t n[LIST_MAX]; };
void	domains_of_ip(const struct tally *, int ip, struct domain_counts *);
void	domains_of_name(const struct tally *, size_t name, struct domain_counts *);
void	rank_domains(const struct tally *, const struct domain_counts *, struct top *);

/* ---- model.c, text.c: the summary as an object, and as lines ---- */

/*
 * The object of childflow's JSON summary with our keys added.  facts is what cf-spawn
 * wrote, NULL when that could not be read.  NULL when memory is out.
 */
json_t	*model_new(const struct tally *, const json_t *facts);
/* facts' bytes as an object whose known keys have their types; NULL and *why if not. */
json_t	*facts_parse(const char *bytes, size_t len, const char **why);
/* The lines of childflow's text summary, then ours; heap, NULL when memory is out. */
char	*text_render(const json_t *model);

/* ---- summary.c: the life of the process ---- */

struct summary_conf {
	int	facts_fd;
	bool	json;
};
int	summary_run(const struct summary_conf *);
extern const struct sandbox_row *const	summary_sandbox[];

#endif

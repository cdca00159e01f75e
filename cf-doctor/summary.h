/*
 * summary.h - from event lines to the summary of a run: count, rank, say.
 *
 *   lines ── tally_feed() ──► struct tally ── model_new() ──► JSON object ──► text or JSON
 *                             bounded          + facts        (one model, two forms)
 *
 * Every string in an event may have been chosen by the command tree or by a server that
 * it talked to.  Memory has a bound that does not depend on the input (struct tally_size);
 * what did not fit is counted, and is said.
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
#include "evline.h"
#include "sandbox.h"

/* ---- keys.c: strings become small numbers ---- */

#define KEY_MAX		255		/* longer strings are cut: a DNS name has 253 */

struct keys {
	size_t		 n, max;	/* numbers are below n; one without a text is vacant */
	uint64_t	 other;		/* how often strings were seen that are not here (any more) */
	uint64_t	 floor;		/* counts are too low by at most this */
	char		**text;
	uint32_t	*hash;
	uint64_t	*seen, *before;	/* how often; and how often at most before that */
	uint32_t	*slot;		/* hash table of number + 1; 0 is empty */
	size_t		 mask;
	uint32_t	*vacant;
	size_t		 nvacant;
	uint8_t		 seed[16];
	bool		*gone;		/* during on_drop: these numbers are vacant from now on */
	void		 (*on_drop)(void *owner, const struct keys *);
	void		*owner;
};

/* False when memory is out.  max: how many different strings there may be. */
bool	keys_init(struct keys *, size_t max);
void	keys_done(struct keys *);
/*
 * The number of a string, new or known; -1: out of memory.  Where it is full, others lose theirs
 * before, and on_drop is called.
 */
int	keys_add(struct keys *, const char *text);
/* The number of a string that is there; -1: it is not. */
int	keys_find(const struct keys *, const char *text);

/* ---- tally.c: events become counts ---- */

/* How much is kept apart. */
struct tally_size {
	size_t	names, targets, ips, list, talks;	/* different ones */
	size_t	line;			/* bytes of a line */
	size_t	shown;			/* of a list, in the object */
	bool	strict;			/* stop at the first line that is no event */
};
extern const struct tally_size	tally_small;	/* under 2 MiB: while a run goes on */
extern const struct tally_size	tally_large;	/* for a whole log: under 100 MiB */

#define NAMES_MAX	1024		/* those of tally_small */
#define TARGETS_MAX	1024
#define IPS_MAX		2048
#define LIST_MAX	128
#define LIMITS_MAX	16		/* different limits that were reached */
#define QUOTAS_TOLD	64		/* limits of quotas */
#define VERSIONS_MAX	8		/* different schema versions */
#define NAME_IPS	16		/* addresses kept for a name */
#define IP_DOMAINS	4		/* matched domains kept for an address */
#define FLOWS_MAX	400		/* flows kept one by one, those with the most bytes */
#define SLICES		120		/* of the time that all took; even */

enum event_kind {
	EV_DNS_QUERY, EV_DNS_ANSWER, EV_CONNECT_ATTEMPT, EV_CONNECT_RESULT,
	EV_POLICY_VIOLATION, EV_FLOW_END, EV_RUNTIME_FAILURE, EV_UNKNOWN, EV_LIMIT_REACHED,
	EV_QUOTA, EV_FLOW_UPDATE, EV_COUNT
};
enum list_kind {
	LIST_VIOLATIONS, LIST_CONTROLS, LIST_DOMAINS, LIST_ERRORS, LIST_FAILURES,
	LIST_PHASES, LIST_DENIED, LIST_PERMITTED, LIST_PROTOCOLS, LIST_COUNT
};
enum flow_kind { FLOW_TCP, FLOW_UDP, FLOW_ICMP, FLOW_COUNT };
/* What became of what was asked for, by protocol; names have no attempts, but are refused. */
enum verdict { VERDICT_ATTEMPTS, VERDICT_OK, VERDICT_ERROR, VERDICT_DENIED, VERDICT_PERMITTED,
	VERDICT_COUNT };
#define VERDICT_DNS	FLOW_COUNT
#define VERDICT_ROWS	(FLOW_COUNT + 1)

struct name {
	uint64_t	queries, answers;
	uint32_t	ip[NAME_IPS];
	uint8_t		nips;
	bool		more_ips;	/* than there is room for */
};
struct target {
	uint64_t	attempts, ok, error, end;
	uint64_t	up, down;	/* bytes */
	int		ip;		/* -1: none, or not kept any more */
	int		next;		/* of the same address, best first; -1: none (rank.c) */
};
struct ip {
	uint64_t	count[IP_DOMAINS];
	uint16_t	domain[IP_DOMAINS];	/* key of LIST_DOMAINS */
	uint8_t		ndomains;
	int		first;			/* target (rank.c) */
};
/* Who talked to whom; its key is process, newline, peer. */
struct talk {
	uint64_t	flows, denied, up, down;
};
struct flow {
	int64_t		start, end;	/* ms */
	uint64_t	up, down;
	char		process[KEY_MAX + 1], peer[KEY_MAX + 1];
};
/* What was used of a limit; its key is "TARGET=LIMIT". */
struct quota {
	uint64_t	used, max, flows;
};
struct slice {
	uint64_t	flows, denied, up, down;
};

struct tally {
	const struct tally_size	*size;
	void		 (*watch)(void *watcher, enum event_kind, struct evline *);	/* or NULL */
	void		*watcher;
	char		*line;			/* the one that is not all here yet */
	size_t		 len;
	bool		 skipping;		/* the rest of a line that is too long */

	uint64_t	 number;		/* of the last line, from 1 */
	uint64_t	 malformed, too_long;	/* lines that are no event */
	uint64_t	 bad_line;		/* the first of these; 0: there is none */
	const char	*bad_why;
	bool		 cut_short;		/* the last line is, and is not counted */

	uint64_t	 events[EV_COUNT], total;
	uint64_t	 flows[FLOW_COUNT], up_bytes, down_bytes;
	uint64_t	 proxied, direct;	/* attempts */
	uint64_t	 verdict[VERDICT_ROWS][VERDICT_COUNT];
	int64_t		 version[VERSIONS_MAX];
	size_t		 nversions;
	struct keys	 name_keys, target_keys, ip_keys, limit_keys, quota_keys, talk_keys,
			 list_keys[LIST_COUNT];
	struct name	*name;
	struct target	*target;
	struct ip	*ip;
	struct talk	*talk;
	uint64_t	*list[LIST_COUNT];
	uint64_t	 limit[LIMITS_MAX];	/* how often */
	struct quota	 quota[QUOTAS_TOLD];

	bool		 timed;			/* at least one event says when */
	int64_t		 first_ms, last_ms;
	int64_t		 slice_start, slice_ms;	/* of the first; of each */
	struct slice	 slice[SLICES];
	struct flow	*flow;			/* FLOWS_MAX, a heap with the smallest first */
	size_t		 nflows;
	struct flow	 other_flows;		/* sums of those that are not kept */
	uint64_t	 n_other_flows;
};

extern const char *const	event_names[EV_COUNT];
extern const char *const	list_names[LIST_COUNT];
extern const char *const	flow_names[FLOW_COUNT];

struct tally	*tally_new(const struct tally_size *);	/* NULL when memory is out */
void		 tally_free(struct tally *);
/* Somebody else who wants to see each event, before it is counted. */
void		 tally_watch(struct tally *, void (*)(void *watcher, enum event_kind,
		    struct evline *), void *watcher);
/* The next bytes of the stream, cut anywhere.  False: strict, and bad_line is set. */
bool		 tally_feed(struct tally *, const char *bytes, size_t len);
/* No more bytes: a last line without its end counts if it is an event. */
void		 tally_end(struct tally *);

/* ---- count.c: what an event counts for ---- */

/* name: its "event". */
void		 count_event(struct tally *, struct evline *, const char *name);
/* A field as a text that keys can be made of: cut, without zeroes.  NULL when it is no string. */
const char	*evline_text(struct evline *, enum evline_field);
const char	*evline_item(struct evline *, size_t item);
/* "curl (/usr/bin/curl)", "unknown" */
void		 tally_process(struct evline *, char out[KEY_MAX + 1]);

/* ---- when.c: what happened at what time ---- */

void		 when_note(struct tally *, int64_t ms);
void		 when_denied(struct tally *, int64_t ms);
void		 when_flow(struct tally *, const struct flow *);

/* ---- rank.c: which are the most ---- */

#define TOP_MAX		1000

/* The best `max` of what was offered, best first. */
struct top {
	size_t		n, max;
	uint64_t	item[TOP_MAX];
};
/* Which names are of interest: all, with a target, with a target or a rule that matched. */
enum names_wanted { NAMES_ALL, NAMES_WITH_TARGET, NAMES_CORRELATED };

/* Once, after tally_end(). */
void	rank_prepare(struct tally *);
void	rank_list(const struct tally *, enum list_kind, struct top *);
void	rank_names(const struct tally *, struct top *, enum names_wanted);
void	rank_targets(const struct tally *, struct top *);
/* By bytes, denials, flows. */
void	rank_talks(const struct tally *, struct top *);
/* Both ways through the addresses that answers gave for a name. */
void	rank_targets_of_name(const struct tally *, size_t name, struct top *);
void	rank_names_of_target(const struct tally *, size_t target, struct top *);
/* Items are name << 32 | target + 1, or | 0 for a name without a target. */
#define ROW_NAME(row)	((size_t)((row) >> 32))
#define ROW_TARGET(row)	((size_t)((row) & UINT32_MAX))
void	rank_rows(const struct tally *, struct top *);
/* Domains of rules that matched for an address, or for any address of a name. */
struct domain_counts {
	size_t		n;
	struct { uint16_t domain; uint64_t count; } at[NAME_IPS * IP_DOMAINS];
};
void	domains_of_ip(const struct tally *, int ip, struct domain_counts *);
void	domains_of_name(const struct tally *, size_t name, struct domain_counts *);
/* Items are places in counts. */
void	rank_domains(const struct tally *, const struct domain_counts *, struct top *);

/* ---- pieces.c: parts of the objects that the summary and the report share ---- */

json_t	*piece_list(const struct tally *, enum list_kind, size_t most);
json_t	*piece_events(const struct tally *);
/* NULL where there is no such name or target, so that json_null() stands there. */
json_t	*piece_names(const struct tally *, enum names_wanted, size_t most, bool targets);
json_t	*piece_targets(const struct tally *, size_t most, bool bytes);
json_t	*piece_rows(const struct tally *, size_t most);
json_t	*piece_flows(const struct tally *);
json_t	*piece_bytes(const struct tally *);
json_t	*piece_limits(const struct tally *);
json_t	*piece_quotas(const struct tally *);
json_t	*piece_beyond(const struct tally *);
json_t	*piece_inexact(const struct tally *);
json_t	*piece_unreadable(const struct tally *);
json_t	*piece_number(uint64_t);

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
	int	learn_fd;	/* the profile goes there; -1: nothing is learned */
	long	threshold;	/* for wildcards in it (learn.h) */
	bool	json;
	bool	no_summary;	/* only the profile */
};
/* sandbox_prepare() moves 0 and 1; a descriptor that was closed must not take their place. */
void	standard_fds_open(void);
int	summary_run(const struct summary_conf *);
extern const struct sandbox_row *const	summary_sandbox[];
extern const struct sandbox_role	summary_role;

#endif

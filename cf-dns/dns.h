/*
 * dns.h - what the files of cf-dns share.
 *
 *   cf-netstack ══ QUERY, ANSWER ══ query.c ── resolve.c (c-ares) ── upstream.c ── flow.c ══ OPEN ══ dialler
 *                        │  │                                               └ stock.c (pure)
 *                        │  └ learn.c, alias.c ══ NAME, RESOLVE ══ cf-proxy, policy stage
 *                        └ note.c        └ synth.c (pure)
 *
 * query.c owns a query from its QUERY frame to its ANSWER frame.  kept.c gives it an answer from
 * the cache (cache.c, pure).  resolve.c asks c-ares which resolver is to be asked, when again, and
 * whom next, in the order of servers.c (pure); control.c takes another list of them.  upstream.c knows what a query
 * has asked of whom and from which port, and which answer is whose; flow.c has the sockets.
 * learn.c tells cf-proxy which name gave which address; alias.c answers with made-up ones.
 * transfer.c has the answers of more than one message; zone.c (pure) knows where they end.
 * far.c asks another cf-dns, where there is one behind a pipe, in place of all that.
 * filter.c says which names may be asked for, answer.c what of an answer goes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_H
#define CF_DNS_H

#include <ares.h>
#include <sys/queue.h>
#include <uv.h>

#include "chan.h"
#include "limit.h"
#include "name.h"
#include "encdns.h"
#include "rules.h"
#include "sandbox.h"
#include "servers.h"
#include "stock.h"
#include "synth.h"
#include "wire.h"

#define INFLIGHT_MAX	512		/* queries that resolvers are busy with */
#define WAITING_MAX	1024		/* behind them; more get SERVFAIL at once */
#define SOURCES		4096		/* classes of askers' ports, so that one cannot fill the line */
#define SOURCE_WAITING	16		/* of one, when half of the line is taken */
#define HELD_MAX	(8u << 20)	/* bytes held; more queries get SERVFAIL at once */
#define ANSWERS_MAX	(16u << 20)	/* beyond it: what resolvers say is not kept */
#define BUDGET_MS	4500		/* then SERVFAIL: before the 5 s of the C library's resolver */
#define TRY_MS		1500		/* then the next resolver, or the same again */
#define TICK_MS		100		/* how exactly these two are kept; nothing pending, no tick */
#define BUCKETS		1024
#define STOCKS_MAX	(2 * RESOLVERS_MAX)	/* of the resolvers, and of others that were asked */

struct dns;
struct flow;
struct query;
struct upstream;
struct transfer;

TAILQ_HEAD(transfers, transfer);
TAILQ_HEAD(queries, query);
LIST_HEAD(query_bucket, query);
LIST_HEAD(upstreams, upstream);
LIST_HEAD(flows, flow);

/*
 * One list of servers and the queries that go to it.  There are two: the configured
 * resolvers, and "the server that was asked", which is another one for each query.
 */
struct resolver {
	struct dns	*dns;
	ares_channel	 ares;
	size_t		 busy_max;	/* its share of INFLIGHT_MAX */
	size_t		 nbusy, nwaiting;
	struct queries	 busy, waiting;	/* oldest first, so the first is the next to expire */

	/* What c-ares takes for its sockets: slot -> place, and the message to be read. */
	size_t		 place_of[RESOLVERS_MAX];
	size_t		 nslots;
	size_t		 slot_of[RESOLVERS_MAX];
	const uint8_t	*msg;
	size_t		 msg_len;
};

struct query {
	TAILQ_ENTRY(query) link;	/* of its resolver: waiting, then busy */
	LIST_ENTRY(query) by_id;
	struct dns	*dns;
	struct resolver	*via;
	struct servers	*servers;	/* held; NULL: the one that was asked */
	uint8_t		 order[RESOLVERS_MAX];	/* place -> which of them */
	uint64_t	 far;		/* its number at the far cf-dns; 0: it is not there */
	int		 asking;	/* the place whose answer is awaited; -1: none */
	uint64_t	 asking_since;
	uint64_t	 flow;		/* of its QUERY and ANSWER */
	struct msg_query asked;
	struct wire_query wire;
	uint16_t	 id;		/* ours, which resolvers see */
	uint64_t	 deadline;	/* of the loop's clock */
	struct upstreams upstreams;

	uint8_t		*answer;	/* the best so far; may not be the last word */
	size_t		 answer_len;
	struct addr	 answered_by;
	bool		 cut;		/* the answer is truncated and TCP did not help */
	bool		 noted;		/* there is a dns_query for it */
	bool		 aliased;	/* the answer has been made to fit --dns-mode synthetic */
	bool		 own;		/* not the tree's; alias.c has asked for cf-proxy: */
	uint64_t	 question;	/* its number */
	bool		 both;		/* about both families */
	struct transfer	*transfer;	/* the answer is the first message of one, or NULL */
	bool		 kept;		/* the answer comes from the cache */
	unsigned	 generation;	/* of the resolvers that it is asked of */
	unsigned	 rules;		/* the generation of the filter that let it pass */

	size_t		 len;
	uint8_t		 msg[];		/* as resolvers get it */
};

/* A query at a server: over UDP on a port that it may share, over TCP on a flow of its own. */
struct upstream {
	LIST_ENTRY(upstream) link;	/* of its query */
	LIST_ENTRY(upstream) by_flow;	/* of its flow; of the list of those that fail */
	struct query	*query;
	size_t		 place;		/* in the order in which the query asks its servers */
	bool		 tcp;
	bool		 failing;	/* in that list */
	struct flow	*flow;		/* NULL: it has failed */
	size_t		 sent;		/* TCP: bytes of length and query that have gone */
	uint8_t		 head[2];	/* TCP: length of the answer; */
	size_t		 got;		/* bytes of head and answer that have come */
	uint8_t		*in;
	size_t		 in_size;
	const uint8_t	*rest;		/* TCP, during query_take(): what came behind it */
	size_t		 rest_len;
	struct transfer	*transfer;	/* it is of this, and of no list of its query */
};

/* A flow of the dialler: a connected socket to a resolver, or its payload in DATA frames. */
struct flow {
	LIST_ENTRY(flow) by_id;
	LIST_ENTRY(flow) link;		/* of those that are broken */
	struct dns	*dns;
	uint64_t	 id;
	struct addr	 addr;
	bool		 tcp;
	enum { FLOW_OPENING, FLOW_SOCKET, FLOW_FRAMES, FLOW_REFUSED } state;
	int		 fd;		/* FLOW_SOCKET */
	bool		 paused;	/* TCP: nothing is read */
	int		 broken;	/* errno: its queries are to be told */
	uint32_t	 out_credit;	/* FLOW_FRAMES: bytes of DATA that may still go ... */
	uint32_t	 in_credit;	/* ... and may still come */
	struct msg_close totals;
	struct upstreams users;		/* queries that wait for an answer */
	struct port	 port;		/* UDP: its place in a stock */
};

/* What may be asked for. */
struct filter {
	bool		 has_rules;
	unsigned	 generation;	/* one more with each that comes */
	struct rules	 rules;
	enum encdns_choice encdns;	/* as the options say */
	bool		 no_encdns;	/* what comes of it */
	bool		 proxied;	/* flows go by an upstream proxy */
	enum { DENY_EMPTY, DENY_NXDOMAIN, DENY_REFUSED } deny_answer;
};

struct cache;

struct dns {
	uv_loop_t	 loop;
	uv_timer_t	 tick;
	uv_prepare_t	 admit;
	uv_poll_t	 poll;
	int		 epoll_fd;	/* all sockets to resolvers, behind `poll` */
	struct chan	*stack, *dial;	/* dial: NULL where there is */
	struct chan	*far;		/* another cf-dns, or NULL */
	struct chan_uv	*source_uv;	/* far's or dial's */
	uv_prepare_t	 sleep;
	uint64_t	 last_far;
	struct chan	*names;		/* to cf-proxy's policy stage, or NULL */
	struct chan	*control;	/* to cf-spawn, or NULL */
	struct synth	*synth;		/* --dns-mode synthetic, or NULL */
	struct limit_count used_up;	/* of synth */

	struct addr	 resolvers[RESOLVERS_MAX];	/* of the command line; then: */
	size_t		 nresolvers;
	struct servers	*servers;
	unsigned	 generation;	/* one more with each list of resolvers */
	size_t		 cache_entries;	/* 0: no cache */
	struct cache	*cache;
	bool		 pinned;	/* resolvers are asked whomever the tree asked */
	bool		 no_aaaa;
	bool		 tcp_only;	/* resolvers are asked over TCP */
	bool		 unasked;	/* every name has an address, which an upstream proxy finds */
	bool		 closed;	/* no resolver is asked anything for the tree */
	uint16_t	 udp_max;	/* no answer over UDP is longer, whatever the asker takes */
	struct filter	 filter;
	struct addr	 gateway[2];

	struct resolver	 listed, direct;
	struct query_bucket by_id[BUCKETS];
	struct flows	 by_flow[BUCKETS];
	uint64_t	 last_flow;
	struct flows	 broken;
	struct transfers transfers;
	size_t		 ntransfers;
	struct stock	 stocks[STOCKS_MAX];
	size_t		 nstocks;
	uint16_t	 waiting_from[SOURCES];	/* queries that wait in either line */
	size_t		 held;		/* bytes of queries and answers, see HELD_MAX */
	uint8_t		 randoms[256];
	size_t		 nrandoms;
	bool		 warned;	/* that there is no resolver */
	bool		 slow;		/* no query: the tick is for the stocks alone */
	int		 status;	/* to exit with */
};

/* ---- dns.c: the whole; what is wired to what ---- */

extern const struct sandbox_row *const dns_sandbox[];
extern const struct sandbox_role dns_role;

/* Everything that needs files or new descriptors; ends the process where it fails. */
struct dns_fds { int r, w, dial, far, names, control; };	/* channels; -1: there is none */
void	dns_open(struct dns *, const struct dns_fds *);
/* After the seal.  Until the tree's end; the status to exit with. */
int	dns_run(struct dns *);

/* ---- query.c ---- */

extern const struct chan_handler query_handlers[];

void		 query_init(struct dns *);
/* The query with this id of ours, or NULL. */
struct query	*query_find(struct dns *, uint16_t id);
/* 16 bits that nobody can guess. */
uint16_t	 query_random(struct dns *);
/* A flow is broken: its queries are told before the loop sleeps. */
void		 query_soon(struct dns *);
/* May so many bytes more be kept?  They then count; give them back by subtraction. */
bool		 query_hold(struct dns *, size_t len);
/* A message came from a resolver.  The query and `u` may be gone afterwards. */
void		 query_take(struct query *, struct upstream *u, const uint8_t *msg, size_t len);
/* The same from the far cf-dns; query_end() is to follow. */
void		 query_keep(struct query *, const uint8_t *msg, size_t len);
/* Nothing will come from a resolver.  The same. */
void		 query_refused(struct query *, struct upstream *u);
/* c-ares has no more to try, or said that the answer is one. */
void		 query_end(struct query *);
/* What is done to q->answer before it goes back: NULL, or why it must not.  It has the asker's id. */
const char	*query_edit(struct query *);
/* The ANSWER frame; the query is gone. */
void		 query_finish(struct query *, const uint8_t *msg, size_t len);
/* The same with SERVFAIL. */
void		 query_fail(struct query *, const char *why);

/*
 * Ask the configured resolvers something of our own: alias_resolved() follows, perhaps at once.
 * False: there is no memory.
 */
bool		 query_own(struct dns *, uint64_t question, const uint8_t *msg, size_t len, bool both);

/*
 * What other files do to a query before a resolver is asked.  HOOK_MADE: *out is the answer, made
 * here.  HOOK_HELD: q->answer (from malloc) is one that a resolver gave earlier; it goes the
 * way of all answers.
 */
enum hook { HOOK_PASS, HOOK_MADE, HOOK_HELD };
struct made {
	const uint8_t	*msg;		/* with the asker's id; good until the next query */
	size_t		 len;
	const char	*why;		/* in words, or NULL */
};
typedef enum hook	query_hook(struct query *, struct made *out);
/* An answer without records. */
void		 query_made(struct query *, struct made *out, enum wire_rcode, const char *why);

/*
 * What is done to q->answer (from malloc) before it goes back.  Returns NULL, or why it must not:
 * the asker gets SERVFAIL.
 */
typedef const char	*answer_hook(struct query *);

/* ---- filter.c: names that may not be asked for ---- */

/* rules_fd: a sealed generation, or -1.  Ends the process where it is none. */
void		 filter_open(struct dns *, int rules_fd);
/* The next generation, on a descriptor that is taken over; NULL, or why the old one stays. */
const char	*filter_swap(struct dns *, int rules_fd);
query_hook	 filter_query;
/* --permissive: what the rules refuse passes, and is told. */
bool		 filter_permits(const struct filter *);
/* The rules may be others than when it was asked. */
answer_hook	 filter_answer;

/* ---- answer.c: what is taken out of answers ---- */

answer_hook	 answer_rebinding, answer_ech;

/* ---- control.c: what cf-spawn says while the run goes on ---- */

extern const struct chan_handler control_handlers[];

/* ---- kept.c: the cache's two hooks ---- */

query_hook	 kept_find;
answer_hook	 kept_store;

/* ---- far.c: another cf-dns in place of resolvers ---- */

extern const struct chan_handler far_handlers[];
extern const struct sandbox_row far_rows[];

void	far_ask(struct query *);

/* ---- resolve.c ---- */

/* places: how many servers it may have.  Reads no file, but c-ares reads random bytes here. */
void	resolver_init(struct resolver *, struct dns *, size_t places, size_t busy_max);
/* Start; query_end() follows, perhaps at once. */
void	resolver_ask(struct query *);
/* The server at this place answered with this code. */
void	resolver_answered(struct query *, size_t place, enum wire_rcode);
/* It cannot be reached, or not by TCP. */
void	resolver_failed(struct query *, size_t place, bool tcp);
/* Who that is. */
struct addr resolver_addr(const struct query *, size_t place);
/* Time is up: query_end() at once. */
void	resolver_stop(struct query *);
/* Time passes. */
void	resolver_tick(struct resolver *);

/* ---- transfer.c ---- */

void	transfer_init(struct dns *);
bool	transfer_any(const struct dns *);
/*
 * The first message of an answer over TCP.  Where more are to come q->transfer is made, which keeps
 * the connection.  False: it should be and cannot, so the answer must not be given.
 */
bool	transfer_first(struct query *, struct upstream *, const uint8_t *msg, size_t len);
/* Now it answers its query, about which nobody else knows any more. */
void	transfer_begin(struct transfer *);
/* From the server: more, or no more.  It may be gone afterwards. */
void	transfer_payload(struct transfer *, const uint8_t *p, size_t n);
void	transfer_broken(struct transfer *);
/* Time passes. */
void	transfer_tick(struct dns *);
void	transfer_on_proceed(struct chan *, const struct frame *, int fd);

/* ---- upstream.c ---- */

void	upstream_init(struct dns *);
/* Send the query to one of its servers, again if need be.  False: that server has failed. */
bool	upstream_ask(struct query *, size_t place, bool tcp);
/* The query awaits nothing more. */
void	upstream_done(struct query *);
/* It is of a transfer from now on, and no longer of its query; give it back with _drop. */
void	upstream_keep(struct upstream *, struct transfer *);
void	upstream_drop(struct upstream *);
/* The message that has come is not needed any more. */
void	upstream_empty(struct upstream *);
/* Whose answer this is, going by the port that it came to and its id; NULL: nobody's. */
struct upstream *upstream_match(struct flow *, const uint8_t *msg, size_t len);
/* Flows that broke are told to their queries. */
void	upstream_settle(struct dns *);
/* Ports of servers that only the tree has named take no more queries: may they be asked still? */
void	upstream_forget(struct dns *);
/* Time passes.  How many ms until the next tick is needed for the stocks; 0: none. */
uint64_t upstream_tick(struct dns *);

/* What flow.c reports.  The flow may be gone afterwards. */
void	upstream_opened(struct flow *);
void	upstream_writable(struct flow *);
void	upstream_payload(struct flow *, const uint8_t *p, size_t n);
void	upstream_broken(struct flow *, const char *why);

/* ---- flow.c ---- */

extern const struct sandbox_row	flow_rows[];
extern const struct chan_handler flow_handlers[];

void		 flow_init(struct dns *);
/* Ask the dialler for one; NULL when there is no memory. */
struct flow	*flow_open(struct dns *, const struct addr *, bool tcp);
/* Give it back.  Nobody uses it any more. */
void		 flow_close(struct flow *, enum close_reason);
/* Give it back where nobody uses it and no stock has it. */
void		 flow_release(struct flow *, enum close_reason);
/* As send(2), more: MSG_MORE.  It has been opened. */
ssize_t		 flow_send(struct flow *, const void *, size_t len, bool more);
/* TCP: tell when there is room (upstream_writable). */
bool		 flow_want_room(struct flow *);
/*
 * TCP: read nothing more for now, or go on; frames that have their credit still come.  False: the
 * kernel would not.
 */
bool		 flow_pause(struct flow *, bool);

/* ---- learn.c: what cf-proxy learns of names ---- */

extern const struct sandbox_row	learn_rows[];

/* An answer's addresses, told to cf-proxy where there is one that wants to know. */
answer_hook	 learn_answer;
/* The port of the address does not count, and the ttl is brought into its bounds. */
void		 learn_name(struct dns *, const struct addr *, const char *name, uint32_t ttl,
		    uint32_t flags);
/* The name that was asked, where it can be told of.  False: it cannot, or there is none. */
bool		 learn_asked(const struct query *, char name[NAME_STRLEN]);
/* Before anything is written to cf-netstack (chan_uv_before_flush). */
void		 learn_before_answers(struct chan *);

/* ---- alias.c: --dns-mode synthetic ---- */

extern const struct chan_handler alias_handlers[];

query_hook	 alias_reverse, alias_unasked;
answer_hook	 alias_answer;
/* A query that query_own() made has ended, however. */
void		 alias_resolved(struct query *, const uint8_t *msg, size_t len);

/* ---- note.c: events, and the lines of -v ---- */

/* Once, whoever says it first.  here: it is answered here. */
void	note_query(struct query *, bool here);
/* made: what was not relayed, but made here; why: says so in words, or NULL. */
/* A rule was in the way: policy_violation, and what denial.h says. */
struct violation {
	const char	*code, *control;
	const char	*cidr, *domain;		/* that the rule names, or NULL */
	const char	*file;			/* where the rule stands, or NULL */
	unsigned	 line;
	const char	*text, *hint;
	const struct addr *addr;		/* of an answer; NULL: the name itself */
	bool		 permitted;		/* it passes all the same */
};
void	note_violation(const struct query *, const struct violation *);
void	note_answer(const struct query *, const uint8_t *msg, size_t len, bool made,
	    const char *why);

#endif

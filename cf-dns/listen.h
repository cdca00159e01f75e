/*
 * listen.h - what the files of a stand-alone cf-dns share.
 *
 *   clients ══ UDP, TCP ══ listener ══ QUERY, ANSWER ══ resolver ══ OPEN ══ dialler ── resolvers
 *                          listen.c, stream.c          (all of dns.h)     (cf-proxy)
 *
 * Three processes.  serve.c starts them: cf-dns --listen becomes the listener; the resolver is
 * a fork of it that is what cf-dns is in a sandboxed run, to the last line; the dialler is
 * cf-proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_LISTEN_H
#define CF_DNS_LISTEN_H

#include <sys/queue.h>
#include <uv.h>

#include "addr.h"
#include "chan.h"
#include "cidr.h"
#include "limit.h"
#include "sandbox.h"
#include "share.h"

#define LISTEN_MAX	16		/* addresses; each is a UDP and a TCP socket */
#define ASKS_MAX	512		/* queries under way: INFLIGHT_MAX, so that none waits in line */
#define CONNS_MAX	256
#define CONN_ASKS	64		/* of one connection */
#define CONN_IDLE_MS	10000		/* without a whole query in or an answer out */
#define UNSENT_MAX	(16u << 20)	/* answers that clients on TCP do not take */
#define UDP_ANSWER_MAX	1232		/* fits any path (RFC 9715 3.1); also little to forge for */

struct conn;
struct listener;
TAILQ_HEAD(conns, conn);
LIST_HEAD(asks, ask);

struct door {				/* a socket that clients come to */
	uv_poll_t	 poll;
	struct listener	*listener;
	struct addr	 addr;
	bool		 tcp;
	int		 fd;
};

/* A query that the resolver has. */
struct ask {
	LIST_ENTRY(ask)	 link;		/* of those of its connection, or of those not in use */
	uint64_t	 flow;		/* 0: not in use */
	const struct door *door;
	struct addr	 client;
	struct share	*share;
	struct conn	*conn;		/* NULL: UDP, or it has gone */
	bool		 parts;		/* some of its answer has come, */
	bool		 owes;		/* and PROCEED is due for it */
};

struct listener {
	uv_loop_t	 loop;
	uv_poll_t	 signals;
	uv_timer_t	 tick, end;
	int		 signal_fd;
	struct chan	*dns;
	struct door	 doors[2 * LISTEN_MAX];
	size_t		 ndoors;
	struct cidr_tree *clients;

	struct shares	 shares;
	struct ask	 asks[ASKS_MAX];
	struct asks	 unused;
	uint64_t	 round;		/* makes the number of each query a new one */

	struct conns	 conns;		/* who has said nothing for longest is first */
	struct conns	 stalled;	/* of those, who have their share of queries */
	size_t		 unsent;	/* bytes, see UNSENT_MAX */
	bool		 shut;		/* no descriptor is left for one more connection */

	struct limit_count strangers, crowded;
	size_t		 children;	/* that live */
	bool		 ending;
	int		 status;	/* to exit with */
};

/* ---- serve.c ---- */

struct serve {				/* as options say it */
	struct addr	 listen[LISTEN_MAX];
	size_t		 nlisten;
	struct cidr_tree clients;
	bool		 any_clients;
	const char	*user;
	struct addr	*resolvers;	/* the caller's; filled from resolv.conf if empty */
	size_t		*nresolvers, max_resolvers;
};

/*
 * Become three processes.  Returns in the resolver's, whose channel to the listener is
 * standard input and output, with the channel to the dialler; the listener's life is in
 * here until it exits.
 */
int	serve_start(struct serve *);

/*
 * At the far end of a pipe: become two processes, of which this stays the resolver, whose channel is
 * standard input and output as it was.  Returns that to the dialler.  pinned: nobody but the
 * resolvers is asked.
 */
int	serve_pipe(struct serve *, bool pinned);

/* paths.c: the only place where the dialler is looked for. */
extern const char	paths_libexec[];

/* ---- listen.c ---- */

extern const struct sandbox_row *const listen_sandbox[];
extern const struct sandbox_role listen_role;

/* Watch the doors and the channel; ends the process where it cannot. */
void	listen_open(struct listener *, int rfd, int wfd);
/* After the seal.  Until a signal or the resolver's end; the status to exit with. */
int	listen_run(struct listener *);

/* May it be asked by this client? */
bool	listen_knows(struct listener *, const struct addr *client);
/* Hand a query on; false: the client has its share under way, or the resolver does not read. */
bool	listen_ask(struct listener *, const struct door *, const struct addr *client,
	    struct conn *, const uint8_t *msg, size_t len);
/* The PROCEED that is due for an answer of many messages: go on, or not. */
void	listen_proceed(struct listener *, struct ask *, bool on);
/* Is this what a client may send: a header, and no answer? */
bool	listen_is_query(const uint8_t *msg, size_t len);

/* ---- stream.c: clients on TCP ---- */

extern const struct sandbox_row stream_rows[];

void	stream_init(struct listener *);
void	stream_on_door(uv_poll_t *, int status, int events);
void	stream_answer(struct conn *, const uint8_t *msg, size_t len);
/* One message of an answer that has more; listen_proceed() follows, for all asks that owe it. */
void	stream_part(struct conn *, const uint8_t *msg, size_t len);
/* The rest of an answer will not come: nobody must take what there is for all of it. */
void	stream_break(struct conn *);
/* A query has ended: somebody may have waited for that. */
void	stream_resume(struct listener *);
/* Close them all. */
void	stream_end(struct listener *);
/* Its queries under way, for listen.c to keep. */
struct asks *stream_asks(struct conn *);

#endif

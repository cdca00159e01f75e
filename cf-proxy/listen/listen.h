/*
 * listen.h - what the files of a stand-alone proxy share.
 *
 *   clients ══ TCP ══ listener ══ OPEN ════> policy stage ══ OPEN ══> dialler ── destinations
 *                     listen.c     ║         (cf-proxy)               (cf-proxy)
 *                     tunnel.c     ╚ QUERY ═> cf-dns ══ OPEN ═════════^  └ cf-upstream
 *
 * The listener is to the others what cf-netstack is to them in a sandboxed run, and they are what they
 * are there: so a client may reach what a command tree under the same options may.  serve.c starts
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LISTEN_H
#define CF_LISTEN_H

#include <sys/queue.h>
#include <uv.h>

#include "chan.h"
#include "hops.h"
#include "request.h"
#include "ruleopts.h"
#include "sandbox.h"

#define LISTEN_MAX	16		/* addresses */
#define CLIENTS_MAX	1024
#define RESOLVERS_MAX	16
#define REQUEST_MS	10000		/* to say what is wanted */
#define LOOKUP_MS	10000
#define OPEN_MS		60000
#define REPLY_MS	5000		/* to take a refusal */
#define IDLE_MS		3600000		/* a tunnel in which nothing moves */
#define HALF_MS		300000		/* the same, and one side has ended */

struct client;
struct listener;
TAILQ_HEAD(clients, client);

struct door {
	uv_poll_t	 poll;
	struct listener	*listener;
	struct addr	 addr;
	int		 fd;
};

/* One end of a tunnel, and what is on its way to it. */
struct side {
	uv_poll_t	 poll;
	struct client	*client;
	int		 fd;		/* -1: not there */
	int		 events;
	uint8_t		*held;		/* held[off .. off+len) waits to be written */
	size_t		 off, len;
	bool		 eof;		/* it has said all; */
	bool		 shut;		/* it has been told that there is no more */
};

enum { NEAR, FAR };			/* the client, the destination */

enum phase {
	PHASE_REQUEST,			/* it has not said what it wants */
	PHASE_LOOKUP,			/* cf-dns is asked */
	PHASE_OPEN,			/* the policy stage is asked */
	PHASE_FIRST,			/* connected, and what it says first is asked about */
	PHASE_TUNNEL,
	PHASE_REPLY			/* it has been refused, and has not taken all of that */
};

struct client {
	TAILQ_ENTRY(client) link;
	struct listener	*listener;
	enum phase	 phase;
	uint64_t	 deadline;
	struct addr	 addr;
	struct side	 side[2];
	size_t		 slot;		/* a flow's number, modulo CLIENTS_MAX */
	unsigned	 handles;	/* that libuv has not given back */
	bool		 greeted;	/* SOCKS */
	uint8_t		*in;		/* REQUEST_MAX bytes, of which there are: */
	size_t		 in_len;
	struct request	 request;
	char		*head;		/* what goes on in its place */
	size_t		 head_len;
	uint8_t		 family;	/* that is asked for and tried */
	uint64_t	 flow;		/* of QUERY or OPEN; 0: none */
	bool		 opened;
	bool		 first_out;	/* a FIRST has not been answered */
	uint64_t	 body_left;	/* that the client may send yet */
	uint64_t	 up, down;	/* bytes of payload */
};

struct listener {
	uv_loop_t	 loop;
	uv_poll_t	 signals;
	uv_timer_t	 tick, end;
	int		 signal_fd;
	struct door	 doors[LISTEN_MAX];
	size_t		 ndoors;
	bool		 open;		/* the doors are */
	struct chan	*policy, *dns;
	struct clients	 clients;
	size_t		 nclients;
	struct client	*slot[CLIENTS_MAX];	/* NULL: it is free */
	uint64_t	 last;
	bool		 ending;
	int		 status;
};

/* The command line. */
struct options {
	struct ruleopts	 rules;		/* first, as ruleopts.h wants it */
	struct addr	 listen[LISTEN_MAX];
	size_t		 nlisten;
	struct addr	 resolvers[RESOLVERS_MAX];
	size_t		 nresolvers;
	struct hops	 hops;
	const char	*user[HOPS_MAX], *pass_file[HOPS_MAX];
	const char	*no_proxy[16];
	size_t		 n_no_proxy;
	const char	*ca_file, *become;
	long		 connect_timeout;	/* ms */
	int		 log_fd;
	int		 verbose;
	bool		 print;
};

/* ---- serve.c ---- */

/*
 * Start all the others and leave the network; what is left to be done here is in *l, with the two
 * channels.  Ends the process where it cannot.
 */
struct serve_fds { int policy, dns; };
void	serve_start(struct listener *, struct options *, struct serve_fds *);

/* paths.c: the only place where they are looked for. */
extern const char	paths_libexec[];

/* ---- upstream.c: the proxies behind this one ---- */

/* Secrets are read, the first proxy's addresses found, the list put on a memfd: that, or -1. */
int	upstream_make(struct options *, struct addr at[16], size_t *n);

/* ---- listen.c ---- */

extern const struct sandbox_row *const listen_sandbox[];
extern const struct sandbox_role listen_role;

void	listen_open(struct listener *, const struct serve_fds *);
int	listen_run(struct listener *);
void	listen_ready(uv_poll_t *, int status, int events);
/* The client is done with; so is its flow, for this reason. */
void	listen_drop(struct client *, enum close_reason);

/* ---- first.c: flows that owe their first flight ---- */

/* What is to go on stands on the far side. */
void	first_begin(struct client *);
bool	first_reads(const struct client *);	/* is the client to be read? */
void	first_ready(struct client *);
/* GO without a descriptor. */
void	first_on_go(struct client *, uint32_t flags);

/* ---- tunnel.c ---- */

extern const struct sandbox_row tunnel_rows[];

/* Send this to the client, as far as it takes it now; the rest is held.  false: it has gone. */
bool	tunnel_say(struct client *, const void *, size_t);
/* The same to the destination; it counts as payload. */
bool	tunnel_pass(struct client *, const void *, size_t);
/* From now on both ends are connected. */
void	tunnel_start(struct client *);
/* Something is to be read or written: watch for what is awaited. */
void	tunnel_watch(struct client *);
void	tunnel_ready(struct client *, int which);
/* What is held for the client, as far as it takes it now.  false: it has gone. */
bool	tunnel_flush(struct client *);

#endif

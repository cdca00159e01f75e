/*
 * dial.h - the dialler's insides: dial.c (flows), direct.c (sockets), relay.c (payload).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DIAL_H
#define CF_DIAL_H

#include <uv.h>

#include "chan_uv.h"
#include "idmap.h"
#include "portmap.h"
#include "proxy.h"

struct assoc;
struct dialler;
struct via;
struct wish;

/* One that may ask for flows: the policy stage (or cf-netstack itself), or cf-dns. */
struct client {
	struct dialler	*dialler;
	struct chan	*chan;
	struct chan_uv	*chan_uv;
	enum role	 expected;	/* who it is until its HELLO says */
	bool		 resolving;	/* cf-dns: name servers only */
	bool		 gone;
	int		 epoll_fd;	/* its flows' sockets, so that one waits for one client */
	uv_poll_t	 poll;		/* of epoll_fd */
	bool		 polling;
	struct idmap	 flows;
	size_t		 leaving;	/* closed by the client, with payload to deliver yet */
};

/*
 * A flow while the dialler has something to do for it.  One whose descriptor went to the
 * client is kept only where a port mapping hangs on it.
 */
struct flow {
	struct client	*client;
	uint64_t	 id;
	int		 fd;		/* -1: handed over */
	uint8_t		 proto;
	bool		 connecting;
	bool		 leaving;	/* no longer in client->flows */
	bool		 traces;	/* direct_traces() */
	bool		 relayed;	/* the client has no descriptor of it, and will not */
	uint8_t		 family;
	uint32_t	 armed;		/* epoll events waited for; 0: not in the epoll set */
	struct mapping	*mapping;	/* or NULL */
	struct relay	*relay;		/* payload in DATA frames, or NULL */
	struct assoc	*assoc;		/* UDP by the upstream proxy, or NULL */
	struct wish	*wish;		/* it goes by the upstream proxy, and is not there yet */
	uint64_t	 tunnel;	/* at cf-upstream, which may say that it broke off; or 0 */
};

/* ---- dial.c ---- */

/* Wait for these epoll events and no others.  false: the kernel would not. */
bool		flow_arm(struct flow *, uint32_t events);
/* A new one in the client's table; NULL: out of memory. */
struct flow	*flow_new(struct client *, uint64_t id, const struct msg_open *, int fd, struct mapping *);
/* It is connected: it goes to the client, or to relay.c. */
void		flow_opened(struct flow *, const struct addr *local);
/* The address that a socket has here. */
struct addr	flow_local(int fd);
struct via	*client_via(const struct client *);
/* Close and forget it.  abort: the other end of the connection gets a reset. */
void		flow_free(struct flow *, bool abort);

/* ---- control.c ---- */

struct control;

/* Its channel, where the options name one; ends the process where it cannot be used. */
struct control	*control_new(uv_loop_t *, const struct proxy_conf *, struct judge *);
void		 control_hello(struct control *);
bool		 control_is_resolver(const struct control *, const struct addr *);
bool		 control_failed(const struct control *);

/* ---- via.c: by the upstream proxy ---- */

/* NULL: there is none.  Ends the process where it cannot be used. */
struct via	*via_new(uv_loop_t *, const struct proxy_conf *, void (*ready)(void *), void *arg);
void		 via_hello(struct via *);	/* ready follows, when cf-upstream is */
/* Is this one for the proxy? */
bool		 via_takes(const struct via *, const struct client *, const struct msg_open *);
/* Ask for it.  name: what the proxy is told in place of the address, where len > 0. */
void		 via_open(struct client *, uint64_t id, const struct msg_open *, const char *name,
		    size_t len);
void		 via_connected(struct flow *, uint32_t events);	/* its socket to the proxy */
void		 via_forget(struct flow *);	/* before it is freed */
/* To exit with: not 0 where it has gone, or sent garbage.  NULL: there is none. */
int		 via_status(const struct via *);

/* ---- assoc.c: UDP by a SOCKS5 proxy ---- */

void		assoc_init(uv_loop_t *);	/* before the seal */
/*
 * The association that hangs on control_fd, which is taken over.  proxy: where it takes datagrams.
 * Returns the socket that stands for the flow; -1: there is none.
 */
int		assoc_open(struct flow *, int control_fd, const struct addr *proxy,
		    const struct addr *dst, const char *name, size_t len);
void		assoc_free(struct flow *);	/* that of a flow, if it has one */
/*
 * The payload of a datagram that the proxy sent for a flow to dst, borrowed; NULL: it is for
 * another, or for none.
 */
const uint8_t	*assoc_payload(const uint8_t *, size_t, const struct addr *dst, bool named,
		    size_t *len);

extern const struct sandbox_row	assoc_rows[];

/* ---- direct.c ---- */

/*
 * A socket to o->dst.  local_port: where it should come from, 0 for any.  errors: the
 * taker of the socket reads its error queue.  Returns the descriptor, with *connected
 * telling whether it is there yet; or -1, with *no filled.
 */
int		direct_open(const struct msg_open *o, uint16_t local_port, bool errors,
		    bool *connected, struct msg_refused *no);
/* Let later sockets have the same port as this one (portmap.h). */
bool		direct_share_port(int fd);
/* How the connect of a descriptor that epoll told of has ended: 0 or an errno. */
int		direct_result(int fd);
/* Why it has failed: who said so, where it was a router or host. */
void		direct_failure(int fd, uint8_t family, int err, struct msg_refused *no);
/*
 * A SYN that is not meant to arrive (traceroute -T): the answer of the router where its hop limit
 * ends is wanted.  direct_trace_end once it has arrived all the same: on an open connection
 * such errors must not be fatal.
 */
bool		direct_traces(const struct msg_open *);
void		direct_trace_end(int fd, uint8_t family);
/* What the asker is told of an errno of socket(2) or connect(2). */
void		direct_refusal(int err, struct msg_refused *no);

extern const struct sandbox_row	direct_rows[];

/* ---- relay.c ---- */

bool		relay_start(struct flow *);	/* false: out of memory */
/* Frames of the client; they may end the flow. */
void		relay_data(struct flow *, const struct frame *);
void		relay_window(struct flow *, const struct frame *);
void		relay_eof(struct flow *);
void		relay_close(struct flow *, enum close_reason);
/* Its socket is ready. */
void		relay_ready(struct flow *, uint32_t events);
void		relay_free(struct relay *);
/* The destination is lost: say so (to one that still listens), and end the flow. */
void		relay_broken(struct flow *, int err);

extern const struct sandbox_row	relay_rows[];

#endif

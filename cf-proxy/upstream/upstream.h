/*
 * upstream.h - the insides of cf-upstream: what becomes of a connection to a proxy.
 *
 *	dialler ── TUNNEL, with a socket that is connected to the first proxy ──> serve.c
 *		<── TUNNELLED, with the socket, or with one that stands for it ──
 *		<── UNTUNNELLED: why not ──
 *
 * serve.c has the channel, the table of tunnels and the loop; tunnel.c one tunnel's way through
 * the proxies, hop by hop; wire.c the bytes of a tunnel, with or without TLS; pass.c
 * payload where the socket itself cannot be handed over.  http.c, digest.c, hash.c and
 * socks.c are pure.
 *
 * The proxies are not trusted, and what they answer is parsed here and nowhere else: this
 * process has no network, makes no socket but pairs, and can connect nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_H
#define CF_UPSTREAM_H

#include <sys/queue.h>
#include <uv.h>

#include "chan_uv.h"
#include "digest.h"
#include "hops.h"
#include "http.h"
#include "sandbox.h"
#include "socks.h"
#include "tls.h"

#define CHUNK		65536		/* read at once */
#define TUNNELS_MAX	65536

struct upstream;
struct tunnel;

/* A place in the epoll set. */
struct end {
	struct tunnel	*tunnel;
	int		 fd;		/* -1: none */
	bool		 in_set;
	uint32_t	 armed;
};

struct buf {
	uint8_t		*p;
	size_t		 off, len, cap;
};

enum step { STEP_TLS, STEP_HTTP, STEP_SOCKS_METHOD, STEP_SOCKS_AUTH, STEP_SOCKS_REPLY, STEP_PASS };

/* Where a handshake is. */
struct talk {
	size_t		 hop;		/* whom we talk to */
	bool		 used_basic, used_digest;
	struct http_reply http;
	uint8_t		 socks[SOCKS_REPLY_MAX];
	size_t		 socks_len;
};

struct tunnel {
	TAILQ_ENTRY(tunnel) link;	/* of those that are talking, that broke off, or of the dead */
	LIST_ENTRY(tunnel) by_id;
	struct upstream	*up;
	uint64_t	 id;
	uint64_t	 deadline;
	bool		 dead, told;	/* told: the dialler knows no more of it */
	enum step	 step;
	struct end	 net, local;	/* to the proxy; to whom the tunnel is for */
	struct msg_tunnel want;
	char		*name;		/* in place of want.dst; NULL: none */
	struct talk	*talk;		/* NULL when it is open */

	struct tls	*tls[HOPS_MAX];
	size_t		 n_tls;
	struct buf	 out, in;	/* for the socket; plain, and not yet taken */
	bool		 net_eof, local_eof, net_shut, local_shut;
	int		 broken;	/* errno: the proxy broke off, see pass.c */
};

TAILQ_HEAD(tunnels, tunnel);
LIST_HEAD(tunnel_bucket, tunnel);
#define BUCKETS		4096

struct upstream {
	uv_loop_t	 loop;
	uv_timer_t	 tick;
	uv_poll_t	 poll;
	int		 epoll_fd;
	struct chan	*chan;
	struct hops	 hops;
	struct digest	 digest[HOPS_MAX];	/* the last challenge of each */
	uint32_t	 digest_count[HOPS_MAX];	/* how often its nonce was used */
	struct tunnels	 talking, broken, dead;	/* oldest first */
	uv_timer_t	 look;			/* at the broken */
	struct tunnel_bucket by_id[BUCKETS];
	size_t		 n;
	bool		 ending;
	int		 status;
};

extern const struct sandbox_row *const upstream_sandbox[];
extern const struct sandbox_role upstream_role;

/* ---- serve.c ---- */

void		 serve_open(struct upstream *, int proxies_fd, int rfd, int wfd);
int		 serve_run(struct upstream *);
/*
 * Wait for these events of an end, and for none (unless `watch`: then only for that the other side
 * is gone).  false: the kernel would not.
 */
bool		 serve_arm(struct end *, uint32_t events, bool watch);
/* Its talk is over, be it well or not: no time limit any more. */
void		 serve_settled(struct tunnel *);
/* It has broken off: pass_lost() is asked again and again when it may be dropped. */
void		 serve_broken(struct tunnel *);
/* It is freed when all events of this turn are through. */
void		 serve_drop(struct tunnel *);

/* ---- tunnel.c ---- */

void		 tunnel_begin(struct tunnel *);
void		 tunnel_ready(struct tunnel *, uint32_t events);	/* of net, while it talks */
/* Over; the dialler is told.  again: another connection may do better. */
void		 tunnel_fail(struct tunnel *, const char *step, const char *why, int err, bool again);
const char	*tunnel_step(const struct tunnel *);	/* in words */

/* ---- wire.c ---- */

extern const struct sandbox_row	wire_rows[];

/* Append; false: out of memory. */
bool		 buf_add(struct buf *, const void *, size_t);
void		 buf_take(struct buf *, size_t);	/* so much of it is done with */
void		 buf_free(struct buf *);

/* Plain bytes for the innermost; they go out with wire_flush().  false: broken. */
bool		 wire_send(struct tunnel *, const void *, size_t);
/* What TLS itself wants to say. */
bool		 wire_gather(struct tunnel *);
/* As much of `out` as the socket takes; -1 and errno: broken. */
int		 wire_flush(struct tunnel *);
/*
 * Read what has come into t->in (with TLS; else it stays in the socket's own buffer, see
 * wire_peek).  1: something, 0: nothing, -1: broken, with errno, or 0 where TLS is.
 * net_eof is set where it has ended.
 */
int		 wire_recv(struct tunnel *);
/* Look at what has come, up to len, without TLS; as recv(2). */
ssize_t		 wire_peek(struct tunnel *, void *, size_t len);
void		 wire_skip(struct tunnel *, size_t len);

/* ---- pass.c ---- */

extern const struct sandbox_row	pass_rows[];

/* The tunnel is open and has TLS: the descriptor that stands for it, -1 and errno. */
int		 pass_begin(struct tunnel *);
void		 pass_start(struct tunnel *);	/* once the dialler has been told */
void		 pass_ready(struct tunnel *, struct end *, uint32_t events);
bool		 pass_lost(struct tunnel *);	/* true: the dialler has been told, and it is over */

#endif

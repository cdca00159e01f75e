/*
 * stock.h - the ports from which one resolver is asked: which one the next query takes.
 *
 * Who wants to forge an answer has to guess the port that it is awaited on and its 16-bit
 * id (RFC 5452 9.1).  So a query gets a port that none has used before, as long as new ones
 * can be had at a bearable price; in a flood it gets a random one of STOCK_MAX, which go on
 * being replaced, the oldest first:
 *
 *            stock_add        stock_ready        stock_take
 *   (none) ────────────> COMING ────────> FRESH ────────────> USED ─┐ again, in a flood
 *                          └───────────── stock_take ───────────> <─┘
 *
 * Pure: a port here is a place in these lists.  The socket is its owner's (flow.c), and
 * so is what is random.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_STOCK_H
#define CF_DNS_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "addr.h"

#define STOCK_MAX	64		/* of one resolver: a power of two, so that a pick is fair */
#define STOCK_AHEAD	16		/* most that are made before anybody needs them */
#define STOCK_A_TICK	32		/* most that are made ahead in one tick */
#define STOCK_USES	1024		/* queries; then a port is replaced */
#define STOCK_IDLE_MS	5000		/* without a query: then all are given back */

struct stock;

struct port {
	TAILQ_ENTRY(port) link;		/* while COMING or FRESH */
	struct stock	*stock;		/* NULL: in none */
	enum { PORT_COMING, PORT_FRESH, PORT_USED } state;
	unsigned	 uses;
};
TAILQ_HEAD(ports, port);

struct stock {
	struct addr	 server;
	struct ports	 coming, fresh;
	size_t		 ncoming, nfresh, nused;
	struct port	*used[STOCK_MAX];	/* the oldest first */
	unsigned	 takes;		/* since the stock was empty, up to STOCK_AHEAD */
	unsigned	 budget;	/* that may be made ahead until the next tick */
	uint64_t	 last;		/* when one was taken */
};

void		 stock_init(struct stock *, const struct addr *server);
size_t		 stock_size(const struct stock *);

/*
 * The port for the next query: one that is new, or when there are STOCK_MAX and none is new the
 * one that `random` says.  NULL: the caller makes one, stock_add()s it and takes again.
 */
struct port	*stock_take(struct stock *, uint16_t random, uint64_t now);

/* How many to make ahead of need now; they count as made. */
size_t		 stock_refill(struct stock *);
/* What has to be dropped so that there is room for one more; NULL: there is room. */
struct port	*stock_excess(const struct stock *);
/* A port that is being made; there is room.  Then: it is there. */
void		 stock_add(struct stock *, struct port *);
void		 stock_ready(struct port *);
/* It takes no more queries; nothing where it is in no stock. */
void		 stock_drop(struct port *);

/* Any of them, so that all can be dropped; NULL where there is none. */
struct port	*stock_any(const struct stock *);
/* Time passes.  True: nobody has asked for so long that all ports are to be dropped. */
bool		 stock_tick(struct stock *, uint64_t now);

#endif

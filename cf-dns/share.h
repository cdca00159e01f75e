/*
 * share.h - who may ask a listener, and how much of it one client may have.
 *
 * There are two things to share out: queries under way, and TCP connections.  A client gets one
 * more as long as it has fewer than are free.  So one that takes what it can ends up with
 * half, two with a third each, and there is always as much left for the next as the greediest
 * has: nobody is starved, nothing has to be set, and who is alone is hardly held back.
 *
 * A client is an address.  Who can use many (a host on a link with IPv6, or with forged
 * datagrams) is many clients; the sums stay bounded.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_SHARE_H
#define CF_DNS_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "addr.h"
#include "cidr.h"

enum share_kind { SHARE_QUERIES, SHARE_CONNS, SHARE_KINDS };

#define SHARE_BUCKETS	1024

/* What one client has; it exists as long as that is something. */
struct share {
	LIST_ENTRY(share) link;
	struct addr	 client;	/* port 0 */
	size_t		 n[SHARE_KINDS];
};
LIST_HEAD(share_bucket, share);

struct shares {
	uint64_t	 key[2];
	size_t		 most[SHARE_KINDS], total[SHARE_KINDS];
	struct share_bucket bucket[SHARE_BUCKETS];
};

/* False: the kernel has no random bytes. */
bool		 shares_init(struct shares *, size_t queries, size_t conns);
/* One more for this client; NULL: it has its share already (or memory is out). */
struct share	*share_take(struct shares *, const struct addr *client, enum share_kind);
/* And one less.  The share may be gone afterwards. */
void		 share_give(struct shares *, struct share *, enum share_kind);

/* The networks that may ask.  False: why says what is wrong with the text. */
#define CLIENTS_WHY	256
bool		 clients_add(struct cidr_tree *, const char *text, char why[CLIENTS_WHY]);
bool		 clients_have(const struct cidr_tree *, const struct addr *);

#endif

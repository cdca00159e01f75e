/*
 * portmap.c - see portmap.h.
 *
 * A hash table with chains and a fixed number of buckets: both it and its entries are
 * bounded by PORTMAP_MAX.  The hash has a random key, as the tree chooses its ports.  The few
 * addresses that a port can have inside share a chain; one who makes up thousands of them
 * (raw sockets, or a cf-netstack that has fallen) finds the chain full at CHAIN_MAX, which costs
 * those flows nothing but the one port.
 *
 * SPDX-License-Identifier: MIT
 */
#include "portmap.h"

#include <stdlib.h>

#include "siphash.h"

#define BUCKETS		4096		/* a power of two */
#define CHAIN_MAX	64		/* of one bucket; by chance not even a full table gets there */

struct mapping {
	struct mapping	*next;
	struct addr	 src;
	uint16_t	 port;
	unsigned	 refs;		/* flows that use it */
};

struct portmap {
	struct mapping	*bucket[BUCKETS];
	size_t		 n;
	uint64_t	 key[2];
};

struct portmap *
portmap_new(void)
{
	struct portmap *m = calloc(1, sizeof(*m));

	if (m != NULL && !siphash_key(m->key)) {
		free(m);
		return NULL;
	}
	return m;
}

void
portmap_free(struct portmap *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct mapping *p = m->bucket[i], *next; p != NULL; p = next) {
			next = p->next;
			free(p);
		}
	free(m);
}

/* By port only: both families of a socket are in one chain. */
static size_t
bucket_of(const struct portmap *m, const struct addr *src)
{
	const uint64_t port = src->port;

	return siphash_words(m->key, &port, 1) % BUCKETS;
}

struct mapping *
portmap_hold(struct portmap *m, const struct addr *src)
{
	for (struct mapping *p = m->bucket[bucket_of(m, src)]; p != NULL; p = p->next)
		if (addr_equal(&p->src, src)) {
			p->refs++;
			return p;
		}
	return NULL;
}

uint16_t
portmap_hint(const struct portmap *m, const struct addr *src)
{
	for (const struct mapping *p = m->bucket[bucket_of(m, src)]; p != NULL; p = p->next)
		if (p->src.port == src->port && p->src.family != src->family)
			return p->port;
	return 0;
}

static size_t
chain_len(const struct mapping *p)
{
	size_t n = 0;

	for (; p != NULL; p = p->next)
		n++;
	return n;
}

struct mapping *
portmap_add(struct portmap *m, const struct addr *src, uint16_t port)
{
	struct mapping **head = &m->bucket[bucket_of(m, src)], *p;

	if (m->n >= PORTMAP_MAX || chain_len(*head) >= CHAIN_MAX || (p = malloc(sizeof(*p))) == NULL)
		return NULL;
	*p = (struct mapping){ .next = *head, .src = *src, .port = port, .refs = 1 };
	*head = p;
	m->n++;
	return p;
}

void
portmap_drop(struct portmap *m, struct mapping *gone)
{
	struct mapping **p;

	if (gone == NULL || --gone->refs > 0)
		return;
	for (p = &m->bucket[bucket_of(m, &gone->src)]; *p != gone; p = &(*p)->next)
		;
	*p = gone->next;
	m->n--;
	free(gone);
}

uint16_t
mapping_port(const struct mapping *p)
{
	return p != NULL ? p->port : 0;
}

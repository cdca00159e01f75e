/*
 * portmap.c - see portmap.h.
 *
 * A hash table with chains and a fixed number of buckets: both it and its entries are
 * bounded by PORTMAP_MAX.  The hash has a random key, as the tree chooses its ports; the few
 * addresses that a port can have inside share a chain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "portmap.h"

#include <stdlib.h>
#include <sys/random.h>

#define BUCKETS		4096		/* a power of two */

struct mapping {
	struct mapping	*next;
	struct addr	 src;
	uint16_t	 port;
	unsigned	 refs;		/* flows that use it */
};

struct portmap {
	struct mapping	*bucket[BUCKETS];
	size_t		 n;
	uint64_t	 key;
};

struct portmap *
portmap_new(void)
{
	struct portmap *m = calloc(1, sizeof(*m));

	if (m != NULL && getrandom(&m->key, sizeof(m->key), 0) != sizeof(m->key)) {
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
	uint64_t h = (m->key ^ src->port) * 0xff51afd7ed558ccd;

	return (h ^ h >> 33) % BUCKETS;
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

struct mapping *
portmap_add(struct portmap *m, const struct addr *src, uint16_t port)
{
	struct mapping **head = &m->bucket[bucket_of(m, src)], *p;

	if (m->n >= PORTMAP_MAX || (p = malloc(sizeof(*p))) == NULL)
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

/*
 * portmap.c - see portmap.h.
 *
 * A hash table with chains and a fixed number of buckets: both it and its entries are
 * bounded by PORTMAP_MAX.  The hash has a random key, as the tree chooses its ports.
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

static struct mapping **
bucket_of(struct portmap *m, const struct addr *src)
{
	uint64_t h = m->key ^ src->port;

	for (size_t i = 0; i < addr_iplen(src); i++)
		h = (h ^ src->ip[i]) * 0x100000001b3;		/* FNV-1a, from a random start */
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	return &m->bucket[(h ^ h >> 33) % BUCKETS];
}

struct mapping *
portmap_hold(struct portmap *m, const struct addr *src)
{
	for (struct mapping *p = *bucket_of(m, src); p != NULL; p = p->next)
		if (addr_equal(&p->src, src)) {
			p->refs++;
			return p;
		}
	return NULL;
}

struct mapping *
portmap_add(struct portmap *m, const struct addr *src, uint16_t port)
{
	struct mapping **head = bucket_of(m, src), *p;

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
	for (p = bucket_of(m, &gone->src); *p != gone; p = &(*p)->next)
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

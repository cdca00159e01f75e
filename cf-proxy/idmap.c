/*
 * idmap.c - see idmap.h.
 *
 * Open addressing with linear probing, at most half full; taking out moves later
 * entries of the run back, so there are no tombstones and a lookup ends at a free slot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "idmap.h"

#include <stdlib.h>

#include "siphash.h"

#define CAP_FIRST	256

struct idmap_slot {
	uint64_t	 id;		/* 0: free */
	void		*value;
};

/* Where id would like to be. */
static size_t
place(const struct idmap *m, uint64_t id)
{
	return (size_t)siphash_words(m->key, &id, 1) & (m->cap - 1);
}

/* The slot that holds id, or the free one where it would go. */
static size_t
find(const struct idmap *m, uint64_t id)
{
	size_t i = place(m, id);

	while (m->slots[i].id != 0 && m->slots[i].id != id)
		i = (i + 1) & (m->cap - 1);
	return i;
}

bool
idmap_init(struct idmap *m)
{
	*m = (struct idmap){ .cap = CAP_FIRST };
	if (!siphash_key(m->key))
		return false;
	m->slots = calloc(m->cap, sizeof(*m->slots));
	return m->slots != NULL;
}

void
idmap_done(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){ 0 };
}

void *
idmap_get(const struct idmap *m, uint64_t id)
{
	return m->slots[find(m, id)].value;
}

static bool
grow(struct idmap *m)
{
	struct idmap old = *m;

	m->slots = calloc(old.cap * 2, sizeof(*m->slots));
	if (m->slots == NULL) {
		*m = old;
		return false;
	}
	m->cap = old.cap * 2;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].id != 0)
			m->slots[find(m, old.slots[i].id)] = old.slots[i];
	free(old.slots);
	return true;
}

bool
idmap_put(struct idmap *m, uint64_t id, void *value)
{
	if (m->n >= m->cap / 2 && !grow(m))
		return false;
	m->slots[find(m, id)] = (struct idmap_slot){ .id = id, .value = value };
	m->n++;
	return true;
}

void *
idmap_take(struct idmap *m, uint64_t id)
{
	size_t mask = m->cap - 1, hole = find(m, id), i = hole;
	void *value = m->slots[hole].value;

	if (value == NULL)
		return NULL;
	m->n--;
	for (;;) {
		i = (i + 1) & mask;
		if (m->slots[i].id == 0)
			break;
		/* It may move back to the hole if that is not before its own place. */
		if (((i - place(m, m->slots[i].id)) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){ 0 };
	return value;
}

/*
 * A slot that was emptied may hold a later entry now, so *at stays where it is; what
 * wrapped around the end was taken first.
 */
void *
idmap_pop(struct idmap *m, size_t *at)
{
	for (; *at < m->cap; (*at)++)
		if (m->slots[*at].id != 0)
			return idmap_take(m, m->slots[*at].id);
	return NULL;
}

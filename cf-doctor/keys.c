/*
 * keys.c - different strings, up to a number of them, as 0, 1, 2, ...
 *
 * A hash table with linear probing, at most half full.  The seed makes it unlikely that
 * somebody fills one chain; the bound on keys makes it harmless where he does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "summary.h"

bool
keys_init(struct keys *k, size_t max)
{
	size_t slots = 2;

	while (slots < 2 * max)
		slots *= 2;
	*k = (struct keys){ .max = max, .mask = slots - 1,
	    .text = calloc(max, sizeof(*k->text)), .slot = calloc(slots, sizeof(*k->slot)) };
	if (getrandom(&k->seed, sizeof(k->seed), GRND_NONBLOCK) != sizeof(k->seed))
		k->seed = 0;
	return k->text != NULL && k->slot != NULL;
}

void
keys_done(struct keys *k)
{
	for (size_t i = 0; i < k->n; i++)
		free(k->text[i]);
	free(k->text);
	free(k->slot);
	*k = (struct keys){ 0 };
}

/* FNV-1a from a seed. */
static uint32_t
hash(const struct keys *k, const char *text)
{
	uint32_t h = 2166136261u ^ k->seed;

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h ^ h >> 15;
}

int
keys_add(struct keys *k, const char *text)
{
	size_t at = hash(k, text) & k->mask;

	for (; k->slot[at] != 0; at = (at + 1) & k->mask)
		if (strcmp(k->text[k->slot[at] - 1], text) == 0)
			return (int)k->slot[at] - 1;
	if (k->n == k->max || (k->text[k->n] = strdup(text)) == NULL) {
		k->other++;
		return -1;
	}
	k->slot[at] = (uint32_t)++k->n;
	return (int)k->n - 1;
}

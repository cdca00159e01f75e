/*
 * keys.c - different strings, up to a number of them, as 0, 1, 2, ...
 *
 * A hash table with linear probing, at most half full; the hash is keyed, as the strings come
 * from the command tree.
 *
 * When it is full, the half that was seen least is let go.  `floor` is the most that one of
 * those may have been seen; a string that comes (again) after that may therefore have been seen
 * up to so often before it is counted: its count is exact while floor is 0, and too low by
 * at most floor else.  With n numbers floor is at most some 2/n of all that was seen, so what is
 * frequent is always there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "siphash.h"
#include "summary.h"

bool
keys_init(struct keys *k, size_t max)
{
	size_t slots = 2;

	while (slots < 2 * max)
		slots *= 2;
	*k = (struct keys){ .max = max, .mask = slots - 1,
	    .text = calloc(max, sizeof(*k->text)), .slot = calloc(slots, sizeof(*k->slot)),
	    .hash = calloc(max, sizeof(*k->hash)), .seen = calloc(max, sizeof(*k->seen)),
	    .before = calloc(max, sizeof(*k->before)), .gone = calloc(max, sizeof(*k->gone)),
	    .vacant = calloc(max, sizeof(*k->vacant)) };
	if (getrandom(k->seed, sizeof(k->seed), GRND_NONBLOCK) != sizeof(k->seed))
		memset(k->seed, 0, sizeof(k->seed));
	return k->text != NULL && k->slot != NULL && k->hash != NULL && k->seen != NULL &&
	    k->before != NULL && k->gone != NULL && k->vacant != NULL;
}

void
keys_done(struct keys *k)
{
	for (size_t i = 0; k->text != NULL && i < k->n; i++)
		free(k->text[i]);
	free(k->text);
	free(k->slot);
	free(k->hash);
	free(k->seen);
	free(k->before);
	free(k->gone);
	free(k->vacant);
	*k = (struct keys){ 0 };
}

static void
slot_take(struct keys *k, size_t number)
{
	size_t at = k->hash[number] & k->mask;

	while (k->slot[at] != 0)
		at = (at + 1) & k->mask;
	k->slot[at] = (uint32_t)number + 1;
}

/* ---- when it is full ---- */

static uint64_t
weight(const struct keys *k, size_t i)
{
	return k->before[i] + k->seen[i];
}

static int
weight_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What half of the strings do not exceed; false when memory is out. */
static bool
middle(const struct keys *k, uint64_t *out)
{
	uint64_t *all = calloc(k->max, sizeof(*all));

	if (all == NULL)
		return false;
	for (size_t i = 0; i < k->max; i++)
		all[i] = weight(k, i);
	qsort(all, k->max, sizeof(*all), weight_order);
	*out = all[k->max / 2];
	free(all);
	return true;
}

static void
drop(struct keys *k, size_t i)
{
	k->other += k->seen[i];
	k->gone[i] = true;
	free(k->text[i]);
	k->text[i] = NULL;
	k->vacant[k->nvacant++] = (uint32_t)i;
}

static bool
make_room(struct keys *k)
{
	uint64_t most;
	size_t want = k->max / 2 > 0 ? k->max / 2 : 1;

	if (!middle(k, &most))
		return false;
	memset(k->gone, 0, k->max * sizeof(*k->gone));
	for (size_t i = 0; i < k->max; i++)
		if (weight(k, i) < most)
			drop(k, i);
	for (size_t i = 0; i < k->max && k->nvacant < want; i++)
		if (!k->gone[i] && weight(k, i) == most)
			drop(k, i);
	if (most > k->floor)
		k->floor = most;
	memset(k->slot, 0, (k->mask + 1) * sizeof(*k->slot));
	for (size_t i = 0; i < k->max; i++)
		if (k->text[i] != NULL)
			slot_take(k, i);
	if (k->on_drop != NULL)
		k->on_drop(k->owner, k);
	return true;
}

/* A number for a string that is not there yet; -1: no memory. */
static int
number_new(struct keys *k, const char *text, size_t len, uint32_t hash)
{
	char *copy;
	size_t i;

	if (k->nvacant == 0 && k->n == k->max && !make_room(k))
		return -1;
	if ((copy = malloc(len + 1)) == NULL)
		return -1;
	memcpy(copy, text, len + 1);
	i = k->nvacant > 0 ? k->vacant[--k->nvacant] : k->n++;
	k->text[i] = copy;
	k->hash[i] = hash;
	k->seen[i] = 1;
	k->before[i] = k->floor;
	slot_take(k, i);
	return (int)i;
}

static int
find(const struct keys *k, const char *text, uint32_t hash)
{
	size_t i;

	for (size_t at = hash & k->mask; k->slot[at] != 0; at = (at + 1) & k->mask) {
		i = k->slot[at] - 1;
		if (k->hash[i] == hash && strcmp(k->text[i], text) == 0)
			return (int)i;
	}
	return -1;
}

int
keys_find(const struct keys *k, const char *text)
{
	return find(k, text, (uint32_t)siphash(k->seed, text, strlen(text)));
}

int
keys_add(struct keys *k, const char *text)
{
	size_t len = strlen(text);
	uint32_t hash = (uint32_t)siphash(k->seed, text, len);
	int number = find(k, text, hash);

	if (number >= 0)
		k->seen[number]++;
	else if ((number = number_new(k, text, len, hash)) == -1)
		k->other++;
	return number;
}

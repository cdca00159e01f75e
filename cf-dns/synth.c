/*
 * synth.c - see synth.h.
 *
 *   slots: open addressing over numbers, keyed hash of the name, at most half full
 *   names: by number
 *   reals: one place for each (number, family) modulo its size
 *
 * SPDX-License-Identifier: MIT
 */
#include "synth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "siphash.h"

#define SLOTS_FIRST	512

struct real {
	uint32_t	number;		/* 0: free */
	uint8_t		family, n;
	uint64_t	until;
	uint8_t		ip[SYNTH_ADDRS][16];
};

struct synth {
	uint8_t		 key[SIPHASH_KEY_LEN];
	uint32_t	*slots;
	size_t		 n_slots;
	char		**names;	/* [0] is nobody's */
	size_t		 room;		/* in names */
	uint32_t	 last;		/* number */
	size_t		 bytes;
	struct real	 reals[SYNTH_REALS];
};

struct synth *
synth_new(void)
{
	struct synth *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->n_slots = SLOTS_FIRST;
	s->room = SLOTS_FIRST / 2;
	s->slots = calloc(s->n_slots, sizeof(*s->slots));
	s->names = calloc(s->room, sizeof(*s->names));
	if (s->slots == NULL || s->names == NULL ||
	    getrandom(s->key, sizeof(s->key), 0) != (ssize_t)sizeof(s->key)) {
		synth_free(s);
		return NULL;
	}
	return s;
}

void
synth_free(struct synth *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 1; i <= s->last; i++)
		free(s->names[i]);
	free(s->names);
	free(s->slots);
	free(s);
}

/* The slot of the name, or the free one where it would go. */
static size_t
slot_of(const struct synth *s, const char *name)
{
	size_t i = (size_t)siphash(s->key, name, strlen(name)) & (s->n_slots - 1);

	while (s->slots[i] != 0 && strcmp(s->names[s->slots[i]], name) != 0)
		i = (i + 1) & (s->n_slots - 1);
	return i;
}

uint32_t
synth_find(const struct synth *s, const char *name)
{
	return s->slots[slot_of(s, name)];
}

const char *
synth_name(const struct synth *s, uint32_t number)
{
	return number > 0 && number <= s->last ? s->names[number] : NULL;
}

/* Twice the room; what is there keeps its number. */
static bool
grow(struct synth *s)
{
	uint32_t *old = s->slots, *slots = calloc(2 * s->n_slots, sizeof(*slots));
	char **names = reallocarray(s->names, 2 * s->room, sizeof(*names));

	if (names != NULL)
		s->names = names;
	if (slots == NULL || names == NULL) {
		free(slots);
		return false;
	}
	s->slots = slots;
	s->n_slots *= 2;
	s->room *= 2;
	for (uint32_t i = 1; i <= s->last; i++)
		s->slots[slot_of(s, s->names[i])] = i;
	free(old);
	return true;
}

uint32_t
synth_number(struct synth *s, const char *name, bool *fresh)
{
	size_t len = strlen(name), slot = slot_of(s, name);
	char *copy;

	*fresh = false;
	if (s->slots[slot] != 0)
		return s->slots[slot];
	if (s->last == SYNTHETIC_MAX || s->bytes + len + 1 > SYNTH_BYTES ||
	    (s->last + 1 == s->room && !grow(s)) || (copy = strdup(name)) == NULL)
		return 0;
	*fresh = true;
	s->bytes += len + 1;
	s->names[++s->last] = copy;
	s->slots[slot_of(s, name)] = s->last;
	return s->last;
}

/* ---- real addresses ---- */

static size_t
real_of(uint32_t number, uint8_t family)
{
	return (2 * (size_t)number + (family == 6)) % SYNTH_REALS;
}

void
synth_keep(struct synth *s, uint32_t number, uint8_t family, const struct addr *addrs, size_t n,
    uint64_t until_ms)
{
	struct real *r = &s->reals[real_of(number, family)];

	*r = (struct real){ .number = number, .family = family, .until = until_ms };
	for (size_t i = 0; i < n && r->n < SYNTH_ADDRS; i++)
		if (addrs[i].family == family)
			memcpy(r->ip[r->n++], addrs[i].ip, sizeof(r->ip[0]));
}

size_t
synth_real(const struct synth *s, uint32_t number, uint8_t family, uint64_t now_ms, struct addr *out)
{
	const struct real *r = &s->reals[real_of(number, family)];

	if (number == 0 || r->number != number || r->family != family || r->until <= now_ms)
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		out[i] = (struct addr){ .family = family };
		memcpy(out[i].ip, r->ip[i], sizeof(out[i].ip));
	}
	return r->n;
}

/* ---- reverse names ---- */

/* "4.3.2.1.in-addr.arpa" (RFC 1035 3.5) */
static bool
reverse4(const char *name, struct addr *a)
{
	unsigned v[4];
	int n = 0;
	char again[64];

	if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", &v[3], &v[2], &v[1], &v[0], &n) != 4 ||
	    n == 0 || name[n] != '\0')
		return false;
	/* One address has one reverse name: no leading zeroes. */
	snprintf(again, sizeof(again), "%u.%u.%u.%u.in-addr.arpa", v[3], v[2], v[1], v[0]);
	*a = (struct addr){ .family = 4 };
	for (int i = 0; i < 4; i++) {
		if (v[i] > 255)
			return false;
		a->ip[i] = (uint8_t)v[i];
	}
	return strcmp(again, name) == 0;
}

/* 32 times a hexadecimal digit and a dot, the last digit first, then "ip6.arpa" (RFC 3596 2.5) */
static bool
reverse6(const char *name, struct addr *a)
{
	static const char digits[] = "0123456789abcdef";
	const char *at;

	if (strlen(name) != 64 + strlen("ip6.arpa") || strcmp(name + 64, "ip6.arpa") != 0)
		return false;
	*a = (struct addr){ .family = 6 };
	for (size_t i = 0; i < 32; i++) {
		if ((at = strchr(digits, name[2 * i])) == NULL || name[2 * i + 1] != '.')
			return false;
		a->ip[15 - i / 2] |= (uint8_t)((at - digits) << (i % 2 * 4));
	}
	return true;
}

bool
synth_reverse_addr(const char *name, struct addr *a)
{
	return reverse4(name, a) || reverse6(name, a);
}

bool
synth_reverse(const char *name, uint32_t *number)
{
	struct addr a;

	if (!synth_reverse_addr(name, &a) || !synthetic_is(&a))
		return false;
	*number = synthetic_number(&a);
	return true;
}

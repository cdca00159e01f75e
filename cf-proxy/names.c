/*
 * names.c - see names.h.
 *
 *   bucket[hash of address] ──> at ──> name, name, ...     newest first
 *                               at ──> name
 *
 * Names that may go are in one more list, by age: those that no flow holds and that are no
 * pins.  So who has to go is at its head, however many there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "siphash.h"
#include "synthetic.h"

#define BUCKETS		16384
#define LOOK_AT		16		/* so many of the oldest are looked at for one that expired */

struct at;

struct name_at {
	TAILQ_ENTRY(name_at) link;	/* of its address */
	TAILQ_ENTRY(name_at) age;	/* only where it may go */
	struct at	*at;
	uint64_t	 until;
	uint32_t	 held;
	uint32_t	 len;
	char		 text[];
};
TAILQ_HEAD(name_list, name_at);

/* An address that has names. */
struct at {
	LIST_ENTRY(at)	 link;
	struct addr	 addr;
	struct name_list names;
	size_t		 n;		/* pins left out */
};
LIST_HEAD(at_list, at);

struct names {
	uint64_t	 key[2];
	uint64_t	 now;
	struct at_list	 bucket[BUCKETS];
	struct name_list by_age;	/* oldest first */
	size_t		 count, bytes;
	size_t		 pin_bytes;
	char		**made_up;	/* by number */
	size_t		 n_made_up;	/* room in it */
	size_t		 made_up_bytes;
};

struct names *
names_new(void)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	if (!siphash_key(n->key)) {
		free(n);
		return NULL;
	}
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&n->bucket[i]);
	TAILQ_INIT(&n->by_age);
	return n;
}

void
names_clock(struct names *n, uint64_t now_ms)
{
	n->now = now_ms;
}

size_t
names_count(const struct names *n)
{
	return n->count;
}

size_t
names_bytes(const struct names *n)
{
	return n->bytes;
}

/* ---- addresses ---- */

static struct at_list *
bucket_of(struct names *n, const struct addr *a)
{
	uint64_t words[3] = { a->family };

	memcpy(words + 1, a->ip, addr_iplen(a));
	return &n->bucket[siphash_words(n->key, words, 3) % BUCKETS];
}

static struct at *
at_find(struct names *n, const struct addr *a)
{
	struct at *at;

	LIST_FOREACH(at, bucket_of(n, a), link)
		if (at->addr.family == a->family &&
		    memcmp(at->addr.ip, a->ip, addr_iplen(a)) == 0)
			return at;
	return NULL;
}

static struct at *
at_new(struct names *n, const struct addr *a)
{
	struct at *at = calloc(1, sizeof(*at));

	if (at == NULL)
		return NULL;
	at->addr = *a;
	TAILQ_INIT(&at->names);
	LIST_INSERT_HEAD(bucket_of(n, a), at, link);
	n->bytes += sizeof(*at);
	return at;
}

/* ---- names ---- */

static bool
is_pin(const struct name_at *name)
{
	return name->until == NAMES_EVER;
}

static bool
may_go(const struct name_at *name)
{
	return name->held == 0 && !is_pin(name);
}

static bool
is_over(const struct names *n, const struct name_at *name)
{
	return may_go(name) && name->until <= n->now;
}

static size_t
size_of(const struct name_at *name)
{
	return sizeof(*name) + name->len + 1;
}

/* Forget a name that may go, and its address with its last name. */
static void
forget(struct names *n, struct name_at *name)
{
	struct at *at = name->at;

	TAILQ_REMOVE(&n->by_age, name, age);
	TAILQ_REMOVE(&at->names, name, link);
	at->n--;
	n->count--;
	n->bytes -= size_of(name);
	free(name);
	if (TAILQ_EMPTY(&at->names)) {
		LIST_REMOVE(at, link);
		n->bytes -= sizeof(*at);
		free(at);
	}
}

/* Who has to go for another one; NULL: all are held, or pins. */
static struct name_at *
next_to_go(struct names *n)
{
	struct name_at *name = TAILQ_FIRST(&n->by_age);

	/* The analyser does not see TAILQ_REMOVE() take the first one away. */
	for (size_t i = 0; i < LOOK_AT && name != NULL; i++, name = TAILQ_NEXT(name, age))
		if (is_over(n, name))	/* NOLINT(clang-analyzer-unix.Malloc) */
			return name;
	return TAILQ_FIRST(&n->by_age);
}

/* Room for one more name of so many bytes, at an address that may be new as well. */
static bool
room_make(struct names *n, size_t size)
{
	struct name_at *name;

	while (n->count >= NAMES_MAX || n->bytes + size + sizeof(struct at) > NAMES_BYTES) {
		if ((name = next_to_go(n)) == NULL)
			return false;
		forget(n, name);
	}
	return true;
}

/* One more at this address.  What may go is oldest at the end of its list. */
static bool
room_make_at(struct names *n, const struct addr *a)
{
	struct at *at = at_find(n, a);
	struct name_at *name;

	if (at == NULL || at->n < NAMES_AT)
		return true;
	TAILQ_FOREACH_REVERSE(name, &at->names, name_list, link)
		if (may_go(name)) {
			forget(n, name);
			return true;
		}
	return false;
}

static struct name_at *
find(struct names *n, const struct addr *a, const char *text, size_t len)
{
	struct at *at = at_find(n, a);
	struct name_at *name = NULL;

	if (at != NULL)
		TAILQ_FOREACH(name, &at->names, link)
			if (name->len == len && memcmp(name->text, text, len) == 0)
				break;
	return name;
}

/* It is the newest of its address, and of all that may go. */
static void
renew(struct names *n, struct name_at *name, uint64_t until)
{
	if (is_pin(name))
		return;
	if (name->held == 0)
		TAILQ_REMOVE(&n->by_age, name, age);
	TAILQ_REMOVE(&name->at->names, name, link);
	TAILQ_INSERT_HEAD(&name->at->names, name, link);
	if (until > name->until)
		name->until = until;
	if (may_go(name))
		TAILQ_INSERT_TAIL(&n->by_age, name, age);
}

static struct name_at *
name_new(struct at *at, const char *text, size_t len, uint64_t until)
{
	struct name_at *name = malloc(sizeof(*name) + len + 1);

	if (name == NULL)
		return NULL;
	*name = (struct name_at){ .at = at, .until = until, .len = (uint32_t)len };
	memcpy(name->text, text, len);
	name->text[len] = '\0';
	return name;
}

static bool
pin_add(struct names *n, const struct addr *a, const char *text, size_t len)
{
	struct at *at = at_find(n, a);
	size_t size = sizeof(struct name_at) + sizeof(struct at) + len + 1;
	struct name_at *name;

	if (n->pin_bytes + size > NAMES_BYTES / 2 || n->count >= NAMES_MAX / 2)
		return false;
	if ((at == NULL && (at = at_new(n, a)) == NULL) ||
	    (name = name_new(at, text, len, NAMES_EVER)) == NULL)
		return false;
	TAILQ_INSERT_TAIL(&at->names, name, link);
	n->pin_bytes += size;
	n->count++;
	n->bytes += size_of(name);
	return true;
}

bool
names_add(struct names *n, const struct addr *a, const char *text, size_t len, uint64_t until_ms)
{
	struct name_at *name = find(n, a, text, len);
	struct at *at;

	if (name != NULL) {
		renew(n, name, until_ms);
		return true;
	}
	if (until_ms == NAMES_EVER)
		return pin_add(n, a, text, len);
	if (!room_make_at(n, a) || !room_make(n, sizeof(*name) + len + 1))
		return false;
	if ((at = at_find(n, a)) == NULL && (at = at_new(n, a)) == NULL)
		return false;
	if ((name = name_new(at, text, len, until_ms)) == NULL) {
		if (TAILQ_EMPTY(&at->names)) {
			LIST_REMOVE(at, link);
			n->bytes -= sizeof(*at);
			free(at);
		}
		return false;
	}
	TAILQ_INSERT_HEAD(&at->names, name, link);
	TAILQ_INSERT_TAIL(&n->by_age, name, age);
	at->n++;
	n->count++;
	n->bytes += size_of(name);
	return true;
}

/* ---- asking ---- */

size_t
names_of(struct names *n, const struct addr *a, const char **out, size_t max)
{
	const struct at *at = at_find(n, a);
	struct name_at *name;
	size_t count = 0;

	if (at != NULL)
		TAILQ_FOREACH(name, &at->names, link)
			if (!is_over(n, name) && count < max)
				out[count++] = name->text;
	return count;
}

bool
names_pinned(struct names *n, const struct addr *a)
{
	const struct at *at = at_find(n, a);
	const struct name_at *name;

	if (at != NULL)
		TAILQ_FOREACH(name, &at->names, link)
			if (name->until == NAMES_EVER)
				return true;
	return false;
}

bool
names_have(struct names *n, const struct addr *a, const char *text)
{
	const struct name_at *name = find(n, a, text, strlen(text));

	return name != NULL && !is_over(n, name);
}

size_t
names_hold(struct names *n, const struct addr *a, struct name_at **out, size_t max)
{
	const struct at *at = at_find(n, a);
	struct name_at *name;
	size_t count = 0;

	if (at == NULL)
		return 0;
	TAILQ_FOREACH(name, &at->names, link) {
		if (is_over(n, name) || count == max)
			continue;
		if (may_go(name))
			TAILQ_REMOVE(&n->by_age, name, age);
		name->held++;
		out[count++] = name;
	}
	return count;
}

/* From here on it is as old as one that was given just now. */
void
names_release(struct names *n, struct name_at *name)
{
	name->held--;
	if (may_go(name))
		TAILQ_INSERT_TAIL(&n->by_age, name, age);
}

const char *
names_text(const struct name_at *name)
{
	return name->text;
}

/* ---- made-up addresses ---- */

const char *
names_made_up(const struct names *n, uint32_t number)
{
	return number < n->n_made_up ? n->made_up[number] : NULL;
}

static bool
made_up_grow(struct names *n, uint32_t number)
{
	size_t room = n->n_made_up == 0 ? 256 : n->n_made_up;
	char **more;

	if (number < n->n_made_up)
		return true;
	while (room <= number)
		room *= 2;
	if ((more = reallocarray(n->made_up, room, sizeof(*more))) == NULL)
		return false;
	memset(more + n->n_made_up, 0, (room - n->n_made_up) * sizeof(*more));
	n->made_up = more;
	n->n_made_up = room;
	return true;
}

bool
names_make_up(struct names *n, uint32_t number, const char *text, size_t len)
{
	const char *old = names_made_up(n, number);

	if (old != NULL)
		return strlen(old) == len && memcmp(old, text, len) == 0;
	if (number == 0 || number > SYNTHETIC_MAX ||
	    n->made_up_bytes + len + 1 > NAMES_MADE_UP_BYTES || !made_up_grow(n, number) ||
	    (n->made_up[number] = strndup(text, len)) == NULL)
		return false;
	n->made_up_bytes += len + 1;
	return true;
}

void
names_free(struct names *n)
{
	struct name_at *name;
	struct at *at;

	if (n == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((at = LIST_FIRST(&n->bucket[i])) != NULL) {
			while ((name = TAILQ_FIRST(&at->names)) != NULL) {
				TAILQ_REMOVE(&at->names, name, link);
				free(name);
			}
			LIST_REMOVE(at, link);
			free(at);
		}
	for (size_t i = 0; i < n->n_made_up; i++)
		free(n->made_up[i]);
	free(n->made_up);
	free(n);
}

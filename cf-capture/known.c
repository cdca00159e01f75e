/*
 * known.c - see known.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "known.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "siphash.h"

#define BUCKETS		4096

LIST_HEAD(bucket, known);
struct known_table {
	uint64_t	 key[2];
	size_t		 n;
	TAILQ_HEAD(known_list, known) all, ended;	/* oldest first */
	struct bucket	 tuple[BUCKETS], id[BUCKETS];
};

struct known_table *
known_new(void)
{
	struct known_table *t = calloc(1, sizeof(*t));

	if (t == NULL || !siphash_key(t->key)) {
		free(t);
		return NULL;
	}
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->ended);
	return t;
}

static void
forget(struct known_table *t, struct known *k)
{
	if (k->until != 0)
		TAILQ_REMOVE(&t->ended, k, all);
	else
		TAILQ_REMOVE(&t->all, k, all);
	LIST_REMOVE(k, by_tuple);
	LIST_REMOVE(k, by_id);
	free(k->comment);
	free(k);
	t->n--;
}

/* Of those that have ended, if there is one. */
static struct known *
oldest(const struct known_table *t)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see through TAILQ_REMOVE */
	return TAILQ_EMPTY(&t->ended) ? TAILQ_FIRST(&t->all) : TAILQ_FIRST(&t->ended);
}

void
known_free(struct known_table *t)
{
	struct known *k;

	while (t != NULL && (k = oldest(t)) != NULL)
		forget(t, k);
	free(t);
}

static struct bucket *
tuple_bucket(struct known_table *t, const struct tuple *u)
{
	uint64_t w[5] = { (uint64_t)u->proto << 32 | (uint64_t)u->src.port << 16 | u->dst.port };

	memcpy(&w[1], u->src.ip, 16);
	memcpy(&w[3], u->dst.ip, 16);
	return &t->tuple[siphash_words(t->key, w, 5) % BUCKETS];
}

static struct bucket *
id_bucket(struct known_table *t, uint64_t id)
{
	return &t->id[id % BUCKETS];	/* they count up */
}

struct known *
known_find(struct known_table *t, const struct tuple *u)
{
	struct known *k;

	LIST_FOREACH(k, tuple_bucket(t, u), by_tuple)	/* the newest is the first */
		if (tuple_equal(&k->tuple, u))
			return k;
	return NULL;
}

static struct known *
find_id(struct known_table *t, uint64_t id)
{
	struct known *k;

	LIST_FOREACH(k, id_bucket(t, id), by_id)
		if (k->id == id)
			return k;
	return NULL;
}

void
known_end(struct known_table *t, uint64_t id, uint64_t until_ns)
{
	struct known *k = find_id(t, id);

	if (k == NULL || k->until != 0)
		return;
	TAILQ_REMOVE(&t->all, k, all);
	k->until = until_ns;
	TAILQ_INSERT_TAIL(&t->ended, k, all);
}

void
known_expire(struct known_table *t, uint64_t now_ns)
{
	struct known *k;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see through TAILQ_REMOVE */
	while ((k = TAILQ_FIRST(&t->ended)) != NULL && k->until <= now_ns)
		forget(t, k);
}

static struct known *
add(struct known_table *t, uint64_t id, const struct msg_flow *m)
{
	struct known *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	if (t->n == KNOWN_MAX)
		forget(t, oldest(t));
	*k = (struct known){ .id = id, .tuple = { m->proto, m->src, m->dst } };
	if (m->proto != IPPROTO_TCP && m->proto != IPPROTO_UDP)
		k->tuple.dst.port = 0;	/* echo has none */
	TAILQ_INSERT_TAIL(&t->all, k, all);
	LIST_INSERT_HEAD(tuple_bucket(t, &k->tuple), k, by_tuple);
	LIST_INSERT_HEAD(id_bucket(t, id), k, by_id);
	t->n++;
	return k;
}

/* Words that come from elsewhere: nothing that a terminal would obey. */
static char *
words_take(const char *words, size_t len)
{
	char raw[MSG_FLOW_TAIL + 1], shown[4 * MSG_FLOW_TAIL + 8];

	memcpy(raw, words, len);
	raw[len] = '\0';
	return strdup(log_escape(shown, sizeof(shown), raw));
}

static void
process_take(struct known *k, const struct msg_flow *m, const char *comm)
{
	char raw[COMM_LEN] = "", shown[4 * COMM_LEN + 8];
	size_t len = m->comm_len < sizeof(raw) ? m->comm_len : sizeof(raw) - 1;

	memcpy(raw, comm, len);
	log_escape(shown, sizeof(shown), raw);
	k->pid = m->pid;
	memcpy(k->comm, shown, sizeof(k->comm) - 1);
}

void
known_tell(struct known_table *t, uint64_t id, const struct msg_flow *m, const char *words,
    size_t len)
{
	struct known *k = find_id(t, id);

	if (k == NULL && (m->src.family == 0 || (k = add(t, id, m)) == NULL))
		return;
	k->state = m->state;
	if (m->state == FLOW_IS_OPEN)
		k->local = m->local;
	if (m->pid != 0)
		process_take(k, m, words);
	if (len > m->comm_len && k->views == 0) {
		free(k->comment);
		k->comment = words_take(words + m->comm_len, len - m->comm_len);
	}
}

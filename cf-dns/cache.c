/*
 * cache.c - see cache.h.
 *
 * On one side is the tree, which asks; on the other who answers, and either may be hostile.
 * An answer is kept without its OPT record, which is of one hop (RFC 6891 6.2.6), and
 * without the AA bit, as from here nothing is authoritative.
 *
 * What must stay true: each entry is in one bucket and in the list of all; the bytes of
 * all are the sum of theirs.
 *
 * Deliberately not done: serving what has expired, asking ahead of expiry, answers from
 * NSEC records.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "siphash.h"

#define AA		0x04		/* of the third byte of the header */
#define KEPT_BITS	0x01		/* RD, of the third byte of a query */
#define KEPT_BITS2	0x30		/* AD, CD, of the fourth */
#define KEY_EDNS	0x02
#define KEY_DO		0x04
#define OPT_LEN		11

enum { TYPE_SIG = 24, TYPE_TKEY = 249, TYPE_TSIG = 250 };
enum { OPTION_KEEPALIVE = 11, OPTION_COOKIE = 10, OPTION_PADDING = 12 };

struct entry {
	TAILQ_ENTRY(entry) by_use;	/* the one that was asked for last is last */
	LIST_ENTRY(entry) in_bucket;
	uint64_t	 since, until;
	struct addr	 by;
	size_t		 key_len, len;
	uint8_t		 bytes[];	/* key, then answer */
};
TAILQ_HEAD(entries, entry);
LIST_HEAD(bucket, entry);

struct cache {
	uint8_t		 hash_key[SIPHASH_KEY_LEN];
	size_t		 n, n_max, bytes, bytes_max;
	size_t		 n_buckets;	/* a power of two */
	struct entries	 entries;
	struct bucket	 buckets[];
};

struct cache *
cache_new(size_t entries)
{
	size_t n = 64;
	uint64_t key[2];
	struct cache *c;

	while (n < entries)
		n *= 2;
	if (!siphash_key(key) || (c = calloc(1, sizeof(*c) + n * sizeof(c->buckets[0]))) == NULL)
		return NULL;
	memcpy(c->hash_key, key, sizeof(c->hash_key));
	c->n_max = entries;
	c->bytes_max = entries * CACHE_ENTRY_MEAN;
	if (c->bytes_max < sizeof(struct entry) + CACHE_KEY_MAX + CACHE_ENTRY_MAX)
		c->bytes_max = sizeof(struct entry) + CACHE_KEY_MAX + CACHE_ENTRY_MAX;
	c->n_buckets = n;
	TAILQ_INIT(&c->entries);
	return c;
}

size_t
cache_count(const struct cache *c)
{
	return c->n;
}

size_t
cache_bytes(const struct cache *c)
{
	return c->bytes;
}

static size_t
entry_size(size_t key_len, size_t len)
{
	return sizeof(struct entry) + key_len + len;
}

static void
entry_drop(struct cache *c, struct entry *e)
{
	TAILQ_REMOVE(&c->entries, e, by_use);
	LIST_REMOVE(e, in_bucket);
	c->n--;
	c->bytes -= entry_size(e->key_len, e->len);
	free(e);
}

void
cache_clear(struct cache *c)
{
	struct entry *e, *next;

	for (e = c != NULL ? TAILQ_FIRST(&c->entries) : NULL; e != NULL; e = next) {
		next = TAILQ_NEXT(e, by_use);
		entry_drop(c, e);
	}
}

void
cache_free(struct cache *c)
{
	cache_clear(c);
	free(c);
}

static struct bucket *
bucket_of(struct cache *c, const struct cache_key *k)
{
	return &c->buckets[siphash(c->hash_key, k->bytes, k->len) & (c->n_buckets - 1)];
}

static struct entry *
find(struct cache *c, const struct cache_key *k)
{
	struct entry *e;

	LIST_FOREACH(e, bucket_of(c, k), in_bucket)
		if (e->key_len == k->len && memcmp(e->bytes, k->bytes, k->len) == 0)
			return e;
	return NULL;
}

/* ---- what may be asked of a cache ---- */

/* Options that say nothing of the answer that is wanted; others (ECS, NSID) do. */
static bool
options_plain(const uint8_t *data, size_t len)
{
	struct rd r = rd_over(data, len);

	while (rd_left(&r) > 0) {
		uint16_t option = rd_be16(&r);

		(void)rd_take(&r, rd_be16(&r));
		if (r.bad || option < OPTION_COOKIE || option > OPTION_PADDING)
			return false;
	}
	return true;
}

/* Nothing but a question, and an OPT record of the only version there is (RFC 6891 6.1.3). */
static bool
is_plain(const uint8_t *msg, size_t len)
{
	struct wire_walk w;
	struct wire_record rec;

	wire_walk(&w, msg, len);
	while (wire_next(&w, &rec))
		if (rec.type != WIRE_OPT || rec.section != 3 || (rec.ttl >> 16 & 0xff) != 0 ||
		    !options_plain(rec.data, rec.len))
			return false;
	return wire_whole(&w);
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool
cache_key(struct cache_key *k, const uint8_t *msg, size_t len, const struct wire_query *q,
    const struct addr *server)
{
	struct wr w = wr_over(k->bytes, sizeof(k->bytes));
	uint8_t bits = (uint8_t)((msg[2] & KEPT_BITS) | (msg[3] & KEPT_BITS2));

	/* Types from 249 on are of transactions, transfers and "all" (RFC 6895 3.1). */
	if (!q->question || q->opcode != 0 || q->qclass != WIRE_IN ||
	    (q->qtype >= TYPE_TKEY && q->qtype <= 255) || !is_plain(msg, len))
		return false;
	for (size_t i = WIRE_HEADER_LEN; i < q->head_len - 4u; i++)
		wr_u8(&w, lower(msg[i]));	/* lengths of labels are below 'A' */
	wr_be16(&w, q->qtype);
	wr_be16(&w, q->qclass);
	wr_u8(&w, (uint8_t)(bits | (q->edns ? KEY_EDNS : 0) | (q->dnssec_ok ? KEY_DO : 0)));
	if (server != NULL) {
		wr_u8(&w, server->family);
		wr_be16(&w, server->port);
		wr_bytes(&w, server->ip, addr_iplen(server));
	}
	k->len = (size_t)(w.p - k->bytes);
	return !w.bad;
}

/* ---- how long an answer lives ---- */

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* RFC 2181 8: with its upper bit set it is 0. */
static uint32_t
ttl_of(const struct wire_record *rec)
{
	return rec->ttl > INT32_MAX ? 0 : rec->ttl;
}

/* RFC 2308 5: the least of its TTL and its last field. */
static uint32_t
soa_life(const struct wire_record *soa)
{
	struct rd r = rd_over(soa->data + soa->len - 4, 4);

	return soa->len < 22 ? 0 : least(least(ttl_of(soa), rd_be32(&r)), CACHE_NONE_MAX);
}

static bool
is_signature(uint16_t type)
{
	return type == TYPE_SIG || type == TYPE_TKEY || type == TYPE_TSIG;
}

uint32_t
cache_life(const uint8_t *answer, size_t len, const struct wire_query *q)
{
	uint32_t life = CACHE_LIFE_MAX, none = 0;
	bool found = false, ended = false;
	struct wire_record rec;
	struct wire_answer a;
	struct wire_walk w;

	if (len < q->head_len || len > CACHE_ENTRY_MAX || answer[4] != 0 || answer[5] != 1)
		return 0;
	wire_answer(answer, len, &a);
	if (a.truncated || (a.rcode != WIRE_NOERROR && a.rcode != WIRE_NXDOMAIN))
		return 0;
	wire_walk(&w, answer, len);
	if (w.bad || w.r.p != answer + q->head_len)	/* the question is put over its own */
		return 0;
	while (wire_next(&w, &rec)) {
		/* OPT is taken away, so it has to be the last. */
		if (ended || is_signature(rec.type))
			return 0;
		ended = rec.type == WIRE_OPT;
		if (ended)
			continue;
		life = least(life, ttl_of(&rec));
		found = found || (rec.section == 1 && rec.type == q->qtype);
		if (rec.section == 2 && rec.type == WIRE_SOA)
			none = soa_life(&rec);
	}
	if (!wire_whole(&w))
		return 0;
	return found && a.rcode == WIRE_NOERROR ? life : least(life, none);
}

/* ---- in ---- */

/* Without OPT and AA; and "there is none" says itself for how long. */
static void
answer_strip(struct entry *e, uint8_t *msg, uint32_t life)
{
	struct wire_record rec;
	struct wire_walk w;

	wire_walk(&w, msg, e->len);
	while (wire_next(&w, &rec)) {
		if (rec.type == WIRE_SOA && rec.section == 2 && rec.ttl > life) {
			struct wr ttl = wr_over(msg + (rec.data - msg) - WIRE_BEFORE_DATA, 4);

			wr_be32(&ttl, life);
		} else if (rec.type == WIRE_OPT) {
			struct wr count = wr_over(msg + 10, 2);

			e->len = (size_t)(rec.start - msg);
			wr_be16(&count, (uint16_t)((msg[10] << 8 | msg[11]) - 1));
		}
	}
	msg[2] &= (uint8_t)~AA;
}

static void
make_room(struct cache *c, size_t size)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&c->entries); e != NULL && (c->n + 1 > c->n_max ||
	    c->bytes + size > c->bytes_max); e = next) {
		next = TAILQ_NEXT(e, by_use);
		entry_drop(c, e);
	}
}

void
cache_put(struct cache *c, const struct cache_key *k, const struct wire_query *q,
    const uint8_t *answer, size_t len, const struct addr *by, uint64_t now)
{
	uint32_t life = cache_life(answer, len, q);
	struct entry *e = find(c, k);

	if (e != NULL)
		entry_drop(c, e);
	if (life == 0 || (e = malloc(entry_size(k->len, len))) == NULL)
		return;
	*e = (struct entry){ .since = now, .until = now + life * UINT64_C(1000), .by = *by,
	    .key_len = k->len, .len = len };
	memcpy(e->bytes, k->bytes, k->len);
	memcpy(e->bytes + k->len, answer, len);
	answer_strip(e, e->bytes + k->len, life);
	make_room(c, entry_size(k->len, e->len));
	LIST_INSERT_HEAD(bucket_of(c, k), e, in_bucket);
	TAILQ_INSERT_TAIL(&c->entries, e, by_use);
	c->n++;
	c->bytes += entry_size(k->len, e->len);
}

/* ---- out ---- */

static void
answer_age(uint8_t *msg, size_t len, uint32_t age)
{
	struct wire_record rec;
	struct wire_walk w;

	wire_walk(&w, msg, len);
	while (wire_next(&w, &rec)) {
		struct wr ttl = wr_over(msg + (rec.data - msg) - WIRE_BEFORE_DATA, 4);

		wr_be32(&ttl, rec.ttl - age);	/* it lives no longer than the least of them */
	}
}

uint8_t *
cache_get(struct cache *c, const struct cache_key *k, const uint8_t *msg,
    const struct wire_query *q, uint64_t now, size_t *out_len, struct addr *by)
{
	struct entry *e = find(c, k);
	uint8_t *out;
	struct wr w;

	if (e != NULL && e->until <= now) {
		entry_drop(c, e);
		e = NULL;
	}
	if (e == NULL || (out = malloc(e->len + OPT_LEN)) == NULL)
		return NULL;
	TAILQ_REMOVE(&c->entries, e, by_use);
	TAILQ_INSERT_TAIL(&c->entries, e, by_use);
	memcpy(out, e->bytes + e->key_len, e->len);
	memcpy(out, msg, 2);
	memcpy(out + WIRE_HEADER_LEN, msg + WIRE_HEADER_LEN, (size_t)q->head_len - WIRE_HEADER_LEN);
	answer_age(out, e->len, (uint32_t)((now - e->since) / 1000));
	w = wr_over(out + e->len, OPT_LEN);
	if (q->edns) {
		wire_opt(&w, q->dnssec_ok, 0);
		wr_be16(&(struct wr){ .p = out + 10, .end = out + 12 },
		    (uint16_t)((out[10] << 8 | out[11]) + 1));
	}
	*out_len = (size_t)(w.p - out);
	*by = e->by;
	return out;
}

/*
 * flow.c - the table of flows, and what every kind of flow goes through once.
 *
 *   flow_new -- flow_open --> OPEN ......> OPENED --> kind->opened ... flow_end --> CLOSE
 *                  |                  \--> REFUSED -> kind->refused, freed
 *                  +- flow_open_local --> kind->opened ............... flow_end
 *
 * On one side is the command tree, which chooses tuples: they are hashed with a random key
 * (siphash.h), so it cannot aim at one bucket.  On the other is cf-proxy, which knows a flow by
 * its number: numbers are ours, rise, and are never used twice, so an answer that crossed
 * with a CLOSE finds nothing and is dropped.
 *
 * What must stay true: each OPEN is followed by exactly one of REFUSED (from there) and CLOSE
 * (from us).  A flow that has ended is on no list but `dead` and is freed at the end of
 * the turn, so that pointers which the turn still holds stay good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "bound.h"
#include "siphash.h"

#define BUCKETS_MIN	256

/* ---- hashing ---- */

uint64_t
flow_hash(const uint64_t key[2], uint8_t proto, const struct addr *src, const struct addr *dst)
{
	uint64_t w[5] = { 0 };
	size_t n = 2;

	/* cppcheck does not see through TAILQ_FOREACH in table_grow(). */
	/* cppcheck-suppress ctuuninitvar */
	w[0] = (uint64_t)proto << 40 | (uint64_t)src->family << 32 | (uint64_t)src->port << 16;
	/* cppcheck-suppress ctuuninitvar */
	w[0] |= dst->port;
	if (src->family == 4) {
		memcpy(&w[1], src->ip, 4);
		memcpy((uint8_t *)&w[1] + 4, dst->ip, 4);
	} else {
		memcpy(&w[1], src->ip, 16);
		memcpy(&w[3], dst->ip, 16);
		n = 5;
	}
	return siphash_words(key, w, n);
}

static struct flow_bucket *
tuple_bucket(struct flow_table *t, uint8_t proto, const struct addr *src, const struct addr *dst)
{
	return &t->tuple[flow_hash(t->key, proto, src, dst) & (t->n_buckets - 1)];
}

static struct flow_bucket *
id_bucket(struct flow_table *t, uint64_t id)
{
	return &t->id[id & (t->n_buckets - 1)];
}

/* ---- the table ---- */

static struct flow_bucket *
buckets(size_t n)
{
	return calloc(n, sizeof(struct flow_bucket));
}

bool
flow_table_init(struct flow_table *t)
{
	t->n_buckets = BUCKETS_MIN;
	t->max = FLOWS_MAX;
	t->max_fds = 2 * FLOWS_MAX;
	t->tuple = buckets(t->n_buckets);
	t->id = buckets(t->n_buckets);
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->dead);
	return t->tuple != NULL && t->id != NULL &&
	    siphash_key(t->key);
}

void
flow_table_done(struct flow_table *t)
{
	free(t->tuple);
	free(t->id);
	t->tuple = t->id = NULL;
}

/* Twice the buckets; without memory for them the chains grow longer instead. */
static void
table_grow(struct flow_table *t)
{
	size_t n = t->n_buckets * 2;
	struct flow_bucket *tuple = buckets(n), *id = buckets(n);
	struct flow *f;

	if (tuple == NULL || id == NULL) {
		free(tuple);
		free(id);
		return;
	}
	free(t->tuple);
	free(t->id);
	t->tuple = tuple;
	t->id = id;
	t->n_buckets = n;
	TAILQ_FOREACH(f, &t->all, in_all) {
		if (f->hashed)
			LIST_INSERT_HEAD(tuple_bucket(t, f->proto, &f->src, &f->dst), f, by_tuple);
		if (f->asked)
			LIST_INSERT_HEAD(id_bucket(t, f->id), f, by_id);
	}
}

struct flow *
flow_find(struct stack *s, uint8_t proto, const struct addr *src, const struct addr *dst)
{
	struct flow *f;

	LIST_FOREACH(f, tuple_bucket(&s->flows, proto, src, dst), by_tuple)
		if (f->proto == proto && addr_equal(&f->src, src) && addr_equal(&f->dst, dst))
			return f;
	return NULL;
}

static struct flow *
find_id(struct stack *s, uint64_t id)
{
	struct flow *f;

	LIST_FOREACH(f, id_bucket(&s->flows, id), by_id)
		if (f->id == id)
			return f;
	return NULL;
}

/* ---- life ---- */

struct flow *
flow_new(struct stack *s, const struct flow_kind *kind, uint8_t proto, const struct addr *src,
    const struct addr *dst)
{
	struct flow_table *t = &s->flows;
	struct flow *f;

	if (t->n >= t->max || t->n_fds + 1 + kind->fds > t->max_fds || s->ending) {
		if (!s->ending)
			bound_reached(s, LIMIT_FLOWS, t->n);
		return NULL;
	}
	if ((f = calloc(1, kind->size)) == NULL)
		return NULL;
	f->stack = s;
	f->kind = kind;
	f->proto = proto;
	f->src = *src;
	f->dst = *dst;
	f->fd = -1;
	f->hashed = true;
	t->n_fds += 1 + kind->fds;
	if (t->n++ >= t->n_buckets)
		table_grow(t);
	LIST_INSERT_HEAD(tuple_bucket(t, proto, src, dst), f, by_tuple);
	TAILQ_INSERT_TAIL(&t->all, f, in_all);
	return f;
}

bool
flow_open(struct flow *f, const struct pkt *p)
{
	struct stack *s = f->stack;
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	if (s->flows.n_opening >= FLOWS_OPENING) {
		bound_reached(s, LIMIT_OPENING, FLOWS_OPENING);
		return false;
	}
	if (s->proxy == NULL)
		return false;
	msg_open_put(&w, &(struct msg_open){ .proto = f->proto, .hop_limit = p->hop_limit,
	    .tclass = p->tclass, .flags = p->df ? OPEN_DF : 0, .src = f->src, .dst = f->dst });
	f->id = stack_next_id(s);
	f->asked = true;
	s->flows.n_opening++;
	LIST_INSERT_HEAD(id_bucket(&s->flows, f->id), f, by_id);
	chan_send(s->proxy, MSG_OPEN, f->id, body, sizeof(body), NULL, 0, -1);
	return true;
}

void
flow_open_local(struct flow *f, const struct local_service *service)
{
	f->is_open = true;
	if (host_attach_local(f, service))
		f->kind->opened(f);
	else
		f->kind->refused(f, &(struct msg_refused){
		    .why = REFUSED_LIMIT, .err = ENOMEM });
	if (f->host_mode == HOST_NONE && !f->dead)
		flow_end(f, CLOSE_CANCEL);
}

void
flow_unhash(struct flow *f)
{
	if (f->hashed)
		LIST_REMOVE(f, by_tuple);
	f->hashed = false;
}

/* No longer known to cf-proxy by its number. */
static void
forget_id(struct flow *f)
{
	if (!f->is_open)
		f->stack->flows.n_opening--;
	f->asked = false;
	LIST_REMOVE(f, by_id);
}

static void
send_close(struct flow *f, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_close_put(&w, &(struct msg_close){ .reason = f->is_open ? reason : CLOSE_CANCEL,
	    .up_bytes = f->up_bytes, .down_bytes = f->down_bytes,
	    .up_packets = f->up_packets, .down_packets = f->down_packets });
	chan_send(f->stack->proxy, MSG_CLOSE, f->id, body, sizeof(body), NULL, 0, -1);
	forget_id(f);
}

void
flow_end_host(struct flow *f, enum close_reason reason)
{
	if (f->run_queued)
		TAILQ_REMOVE(&f->stack->run, f, in_run);
	f->run_queued = false;
	host_close(f, reason == CLOSE_RESET || (reason == CLOSE_END && !f->drained));
	if (f->asked)
		send_close(f, reason);
}

void
flow_end(struct flow *f, enum close_reason reason)
{
	struct flow_table *t = &f->stack->flows;

	if (f->dead)
		return;
	f->dead = true;
	flow_end_host(f, reason);
	f->kind->done(f);
	timer_stop(f->stack, &f->timer);
	flow_unhash(f);
	TAILQ_REMOVE(&t->all, f, in_all);
	TAILQ_INSERT_TAIL(&t->dead, f, in_all);
	t->n_fds -= 1 + f->kind->fds;
	t->n--;
}

void
flows_bury(struct stack *s)
{
	struct flow *f;

	while ((f = TAILQ_FIRST(&s->flows.dead)) != NULL) {
		TAILQ_REMOVE(&s->flows.dead, f, in_all);
		free(f);
	}
}

void
flows_end_all(struct stack *s, enum close_reason reason)
{
	struct flow *f;

	while ((f = TAILQ_FIRST(&s->flows.all)) != NULL) {
		f->kind->aborted(f);
		flow_end(f, reason);
	}
}

static enum drain
is_drained(const struct flow *f, bool empty)
{
	if (first_waits(f))
		return DRAIN_WAIT;
	if (f->kind->drained != NULL)
		return f->kind->drained(f, empty);
	return f->is_open || !f->asked ? DRAIN_DONE : DRAIN_WAIT;
}

bool
flows_drain(struct stack *s, bool empty)
{
	struct flow *f, *next;
	enum drain drain;

	for (f = TAILQ_FIRST(&s->flows.all); f != NULL; f = next) {
		next = TAILQ_NEXT(f, in_all);
		if ((drain = is_drained(f, empty)) == DRAIN_WAIT)
			continue;
		f->drained = drain == DRAIN_DONE;
		f->kind->aborted(f);
		flow_end(f, CLOSE_END);
	}
	if (!TAILQ_EMPTY(&s->flows.all))
		return false;
	bounds_end(s);
	return true;
}

uint64_t
flows_progress(const struct stack *s)
{
	uint64_t sum = s->flows.n;
	struct flow *f;

	TAILQ_FOREACH(f, &s->flows.all, in_all)
		sum += f->up_bytes;
	return sum;
}

void
flow_run_later(struct flow *f)
{
	if (f->run_queued || f->dead)
		return;
	f->run_queued = true;
	TAILQ_INSERT_TAIL(&f->stack->run, f, in_run);
}

/* ---- answers of cf-proxy ---- */

static void
opened(struct stack *s, uint64_t id, int fd, bool owes_first)
{
	struct flow *f = find_id(s, id);

	if (f == NULL || f->is_open) {
		if (fd != -1)
			close(fd);
		if (f != NULL)
			chan_fail(s->proxy, "OPENED twice");
		return;
	}
	f->is_open = true;
	s->flows.n_opening--;
	if (owes_first ? host_attach_first(f) : host_attach(f, fd))
		f->kind->opened(f);
	else
		flow_on_lost(f);
}

void
flow_on_opened(struct stack *s, uint64_t id, int fd)
{
	opened(s, id, fd, false);
}

void
flow_on_opened_first(struct stack *s, uint64_t id)
{
	opened(s, id, -1, true);
}

/* The descriptor cannot be used: as if the peer had failed at once. */
void
flow_on_lost(struct flow *f)
{
	f->kind->refused(f, &(struct msg_refused){ .why = REFUSED_LIMIT, .err = ENFILE });
	flow_end(f, CLOSE_PEER);
}

void
flow_on_refused(struct stack *s, uint64_t id, const struct msg_refused *m)
{
	struct flow *f = find_id(s, id);

	if (f == NULL)
		return;
	if (f->is_open) {
		chan_fail(s->proxy, "REFUSED after OPENED");
		return;
	}
	forget_id(f);
	f->kind->refused(f, m);
	flow_end(f, CLOSE_CANCEL);
}

struct flow *
flow_by_id(struct stack *s, uint64_t id)
{
	struct flow *f = find_id(s, id);

	return f != NULL && f->is_open ? f : NULL;
}

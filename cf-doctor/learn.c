/*
 * learn.c - where a run went; see learn.h.  Pure but for memory.
 *
 * A flow counts for the name that it goes by, and for its address only where there is none:
 * addresses of names change.
 *
 * SPDX-License-Identifier: MIT
 */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#define PROCESSES	1024

static void
dropped(void *learn, const struct keys *k)
{
	struct learn *l = learn;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			l->at[i].count = 0;
}

static void
processes_dropped(void *learn, const struct keys *k)
{
	struct learn *l = learn;

	for (size_t i = 0; i < l->keys.n; i++) {
		uint8_t left = 0;

		for (uint8_t j = 0; j < l->at[i].n_by; j++)
			if (!k->gone[l->at[i].by[j]])
				l->at[i].by[left++] = l->at[i].by[j];
		l->at[i].more_by = l->at[i].more_by || left < l->at[i].n_by;
		l->at[i].n_by = left;
	}
}

struct learn *
learn_new(void)
{
	struct learn *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	if ((l->recorder = recorder_new()) == NULL || !keys_init(&l->keys, LEARN_MAX) ||
	    !keys_init(&l->processes, PROCESSES)) {
		learn_free(l);
		return NULL;
	}
	l->keys.owner = l->processes.owner = l;
	l->keys.on_drop = dropped;
	l->processes.on_drop = processes_dropped;
	return l;
}

void
learn_free(struct learn *l)
{
	if (l == NULL)
		return;
	recorder_free(l->recorder);
	keys_done(&l->keys);
	keys_done(&l->processes);
	free(l);
}

static void
by_add(struct learn *l, struct learned *d, const char *process)
{
	int at;

	if (strcmp(process, "unknown") == 0 || (at = keys_add(&l->processes, process)) < 0)
		return;
	for (uint8_t i = 0; i < d->n_by; i++)
		if (d->by[i] == at)
			return;
	if (d->n_by == LEARN_BY)
		d->more_by = true;
	else
		d->by[d->n_by++] = (uint16_t)at;
}

static void
key_str(const struct learned *d, char *buf, size_t size)
{
	snprintf(buf, size, "%d %s %d %u", (int)d->kind, d->target, (int)d->proto, d->port);
}

/* The destination that this is, known or new; NULL: out of memory. */
static struct learned *
learned_get(struct learn *l, const struct learned *like)
{
	char key[sizeof(like->target) + 32];
	int at;

	key_str(like, key, sizeof(key));
	if ((at = keys_add(&l->keys, key)) < 0)
		return NULL;
	if (l->at[at].count == 0)
		l->at[at] = *like;
	return &l->at[at];
}

static bool
is_known(const struct learn *l, const struct learned *like)
{
	char key[sizeof(like->target) + 32];

	key_str(like, key, sizeof(key));
	return keys_find(&l->keys, key) >= 0;
}

static void
flow_take(struct learn *l, const struct recorded *r)
{
	struct learned like = { .kind = LEARN_NAME, .proto = r->proto, .port = r->dst.port }, *d;
	char text[ADDR_STRLEN];
	size_t i = r->n_names;

	/* Of several names that have one address, the one that is needed anyway. */
	while (i-- > 0) {
		snprintf(like.target, sizeof(like.target), "%s", r->name[i]);
		if (i == 0 || is_known(l, &like))
			break;
	}
	if (r->n_names == 0) {
		like.kind = LEARN_ADDRESS;
		snprintf(like.target, sizeof(like.target), r->dst.family == 6 ? "[%s]" : "%s",
		    addr_ip_str(&r->dst, text));
	}
	if ((d = learned_get(l, &like)) == NULL)
		return;
	d->count++;
	l->connections++;
	by_add(l, d, r->process);
}

static bool
is_reverse(const char *name)
{
	static const char *const ends[] = { ".in-addr.arpa", ".ip6.arpa" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (len > strlen(ends[i]) && strcmp(name + len - strlen(ends[i]), ends[i]) == 0)
			return true;
	return false;
}

static void
lookup_take(struct learn *l, const char *name, const char *process, bool query, bool answered)
{
	struct learned like = { .kind = LEARN_LOOKUP }, *d;

	if (is_reverse(name))
		return;
	snprintf(like.target, sizeof(like.target), "%s", name);
	if ((d = learned_get(l, &like)) == NULL)
		return;
	d->count += query || d->count == 0;
	l->lookups += query;
	d->answered = d->answered || answered;
	by_add(l, d, process);
}

/* There is such a name: its answer has addresses, or is no error. */
static bool
has_answer(struct evline *e)
{
	const char *rcode = evline_text(e, F_RCODE);

	return (e->field[F_ANSWER_IPS].type == VAL_ARRAY && e->field[F_ANSWER_IPS].n > 0) ||
	    (rcode != NULL && strcmp(rcode, "NOERROR") == 0);
}

void
learn_event(void *learn, enum event_kind kind, struct evline *e)
{
	static struct recorded r;
	static char name[NAME_STRLEN];
	struct learn *l = learn;
	struct name_error err;
	const char *qname = evline_text(e, F_QNAME);

	recorded_get(l->recorder, kind, e, &r);
	if (r.kind == RECORDED_FLOW && !r.refused)
		flow_take(l, &r);
	else if (r.kind == RECORDED_NAME)
		lookup_take(l, r.name[0], r.process, true, false);
	else if (kind == EV_DNS_ANSWER && qname != NULL && has_answer(e) &&
	    name_from_ascii(qname, strlen(qname), name, &err) && !name_is_number(name))
		lookup_take(l, name, r.process, false, true);
}

/*
 * transfer.c - zone transfers: an answer over TCP that has more than one message.
 *
 *   first message ─ transfer_first ─┬─ it is the whole answer: goes the way of all others
 *                                   └─ more are to come ─ query_end ─ transfer_begin ─┐
 *              ┌──────────────────────────────────────────────────────────────────────┘
 *              └─> PART ══> PROCEED ─┬─ on: the next message ─┬─ not the last: PART ...
 *                                    │                        └─ the last: ANSWER
 *                                    └─ stop; or server, time, memory: an empty ANSWER
 *
 * The server is on one side, which may say anything and never end; on the other the asker, who
 * may never read.  One message of a transfer is under way; until it is taken nothing is read from
 * the server, so a slow reader stops it by TCP.  A transfer has no place among the queries that
 * resolvers are busy with, and no budget: it lasts as long as each message comes in
 * IDLE_MS and is taken in TAKE_MS.  Bytes alone are no sign of life.
 *
 * What must stay true: no message goes back that has not been through query_edit(); a transfer
 * that breaks ends with an empty ANSWER, so that it is never taken for a whole one; after
 * end() and pump() the transfer is not touched.
 *
 * Deliberately not done: names of a zone are not learned (learn.c), no part of one is kept in the
 * cache, and no second server is asked once the first has begun.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "log.h"
#include "zone.h"

#define TRANSFERS_MAX	16		/* at once; more get SERVFAIL */
#define IDLE_MS		10000
#define TAKE_MS		60000

struct transfer {
	TAILQ_ENTRY(transfer) link;
	struct dns	*dns;
	struct query	*query;
	struct upstream	*up;		/* NULL: the server says no more */
	struct zone	 zone;
	uint64_t	 deadline;	/* of the next message, or of its PROCEED */
	bool		 begun;		/* the query is ours; */
	bool		 parted;	/* the asker has got its first message, */
	bool		 awaiting;	/* and one that it has not taken */
	uint8_t		*in;		/* what has come and is not read, see in_add() */
	size_t		 in_len, in_size;
};

static void	pump(struct transfer *);

void
transfer_init(struct dns *dns)
{
	TAILQ_INIT(&dns->transfers);
}

bool
transfer_any(const struct dns *dns)
{
	return !TAILQ_EMPTY(&dns->transfers);
}

/* ---- its life ---- */

/* The server has no more to say, or has been told so. */
static void
hang_up(struct transfer *t)
{
	if (t->up != NULL)
		upstream_drop(t->up);
	t->up = NULL;
}

static void
transfer_free(struct transfer *t)
{
	hang_up(t);
	TAILQ_REMOVE(&t->dns->transfers, t, link);
	t->dns->ntransfers--;
	t->dns->held -= t->in_size;
	free(t->in);
	free(t);
}

/* The asker has no more to expect.  why: NULL, or why it must not take it for a whole zone. */
static void
end(struct transfer *t, const char *why, const uint8_t *msg, size_t len)
{
	struct query *q = t->query;
	bool parted = t->parted;

	transfer_free(t);
	if (why != NULL)
		log_debug("a zone transfer ends: %s", why);
	if (why != NULL && !parted)
		query_fail(q, why);
	else
		query_finish(q, msg, len);
}

static void
broken(struct transfer *t, const char *why)
{
	end(t, why, NULL, 0);
}

/*
 * Bytes behind the message at hand.  While that is under way a socket is not read and a flow of
 * frames gets no credit: so they are at most a read and MSG_WINDOW_INITIAL.
 */
static bool
in_add(struct transfer *t, const uint8_t *p, size_t n)
{
	size_t want = t->in_len + n;
	uint8_t *in;

	if (want > t->in_size) {
		if (!query_hold(t->dns, want - t->in_size))
			return false;
		if ((in = realloc(t->in, want)) == NULL) {
			t->dns->held -= want - t->in_size;
			return false;
		}
		t->in = in;
		t->in_size = want;
	}
	if (n > 0)
		memcpy(t->in + t->in_len, p, n);
	t->in_len = want;
	return true;
}

static void
in_drop(struct transfer *t, size_t n)
{
	t->in_len -= n;
	memmove(t->in, t->in + n, t->in_len);
}

static struct transfer *
transfer_new(struct query *q)
{
	struct dns *dns = q->dns;
	struct transfer *t;

	if (dns->ntransfers == TRANSFERS_MAX) {
		log_debug("a zone transfer is refused: there are %d", TRANSFERS_MAX);
		return NULL;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	*t = (struct transfer){ .dns = dns, .query = q };
	TAILQ_INSERT_TAIL(&dns->transfers, t, link);
	dns->ntransfers++;
	return t;
}

/* What there is of it already: a message, and bytes behind it. */
static bool
first_keep(struct transfer *t, const struct upstream *u, const uint8_t *msg, size_t len)
{
	const uint8_t word[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	return in_add(t, word, sizeof(word)) && in_add(t, msg, len) &&
	    in_add(t, u->rest, u->rest_len);
}

/* The connection changes hands only where all has gone well: else it ends with the query. */
bool
transfer_first(struct query *q, struct upstream *u, const uint8_t *msg, size_t len)
{
	struct transfer *t;
	struct zone zone;

	if (q->asked.transport != IPPROTO_TCP || !zone_asked(&q->wire))
		return true;
	zone_init(&zone, q->msg, q->len, &q->wire);
	if (zone_next(&zone, msg, len) != ZONE_MORE)
		return true;
	if ((t = transfer_new(q)) == NULL)
		return false;
	if (!first_keep(t, u, msg, len) || !flow_pause(u->flow, true)) {
		transfer_free(t);
		return false;
	}
	q->transfer = t;
	q->answered_by = u->flow->addr;
	t->up = u;
	upstream_keep(u, t);
	return true;
}

/* ---- messages ---- */

static void
part(struct transfer *t, const uint8_t *msg, size_t len)
{
	t->parted = t->awaiting = true;
	t->deadline = uv_now(&t->dns->loop) + TAKE_MS;
	chan_send(t->dns->stack, MSG_PART, t->query->flow, NULL, 0, msg, len, -1);
}

static void
answer_drop(struct query *q)
{
	free(q->answer);
	q->answer = NULL;
	q->answer_len = 0;
}

/*
 * No record, or none is left of what is withheld.  Programs take it for the end (dig does); time that
 * passes with such is none in which a message came.
 */
static bool
is_empty(const struct query *q)
{
	return q->answer[6] == 0 && q->answer[7] == 0;
}

/* q->answer goes back.  False: the transfer has ended. */
static bool
relay(struct transfer *t, bool last)
{
	struct query *q = t->query;
	const char *why = query_edit(q);

	if (why != NULL) {
		broken(t, why);
		return false;
	}
	if (!t->parted)
		note_answer(q, q->answer, q->answer_len, false, "a zone transfer begins");
	if (last) {
		end(t, NULL, q->answer, q->answer_len);
		return false;
	}
	if (!is_empty(q))
		part(t, q->answer, q->answer_len);
	answer_drop(q);
	return true;
}

static bool
message_take(struct transfer *t, const uint8_t *msg, size_t len)
{
	struct query *q = t->query;
	enum zone_is is = ZONE_BAD;

	if (zone_answers(msg, len, q->msg, &q->wire))
		is = zone_next(&t->zone, msg, len);
	if (is == ZONE_BAD || (q->answer = malloc(len)) == NULL) {
		broken(t, is == ZONE_BAD ? "what came is no message of it" : "out of memory");
		return false;
	}
	memcpy(q->answer, msg, len);
	q->answer_len = len;
	return relay(t, is == ZONE_LAST);
}

/* Two bytes of length and a message are there in whole.  0: they are not. */
static size_t
whole(const struct transfer *t)
{
	size_t len = t->in_len < 2 ? 0 : 2 + (size_t)(t->in[0] << 8 | t->in[1]);

	return len <= t->in_len ? len : 0;
}

/* As far as it goes without waiting, for the asker or for the server. */
static void
pump(struct transfer *t)
{
	size_t len;

	while (!t->awaiting && (len = whole(t)) > 0) {
		if (!message_take(t, t->in + 2, len - 2))
			return;
		in_drop(t, len);
	}
	if (t->up != NULL && !flow_pause(t->up->flow, t->awaiting))
		hang_up(t);
	if (t->up == NULL && !t->awaiting)
		broken(t, "the server has closed the connection before its end");
}

void
transfer_begin(struct transfer *t)
{
	struct query *q = t->query;

	if (t->up != NULL)
		upstream_empty(t->up);
	answer_drop(q);			/* it is at the front of t->in as well */
	zone_init(&t->zone, q->msg, q->len, &q->wire);
	t->begun = true;
	t->deadline = uv_now(&t->dns->loop) + IDLE_MS;
	pump(t);
}

/* ---- what happens to it ---- */

void
transfer_payload(struct transfer *t, const uint8_t *p, size_t n)
{
	if (!in_add(t, p, n))
		hang_up(t);		/* what is there still goes, and then it breaks */
	if (t->begun)
		pump(t);
}

void
transfer_broken(struct transfer *t)
{
	hang_up(t);
	if (t->begun)
		pump(t);
}

void
transfer_tick(struct dns *dns)
{
	uint64_t now = uv_now(&dns->loop);
	struct transfer *t, *next;

	for (t = TAILQ_FIRST(&dns->transfers); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (t->begun && t->deadline <= now)
			broken(t, t->awaiting ? "the asker does not read" : "the server is silent");
	}
}

static struct transfer *
find(struct dns *dns, uint64_t flow)
{
	struct transfer *t;

	TAILQ_FOREACH(t, &dns->transfers, link)
		if (t->begun && t->query->flow == flow)
			return t;
	return NULL;
}

void
transfer_on_proceed(struct chan *c, const struct frame *f, int fd)
{
	struct transfer *t = find(chan_arg(c), f->flow);
	struct rd r = rd_over(f->body, f->len);
	struct msg_proceed m;

	(void)fd;
	if (!msg_proceed_get(&r, &m))
		chan_fail(c, "bad PROCEED");
	else if (t != NULL && !t->awaiting)
		chan_fail(c, "PROCEED without PART");
	else if (t != NULL && (m.flags & PROCEED_ON) == 0)
		broken(t, "the asker wants no more");
	else if (t != NULL) {
		t->awaiting = false;
		t->deadline = uv_now(&t->dns->loop) + IDLE_MS;
		pump(t);
	}
}

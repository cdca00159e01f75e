/*
 * names.c - port 53: the tree's DNS messages go to cf-dns, whatever address they are for.
 *
 * cf-dns holds the other end of the channel: QUERY carries the message as it was sent, and
 * each QUERY gets exactly one ANSWER with the same number.  Nothing here reads a DNS
 * message: that is cf-dns's work, in another process.
 *
 *   UDP datagram --> QUERY ... ANSWER --> datagram from the address that was asked
 *   TCP stream   --> cut at its length words (RFC 1035 4.2.2) --> QUERY ... ANSWER
 *                --> length word and message, in the order in which they come (RFC 7766 6.2.1.1)
 *   zone transfer --> QUERY ... PART, PROCEED once the child has read enough, PART ... ANSWER
 *
 * A number is kept for each message until its answer.  They are bounded in all, and for a TCP
 * connection; one that has reached its bound is not read until an answer has come.  Of an answer in
 * parts cf-dns sends one at a time, so a child that does not read stops it there.  A connection on
 * which one breaks is reset: what the child has of it must not look like all of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "dgram.h"

#define DNS_HEADER	12		/* RFC 1035 4.1.1: less is no message */
#define ASKED_MAX	8192		/* without an answer, in all */
#define ASKED_BUCKETS	1024		/* a power of two; numbers rise, so they spread */
#define STREAM_MAX	64		/* without an answer, of one TCP connection */
#define IDLE_MS		60000		/* an idle connection is ended (RFC 7766 6.2.3) */
#define RETRY_MS	50		/* look again whether the child has read its answers */
#define BACKLOG_MAX	((size_t)4 << 20)	/* queued towards cf-dns */

struct stream;

/* A message that cf-dns has not answered yet. */
struct asked {
	LIST_ENTRY(asked) by_id;
	LIST_ENTRY(asked) in_stream;
	uint64_t	 id;
	struct stream	*stream;	/* NULL: UDP */
	bool		 parts;		/* some of its answer has come, */
	bool		 owes;		/* and PROCEED is due for it */
	struct addr	 src, server;
};
LIST_HEAD(asked_list, asked);

struct names {
	struct asked_list buckets[ASKED_BUCKETS];
	size_t		 n;
};

/* A TCP connection: what has come of the next message, and what is asked. */
struct stream {
	struct flow	*flow;
	struct asked_list asked;
	unsigned	 n_asked, n_owed;
	bool		 eof;		/* the child asks no more */
	bool		 stalled;	/* input() took less than it was given */
	struct timer	 timer;
	uint64_t	 last;		/* when a message came or was answered */
	uint8_t		*buf;		/* length word and message, or NULL */
	size_t		 have, cap;
};

static struct names *
names_of(struct stack *s)
{
	if (s->names == NULL)
		s->names = calloc(1, sizeof(struct names));
	return s->names;
}

static struct asked_list *
bucket(struct names *n, uint64_t id)
{
	return &n->buckets[id & (ASKED_BUCKETS - 1)];
}

static struct asked *
asked_find(struct names *n, uint64_t id)
{
	struct asked *a;

	LIST_FOREACH(a, bucket(n, id), by_id)
		if (a->id == id)
			return a;
	return NULL;
}

static void
asked_free(struct names *n, struct asked *a)
{
	LIST_REMOVE(a, by_id);
	if (a->stream != NULL) {
		LIST_REMOVE(a, in_stream);
		a->stream->n_asked--;
		a->stream->n_owed -= a->owes;
	}
	n->n--;
	free(a);
}

/* Pass a message on.  false: it is none, or there are too many. */
static bool
ask(struct stack *s, struct stream *stream, const struct addr *src, const struct addr *server,
    const uint8_t *msg, size_t len)
{
	struct names *n = names_of(s);
	uint8_t body[MSG_QUERY_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct asked *a;

	if (n == NULL || s->dns == NULL || s->ending || len < DNS_HEADER || n->n >= ASKED_MAX ||
	    chan_backlog(s->dns) > BACKLOG_MAX || (a = malloc(sizeof(*a))) == NULL)
		return false;
	*a = (struct asked){ .id = stack_next_id(s), .stream = stream, .src = *src,
	    .server = *server };
	LIST_INSERT_HEAD(bucket(n, a->id), a, by_id);
	n->n++;
	if (stream != NULL) {
		LIST_INSERT_HEAD(&stream->asked, a, in_stream);
		stream->n_asked++;
	}
	msg_query_put(&w, &(struct msg_query){ .src = *src, .server = *server,
	    .transport = stream != NULL ? IPPROTO_TCP : IPPROTO_UDP });
	chan_send(s->dns, MSG_QUERY, a->id, body, sizeof(body), msg, len, -1);
	return true;
}

void
names_udp_input(struct stack *s, const struct pkt *p)
{
	(void)ask(s, NULL, &p->src, &p->dst, pkt_payload(p), p->payload_len);
}

static void
proceed(struct stack *s, uint64_t id, uint32_t flags)
{
	uint8_t body[MSG_PROCEED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_proceed_put(&w, &(struct msg_proceed){ .flags = flags });
	chan_send(s->dns, MSG_PROCEED, id, body, sizeof(body), NULL, 0, -1);
}

/* ---- TCP ---- */

/* An idle connection; or one that does not read its answers, and so may not ask. */
static void
on_timer(struct stack *s, struct timer *timer)
{
	struct stream *t = (void *)((char *)timer - offsetof(struct stream, timer));
	uint64_t idle = s->now - t->last;

	if (t->stalled && t->n_asked == 0)
		local_more(t->flow);
	if (idle >= IDLE_MS && t->n_asked == 0)
		local_end(t->flow);
	else
		timer_set(s, timer, t->stalled ? RETRY_MS : IDLE_MS - idle % IDLE_MS, on_timer);
}

static void *
stream_open(struct flow *f)
{
	struct stream *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->flow = f;
	t->last = f->stack->now;
	timer_set(f->stack, &t->timer, IDLE_MS, on_timer);
	return t;
}

static void
stream_close(struct flow *f, void *arg)
{
	struct stream *t = arg;
	struct asked *a;

	while ((a = LIST_FIRST(&t->asked)) != NULL) {
		LIST_REMOVE(a, in_stream);
		if (a->owes)
			proceed(f->stack, a->id, 0);
		a->owes = false;
		a->stream = NULL;	/* its answer comes, and goes nowhere */
		a->src.family = 0;
	}
	timer_stop(f->stack, &t->timer);
	free(t->buf);
	free(t);
}

/* How long the message at the front is with its length word; 0: that has not come. */
static size_t
message_len(const struct stream *t)
{
	struct rd r = rd_over(t->buf, t->have);
	uint16_t len = rd_be16(&r);

	return r.bad ? 0 : len + 2u;
}

/* Room for the message at the front; it grows only once its length is known. */
static bool
stream_reserve(struct stream *t, size_t cap)
{
	uint8_t *buf;

	if (cap <= t->cap)
		return true;
	if ((buf = realloc(t->buf, cap)) == NULL)
		return false;
	t->buf = buf;
	t->cap = cap;
	return true;
}

/* An idle connection holds no buffer. */
static void
stream_release(struct stream *t)
{
	free(t->buf);
	t->buf = NULL;
	t->have = t->cap = 0;
}

/* The whole message at the front leaves.  false: no sense in going on with this connection. */
static bool
stream_ask(struct stream *t)
{
	size_t whole = message_len(t);
	bool ok;

	t->last = t->flow->stack->now;
	ok = ask(t->flow->stack, t, &t->flow->src, &t->flow->dst, t->buf + 2, whole - 2);

	stream_release(t);
	return ok;
}

/* As much of data as belongs to the message at the front. */
static size_t
stream_fill(struct stream *t, const uint8_t *data, size_t len)
{
	size_t want = t->have < 2 ? 2 : message_len(t), n = want - t->have;

	if (n > len)
		n = len;
	if (!stream_reserve(t, want))
		return 0;
	memcpy(t->buf + t->have, data, n);
	t->have += n;
	return n;
}

static size_t
stream_input(struct flow *f, const uint8_t *data, size_t len)
{
	struct stream *t = local_arg(f);
	size_t done = 0, n;

	while (done < len) {
		if (t->n_asked >= STREAM_MAX || local_room(f) < MSG_TAIL_MAX + 2)
			break;
		if ((n = stream_fill(t, data + done, len - done)) == 0)
			break;
		done += n;
		if (t->have < 2 || t->have < message_len(t))
			continue;
		if (!stream_ask(t)) {
			local_end(f);
			return len;		/* the rest is not for anybody */
		}
	}
	t->stalled = done < len;
	if (t->stalled)
		timer_set(f->stack, &t->timer, RETRY_MS, on_timer);
	return done;
}

static void
stream_eof(struct flow *f)
{
	struct stream *t = local_arg(f);

	t->eof = true;
	if (t->n_asked == 0)
		local_end(f);
}

/* There may be room for the next message of an answer. */
static void
stream_drained(struct flow *f)
{
	struct stream *t = local_arg(f);
	struct asked *a;

	if (t->n_owed == 0 || local_room(f) < MSG_TAIL_MAX + 2)
		return;
	LIST_FOREACH(a, &t->asked, in_stream) {
		if (a->owes)
			proceed(f->stack, a->id, PROCEED_ON);
		a->owes = false;
	}
	t->n_owed = 0;
}

const struct local_service names_tcp = {
	.name = "names",
	.open = stream_open,
	.input = stream_input,
	.eof = stream_eof,
	.drained = stream_drained,
	.close = stream_close,
};

/* ---- answers ---- */

/* Length word and message.  false: the connection is reset. */
static bool
stream_send(struct stream *t, const uint8_t *msg, size_t len)
{
	uint8_t word[2];
	struct wr w = wr_over(word, sizeof(word));

	t->last = t->flow->stack->now;
	wr_be16(&w, (uint16_t)len);
	return local_send(t->flow, word, sizeof(word)) && local_send(t->flow, msg, len);
}

static void
stream_answer(struct stream *t, const uint8_t *msg, size_t len)
{
	struct flow *f = t->flow;

	t->last = f->stack->now;
	if (len >= DNS_HEADER && !stream_send(t, msg, len))
		return;
	if (t->eof && t->n_asked == 0)
		local_end(f);
	else if (t->stalled)
		local_more(f);
}

void
names_answer(struct stack *s, uint64_t id, const uint8_t *msg, size_t len)
{
	struct names *n = s->names;
	struct asked *a = n != NULL ? asked_find(n, id) : NULL;
	struct stream *t;
	bool broken;

	if (a == NULL)
		return;
	t = a->stream;
	broken = a->parts && len < DNS_HEADER;
	if (t == NULL && a->src.family != 0 && len >= DNS_HEADER)
		dgram_udp_copy(s, &a->server, &a->src, msg, len);
	asked_free(n, a);
	if (t != NULL && broken)
		local_fail(t->flow);
	else if (t != NULL)
		stream_answer(t, msg, len);
}

void
names_part(struct stack *s, uint64_t id, const uint8_t *msg, size_t len)
{
	struct asked *a = s->names != NULL ? asked_find(s->names, id) : NULL;
	struct stream *t = a != NULL ? a->stream : NULL;

	if (a != NULL && a->owes) {
		chan_fail(s->dns, "PART before PROCEED");
		return;
	}
	if (t == NULL || len < DNS_HEADER) {
		proceed(s, id, 0);	/* its asker has gone, or cannot have it */
		return;
	}
	a->parts = a->owes = true;
	t->n_owed++;
	if (stream_send(t, msg, len))
		stream_drained(t->flow);
}

void
names_done(struct stack *s)
{
	struct names *n = s->names;
	struct asked *a, *next;

	for (size_t i = 0; n != NULL && i < ASKED_BUCKETS; i++)
		for (a = LIST_FIRST(&n->buckets[i]); a != NULL; a = next) {
			next = LIST_NEXT(a, by_id);
			asked_free(n, a);
		}
	free(n);
	s->names = NULL;
}

/*
 * far.c - another cf-dns, at the far end of a pipe, is asked in place of resolvers (--dns-helper).
 *
 *   busy ── QUERY ──> far cf-dns ── ANSWER ──> query_end, as if a resolver had said it
 *
 * On the other side is a program of the user's, anywhere.  It is a resolver to us and no more: what it
 * answers goes through after[] of query.c like the answers of all of them, and only queries
 * that before[] lets pass get there.  To it we are what cf-netstack is to us.
 *
 * What must stay true: an answer is taken for a query that waits for it, by the number that went
 * out with it, and only if it repeats the question (wire_answers).
 *
 * Deliberately not done: zone transfers; the far end is told to stop, and the asker gets SERVFAIL.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "dns.h"
#include "log.h"

const struct sandbox_row far_rows[] = {
	ALLOW(shutdown,	"at the end: tell a helper of the user's that this was all"),
	{ 0 }
};

/*
 * Over "TCP", so that nothing is cut: what the asker's datagrams hold is known here.  Whose server
 * was asked counts there too, where there is no rule against it (query.c).
 */
void
far_ask(struct query *q)
{
	struct dns *dns = q->dns;
	const struct msg_query m = { .transport = IPPROTO_TCP,
	    .src = { .family = 4, .port = q->asked.src.port },
	    .server = q->via == &dns->direct ? q->asked.server : dns->gateway[0] };
	uint8_t body[MSG_QUERY_LEN];
	struct wr w = wr_over(body, sizeof(body));

	q->far = ++dns->last_far << 16 | q->id;
	msg_query_put(&w, &m);
	chan_send(dns->far, MSG_QUERY, q->far, body, sizeof(body), q->msg, q->len, -1);
}

static struct query *
asked(struct dns *dns, uint64_t number)
{
	struct query *q = query_find(dns, (uint16_t)number);

	return q != NULL && q->far == number ? q : NULL;
}

static void
on_answer(struct chan *c, const struct frame *f, int fd)
{
	struct dns *dns = chan_arg(c);
	struct query *q = asked(dns, f->flow);

	(void)fd;
	if (q == NULL)
		return;			/* its time was up */
	if (wire_answers(f->body, f->len, q->msg, &q->wire))
		query_keep(q, f->body, f->len);
	else if (f->len > 0)
		log_debug("%s: what came is no answer to the query", "the far cf-dns");
	query_end(q);
}

/* The first message of many. */
static void
on_part(struct chan *c, const struct frame *f, int fd)
{
	uint8_t body[MSG_PROCEED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	(void)fd;
	msg_proceed_put(&w, &(struct msg_proceed){ .flags = 0 });
	chan_send(c, MSG_PROCEED, f->flow, body, sizeof(body), NULL, 0, -1);
}

const struct chan_handler far_handlers[] = {
	{ MSG_ANSWER, on_answer },
	{ MSG_PART, on_part },
	{ 0, NULL }
};

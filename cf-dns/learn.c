/*
 * learn.c - what cf-proxy learns of names: which one gave which address, and until when.
 *
 *   answer of a resolver ──> learn_answer ── NAME ══> cf-proxy, policy stage
 *                                    synth.c ── NAME
 *                       synth_resolve <── RESOLVE ══
 *
 * By what is said here flows are allowed, so it counts only from the resolvers that the
 * run is given: what another server says, which the tree chose itself, is the tree's own word.
 * It is said of the name that was asked; aliases on the way do not count, as whoever asks for
 * one name of a chain has not asked for the others.
 *
 * What must stay true: a NAME is in the channel before the ANSWER from which the tree
 * learns the address, even where the channel is full: then all wait for the policy stage, which
 * always reads.  It reads again before it judges a flow, so a name is never late.
 *
 * Of the names of a zone that is transferred none has been asked for.
 *
 * Not done: addresses that stand elsewhere than in A and AAAA records (hints of HTTPS
 * records, say) are not learned.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <string.h>

#include "dns.h"
#include "name.h"
#include "zone.h"

/*
 * A program may connect a good while after it has asked, and again without asking;
 * a name that live flows go by stays longer than this by itself.
 */
#define TTL_LEAST	60
#define TTL_MOST	86400

const struct sandbox_row learn_rows[] = {
	ALLOW(poll, "wait for cf-proxy to learn a name before the tree does"),
	{ 0 }
};

void
learn_name(struct dns *dns, const struct addr *addr, const char *name, uint32_t ttl, uint32_t flags)
{
	uint8_t body[MSG_NAME_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_name m = { .addr = *addr, .flags = flags,
	    .ttl = ttl < TTL_LEAST ? TTL_LEAST : ttl > TTL_MOST ? TTL_MOST : ttl };

	m.addr.port = 0;
	msg_name_put(&w, &m);
	chan_send(dns->names, MSG_NAME, 0, body, sizeof(body), name, strlen(name), -1);
}

bool
learn_asked(const struct query *q, char name[NAME_STRLEN])
{
	size_t at = WIRE_HEADER_LEN;

	return q->wire.question && q->wire.qclass == WIRE_IN && q->wire.opcode == 0 &&
	    name_from_message(q->msg, q->wire.head_len, &at, name) == NULL &&
	    strlen(name) <= MSG_NAME_MAX;
}

const char *
learn_answer(struct query *q)
{
	struct wire_answer a;
	char name[NAME_STRLEN];

	if (q->dns->names == NULL || q->dns->synth != NULL || q->via != &q->dns->listed ||
	    zone_asked(&q->wire) || !learn_asked(q, name))
		return NULL;
	wire_answer(q->answer, q->answer_len, &a);
	for (size_t i = 0; i < a.naddrs && i < WIRE_ADDRS; i++)
		learn_name(q->dns, &a.addrs[i], name, a.ttl, 0);
	return NULL;
}

void
learn_before_answers(struct chan *stack)
{
	struct dns *dns = chan_arg(stack);
	struct pollfd p = { .fd = chan_wfd(dns->names), .events = POLLOUT };

	while (chan_backlog(dns->names) > 0 && chan_flush(dns->names) == 1)
		(void)poll(&p, 1, -1);
}

/*
 * alias.c - queries in synthetic mode: what is answered instead of real addresses; and in all modes
 * where cf-proxy asks for a name.
 *
 *   A, AAAA   the resolver is asked, so that what does not exist does not exist; where there
 *             are addresses the tree gets the one that stands for the name (synth.h)
 *   PTR       of such an address is answered here
 *   SVCB, HTTPS  are answered empty: their hints are addresses
 *   others    are passed on as they are
 *
 *   cf-proxy ── RESOLVE ──> known ──────────────────────────────> RESOLVED
 *                      └──> no longer: a query as the tree's ────┘
 *
 * A query of our own has no ANSWER: it ends in alias_resolved().  It goes the way of all
 * others, so that what is refused to the tree is refused to it.
 *
 * What must stay true: real addresses come only from the resolvers that the run is given; one
 * RESOLVED for each RESOLVE; the made-up address is in a NAME before it is in an ANSWER.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "compose.h"
#include "dns.h"
#include "event.h"
#include "log.h"
#include "name.h"

#define ALIAS_TTL	30		/* seconds; short, so that resolvers go on being asked */
#define REAL_LEAST	5		/* real addresses outlive the connection that they are for */
#define REAL_MOST	3600

static const char used_up[] = "no address is left for one more name";

static uint8_t
family_of(uint16_t qtype)
{
	return qtype == WIRE_A ? 4 : 6;
}

/* Told at the rate of all limits. */
static void
tell_used_up(struct dns *dns)
{
	uint64_t times = limit_count(&dns->used_up, uv_now(&dns->loop), 1);
	json_t *f;

	if (times == 0)
		return;
	log_warnx("limit reached: %s (%d have one)", used_up, SYNTHETIC_MAX);
	if (!event_wanted())
		return;
	f = json_object();
	json_object_set_new(f, "which", json_string("synthetic_names"));
	json_object_set_new(f, "limit", json_integer(SYNTHETIC_MAX));
	json_object_set_new(f, "times", json_integer((json_int_t)times));
	event_emit("limit_reached", f, NULL);
}

/* q->answer becomes a copy of this. */
static const char *
answer_set(struct query *q, const uint8_t *msg, size_t len)
{
	uint8_t *copy = malloc(len);

	if (copy == NULL)
		return "out of memory";
	memcpy(copy, msg, len);
	free(q->answer);
	q->answer = copy;
	q->answer_len = len;
	q->cut = false;
	q->aliased = true;
	return NULL;
}

static const char *
answer_alias(struct query *q, uint32_t number)
{
	uint8_t out[COMPOSE_REPLY_MAX];
	struct addr a = synthetic_addr(family_of(q->wire.qtype), number);

	return answer_set(q, out, compose_reply(out, q->msg, &q->wire, ALIAS_TTL, a.ip,
	    addr_iplen(&a)));
}

static void
keep_real(struct query *q, uint32_t number, const struct wire_answer *a)
{
	struct dns *dns = q->dns;
	uint32_t ttl = a->ttl < REAL_LEAST ? REAL_LEAST : a->ttl > REAL_MOST ? REAL_MOST : a->ttl;
	size_t n = a->naddrs < WIRE_ADDRS ? a->naddrs : WIRE_ADDRS;

	synth_keep(dns->synth, number, family_of(q->wire.qtype), a->addrs, n,
	    uv_now(&dns->loop) + ttl * UINT64_C(1000));
}

static bool
has_family(const struct wire_answer *a, uint8_t family)
{
	for (size_t i = 0; i < a->naddrs && i < WIRE_ADDRS; i++)
		if (a->addrs[i].family == family)
			return true;
	return false;
}

static const char *
alias_addresses(struct query *q, const struct wire_answer *a)
{
	struct dns *dns = q->dns;
	char name[NAME_STRLEN];
	struct addr alias;
	uint32_t number;
	bool fresh;

	if (a->rcode != WIRE_NOERROR || !has_family(a, family_of(q->wire.qtype)))
		return NULL;
	if (!learn_asked(q, name))
		return "a name that is too long to be told of";
	if ((number = synth_number(dns->synth, name, &fresh)) == 0) {
		tell_used_up(dns);
		return used_up;
	}
	if (q->via == &dns->listed)
		keep_real(q, number, a);
	alias = synthetic_addr(4, number);
	if (fresh)
		learn_name(dns, &alias, name, UINT32_MAX, MSG_NAME_SYNTHETIC);
	return answer_alias(q, number);
}

const char *
alias_answer(struct query *q)
{
	uint8_t out[WIRE_REPLY_MAX];
	struct wire_answer a;

	if (q->dns->synth == NULL || !q->wire.question || q->wire.qclass != WIRE_IN ||
	    q->wire.opcode != 0)
		return NULL;
	wire_answer(q->answer, q->answer_len, &a);
	switch (q->wire.qtype) {
	case WIRE_A:
	case WIRE_AAAA:
		return alias_addresses(q, &a);
	case WIRE_SVCB:
	case WIRE_HTTPS:
		if (a.rcode == WIRE_NOERROR && a.records > 0)
			return answer_set(q, out, wire_reply(out, q->msg, &q->wire, WIRE_NOERROR));
	}
	return NULL;
}

enum hook
alias_reverse(struct query *q, struct made *out)
{
	static uint8_t msg[COMPOSE_REPLY_MAX];
	uint8_t labels[WIRE_NAME_MAX];
	char asked[NAME_STRLEN];
	const char *name;
	uint32_t number;
	size_t len;

	if (q->dns->synth == NULL || q->wire.qtype != WIRE_PTR || !learn_asked(q, asked) ||
	    !synth_reverse(asked, &number))
		return HOOK_PASS;
	name = synth_name(q->dns->synth, number);
	if (name == NULL || (len = compose_labels(labels, name)) == 0) {
		query_made(q, out, WIRE_NXDOMAIN, "nobody's address");
		return HOOK_MADE;
	}
	q->aliased = true;
	*out = (struct made){ .msg = msg, .len = compose_reply(msg, q->msg, &q->wire, ALIAS_TTL,
	    labels, len), .why = name };
	return HOOK_MADE;
}

/* ---- names that an upstream proxy finds ---- */

/* Nobody is asked if there is such a name: the proxy will say so, to the connection. */
static enum hook
unasked_address(struct query *q, struct made *out)
{
	static uint8_t msg[COMPOSE_REPLY_MAX];
	struct dns *dns = q->dns;
	char name[NAME_STRLEN];
	struct addr a;
	uint32_t number;
	bool fresh;

	if (!learn_asked(q, name)) {
		query_made(q, out, WIRE_NXDOMAIN, "a name that is too long to be told of");
		return HOOK_MADE;
	}
	if ((number = synth_number(dns->synth, name, &fresh)) == 0) {
		tell_used_up(dns);
		query_made(q, out, WIRE_SERVFAIL, used_up);
		return HOOK_MADE;
	}
	a = synthetic_addr(4, number);
	if (fresh)
		learn_name(dns, &a, name, UINT32_MAX, MSG_NAME_SYNTHETIC);
	a = synthetic_addr(family_of(q->wire.qtype), number);
	q->aliased = true;
	*out = (struct made){ .msg = msg, .len = compose_reply(msg, q->msg, &q->wire, ALIAS_TTL, a.ip,
	    addr_iplen(&a)), .why = synth_name(dns->synth, number) };
	return HOOK_MADE;
}

enum hook
alias_unasked(struct query *q, struct made *out)
{
	bool plain = q->wire.question && q->wire.qclass == WIRE_IN && q->wire.opcode == 0;

	if (q->own)
		return HOOK_PASS;
	if (q->dns->unasked && plain && (q->wire.qtype == WIRE_A || q->wire.qtype == WIRE_AAAA))
		return unasked_address(q, out);
	if (!q->dns->closed)
		return HOOK_PASS;
	query_made(q, out, WIRE_NOERROR, "nobody is asked: there is an upstream proxy");
	return HOOK_MADE;
}

/* ---- what cf-proxy asks ---- */

static void
resolved_send(struct dns *dns, uint64_t question, const struct addr *addrs, size_t n)
{
	uint8_t body[MSG_RESOLVED_LEN], tail[2 * SYNTH_ADDRS * MSG_ADDR_LEN];
	struct wr w = wr_over(body, sizeof(body)), t = wr_over(tail, sizeof(tail));

	msg_resolved_put(&w, &(struct msg_resolved){ .count = (uint32_t)n });
	for (size_t i = 0; i < n; i++)
		msg_addr_put(&t, &addrs[i]);
	chan_send(dns->names, MSG_RESOLVED, question, body, sizeof(body), tail,
	    (size_t)(t.p - tail), -1);
}

/* What is known by now, of one family or of both. */
static size_t
real(struct dns *dns, uint32_t number, uint8_t family, struct addr *out)
{
	uint64_t now = uv_now(&dns->loop);
	size_t n = 0;

	if (family != 4)
		n = synth_real(dns->synth, number, 6, now, out);
	if (family != 6)
		n += synth_real(dns->synth, number, 4, now, out + n);
	return n;
}

/* Ask for it as the tree would; of both families A is asked for first, then AAAA. */
static bool
ask(struct dns *dns, uint64_t question, const char *name, uint16_t qtype, bool both)
{
	uint8_t msg[WIRE_HEAD_MAX];
	size_t len = compose_query(msg, name, qtype);

	return len > 0 && query_own(dns, question, msg, len, both);
}

/* Where names have the addresses that resolvers say. */
static size_t
plain(const uint8_t *msg, size_t len, uint8_t family, struct addr *out, size_t max)
{
	struct wire_answer a;
	size_t n = 0;

	if (len < WIRE_HEADER_LEN)
		return 0;
	wire_answer(msg, len, &a);
	for (size_t i = 0; i < a.naddrs && i < WIRE_ADDRS; i++)
		if (a.addrs[i].family == family && n < max)
			out[n++] = a.addrs[i];
	return n;
}

void
alias_resolved(struct query *q, const uint8_t *msg, size_t len)
{
	struct dns *dns = q->dns;
	struct addr addrs[2 * SYNTH_ADDRS];
	char name[NAME_STRLEN] = "";
	uint8_t family = q->both ? 0 : family_of(q->wire.qtype);

	(void)learn_asked(q, name);
	if (q->both && q->wire.qtype == WIRE_A && ask(dns, q->question, name, WIRE_AAAA, true))
		return;
	resolved_send(dns, q->question, addrs, dns->synth == NULL ?
	    plain(msg, len, family_of(q->wire.qtype), addrs, 2 * (size_t)SYNTH_ADDRS) :
	    real(dns, synth_find(dns->synth, name), family, addrs));
}

static void
on_resolve(struct chan *c, const struct frame *f, int fd)
{
	struct dns *dns = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct addr addrs[2 * SYNTH_ADDRS];
	char name[MSG_NAME_MAX + 1] = "";
	struct msg_resolve m;
	uint32_t number;
	size_t n;

	(void)fd;
	if (!msg_resolve_get(&r, &m)) {
		chan_fail(c, "bad RESOLVE");
		return;
	}
	memcpy(name, r.p, rd_left(&r));
	number = dns->synth == NULL ? 0 : synth_find(dns->synth, name);
	n = number == 0 ? 0 : real(dns, number, m.family, addrs);
	if (n > 0 ||
	    !ask(dns, f->flow, name, m.family == 6 ? WIRE_AAAA : WIRE_A, m.family == 0))
		resolved_send(dns, f->flow, addrs, n);
}

const struct chan_handler alias_handlers[] = {
	{ MSG_RESOLVE, on_resolve },
	{ 0, NULL }
};

/*
 * query.c - a query, from its QUERY frame to its one ANSWER frame.
 *
 *   QUERY ─┬─ before[]: no query, AAAA without a route, ... ────────────> ANSWER, made here
 *          └─> waiting ─> busy (c-ares has it) ─┬─ answered ─> after[] ─> ANSWER, relayed
 *                 │                             ├─ the first of many: transfer.c ─> PART ... ANSWER
 *                 │                             └─ nobody answered ─┐
 *                 └─ BUDGET_MS after QUERY ─────────────────────────┴──> ANSWER, SERVFAIL
 *
 * The tree is on the other side and may send anything, at any rate.  It gets an answer
 * to everything that has an id to answer to; what it can make us hold is bounded: queries
 * by WAITING_MAX and the shares of the two resolver lists, bytes by HELD_MAX.  Servers that
 * the tree chose itself have places of their own, so a dead one is no harm to the others; and the
 * second half of a line is for askers that have few in it, so a flood is none either.
 *
 * What is thought about a query before a resolver is asked, and about an answer before it goes
 * back, is in files of its own; before[] and after[] are the list of them, in their order.
 *
 * What must stay true: each QUERY is answered once, in query_finish(), which also frees it.  No
 * answer of a resolver passes by after[].
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dns.h"
#include "event.h"
#include "inside.h"
#include "log.h"

#define DIRECT_MAX	(INFLIGHT_MAX / 2)
#define LENGTH(array)	(sizeof(array) / sizeof((array)[0]))

static void	on_tick(uv_timer_t *);
static void	on_admit(uv_prepare_t *);
static enum hook no_query(struct query *, struct made *);
static enum hook no_route(struct query *, struct made *);
static enum hook no_resolver(struct query *, struct made *);
static enum hook no_room(struct query *, struct made *);

/* Each may answer a query; the first that does has the last word. */
static const struct {
	const char	*what;
	query_hook	*hook;
} before[] = {
	{ "a message that is no query", no_query },
	{ "the reverse of a made-up address", alias_reverse },
	{ "a name that is denied", filter_query },
	{ "AAAA where there is no IPv6", no_route },
	{ "a name that the proxy finds", alias_unasked },
	{ "nobody to ask", no_resolver },
	{ "the cache", kept_find },
	{ "too much at once", no_room },
};

/* Each may change q->answer, or forbid it. */
static const struct {
	const char	*what;
	answer_hook	*hook;
} after[] = {
	{ "rules that came meanwhile", filter_answer },
	{ "an address that is not told", answer_rebinding },
	{ "a key that hides names", answer_ech },
	{ "the cache", kept_store },
	{ "what cf-proxy learns", learn_answer },
	{ "addresses of names", alias_answer },
};

void
query_init(struct dns *dns)
{
	static const char *const gateways[] = { INSIDE_GATEWAY4, INSIDE_GATEWAY6 };

	for (size_t i = 0; i < 2; i++)
		addr_parse(gateways[i], INSIDE_DNS_PORT, &dns->gateway[i]);
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&dns->by_id[i]);
	if ((dns->servers = servers_new(dns->resolvers, dns->nresolvers)) == NULL)
		fatal("cannot start");
	resolver_init(&dns->listed, dns, RESOLVERS_MAX, INFLIGHT_MAX);
	resolver_init(&dns->direct, dns, 1, DIRECT_MAX);
	uv_timer_init(&dns->loop, &dns->tick);
	uv_prepare_init(&dns->loop, &dns->admit);
	uv_unref((uv_handle_t *)&dns->admit);
	dns->tick.data = dns->admit.data = dns;
}

struct query *
query_find(struct dns *dns, uint16_t id)
{
	struct query *q;

	LIST_FOREACH(q, &dns->by_id[id % BUCKETS], by_id)
		if (q->id == id)
			return q;
	return NULL;
}

/* Random bytes cost a system call: take them for many queries at once. */
uint16_t
query_random(struct dns *dns)
{
	uint16_t r;

	if (dns->nrandoms < sizeof(r)) {
		if (getrandom(dns->randoms, sizeof(dns->randoms), 0) != sizeof(dns->randoms))
			fatal("no random bytes");
		dns->nrandoms = sizeof(dns->randoms);
	}
	dns->nrandoms -= sizeof(r);
	memcpy(&r, dns->randoms + dns->nrandoms, sizeof(r));
	return r;
}

static struct query *
query_new(struct dns *dns, uint64_t flow, const uint8_t *msg, size_t len)
{
	struct query *q = calloc(1, sizeof(*q) + len);

	if (q == NULL)
		return NULL;
	q->dns = dns;
	q->flow = flow;
	q->len = len;
	memcpy(q->msg, msg, len);
	LIST_INIT(&q->upstreams);
	return q;
}

/* ---- the answer ---- */

void
query_finish(struct query *q, const uint8_t *msg, size_t len)
{
	if (q->own)
		alias_resolved(q, msg, len);
	else
		chan_send(q->dns->stack, MSG_ANSWER, q->flow, NULL, 0, msg, len, -1);
	servers_drop(q->servers);
	free(q->answer);
	free(q);
}

static void
reply(struct query *q, const uint8_t *msg, size_t len, bool made, const char *why)
{
	note_answer(q, msg, len, made, why);
	query_finish(q, msg, len);
}

static void
reply_made(struct query *q, enum wire_rcode rcode, const char *why)
{
	uint8_t out[WIRE_REPLY_MAX];

	reply(q, out, wire_reply(out, q->msg, &q->wire, rcode), true, why);
}

void
query_fail(struct query *q, const char *why)
{
	reply_made(q, WIRE_SERVFAIL, why);
}

const char *
query_edit(struct query *q)
{
	const char *why;

	for (size_t i = 0; i < LENGTH(after); i++)
		if ((why = after[i].hook(q)) != NULL) {
			log_debug("%s: %s", after[i].what, why);
			return why;
		}
	wire_set_id(q->answer, q->wire.id);
	return NULL;
}

/* q->answer is what a resolver said. */
static void
reply_relayed(struct query *q)
{
	uint8_t cut[WIRE_UDP_MIN];
	const char *why = query_edit(q);

	if (why != NULL)
		query_fail(q, why);
	else if (q->asked.transport == IPPROTO_UDP && q->answer_len > q->wire.udp_size)
		reply(q, cut, wire_truncate(cut, sizeof(cut), q->answer, q->answer_len),
		    false, q->kept ? "cached" : NULL);
	else
		reply(q, q->answer, q->answer_len, false, q->kept ? "cached" : NULL);
}

/* ---- waiting, busy, done ---- */

/* How many more of this asker's wait: its socket's, going by the port. */
static uint16_t *
waiting_from(const struct query *q)
{
	return &q->dns->waiting_from[q->asked.src.port % SOURCES];
}

static void
leave_line(struct query *q)
{
	TAILQ_REMOVE(&q->via->waiting, q, link);
	q->via->nwaiting--;
	--*waiting_from(q);
}

static void
start(struct resolver *r)
{
	struct dns *dns = r->dns;
	struct query *q = TAILQ_FIRST(&r->waiting);

	leave_line(q);
	TAILQ_INSERT_TAIL(&r->busy, q, link);
	r->nbusy++;
	do {
		q->id = query_random(dns);
	} while (query_find(dns, q->id) != NULL);
	LIST_INSERT_HEAD(&dns->by_id[q->id % BUCKETS], q, by_id);
	wire_set_id(q->msg, q->id);
	resolver_ask(q);
}

static void
admit(struct resolver *r)
{
	while (r->nwaiting > 0 && r->nbusy < r->busy_max)
		start(r);
}

/* Before the loop sleeps: what broke is told, and places that became free are given on. */
static void
on_admit(uv_prepare_t *h)
{
	struct dns *dns = h->data;

	do {
		upstream_settle(dns);
		admit(&dns->listed);
		admit(&dns->direct);
	} while (!LIST_EMPTY(&dns->broken));
	if (dns->listed.nwaiting + dns->direct.nwaiting == 0)
		uv_prepare_stop(h);
}

void
query_soon(struct dns *dns)
{
	uv_prepare_start(&dns->admit, on_admit);
}

static void
tick_in(struct dns *dns, uint64_t ms)
{
	uv_timer_start(&dns->tick, on_tick, ms, 0);
	dns->slow = ms > TICK_MS;
}

static void
wait_in_line(struct query *q)
{
	struct dns *dns = q->dns;

	event_flush();			/* that it was asked, before it is asked */
	dns->held += q->len;
	q->deadline = uv_now(&dns->loop) + BUDGET_MS;
	TAILQ_INSERT_TAIL(&q->via->waiting, q, link);
	q->via->nwaiting++;
	++*waiting_from(q);
	if (dns->slow || !uv_is_active((uv_handle_t *)&dns->tick))
		tick_in(dns, TICK_MS);
	admit(q->via);
	if (dns->listed.nwaiting + dns->direct.nwaiting > 0)
		query_soon(dns);
}

void
query_end(struct query *q)
{
	upstream_done(q);
	TAILQ_REMOVE(&q->via->busy, q, link);
	q->via->nbusy--;
	LIST_REMOVE(q, by_id);
	q->dns->held -= q->len + q->answer_len;
	if (q->transfer != NULL)
		transfer_begin(q->transfer);
	else if (q->answer == NULL)
		reply_made(q, WIRE_SERVFAIL, "no resolver answered");
	else if (q->cut && q->asked.transport == IPPROTO_TCP)
		reply_made(q, WIRE_SERVFAIL, "no resolver answered in full");
	else
		reply_relayed(q);
}

static void
expire(struct resolver *r, uint64_t now)
{
	struct query *q, *next;

	for (q = TAILQ_FIRST(&r->busy); q != NULL && q->deadline <= now; q = next) {
		next = TAILQ_NEXT(q, link);
		resolver_stop(q);
	}
	for (q = TAILQ_FIRST(&r->waiting); q != NULL && q->deadline <= now; q = next) {
		next = TAILQ_NEXT(q, link);
		leave_line(q);
		q->dns->held -= q->len;
		reply_made(q, WIRE_SERVFAIL, "too many queries before it");
	}
}

static void
on_tick(uv_timer_t *h)
{
	struct dns *dns = h->data;
	struct resolver *const both[] = { &dns->listed, &dns->direct };
	bool idle = true;
	uint64_t next;

	for (size_t i = 0; i < 2; i++) {
		resolver_tick(both[i]);
		expire(both[i], uv_now(&dns->loop));
		admit(both[i]);
		idle = idle && TAILQ_EMPTY(&both[i]->busy) && TAILQ_EMPTY(&both[i]->waiting);
	}
	transfer_tick(dns);
	idle = idle && !transfer_any(dns);
	next = upstream_tick(dns);
	if (!idle || next > 0)
		tick_in(dns, idle && next > TICK_MS ? next : TICK_MS);
}

/* ---- what resolvers say ---- */

bool
query_hold(struct dns *dns, size_t len)
{
	if (dns->held + len > HELD_MAX + ANSWERS_MAX)
		return false;
	dns->held += len;
	return true;
}

/* Keep an answer: a later one replaces it, but an error no truncated answer. */
static void
hold(struct query *q, const struct addr *by, const uint8_t *msg, size_t len, bool cut)
{
	uint8_t *copy;

	if (q->cut && (msg[3] & 0x0f) != WIRE_NOERROR)
		return;
	if (!query_hold(q->dns, len))
		return;
	if ((copy = malloc(len)) == NULL) {
		q->dns->held -= len;
		return;
	}
	memcpy(copy, msg, len);
	free(q->answer);
	q->dns->held -= q->answer_len;
	q->answer = copy;
	q->answer_len = len;
	q->answered_by = *by;
	q->cut = cut;
}

void
query_take(struct query *q, struct upstream *u, const uint8_t *msg, size_t len)
{
	char addr[ADDR_STRLEN];
	bool cut;

	if (q->transfer != NULL)
		return;			/* one server's is enough, and must not be mixed */
	if (!wire_answers(msg, len, q->msg, &q->wire)) {
		log_debug("%s: what came is no answer to the query", addr_str(&u->flow->addr, addr));
		return;
	}
	cut = u->tcp ? !transfer_first(q, u, msg, len) : (msg[2] & 0x02) != 0;
	hold(q, &u->flow->addr, msg, len, cut);
	if (!cut || u->tcp)
		resolver_answered(q, u->place, msg[3] & 0x0f);
	else if (!upstream_ask(q, u->place, true))
		resolver_failed(q, u->place, true);
}

void
query_keep(struct query *q, const uint8_t *msg, size_t len)
{
	hold(q, &q->asked.server, msg, len, (msg[2] & 0x02) != 0);
}

void
query_refused(struct query *q, struct upstream *u)
{
	resolver_failed(q, u->place, u->tcp);
}

/* ---- what the tree asks ---- */

static bool
is_gateway(const struct dns *dns, const struct addr *a)
{
	return addr_equal(a, &dns->gateway[0]) || addr_equal(a, &dns->gateway[1]);
}

static struct resolver *
listed(struct dns *dns)
{
	return dns->servers->n > 0 || dns->far != NULL ? &dns->listed : NULL;
}

/*
 * "The system's resolvers", or the server that was asked; NULL where there is none.  With rules
 * the tree does not choose: a server of its own could tell it any address for any name.
 */
static struct resolver *
route(struct dns *dns, const struct addr *server)
{
	if (!dns->pinned && !dns->filter.has_rules && !is_gateway(dns, server))
		return &dns->direct;
	return listed(dns);
}

static void
warn_no_resolver(struct dns *dns)
{
	if (!dns->warned)
		log_warnx("no resolver is known, so names get SERVFAIL (name one: cf-spawn -d ADDR)");
	dns->warned = true;
}

void
query_made(struct query *q, struct made *out, enum wire_rcode rcode, const char *why)
{
	static uint8_t msg[WIRE_REPLY_MAX];

	out->msg = msg;
	out->len = wire_reply(msg, q->msg, &q->wire, rcode);
	out->why = why;
}

static enum hook
made(struct query *q, struct made *out, enum wire_rcode rcode, const char *why)
{
	query_made(q, out, rcode, why);
	return HOOK_MADE;
}

static enum hook
no_query(struct query *q, struct made *out)
{
	const char *bad = wire_query(q->msg, q->len, &q->wire);

	if (q->wire.udp_size > q->dns->udp_max)
		q->wire.udp_size = q->dns->udp_max;
	return bad == NULL ? HOOK_PASS : made(q, out, WIRE_FORMERR, bad);
}

static enum hook
no_route(struct query *q, struct made *out)
{
	if (!q->dns->no_aaaa || !q->wire.question || q->wire.qtype != WIRE_AAAA ||
	    q->wire.qclass != WIRE_IN || q->wire.opcode != 0)
		return HOOK_PASS;
	return made(q, out, WIRE_NOERROR, "no route for IPv6");
}

static enum hook
no_resolver(struct query *q, struct made *out)
{
	if (q->via != NULL)
		return HOOK_PASS;
	warn_no_resolver(q->dns);
	return made(q, out, WIRE_SERVFAIL, "no resolver is known");
}

static enum hook
no_room(struct query *q, struct made *out)
{
	size_t most = *waiting_from(q) < SOURCE_WAITING ? WAITING_MAX : WAITING_MAX / 2;

	if (q->via->nwaiting < most && q->dns->held + q->len <= HELD_MAX)
		return HOOK_PASS;
	return made(q, out, WIRE_SERVFAIL, "too many queries");
}

static void
answer_or_ask(struct query *q)
{
	struct made out = { NULL, 0, NULL };
	enum hook h = HOOK_PASS;

	for (size_t i = 0; i < LENGTH(before) && h == HOOK_PASS; i++)
		h = before[i].hook(q, &out);
	note_query(q, h == HOOK_MADE);
	if (h == HOOK_MADE)
		reply(q, out.msg, out.len, true, out.why);
	else if (h == HOOK_HELD)
		reply_relayed(q);
	else
		wait_in_line(q);
}

/* Who will be asked; r: NULL where there is nobody. */
static void
take_route(struct query *q, struct resolver *r)
{
	q->via = r;
	q->generation = q->dns->generation;
	q->rules = q->dns->filter.generation;
	if (r == &q->dns->listed)
		q->servers = servers_hold(q->dns->servers);
}

static void
on_query(struct chan *c, const struct frame *f, int fd)
{
	struct dns *dns = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_query m;
	struct query *q;

	(void)fd;
	if (!msg_query_get(&r, &m)) {
		chan_fail(c, "bad QUERY");
		return;
	}
	/* Without a header there is no id to answer to: an empty ANSWER, which is dropped. */
	if (rd_left(&r) < WIRE_HEADER_LEN || (q = query_new(dns, f->flow, r.p, rd_left(&r))) == NULL) {
		chan_send(c, MSG_ANSWER, f->flow, NULL, 0, NULL, 0, -1);
		return;
	}
	q->asked = m;
	take_route(q, route(dns, &m.server));
	answer_or_ask(q);
}

bool
query_own(struct dns *dns, uint64_t question, const uint8_t *msg, size_t len, bool both)
{
	struct query *q = query_new(dns, 0, msg, len);

	if (q == NULL)
		return false;
	q->own = true;
	q->question = question;
	q->both = both;
	q->asked = (struct msg_query){ .transport = IPPROTO_UDP, .server = dns->gateway[0] };
	take_route(q, listed(dns));
	answer_or_ask(q);
	return true;
}

/* What cf-netstack may ask; anything else ends the process. */
const struct chan_handler query_handlers[] = {
	{ MSG_QUERY, on_query },
	{ MSG_PROCEED, transfer_on_proceed },
	{ 0, NULL }
};

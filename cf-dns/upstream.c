/*
 * upstream.c - a query at its resolvers: from which port, and whose answer that is.
 *
 *   upstream_ask ─┬─ UDP: a port of the resolver's stock ─┬─> sent ─> upstream_match ─> query_take
 *                 └─ TCP: a flow of its own ──────────────┘            (its id, at its port)
 *
 * On the other side is a resolver, or who pretends to be one.  An answer is taken only on
 * the port that the query left from, with the id that it left with, while it waits; and only if it
 * repeats the question byte for byte (wire_answers).  How ports are chosen is told in stock.h.
 *
 * An error of a socket (ICMP: nobody listens there) is of the resolver and not of one
 * query, so it ends the port and each query on it goes to its next resolver.  send(2) may
 * tell of an error of an earlier query's: the query that meets it takes another port, and
 * the others are told later, as c-ares cannot be called from within its own call.
 *
 * What must stay true: after query_take() or query_refused() nothing is touched that
 * was not looked up again: any query may be gone, and any flow.
 *
 * Deliberately not done: several queries a connection (RFC 7766 6.2.1.1).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "log.h"

void
upstream_init(struct dns *dns)
{
	LIST_INIT(&dns->broken);
}

/* ---- ports ---- */

static struct flow *
flow_of(struct port *p)
{
	return (struct flow *)((char *)p - offsetof(struct flow, port));
}

static void
port_drop(struct port *p, enum close_reason reason)
{
	stock_drop(p);
	flow_release(flow_of(p), reason);
}

/* One that a resolver may have: it is unused, or of a server that only the tree named. */
static struct stock *
stock_spare(struct dns *dns, bool for_resolver)
{
	struct stock *found = NULL;
	struct port *p;

	if (dns->nstocks < STOCKS_MAX)
		return &dns->stocks[dns->nstocks++];
	for (size_t i = 0; i < STOCKS_MAX && (found == NULL || stock_size(found) > 0); i++)
		if (stock_size(&dns->stocks[i]) == 0 || (for_resolver &&
		    !servers_have(dns->servers, &dns->stocks[i].server)))
			found = &dns->stocks[i];
	while (found != NULL && (p = stock_any(found)) != NULL)
		port_drop(p, CLOSE_EOF);
	return found;
}

/* Of a server that only the tree named there may be none: its queries get a flow each. */
static struct stock *
stock_of(struct dns *dns, const struct addr *server)
{
	struct stock *s;

	for (size_t i = 0; i < dns->nstocks; i++)
		if (addr_equal(&dns->stocks[i].server, server))
			return &dns->stocks[i];
	s = stock_spare(dns, servers_have(dns->servers, server));
	if (s != NULL)
		stock_init(s, server);
	return s;
}

static bool
port_make(struct dns *dns, struct stock *s)
{
	struct port *old = stock_excess(s);
	struct flow *f;

	if (old != NULL)
		port_drop(old, CLOSE_EOF);
	if ((f = flow_open(dns, &s->server, false)) == NULL)
		return false;
	stock_add(s, &f->port);
	return true;
}

static struct flow *
port_take(struct dns *dns, const struct addr *server)
{
	struct stock *s = stock_of(dns, server);
	uint64_t now = uv_now(&dns->loop);
	struct port *p;

	if (s == NULL)
		return flow_open(dns, server, false);
	p = stock_take(s, query_random(dns), now);
	if (p == NULL && port_make(dns, s))
		p = stock_take(s, 0, now);
	return p != NULL ? flow_of(p) : NULL;
}

/* Once a query has left: what is made for the next ones is no delay to it. */
static void
refill(struct dns *dns, struct stock *s)
{
	for (size_t n = s != NULL ? stock_refill(s) : 0; n > 0; n--)
		if (!port_make(dns, s))
			return;
}

void
upstream_forget(struct dns *dns)
{
	struct port *p;

	for (size_t i = 0; i < dns->nstocks; i++)
		if (!servers_have(dns->servers, &dns->stocks[i].server))
			while ((p = stock_any(&dns->stocks[i])) != NULL)
				port_drop(p, CLOSE_EOF);
}

uint64_t
upstream_tick(struct dns *dns)
{
	uint64_t now = uv_now(&dns->loop), next = 0, left;
	struct stock *s;
	struct port *p;

	for (size_t i = 0; i < dns->nstocks; i++) {
		s = &dns->stocks[i];
		if (!stock_tick(s, now))
			refill(dns, s);
		else
			while ((p = stock_any(s)) != NULL)
				port_drop(p, CLOSE_IDLE);
		left = s->last + STOCK_IDLE_MS - now;
		if (stock_size(s) > 0 && (next == 0 || left < next))
			next = left;
	}
	return next;
}

/* ---- queries and their flows ---- */

static bool
attach(struct upstream *u)
{
	struct addr addr = resolver_addr(u->query, u->place);
	struct dns *dns = u->query->dns;

	u->flow = u->tcp ? flow_open(dns, &addr, true) : port_take(dns, &addr);
	if (u->flow == NULL)
		return false;
	LIST_INSERT_HEAD(&u->flow->users, u, by_flow);
	return true;
}

static struct flow *
detach(struct upstream *u)
{
	struct flow *f = u->flow;

	if (f != NULL || u->failing)
		LIST_REMOVE(u, by_flow);
	u->failing = false;
	u->flow = NULL;
	return f;
}

/* What comes for it from now on is nobody's. */
static void
release(struct upstream *u)
{
	struct flow *f = detach(u);

	if (f != NULL)
		flow_release(f, f->totals.down_packets > 0 ? CLOSE_EOF : CLOSE_IDLE);
}

void
upstream_empty(struct upstream *u)
{
	u->query->dns->held -= u->in_size;
	free(u->in);
	u->in = NULL;
	u->in_size = 0;
}

void
upstream_drop(struct upstream *u)
{
	release(u);
	upstream_empty(u);
	free(u);
}

void
upstream_done(struct query *q)
{
	struct upstream *u;

	while ((u = LIST_FIRST(&q->upstreams)) != NULL) {
		LIST_REMOVE(u, link);
		upstream_drop(u);
	}
}

void
upstream_keep(struct upstream *u, struct transfer *t)
{
	LIST_REMOVE(u, link);
	u->transfer = t;
}

void
upstream_broken(struct flow *f, const char *why)
{
	struct upstreams failing = LIST_HEAD_INITIALIZER(failing);
	char addr[ADDR_STRLEN];
	struct upstream *u;

	log_debug("resolver %s (%s): %s", addr_str(&f->addr, addr), f->tcp ? "tcp" : "udp", why);
	while ((u = LIST_FIRST(&f->users)) != NULL) {
		detach(u);
		LIST_INSERT_HEAD(&failing, u, by_flow);
		u->failing = true;
	}
	flow_close(f, CLOSE_PEER);
	while ((u = LIST_FIRST(&failing)) != NULL) {
		detach(u);
		if (u->transfer != NULL)
			transfer_broken(u->transfer);
		else
			query_refused(u->query, u);
	}
}

static void
break_later(struct flow *f, int err)
{
	stock_drop(&f->port);
	if (f->broken != 0)
		return;
	f->broken = err;
	LIST_INSERT_HEAD(&f->dns->broken, f, link);
	query_soon(f->dns);
}

void
upstream_settle(struct dns *dns)
{
	struct flow *f;

	while ((f = LIST_FIRST(&dns->broken)) != NULL)
		upstream_broken(f, strerror(f->broken));
}

/* ---- out ---- */

/* Length and query, as much as the socket takes; the rest when it is writable. */
static bool
tcp_send(struct upstream *u)
{
	const struct query *q = u->query;
	uint8_t head[2] = { (uint8_t)(q->len >> 8), (uint8_t)q->len };
	ssize_t n;

	while (u->sent < q->len + 2) {
		/* The two must not leave as two segments: RFC 7766 8. */
		n = u->sent < 2 ? flow_send(u->flow, head + u->sent, 2 - u->sent, true) :
		    flow_send(u->flow, q->msg + (u->sent - 2), q->len - (u->sent - 2), false);
		if (n < 0)
			return (errno == EAGAIN || errno == EINTR) && flow_want_room(u->flow);
		u->sent += (size_t)n;
	}
	return true;
}

/* False: the resolver will not get it.  A datagram that was dropped is sent again in time. */
static bool
query_send(struct upstream *u)
{
	const struct query *q = u->query;

	if (u->flow->state == FLOW_OPENING)
		return true;
	if (u->tcp)
		return tcp_send(u);
	return flow_send(u->flow, q->msg, q->len, false) >= 0 ||
	    errno == EAGAIN || errno == EINTR || errno == ENOBUFS;
}

/* The query is sent, from another port where the error may be an earlier query's. */
static bool
ask(struct upstream *u)
{
	struct flow *f;
	bool shared;

	while (!query_send(u)) {
		int err = errno;

		f = detach(u);
		shared = f->port.uses > 1;
		break_later(f, err);
		if (!shared || !attach(u))
			return false;
	}
	if (!u->tcp && u->flow->state != FLOW_OPENING)
		refill(u->query->dns, u->flow->port.stock);
	return true;
}

/* TCP takes over: what still comes over UDP does not matter any more. */
static void
udp_release(struct query *q, size_t place)
{
	struct upstream *u;

	LIST_FOREACH(u, &q->upstreams, link)
		if (u->place == place && !u->tcp)
			release(u);
}

static struct upstream *
upstream_new(struct query *q, size_t place, bool tcp)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	u->query = q;
	u->place = place;
	u->tcp = tcp;
	if (!attach(u)) {
		free(u);
		return NULL;
	}
	if (tcp)
		udp_release(q, place);
	LIST_INSERT_HEAD(&q->upstreams, u, link);
	return u;
}

/* What this server was asked with and is to be asked with again: TCP, once there was need. */
static struct upstream *
upstream_at(struct query *q, size_t place, bool tcp)
{
	struct upstream *u, *found = NULL;

	LIST_FOREACH(u, &q->upstreams, link)
		if (u->place == place && (u->tcp || !tcp))
			if (found == NULL || u->tcp)
				found = u;
	return found;
}

bool
upstream_ask(struct query *q, size_t place, bool tcp)
{
	struct upstream *u = upstream_at(q, place, tcp);

	if (u == NULL)
		u = upstream_new(q, place, tcp);
	return u != NULL && u->flow != NULL && ask(u);
}

void
upstream_opened(struct flow *f)
{
	struct upstream *u;

	stock_ready(&f->port);
	LIST_FOREACH(u, &f->users, by_flow)
		if (!query_send(u)) {
			upstream_broken(f, strerror(errno));
			return;
		}
	if (!LIST_EMPTY(&f->users))
		refill(f->dns, f->port.stock);
}

void
upstream_writable(struct flow *f)
{
	struct upstream *u = LIST_FIRST(&f->users);

	if (u != NULL && u->tcp && !tcp_send(u))
		upstream_broken(f, strerror(errno));
}

/* ---- in ---- */

static bool
in_alloc(struct upstream *u, size_t want)
{
	if (u->in != NULL)
		return true;
	if (!query_hold(u->query->dns, want))
		return false;
	u->in_size = want;
	return (u->in = malloc(want)) != NULL;
}

/* Bytes of a TCP stream: two of length, then one message; a second only where it is a transfer. */
static void
tcp_take(struct upstream *u, const uint8_t *p, size_t n)
{
	size_t want, take;

	for (; n > 0 && u->got < 2; n--)
		u->head[u->got++] = *p++;
	want = (size_t)(u->head[0] << 8 | u->head[1]);
	if (u->got < 2 || (n == 0 && want > 0))
		return;
	if (want < WIRE_HEADER_LEN) {
		upstream_broken(u->flow, "an answer shorter than a header");
		return;
	}
	if (!in_alloc(u, want)) {
		upstream_broken(u->flow, "no memory for its answer");
		return;
	}
	take = want + 2 - u->got < n ? want + 2 - u->got : n;
	memcpy(u->in + (u->got - 2), p, take);
	u->got += take;
	if (take == 0 || u->got < want + 2)
		return;
	u->rest = p + take;
	u->rest_len = n - take;
	query_take(u->query, u, u->in, want);
}

struct upstream *
upstream_match(struct flow *f, const uint8_t *msg, size_t len)
{
	struct upstream *u;
	struct query *q;

	if (len < WIRE_HEADER_LEN || (q = query_find(f->dns, wire_id(msg))) == NULL)
		return NULL;
	LIST_FOREACH(u, &q->upstreams, link)
		if (u->flow == f)
			return u;
	return NULL;
}

void
upstream_payload(struct flow *f, const uint8_t *p, size_t n)
{
	struct upstream *u = f->tcp ? LIST_FIRST(&f->users) : upstream_match(f, p, n);
	char addr[ADDR_STRLEN];

	if (u == NULL)
		log_debug("%s: an answer that nobody waits for", addr_str(&f->addr, addr));
	else if (u->transfer != NULL)
		transfer_payload(u->transfer, p, n);
	else if (f->tcp)
		tcp_take(u, p, n);
	else
		query_take(u->query, u, p, n);
}

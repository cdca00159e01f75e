/*
 * icmp.c - ICMP: echo requests of the child, and errors that we tell it.
 *
 * The host end of an echo flow is a ping socket, connected; it carries whole ICMP
 * messages, and its kernel puts its own identifier and checksum in.  A flow is an
 * identifier and an address, as ping(8) uses them; the child's identifier is put
 * back into each reply.  Routers' errors about our probes come out of the socket's error
 * queue (dsock.c) and are told to the child about its own packet.
 *
 * Of the errors that the child sends only "port unreachable" about a datagram is heard: its
 * socket has gone, so the flow ends, and the peer learns of it from the host's kernel.
 * Else a peer that goes on sending would keep it for ever.  All other ICMP is ignored.
 *
 *   echo request --> flow? no --> OPEN --> OPENED --> sent, and what waited with it
 *                      '-- yes --> sent                '-- reply --> child
 *   IDLE_MS without either: the flow ends
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "dflow.h"
#include "dgram.h"

#define IDLE_MS		30000
#define BATCH		32		/* replies of one flow in one turn */
#define ID_AT		4		/* in the ICMP header (RFC 792, RFC 4443 4.1) */

/* ---- errors to the child ---- */

void
icmp_send_error(struct stack *s, const struct icmp_error *e, const struct addr *from,
    const struct pkt *p)
{
	uint8_t out[ICMP_ERROR_MAX];
	size_t len;

	if ((len = icmp_error_build(out, e, dgram_error_from(s, from, p->family), p)) > 0)
		tun_send_packet(s, NULL, out, len);
}

void
icmp_send_error_flow(struct stack *s, const struct icmp_error *e, const struct addr *from,
    const struct flow *f, const uint8_t *l4, size_t l4_len)
{
	struct ip_head h = { .src = &f->src, .dst = &f->dst, .proto = f->proto };
	uint8_t out[ICMP_ERROR_MAX];
	size_t len;

	if ((len = icmp_error_rebuild(out, e, dgram_error_from(s, from, f->src.family), &h,
	    l4_len, l4, l4_len)) > 0)
		tun_send_packet(s, NULL, out, len);
}

void
icmp_unknown_proto(struct stack *s, const struct pkt *p)
{
	struct icmp_error e;

	if (p->proto == PROTO_NONE || !icmp_error_of(ENOPROTOOPT, p->family, 0, &e))
		return;
	if (p->family == 6)
		e.info = p->proto_at;		/* RFC 4443 3.4 */
	icmp_send_error(s, &e, NULL, p);
}

/* ---- echo ---- */

static uint8_t
echo_type(uint8_t family)
{
	return family == 4 ? ICMP4_ECHO : ICMP6_ECHO;
}

static uint8_t
reply_type(uint8_t family)
{
	return family == 4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
}

/* A reply that is ours to give: the request with another type. */
static void
gateway_answer(struct stack *s, const struct pkt *p)
{
	struct ip_head h = { .src = &p->dst, .dst = &p->src, .proto = p->proto,
	    .tclass = p->tclass };
	struct buf *b = buf_get(s);

	if (b == NULL)
		return;
	memcpy(buf_data(b), pkt_l4(p), p->l4_len);
	buf_data(b)[0] = reply_type(p->family);
	dgram_icmp(s, &h, buf_data(b), p->l4_len);
	buf_put(s, b);
}

static bool
expired(const struct icmp_error *e, uint8_t family)
{
	return e->type == (family == 4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
}

/*
 * The child's identifier in place of the socket's, and the checksum that goes with it.
 * ICMPv6 sums addresses too, and the host's are others: there it is made again, where
 * all of the message was quoted.
 */
static void
quote_restore(struct dflow *d, uint8_t *quote, size_t len)
{
	struct flow *f = &d->f;
	struct ip_head h = { .src = &f->src, .dst = &f->dst, .proto = f->proto };
	struct rd r = rd_over(quote + 2, 4);
	struct wr w = wr_over(quote + 2, 4);
	uint16_t sum = (uint16_t)~rd_be16(&r), id = rd_be16(&r);

	wr_be16(&w, (uint16_t)~ip_sum_fold((uint64_t)sum + (uint16_t)~id + f->src.port));
	wr_be16(&w, f->src.port);		/* RFC 1624 3 */
	if (f->src.family == 6 && len == d->last_len)
		ip_finish(&h, quote, len, 2);
}

/* Tell the child about a request of which we know l4: all of it, or its first len bytes. */
static void
tell_error(struct dflow *d, const struct icmp_error *e, const struct addr *from,
    const uint8_t *l4, size_t len)
{
	struct flow *f = &d->f;
	struct ip_head h = { .src = &f->src, .dst = &f->dst, .proto = f->proto,
	    .tclass = d->sock.attr.tclass, .df = d->sock.attr.df,
	    .hop_limit = expired(e, f->src.family) ? 1 : d->sock.attr.hop_limit };
	uint8_t quote[ICMP_ERROR_MAX], out[ICMP_ERROR_MAX];
	size_t whole = d->last_len > len ? d->last_len : len;

	if (len > sizeof(quote))
		len = sizeof(quote);
	if (len < ICMP_HEADER)
		return;
	memcpy(quote, l4, len);
	quote_restore(d, quote, len);
	len = icmp_error_rebuild(out, e, dgram_error_from(f->stack, from, f->src.family), &h,
	    whole, quote, len);
	if (len > 0)
		tun_send_packet(f->stack, NULL, out, len);
}

static void
on_queued_error(struct flow *f, const struct dsock_error *q)
{
	tell_error(dflow_of(f), &q->error, &q->from, q->data, q->len);
}

/* A request that the host would not send. */
static void
send_failed(struct dflow *d, const uint8_t *l4, size_t len, int err)
{
	struct icmp_error e;

	if (icmp_error_of(err, d->f.src.family, dsock_mtu(&d->f), &e))
		tell_error(d, &e, NULL, l4, len);
}

static void
send_echo(struct dflow *d, const struct dattr *a, const uint8_t *l4, size_t len)
{
	struct flow *f = &d->f;
	int err;

	dflow_sent(d);
	d->last_len = len;
	f->up_packets++;
	dsock_attr(f, &d->sock, a);
	if ((err = dflow_send(d, l4, len, on_queued_error)) != 0)
		send_failed(d, l4, len, err);
}

static void
on_opened(struct flow *f)
{
	struct dflow *d = dflow_of(f);
	struct pending_item *item;

	dflow_answered(d);
	dsock_watch(f, false);
	while ((item = pending_take(&d->pending)) != NULL) {
		send_echo(d, &item->attr, item->data, item->len);
		free(item);
	}
}

static void
on_refused(struct flow *f, const struct msg_refused *m)
{
	struct dflow *d = dflow_of(f);
	struct pending_item *item;
	struct icmp_error e;
	bool tell = refused_error(m, f->src.family, &e);

	dflow_answered(d);
	while ((item = pending_take(&d->pending)) != NULL) {
		d->last_len = item->len;
		if (tell)
			tell_error(d, &e, &m->offender, item->data, item->len);
		free(item);
	}
}

static void
reply_to_child(struct dflow *d, uint8_t *l4, size_t len, const struct rx_info *rx)
{
	struct flow *f = &d->f;
	struct ip_head h = { .src = &f->dst, .dst = &f->src, .proto = f->proto,
	    .tclass = rx->tclass, .hop_limit = rx->hop_limit };
	struct wr w = wr_over(l4, len);

	if (len < ICMP_HEADER || l4[0] != reply_type(f->src.family))
		return;
	(void)wr_take(&w, ID_AT);
	wr_be16(&w, f->src.port);
	f->down_packets++;
	dflow_replied(d, IDLE_MS);
	dgram_icmp(f->stack, &h, l4, len);
}

static void
on_error(struct flow *f)
{
	dsock_errors(f, on_queued_error);
}

/* false: it has ended. */
static bool
recv_failed(struct dflow *d, int err)
{
	uint8_t l4[ICMP_HEADER] = { echo_type(d->f.src.family) };
	struct icmp_error e;

	if (host_fd(&d->f) >= 0) {
		(void)dsock_errors(&d->f, on_queued_error);
		return !d->f.dead;
	}
	if (icmp_error_of(err, d->f.src.family, 0, &e))	/* frames: RESET has ended it */
		tell_error(d, &e, NULL, l4, sizeof(l4));
	flow_end(&d->f, CLOSE_PEER);
	return false;
}

static void
on_readable(struct flow *f)
{
	struct dflow *d = dflow_of(f);
	struct buf *b = buf_get(f->stack);
	struct rx_info rx;
	int err = 0, n;
	ssize_t len;

	if (b == NULL)
		return;
	for (n = 0; n < BATCH; n++) {
		len = dsock_recv(f, buf_data(b), BUF_SIZE, &rx, &err);
		if (len == HOST_AGAIN || (len == HOST_ERROR && !recv_failed(d, err)))
			break;
		if (len >= 0)
			reply_to_child(d, buf_data(b), (size_t)len, &rx);
	}
	buf_put(f->stack, b);
	if (n == BATCH)
		flow_run_later(f);
}

static void
on_done(struct flow *f)
{
	dflow_done(dflow_of(f));
}

/* The socket takes requests again: none has waited. */
static void
on_writable(struct flow *f)
{
	(void)f;
}

static void
on_aborted(struct flow *f)
{
	(void)f;			/* silence: ping waits and says so */
}

const struct flow_kind icmp_kind = {
	.name = "icmp",
	.size = sizeof(struct dflow),
	.opened = on_opened,
	.refused = on_refused,
	.readable = on_readable,
	.writable = on_writable,
	.error = on_error,
	.aborted = on_aborted,
	.done = on_done,
};

/* The start of a packet of ours that the child quotes; enough of it to know the flow. */
static bool
quoted_udp(const struct pkt *p, struct addr *src, struct addr *dst)
{
	struct rd r = rd_over(pkt_payload(p), p->payload_len);
	size_t alen = p->family == 4 ? 4 : 16;

	*src = *dst = (struct addr){ .family = p->family };
	if (p->family == 4) {
		if (rd_u8(&r) != 0x45)		/* we send no options */
			return false;
		(void)rd_take(&r, 8);
		if (rd_u8(&r) != PROTO_UDP)
			return false;
		(void)rd_take(&r, 2);
	} else {
		(void)rd_take(&r, 6);
		if (rd_u8(&r) != PROTO_UDP)
			return false;
		(void)rd_take(&r, 1);
	}
	rd_bytes(&r, src->ip, alen);
	rd_bytes(&r, dst->ip, alen);
	src->port = rd_be16(&r);
	dst->port = rd_be16(&r);
	return !r.bad;
}

static void
child_error(struct stack *s, const struct pkt *p)
{
	struct addr peer, child;
	struct icmp_error port;
	struct flow *f;

	if (!icmp_error_of(ECONNREFUSED, p->family, 0, &port) || p->icmp_type != port.type ||
	    p->icmp_code != port.code || !quoted_udp(p, &peer, &child))
		return;
	f = flow_find(s, PROTO_UDP, &child, &peer);
	if (f != NULL && f->is_open)
		flow_end(f, CLOSE_RESET);
}

void
icmp_input(struct stack *s, const struct pkt *p)
{
	struct dattr attr = dattr_of(p);
	struct dflow *d;

	if (p->icmp_type != echo_type(p->family) || p->icmp_code != 0) {
		child_error(s, p);
		return;
	}
	if (stack_is_gateway(s, &p->dst)) {
		gateway_answer(s, p);
		return;
	}
	d = dflow_of(flow_find(s, p->proto, &p->src, &p->dst));
	if (d == NULL && (d = dflow_start(s, &icmp_kind, p, &p->dst, IDLE_MS)) == NULL)
		return;
	if (d->f.is_open)
		send_echo(d, &attr, pkt_l4(p), p->l4_len);
	else
		pending_add(&d->pending, &attr, pkt_l4(p), p->l4_len, 0);
}

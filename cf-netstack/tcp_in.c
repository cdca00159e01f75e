/*
 * tcp_in.c - segments from the child (RFC 9293 3.10.7).
 *
 * Every field is the command tree's choice.  tcp_parse() is pure; the rest keeps to the order of
 * RFC 9293 3.10.7.4: sequence number, RST, SYN, ACK, data, FIN, with the
 * stricter checks of RFC 5961 and the timestamps of RFC 7323 in front.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inside.h"
#include "tcp.h"

#define OPT_END		0
#define OPT_NOP		1
#define OPT_MSS		2
#define OPT_WSCALE	3
#define OPT_SACK_OK	4
#define OPT_SACK	5
#define OPT_TS		8

#define PAWS_IDLE	(24ull * 24 * 3600 * 1000)	/* RFC 7323 5.5 */
#define MSS_LEAST	88		/* less is nonsense and would make us send crumbs */

/* ---- header and options ---- */

static void
parse_sack(struct rd *r, struct tcp_seg_in *in)
{
	while (rd_left(r) >= 8) {
		uint32_t start = rd_be32(r), end = rd_be32(r);

		if (in->n_sack < SACK_BLOCKS && seq_lt(start, end)) {
			in->sack[in->n_sack].start = start;
			in->sack[in->n_sack++].end = end;
		}
	}
}

static void
parse_option(uint8_t kind, struct rd body, struct tcp_seg_in *in)
{
	size_t len = rd_left(&body);

	if (kind == OPT_MSS && len == 2) {
		in->mss = rd_be16(&body);
	} else if (kind == OPT_WSCALE && len == 1) {
		in->wscale = (int8_t)rd_u8(&body);
		if (in->wscale > 14 || in->wscale < 0)
			in->wscale = 14;	/* RFC 7323 2.3 */
	} else if (kind == OPT_SACK_OK && len == 0) {
		in->sack_permitted = true;
	} else if (kind == OPT_SACK) {
		parse_sack(&body, in);
	} else if (kind == OPT_TS && len == 8) {
		in->has_ts = true;
		in->tsval = rd_be32(&body);
		in->tsecr = rd_be32(&body);
	}
}

/* A list that does not add up ends there; what came before it holds. */
static void
parse_options(struct rd r, struct tcp_seg_in *in)
{
	while (rd_left(&r) > 0) {
		uint8_t kind = rd_u8(&r), len;
		const uint8_t *body;

		if (kind == OPT_END)
			return;
		if (kind == OPT_NOP)
			continue;
		len = rd_u8(&r);
		if (r.bad || len < 2 || (body = rd_take(&r, len - 2u)) == NULL)
			return;
		parse_option(kind, rd_over(body, len - 2u), in);
	}
}

bool
tcp_parse(const struct pkt *p, struct tcp_seg_in *out)
{
	struct rd r = rd_over(pkt_l4(p), p->l4_len);
	size_t header;

	*out = (struct tcp_seg_in){ .wscale = -1 };
	rd_take(&r, 4);			/* ports: ip_parse() has them */
	out->seq = rd_be32(&r);
	out->ack = rd_be32(&r);
	header = (size_t)(rd_u8(&r) >> 4) * 4;
	out->flags = rd_u8(&r);
	out->window = rd_be16(&r);
	rd_take(&r, 4);			/* checksum, urgent pointer */
	if (r.bad || header < TCP_HEADER || header > p->l4_len)
		return false;
	parse_options(rd_over(r.p, header - TCP_HEADER), out);
	out->data = pkt_l4(p) + header;
	out->len = (uint32_t)(p->l4_len - header);
	return true;
}

/* ---- a new connection ---- */

static void
negotiate(struct tcp *t, const struct tcp_seg_in *in, const struct pkt *p)
{
	struct stack *s = t->f.stack;
	uint32_t own = s->tun.mtu - (p->family == 6 ? IP6_HEADER : IP4_HEADER) - TCP_HEADER;
	uint32_t mss = in->mss != 0 ? in->mss : (p->family == 6 ? 1220u : 536u);

	t->ts_ok = in->has_ts;
	t->sack_ok = in->sack_permitted;
	t->rcv_wscale = in->wscale >= 0 ? TCP_WSCALE : 0;
	t->snd_wscale = in->wscale >= 0 ? (uint8_t)in->wscale : 0;
	mss = mss < MSS_LEAST ? MSS_LEAST : mss > own ? own : mss;
	t->mss = (uint16_t)(mss - (t->ts_ok ? 12 : 0));	/* RFC 6691 */
	t->ts_recent = in->tsval;
	t->ts_recent_at = s->now;
	t->up_cap = in->wscale >= 0 ? UP_CAP_FIRST : 65535;
}

static struct tcp *
connection_new(struct stack *s, const struct pkt *p, const struct tcp_seg_in *in)
{
	struct tcp *t = (struct tcp *)flow_new(s, &tcp_kind, PROTO_TCP, &p->src, &p->dst);
	uint32_t random[2];

	if (t == NULL)
		return NULL;
	if (getentropy(random, sizeof(random)) != 0)
		abort();
	STAILQ_INIT(&t->up);
	STAILQ_INIT(&t->ooo);
	STAILQ_INIT(&t->down);
	negotiate(t, in, p);
	t->irs = in->seq;
	t->rcv_nxt = t->rcv_edge = t->told_ack = in->seq + 1;
	t->iss = t->una = t->nxt = t->recover = t->high_rxt = random[0];
	t->ts_off = random[1];
	t->wnd = t->max_wnd = in->window;	/* of a SYN: never scaled */
	t->wl1 = in->seq;
	t->cwnd = DOWN_MOST;		/* a TUN has no queue to fill */
	t->ssthresh = UINT32_MAX;
	t->rto = RTO_FIRST;
	t->piggyback_need = 3;
	return t;
}

/* RFC 9293 3.10.7.2, but the answer waits for the host end.  Data on the SYN comes again later. */
static void
on_syn(struct stack *s, const struct pkt *p, const struct tcp_seg_in *in)
{
	bool dns = p->dst.port == INSIDE_DNS_PORT;
	struct tcp *t;

	if (p->src.port == 0 || p->dst.port == 0 || (!dns && stack_is_gateway(s, &p->dst)) ||
	    (t = connection_new(s, p, in)) == NULL) {
		tcp_reset_reply(s, p, in);
		return;
	}
	if (dns)
		flow_open_local(&t->f, &names_tcp);
	else if (!flow_open(&t->f, p))
		flow_end(&t->f, CLOSE_CANCEL);	/* no answer: the child sends its SYN again */
}

/* The child has started over on a tuple that we still know (RFC 9293 3.10.7.4, MUST-13; RFC 6191). */
static bool
may_replace(const struct tcp *t, const struct tcp_seg_in *in)
{
	if ((in->flags & (TF_SYN | TF_ACK | TF_RST)) != TF_SYN)
		return false;
	if (t->state == TS_HELD)
		return in->seq != t->irs;
	return t->state == TS_TIME_WAIT && (seq_lt(t->rcv_nxt, in->seq) ||
	    (t->ts_ok && in->has_ts && seq_lt(t->ts_recent, in->tsval)));
}

/* ---- checks ---- */

static void
on_held(struct tcp *t, const struct tcp_seg_in *in)
{
	if ((in->flags & TF_RST) && in->seq == t->irs + 1)
		flow_end(&t->f, CLOSE_CANCEL);
}

/* RFC 7323 5.2 and 5.3.  false: drop it. */
static bool
check_timestamp(struct tcp *t, const struct tcp_seg_in *in)
{
	uint64_t now = t->f.stack->now;

	if (!t->ts_ok || (in->flags & TF_RST))
		return true;
	if (!in->has_ts)
		return false;
	if (seq_lt(in->tsval, t->ts_recent) && now - t->ts_recent_at < PAWS_IDLE) {
		tcp_ack_later(t, true);
		return false;
	}
	if (seq_le(in->seq, t->told_ack)) {
		t->ts_recent = in->tsval;
		t->ts_recent_at = now;
	}
	return true;
}

/*
 * Some of it is new, or it stands at the edge: RFC 9293 3.10.7.4 first check, read so
 * that an ACK or RST at a closed window is taken, too.
 */
static bool
check_sequence(struct tcp *t, const struct tcp_seg_in *in)
{
	uint32_t end = in->seq + in->len + ((in->flags & TF_FIN) != 0);

	if (seq_le(t->rcv_nxt, end) && seq_le(in->seq, t->rcv_edge))
		return true;
	if (in->flags & TF_RST)
		return false;
	if (t->state == TS_SYN_RCVD && (in->flags & TF_SYN) && in->seq == t->irs)
		tcp_send_synack(t);
	else
		tcp_ack_later(t, true);	/* keepalive, window probe, old duplicate */
	return false;
}

/* RFC 5961 3.2: only a RST at exactly the next byte ends the connection. */
static void
on_rst(struct tcp *t, const struct tcp_seg_in *in)
{
	if (in->seq == t->rcv_nxt) {
		tcp_set_state(t, TS_CLOSED);
		flow_end(&t->f, CLOSE_RESET);
	} else {
		tcp_send_challenge(t);
	}
}

/* ---- ACK ---- */

static void
down_free(struct tcp *t, uint32_t upto)
{
	struct seg *s;

	while ((s = STAILQ_FIRST(&t->down)) != NULL && seq_le(s->seq + s->len, upto)) {
		STAILQ_REMOVE_HEAD(&t->down, next);
		t->down_len -= s->len;
		t->down_mem -= seg_mem(s);
		seg_free(t, s);
	}
}

static void
on_fin_acked(struct tcp *t)
{
	static const uint8_t next[] = {
		[TS_FIN_WAIT_1] = TS_FIN_WAIT_2,
		[TS_CLOSING] = TS_TIME_WAIT,
		[TS_LAST_ACK] = TS_CLOSED,
	};

	if (t->state < sizeof(next) && next[t->state] != 0)
		tcp_set_state(t, next[t->state]);
}

static void
on_new_ack(struct tcp *t, uint32_t ack)
{
	uint32_t bytes = ack - t->una;

	if (t->timing && seq_le(t->rtt_seq, ack)) {
		t->timing = false;
		tcp_rtt_sample(t, (uint32_t)(t->f.stack->now - t->rtt_at));
	}
	t->una = ack;
	t->high_rxt = seq_max(t->high_rxt, ack);
	t->retries = 0;
	t->dupacks = 0;
	down_free(t, ack);
	tcp_loss_acked(t, bytes);
	t->rto_at = 0;
	if (t->una != t->nxt)
		tcp_rto_start(t);
	else if (t->fin_out)
		on_fin_acked(t);
}

/* RFC 9293 3.10.7.4 fifth check, RFC 5961 5.2.  false: drop the segment. */
static bool
on_ack(struct tcp *t, const struct tcp_seg_in *in)
{
	uint32_t wnd = in->window << t->snd_wscale;
	bool same = in->len == 0 && wnd == t->wnd && (in->flags & TF_FIN) == 0;

	if (seq_lt(t->nxt, in->ack) || seq_lt(in->ack, t->una - t->max_wnd)) {
		tcp_send_challenge(t);
		return false;
	}
	if (seq_lt(t->wl1, in->seq) || (t->wl1 == in->seq && seq_le(t->wl2, in->ack))) {
		t->wnd = wnd;
		t->wl1 = in->seq;
		t->wl2 = in->ack;
		if (wnd > t->max_wnd)
			t->max_wnd = wnd;
		if (wnd > 0 && t->una == t->nxt && t->state != TS_TIME_WAIT) {
			t->rto_at = 0;	/* persist is over */
			t->retries = 0;
		}
	}
	if (t->sack_ok && in->n_sack > 0)
		tcp_loss_sack(t, in);
	if (seq_lt(t->una, in->ack))
		on_new_ack(t, in->ack);
	else if (same && in->ack == t->una && t->una != t->nxt)
		tcp_loss_dupack(t);
	else if (t->una == t->nxt || wnd == 0)
		t->retries = 0;		/* closed, but alive: a probe was answered */
	return true;
}

static bool
on_handshake_ack(struct tcp *t, const struct pkt *p, const struct tcp_seg_in *in)
{
	if (in->ack != t->iss + 1) {
		tcp_reset_reply(t->f.stack, p, in);
		return false;
	}
	tcp_set_state(t, TS_ESTABLISHED);
	return true;
}

/* ---- data ---- */

/* Keep what came too early; what is there already wins over a second copy. */
static void
ooo_insert(struct tcp *t, uint32_t seq, const uint8_t *data, uint32_t len)
{
	struct seg *at, *prev = NULL, *s;
	uint32_t cut;

	STAILQ_FOREACH(at, &t->ooo, next) {
		if (seq_lt(seq, at->seq))
			break;
		prev = at;
	}
	if (prev != NULL && seq_lt(seq, prev->seq + prev->len)) {
		cut = prev->seq + prev->len - seq;
		if (cut >= len)
			return;
		seq += cut;
		data += cut;
		len -= cut;
	}
	for (; at != NULL && seq_lt(at->seq, seq + len); at = STAILQ_NEXT(at, next)) {
		if (seq != at->seq && t->ooo_n < OOO_MOST) {
			uint32_t before = at->seq - seq;

			if ((s = seg_new(t, data, before, before)) == NULL)
				return;
			s->seq = seq;
			if (prev == NULL)
				STAILQ_INSERT_HEAD(&t->ooo, s, next);
			else
				STAILQ_INSERT_AFTER(&t->ooo, prev, s, next);
			t->ooo_len += before;
			t->ooo_n++;
		}
		cut = at->seq + at->len - seq;
		if (cut >= len)
			return;
		seq += cut;
		data += cut;
		len -= cut;
		prev = at;
	}
	if (t->ooo_n >= OOO_MOST || (s = seg_new(t, data, len, len)) == NULL)
		return;
	s->seq = seq;
	if (prev == NULL)
		STAILQ_INSERT_HEAD(&t->ooo, s, next);
	else
		STAILQ_INSERT_AFTER(&t->ooo, prev, s, next);
	t->ooo_len += len;
	t->ooo_n++;
}

/* The gap has closed: what waited behind it follows. */
static void
ooo_deliver(struct tcp *t)
{
	struct seg *s;

	while ((s = STAILQ_FIRST(&t->ooo)) != NULL && seq_le(s->seq, t->rcv_nxt)) {
		uint32_t old = t->rcv_nxt - s->seq;

		STAILQ_REMOVE_HEAD(&t->ooo, next);
		t->ooo_len -= s->len;
		t->ooo_n--;
		if (old < s->len) {
			t->rcv_nxt += s->len - old;
			relay_up(t, seg_bytes(s) + old, s->len - old);
		}
		seg_free(t, s);
	}
}

static void
take_fin(struct tcp *t)
{
	t->fin_in = true;
	t->rcv_nxt++;
	if (t->state == TS_ESTABLISHED)
		tcp_set_state(t, TS_CLOSE_WAIT);
	else if (t->state == TS_FIN_WAIT_1)
		tcp_set_state(t, TS_CLOSING);
	else if (t->state == TS_FIN_WAIT_2)
		tcp_set_state(t, TS_TIME_WAIT);
	tcp_ack_later(t, true);
}

static void
on_data(struct tcp *t, const struct tcp_seg_in *in)
{
	uint32_t seq = in->seq, len = in->len, cut;
	const uint8_t *data = in->data;
	bool fin = (in->flags & TF_FIN) != 0;

	if (t->fin_in) {
		if (len > 0 || fin)
			tcp_ack_later(t, true);
		return;
	}
	if (seq_lt(seq, t->rcv_nxt)) {		/* the front is old */
		cut = t->rcv_nxt - seq;
		cut = cut < len ? cut : len;
		seq += cut;
		data += cut;
		len -= cut;
		tcp_ack_later(t, true);
	}
	if (seq_lt(t->rcv_edge, seq + len)) {	/* the end is beyond the window */
		len = seq_lt(seq, t->rcv_edge) ? t->rcv_edge - seq : 0;
		fin = false;
		tcp_ack_later(t, true);
	}
	if (len > 0 && seq == t->rcv_nxt) {
		t->f.up_packets++;
		if (t->asked)
			t->piggybacked = 0;	/* two in a row: it may wait for our ACK */
		t->asked = true;
		t->asked_at = t->f.stack->now;
		t->rcv_nxt += len;
		tcp_ack_later(t, !STAILQ_EMPTY(&t->ooo));
		relay_up(t, data, len);
		if (!STAILQ_EMPTY(&t->ooo))
			ooo_deliver(t);
	} else if (len > 0) {
		t->f.up_packets++;
		t->ooo_last = seq;
		ooo_insert(t, seq, data, len);
		tcp_ack_later(t, true);		/* RFC 5681 4.2: at once, with SACK */
	}
	if (fin && !t->fin_early) {
		t->fin_early = true;
		t->fin_at = seq + len;
	}
	if (t->fin_early && t->fin_at == t->rcv_nxt)
		take_fin(t);
	else if (fin)
		tcp_ack_later(t, true);
}

/* ---- all of it ---- */

static void
on_segment(struct tcp *t, const struct pkt *p, const struct tcp_seg_in *in)
{
	if (t->state == TS_HELD) {
		on_held(t, in);
		return;
	}
	if (!check_sequence(t, in) || !check_timestamp(t, in))
		return;
	if (in->flags & TF_RST) {
		on_rst(t, in);
		return;
	}
	if (in->flags & TF_SYN) {
		tcp_send_challenge(t);		/* RFC 5961 4.2 */
		return;
	}
	if ((in->flags & TF_ACK) == 0)
		return;
	if (t->state == TS_SYN_RCVD && !on_handshake_ack(t, p, in))
		return;
	if (!on_ack(t, in))
		return;
	if (in->len > 0 || (in->flags & TF_FIN))
		on_data(t, in);
	tcp_loss_send(t);
	tcp_advance(t);
}

void
tcp_input(struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh)
{
	struct tcp_seg_in in;
	struct tcp *t;

	(void)vh;			/* several segments in one are one to us */
	if (!tcp_parse(p, &in))
		return;
	t = (struct tcp *)flow_find(s, PROTO_TCP, &p->src, &p->dst);
	if (t != NULL && may_replace(t, &in)) {
		flow_end(&t->f, CLOSE_CANCEL);
		t = NULL;
	}
	if (t != NULL)
		on_segment(t, p, &in);
	else if ((in.flags & (TF_SYN | TF_ACK | TF_RST | TF_FIN)) == TF_SYN)
		on_syn(s, p, &in);
	else
		tcp_reset_reply(s, p, &in);
}

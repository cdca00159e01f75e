/*
 * tcp_out.c - segments to the child.
 *
 * A segment is built from headers on the stack and payload where it lies; the TUN cuts it to
 * the child's MSS (GSO), so one write carries up to 64 KiB.  Without that offload it is cut
 * here.  Each segment carries the newest ACK and window, so an ACK that was owed is paid.
 *
 * What must stay true: the end of the window that was once told never moves back
 * (rcv_edge), and nothing is sent beyond what the child's window allows (tcp_room).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

#define OPTIONS_MAX	40
#define CSUM_OFFSET	16		/* of the checksum in a TCP header */
#define CHALLENGE_MS	5		/* RFC 5961 7: not more often, a flow */

/* ---- what the header says ---- */

static void
put_timestamp(struct tcp *t, struct wr *w)
{
	wr_be16(w, 0x0101);		/* two NOPs: aligned as RFC 7323 A shows */
	wr_be16(w, 0x080a);
	wr_be32(w, (uint32_t)t->f.stack->now + t->ts_off);
	wr_be32(w, t->ts_recent);
}

/* The block that came last first (RFC 2018 4); what else is there as far as it fits. */
static void
put_sack(struct tcp *t, struct wr *w)
{
	unsigned most = t->ts_ok ? 3 : 4, n = 0, newest = 0;
	uint32_t start[4], end[4];
	uint32_t from, to;
	struct seg *s = STAILQ_FIRST(&t->ooo);

	while (s != NULL) {
		from = s->seq;
		to = s->seq + s->len;
		while ((s = STAILQ_NEXT(s, next)) != NULL && s->seq == to)
			to = s->seq + s->len;
		if (n == most && !(seq_le(from, t->ooo_last) && seq_lt(t->ooo_last, to)))
			continue;
		if (n == most)
			n--;
		if (seq_le(from, t->ooo_last) && seq_lt(t->ooo_last, to))
			newest = n;
		start[n] = from;
		end[n++] = to;
	}
	wr_be16(w, 0x0101);
	wr_u8(w, 5);
	wr_u8(w, (uint8_t)(2 + 8 * n));
	for (unsigned i = 0; i < n; i++) {
		unsigned k = i == 0 ? newest : i <= newest ? i - 1 : i;

		wr_be32(w, start[k]);
		wr_be32(w, end[k]);
	}
}

/* bare: no payload, so there is room for SACK blocks without making a packet longer than the MTU. */
static size_t
put_options(struct tcp *t, uint8_t *out, uint8_t flags, bool bare)
{
	struct wr w = wr_over(out, OPTIONS_MAX);
	uint32_t own = t->f.stack->tun.mtu - (uint32_t)ip_header_len(t->f.src.family) - TCP_HEADER;

	if (flags & TF_SYN) {
		wr_be16(&w, 0x0204);
		wr_be16(&w, (uint16_t)own);
		if (t->rcv_wscale != 0)
			wr_be32(&w, 0x01030300u | t->rcv_wscale);
		if (t->sack_ok)
			wr_be32(&w, 0x01010402);
	}
	if (t->ts_ok)
		put_timestamp(t, &w);
	if (bare && !STAILQ_EMPTY(&t->ooo) && t->sack_ok)
		put_sack(t, &w);
	return (size_t)(w.p - out);
}

/*
 * The window to tell.  It opens in worthwhile steps only (RFC 9293 3.8.6.2.2), and
 * never moves its end back, though the rounding of the scale may show a little less.
 */
static uint16_t
window(struct tcp *t, uint8_t flags)
{
	uint32_t scale = flags & TF_SYN ? 0 : t->rcv_wscale;
	uint32_t room = relay_up_room(t), edge = t->rcv_nxt + room, w;
	uint32_t step = t->up_cap / 4 < 2u * t->mss ? t->up_cap / 4 : 2u * t->mss;

	if (seq_lt(t->rcv_edge, edge) && (edge - t->rcv_edge >= step || room >= t->up_cap))
		t->rcv_edge = edge;
	w = (seq_lt(t->rcv_nxt, t->rcv_edge) ? t->rcv_edge - t->rcv_nxt : 0) >> scale;
	if (w > 65535)
		w = 65535;
	t->told_wnd = w << scale;
	return (uint16_t)w;
}

/* ---- one packet ---- */

static void
ack_paid(struct tcp *t)
{
	if (t->ack != ACK_NONE)
		TAILQ_REMOVE(&tcp_all(t)->acks, t, in_acks);
	t->ack = ACK_NONE;
	t->ack_at = 0;
	t->told_ack = t->rcv_nxt;
}

/* The vnet header for a checksum that the kernel completes, and a payload that it cuts. */
static struct virtio_net_hdr
vnet(const struct tcp *t, size_t ip_len, size_t header_len, size_t payload)
{
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .csum_start = (uint16_t)ip_len, .csum_offset = CSUM_OFFSET };

	if (payload > t->mss) {
		vh.gso_type = t->f.src.family == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
		    VIRTIO_NET_HDR_GSO_TCPV4;
		vh.gso_size = t->mss;
		vh.hdr_len = (uint16_t)(ip_len + header_len);
	}
	return vh;
}

/* flags at seq with payload (at most tcp_seg_max()); an ACK is always on it. */
static void
emit(struct tcp *t, uint8_t flags, uint32_t seq, const uint8_t *payload, size_t len)
{
	struct stack *s = t->f.stack;
	uint8_t header[IP6_HEADER + TCP_HEADER + OPTIONS_MAX], options[OPTIONS_MAX];
	struct wr w = wr_over(header, sizeof(header));
	struct ip_head ip = { .src = &t->f.dst, .dst = &t->f.src, .proto = PROTO_TCP, .df = true };
	struct tcp_head th = { .seq = seq, .ack = t->rcv_nxt, .flags = flags | TF_ACK,
	    .options = options };
	struct virtio_net_hdr vh;
	struct iovec iov[2];
	size_t ip_len, tcp_len;

	th.optlen = put_options(t, options, flags, len == 0 && (flags & TF_SYN) == 0);
	th.window = window(t, flags);
	tcp_len = TCP_HEADER + th.optlen;
	ip_len = ip_put(&w, &ip, tcp_len + len);
	ip_put_tcp(&w, &ip, &th, ip_pseudo(ip.src, ip.dst, PROTO_TCP, tcp_len + len));
	vh = vnet(t, ip_len, tcp_len, len);
	iov[0] = (struct iovec){ .iov_base = header, .iov_len = (size_t)(w.p - header) };
	iov[1] = (struct iovec){ .iov_base = (void *)(uintptr_t)payload, .iov_len = len };
	tun_send(s, &vh, iov, len > 0 ? 2 : 1);
	if (len == 0 || STAILQ_EMPTY(&t->ooo))
		ack_paid(t);
}

/* What the TUN takes in one write. */
uint32_t
tcp_seg_max(const struct tcp *t)
{
	uint8_t type = t->f.src.family == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
	uint32_t most = IP_MAX - IP6_HEADER - TCP_HEADER - OPTIONS_MAX;

	if (!tun_can_gso(t->f.stack, type, t->f.src.family))
		return t->mss;
	return most - most % t->mss;	/* whole segments: no crumb at the end of each */
}

/* Payload of any length, in as many writes as that needs; flags go on the last. */
static void
emit_all(struct tcp *t, uint8_t flags, uint32_t seq, const uint8_t *data, uint32_t len)
{
	uint32_t most = tcp_seg_max(t);

	while (len > most) {
		emit(t, 0, seq, data, most);
		seq += most;
		data += most;
		len -= most;
	}
	emit(t, flags, seq, data, len);
}

/* ---- control ---- */

void
tcp_send_synack(struct tcp *t)
{
	if (t->nxt == t->iss)
		t->nxt = t->iss + 1;
	emit(t, TF_SYN, t->iss, NULL, 0);
}

void
tcp_send_ack(struct tcp *t)
{
	emit(t, 0, t->nxt, NULL, 0);
}

void
tcp_send_challenge(struct tcp *t)
{
	uint64_t now = t->f.stack->now;

	if (now - t->challenge_at < CHALLENGE_MS && t->challenge_at != 0)
		return;
	t->challenge_at = now;
	tcp_all(t)->challenges++;
	tcp_send_ack(t);
}

/* One byte before the window: the child must answer with its window (RFC 9293 3.8.6.1). */
void
tcp_send_probe(struct tcp *t)
{
	emit(t, 0, t->una - 1, NULL, 0);
}

void
tcp_send_rst(struct tcp *t)
{
	tcp_all(t)->resets++;
	if (t->state == TS_HELD)	/* answers the SYN (RFC 9293 3.10.7.3) */
		emit(t, TF_RST, 0, NULL, 0);
	else
		emit(t, TF_RST, t->nxt, NULL, 0);
}

/* RFC 9293 3.10.7.1: the answer to what belongs to no connection. */
void
tcp_reset_reply(struct stack *s, const struct pkt *p, const struct tcp_seg_in *in)
{
	uint8_t packet[IP6_HEADER + TCP_HEADER];
	struct wr w = wr_over(packet, sizeof(packet));
	struct ip_head ip = { .src = &p->dst, .dst = &p->src, .proto = PROTO_TCP, .df = true };
	struct tcp_head th = { .flags = TF_RST, .seq = in->ack };
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .csum_offset = CSUM_OFFSET };

	if (in->flags & TF_RST)
		return;
	if ((in->flags & TF_ACK) == 0) {
		th.seq = 0;
		th.flags = TF_RST | TF_ACK;
		th.ack = in->seq + in->len + ((in->flags & TF_SYN) != 0) +
		    ((in->flags & TF_FIN) != 0);
	}
	vh.csum_start = (uint16_t)ip_put(&w, &ip, TCP_HEADER);
	ip_put_tcp(&w, &ip, &th, ip_pseudo(ip.src, ip.dst, PROTO_TCP, TCP_HEADER));
	tun_send_packet(s, &vh, packet, (size_t)(w.p - packet));
}

/* ---- data ---- */

uint32_t
tcp_room(const struct tcp *t)
{
	uint32_t flight = t->nxt - t->una;
	uint32_t most = t->wnd < t->cwnd ? t->wnd : t->cwnd;
	uint32_t room;

	if (most > DOWN_MOST)
		most = DOWN_MOST;
	if (tcp_all(t)->mem > MEM_PRESSURE && most > tcp_seg_max(t))
		most = tcp_seg_max(t);
	if (flight >= most || t->down_mem >= DOWN_MEM_MOST)
		return 0;
	room = most - flight;
	/* RFC 9293 3.8.6.2.1: no crumbs while an ACK is due that may open the window. */
	return room < t->mss && flight > 0 ? 0 : room;
}

/* Our FIN has a place in the sequence now. */
static void
fin_sent(struct tcp *t)
{
	t->fin_out = true;
	t->nxt++;
	tcp_set_state(t, t->state == TS_ESTABLISHED ? TS_FIN_WAIT_1 : TS_LAST_ACK);
	if (t->rto_at == 0)
		tcp_rto_start(t);
}

void
tcp_send_fin(struct tcp *t)
{
	emit(t, TF_FIN, t->nxt, NULL, 0);
	fin_sent(t);
}

/* The end of the host's stream goes with its last byte where the window has room for both. */
void
tcp_send_seg(struct tcp *t, struct seg *s)
{
	bool fin = t->host_eof && t->nxt + s->len - t->una < t->wnd;

	s->seq = t->nxt;
	emit_all(t, TF_PSH | (fin ? TF_FIN : 0), t->nxt, seg_bytes(s), s->len);
	t->nxt += s->len;
	t->down_len += s->len;
	t->f.down_packets++;
	STAILQ_INSERT_TAIL(&t->down, s, next);
	if (t->asked && t->f.stack->now - t->asked_at < DELACK / 2 && t->piggybacked < UINT8_MAX)
		t->piggybacked++;
	t->asked = false;
	if (!t->timing) {
		t->timing = true;
		t->rtt_seq = t->nxt;
		t->rtt_at = t->f.stack->now;
	}
	if (fin)
		fin_sent(t);
	else if (t->rto_at == 0)
		tcp_rto_start(t);
}

void
tcp_resend(struct tcp *t, uint32_t from, uint32_t to)
{
	uint32_t data_end = t->nxt - (t->fin_out ? 1 : 0), n;
	bool fin = t->fin_out && seq_lt(data_end, to);
	struct seg *s;
	uint8_t flags;

	t->timing = false;		/* RFC 6298 3 (Karn) */
	tcp_all(t)->retransmits++;
	STAILQ_FOREACH(s, &t->down, next) {
		if (seq_le(s->seq + s->len, from))
			continue;
		if (!seq_lt(from, to) || seq_lt(from, s->seq))
			break;
		n = seq_min(s->seq + s->len, to) - from;
		flags = TF_PSH;
		if (fin && from + n == data_end) {
			flags |= TF_FIN;
			fin = false;
		}
		emit_all(t, flags, from, seg_bytes(s) + (from - s->seq), n);
		from += n;
	}
	if (fin && seq_le(from, data_end))
		emit(t, TF_FIN, data_end, NULL, 0);
}

void
tcp_ack_later(struct tcp *t, bool now)
{
	if (t->f.dead)
		return;
	if (t->ack == ACK_NONE)
		TAILQ_INSERT_TAIL(&tcp_all(t)->acks, t, in_acks);
	if (now || t->ack == ACK_NOW)
		t->ack = ACK_NOW;
	else
		t->ack = ACK_SOON;
}

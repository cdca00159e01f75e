/*
 * tcp_peer.h - a model of the child's TCP, a host end, and a bad road between, in virtual time.
 *
 * The stack runs without a TUN: what it sends is seen in tun.tap, cut to the MSS as the child's
 * kernel would, and put on a road that loses, delays, reorders and doubles by the dice of
 * a seed (or the bytes of a fuzzer).  The peer is written for clarity, not after the
 * stack: it keeps a map of bytes it has and checks each against what the host sent.
 * cf-proxy is the far end of a socket pair; the host end is a socket pair, too, or frames.
 *
 * A broken promise calls die() with the seed, which runs the same again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TCP_PEER_H
#define TCP_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "frame.h"
#include "host.h"
#include "tcp.h"

#define ROAD_MAX	8192
#define STREAM_MAX	(1 << 20)

struct road_packet {
	uint64_t	 due;
	size_t		 len;
	uint8_t		*bytes;
};
struct road {
	struct road_packet p[ROAD_MAX];
	size_t		 n;
};

/* What a run is like. */
struct weather {
	unsigned	 loss, dup;		/* of 1000, each way */
	unsigned	 jitter;		/* ms */
	unsigned	 mss;
	uint32_t	 window;		/* of the peer */
	bool		 stalls;		/* the peer closes its window now and then */
	bool		 ts, sack, wscale, v6, frames;
	bool		 plain;			/* a TUN without offloads */
	bool		 hostile;		/* forged segments come between: no stream is promised */
	uint32_t	 up, down;		/* bytes */
	unsigned	 host_reads;		/* most bytes a ms; 0: all */
};

struct peer {
	struct addr	 me, server;
	bool		 syn_sent, established, reset, fin_seen, refused;
	uint32_t	 iss, irs;
	uint32_t	 sent_most;
	uint32_t	 una, nxt;		/* of the up stream, as offsets from iss + 1 */
	uint32_t	 wnd;			/* what the stack lets us send */
	uint8_t		 wscale;
	uint32_t	 got, fin_at;		/* of the down stream: in order; where its FIN is */
	bool		 has_fin;
	uint8_t		*have;			/* a map of the down stream */
	uint32_t	 told_edge;		/* the stack must not send beyond it */
	uint32_t	 tsval_seen;
	uint64_t	 rto_at, stall_until;
	bool		 ack_due;
	unsigned	 retries;
	uint64_t	 acked_fin;
};

static struct stack	 st;
static struct peer	 pe;
static struct weather	 w;
static struct road	 to_peer, to_stack;
static uint64_t		 dice_state;
static uint64_t		 seed_shown;
static int		 proxy_far = -1, host_far = -1;
static uint8_t		*dice_bytes;
static size_t		 dice_left;
static uint32_t		 host_got, host_sent;
static bool		 host_eof, host_ended, flow_closed, host_reset;
static enum close_reason flow_reason;
static uint64_t		 flow_id, flow_up, flow_down;
static uint32_t		 frame_credit, frame_owed;
static unsigned		 n_opens, n_rst_out, n_icmp_out, n_fin_out, n_fin_with_data, n_data;

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "%s (seed %llu, at %llu ms)\n", what, (unsigned long long)seed_shown,
	    (unsigned long long)st.now);
	abort();
}
#define MUST(x)	do { if (!(x)) die("broken: " #x); } while (0)

/* The fuzzer's bytes first, then a generator that they have seeded. */
static uint32_t
dice(uint32_t n)
{
	if (dice_left > 0) {
		dice_left--;
		dice_state = dice_state * 31 + *dice_bytes++;
		return n == 0 ? 0 : (uint32_t)(dice_state % n);
	}
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return n == 0 ? 0 : (uint32_t)(dice_state >> 16) % n;
}

static uint8_t
byte_at(uint32_t offset, bool up)
{
	return (uint8_t)((offset * 2654435761u >> 13) ^ (up ? 0x5a : 0));
}

/* ---- the road ---- */

static void
road_put(struct road *r, const uint8_t *bytes, size_t len)
{
	unsigned copies = dice(1000) < w.dup ? 2 : 1;

	if (dice(1000) < w.loss)
		return;
	while (copies-- > 0 && r->n < ROAD_MAX) {
		struct road_packet *p = &r->p[r->n++];

		p->due = st.now + 1 + (w.jitter ? dice(w.jitter) : 0);
		p->len = len;
		MUST((p->bytes = malloc(len)) != NULL);
		memcpy(p->bytes, bytes, len);
	}
}

/* The oldest that is due; its bytes are the caller's. */
static bool
road_take(struct road *r, struct road_packet *out)
{
	size_t i = 0;

	while (i < r->n && r->p[i].due > st.now)
		i++;
	if (i == r->n)
		return false;
	*out = r->p[i];
	memmove(&r->p[i], &r->p[i + 1], (r->n - i - 1) * sizeof(r->p[0]));
	r->n--;
	return true;
}

static void
road_clear(struct road *r)
{
	while (r->n > 0)
		free(r->p[--r->n].bytes);
}

/* What the stack writes to the TUN, cut as GSO says. */
static void
on_tap(void *arg, const struct virtio_net_hdr *vh, const uint8_t *packet, size_t len)
{
	struct pkt p;
	struct tcp_seg_in in;
	size_t header, off = 0, n, step;
	uint8_t piece[2048];

	(void)arg;
	MUST(ip_parse(packet, len, true, &p) == PKT_OK);
	if (p.proto != PROTO_TCP) {
		n_icmp_out++;
		return;
	}
	MUST(tcp_parse(&p, &in));
	n_rst_out += (in.flags & TF_RST) != 0;
	n_fin_out += (in.flags & TF_FIN) != 0;
	n_fin_with_data += (in.flags & TF_FIN) != 0 && in.len > 0;
	header = len - in.len;
	step = vh->gso_type != VIRTIO_NET_HDR_GSO_NONE ? vh->gso_size : in.len;
	MUST(vh->gso_type == VIRTIO_NET_HDR_GSO_NONE || (vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM));
	MUST(header + step <= 1500 && (!w.plain || vh->gso_type == VIRTIO_NET_HDR_GSO_NONE));
	do {
		struct wr seq;

		n = in.len - off < step ? in.len - off : step;
		memcpy(piece, packet, header);
		memcpy(piece + header, packet + header + off, n);
		seq = wr_over(piece + p.l4_off + 4, 4);
		wr_be32(&seq, in.seq + (uint32_t)off);
		if (off + n < in.len)
			piece[p.l4_off + 13] &= (uint8_t)~TF_FIN;
		/* The total length says how long it is. */
		seq = wr_over(piece + (p.family == 6 ? 4 : 2), 2);
		wr_be16(&seq, (uint16_t)(header + n - (p.family == 6 ? IP6_HEADER : 0)));
		if (p.family == 4) {
			memset(piece + 10, 0, 2);
			seq = wr_over(piece + 10, 2);
			wr_be16(&seq, ip_checksum(piece, IP4_HEADER, 0));
		}
		road_put(&to_peer, piece, header + n);
		off += n;
	} while (off < in.len);
}

/* ---- the peer ---- */

static void
put_peer_sack(struct wr *o)
{
	uint32_t start[3], end[3];
	unsigned n = 0;

	for (uint32_t i = pe.got; i < w.down && n < 3; i++) {
		if (!pe.have[i])
			continue;
		start[n] = i;
		while (i < w.down && pe.have[i])
			i++;
		end[n++] = i;
	}
	if (n == 0)
		return;
	wr_be16(o, 0x0101);
	wr_u8(o, 5);
	wr_u8(o, (uint8_t)(2 + 8 * n));
	for (unsigned i = 0; i < n; i++) {
		wr_be32(o, pe.irs + 1 + start[i]);
		wr_be32(o, pe.irs + 1 + end[i]);
	}
}

static size_t
peer_options(uint8_t *out, uint8_t flags)
{
	struct wr o = wr_over(out, 40);

	if (flags & TF_SYN) {
		wr_be16(&o, 0x0204);
		wr_be16(&o, (uint16_t)w.mss);
		if (w.wscale)
			wr_be32(&o, 0x01030307);
		if (w.sack)
			wr_be32(&o, 0x01010402);
	}
	if (w.ts) {
		wr_be32(&o, 0x0101080a);
		wr_be32(&o, (uint32_t)st.now);
		wr_be32(&o, pe.tsval_seen);
	}
	if (w.sack && (flags & TF_SYN) == 0)
		put_peer_sack(&o);
	return (size_t)(o.p - out);
}

static uint32_t
peer_window(void)
{
	if (pe.stall_until > st.now)
		return 0;
	return w.window;
}

static void
peer_send_raw(uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *data, size_t len)
{
	uint8_t packet[4096], options[40];
	struct wr o = wr_over(packet, sizeof(packet));
	struct ip_head ip = { .src = &pe.me, .dst = &pe.server, .proto = PROTO_TCP, .df = true };
	struct tcp_head th = { .seq = seq, .ack = ack, .flags = flags, .options = options };
	uint32_t win = peer_window(), edge;
	unsigned scale = w.wscale && (flags & TF_SYN) == 0 ? 7 : 0;

	th.optlen = peer_options(options, flags);
	th.window = (uint16_t)(win >> scale > 65535 ? 65535 : win >> scale);
	edge = pe.got + ((uint32_t)th.window << scale);
	if (edge > pe.told_edge)
		pe.told_edge = edge;
	ip_put(&o, &ip, TCP_HEADER + th.optlen + len);
	ip_put_tcp(&o, &ip, &th, 0);
	wr_bytes(&o, data, len);
	MUST(!o.bad);
	road_put(&to_stack, packet, (size_t)(o.p - packet));
}

static void
peer_send(uint8_t flags, uint32_t offset, uint32_t len)
{
	uint8_t data[2048];

	for (uint32_t i = 0; i < len; i++)
		data[i] = byte_at(offset + i, true);
	peer_send_raw((uint8_t)(flags | (flags & TF_SYN ? 0 : TF_ACK)),
	    pe.iss + (flags & TF_SYN ? 0 : 1 + offset),
	    flags & TF_SYN ? 0 : pe.irs + 1 + pe.got + pe.fin_seen, data, len);
}

/* Send from nxt as the window allows; the FIN is the byte behind the last. */
static void
peer_push(void)
{
	uint32_t most = w.mss - (w.ts ? 12 : 0), n, room;

	while (pe.established && pe.nxt <= w.up) {
		room = pe.una + pe.wnd > pe.nxt ? pe.una + pe.wnd - pe.nxt : 0;
		n = w.up - pe.nxt < most ? w.up - pe.nxt : most;
		if (n > 1 && dice(8) == 0)
			n = 1 + dice(n);
		if (n > room)
			n = room;
		if (n == 0 && pe.nxt < w.up)
			break;
		if (pe.nxt + n == w.up && room > n) {
			peer_send(TF_FIN | TF_PSH, pe.nxt, n);
			pe.nxt = w.up + 1;
		} else if (n == 0) {
			break;
		} else {
			peer_send(TF_PSH, pe.nxt, n);
			pe.nxt += n;
		}
		if (pe.rto_at == 0)
			pe.rto_at = st.now + 250;
	}
}

static void
peer_take_data(const struct tcp_seg_in *in)
{
	uint32_t off = in->seq - pe.irs - 1, end = off + in->len + ((in->flags & TF_FIN) != 0);

	if (in->len == 0 && (in->flags & TF_FIN) == 0) {
		pe.ack_due |= off != pe.got + pe.fin_seen;	/* a probe */
		return;
	}
	pe.ack_due = true;
	MUST(off + in->len <= w.down && (end <= pe.told_edge || w.hostile));
	for (uint32_t i = 0; i < in->len; i++) {
		MUST(in->data[i] == byte_at(off + i, false));
		pe.have[off + i] = 1;
	}
	if (in->flags & TF_FIN) {
		pe.has_fin = true;
		pe.fin_at = off + in->len;
		MUST(pe.fin_at == w.down || w.hostile);
	}
	while (pe.got < w.down && pe.have[pe.got])
		pe.got++;
	if (pe.has_fin && pe.got == pe.fin_at)
		pe.fin_seen = true;
}

static void
peer_on_packet(const uint8_t *bytes, size_t len)
{
	struct pkt p;
	struct tcp_seg_in in;
	uint32_t ack;

	MUST(ip_parse(bytes, len, true, &p) == PKT_OK && tcp_parse(&p, &in));
	if (in.flags & TF_RST) {
		/* Behind the end of both streams it answers a late copy, and harms nothing. */
		pe.reset |= !(pe.fin_seen && pe.una == w.up + 1);
		return;
	}
	if (w.ts && in.has_ts)
		pe.tsval_seen = in.tsval;
	if (in.flags & TF_SYN) {
		MUST(in.ack == pe.iss + 1 || w.hostile);
		pe.irs = in.seq;
		pe.wscale = in.wscale > 0 ? (uint8_t)in.wscale : 0;
		pe.established = true;
		pe.wnd = in.window;
		pe.ack_due = true;
		pe.rto_at = 0;
		return;
	}
	if (!pe.established)
		return;
	ack = in.ack - pe.iss - 1;
	if (pe.nxt > pe.sent_most)
		pe.sent_most = pe.nxt;
	if (w.hostile && (ack > pe.sent_most || in.seq - pe.irs - 1 + in.len > w.down))
		return;
	MUST(ack <= pe.sent_most || (int32_t)ack < 0);
	if (ack > pe.nxt && (int32_t)ack > 0)
		pe.nxt = ack;		/* it had gone back, and need not have */
	if (ack > pe.una && (int32_t)ack > 0) {
		pe.una = ack;
		pe.retries = 0;
		pe.rto_at = pe.una < pe.nxt ? st.now + 250 : 0;
	}
	if (ack >= pe.una)
		pe.wnd = in.window << pe.wscale;
	peer_take_data(&in);
}

/* The window is closed: a byte beyond it asks whether it still is. */
static void
peer_send_probe(void)
{
	peer_send(TF_PSH, pe.una, 1);
	if (pe.una + 1 > pe.sent_most)
		pe.sent_most = pe.una + 1;
}

static void
peer_tick(void)
{
	if (!pe.established) {
		if (!pe.reset && (!pe.syn_sent || st.now >= pe.rto_at)) {
			peer_send(TF_SYN, 0, 0);
			pe.syn_sent = true;
			pe.rto_at = st.now + 1000;
		}
		return;
	}
	if (w.stalls && pe.stall_until < st.now && dice(400) == 0) {
		pe.stall_until = st.now + 50 + dice(1500);
		pe.ack_due = true;
	} else if (w.stalls && pe.stall_until == st.now) {
		pe.ack_due = true;	/* the window update; it may be lost */
	}
	peer_push();
	if (pe.rto_at != 0 && st.now >= pe.rto_at) {
		if (pe.nxt > pe.sent_most)
			pe.sent_most = pe.nxt;
		pe.nxt = pe.una;		/* go back */
		pe.rto_at = st.now + (250ull << (pe.retries < 5 ? pe.retries : 5));
		pe.retries++;
		peer_push();
		if (pe.nxt == pe.una && pe.una < w.up)
			peer_send_probe();
	} else if (pe.rto_at == 0 && pe.una <= w.up) {
		pe.rto_at = st.now + 250;
	}
	if (pe.ack_due) {
		pe.ack_due = false;
		peer_send(0, pe.nxt, 0);
	}
}

/* ---- cf-proxy and the host end ---- */

static void
proxy_send(enum msg_type type, const void *body, size_t len, int fd)
{
	uint8_t header[MSG_HEADER_LEN];
	struct iovec iov[2] = { { header, sizeof(header) }, { (void *)(uintptr_t)body, len } };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1 };

	frame_header(header, type, fd != -1, type == MSG_HELLO ? 0 : flow_id, len);
	if (fd != -1) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(int));
	}
	MUST(sendmsg(proxy_far, &m, 0) == (ssize_t)(sizeof(header) + len));
	if (fd != -1)
		close(fd);
}

static void
proxy_opened(void)
{
	uint8_t body[MSG_OPENED_LEN] = { 4 };
	int pair[2];

	if (w.frames) {
		proxy_send(MSG_OPENED, body, sizeof(body), -1);
		return;
	}
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	host_far = pair[1];
	proxy_send(MSG_OPENED, body, sizeof(body), pair[0]);
}

static void
proxy_refused(enum refusal why, uint32_t err)
{
	uint8_t body[MSG_REFUSED_LEN];
	struct wr o = wr_over(body, sizeof(body));

	msg_refused_put(&o, &(struct msg_refused){ .why = why, .err = err });
	proxy_send(MSG_REFUSED, body, sizeof(body), -1);
}

static void
host_takes(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && !w.hostile; i++)
		MUST(data[i] == byte_at(host_got + (uint32_t)i, true));
	host_got += (uint32_t)len;
	MUST(host_got <= w.up || w.hostile);
}

static void
on_frame(const struct frame *f)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_close c;
	uint8_t body[MSG_WINDOW_LEN];
	struct wr o = wr_over(body, sizeof(body));

	switch (f->type) {
	case MSG_OPEN:
		flow_id = f->flow;
		n_opens++;
		break;
	case MSG_CLOSE:
		MUST(msg_close_get(&r, &c) && (w.hostile || (!flow_closed && f->flow == flow_id)));
		flow_closed = true;
		flow_reason = c.reason;
		flow_up = c.up_bytes;
		flow_down = c.down_bytes;
		break;
	case MSG_DATA:
		n_data++;
		host_takes(f->body, f->len);
		frame_owed += f->len;
		if (frame_owed > 30000 && !flow_closed) {
			wr_le32(&o, frame_owed);
			proxy_send(MSG_WINDOW, body, sizeof(body), -1);
			frame_owed = 0;
		}
		break;
	case MSG_WINDOW:
		frame_credit += rd_le32(&r);
		break;
	case MSG_EOF:
		host_eof = true;
		break;
	case MSG_LIMIT:
		MUST(msg_limit_get(&r, &(struct msg_limit){ 0 }));
		break;
	case MSG_HELLO:
		break;
	default:
		die("a frame that cf-proxy does not know");
	}
}

static void
proxy_read(void)
{
	static uint8_t buf[1 << 20];
	static size_t n;
	struct frame f;
	const char *why;
	size_t used;
	ssize_t got;

	MUST(chan_flush(st.proxy) >= 0);
	while ((got = recv(proxy_far, buf + n, sizeof(buf) - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	while (frame_next(buf, n, R_STACK, R_PROXY, &f, &used, &why) == 1) {
		on_frame(&f);
		memmove(buf, buf + used, n - used);
		n -= used;
	}
}

static void
host_tick_fd(void)
{
	static uint8_t data[65536];
	size_t most = w.host_reads ? dice(w.host_reads + 1) : sizeof(data);
	ssize_t n;

	if (host_far == -1)
		return;
	if (most > 0 && !host_eof) {
		n = recv(host_far, data, most < sizeof(data) ? most : sizeof(data), 0);
		if (n > 0)
			host_takes(data, (size_t)n);
		else if (n == 0)
			host_eof = true;
		else if (errno != EAGAIN)
			host_reset = true;
	}
	while (host_sent < w.down) {
		size_t want = w.down - host_sent < 20000 ? w.down - host_sent : 20000;

		for (size_t i = 0; i < want; i++)
			data[i] = byte_at(host_sent + (uint32_t)i, false);
		n = send(host_far, data, want, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		host_sent += (uint32_t)n;
	}
	if (host_sent == w.down && !host_ended) {
		host_ended = true;
		shutdown(host_far, SHUT_WR);
	}
}

static void
host_tick_frames(void)
{
	uint8_t data[9000];
	size_t want;

	while (host_sent < w.down && frame_credit > 0) {
		want = w.down - host_sent < sizeof(data) ? w.down - host_sent : sizeof(data);
		want = want < frame_credit ? want : frame_credit;
		for (size_t i = 0; i < want; i++)
			data[i] = byte_at(host_sent + (uint32_t)i, false);
		proxy_send(MSG_DATA, data, want, -1);
		frame_credit -= (uint32_t)want;
		host_sent += (uint32_t)want;
		if (dice(3) == 0)
			break;
	}
	if (host_sent == w.down && !host_ended) {
		host_ended = true;
		proxy_send(MSG_EOF, NULL, 0, -1);
	}
}

/* ---- from cf-proxy into the stack: what chans.c does ---- */

static void
take_opened(struct chan *c, const struct frame *f, int fd)
{
	(void)c;
	flow_on_opened(&st, f->flow, fd);
}
static void
take_refused(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_refused m;

	(void)c, (void)fd;
	MUST(msg_refused_get(&r, &m));
	flow_on_refused(&st, f->flow, &m);
}
static void
take_data(struct chan *c, const struct frame *f, int fd)
{
	(void)c, (void)fd;
	host_on_data(&st, f->flow, f->body, f->len);
}
static void
take_window(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)c, (void)fd;
	host_on_window(&st, f->flow, rd_le32(&r));
}
static void
take_eof(struct chan *c, const struct frame *f, int fd)
{
	(void)c, (void)fd;
	host_on_eof(&st, f->flow);
}
static void
take_reset(struct chan *c, const struct frame *f, int fd)
{
	(void)c, (void)fd;
	host_on_reset(&st, f->flow, ECONNRESET);
}
static const struct chan_handler take[] = {
	{ MSG_OPENED, take_opened }, { MSG_REFUSED, take_refused }, { MSG_DATA, take_data },
	{ MSG_WINDOW, take_window }, { MSG_EOF, take_eof }, { MSG_RESET, take_reset },
	{ 0, NULL }
};

/* ---- the world ---- */

static void
world_begin(uint64_t seed)
{
	uint8_t hello[MSG_HELLO_LEN];
	struct wr o = wr_over(hello, sizeof(hello));
	int pair[2];

	memset(&st, 0, sizeof(st));
	memset(&pe, 0, sizeof(pe));
	seed_shown = seed;
	dice_state = seed * 0x9e3779b97f4a7c15u + 0x1234567;
	MUST(stack_init(&st));
	st.now = 1000;
	st.tun.tap = on_tap;
	st.tun.no_gso = w.plain;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	MUST((st.proxy = chan_new(pair[0], pair[0], R_STACK, R_PROXY, NULL)) != NULL);
	chan_handlers(st.proxy, take);
	proxy_far = pair[1];
	msg_hello_put(&o, &(struct msg_hello){ .version = MSG_VERSION, .role = R_PROXY,
	    .caps = w.frames ? 0 : MSG_CAP_FD });
	proxy_send(MSG_HELLO, hello, sizeof(hello), -1);
	chan_hello(st.proxy, MSG_CAP_FD);
	MUST(addr_parse(w.v6 ? "2001:2:0:cf::2" : "192.0.0.2", 40000, &pe.me));
	MUST(addr_parse(w.v6 ? "2001:db8::80" : "203.0.113.80", 80, &pe.server));
	pe.me.port = 40000;
	pe.server.port = 80;
	pe.iss = dice(UINT32_MAX);
	MUST((pe.have = calloc(1, STREAM_MAX)) != NULL);
	host_got = host_sent = frame_owed = 0;
	host_eof = host_ended = flow_closed = host_reset = false;
	flow_id = flow_up = flow_down = 0;
	frame_credit = MSG_WINDOW_INITIAL;
	n_opens = n_rst_out = n_icmp_out = n_fin_out = n_fin_with_data = n_data = 0;
	host_far = -1;
}

static void
world_end(void)
{
	uint8_t drop[4096];

	stack_done(&st);
	chan_free(st.proxy);
	while (recv(proxy_far, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		;
	close(proxy_far);
	if (host_far != -1)
		close(host_far);
	host_far = -1;
	road_clear(&to_peer);
	road_clear(&to_stack);
	free(pe.have);
}

static struct tcp *
the_flow(void)
{
	return (struct tcp *)TAILQ_FIRST(&st.flows.all);
}

static void
stack_takes(const uint8_t *bytes, size_t len)
{
	static const struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint8_t copy[4096];

	MUST(len <= sizeof(copy));
	memcpy(copy, bytes, len);
	stack_packet(&st, &vh, copy, len);
}

/* What epoll would tell of the host end; its end comes now and then later than its last byte. */
static uint32_t
host_events(const struct flow *f)
{
	return EPOLLIN | (f->out_watched ? EPOLLOUT : 0) | (host_ended && dice(4) ? EPOLLRDHUP : 0);
}

/* One ms for everybody. */
static void
world_tick(void)
{
	struct road_packet p;
	struct tcp *t;

	st.now++;
	while (road_take(&to_stack, &p)) {
		stack_takes(p.bytes, p.len);
		free(p.bytes);
		if (dice(4) == 0)
			stack_burst_end(&st);
	}
	stack_burst_end(&st);
	proxy_read();
	MUST(chan_read(st.proxy) == 1);
	t = the_flow();
	if (t != NULL && t->f.is_open && t->f.host_mode == HOST_FD)
		host_event(&t->f, host_events(&t->f));
	stack_turn(&st);
	stack_turn(&st);
	proxy_read();
	while (road_take(&to_peer, &p)) {
		peer_on_packet(p.bytes, p.len);
		free(p.bytes);
	}
	if ((t = the_flow()) != NULL) {
		MUST(t->up_len <= UP_CAP_MOST + 65536 && t->down_len <= DOWN_MOST);
		MUST(t->una == t->nxt || seq_lt(t->una, t->nxt));
	}
}

#endif

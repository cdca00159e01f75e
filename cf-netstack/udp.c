/*
 * udp.c - UDP flows of the child.
 *
 * A flow is a pair of addresses and ports; its host end is a connected socket.  cf-proxy
 * gives the flows of one child socket one host port, so peers see one sender.
 *
 *   datagram --> flow? no --> OPEN, kept (pending.c) --> OPENED --> sent (or each in a FIRST,
 *                   |                                |              until GO)
 *                   |                                '-> REFUSED --> ICMP error about each
 *                   '-- yes --> gathered until the burst of packets ends --> sent
 *
 * Up: datagrams of one flow that come in one burst, and are alike in all but content, leave
 * as one train (UDP_SEGMENT): one call, and one walk through the host's stack.  A train
 * has one size, of which only the last may fall short.
 * Down: what the socket has, one by one or as a train when the kernel has one (UDP_GRO).
 *
 * What the network says about a datagram (refused, unreachable, too big, expired) is read
 * from the socket's error queue and told to the child as ICMP about its own packet.
 *
 * Where a service answers from a port of its own choice (TFTP: RFC 1350 4), a second flow is
 * asked for, to port 0 of the same address.  Its socket has the same host port and hears
 * what no other flow does: the kernel gives a socket that is connected to port 0 the
 * datagrams of that peer from every port, and to reply is a flow like any other.  Only
 * where descriptors are passed: DATA frames do not say from which port they came.
 *
 * A flow ends after a time without datagrams: there is no other sign (dflow.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>

#include "dflow.h"
#include "dgram.h"

/* RFC 4787 4.3 asks for two minutes at least once there is an answer; QUIC sits idle for longer. */
#define IDLE_ASKED_MS	30000
#define IDLE_REPLIED_MS	180000
#define IDLE_QUIC_MS	300000
#define IDLE_REFUSED_MS	5000		/* nobody there: a scan leaves little behind */
#define PORT_QUIC	443
#define PORT_TFTP	69
#define PORT_ANY	0		/* no datagram is for it, so it names a flow of our own */

#define TRAIN_MAX	64	/* UDP_MAX_SEGMENTS of older kernels */
#define TRAIN_BYTES	65000	/* below the longest datagram of either family */
#define TRAIN_SIZE_MAX	9000	/* longer ones gain nothing */
#define BATCH_LEAST	4
#define READS		8	/* of one flow in one turn, each of up to DSOCK_BATCH datagrams */

struct udp_flow {
	struct dflow	 d;
	unsigned	 batch;		/* how many to ask the socket for at once */
	size_t		 down_size;	/* of the newest datagram down; 0: read one by one */

	/* The train of this burst. */
	struct udp_flow	*next_train;	/* from stack->udp */
	struct buf	*train;		/* NULL: none */
	size_t		 train_len, train_size;
	unsigned	 train_n;
	bool		 train_closed;	/* the last one was short */
	struct dattr	 train_attr;
	bool		 owes_first;	/* its first flight goes up to cf-proxy (first.c) */
	size_t		 size_max;	/* trains of this size or more were refused; 0: none was */
};

static struct udp_flow *
udp_of(struct flow *f)
{
	return (struct udp_flow *)f;
}

/* ---- what went wrong ---- */

/*
 * An error about a datagram of which we know the payload: all of it (whole == len) or
 * its start.
 */
static void
tell_error(struct udp_flow *u, const struct icmp_error *e, const struct addr *from,
    const uint8_t *payload, size_t len, size_t whole)
{
	struct flow *f = &u->d.f;
	bool expired = e->type == (f->src.family == 4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
	struct ip_head h = { .src = &f->src, .dst = &f->dst, .proto = PROTO_UDP,
	    .tclass = u->d.sock.attr.tclass, .df = u->d.sock.attr.df,
	    .hop_limit = expired ? 1 : u->d.sock.attr.hop_limit };
	uint8_t out[ICMP_ERROR_MAX], quote[ICMP_ERROR_MAX];
	struct wr w = wr_over(quote, sizeof(quote));
	uint16_t sum = 0;		/* in a part of a datagram there is no telling */

	if (whole == len) {
		uint8_t head[UDP_HEADER];
		struct wr hw = wr_over(head, sizeof(head));

		ip_put_udp(&hw, &h, len, 0);
		sum = ip_checksum(payload, len, ip_sum(head, sizeof(head),
		    ip_pseudo(&f->src, &f->dst, PROTO_UDP, UDP_HEADER + len)));
	}
	if (len > sizeof(quote) - UDP_HEADER)
		len = sizeof(quote) - UDP_HEADER;
	ip_put_udp(&w, &h, whole, sum);
	wr_bytes(&w, payload, len);
	len = icmp_error_rebuild(out, e, dgram_error_from(f->stack, from, f->src.family), &h,
	    UDP_HEADER + whole, quote, UDP_HEADER + len);
	if (len > 0)
		tun_send_packet(f->stack, NULL, out, len);
}

static void
on_queued_error(struct flow *f, const struct dsock_error *q)
{
	struct udp_flow *u = udp_of(f);
	size_t whole = u->d.last_len > q->len ? u->d.last_len : q->len;
	struct icmp_error refused;

	if (!u->d.replied && icmp_error_of(ECONNREFUSED, f->src.family, 0, &refused) &&
	    q->error.type == refused.type && q->error.code == refused.code)
		dflow_idle(&u->d, IDLE_REFUSED_MS);
	tell_error(u, &q->error, &q->from, q->data, q->len, whole);
}

/* ---- up: one datagram ---- */

static void
send_failed(struct udp_flow *u, const uint8_t *payload, size_t len, int err)
{
	struct icmp_error e;

	if (icmp_error_of(err, u->d.f.src.family, err == EMSGSIZE ? dsock_mtu(&u->d.f) : 0, &e))
		tell_error(u, &e, NULL, payload, len, len);
	if (host_fd(&u->d.f) < 0)			/* frames: RESET has ended it on the other side */
		flow_end(&u->d.f, CLOSE_PEER);
}

static void
send_one(struct udp_flow *u, const struct dattr *attr, const uint8_t *payload, size_t len)
{
	int err;

	if (u->d.f.dead)
		return;
	dsock_attr(&u->d.f, &u->d.sock, attr);
	if (u->d.sock.segment != 0 && len > u->d.sock.segment)
		(void)dsock_segment(&u->d.f, &u->d.sock, 0);
	u->d.last_len = len;
	u->d.f.up_packets++;
	if ((err = dflow_send(&u->d, payload, len, on_queued_error)) != 0)
		send_failed(u, payload, len, err);
}

static void
send_each(struct udp_flow *u, const struct dattr *attr, const uint8_t *data, size_t len, size_t size)
{
	for (size_t off = 0; off < len; off += size)
		send_one(u, attr, data + off, len - off < size ? len - off : size);
}

/* ---- up: trains ---- */

/*
 * Send a train.  Where the kernel does not take it (size above the path MTU, a device without
 * checksums), the datagrams go one by one, and such a size is not tried again.
 */
static void
send_train(struct udp_flow *u, const struct dattr *attr, const uint8_t *data, size_t len, size_t size)
{
	size_t n = (len + size - 1) / size;

	if (host_fd(&u->d.f) < 0 || n > TRAIN_MAX || (u->size_max != 0 && size >= u->size_max) ||
	    !dsock_segment(&u->d.f, &u->d.sock, (uint16_t)size)) {
		send_each(u, attr, data, len, size);
		return;
	}
	dsock_attr(&u->d.f, &u->d.sock, attr);
	u->d.last_len = size;
	if (dflow_send(&u->d, data, len, on_queued_error) == 0) {
		u->d.f.up_packets += (uint32_t)n;
		return;
	}
	u->size_max = size;
	(void)dsock_segment(&u->d.f, &u->d.sock, 0);
	send_each(u, attr, data, len, size);
}

static void
train_unlink(struct udp_flow *u)
{
	struct udp_flow **at = (struct udp_flow **)&u->d.f.stack->udp;

	for (; *at != NULL; at = &(*at)->next_train)
		if (*at == u) {
			*at = u->next_train;
			return;
		}
}

/* What was gathered leaves; the flow may be dead afterwards. */
static void
train_flush(struct udp_flow *u)
{
	struct buf *b = u->train;

	if (b == NULL)
		return;
	u->train = NULL;
	if (u->train_n == 1)
		send_one(u, &u->train_attr, buf_data(b), u->train_len);
	else
		send_train(u, &u->train_attr, buf_data(b), u->train_len, u->train_size);
	buf_put(u->d.f.stack, b);
	train_unlink(u);
}

static bool
train_takes(const struct udp_flow *u, const struct dattr *attr, size_t len)
{
	return u->train != NULL && !u->train_closed && u->train_n < TRAIN_MAX &&
	    len <= u->train_size && u->train_len + len <= TRAIN_BYTES &&
	    dattr_equal(&u->train_attr, attr);
}

/* false: no buffer. */
static bool
train_start(struct udp_flow *u, const struct dattr *attr, size_t size)
{
	struct stack *s = u->d.f.stack;

	if ((u->train = buf_get(s)) == NULL)
		return false;
	u->train_len = u->train_n = 0;
	u->train_size = size;
	u->train_closed = false;
	u->train_attr = *attr;
	u->next_train = s->udp;
	s->udp = u;
	return true;
}

/* One datagram, or a train that the child has sent (gso_size not 0). */
static void
udp_up(struct udp_flow *u, const struct dattr *attr, const uint8_t *data, size_t len, size_t gso_size)
{
	dflow_sent(&u->d);
	if (!train_takes(u, attr, len) || gso_size != 0)
		train_flush(u);
	if (gso_size != 0 && len > gso_size) {
		send_train(u, attr, data, len, gso_size);
		return;
	}
	if (len == 0 || len > TRAIN_SIZE_MAX || host_fd(&u->d.f) < 0 ||
	    (u->train == NULL && !train_start(u, attr, len))) {
		send_one(u, attr, data, len);
		return;
	}
	memcpy(buf_data(u->train) + u->train_len, data, len);
	u->train_len += len;
	u->train_n++;
	u->train_closed = len < u->train_size;
}

void
udp_burst_end(struct stack *s)
{
	while (s->udp != NULL)
		train_flush(s->udp);
}

/* ---- the life of a flow ---- */

/* The next datagram of the first flight; those behind it wait for what is said to it. */
static void
speak_first(struct udp_flow *u)
{
	struct pending_item *item = pending_take_one(&u->d.pending);

	if (item == NULL)
		return;
	send_one(u, &item->attr, item->data, item->len);
	free(item);
}

/* All that waits leaves. */
static void
begin(struct udp_flow *u)
{
	struct flow *f = &u->d.f;
	struct pending_item *item;

	dsock_watch(f, true);
	while (!f->dead && (item = pending_take(&u->d.pending)) != NULL) {
		udp_up(u, &item->attr, item->data, item->len, item->gso_size);
		free(item);
	}
	train_flush(u);
}

static void
on_opened(struct flow *f)
{
	struct udp_flow *u = udp_of(f);

	dflow_answered(&u->d);
	u->owes_first = f->host_mode == HOST_FIRST;
	if (u->owes_first)
		speak_first(u);
	else
		begin(u);
}

static void
on_refused(struct flow *f, const struct msg_refused *m)
{
	struct udp_flow *u = udp_of(f);
	struct pending_item *item;
	struct icmp_error e;
	bool tell = refused_error(m, f->src.family, &e);

	dflow_answered(&u->d);
	while ((item = pending_take(&u->d.pending)) != NULL) {
		size_t len = item->gso_size != 0 && item->len > item->gso_size ?
		    item->gso_size : item->len;

		u->d.sock.attr = item->attr;
		if (tell)
			tell_error(u, &e, &m->offender, item->data, len, len);
		free(item);
	}
}

static void
on_error(struct flow *f)
{
	(void)dsock_errors(f, on_queued_error);
}

/* false: it has ended. */
static bool
recv_failed(struct udp_flow *u, int err)
{
	struct icmp_error e;

	if (host_fd(&u->d.f) >= 0) {
		(void)dsock_errors(&u->d.f, on_queued_error);
		return !u->d.f.dead;
	}
	if (icmp_error_of(err, u->d.f.src.family, 0, &e))
		tell_error(u, &e, NULL, (const uint8_t *)"", 0, u->d.last_len);
	flow_end(&u->d.f, CLOSE_PEER);
	return false;
}

/* ---- down ---- */

/* Datagrams that lie one behind the other, all of `size` but the last. */
struct run {
	uint8_t		*at;
	size_t		 len, size;
	bool		 closed;	/* the last one was shorter */
	struct rx_info	 rx;
};

/* To the child: one datagram, or a train (gso_size not 0). */
static void
udp_down(struct udp_flow *u, uint8_t *payload, size_t len, size_t gso_size,
    const struct rx_info *rx)
{
	struct flow *f = &u->d.f;

	dflow_replied(&u->d, f->dst.port == PORT_QUIC ? IDLE_QUIC_MS : IDLE_REPLIED_MS);
	f->down_packets += gso_size != 0 && len > gso_size ?
	    (uint32_t)((len + gso_size - 1) / gso_size) : 1;
	dgram_udp(f->stack, &(struct dgram){ .src = &f->dst, .dst = &f->src,
	    .payload = payload, .len = len, .gso_size = gso_size,
	    .tclass = rx->tclass, .hop_limit = rx->hop_limit });
}

static void
run_flush(struct udp_flow *u, struct run *r)
{
	if (r->at != NULL)
		udp_down(u, r->at, r->len, r->len > r->size ? r->size : 0, &r->rx);
	r->at = NULL;
}

/* One that is longer than was expected, or a train that the kernel has made: in two places. */
static void
down_long(struct udp_flow *u, const uint8_t *at, size_t size, const struct dsock_msg *m)
{
	struct buf *b = buf_get(u->d.f.stack);
	size_t first = m->len < size ? m->len : size;

	if (b == NULL)
		return;
	if (m->len <= BUF_SIZE) {
		memcpy(buf_data(b), at, first);
		memcpy(buf_data(b) + first, m->rest, m->len - first);
		udp_down(u, buf_data(b), m->len, m->rx.gso_size, &m->rx);
	}
	buf_put(u->d.f.stack, b);
}

/* A datagram at `at`: it goes on with the run, or begins another one. */
static void
run_add(struct udp_flow *u, struct run *r, uint8_t *at, const struct dsock_msg *m)
{
	if (m->len > r->size || m->len == 0 || m->rx.gso_size != 0) {
		run_flush(u, r);
		down_long(u, at, r->size, m);
		return;
	}
	if (r->at == NULL || r->closed || m->rx.tclass != r->rx.tclass ||
	    m->rx.hop_limit != r->rx.hop_limit) {
		run_flush(u, r);
		r->at = at;
		r->len = 0;
		r->rx = m->rx;
	}
	r->len += m->len;
	r->closed = m->len < r->size;
}

/* The size to expect next, after this one.  Trains of the kernel are read one by one. */
static size_t
batch_size(size_t len, const struct rx_info *rx)
{
	return rx->gso_size == 0 && len <= TRAIN_SIZE_MAX ? len : 0;
}

/*
 * Datagrams that follow one another tend to be of one size: they are read so that those
 * which are lie behind one another and leave as one train without being moved.
 */
static int
down_batch(struct udp_flow *u, struct buf *b, int *err)
{
	struct dsock_msg msgs[DSOCK_BATCH];
	struct run r = { .size = u->down_size };
	unsigned room = (unsigned)(TRAIN_BYTES / u->down_size);
	int n;

	if (u->batch < BATCH_LEAST)
		u->batch = BATCH_LEAST;
	if (u->batch > DSOCK_BATCH)
		u->batch = DSOCK_BATCH;
	if (room > u->batch)
		room = u->batch;
	n = dsock_recv_batch(&u->d.f, buf_data(b), r.size, room, msgs, err);
	/* Asking for many costs something even where there is none. */
	if (n == (int)room)
		u->batch *= 2;
	else if (n < (int)room / 2)
		u->batch /= 2;
	for (int i = 0; i < n; i++)
		run_add(u, &r, buf_data(b) + (size_t)i * r.size, &msgs[i]);
	run_flush(u, &r);
	if (n > 0)
		u->down_size = batch_size(msgs[n - 1].len, &msgs[n - 1].rx);
	return n;
}

/* What the socket has, or some of it.  As host_recv. */
static ssize_t
down_some(struct udp_flow *u, struct buf *b, int *err)
{
	struct rx_info rx;
	ssize_t len;

	if (u->down_size != 0 && host_fd(&u->d.f) >= 0)
		return down_batch(u, b, err);
	len = dsock_recv(&u->d.f, buf_data(b), BUF_SIZE, &rx, err);
	if (len < 0)
		return len;
	u->down_size = batch_size((size_t)len, &rx);
	udp_down(u, buf_data(b), (size_t)len, rx.gso_size, &rx);
	return len;
}

static void
on_readable(struct flow *f)
{
	struct udp_flow *u = udp_of(f);
	struct buf *b = buf_get(f->stack);
	ssize_t got;
	int err = 0;

	if (b == NULL)
		return;
	for (int n = 0; n < READS && f->readable; n++) {
		got = down_some(u, b, &err);
		if (got == HOST_ERROR && !recv_failed(u, err))
			break;
	}
	buf_put(f->stack, b);
	if (f->readable)
		flow_run_later(f);
}

static void
on_done(struct flow *f)
{
	struct udp_flow *u = udp_of(f);

	dflow_done(&u->d);
	if (u->train != NULL) {
		buf_put(f->stack, u->train);
		u->train = NULL;
	}
	train_unlink(u);
}

/* None has waited for the socket to take datagrams again, but for the first flight to be over. */
static void
on_writable(struct flow *f)
{
	struct udp_flow *u = udp_of(f);

	if (!u->owes_first)
		return;
	if (f->host_mode == HOST_FIRST) {
		speak_first(u);
	} else {
		u->owes_first = false;
		begin(u);
	}
}

static void
on_aborted(struct flow *f)
{
	(void)f;			/* silence, as when a network goes away */
}

const struct flow_kind udp_kind = {
	.name = "udp",
	.size = sizeof(struct udp_flow),
	.opened = on_opened,
	.refused = on_refused,
	.readable = on_readable,
	.writable = on_writable,
	.error = on_error,
	.aborted = on_aborted,
	.done = on_done,
};

/* ---- any port of a peer ---- */

/* From which port, the socket's last datagram says. */
static void
on_any_readable(struct flow *f)
{
	struct dflow *d = dflow_of(f);
	struct buf *b = buf_get(f->stack);
	struct addr from = f->dst;
	struct rx_info rx;
	int err = 0, n;
	ssize_t len = 0;

	if (b == NULL)
		return;
	for (n = 0; n < READS && (len = dsock_recv(f, buf_data(b), BUF_SIZE, &rx, &err)) >= 0; n++) {
		if (rx.from_port == 0)
			continue;
		from.port = rx.from_port;
		dflow_replied(d, IDLE_ASKED_MS);
		f->down_packets++;
		dgram_udp(f->stack, &(struct dgram){ .src = &from, .dst = &f->src,
		    .payload = buf_data(b), .len = (size_t)len,
		    .tclass = rx.tclass, .hop_limit = rx.hop_limit });
	}
	buf_put(f->stack, b);
	if (len >= 0)
		flow_run_later(f);
}

static void
on_any_opened(struct flow *f)
{
	dflow_answered(dflow_of(f));
	if (host_fd(f) < 0)
		flow_end(f, CLOSE_CANCEL);
	else
		dsock_watch(f, false);
}

static void
on_any_refused(struct flow *f, const struct msg_refused *m)
{
	(void)m;			/* what the tree asked for itself says why */
	dflow_answered(dflow_of(f));
}

static void
on_any_writable(struct flow *f)
{
	(void)f;			/* nothing is ever sent */
}

static void
on_any_done(struct flow *f)
{
	dflow_done(dflow_of(f));
}

static const struct flow_kind any_kind = {
	.name = "udp, any port",
	.size = sizeof(struct dflow),
	.opened = on_any_opened,
	.refused = on_any_refused,
	.readable = on_any_readable,
	.writable = on_any_writable,
	.aborted = on_aborted,
	.done = on_any_done,
};

static bool
answers_from_any_port(uint16_t port)
{
	return port == PORT_TFTP;
}

/* It is asked for first, so that its socket is there before the request leaves. */
static void
any_port_start(struct stack *s, const struct pkt *p)
{
	struct addr any = p->dst;
	struct flow *f;

	any.port = PORT_ANY;
	if ((f = flow_find(s, PROTO_UDP, &p->src, &any)) != NULL)
		dflow_sent(dflow_of(f));
	else if ((chan_caps(s->proxy) & MSG_CAP_FD) != 0)
		(void)dflow_start(s, &any_kind, p, &any, IDLE_ASKED_MS);
}

/* ---- from the child ---- */

void
udp_input(struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh)
{
	struct dattr attr = dattr_of(p);
	struct icmp_error refused;
	struct udp_flow *u;
	size_t gso_size = 0;

	if (stack_is_gateway(s, &p->dst)) {
		if (icmp_error_of(ECONNREFUSED, p->family, 0, &refused))
			icmp_send_error(s, &refused, NULL, p);
		return;
	}
	if (vh != NULL && (vh->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_UDP_L4)
		gso_size = vh->gso_size;
	if (answers_from_any_port(p->dst.port) && s->proxy != NULL)
		any_port_start(s, p);
	u = (struct udp_flow *)flow_find(s, PROTO_UDP, &p->src, &p->dst);
	if (u == NULL && (u = (struct udp_flow *)dflow_start(s, &udp_kind, p, &p->dst,
	    IDLE_ASKED_MS)) == NULL)
		return;
	if (u->d.f.is_open && !u->owes_first) {
		udp_up(u, &attr, pkt_payload(p), p->payload_len, gso_size);
		return;
	}
	pending_add(&u->d.pending, &attr, pkt_payload(p), p->payload_len, gso_size);
	if (u->owes_first) {
		dflow_sent(&u->d);
		if (u->d.f.writable)
			speak_first(u);
	}
}

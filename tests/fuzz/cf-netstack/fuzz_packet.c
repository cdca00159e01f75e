/*
 * fuzz_packet.c - the whole stack between packets of any content and answers of any content.
 *
 * An input is a row of steps, each a byte that says which and what follows it (see steps[]).
 * Packets get the IP checksum that their header needs, and are said to have unfinished ones
 * above, so that content behind them is reached.  No descriptors: host ends are DATA frames.
 * In half of the inputs SYNs are for the child's kernel, of which nobody ever connects.
 * Held: no packet leaves that is not one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dgram.h"
#include "flow.h"
#include "host.h"
#include "ktcp.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct stack s;

static void
on_packet(void *arg, const struct virtio_net_hdr *vh, const uint8_t *packet, size_t len)
{
	bool partial = vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	struct pkt p;
	enum pkt_verdict v = ip_parse(packet, len, partial, &p);

	(void)arg;
	/* A flow to a loopback address is for the policy to refuse; here nobody does. */
	if (v != PKT_OK && v != PKT_SOURCE)
		abort();
	if (p.len != len)
		abort();
	if (vh->gso_type == VIRTIO_NET_HDR_GSO_NONE && len > s.tun.mtu)
		abort();
}

/* The number of one of the newest flows or questions. */
static uint64_t
newest(struct rd *r)
{
	return s.next_id - rd_u8(r) % 8;
}

static const uint8_t *
bytes(struct rd *r, size_t *len)
{
	*len = rd_be16(r);
	if (*len > rd_left(r))
		*len = rd_left(r);
	return rd_take(r, *len);
}

static void
step_packet(struct rd *r)
{
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint8_t kind = rd_u8(r);
	struct buf *b = buf_get(&s);
	const uint8_t *p;
	size_t len, ihl;
	struct wr w;

	if (kind & 1) {
		vh.gso_type = (uint8_t)(kind >> 1 & 7);
		vh.gso_size = rd_be16(r);
	}
	p = bytes(r, &len);
	if (b == NULL)
		return;
	if (len > 0)
		memcpy(buf_data(b), p, len);
	ihl = len > 0 ? (size_t)(p[0] & 15) * 4 : 0;
	if (len >= IP4_HEADER && p[0] >> 4 == 4 && ihl <= len) {
		w = wr_over(buf_data(b) + 10, 2);
		wr_be16(&w, 0);
		w = wr_over(buf_data(b) + 10, 2);
		wr_be16(&w, ip_checksum(buf_data(b), ihl, 0));
	}
	stack_packet(&s, &vh, buf_data(b), len);
	buf_put(&s, b);
}

static void
step_opened(struct rd *r)
{
	flow_on_opened(&s, newest(r), -1);
}

static void
step_refused(struct rd *r)
{
	uint64_t id = newest(r);
	uint8_t body[MSG_REFUSED_LEN];
	struct msg_refused m;
	struct rd br = rd_over(body, sizeof(body));

	rd_bytes(r, body, sizeof(body));
	if (msg_refused_get(&br, &m))
		flow_on_refused(&s, id, &m);
}

static void
step_data(struct rd *r)
{
	uint64_t id = newest(r);
	size_t len;
	const uint8_t *p = bytes(r, &len);

	host_on_data(&s, id, p, len);
}

static void
step_window(struct rd *r)
{
	uint64_t id = newest(r);

	host_on_window(&s, id, rd_be32(r) % MSG_WINDOW_INITIAL);
}

static void
step_eof(struct rd *r)
{
	host_on_eof(&s, newest(r));
}

static void
step_reset(struct rd *r)
{
	uint64_t id = newest(r);

	host_on_reset(&s, id, rd_u8(r));
}

static void
step_answer(struct rd *r)
{
	uint64_t id = newest(r);
	size_t len;
	const uint8_t *p = bytes(r, &len);

	names_answer(&s, id, p, len);
}

static void
step_turn(struct rd *r)
{
	s.now += (uint64_t)rd_u8(r) * rd_u8(r);
	s.now_us = s.now * 1000;
	stack_turn(&s);
}

static void (*const steps[])(struct rd *) = {
	step_packet, step_opened, step_refused, step_data, step_window, step_eof, step_reset,
	step_answer, step_turn, step_turn,
};

/* A listener on no address that a packet can reach. */
static void
listeners(void)
{
	for (uint8_t family = 4; family <= 6; family += 2) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd == -1 || listen(fd, 1) != 0 ||
		    !ktcp_listen(&s, &(struct msg_listen){ .family = family }, fd))
			abort();
	}
}

static struct chan *
channel(int *far, enum role peer)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
		abort();
	*far = fd[1];
	return chan_new(fd[0], fd[0], R_STACK, peer, &s);
}

static void
drain(struct chan *c, int far)
{
	static uint8_t sink[1 << 16];

	for (int i = 0; i < 64; i++) {
		(void)chan_flush(c);
		while (recv(far, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
		if (chan_backlog(c) == 0)
			break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	int proxy, dns;

	memset(&s, 0, sizeof(s));
	if (!stack_init(&s))
		abort();
	s.now = 1;
	s.now_us = 1000;
	s.tun.tap = on_packet;
	s.tun.offloads = size % 2 == 0 ? TUN_F_USO4 | TUN_F_USO6 : 0;
	s.proxy = channel(&proxy, R_PROXY | R_DIAL);
	s.dns = channel(&dns, R_DNS);
	if (size / 2 % 2 == 0)
		listeners();
	while (rd_left(&r) > 0) {
		steps[rd_u8(&r) % (sizeof(steps) / sizeof(steps[0]))](&r);
		if (chan_backlog(s.proxy) + chan_backlog(s.dns) > 0) {
			drain(s.proxy, proxy);
			drain(s.dns, dns);
		}
	}
	stack_burst_end(&s);
	stack_turn(&s);
	stack_done(&s);
	chan_free(s.proxy);
	chan_free(s.dns);
	close(proxy);
	close(dns);
	return 0;
}

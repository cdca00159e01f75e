/*
 * packets.h - a stack without a TUN for the datagram tests: packets in, packets out.
 *
 * What the stack writes is kept as the child's kernel would see it: checksums completed, trains
 * counted as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PACKETS_H
#define PACKETS_H

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dgram.h"
#include "flow.h"
#include "frame.h"
#include "host.h"

#define SEEN_MAX	256

struct seen {
	struct virtio_net_hdr vh;
	struct pkt	 pkt;
	uint8_t		*data;
};
static struct stack	 s;
static struct seen	 seen[SEEN_MAX];
static size_t		 n_seen;
static int		 proxy_fd, dns_fd;	/* the far ends of the channels */
static struct { uint8_t buf[1 << 20]; size_t len; int fd; } far_in;	/* read there, no whole frame yet */

static void
on_packet(void *arg, const struct virtio_net_hdr *vh, const uint8_t *packet, size_t len)
{
	struct seen *at = &seen[n_seen++];
	bool partial = vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	size_t start = vh->csum_start;
	uint16_t c;

	(void)arg;
	ck_assert_uint_le(n_seen, SEEN_MAX);
	at->vh = *vh;
	ck_assert_ptr_nonnull(at->data = malloc(len));
	memcpy(at->data, packet, len);
	if (partial) {			/* as skb_checksum_help does it */
		ck_assert_uint_lt(start + vh->csum_offset + 1u, len);
		c = ip_checksum(at->data + start, len - start, 0);
		at->data[start + vh->csum_offset] = (uint8_t)(c >> 8);
		at->data[start + vh->csum_offset + 1] = (uint8_t)c;
	}
	ck_assert_int_eq(ip_parse(at->data, len, false, &at->pkt), PKT_OK);
}

static void
seen_clear(void)
{
	while (n_seen > 0)
		free(seen[--n_seen].data);
}

static struct chan *
channel(int *far, enum role peer)
{
	struct chan *c;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	ck_assert_ptr_nonnull(c = chan_new(fd[0], fd[0], R_STACK, peer, &s));
	*far = fd[1];
	return c;
}

static void
world_up(void)
{
	memset(&s, 0, sizeof(s));
	ck_assert(stack_init(&s));
	s.tun.tap = on_packet;
	s.now = 1000;
	far_in.len = 0;
	s.proxy = channel(&proxy_fd, R_PROXY | R_DIAL);
	s.dns = channel(&dns_fd, R_DNS);
	n_seen = 0;
}

static void
world_down(void)
{
	stack_done(&s);
	chan_free(s.proxy);
	chan_free(s.dns);
	close(proxy_fd);
	close(dns_fd);
	seen_clear();
}

/* The next frame that the stack has sent; its body lies in buf.  Type 0: none. */
static struct frame
next_frame(struct chan *c, int far, enum role to)
{
	struct frame f = { 0 };
	const char *why;
	size_t used = 0;
	ssize_t n;

	ck_assert_int_ge(chan_flush(c), 0);
	if (far_in.fd != far)
		far_in.len = 0;
	far_in.fd = far;
	if ((n = recv(far, far_in.buf + far_in.len, sizeof(far_in.buf) - far_in.len, MSG_DONTWAIT)) > 0)
		far_in.len += (size_t)n;
	if (frame_next(far_in.buf, far_in.len, R_STACK, to, &f, &used, &why) == 1) {
		static uint8_t body[MSG_BODY_MAX];

		memcpy(body, f.body, f.len);
		f.body = body;
		memmove(far_in.buf, far_in.buf + used, far_in.len - used);
		far_in.len -= used;
	}
	return f;
}

/* A packet of the child. */
static inline void
send_l4(const struct addr *src, const struct addr *dst, uint8_t proto, uint8_t *l4, size_t len,
    const struct ip_head *like, const struct virtio_net_hdr *vh)
{
	static const struct virtio_net_hdr none;
	static uint8_t p[70000];
	struct wr w = wr_over(p, sizeof(p));
	struct ip_head h = like != NULL ? *like : (struct ip_head){ .df = true };

	h.src = src;
	h.dst = dst;
	h.proto = proto;
	ip_finish(&h, l4, len, proto == PROTO_UDP ? 6 : 2);
	len += ip_put(&w, &h, len);
	wr_bytes(&w, l4, len - ip_header_len(src->family));
	ck_assert(!w.bad);
	stack_packet(&s, vh != NULL ? vh : &none, p, len);
}

static inline void
send_udp(const struct addr *src, const struct addr *dst, const void *payload, size_t len,
    const struct ip_head *like, const struct virtio_net_hdr *vh)
{
	static uint8_t l4[66000];
	struct wr w = wr_over(l4, sizeof(l4));

	ip_put_udp(&w, &(struct ip_head){ .src = src, .dst = dst }, len, 0);
	wr_bytes(&w, payload, len);
	send_l4(src, dst, PROTO_UDP, l4, UDP_HEADER + len, like, vh);
}

static struct addr
addr(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(text, 0, &a));
	return a;
}

#endif

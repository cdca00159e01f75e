/*
 * dgram.c - see dgram.h.
 *
 * The child's kernel is at the other end of the TUN.  Datagrams that fit the MTU leave
 * with their checksum unfinished (NEEDS_CSUM): it is never computed where nobody forwards
 * them.  Longer ones are finished here and cut (RFC 791 3.2, RFC 8200 4.5).
 *
 * SPDX-License-Identifier: MIT
 */
#include "dgram.h"

#include "frag.h"

#define UDP_CHECKSUM_AT		6
#define ICMP_CHECKSUM_AT	2

/* Finish the packet and send it in pieces of at most the MTU. */
static void
send_cut(struct stack *s, const struct ip_head *h, uint8_t *l4, size_t l4_len, size_t checksum_at)
{
	size_t hlen = ip_header_len(h->src->family), n;
	struct frag_cut cut = { .packet = l4 - hlen, .len = hlen + l4_len, .mtu = s->tun.mtu,
	    .id = h->src->family == 4 ? h->id : (uint32_t)s->now << 16 | s->ip_id };
	struct buf *b = buf_get(s);

	if (b == NULL)
		return;
	ip_finish(h, l4, l4_len, checksum_at);
	while ((n = frag_cut_next(&cut, buf_data(b))) > 0)
		tun_send_packet(s, NULL, buf_data(b), n);
	buf_put(s, b);
}

/* Put the IP header in front; false when no packet can be that long. */
static bool
head_put(struct stack *s, struct ip_head *h, uint8_t *l4, size_t l4_len)
{
	size_t hlen = ip_header_len(h->src->family);
	struct wr w = wr_over(l4 - hlen, hlen);

	h->id = s->ip_id++;
	ip_put(&w, h, l4_len);
	return !w.bad;
}

void
dgram_icmp(struct stack *s, const struct ip_head *head, uint8_t *l4, size_t len)
{
	size_t hlen = ip_header_len(head->src->family);
	struct ip_head h = *head;

	if (!head_put(s, &h, l4, len))
		return;
	if (hlen + len > s->tun.mtu) {
		send_cut(s, &h, l4, len, ICMP_CHECKSUM_AT);
		return;
	}
	ip_finish(&h, l4, len, ICMP_CHECKSUM_AT);
	tun_send_packet(s, NULL, l4 - hlen, hlen + len);
}

/* One packet: a datagram, or a train that the kernel cuts up. */
static void
send_one(struct stack *s, const struct dgram *d)
{
	struct ip_head h = { .src = d->src, .dst = d->dst, .proto = PROTO_UDP,
	    .tclass = d->tclass, .hop_limit = d->hop_limit };
	size_t hlen = ip_header_len(d->src->family), l4_len = UDP_HEADER + d->len;
	uint8_t *l4 = d->payload - UDP_HEADER;
	struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	    .csum_start = (uint16_t)hlen, .csum_offset = UDP_CHECKSUM_AT };
	struct wr w = wr_over(l4, UDP_HEADER);

	if (!head_put(s, &h, l4, l4_len))
		return;
	ip_put_udp(&w, &h, d->len, ip_pseudo(d->src, d->dst, PROTO_UDP, l4_len));
	if (d->gso_size == 0 && hlen + l4_len > s->tun.mtu) {
		send_cut(s, &h, l4, l4_len, UDP_CHECKSUM_AT);
		return;
	}
	if (d->gso_size != 0) {
		vh.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
		vh.gso_size = (uint16_t)d->gso_size;
		vh.hdr_len = (uint16_t)(hlen + UDP_HEADER);
	}
	tun_send_packet(s, &vh, l4 - hlen, hlen + l4_len);
}

/*
 * A train datagram by datagram, in order.  The headers of each overwrite the end of the one before,
 * which has left; the bytes are put back all the same, as the buffer is the caller's.
 */
static void
send_each(struct stack *s, const struct dgram *d)
{
	struct dgram one = *d;
	uint8_t saved[DGRAM_ROOM];

	one.gso_size = 0;
	for (size_t off = 0; off < d->len; off += one.len) {
		one.payload = d->payload + off;
		one.len = d->len - off < d->gso_size ? d->len - off : d->gso_size;
		memcpy(saved, one.payload - DGRAM_ROOM, DGRAM_ROOM);
		send_one(s, &one);
		memcpy(one.payload - DGRAM_ROOM, saved, DGRAM_ROOM);
	}
}

/* A kernel that grants USO to what it sends also takes it (Linux 6.2). */
static bool
takes_trains(const struct stack *s, uint8_t family)
{
	return (s->tun.offloads & (family == 6 ? TUN_F_USO6 : TUN_F_USO4)) != 0;
}

void
dgram_udp(struct stack *s, const struct dgram *d)
{
	size_t hlen = ip_header_len(d->src->family) + UDP_HEADER;

	if (d->gso_size == 0 || d->gso_size >= d->len) {
		struct dgram one = *d;

		one.gso_size = 0;
		send_one(s, &one);
	} else if (hlen + d->gso_size > s->tun.mtu ||
	    !takes_trains(s, d->src->family)) {
		send_each(s, d);
	} else {
		send_one(s, d);
	}
}

void
dgram_udp_copy(struct stack *s, const struct addr *src, const struct addr *dst,
    const uint8_t *payload, size_t len)
{
	struct buf *b = buf_get(s);

	if (b == NULL)
		return;
	if (len <= IP_MAX - UDP_HEADER) {
		memcpy(buf_data(b), payload, len);
		dgram_udp(s, &(struct dgram){ .src = src, .dst = dst,
		    .payload = buf_data(b), .len = len });
	}
	buf_put(s, b);
}

const struct addr *
dgram_error_from(const struct stack *s, const struct addr *from, uint8_t family)
{
	if (from == NULL || from->family != family || addr_is_loopback(from))
		return stack_gateway(s, family);
	return from;
}

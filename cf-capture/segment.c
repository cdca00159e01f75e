/*
 * segment.c - what an offload has put together, as a wire would carry it; see capture.h.
 *
 * The kernel hands a TUN device up to 64 KiB in one packet, with one header, to be cut later
 * (TSO; UDP: USO).  Here each piece gets that header with what differs: lengths, IPv4
 * identification and checksum (RFC 791 3.1), the TCP sequence number, CWR in the first piece alone
 * (RFC 3168 6.1.2), FIN and PSH in the last alone, and the checksum of the transport.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <string.h>

#include "capture.h"

#define PIECE_MAX	65535
#define TCP_LAST	0x09	/* FIN, PSH */
#define TCP_FIRST	0x80	/* CWR */

/* Where things stand in the packet; all of it lies within. */
struct layout {
	uint8_t		version, proto;
	size_t		ip, head;	/* bytes of the IP header; of it and the transport's */
	size_t		addrs, addrs_len;	/* source and destination */
};

static bool
layout_ip4(const uint8_t *p, size_t len, struct layout *l)
{
	l->ip = (size_t)(p[0] & 15) * 4;
	l->proto = len >= 20 ? p[9] : 0;
	l->addrs = 12;
	l->addrs_len = 8;
	/* A fragment has no transport header of its own, or is no whole one. */
	return len >= 20 && l->ip >= 20 && l->ip <= len && ((p[6] & 0x3f) | p[7]) == 0;
}

static bool
layout_ip6(const uint8_t *p, size_t len, struct layout *l)
{
	l->ip = 40;
	l->proto = len >= 40 ? p[6] : 0;
	l->addrs = 8;
	l->addrs_len = 32;
	return len >= 40;
}

static bool
layout_find(const uint8_t *p, size_t len, struct layout *l)
{
	size_t transport = 8;

	l->version = len > 0 ? p[0] >> 4 : 0;
	if (!(l->version == 4 ? layout_ip4(p, len, l) :
	    l->version == 6 ? layout_ip6(p, len, l) : false))
		return false;
	if (l->proto == IPPROTO_TCP)
		transport = len >= l->ip + 20 ? (size_t)(p[l->ip + 12] >> 4) * 4 : 0;
	else if (l->proto != IPPROTO_UDP)
		return false;
	l->head = l->ip + transport;
	return transport >= 8 && (l->proto == IPPROTO_UDP || transport >= 20) && l->head < len;
}

/* ---- sums (RFC 1071) ---- */

static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2) {
		sum += (uint32_t)p[0] << 8 | p[1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (len == 1)
		sum += (uint32_t)p[0] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void
sum_put(uint8_t *at, const uint8_t *p, size_t len, uint32_t pseudo)
{
	uint32_t sum;

	put16(at, 0);
	sum = sum_bytes(pseudo, p, len);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	put16(at, sum);
}

/* ---- pieces ---- */

static void
ip_finish(uint8_t *p, const struct layout *l, size_t len, uint32_t n)
{
	if (l->version == 6) {
		put16(p + 4, (uint32_t)(len - l->ip));
		return;
	}
	put16(p + 2, (uint32_t)len);
	put16(p + 4, get16(p + 4) + n);
	sum_put(p + 10, p, l->ip, 0);
}

static void
transport_finish(uint8_t *p, const struct layout *l, size_t len)
{
	uint32_t pseudo = sum_bytes(l->proto, p + l->addrs, l->addrs_len);
	uint8_t *t = p + l->ip;

	pseudo = sum_bytes(pseudo + (uint32_t)(len - l->ip), NULL, 0);
	if (l->proto == IPPROTO_TCP) {
		sum_put(t + 16, t, len - l->ip, pseudo);
		return;
	}
	put16(t + 4, (uint32_t)(len - l->ip));
	sum_put(t + 6, t, len - l->ip, pseudo);
	if (get16(t + 6) == 0)		/* zero says that there is none (RFC 768) */
		put16(t + 6, 0xffff);
}

static void
tcp_adjust(uint8_t *t, size_t offset, bool first, bool last)
{
	uint32_t seq = get16(t + 4) << 16 | get16(t + 6);

	seq += (uint32_t)offset;
	put16(t + 4, seq >> 16);
	put16(t + 6, seq & 0xffff);
	if (!first)
		t[13] &= (uint8_t)~TCP_FIRST;
	if (!last)
		t[13] &= (uint8_t)~TCP_LAST;
}

bool
segment_cut(const uint8_t *packet, size_t len, uint16_t segment,
    void (*each)(void *arg, const uint8_t *packet, size_t len), void *arg)
{
	uint8_t piece[PIECE_MAX];
	struct layout l;
	size_t payload, part;

	if (segment == 0 || !layout_find(packet, len, &l) || l.head + segment > sizeof(piece))
		return false;
	payload = len - l.head;
	for (size_t at = 0; at < payload; at += part) {
		part = payload - at < segment ? payload - at : segment;
		memcpy(piece, packet, l.head);
		memcpy(piece + l.head, packet + l.head + at, part);
		if (l.proto == IPPROTO_TCP)
			tcp_adjust(piece + l.ip, at, at == 0, at + part == payload);
		ip_finish(piece, &l, l.head + part, (uint32_t)(at / segment));
		transport_finish(piece, &l, l.head + part);
		each(arg, piece, l.head + part);
	}
	return true;
}

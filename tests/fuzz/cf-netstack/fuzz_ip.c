/*
 * fuzz_ip.c - packets of any content: parse, reassemble, answer with an error.
 *
 * An input is a row of packets: u8 flags (1: checksums are partial), u16 length (big endian),
 * bytes.  The checksums of most inputs are wrong; so each packet is also tried with
 * the ones that its header needs, or nothing behind them would ever be reached.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "frag.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* What ip_parse() accepts lies inside of what it was given. */
static void
hold(bool fact)
{
	if (!fact)
		abort();
}

static void
check(const struct pkt *p, size_t len)
{
	hold(p->len <= len && p->l4_off <= p->len && p->l4_len <= p->len - p->l4_off);
	hold(p->frag || (p->payload_off <= p->len && p->payload_len <= p->len - p->payload_off));
	hold(p->unfrag_len <= p->len && p->proto_at < p->len);
	hold(p->src.family == p->family && p->dst.family == p->family);
}

static void
answer(const struct pkt *p, bool good)
{
	static const struct addr gateway4 = { .family = 4, .ip = { 192, 0, 0, 1 } };
	static const struct addr gateway6 = { .family = 6, .ip = { 0x20, 1, 0, 2, [15] = 1 } };
	const struct addr *from = p->family == 4 ? &gateway4 : &gateway6;
	struct icmp_error e = { .type = p->family == 4 ? 3 : 1, .code = 1 };
	struct ip_head h = { .src = &p->src, .dst = &p->dst, .proto = p->proto };
	uint8_t out[ICMP_ERROR_MAX];
	struct pkt err;
	size_t len;

	if ((len = icmp_error_build(out, &e, from, p)) > 0) {
		hold(len <= ICMP_ERROR_MAX);
		if (good)
			hold(ip_parse(out, len, false, &err) == PKT_OK && err.len == len);
	}
	if (good && !p->frag) {
		len = icmp_error_rebuild(out, &e, from, &h, p->l4_len, pkt_l4(p),
		    p->l4_len < 64 ? p->l4_len : 64);
		hold(len <= ICMP_ERROR_MAX);
	}
}

/* Pieces of it, and those together again, are the same. */
static void
cut(const struct pkt *p)
{
	static uint8_t piece[1280];
	struct frag_cut c = { .packet = p->base, .len = p->len, .mtu = sizeof(piece), .id = 1 };
	struct frags *f;
	const uint8_t *out = NULL;
	struct pkt k;
	size_t n, len = 0;
	bool done = false;

	if (p->l4_off != ip_header_len(p->family) || p->len <= sizeof(piece) ||
	    (f = frags_new()) == NULL)
		return;
	while ((n = frag_cut_next(&c, piece)) > 0) {
		hold(n <= sizeof(piece) && !done);
		hold(ip_parse(piece, n, false, &k) == PKT_OK && k.frag);
		done = frags_add(f, &k, 0, &out, &len);
	}
	hold(done && len == p->len && memcmp(out + p->l4_off, pkt_l4(p), len - p->l4_off) == 0);
	frags_free(f);
}

static void
one(struct frags *f, const uint8_t *buf, size_t len, bool partial, uint64_t now)
{
	const uint8_t *whole;
	struct pkt p;
	enum pkt_verdict v = ip_parse(buf, len, partial, &p);

	if (v == PKT_OK)
		check(&p, len);
	if (v == PKT_PROTO || v == PKT_OK)
		answer(&p, v == PKT_OK);
	if (v == PKT_OK && !p.frag)
		cut(&p);
	if (v == PKT_OK && p.frag && frags_add(f, &p, now, &whole, &len)) {
		if (ip_parse(whole, len, true, &p) == PKT_OK) {
			check(&p, len);
			answer(&p, !p.frag);
		}
	}
}

/* A copy whose IPv4 header checksum is right. */
static uint8_t *
mend(const uint8_t *buf, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	size_t ihl;
	struct wr w;

	if (copy == NULL)
		return NULL;
	memcpy(copy, buf, len);
	ihl = len > 0 ? (size_t)(copy[0] & 15) * 4 : 0;
	if (len >= IP4_HEADER && copy[0] >> 4 == 4 && ihl <= len) {
		w = wr_over(copy + 10, 2);
		wr_be16(&w, 0);
		w = wr_over(copy + 10, 2);
		wr_be16(&w, ip_checksum(copy, ihl, 0));
	}
	return copy;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_over(data, size);
	struct frags *f = frags_new();
	const uint8_t *packet;
	uint8_t *copy, flags;
	uint64_t now = 0;
	size_t len;

	while (f != NULL && rd_left(&r) > 0) {
		flags = rd_u8(&r);
		len = rd_be16(&r);
		if (len > rd_left(&r))
			len = rd_left(&r);
		packet = rd_take(&r, len);
		one(f, packet, len, flags & 1, now);
		if ((copy = mend(packet, len)) != NULL)
			one(f, copy, len, true, now);
		free(copy);
		now += (uint64_t)(flags >> 1) * 500;
		frags_expire(f, now);
	}
	frags_free(f);
	return 0;
}

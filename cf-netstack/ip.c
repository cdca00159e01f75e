/*
 * ip.c - IPv4 and IPv6 packets: bytes to a checked struct, and headers to bytes.
 *
 * See ip.h.  Every field is read through struct rd and written through struct wr.
 * IPv4 options and the contents of IPv6 options are stepped over, never acted upon;
 * routing headers that still ask for a detour are refused (RFC 5095).
 *
 * SPDX-License-Identifier: MIT
 */
#include "ip.h"

#include <arpa/inet.h>
#include <errno.h>

#define IP4_MF		0x2000
#define IP4_DF		0x4000
#define IP4_OFFSET	0x1fff
#define IP4_ERROR_MAX	576	/* RFC 1812 4.3.2.3 */

#define EXT_HOPOPTS	0
#define EXT_ROUTING	43
#define EXT_FRAGMENT	44
#define EXT_DSTOPTS	60
#define EXT_HEADERS_MAX	8	/* RFC 8504 5.3 lets a host have a limit */
#define EXT_BYTES_MAX	512

static const char *const verdict_names[PKT_VERDICTS] = {
	[PKT_OK] = "good",
	[PKT_TRUNCATED] = "truncated",
	[PKT_MALFORMED] = "malformed",
	[PKT_CHECKSUM] = "bad checksum",
	[PKT_SOURCE] = "impossible source",
	[PKT_NOT_UNICAST] = "not unicast",
	[PKT_HEADERS] = "too many extension headers",
	[PKT_PROTO] = "unknown protocol",
};

const char *
pkt_verdict_name(enum pkt_verdict v)
{
	return v < PKT_VERDICTS ? verdict_names[v] : "?";
}

/* ---- checksums ---- */

uint16_t
ip_sum_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The sum does not care about byte order (RFC 1071 2 (B)), so words are added as the
 * machine has them, and only the folded result is turned.
 */
uint64_t
ip_sum(const void *buf, size_t len, uint64_t sum)
{
	const uint8_t *p = buf;
	uint64_t native = 0;
	uint32_t w;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		native += w;
	}
	w = 0;
	if (len > 0)
		memcpy(&w, p, len);
	native += w;
	return sum + ntohs(ip_sum_fold(native));
}

uint16_t
ip_checksum(const void *buf, size_t len, uint64_t sum)
{
	return (uint16_t)~ip_sum_fold(ip_sum(buf, len, sum));
}

uint16_t
ip_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, size_t l4_len)
{
	uint64_t sum = (uint64_t)proto + l4_len;	/* below 2^32, so one word's carry at most */

	sum = ip_sum(src->ip, addr_iplen(src), sum);
	sum = ip_sum(dst->ip, addr_iplen(dst), sum);
	return ip_sum_fold(sum);
}

/* ---- what may be a source, what is a destination of ours ---- */

static bool
is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool
is_multicast(const struct addr *a)
{
	return a->family == 4 ? a->ip[0] >> 4 == 0xe : a->ip[0] == 0xff;
}

static bool
is_broadcast(const struct addr *a)
{
	return a->family == 4 && memcmp(a->ip, "\xff\xff\xff\xff", 4) == 0;
}

static bool
is_link_local6(const struct addr *a)
{
	return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

/* RFC 1122 3.2.1.3, RFC 4291 2.5.2, 2.5.3, 2.7. */
static enum pkt_verdict
addresses_check(const struct pkt *p)
{
	if (is_multicast(&p->dst) || is_broadcast(&p->dst) || is_link_local6(&p->dst))
		return PKT_NOT_UNICAST;
	if (is_zero(p->dst.ip, addr_iplen(&p->dst)))
		return PKT_MALFORMED;
	if (is_multicast(&p->src) || is_broadcast(&p->src) || is_link_local6(&p->src) ||
	    addr_is_loopback(&p->src) || is_zero(p->src.ip, addr_iplen(&p->src)))
		return PKT_SOURCE;
	return PKT_OK;
}

/* ---- the layer above ---- */

static enum pkt_verdict
checksum_verify(const struct pkt *p, size_t len)
{
	uint64_t sum = 0;

	if (p->partial)
		return PKT_OK;
	if (p->proto != PROTO_ICMP)
		sum = ip_pseudo(&p->src, &p->dst, p->proto, len);
	return ip_checksum(pkt_l4(p), len, sum) == 0 ? PKT_OK : PKT_CHECKSUM;
}

static enum pkt_verdict
parse_tcp(struct pkt *p)
{
	struct rd r = rd_over(pkt_l4(p), p->l4_len);
	size_t off;

	p->src.port = rd_be16(&r);
	p->dst.port = rd_be16(&r);
	(void)rd_take(&r, 8);
	off = (size_t)(rd_u8(&r) >> 4) * 4;
	if (r.bad || p->l4_len < TCP_HEADER)
		return PKT_TRUNCATED;
	if (off < TCP_HEADER || p->dst.port == 0 || p->src.port == 0)
		return PKT_MALFORMED;
	if (off > p->l4_len)
		return PKT_TRUNCATED;
	p->payload_off = p->l4_off + off;
	p->payload_len = p->l4_len - off;
	return checksum_verify(p, p->l4_len);
}

static enum pkt_verdict
parse_udp(struct pkt *p)
{
	struct rd r = rd_over(pkt_l4(p), p->l4_len);
	uint16_t len, sum;

	p->src.port = rd_be16(&r);
	p->dst.port = rd_be16(&r);
	len = rd_be16(&r);
	sum = rd_be16(&r);
	if (r.bad || len > p->l4_len)
		return PKT_TRUNCATED;
	if (len < UDP_HEADER || p->dst.port == 0 || p->src.port == 0)	/* 0: no answer is possible */
		return PKT_MALFORMED;
	p->l4_len = len;		/* IP may carry more: not ours (RFC 768) */
	p->payload_off = p->l4_off + UDP_HEADER;
	p->payload_len = len - (size_t)UDP_HEADER;
	if (sum == 0 && !p->partial)	/* none: allowed in IPv4 only (RFC 8200 8.1) */
		return p->family == 4 ? PKT_OK : PKT_CHECKSUM;
	return checksum_verify(p, len);
}

static enum pkt_verdict
parse_icmp(struct pkt *p)
{
	struct rd r = rd_over(pkt_l4(p), p->l4_len);
	uint16_t id;

	p->icmp_type = rd_u8(&r);
	p->icmp_code = rd_u8(&r);
	(void)rd_be16(&r);
	id = rd_be16(&r);
	(void)rd_be16(&r);
	if (r.bad)
		return PKT_TRUNCATED;
	if (p->icmp_type == (p->family == 4 ? ICMP4_ECHO : ICMP6_ECHO))
		p->src.port = id;
	p->payload_off = p->l4_off + ICMP_HEADER;
	p->payload_len = p->l4_len - ICMP_HEADER;
	return checksum_verify(p, p->l4_len);
}

static enum pkt_verdict
parse_l4(struct pkt *p)
{
	if (p->frag)
		return PKT_OK;
	if (p->proto == PROTO_TCP)
		return parse_tcp(p);
	if (p->proto == PROTO_UDP)
		return parse_udp(p);
	if (p->proto == (p->family == 4 ? PROTO_ICMP : PROTO_ICMP6))
		return parse_icmp(p);
	return PKT_PROTO;
}

/* A piece that could only be part of something larger than a packet can be (RFC 8200 4.5). */
static enum pkt_verdict
fragment_check(const struct pkt *p)
{
	if (!p->frag)
		return PKT_OK;
	if (p->l4_len == 0 || (p->more && p->l4_len % 8 != 0))
		return PKT_MALFORMED;
	if (p->unfrag_len - (p->family == 6 ? IP6_HEADER : 0) + p->frag_off + p->l4_len > IP_MAX)
		return PKT_MALFORMED;
	return PKT_OK;
}

/* ---- IPv4 (RFC 791 3.1) ---- */

static enum pkt_verdict
parse4(struct pkt *p, size_t len)
{
	struct rd r = rd_over(p->base, len);
	uint8_t first = rd_u8(&r);
	size_t ihl = (size_t)(first & 0xf) * 4;
	uint16_t frag;

	p->family = p->src.family = p->dst.family = 4;
	p->tclass = rd_u8(&r);
	p->len = rd_be16(&r);
	p->frag_id = rd_be16(&r);
	frag = rd_be16(&r);
	p->hop_limit = rd_u8(&r);
	p->proto_at = 9;
	p->proto = rd_u8(&r);
	(void)rd_be16(&r);
	rd_bytes(&r, p->src.ip, 4);
	rd_bytes(&r, p->dst.ip, 4);
	if (r.bad || p->len > len)
		return PKT_TRUNCATED;
	if (ihl < IP4_HEADER || p->len < ihl)
		return PKT_MALFORMED;
	if (ip_checksum(p->base, ihl, 0) != 0)
		return PKT_CHECKSUM;
	p->df = frag & IP4_DF;
	p->more = frag & IP4_MF;
	p->frag_off = (uint16_t)((frag & IP4_OFFSET) * 8);
	p->frag = p->more || p->frag_off != 0;
	p->unfrag_len = p->l4_off = ihl;
	p->l4_len = p->len - ihl;
	return fragment_check(p);
}

/* ---- IPv6 (RFC 8200 3, 4) ---- */

/* The fragment header; *end: what follows belongs to the piece. */
static enum pkt_verdict
fragment6(struct pkt *p, struct rd *r, bool *end)
{
	uint16_t off;

	(void)rd_u8(r);
	off = rd_be16(r);
	p->frag_id = rd_be32(r);
	p->more = off & 1;
	p->frag_off = off & 0xfff8;
	p->frag = p->more || p->frag_off != 0;	/* neither: atomic, a whole packet (RFC 6946 4) */
	*end = p->frag;
	return r->bad ? PKT_TRUNCATED : PKT_OK;
}

/* One header; what it calls next becomes p->proto. */
static enum pkt_verdict
extension6(struct pkt *p, struct rd *r, bool *end)
{
	uint8_t kind = p->proto;
	size_t start = (size_t)(r->p - p->base), len;

	p->proto_at = (uint16_t)start;
	p->proto = rd_u8(r);
	if (kind == EXT_FRAGMENT) {
		p->unfrag_len = start;
		return fragment6(p, r, end);
	}
	len = (size_t)rd_u8(r) * 8 + 8;
	if (kind == EXT_ROUTING) {
		(void)rd_u8(r);			/* its type */
		if (rd_u8(r) != 0)		/* segments left: RFC 8200 4.4, RFC 5095 */
			return r->bad ? PKT_TRUNCATED : PKT_MALFORMED;
		(void)rd_take(r, len - 4);
	} else {
		(void)rd_take(r, len - 2);
	}
	return r->bad ? PKT_TRUNCATED : PKT_OK;
}

static bool
is_extension(uint8_t proto)
{
	return proto == EXT_HOPOPTS || proto == EXT_ROUTING || proto == EXT_FRAGMENT ||
	    proto == EXT_DSTOPTS;
}

static enum pkt_verdict
extensions6(struct pkt *p, struct rd *r)
{
	enum pkt_verdict v;
	bool end = false;

	for (unsigned n = 0; !end && is_extension(p->proto); n++) {
		if (n == EXT_HEADERS_MAX || r->p - p->base > IP6_HEADER + EXT_BYTES_MAX)
			return PKT_HEADERS;
		if (p->proto == EXT_HOPOPTS && n > 0)	/* only the first: RFC 8200 4.1 */
			return PKT_MALFORMED;
		if ((v = extension6(p, r, &end)) != PKT_OK)
			return v;
	}
	return PKT_OK;
}

static enum pkt_verdict
parse6(struct pkt *p, size_t len)
{
	struct rd r = rd_over(p->base, len);
	uint32_t first = rd_be32(&r);
	size_t plen = rd_be16(&r);
	enum pkt_verdict v;

	p->family = p->src.family = p->dst.family = 6;
	p->tclass = (uint8_t)(first >> 20);
	p->df = true;
	p->proto_at = 6;
	p->proto = rd_u8(&r);
	p->hop_limit = rd_u8(&r);
	rd_bytes(&r, p->src.ip, 16);
	rd_bytes(&r, p->dst.ip, 16);
	p->len = IP6_HEADER + plen;
	if (r.bad || p->len > len)
		return PKT_TRUNCATED;
	r.end = p->base + p->len;
	p->unfrag_len = IP6_HEADER;
	if ((v = extensions6(p, &r)) != PKT_OK)
		return v;
	p->l4_off = (size_t)(r.p - p->base);
	p->l4_len = rd_left(&r);
	return fragment_check(p);
}

enum pkt_verdict
ip_parse(const void *buf, size_t len, bool partial, struct pkt *out)
{
	enum pkt_verdict v;

	*out = (struct pkt){ .base = buf, .partial = partial };
	if (len == 0)
		return PKT_TRUNCATED;
	switch (out->base[0] >> 4) {
	case 4:		v = parse4(out, len); break;
	case 6:		v = parse6(out, len); break;
	default:	return PKT_MALFORMED;
	}
	if (v == PKT_OK)
		v = addresses_check(out);
	if (v == PKT_OK)
		v = parse_l4(out);
	return v;
}

/* ---- headers ---- */

static void
put4(struct wr *w, const struct ip_head *h, size_t l4_len)
{
	uint8_t *start = w->p;

	wr_u8(w, 0x45);
	wr_u8(w, h->tclass);
	wr_be16(w, (uint16_t)(IP4_HEADER + l4_len));
	wr_be16(w, h->id);
	wr_be16(w, h->df ? IP4_DF : 0);
	wr_u8(w, h->hop_limit != 0 ? h->hop_limit : IP_HOPS);
	wr_u8(w, h->proto);
	wr_be16(w, 0);
	wr_bytes(w, h->src->ip, 4);
	wr_bytes(w, h->dst->ip, 4);
	if (!w->bad) {
		struct wr sum = wr_over(start + 10, 2);

		wr_be16(&sum, ip_checksum(start, IP4_HEADER, 0));
	}
}

static void
put6(struct wr *w, const struct ip_head *h, size_t l4_len)
{
	wr_be32(w, 6u << 28 | (uint32_t)h->tclass << 20);
	wr_be16(w, (uint16_t)l4_len);
	wr_u8(w, h->proto);
	wr_u8(w, h->hop_limit != 0 ? h->hop_limit : IP_HOPS);
	wr_bytes(w, h->src->ip, 16);
	wr_bytes(w, h->dst->ip, 16);
}

size_t
ip_put(struct wr *w, const struct ip_head *h, size_t l4_len)
{
	if (l4_len > IP_MAX - (h->src->family == 4 ? IP4_HEADER : 0))
		w->bad = true;
	else if (h->src->family == 4)
		put4(w, h, l4_len);
	else
		put6(w, h, l4_len);
	return ip_header_len(h->src->family);
}

size_t
ip_put_tcp(struct wr *w, const struct ip_head *h, const struct tcp_head *t, uint16_t checksum)
{
	size_t len = TCP_HEADER + t->optlen;

	wr_be16(w, h->src->port);
	wr_be16(w, h->dst->port);
	wr_be32(w, t->seq);
	wr_be32(w, t->ack);
	wr_be16(w, (uint16_t)(len / 4 << 12 | (t->flags & 0xfff)));
	wr_be16(w, t->window);
	wr_be16(w, checksum);
	wr_be16(w, t->urgent);
	if (t->optlen > 0)
		wr_bytes(w, t->options, t->optlen);
	return len;
}

size_t
ip_put_udp(struct wr *w, const struct ip_head *h, size_t payload_len, uint16_t checksum)
{
	wr_be16(w, h->src->port);
	wr_be16(w, h->dst->port);
	wr_be16(w, (uint16_t)(UDP_HEADER + payload_len));
	wr_be16(w, checksum);
	return UDP_HEADER;
}

void
ip_finish(const struct ip_head *h, uint8_t *l4, size_t l4_len, size_t at)
{
	struct wr w = wr_over(l4, l4_len);
	uint64_t sum = 0;
	uint16_t c;

	if (wr_take(&w, at) == NULL || (size_t)(w.end - w.p) < 2)
		return;
	memset(w.p, 0, 2);
	if (h->proto != PROTO_ICMP)
		sum = ip_pseudo(h->src, h->dst, h->proto, l4_len);
	c = ip_checksum(l4, l4_len, sum);
	if (c == 0 && h->proto == PROTO_UDP)	/* zero would mean "none": RFC 768 */
		c = 0xffff;
	wr_be16(&w, c);
}

/* ---- ICMP errors ---- */

static const struct {
	int	err;
	uint8_t	type4, code4, type6, code6;
} error_table[] = {
	{ EHOSTUNREACH,	3, 1,	1, 3 },
	{ EHOSTDOWN,	3, 1,	1, 3 },
	{ ENETUNREACH,	3, 0,	1, 0 },
	{ ENETDOWN,	3, 0,	1, 0 },
	{ EADDRNOTAVAIL, 3, 0,	1, 0 },		/* the host has no address of the family */
	{ EAFNOSUPPORT,	3, 0,	1, 0 },
	{ ECONNREFUSED,	3, 3,	1, 4 },
	{ EACCES,	3, 13,	1, 1 },
	{ EPERM,	3, 13,	1, 1 },
	{ ENOPROTOOPT,	3, 2,	4, 1 },
	{ EMSGSIZE,	3, 4,	2, 0 },
};

bool
icmp_error_of(int err, uint8_t family, uint32_t mtu, struct icmp_error *out)
{
	for (size_t i = 0; i < sizeof(error_table) / sizeof(error_table[0]); i++) {
		if (error_table[i].err != err)
			continue;
		*out = (struct icmp_error){
			.type = family == 4 ? error_table[i].type4 : error_table[i].type6,
			.code = family == 4 ? error_table[i].code4 : error_table[i].code6,
			.info = err == EMSGSIZE ? mtu : 0,
		};
		return true;
	}
	return false;
}

/* Where in its header a protocol keeps its checksum; 0: not one of ours. */
static size_t
checksum_at(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:		return 16;
	case PROTO_UDP:		return 6;
	case PROTO_ICMP:
	case PROTO_ICMP6:	return 2;
	default:		return 0;
	}
}

/* ICMP errors are never sent about ICMP errors; what is unknown may be one. */
static bool
is_icmp_error(const struct pkt *p)
{
	if (p->proto == PROTO_ICMP6 && p->family == 6)
		return p->icmp_type < 128 || p->icmp_type == ICMP6_REDIRECT;
	if (p->proto == PROTO_ICMP && p->family == 4)
		return p->icmp_type != ICMP4_ECHO && p->icmp_type != ICMP4_TIMESTAMP;
	return false;
}

/* The error up to its quote; returns where the quote starts, and how much of it fits. */
static size_t
error_head(uint8_t *out, const struct icmp_error *e, const struct addr *from,
    const struct addr *to, size_t *quote_len)
{
	struct ip_head h = { .src = from, .dst = to, .hop_limit = e->hop_limit,
	    .proto = to->family == 4 ? PROTO_ICMP : PROTO_ICMP6 };
	size_t most = to->family == 4 ? IP4_ERROR_MAX : ICMP_ERROR_MAX;
	size_t hlen = ip_header_len(to->family) + ICMP_HEADER;
	struct wr w = wr_over(out, ICMP_ERROR_MAX);

	if (*quote_len > most - hlen)
		*quote_len = most - hlen;
	ip_put(&w, &h, ICMP_HEADER + *quote_len);
	wr_u8(&w, e->type);
	wr_u8(&w, e->code);
	wr_be16(&w, 0);
	if (to->family == 4 && e->info > UINT16_MAX)	/* 16 bits: RFC 1191 4 */
		wr_be32(&w, UINT16_MAX);
	else
		wr_be32(&w, e->info);
	return hlen;
}

static void
error_finish(uint8_t *out, const struct addr *from, const struct addr *to, size_t len)
{
	struct ip_head h = { .src = from, .dst = to,
	    .proto = to->family == 4 ? PROTO_ICMP : PROTO_ICMP6 };
	size_t hlen = ip_header_len(to->family);

	ip_finish(&h, out + hlen, len - hlen, 2);
}

/* A quoted packet says what it would have said on the wire, so its checksum is completed. */
static void
quote_finish(uint8_t *quote, size_t quote_len, const struct pkt *p)
{
	size_t at = checksum_at(p->proto);
	uint64_t sum;
	struct wr w;

	if (!p->partial || p->frag || at == 0 || p->l4_off + at + 2 > quote_len ||
	    p->l4_len < at + 2)
		return;
	sum = p->proto != PROTO_ICMP ? ip_pseudo(&p->src, &p->dst, p->proto, p->l4_len) : 0;
	sum = ip_sum(pkt_l4(p), at, sum);
	sum = ip_sum(pkt_l4(p) + at + 2, p->l4_len - at - 2, sum);
	w = wr_over(quote + p->l4_off + at, 2);
	wr_be16(&w, (uint16_t)~ip_sum_fold(sum));
}

size_t
icmp_error_build(uint8_t *out, const struct icmp_error *e, const struct addr *from,
    const struct pkt *p)
{
	size_t quote_len = p->len, at;

	if (addresses_check(p) != PKT_OK || p->frag_off != 0 || is_icmp_error(p) ||
	    from->family != p->family)
		return 0;
	at = error_head(out, e, from, &p->src, &quote_len);
	memcpy(out + at, p->base, quote_len);
	quote_finish(out + at, quote_len, p);
	error_finish(out, from, &p->src, at + quote_len);
	return at + quote_len;
}

size_t
icmp_error_rebuild(uint8_t *out, const struct icmp_error *e, const struct addr *from,
    const struct ip_head *head, size_t l4_len, const uint8_t *quote, size_t quote_len)
{
	size_t hlen = ip_header_len(head->src->family), len = hlen + quote_len, at;
	struct wr w;

	if (from->family != head->src->family || quote_len > l4_len || l4_len > IP_MAX - hlen)
		return 0;
	at = error_head(out, e, from, head->src, &len);
	w = wr_over(out + at, len);
	ip_put(&w, head, l4_len);
	wr_bytes(&w, quote, len - hlen);
	error_finish(out, from, head->src, at + len);
	return at + len;
}

/*
 * pcapflow.c - packets to flows; see pcap.h.
 *
 * A flow is a protocol and two ends; who sent its first packet is "from".  A TCP stream is
 * followed by its sequence numbers: what is skipped is missing until it comes.  Addresses and ports
 * are chosen by whoever made the file, so the table is hashed with a random seed.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pcap.h"
#include "rd.h"

#define LINK_ETHERNET	1
#define LINK_RAW	101
#define LINK_SLL	113
#define LINK_IPV4	228
#define LINK_IPV6	229
#define LINK_SLL2	276

#define ETHER_VLAN	0x8100
#define ETHER_QINQ	0x88a8
#define ETHER_IPV4	0x0800
#define ETHER_IPV6	0x86dd

#define TCP_FIN		1
#define TCP_SYN		2
#define TCP_RST		4
#define TCP_ACK		16

/* What of a packet matters here. */
struct packet {
	struct addr	 src, dst;	/* with ports */
	uint8_t		 proto;
	size_t		 ip_len;	/* as its header says, or as it was on the wire */
	size_t		 payload;
	uint32_t	 seq;
	uint8_t		 tcp;		/* flags */
};

bool
pcap_flows_init(struct pcap_flows *f, uint64_t seed, size_t max)
{
	*f = (struct pcap_flows){ .at = calloc(2 * max, sizeof(*f->at)), .seed = seed, .max = max,
	    .slots = 2 * max };
	return f->at != NULL;
}

void
pcap_flows_done(struct pcap_flows *f)
{
	for (size_t i = 0; f->at != NULL && i < f->slots; i++)
		free(f->at[i].comment);
	free(f->at);
}

/* ---- what is in a packet ---- */

/* Past the link's header; *orig loses as much.  False: this is no IP. */
static bool
link_skip(struct rd *r, unsigned linktype, size_t *orig)
{
	size_t before = rd_left(r), gone;
	unsigned type;

	switch (linktype) {
	case LINK_RAW:
	case LINK_IPV4:
	case LINK_IPV6:
		return true;
	case LINK_ETHERNET:
		rd_take(r, 12);
		type = rd_be16(r);
		for (int i = 0; i < 2 && (type == ETHER_VLAN || type == ETHER_QINQ); i++) {
			rd_take(r, 2);
			type = rd_be16(r);
		}
		break;
	case LINK_SLL:
		rd_take(r, 14);
		type = rd_be16(r);
		break;
	case LINK_SLL2:
		type = rd_be16(r);
		rd_take(r, 18);
		break;
	default:
		return false;
	}
	gone = before - rd_left(r);
	*orig = *orig > gone ? *orig - gone : 0;
	return !r->bad && (type == ETHER_IPV4 || type == ETHER_IPV6);
}

static struct addr
addr_get(struct rd *r, uint8_t family)
{
	struct addr a = { .family = family };

	rd_bytes(r, a.ip, addr_iplen(&a));
	return a;
}

/* RFC 791 3.1.  False: a later fragment, or cut. */
static bool
ipv4_read(struct rd *r, struct packet *p, size_t *left)
{
	size_t head = (size_t)(rd_u8(r) & 15) * 4, total;
	unsigned fragment;

	rd_u8(r);
	total = rd_be16(r);
	rd_be16(r);
	fragment = rd_be16(r);
	rd_u8(r);
	p->proto = rd_u8(r);
	rd_be16(r);
	p->src = addr_get(r, 4);
	p->dst = addr_get(r, 4);
	if (head < 20)
		return false;
	rd_take(r, head - 20);
	/* 0 where the kernel was to fill it in: TCP segments of more than 64 KiB. */
	p->ip_len = total != 0 ? total : p->ip_len;
	*left = p->ip_len > head ? p->ip_len - head : 0;
	return !r->bad && (fragment & 0x1fff) == 0;
}

/* RFC 8200 4: extension headers stand between, each with its own length. */
static bool
ipv6_read(struct rd *r, struct packet *p, size_t *left)
{
	size_t total;

	rd_be32(r);
	total = rd_be16(r);
	p->proto = rd_u8(r);
	rd_u8(r);
	p->src = addr_get(r, 6);
	p->dst = addr_get(r, 6);
	p->ip_len = total != 0 ? total + 40 : p->ip_len;
	*left = p->ip_len > 40 ? p->ip_len - 40 : 0;
	for (int i = 0; i < 8 && !r->bad; i++) {
		bool fragment = p->proto == IPPROTO_FRAGMENT;
		size_t len;
		uint8_t next;

		if (!fragment && p->proto != IPPROTO_HOPOPTS && p->proto != IPPROTO_ROUTING &&
		    p->proto != IPPROTO_DSTOPTS)
			return true;
		next = rd_u8(r);
		len = fragment ? (rd_u8(r), 8) : ((size_t)rd_u8(r) + 1) * 8;
		if (fragment && (rd_be16(r) & 0xfff8) != 0)
			return false;
		rd_take(r, len - (fragment ? 4 : 2));
		*left = *left > len ? *left - len : 0;
		p->proto = next;
	}
	return false;
}

/* RFC 9293 3.1, RFC 768, RFC 792 and 4443: an echo's identifier is a port of who asks. */
static bool
transport_read(struct rd *r, struct packet *p, size_t left)
{
	size_t head = 8;
	uint8_t type;

	if (p->proto == IPPROTO_TCP) {
		p->src.port = rd_be16(r);
		p->dst.port = rd_be16(r);
		p->seq = rd_be32(r);
		rd_be32(r);
		head = (size_t)(rd_u8(r) >> 4) * 4;
		p->tcp = rd_u8(r);
	} else if (p->proto == IPPROTO_UDP) {
		p->src.port = rd_be16(r);
		p->dst.port = rd_be16(r);
	} else if (p->proto == (p->src.family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		type = rd_u8(r);
		rd_take(r, 3);
		if (type == (p->src.family == 4 ? 8 : 128))
			p->src.port = rd_be16(r);
		else if (type == (p->src.family == 4 ? 0 : 129))
			p->dst.port = rd_be16(r);
		else
			return false;
	} else {
		return false;
	}
	p->payload = left > head ? left - head : 0;
	return !r->bad;
}

static bool
packet_read(struct pcap_flows *f, unsigned linktype, const uint8_t *data, size_t len, size_t orig,
    struct packet *p)
{
	struct rd r = rd_over(data, len);
	unsigned version;
	size_t left;

	if (!link_skip(&r, linktype, &orig) || rd_left(&r) == 0) {
		f->not_ip++;
		return false;
	}
	version = r.p[0] >> 4;
	*p = (struct packet){ .ip_len = orig };
	if (version != 4 && version != 6) {
		f->not_ip++;
		return false;
	}
	if ((version == 4 ? ipv4_read : ipv6_read)(&r, p, &left) && transport_read(&r, p, left))
		return true;
	f->other++;
	return false;
}

/* ---- flows ---- */

static uint64_t
mix(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		h = (h ^ p[i]) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

static uint64_t
end_hash(uint64_t seed, const struct addr *a)
{
	return mix(mix(seed, a->ip, addr_iplen(a)), &a->port, sizeof(a->port));
}

/* The slot of the flow, or the free one where it belongs; NULL: there is no room. */
static struct pcap_flow *
flow_find(struct pcap_flows *f, const struct packet *p)
{
	/* The same both ways. */
	uint64_t h = end_hash(f->seed, &p->src) + end_hash(f->seed, &p->dst) + p->proto;

	for (size_t i = mix(f->seed, &h, sizeof(h)) % f->slots;; i = (i + 1) % f->slots) {
		struct pcap_flow *flow = &f->at[i];

		if (flow->proto == 0)
			return f->n < f->max ? flow : NULL;
		if (flow->proto == p->proto &&
		    ((addr_equal(&flow->from, &p->src) && addr_equal(&flow->to, &p->dst)) ||
		    (addr_equal(&flow->from, &p->dst) && addr_equal(&flow->to, &p->src))))
			return flow;
	}
}

/* What is skipped is missing; what comes behind fills it, or is repeated. */
static void
stream_follow(struct pcap_way *way, const struct packet *p)
{
	uint32_t seq = p->seq, end = seq + (uint32_t)p->payload +
	    ((p->tcp & (TCP_SYN | TCP_FIN)) != 0), behind;

	if (!way->has_next || (p->tcp & TCP_SYN) != 0) {
		way->has_next = true;
		way->next = end;
		return;
	}
	if ((int32_t)(seq - way->next) > 0)
		way->missing += seq - way->next;
	if ((int32_t)(seq - way->next) < 0 && p->payload > 0) {
		behind = way->next - seq < p->payload ? way->next - seq : (uint32_t)p->payload;
		if (way->missing >= behind)
			way->missing -= behind;
		else
			way->repeated += behind;
	}
	if ((int32_t)(end - way->next) > 0)
		way->next = end;
}

static void
ends_note(struct pcap_flow *flow, const struct packet *p, bool up)
{
	if ((p->tcp & TCP_SYN) != 0)
		flow->ends |= (p->tcp & TCP_ACK) != 0 ? PCAP_SYNACK : PCAP_SYN;
	if ((p->tcp & TCP_FIN) != 0)
		flow->ends |= up ? PCAP_FIN_UP : PCAP_FIN_DOWN;
	if ((p->tcp & TCP_RST) != 0)
		flow->ends |= up ? PCAP_RST_UP : PCAP_RST_DOWN;
}

struct pcap_flow *
pcap_flows_packet(struct pcap_flows *f, unsigned linktype, const uint8_t *data, size_t len,
    size_t orig, uint64_t ns)
{
	struct pcap_flow *flow;
	struct pcap_way *way;
	struct packet p;
	bool up;

	if (!packet_read(f, linktype, data, len, orig, &p))
		return NULL;
	if ((flow = flow_find(f, &p)) == NULL) {
		f->beyond++;
		return NULL;
	}
	if (flow->proto == 0) {
		*flow = (struct pcap_flow){ .proto = p.proto, .from = p.src, .to = p.dst, .first = ns };
		f->n++;
	}
	up = addr_equal(&flow->from, &p.src);
	way = up ? &flow->up : &flow->down;
	way->packets++;
	way->bytes += p.ip_len;
	way->payload += p.payload;
	if (ns > flow->last)
		flow->last = ns;
	if (p.proto == IPPROTO_TCP) {
		ends_note(flow, &p, up);
		stream_follow(way, &p);
	}
	return flow;
}

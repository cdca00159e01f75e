/*
 * ip.h - IPv4 and IPv6 packets: bytes to a checked struct, and headers to bytes.
 *
 * Pure: no descriptor, no loop, no log.  The bytes are the command tree's: any length,
 * any content.  Whatever ip_parse() accepts lies inside the buffer: offsets and lengths
 * in struct pkt never need a second check.  Nothing here casts packet memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_IP_H
#define CF_IP_H

#include "addr.h"
#include "rd.h"

#define IP4_HEADER	20
#define IP6_HEADER	40
#define TCP_HEADER	20
#define UDP_HEADER	8
#define ICMP_HEADER	8
#define IP_MAX		65535	/* of an IPv4 packet; of what follows an IPv6 header */
#define IP_HOPS		64	/* in packets that we make (RFC 1700) */

#define PROTO_ICMP	1
#define PROTO_TCP	6
#define PROTO_UDP	17
#define PROTO_ICMP6	58
#define PROTO_NONE	59	/* RFC 8200 4.7: nothing follows, nothing is said */

#define ICMP4_ECHO_REPLY	0
#define ICMP4_UNREACHABLE	3
#define ICMP4_ECHO		8
#define ICMP4_TIME_EXCEEDED	11
#define ICMP4_TIMESTAMP		13
#define ICMP6_TOO_BIG		2
#define ICMP6_TIME_EXCEEDED	3
#define ICMP6_ECHO		128
#define ICMP6_ECHO_REPLY	129
#define ICMP6_REDIRECT		137

/* Why a packet is not looked at any further.  Counters are indexed by it. */
enum pkt_verdict {
	PKT_OK,
	PKT_TRUNCATED,		/* shorter than its headers say */
	PKT_MALFORMED,		/* a field that cannot be */
	PKT_CHECKSUM,		/* the IPv4 header's, or that of the layer above */
	PKT_SOURCE,		/* a source that cannot be answered */
	PKT_NOT_UNICAST,		/* multicast, broadcast, link-local: chatter, no error */
	PKT_HEADERS,		/* more IPv6 extension headers than we follow */
	PKT_PROTO,		/* none of TCP, UDP, ICMP */
	PKT_VERDICTS
};

/*
 * A packet that was looked at.  base is borrowed.  For a fragment (frag), `proto` is
 * right, l4 is the piece, and ports and payload are not set: reassemble first.
 */
struct pkt {
	const uint8_t	*base;		/* the IP header */
	size_t		 len;		/* as the IP header has it; what is behind is cut off */
	size_t		 l4_off, l4_len;	/* TCP, UDP or ICMP header and what follows */
	size_t		 payload_off, payload_len;	/* behind that header */
	struct addr	 src, dst;	/* with ports for TCP and UDP; ICMP echo: identifier in src.port */
	uint8_t		 family;	/* 4 or 6 */
	uint8_t		 proto;		/* PROTO_ */
	uint8_t		 hop_limit;
	uint8_t		 tclass;	/* IPv4 TOS, IPv6 traffic class: DSCP and ECN bits */
	bool		 df;		/* IPv4 don't fragment; IPv6: always */
	bool		 frag, more;	/* a fragment; and not the last */
	uint16_t	 frag_off;	/* in bytes */
	uint32_t	 frag_id;
	size_t		 unfrag_len;	/* IPv6: headers before the fragment header; IPv4: header */
	bool		 partial;	/* as given to ip_parse */
	uint16_t	 proto_at;	/* where the number of the last header stands */
	uint8_t		 icmp_type, icmp_code;
};

static inline const uint8_t *
pkt_l4(const struct pkt *p)
{
	return p->base + p->l4_off;
}

static inline const uint8_t *
pkt_payload(const struct pkt *p)
{
	return p->base + p->payload_off;
}

/*
 * Take the packet at buf apart.  partial: the checksum above IP is not complete yet
 * (virtio NEEDS_CSUM, or a segment to be cut up), so it is not verified.  With PKT_OK the
 * struct is filled; otherwise only as far as it was read.
 */
enum pkt_verdict	 ip_parse(const void *buf, size_t len, bool partial, struct pkt *out);
const char	*pkt_verdict_name(enum pkt_verdict);

/* ---- checksums (RFC 1071) ---- */

/* Sum of 16 bit words, unfolded, to be continued: only the last piece may have odd length. */
uint64_t	ip_sum(const void *buf, size_t len, uint64_t sum);
uint16_t	ip_sum_fold(uint64_t sum);		/* not complemented, host order */
uint16_t	ip_checksum(const void *buf, size_t len, uint64_t sum);	/* complemented */
/*
 * Pseudo header (RFC 9293 3.1, RFC 8200 8.1), folded and not complemented: what the
 * checksum field holds when the packet goes out with NEEDS_CSUM, and the start for ip_checksum.
 */
uint16_t	ip_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, size_t l4_len);

/* ---- headers ---- */

/* What an IP header of ours says. */
struct ip_head {
	const struct addr *src, *dst;	/* same family; ports for the layer above */
	uint8_t		 proto;
	uint8_t		 hop_limit;	/* 0: IP_HOPS */
	uint8_t		 tclass;
	bool		 df;		/* IPv4 only */
	uint16_t	 id;		/* IPv4 only */
};

static inline size_t
ip_header_len(uint8_t family)
{
	return family == 6 ? IP6_HEADER : IP4_HEADER;
}

/* The IP header before l4_len bytes, IPv4 checksum included.  Returns its length. */
size_t	ip_put(struct wr *, const struct ip_head *, size_t l4_len);
/*
 * A TCP header with `optlen` (a multiple of 4, at most 40) bytes of options.  Ports come from
 * the ip_head.  The checksum field gets `checksum` as it is (ip_pseudo() for NEEDS_CSUM).
 */
struct tcp_head {
	uint32_t	 seq, ack;
	uint16_t	 flags;		/* as in the header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, ... */
	uint16_t	 window;	/* scaled */
	uint16_t	 urgent;
	const uint8_t	*options;
	size_t		 optlen;
};
size_t	ip_put_tcp(struct wr *, const struct ip_head *, const struct tcp_head *, uint16_t checksum);
size_t	ip_put_udp(struct wr *, const struct ip_head *, size_t payload_len, uint16_t checksum);

/*
 * Complete the checksum of the TCP, UDP or ICMP message at l4 (l4_len bytes, `at` is the
 * offset of its checksum field: 16, 6, 2): for where there is no checksum offload.
 */
void	ip_finish(const struct ip_head *, uint8_t *l4, size_t l4_len, size_t at);

/* ---- ICMP errors ---- */

struct icmp_error {
	uint8_t		type, code;	/* of the family of the packet that it answers */
	uint32_t	info;		/* MTU for "too big", pointer for "parameter problem", else 0 */
	uint8_t		hop_limit;	/* that the error itself arrives with; 0: IP_HOPS */
};

#define ICMP_ERROR_MAX	1280		/* RFC 4443 2.4 (c); IPv4 stays within 576 (RFC 1812 4.3.2.3) */

/*
 * The ICMP error that the errno of a failed connect or send stands for, in `family`:
 * EHOSTUNREACH, ENETUNREACH, ECONNREFUSED (port), EACCES (administratively
 * prohibited), EMSGSIZE (info is the MTU).  false: none.
 */
bool	icmp_error_of(int err, uint8_t family, uint32_t mtu, struct icmp_error *out);
/*
 * An ICMP error from `from` (its family must be the packet's) to the sender of p, that quotes p.
 * out has ICMP_ERROR_MAX bytes; returns the length of the whole packet, or 0 when none may be
 * sent about it (RFC 1122 3.2.2, RFC 4443 2.4 (e)).
 */
size_t	icmp_error_build(uint8_t *out, const struct icmp_error *, const struct addr *from,
	    const struct pkt *p);
/*
 * The same about a packet that is no longer there: its headers are made again from `head`
 * (with UDP or ICMP `l4_len` long), and quote is what is known of it, from the layer above IP on.
 */
size_t	icmp_error_rebuild(uint8_t *out, const struct icmp_error *, const struct addr *from,
	    const struct ip_head *head, size_t l4_len, const uint8_t *quote, size_t quote_len);

#endif

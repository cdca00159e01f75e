/*
 * tuple.c - see tuple.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tuple.h"

#include <netinet/in.h>
#include <string.h>

#define ECHO4		8
#define ECHO4_REPLY	0
#define ECHO6		128
#define ECHO6_REPLY	129
#define ICMP_HEAD	8
#define HEADS_MAX	96		/* of IP, and of the transport to its sum */

/* Where things stand; what `head` reaches to is there. */
struct place {
	uint8_t		family, proto;
	size_t		ip;		/* bytes of the IP header */
	size_t		src, dst, iplen;
	bool		first;		/* the transport's header follows */
};

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool
place_find(const uint8_t *p, size_t len, struct place *l)
{
	if (len >= 20 && p[0] >> 4 == 4) {
		*l = (struct place){ 4, p[9], (size_t)(p[0] & 15) * 4, 12, 16, 4,
		    (get16(p + 6) & 0x1fff) == 0 };
		return l->ip >= 20 && l->ip <= len;
	}
	if (len >= 40 && p[0] >> 4 == 6) {
		*l = (struct place){ 6, p[6], 40, 8, 24, 16, true };
		return true;
	}
	return false;
}

static bool
is_echo(const struct place *l, uint8_t type)
{
	return l->family == 4 ? type == ECHO4 || type == ECHO4_REPLY :
	    type == ECHO6 || type == ECHO6_REPLY;
}

/* An error has the packet that it is about in it. */
static bool
is_error(const struct place *l, uint8_t type)
{
	return l->family == 4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

static bool
is_icmp(const struct place *l)
{
	return l->proto == (l->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static struct addr
addr_at(const struct place *l, const uint8_t *p, size_t at, uint32_t port)
{
	struct addr a = { .family = l->family, .port = (uint16_t)port };

	memcpy(a.ip, p + at, l->iplen);
	return a;
}

bool
tuple_of(const uint8_t *p, size_t len, bool outward, struct tuple *t)
{
	struct place l;
	uint32_t from = 0, to = 0;

	if (!place_find(p, len, &l) || !l.first || len < l.ip + ICMP_HEAD)
		return false;
	if (l.proto == IPPROTO_TCP || l.proto == IPPROTO_UDP) {
		from = get16(p + l.ip);
		to = get16(p + l.ip + 2);
	} else if (is_icmp(&l) && is_echo(&l, p[l.ip])) {
		*(outward ? &from : &to) = get16(p + l.ip + 4);
	} else if (is_icmp(&l) && is_error(&l, p[l.ip])) {
		/* What is in it went the other way; and it may hold no further one. */
		p += l.ip + ICMP_HEAD;
		len -= l.ip + ICMP_HEAD;
		return place_find(p, len, &l) && (!is_icmp(&l) || (len > l.ip && is_echo(&l, p[l.ip]))) &&
		    tuple_of(p, len, !outward, t);
	} else {
		return false;
	}
	t->proto = l.proto;
	t->src = addr_at(&l, p, outward ? l.src : l.dst, outward ? from : to);
	t->dst = addr_at(&l, p, outward ? l.dst : l.src, outward ? to : from);
	return true;
}

bool
tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return a->proto == b->proto && addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst);
}

/* ---- another address ---- */

/* A sum in which these bytes become others (RFC 1624, eqn. 3). */
static void
sum_update(uint8_t *sum, const uint8_t *old, const uint8_t *new, size_t len)
{
	uint32_t s = ~get16(sum) & 0xffff;

	for (size_t i = 0; i < len; i += 2)
		s += (~get16(old + i) & 0xffff) + get16(new + i);
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	put16(sum, ~s & 0xffff);
}

/* The transport's sum, where it has one and it is there. */
static uint8_t *
transport_sum(const struct place *l, uint8_t *p, size_t len)
{
	size_t at = l->proto == IPPROTO_TCP ? 16 : l->proto == IPPROTO_UDP ? 6 : is_icmp(l) ? 2 : 0;

	if (!l->first || at == 0 || len < l->ip + at + 2 ||
	    (l->proto == IPPROTO_UDP && get16(p + l->ip + at) == 0))
		return NULL;
	return p + l->ip + at;
}

static void
replace(uint8_t *at, const uint8_t *new, size_t len, uint8_t *sum, uint8_t *also)
{
	if (sum != NULL)
		sum_update(sum, at, new, len);
	if (also != NULL)
		sum_update(also, at, new, len);
	memcpy(at, new, len);
}

/* Where the tree's port stands; 0: there is none. */
static size_t
port_place(const struct place *l, const uint8_t *p, size_t len, bool outward)
{
	if (!l->first || len < l->ip + ICMP_HEAD)
		return 0;
	if (l->proto == IPPROTO_TCP || l->proto == IPPROTO_UDP)
		return l->ip + (outward ? 0 : 2);
	return is_icmp(l) && is_echo(l, p[l->ip]) ? l->ip + 4 : 0;
}

/* The packet in an error; the sum of the error covers all that changes in it. */
static void
inner_rewrite(uint8_t *outer_sum, uint8_t *p, size_t len, bool outward, const struct addr *to,
    bool ports)
{
	uint8_t old[HEADS_MAX];
	size_t n = (len < sizeof(old) ? len : sizeof(old)) & ~(size_t)1;
	struct place l;

	/* One level deep: an error is not told of by an error (RFC 1122 3.2.2). */
	if (!place_find(p, len, &l) || (is_icmp(&l) && len > l.ip && is_error(&l, p[l.ip])))
		return;
	memcpy(old, p, n);
	if (tuple_rewrite(p, len, outward, to, ports))
		sum_update(outer_sum, old, p, n);
}

bool
tuple_rewrite(uint8_t *p, size_t len, bool outward, const struct addr *to, bool ports)
{
	uint8_t port[2] = { (uint8_t)(to->port >> 8), (uint8_t)to->port }, *sum;
	struct place l;
	size_t at;

	if (!place_find(p, len, &l) || l.family != to->family)
		return false;
	sum = transport_sum(&l, p, len);
	if (is_icmp(&l) && sum != NULL && len >= l.ip + ICMP_HEAD && is_error(&l, p[l.ip]))
		inner_rewrite(sum, p + l.ip + ICMP_HEAD, len - l.ip - ICMP_HEAD, !outward, to, ports);
	if (ports && (at = port_place(&l, p, len, outward)) != 0)
		replace(p + at, port, 2, sum, NULL);
	/* ICMP for IPv4 has no pseudo header. */
	replace(p + (outward ? l.src : l.dst), to->ip, l.iplen,
	    l.family == 4 ? p + 10 : NULL, l.proto == IPPROTO_ICMP ? NULL : sum);
	return true;
}

/*
 * frag.c - see frag.h.
 *
 * A packet in the making is one buffer of full size (its pages cost nothing until they are
 * written) and a bitmap of the 8 byte units that have come; holes (RFC 815) are the
 * zeroes in it.  A piece that overlaps another without being its exact copy makes the
 * packet void (RFC 5722 4, RFC 8200 4.5): the entry stays, so that late pieces die with it,
 * until its time is over.
 *
 *   first piece -> WAITING --last hole filled--> whole (slot is free again)
 *                     |--overlap, too long-----> VOID --time--> free
 *                     '--time, driven out------> free
 *
 * Deliberately not done: ICMP time exceeded (fragment reassembly): the sender is a process of
 * this machine and its pieces come through a queue, where loss means overload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "frag.h"

#include <stdlib.h>

#include "stack.h"

#define UNIT		8
#define UNITS		((IP_MAX + UNIT) / UNIT)
#define HEAD_MAX	320	/* headers before the cut: IPv4 60, IPv6 40 and a few extensions */

struct slot {
	uint8_t		*buf;		/* HEAD_MAX, then what is behind the header; NULL: free */
	bool		 is_void;
	struct addr	 src, dst;
	uint32_t	 id;
	uint8_t		 proto;
	uint64_t	 born;
	size_t		 head_len;	/* 0: the first piece has not come */
	size_t		 total;		/* 0: the last piece has not come */
	size_t		 have;		/* bytes */
	uint8_t		 ecn;		/* of all pieces: CE when one has it (RFC 3168 5.3) */
	uint8_t		 units[(UNITS + 7) / 8];
};

struct frags {
	struct slot	 slots[FRAG_PACKETS];
	uint8_t		*lent;		/* the buffer of the packet given out last */
	size_t		 count;
};

struct frags *
frags_new(void)
{
	return calloc(1, sizeof(struct frags));
}

static void
slot_clear(struct frags *f, struct slot *s)
{
	if (s->buf == NULL)
		return;
	free(s->buf);
	s->buf = NULL;
	f->count--;
}

void
frags_free(struct frags *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < FRAG_PACKETS; i++)
		slot_clear(f, &f->slots[i]);
	free(f->lent);
	free(f);
}

size_t
frags_count(const struct frags *f)
{
	return f->count;
}

uint64_t
frags_expire(struct frags *f, uint64_t now)
{
	uint64_t next = 0, end;

	for (size_t i = 0; i < FRAG_PACKETS; i++) {
		struct slot *s = &f->slots[i];

		if (s->buf == NULL)
			continue;
		end = s->born + FRAG_TIME_MS;
		if (end <= now)
			slot_clear(f, s);
		else if (next == 0 || end < next)
			next = end;
	}
	return next;
}

static bool
same_packet(const struct slot *s, const struct pkt *p)
{
	return s->buf != NULL && s->id == p->frag_id && s->src.family == p->family &&
	    (p->family == 6 || s->proto == p->proto) &&		/* RFC 791 3.2; RFC 8200 4.5 */
	    memcmp(s->src.ip, p->src.ip, sizeof(s->src.ip)) == 0 &&
	    memcmp(s->dst.ip, p->dst.ip, sizeof(s->dst.ip)) == 0;
}

static struct slot *
slot_start(struct frags *f, const struct pkt *p, uint64_t now)
{
	struct slot *s = &f->slots[0];
	uint8_t *buf;

	for (size_t i = 0; i < FRAG_PACKETS && s->buf != NULL; i++)
		if (f->slots[i].buf == NULL || f->slots[i].born < s->born)
			s = &f->slots[i];
	slot_clear(f, s);
	if ((buf = malloc(HEAD_MAX + UNITS * UNIT)) == NULL)
		return NULL;
	*s = (struct slot){ .buf = buf, .src = p->src, .dst = p->dst, .id = p->frag_id,
	    .proto = p->proto, .born = now };
	f->count++;
	return s;
}

static struct slot *
slot_find(struct frags *f, const struct pkt *p, uint64_t now)
{
	frags_expire(f, now);
	for (size_t i = 0; i < FRAG_PACKETS; i++)
		if (same_packet(&f->slots[i], p))
			return &f->slots[i];
	return slot_start(f, p, now);
}

/* How many of the units [from, to) have come. */
static size_t
units_here(const struct slot *s, size_t from, size_t to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += s->units[from / 8] >> (from % 8) & 1;
	return n;
}

/* Put the piece in its place; false makes the packet void. */
static bool
piece_store(struct slot *s, const struct pkt *p)
{
	size_t from = p->frag_off / UNIT, end = p->frag_off + p->l4_len;
	size_t to = (end + UNIT - 1) / UNIT, here = units_here(s, from, to);
	uint8_t *at = s->buf + HEAD_MAX + p->frag_off;

	if (here == to - from)		/* a copy, or an overlap */
		return (p->more || s->total == end) && (s->total == 0 || end <= s->total) &&
		    memcmp(at, pkt_l4(p), p->l4_len) == 0;
	if (here != 0 || (s->total != 0 && (!p->more || end > s->total)))
		return false;
	if (!p->more) {
		if (units_here(s, to, UNITS) != 0)
			return false;	/* pieces behind the last one */
		s->total = end;
	}
	memcpy(at, pkt_l4(p), p->l4_len);
	for (size_t i = from; i < to; i++)
		s->units[i / 8] |= (uint8_t)(1 << i % 8);
	s->have += p->l4_len;
	return true;
}

/* The headers before the cut are those of the first piece (RFC 8200 4.5). */
static bool
head_store(struct slot *s, const struct pkt *p)
{
	if (p->tclass % 4 == 3 || s->ecn == 0)
		s->ecn = p->tclass & 3;
	if (p->frag_off != 0 || s->head_len != 0)
		return true;
	if (p->unfrag_len > HEAD_MAX)
		return false;
	memcpy(s->buf + HEAD_MAX - p->unfrag_len, p->base, p->unfrag_len);
	s->head_len = p->unfrag_len;
	s->proto = p->proto;
	return true;
}

/* Where an IPv6 header chain of len bytes keeps the number of what follows; 0: not found. */
static size_t
next_header_at(const uint8_t *head, size_t len)
{
	struct rd r = rd_over(head, len);
	size_t at = 6, size;

	(void)rd_take(&r, IP6_HEADER);
	while (!r.bad && rd_left(&r) > 0) {
		at = len - rd_left(&r);
		(void)rd_u8(&r);
		size = (size_t)rd_u8(&r) * 8 + 8;
		(void)rd_take(&r, size - 2);
	}
	return r.bad ? 0 : at;
}

/* Write the lengths and the checksum of the whole packet into its header. */
static bool
head_finish(struct slot *s, uint8_t *head, size_t len)
{
	struct wr w = wr_over(head, s->head_len);
	bool v4 = s->src.family == 4;
	size_t plen = v4 ? len : len - IP6_HEADER, at;

	if (plen > IP_MAX || s->head_len < ip_header_len(s->src.family))
		return false;
	if (v4) {
		head[1] = (uint8_t)((head[1] & ~3) | s->ecn);
		(void)wr_take(&w, 2);
		wr_be16(&w, (uint16_t)plen);
		(void)wr_take(&w, 2);
		wr_be16(&w, 0);			/* no offset, no more pieces, may be cut */
		(void)wr_take(&w, 2);
		wr_be16(&w, 0);
		w = wr_over(head + 10, 2);
		wr_be16(&w, ip_checksum(head, s->head_len, 0));
		return true;
	}
	head[1] = (uint8_t)((head[1] & ~0x30) | s->ecn << 4);
	(void)wr_take(&w, 4);
	wr_be16(&w, (uint16_t)plen);
	if ((at = next_header_at(head, s->head_len)) == 0)
		return false;
	head[at] = s->proto;
	return true;
}

bool
frags_add(struct frags *f, const struct pkt *p, uint64_t now, const uint8_t **out, size_t *len)
{
	struct slot *s = slot_find(f, p, now);
	uint8_t *head;

	free(f->lent);
	f->lent = NULL;
	if (s == NULL || s->is_void)
		return false;
	if (!head_store(s, p) || !piece_store(s, p)) {
		s->is_void = true;
		return false;
	}
	if (s->head_len == 0 || s->total == 0 || s->have != s->total)
		return false;
	head = s->buf + HEAD_MAX - s->head_len;
	*len = s->head_len + s->total;
	*out = head;
	f->lent = s->buf;
	if (!head_finish(s, head, *len))
		*len = 0;
	s->buf = NULL;			/* the buffer is f->lent now, the slot free */
	f->count--;
	return *len != 0;
}

/* ---- the other way ---- */

static void
cut_head(const struct frag_cut *c, struct wr *w, size_t piece, bool more)
{
	uint8_t *start = w->p;

	if (c->packet[0] >> 4 == 4) {
		struct wr sum;

		wr_bytes(w, c->packet, 2);
		wr_be16(w, (uint16_t)(IP4_HEADER + piece));
		wr_be16(w, (uint16_t)c->id);
		wr_be16(w, (uint16_t)((more ? 0x2000 : 0) | c->done / UNIT));
		wr_bytes(w, c->packet + 8, 2);
		wr_be16(w, 0);
		wr_bytes(w, c->packet + 12, 8);
		sum = wr_over(start + 10, 2);
		wr_be16(&sum, ip_checksum(start, IP4_HEADER, 0));
		return;
	}
	wr_bytes(w, c->packet, 4);
	wr_be16(w, (uint16_t)(8 + piece));
	wr_u8(w, 44);				/* fragment header: RFC 8200 4.5 */
	wr_bytes(w, c->packet + 7, 33);
	wr_u8(w, c->packet[6]);
	wr_u8(w, 0);
	wr_be16(w, (uint16_t)(c->done | (more ? 1 : 0)));
	wr_be32(w, c->id);
}

size_t
frag_cut_next(struct frag_cut *c, uint8_t *out)
{
	bool v4 = c->packet[0] >> 4 == 4;
	size_t head = v4 ? IP4_HEADER : IP6_HEADER, whole = c->len - head;
	size_t room = c->mtu - head - (v4 ? 0 : 8), piece = whole - c->done;
	struct wr w = wr_over(out, c->mtu);
	bool more;

	if (piece == 0)
		return 0;
	more = piece > room;
	if (more)
		piece = room - room % UNIT;
	cut_head(c, &w, piece, more);
	wr_bytes(&w, c->packet + head + c->done, piece);
	c->done += piece;
	return c->mtu - (size_t)(w.end - w.p);
}

/* ---- in the stack ---- */

bool
frag_input(struct stack *s, const struct pkt *p, struct pkt *out)
{
	const uint8_t *whole;
	size_t len;
	enum pkt_verdict v;

	if (s->frag == NULL && (s->frag = frags_new()) == NULL)
		return false;
	if (!frags_add(s->frag, p, s->now, &whole, &len))
		return false;
	v = ip_parse(whole, len, false, out);
	if (v == PKT_OK && out->frag)		/* pieces of a piece: nobody sends that */
		v = PKT_MALFORMED;
	if (v != PKT_OK) {
		s->dropped[v]++;
		return false;
	}
	out->df = false;		/* the sender has cut it: it may be cut again */
	return true;
}

void
frag_done(struct stack *s)
{
	frags_free(s->frag);
	s->frag = NULL;
}

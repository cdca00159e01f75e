/*
 * wire.c - see wire.h.
 *
 * Names are read by one function, wire_name(), which ends whatever it is given: each
 * compression pointer must go to before where the part that it continues began, and a
 * name has at most 255 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#include "rd.h"

/* Bits of the second 16 bits of the header (RFC 1035 4.1.1, RFC 4035 3.2). */
#define QR	0x8000u
#define OPCODE	0x7800u
#define TC	0x0200u
#define RD	0x0100u
#define RA	0x0080u
#define CD	0x0010u
#define RCODE	0x000fu

#define DO	0x8000u			/* of the OPT record's TTL (RFC 6891 6.1.4) */
#define EDE	15			/* option of OPT (RFC 8914 5.1) */
#define OUR_UDP_SIZE	1232		/* fits any path without fragments */

struct header {
	uint16_t	id, flags;
	uint16_t	count[4];	/* questions, answers, authority, additional */
};

struct record {
	const uint8_t	*start;
	bool		 root;		/* its name is "." */
	uint16_t	 type, class;
	uint32_t	 ttl;
	const uint8_t	*data;
	uint16_t	 len;
};

static struct header
header_read(struct rd *r)
{
	struct header h;

	h.id = rd_be16(r);
	h.flags = rd_be16(r);
	for (int i = 0; i < 4; i++)
		h.count[i] = rd_be16(r);
	return h;
}

static void
header_write(struct wr *w, uint16_t id, uint16_t flags, uint16_t questions, uint16_t additional)
{
	wr_be16(w, id);
	wr_be16(w, flags);
	wr_be16(w, questions);
	wr_be16(w, 0);
	wr_be16(w, 0);
	wr_be16(w, additional);
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

size_t
wire_name(const uint8_t *msg, size_t len, size_t *at, uint8_t out[WIRE_NAME_MAX])
{
	size_t pos = *at, part = *at, n = 0, to;
	bool jumped = false;
	uint8_t c;

	do {
		if (pos >= len)
			return 0;
		c = msg[pos];
		if ((c & 0xc0) == 0xc0) {	/* RFC 1035 4.1.4: to a prior occurrence */
			if (len - pos < 2)
				return 0;
			to = (size_t)(c & 0x3f) << 8 | msg[pos + 1];
			if (to >= part || to < WIRE_HEADER_LEN)
				return 0;
			if (!jumped)
				*at = pos + 2;
			jumped = true;
			part = pos = to;
			continue;
		}
		if (c > 63 || n + 1 + c > WIRE_NAME_MAX || len - pos < (size_t)c + 1)
			return 0;
		out[n++] = c;
		for (uint8_t i = 1; i <= c; i++)
			out[n++] = msg[pos + i];
		pos += (size_t)c + 1;
	} while (c != 0);
	if (!jumped)
		*at = pos;
	return n;
}

/* Over a name without looking where it points.  False at something that is no name. */
static bool
name_skip(struct rd *r, bool *root)
{
	uint8_t c = rd_u8(r);

	*root = c == 0;
	for (; c != 0 && !r->bad; c = rd_u8(r)) {
		if ((c & 0xc0) == 0xc0) {
			(void)rd_u8(r);
			break;
		}
		if (c > 63)
			return false;
		(void)rd_take(r, c);
	}
	return !r->bad;
}

static bool
record_read(struct rd *r, struct record *out)
{
	out->start = r->p;
	if (!name_skip(r, &out->root))
		return false;
	out->type = rd_be16(r);
	out->class = rd_be16(r);
	out->ttl = rd_be32(r);
	out->len = rd_be16(r);
	out->data = rd_take(r, out->len);
	return !r->bad;
}

/* Sections after the question hold OPT (once, in the last: RFC 6891 6.1.1) and what we skip. */
static const char *
edns_read(struct rd *r, const struct header *h, struct wire_query *out)
{
	struct record rec;

	for (int section = 1; section < 4; section++)
		for (unsigned i = 0; i < h->count[section]; i++) {
			if (!record_read(r, &rec))
				return "a record does not fit";
			if (section < 3 || rec.type != WIRE_OPT)
				continue;
			if (out->edns || !rec.root)
				return "bad OPT";
			out->edns = true;
			out->dnssec_ok = (rec.ttl & DO) != 0;
			out->udp_size = rec.class > WIRE_UDP_MIN ? rec.class : WIRE_UDP_MIN;
		}
	return NULL;
}

const char *
wire_query(const uint8_t *msg, size_t len, struct wire_query *out)
{
	struct rd r = rd_over(msg, len);
	struct header h = header_read(&r);
	uint8_t name[WIRE_NAME_MAX];
	size_t at = WIRE_HEADER_LEN;

	*out = (struct wire_query){ .id = h.id, .opcode = (uint8_t)((h.flags & OPCODE) >> 11),
	    .head_len = WIRE_HEADER_LEN, .udp_size = WIRE_UDP_MIN };
	if (r.bad)
		return "shorter than a header";
	if (h.flags & QR)
		return "not a query";
	if (h.count[0] > 1)			/* RFC 9619 3 */
		return "more than one question";
	if (h.count[0] == 1) {
		if (wire_name(msg, len, &at, name) == 0 || len - at < 4)
			return "bad question";
		(void)rd_take(&r, at - WIRE_HEADER_LEN);
		out->qtype = rd_be16(&r);
		out->qclass = rd_be16(&r);
		out->question = true;
		out->head_len = (uint16_t)(at + 4);
	}
	return edns_read(&r, &h, out);
}

void
wire_opt(struct wr *w, bool dnssec_ok, size_t rdlen)
{
	wr_u8(w, 0);
	wr_be16(w, WIRE_OPT);
	wr_be16(w, OUR_UDP_SIZE);
	wr_be32(w, dnssec_ok ? DO : 0);
	wr_be16(w, (uint16_t)rdlen);
}

size_t
wire_ede(uint8_t *out, enum wire_ede code, const char *text)
{
	struct wr w = wr_over(out, WIRE_EDE_MAX);
	size_t len = strnlen(text, WIRE_EDE_TEXT);

	if (code == WIRE_EDE_NONE)
		return 0;
	wr_be16(&w, EDE);
	wr_be16(&w, (uint16_t)(2 + len));
	wr_be16(&w, (uint16_t)code);
	wr_bytes(&w, text, len);
	return (size_t)(w.p - out);
}

size_t
wire_denial(uint8_t *out, const uint8_t *msg, const struct wire_query *q, enum wire_rcode rcode,
    enum wire_ede code, const char *text)
{
	struct wr w = wr_over(out, WIRE_DENIAL_MAX);
	uint16_t flags = (uint16_t)(msg[2] << 8 | msg[3]);
	uint8_t ede[WIRE_EDE_MAX];
	size_t len = wire_ede(ede, code, text);

	flags = (uint16_t)(QR | (flags & (OPCODE | RD | CD)) | RA | rcode);
	header_write(&w, q->id, flags, q->question, q->edns);
	wr_bytes(&w, msg + WIRE_HEADER_LEN, (size_t)q->head_len - WIRE_HEADER_LEN);
	if (q->edns) {
		wire_opt(&w, q->dnssec_ok, len);
		wr_bytes(&w, ede, len);
	}
	return (size_t)(w.p - out);
}

size_t
wire_reply(uint8_t *out, const uint8_t *msg, const struct wire_query *q, enum wire_rcode rcode)
{
	return wire_denial(out, msg, q, rcode, WIRE_EDE_NONE, "");
}

/* Some servers echo no question in an error: all that they could read was the header. */
static bool
bare_error(const struct header *h)
{
	unsigned rcode = h->flags & RCODE;

	return h->count[0] == 0 && (rcode == WIRE_FORMERR || rcode == WIRE_SERVFAIL ||
	    rcode == WIRE_NOTIMP || rcode == WIRE_REFUSED);
}

bool
wire_answers(const uint8_t *answer, size_t len, const uint8_t *msg, const struct wire_query *q)
{
	struct rd r = rd_over(answer, len);
	struct header h = header_read(&r);

	if (r.bad || h.id != wire_id(msg) || (h.flags & QR) == 0 ||
	    (h.flags & OPCODE) >> 11 != q->opcode)
		return false;
	if (h.count[0] != q->question)
		return bare_error(&h);
	/* Letter case as well: it may be part of what a forger has to guess. */
	return len >= q->head_len &&
	    memcmp(msg + WIRE_HEADER_LEN, answer + WIRE_HEADER_LEN,
	    (size_t)q->head_len - WIRE_HEADER_LEN) == 0;
}

static void
addr_note(struct wire_answer *out, const struct record *rec)
{
	struct addr a = { .family = rec->type == WIRE_A ? 4 : 6 };

	if (rec->class != WIRE_IN || (rec->type != WIRE_A && rec->type != WIRE_AAAA) ||
	    rec->len != addr_iplen(&a))
		return;
	if (out->naddrs == 0 || rec->ttl < out->ttl)
		out->ttl = rec->ttl;
	if (out->naddrs < WIRE_ADDRS) {
		memcpy(a.ip, rec->data, rec->len);
		out->addrs[out->naddrs] = a;
	}
	out->naddrs++;
}

static void
opt_note(struct wire_answer *out, const struct record *rec)
{
	if (out->opt != NULL || rec->type != WIRE_OPT || !rec->root)
		return;
	out->opt = rec->start;
	out->opt_len = (size_t)(rec->data + rec->len - rec->start);
	out->rcode |= (uint16_t)(rec->ttl >> 24 << 4);
}

/* Over the questions; false when they do not fit. */
static bool
questions_skip(struct rd *r, unsigned n)
{
	bool root;

	for (; n > 0; n--)
		if (!name_skip(r, &root) || rd_take(r, 4) == NULL)
			return false;
	return true;
}

void
wire_answer(const uint8_t *msg, size_t len, struct wire_answer *out)
{
	struct rd r = rd_over(msg, len);
	struct header h = header_read(&r);
	struct record rec;

	out->rcode = h.flags & RCODE;
	out->truncated = (h.flags & TC) != 0;
	out->records = h.count[1];
	out->naddrs = 0;
	out->ttl = 0;
	out->opt = NULL;
	out->opt_len = 0;
	if (r.bad || !questions_skip(&r, h.count[0]))
		return;
	for (int section = 1; section < 4; section++)
		for (unsigned i = 0; i < h.count[section]; i++) {
			if (!record_read(&r, &rec))
				return;
			if (section == 1)
				addr_note(out, &rec);
			else if (section == 3)
				opt_note(out, &rec);
		}
}

void
wire_walk(struct wire_walk *w, const uint8_t *msg, size_t len)
{
	struct header h;

	w->r = rd_over(msg, len);
	h = header_read(&w->r);
	w->bad = w->r.bad || !questions_skip(&w->r, h.count[0]);
	memcpy(w->left, h.count, sizeof(w->left));
}

bool
wire_next(struct wire_walk *w, struct wire_record *out)
{
	struct record rec;
	int section = 1;

	while (section < 4 && w->left[section] == 0)
		section++;
	if (w->bad || section == 4)
		return false;
	w->left[section]--;
	w->bad = !record_read(&w->r, &rec);
	*out = (struct wire_record){ .section = section, .root = rec.root, .type = rec.type,
	    .class = rec.class, .ttl = rec.ttl, .start = rec.start, .data = rec.data,
	    .len = rec.len };
	return !w->bad;
}

bool
wire_whole(const struct wire_walk *w)
{
	return !w->bad && rd_left(&w->r) == 0 && (w->left[1] | w->left[2] | w->left[3]) == 0;
}

size_t
wire_truncate(uint8_t *out, size_t limit, const uint8_t *msg, size_t len)
{
	struct rd r = rd_over(msg, len);
	struct header h = header_read(&r);
	struct wr w = wr_over(out, limit);
	struct wire_answer answer;
	size_t head = WIRE_HEADER_LEN;

	wire_answer(msg, len, &answer);
	if (questions_skip(&r, h.count[0]) && (size_t)(r.p - msg) <= limit)
		head = (size_t)(r.p - msg);
	else
		h.count[0] = 0;
	if (head + answer.opt_len > limit)
		answer.opt = NULL;
	header_write(&w, h.id, h.flags | TC, h.count[0], answer.opt != NULL);
	wr_bytes(&w, msg + WIRE_HEADER_LEN, head - WIRE_HEADER_LEN);
	if (answer.opt != NULL)
		wr_bytes(&w, answer.opt, answer.opt_len);
	return (size_t)(w.p - out);
}

/* ---- text ---- */

/* A byte of a label; the dot and the backslash would be read as something else. */
static size_t
byte_text(char *out, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f)
		return (size_t)sprintf(out, "\\%03u", c);
	if (strchr(".\\\"();@$", c) != NULL) {		/* RFC 1035 5.1 */
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = (char)c;
	return 1;
}

const char *
wire_qname(const uint8_t *msg, const struct wire_query *q, char *buf)
{
	uint8_t name[WIRE_NAME_MAX];
	size_t at = WIRE_HEADER_LEN, n = 0;
	char *p = buf;

	if (!q->question || wire_name(msg, q->head_len, &at, name) == 0) {
		buf[0] = '\0';
		return buf;
	}
	for (; name[n] != 0; n += (size_t)name[n] + 1) {
		if (n > 0)
			*p++ = '.';
		for (size_t i = 1; i <= name[n]; i++)
			p += byte_text(p, lower(name[n + i]));
	}
	if (p == buf)
		*p++ = '.';
	*p = '\0';
	return buf;
}

struct label {
	uint16_t	 number;
	const char	*text;
};

static const char *
label_find(const struct label *labels, uint16_t number, const char *other, char *buf)
{
	for (; labels->text != NULL; labels++)
		if (labels->number == number) {
			snprintf(buf, WIRE_LABEL_LEN, "%s", labels->text);
			return buf;
		}
	snprintf(buf, WIRE_LABEL_LEN, "%s%u", other, number);	/* RFC 3597 5 */
	return buf;
}

const char *
wire_type_name(uint16_t type, char *buf)
{
	static const struct label types[] = {
		{ 1, "A" }, { 2, "NS" }, { 5, "CNAME" }, { 6, "SOA" }, { 12, "PTR" },
		{ 13, "HINFO" }, { 15, "MX" }, { 16, "TXT" }, { 28, "AAAA" }, { 29, "LOC" },
		{ 33, "SRV" }, { 35, "NAPTR" }, { 39, "DNAME" }, { 43, "DS" }, { 44, "SSHFP" },
		{ 46, "RRSIG" }, { 47, "NSEC" }, { 48, "DNSKEY" }, { 50, "NSEC3" },
		{ 52, "TLSA" }, { 64, "SVCB" }, { 65, "HTTPS" }, { 99, "SPF" }, { 251, "IXFR" },
		{ 252, "AXFR" }, { 255, "ANY" }, { 256, "URI" }, { 257, "CAA" }, { 0, NULL }
	};

	return label_find(types, type, "TYPE", buf);
}

const char *
wire_rcode_name(uint16_t rcode, char *buf)
{
	static const struct label rcodes[] = {
		{ 0, "NOERROR" }, { 1, "FORMERR" }, { 2, "SERVFAIL" }, { 3, "NXDOMAIN" },
		{ 4, "NOTIMP" }, { 5, "REFUSED" }, { 6, "YXDOMAIN" }, { 7, "YXRRSET" },
		{ 8, "NXRRSET" }, { 9, "NOTAUTH" }, { 10, "NOTZONE" }, { 16, "BADVERS" },
		{ 23, "BADCOOKIE" }, { 0, NULL }
	};

	return label_find(rcodes, rcode, "RCODE", buf);
}

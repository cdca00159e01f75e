/*
 * pcapng.c - see pcapng.h.  Section numbers are those of draft-ietf-opsawg-pcapng.
 *
 * A block (3.1) is type, length, body, the same length again; every part is padded to
 * 32 bits.  The length is known only at the end: block_begin() leaves room for it and
 * block_end() writes both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION		= 0x0a0d0d0a,	/* 4.1 */
	BLOCK_INTERFACE		= 1,		/* 4.2 */
	BLOCK_NAMES		= 4,		/* 4.5 */
	BLOCK_STATISTICS	= 5,		/* 4.6 */
	BLOCK_PACKET		= 6,		/* 4.3 */
	BLOCK_SECRETS		= 10,		/* 4.7 */
	BLOCK_PROCESS		= (int)0x80000001	/* Darwin process information */
};

enum {
	OPT_END			= 0,
	OPT_COMMENT		= 1,
	SHB_HARDWARE		= 2,
	SHB_OS			= 3,
	SHB_USERAPPL		= 4,
	IF_NAME			= 2,
	IF_DESCRIPTION		= 3,
	IF_TSRESOL		= 9,
	IF_FILTER		= 11,
	IF_OS			= 12,
	IF_HARDWARE		= 15,
	EPB_FLAGS		= 2,
	EPB_DROPCOUNT		= 4,
	EPB_PROCESS		= 0x8001,	/* Darwin: number of its block */
	EPB_FLOW		= 0x8005,	/* Darwin */
	PROCESS_NAME		= 2,
	ISB_STARTTIME		= 2,
	ISB_ENDTIME		= 3,
	ISB_IFRECV		= 4,
	ISB_IFDROP		= 5,
	ISB_FILTERACCEPT	= 6
};

enum {			/* records of a block of names (4.5) */
	NRB_END			= 0,
	NRB_IPV4		= 1,
	NRB_IPV6		= 2
};

#define BYTE_ORDER_MAGIC	0x1a2b3c4du
#define VERSION_MAJOR		1
#define VERSION_MINOR		0
#define LENGTH_UNKNOWN		UINT64_MAX	/* of the section: it is still being written */
#define TSRESOL_NS		9		/* 10^-9 s */

static void put16(struct wr *w, uint16_t v)	{ wr_bytes(w, &v, sizeof(v)); }
static void put32(struct wr *w, uint32_t v)	{ wr_bytes(w, &v, sizeof(v)); }
static void put64(struct wr *w, uint64_t v)	{ wr_bytes(w, &v, sizeof(v)); }

/* Bytes, and zeroes up to the next 32 bits. */
static void
put_padded(struct wr *w, const void *data, size_t len)
{
	static const uint8_t zeroes[4];

	if (len > 0)			/* no data need not be anywhere */
		wr_bytes(w, data, len);
	wr_bytes(w, zeroes, (4 - len % 4) % 4);
}

static uint8_t *
block_begin(struct wr *w, uint32_t type)
{
	uint8_t *start = w->p;

	put32(w, type);
	put32(w, 0);
	return start;
}

static void
block_end(struct wr *w, uint8_t *start)
{
	uint32_t len = (uint32_t)(w->p - start) + sizeof(len);

	put32(w, len);
	if (!w->bad)
		memcpy(start + sizeof(len), &len, sizeof(len));
}

static void
option(struct wr *w, uint16_t code, const void *data, size_t len)
{
	put16(w, code);
	put16(w, (uint16_t)len);
	put_padded(w, data, len);
}

static void
option_text(struct wr *w, uint16_t code, const char *text)
{
	if (text != NULL)
		option(w, code, text, strnlen(text, PCAPNG_TEXT_MAX));
}

/* if_filter: the first byte says that libpcap's words follow (4.2). */
static void
option_filter(struct wr *w, const char *text)
{
	uint8_t value[1 + PCAPNG_TEXT_MAX] = { 0 };
	size_t len;

	if (text == NULL)
		return;
	len = strnlen(text, PCAPNG_TEXT_MAX);
	memcpy(value + 1, text, len);
	option(w, IF_FILTER, value, 1 + len);
}

static void
option_end(struct wr *w)
{
	put32(w, OPT_END);		/* code 0 and length 0 (3.5) */
}

/* Times in options stand as two halves, the high one first (4.6). */
static void
option_time(struct wr *w, uint16_t code, uint64_t ns)
{
	uint32_t halves[2] = { (uint32_t)(ns >> 32), (uint32_t)ns };

	option(w, code, halves, sizeof(halves));
}

void
pcapng_section_put(struct wr *w, const struct pcapng_section *s)
{
	uint8_t *start = block_begin(w, BLOCK_SECTION);

	put32(w, BYTE_ORDER_MAGIC);
	put16(w, VERSION_MAJOR);
	put16(w, VERSION_MINOR);
	put64(w, LENGTH_UNKNOWN);
	option_text(w, OPT_COMMENT, s->comment);
	option_text(w, SHB_HARDWARE, s->hardware);
	option_text(w, SHB_OS, s->os);
	option_text(w, SHB_USERAPPL, s->application);
	option_end(w);
	block_end(w, start);
}

void
pcapng_interface_put(struct wr *w, const struct pcapng_interface *i)
{
	static const uint8_t resolution = TSRESOL_NS;
	uint8_t *start = block_begin(w, BLOCK_INTERFACE);

	put16(w, i->linktype);
	put16(w, 0);
	put32(w, i->snaplen);
	option_text(w, OPT_COMMENT, i->comment);
	option_text(w, IF_NAME, i->name);
	option_text(w, IF_DESCRIPTION, i->description);
	option(w, IF_TSRESOL, &resolution, sizeof(resolution));
	option_filter(w, i->filter);
	option_text(w, IF_OS, i->os);
	option_text(w, IF_HARDWARE, i->hardware);
	option_end(w);
	block_end(w, start);
}

void
pcapng_packet_put(struct wr *w, const struct pcapng_packet *p)
{
	uint8_t *start = block_begin(w, BLOCK_PACKET);

	put32(w, p->interface);
	put32(w, (uint32_t)(p->time >> 32));
	put32(w, (uint32_t)p->time);
	put32(w, (uint32_t)p->len);
	put32(w, p->orig_len);
	put_padded(w, p->data, p->len);
	option_text(w, OPT_COMMENT, p->comment);
	if (p->flags != 0)
		option(w, EPB_FLAGS, &p->flags, sizeof(p->flags));
	if (p->dropped > 0)
		option(w, EPB_DROPCOUNT, &p->dropped, sizeof(p->dropped));
	if (p->has_process) {
		option(w, EPB_PROCESS, &p->process, sizeof(p->process));
		option(w, EPB_FLOW, &p->flow, sizeof(p->flow));
	}
	option_end(w);
	block_end(w, start);
}

void
pcapng_name_put(struct wr *w, const struct pcapng_name *n)
{
	static const uint8_t zero;
	uint8_t *start = block_begin(w, BLOCK_NAMES);
	size_t len = strnlen(n->name, PCAPNG_TEXT_MAX);
	uint8_t record[16 + PCAPNG_TEXT_MAX + 1];

	memcpy(record, n->ip, n->iplen);
	memcpy(record + n->iplen, n->name, len);
	memcpy(record + n->iplen + len, &zero, 1);
	option(w, n->iplen == 4 ? NRB_IPV4 : NRB_IPV6, record, n->iplen + len + 1);
	put32(w, NRB_END);
	block_end(w, start);
}

void
pcapng_process_put(struct wr *w, const struct pcapng_process *p)
{
	uint8_t *start = block_begin(w, (uint32_t)BLOCK_PROCESS);

	put32(w, p->pid);
	option_text(w, PROCESS_NAME, p->name);
	option_end(w);
	block_end(w, start);
}

void
pcapng_secrets_put(struct wr *w, uint32_t type, const void *bytes, size_t len)
{
	uint8_t *start = block_begin(w, BLOCK_SECRETS);

	put32(w, type);
	put32(w, (uint32_t)len);
	put_padded(w, bytes, len);
	block_end(w, start);
}

void
pcapng_statistics_put(struct wr *w, const struct pcapng_statistics *s)
{
	uint8_t *start = block_begin(w, BLOCK_STATISTICS);

	put32(w, s->interface);
	put32(w, (uint32_t)(s->end >> 32));
	put32(w, (uint32_t)s->end);
	option_time(w, ISB_STARTTIME, s->start);
	option_time(w, ISB_ENDTIME, s->end);
	option(w, ISB_IFRECV, &s->received, sizeof(s->received));
	option(w, ISB_IFDROP, &s->dropped, sizeof(s->dropped));
	option(w, ISB_FILTERACCEPT, &s->accepted, sizeof(s->accepted));
	option_end(w);
	block_end(w, start);
}

/*
 * pcapfile.c - blocks of a pcapng file; see pcap.h.
 *
 * Section numbers are those of draft-ietf-opsawg-pcapng.  A block (3.1) is type, length, body and the
 * same length again.  A length that cannot be ends the reading, since nothing says where the
 * next block is; what is wrong inside a block is noted, and the next one read.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcap.h"
#include "rd.h"

#define HEAD		8		/* type and length */
#define MAGIC_SECTION	0x0a0d0d0au
#define MAGIC_ORDER	0x1a2b3c4du
#define NS		1000000000u

enum { OPT_COMMENT = 1, SHB_USERAPPL = 4, IF_NAME = 2, IF_TSRESOL = 9, EPB_DROPCOUNT = 4,
    EPB_PROCESS = 0x8001, PROCESS_NAME = 2, ISB_RECEIVED = 4, ISB_DROPPED = 5, NAME_IPV4 = 1,
    NAME_IPV6 = 2 };

const char *const pcap_kinds[PCAP_KINDS] = { "sections", "interfaces", "packets", "names",
    "statistics", "secrets", "processes", "others" };

struct pcap *
pcap_new(uint64_t seed, size_t flows)
{
	struct pcap *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->block = malloc(PCAP_BLOCK_MAX);
	p->name = calloc(PCAP_NAMES, sizeof(*p->name));
	if (p->block != NULL && p->name != NULL && pcap_flows_init(&p->flows, seed, flows))
		return p;
	pcap_free(p);
	return NULL;
}

void
pcap_free(struct pcap *p)
{
	if (p == NULL)
		return;
	pcap_flows_done(&p->flows);
	free(p->name);
	free(p->block);
	free(p);
}

static void
wrong(struct pcap *p, const char *what)
{
	if (p->n_errors < PCAP_ERRORS)
		p->error[p->n_errors] = (struct pcap_error){ p->offset, what };
	p->n_errors++;
}

/* ---- numbers, in the order of the section ---- */

static uint32_t
get32(const struct pcap *p, struct rd *r)
{
	return p->swapped ? rd_be32(r) : rd_le32(r);
}

static uint16_t
get16(const struct pcap *p, struct rd *r)
{
	return p->swapped ? rd_be16(r) : rd_le16(r);
}

static uint64_t
get64(const struct pcap *p, struct rd *r)
{
	return p->swapped ? rd_be(r, 8) : rd_le64(r);
}

/* ---- options (3.5) ---- */

struct option {
	uint16_t	 code, len;
	const uint8_t	*value;
};

/* The next one; false at the end, and where it is broken, which is noted. */
static bool
option_next(struct pcap *p, struct rd *r, struct option *o)
{
	if (rd_left(r) == 0)
		return false;
	o->code = get16(p, r);
	o->len = get16(p, r);
	o->value = rd_take(r, o->len);
	rd_take(r, (4 - o->len % 4u) % 4);
	if (r->bad) {
		wrong(p, "an option is longer than its block");
		return false;
	}
	if (o->code == 0 && (o->len != 0 || rd_left(r) != 0))
		wrong(p, "something stands behind the last option");
	p->comments += o->code == OPT_COMMENT;
	return o->code != 0;
}

static void
text_take(char *out, size_t size, const uint8_t *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}

static uint64_t
option_number(struct pcap *p, const struct option *o)
{
	struct rd r = rd_over(o->value, o->len);

	if (o->len != 8 && o->len != 4) {
		wrong(p, "a number is neither of 4 nor of 8 bytes");
		return 0;
	}
	return o->len == 4 ? get32(p, &r) : get64(p, &r);
}

/* ---- kinds of blocks ---- */

/* 4.1 */
static void
section(struct pcap *p, struct rd *r)
{
	struct option o;

	rd_take(r, 4);			/* the order, which is known by now */
	if (get16(p, r) != 1)
		wrong(p, "a version that is not known");
	get16(p, r);
	rd_take(r, 8);
	p->section_start = p->n_interfaces;
	p->section_processes = p->n_processes;
	while (option_next(p, r, &o))
		if (o.code == SHB_USERAPPL)
			text_take(p->application, sizeof(p->application), o.value, o.len);
}

/* 4.2 */
static void
interface(struct pcap *p, struct rd *r)
{
	struct pcap_interface *i = &p->interface[p->n_interfaces];
	struct option o;

	if (p->n_interfaces == PCAP_INTERFACES) {
		wrong(p, "more interfaces than are kept apart");
		return;
	}
	*i = (struct pcap_interface){ .resolution = 6 };
	i->linktype = get16(p, r);
	get16(p, r);
	i->snaplen = get32(p, r);
	while (option_next(p, r, &o)) {
		if (o.code == IF_NAME)
			text_take(i->name, sizeof(i->name), o.value, o.len);
		if (o.code == IF_TSRESOL && o.len == 1)
			i->resolution = o.value[0];
	}
	if (r->bad)
		wrong(p, "an interface is cut");
	p->n_interfaces++;
}

/* A time in ns since 1970, by if_tsresol: a power of ten, or of two with the highest bit. */
static uint64_t
time_ns(const struct pcap_interface *i, uint64_t t)
{
	unsigned power = i->resolution & 0x7f;

	if ((i->resolution & 0x80) != 0)
		return power > 63 ? 0 : (t >> power) * NS +
		    (uint64_t)((double)(t & ((1ull << power) - 1)) / (double)(1ull << power) * NS);
	for (; power < 9; power++)
		t *= 10;
	for (; power > 9 && t > 0; power--)
		t /= 10;
	return t;
}

static void
comment_keep(struct pcap *p, struct pcap_flow *flow, const struct option *o)
{
	char text[PCAP_COMMENT];

	if (flow == NULL || flow->comment != NULL || p->n_comments == PCAP_COMMENTS)
		return;
	text_take(text, sizeof(text), o->value, o->len);
	flow->comment = strdup(text);
	p->n_comments += flow->comment != NULL;
}

static void
packet_options(struct pcap *p, struct rd *r, struct pcap_flow *flow)
{
	struct option o;

	while (option_next(p, r, &o)) {
		struct rd v = rd_over(o.value, o.len);
		size_t number;

		if (o.code == OPT_COMMENT)
			comment_keep(p, flow, &o);
		if (o.code == EPB_DROPCOUNT)
			p->drops += option_number(p, &o);
		if (o.code != EPB_PROCESS || o.len != 4)
			continue;
		number = p->section_processes + get32(p, &v);
		if (number >= p->n_processes && p->n_processes < PCAP_PROCESSES)
			wrong(p, "a packet is of a process that was not told of");
		else if (flow != NULL && flow->process == 0)
			flow->process = (uint32_t)number + 1;
	}
}

/* Counted, and its time held against the one before. */
static void
interface_packet(struct pcap_interface *i, uint64_t ns, size_t kept, size_t orig)
{
	if (i->packets == 0)
		i->first = ns;
	else if (ns < i->last)
		i->backwards++;
	i->last = ns;
	i->packets++;
	i->bytes += orig;
	i->cut += kept < orig;
}

/* 4.3 */
static void
packet(struct pcap *p, struct rd *r)
{
	size_t number = p->section_start + (size_t)get32(p, r), kept, orig;
	uint64_t high = get32(p, r), t = high << 32 | get32(p, r), ns;
	struct pcap_interface *i;
	const uint8_t *data;

	kept = get32(p, r);
	orig = get32(p, r);
	data = rd_take(r, kept);
	rd_take(r, (4 - kept % 4) % 4);
	if (r->bad || data == NULL) {
		wrong(p, "a packet is longer than its block");
		return;
	}
	if (number >= p->n_interfaces) {
		wrong(p, "a packet is of an interface that was not told of");
		return;
	}
	i = &p->interface[number];
	if (orig != 0 && kept > orig)
		wrong(p, "more of a packet was kept than there was");
	if (i->snaplen != 0 && kept > i->snaplen)
		wrong(p, "more of a packet was kept than its interface says");
	if (orig == 0)
		orig = kept;
	ns = time_ns(i, t);
	interface_packet(i, ns, kept, orig);
	packet_options(p, r, pcap_flows_packet(&p->flows, i->linktype, data, kept, orig, ns));
}

/* 4.5: addresses, each with names that end in a zero. */
static void
names(struct pcap *p, struct rd *r)
{
	for (;;) {
		unsigned kind = get16(p, r), len = get16(p, r);
		size_t ip = kind == NAME_IPV4 ? 4 : kind == NAME_IPV6 ? 16 : 0;
		const uint8_t *value = rd_take(r, len);

		rd_take(r, (4 - len % 4) % 4);
		if (r->bad || value == NULL) {
			wrong(p, "a list of names has no end");
			return;
		}
		if (kind == 0)
			break;
		if (ip != 0 && (len <= ip || value[len - 1] != '\0')) {
			wrong(p, "a name has no end");
		} else if (ip != 0 && p->n_names < PCAP_NAMES) {
			struct pcap_name *n = &p->name[p->n_names++];

			n->addr = (struct addr){ .family = ip == 4 ? 4 : 6 };
			memcpy(n->addr.ip, value, ip);
			text_take(n->name, sizeof(n->name), value + ip, strnlen((const char *)value + ip,
			    len - ip));
		}
	}
}

/* 4.6 */
static void
statistics(struct pcap *p, struct rd *r)
{
	size_t number = p->section_start + (size_t)get32(p, r);
	struct pcap_interface *i = number < p->n_interfaces ? &p->interface[number] : NULL;
	struct option o;

	if (i == NULL) {
		wrong(p, "statistics are of an interface that was not told of");
		return;
	}
	rd_take(r, 8);
	i->has_statistics = true;
	while (option_next(p, r, &o)) {
		if (o.code == ISB_RECEIVED)
			i->received = option_number(p, &o);
		if (o.code == ISB_DROPPED)
			i->dropped = option_number(p, &o);
	}
}

/* 4.7 */
static void
secrets(struct pcap *p, struct rd *r)
{
	size_t len;

	get32(p, r);
	len = get32(p, r);
	if (r->bad || len > rd_left(r))
		wrong(p, "secrets are longer than their block");
}

/* Darwin process information. */
static void
process(struct pcap *p, struct rd *r)
{
	size_t at = p->n_processes;
	struct option o;

	if (at == PCAP_PROCESSES)
		return;
	p->n_processes++;
	p->process[at].pid = get32(p, r);
	if (r->bad)
		wrong(p, "a process is cut");
	while (option_next(p, r, &o))
		if (o.code == PROCESS_NAME)
			text_take(p->process[at].name, sizeof(p->process[at].name), o.value, o.len);
}

static void
other(struct pcap *p, struct rd *r)
{
	(void)p, (void)r;
}

static const struct {
	uint32_t	type;
	int		kind;
	void		(*take)(struct pcap *, struct rd *);
} kinds[] = {
	{ MAGIC_SECTION, PCAP_SECTIONS, section }, { 1, PCAP_INTERFACE_BLOCKS, interface },
	{ 6, PCAP_PACKETS, packet }, { 4, PCAP_NAME_BLOCKS, names }, { 5, PCAP_STATISTICS, statistics },
	{ 10, PCAP_SECRETS, secrets }, { 0x80000001u, PCAP_PROCESS_BLOCKS, process },
};

static void
block(struct pcap *p)
{
	struct rd head = rd_over(p->block, p->len), r = rd_over(p->block + HEAD, p->len - HEAD - 4),
	    tail = rd_over(p->block + p->len - 4, 4);
	uint32_t type = get32(p, &head), len = get32(p, &head);
	void (*take)(struct pcap *, struct rd *) = other;
	int kind = PCAP_OTHERS;

	if (get32(p, &tail) != len)
		wrong(p, "the two lengths of a block differ");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == type) {
			kind = kinds[i].kind;
			take = kinds[i].take;
		}
	p->blocks[kind]++;
	take(p, &r);
}

/* ---- pieces to blocks ---- */

static void
die(struct pcap *p, const char *what)
{
	wrong(p, what);
	p->dead = true;
}

/* Type, length and, of a section, the order are there: how long is it? */
static void
head_read(struct pcap *p)
{
	struct rd r = rd_over(p->block, p->len), order = rd_over(p->block + HEAD, 4);
	uint32_t type = rd_le32(&r), len;
	bool first = p->blocks[PCAP_SECTIONS] == 0;

	if (type == MAGIC_SECTION) {
		uint32_t magic = rd_le32(&order);

		p->swapped = magic == __builtin_bswap32(MAGIC_ORDER);
		if (magic != MAGIC_ORDER && !p->swapped) {
			die(p, "a section has no byte order");
			return;
		}
	} else if (first) {
		die(p, type == 0xa1b2c3d4u || type == 0xa1b23c4du || type == 0xd4c3b2a1u ||
		    type == 0x4d3cb2a1u ? "this is pcap, and not pcapng (editcap -F pcapng OLD NEW)" :
		    "this is no pcapng file");
		return;
	}
	len = get32(p, &r);
	if (len < HEAD + 4 || len % 4 != 0 || (type == MAGIC_SECTION && len < 28)) {
		die(p, "a block has an impossible length");
	} else if (len > PCAP_BLOCK_MAX) {
		wrong(p, "a block is too long, and passed over");
		p->blocks[PCAP_OTHERS]++;
		p->skip = len - p->len;
		p->offset += len;
		p->len = 0;
	} else {
		p->need = len;
	}
}

void
pcap_feed(struct pcap *p, const uint8_t *data, size_t len)
{
	while (len > 0 && !p->dead) {
		size_t want = p->need != 0 ? p->need : HEAD + 4, part = want - p->len;

		if (p->skip > 0) {
			part = p->skip < len ? (size_t)p->skip : len;
			p->skip -= part;
			data += part;
			len -= part;
			continue;
		}
		if (part > len)
			part = len;
		memcpy(p->block + p->len, data, part);
		p->len += part;
		data += part;
		len -= part;
		if (p->len == HEAD + 4 && p->need == 0)
			head_read(p);
		if (p->need != 0 && p->len == p->need) {
			block(p);
			p->offset += p->need;
			p->len = p->need = 0;
		}
	}
}

void
pcap_end(struct pcap *p)
{
	if (!p->dead && (p->len > 0 || p->skip > 0))
		wrong(p, "the last block is cut");
	else if (!p->dead && p->blocks[PCAP_SECTIONS] == 0)
		wrong(p, "the file is empty");
}

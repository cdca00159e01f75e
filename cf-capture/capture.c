/*
 * capture.c - packets of any source become blocks of the files.
 *
 * What a packet goes through: filter, cut into segments, cut to the snap length, its block,
 * and where the file is full or old the next file.  Files are written in turns through
 * descriptors that were opened before the seal, so no name is needed when the turn comes; each
 * begins with a section and all interfaces, and ends with their statistics, and so is complete
 * by itself.
 *
 * Interfaces are numbered 0, 1, ... in the order in which they came, as pcapng numbers them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "capture.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "log.h"

#ifndef CF_VERSION
#define CF_VERSION "0"
#endif

#define BLOCK_ROOM	(8 * PCAPNG_TEXT_MAX)	/* any block but a packet's */

const struct sandbox_row capture_rows[] = {
	ALLOW(uname,	"which machine and kernel this is, for the head of a file"),
	{ 0 }
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the head and the end of a file ---- */

struct host {
	struct utsname	u;
	char		os[sizeof(((struct utsname *)0)->sysname) * 2];
};

static void
host_get(struct host *h)
{
	h->u = (struct utsname){ .machine = "unknown", .sysname = "Linux" };
	uname(&h->u);
	snprintf(h->os, sizeof(h->os), "%s %s", h->u.sysname, h->u.release);
}

static void
section_write(struct capture *c)
{
	char comment[64];
	struct host host;
	struct wr w;

	host_get(&host);
	snprintf(comment, sizeof(comment), "file %llu of this capture",
	    (unsigned long long)c->number);
	w = out_room(&c->out, BLOCK_ROOM);
	pcapng_section_put(&w, &(struct pcapng_section){ .hardware = host.u.machine, .os = host.os,
	    .application = "cf-capture " CF_VERSION, .comment = c->n_files > 1 ? comment : NULL });
	out_block(&c->out, &w);
}

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* The smaller of two lengths of which 0 is none. */
static uint32_t
shorter(uint32_t a, uint32_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void
interface_write(struct capture *c, const struct capture_interface *i)
{
	struct host host;
	struct wr w;

	host_get(&host);
	w = out_room(&c->out, BLOCK_ROOM);
	pcapng_interface_put(&w, &(struct pcapng_interface){ .linktype = (uint16_t)i->linktype,
	    .snaplen = shorter(i->snaplen, c->want.snaplen), .name = i->name,
	    .description = text_or_null(i->description), .comment = text_or_null(i->comment),
	    .filter = c->want.filter, .os = host.os, .hardware = host.u.machine });
	out_block(&c->out, &w);
}

static void
statistics_write(struct capture *c)
{
	uint64_t end = now_ns();
	struct wr w;

	for (size_t i = 0; i < c->n_interfaces; i++) {
		w = out_room(&c->out, BLOCK_ROOM);
		pcapng_statistics_put(&w, &(struct pcapng_statistics){ .interface = (uint32_t)i,
		    .start = c->interface[i].start, .end = end,
		    .received = c->interface[i].received, .dropped = c->interface[i].dropped,
		    .accepted = c->interface[i].accepted });
		out_block(&c->out, &w);
	}
}

static void
file_begin(struct capture *c)
{
	c->number++;
	c->n_processes = 0;
	c->file_start = now_ns();
	section_write(c);
	for (size_t i = 0; i < c->n_interfaces; i++)
		interface_write(c, &c->interface[i]);
}

/* ---- life ---- */

const char *
capture_init(struct capture *c, const struct capture_want *want, const int *fds, size_t n, int dlt)
{
	static char why[FILTER_WHY_LEN];

	memset(c, 0, sizeof(*c));
	c->want = *want;
	memcpy(c->files, fds, n * sizeof(*fds));
	c->n_files = n;
	if (want->filter != NULL && (c->filter = filter_new(want->filter, dlt, why)) == NULL)
		return why;
	if (!out_init(&c->out, fds[0]))
		return "out of memory";
	file_begin(c);
	return NULL;
}

/* Those whose turn never came are files without packets, not files that no reader takes. */
static void
unused_files(struct capture *c)
{
	c->n_interfaces = 0;
	for (size_t i = (size_t)c->number; c->number < c->n_files && i < c->n_files; i++)
		if (out_next(&c->out, c->files[i]))
			file_begin(c);
}

bool
capture_done(struct capture *c)
{
	statistics_write(c);
	unused_files(c);
	filter_free(c->filter);
	return out_done(&c->out);
}

/* The next file.  A failure shows with the next flush. */
static void
rotate(struct capture *c)
{
	statistics_write(c);
	c->file = (c->file + 1) % c->n_files;
	if (out_next(&c->out, c->files[c->file]))
		file_begin(c);
}

void
capture_tick(struct capture *c)
{
	if (c->want.rotate_ns > 0 && now_ns() - c->file_start >= c->want.rotate_ns)
		rotate(c);
}

bool
capture_interface(struct capture *c, const struct capture_interface *from)
{
	struct capture_interface *i = &c->interface[c->n_interfaces];

	if (c->n_interfaces == INTERFACES_MAX)
		return false;
	*i = *from;
	i->start = now_ns();
	c->n_interfaces++;
	interface_write(c, i);
	log_debug("interface %zu is %s, link type %u", c->n_interfaces - 1, i->name, i->linktype);
	return true;
}

/* ---- blocks that packets are read with ---- */

void
capture_name(struct capture *c, const struct addr *a, const char *name)
{
	struct wr w = out_room(&c->out, BLOCK_ROOM);

	pcapng_name_put(&w, &(struct pcapng_name){ a->ip, addr_iplen(a), name });
	out_block(&c->out, &w);
}

void
capture_secrets(struct capture *c, const char *lines, size_t len)
{
	struct wr w = out_room(&c->out, len + BLOCK_ROOM);

	pcapng_secrets_put(&w, PCAPNG_SECRETS_TLS, lines, len);
	out_block(&c->out, &w);
}

/* The process of a packet, in the file before it. */
static const struct process_slot *
process_write(struct capture *c, const struct captured *p)
{
	struct process_slot *s = &c->process[p->pid % PROCESS_SLOTS];
	struct wr w;

	if (s->number == c->number && s->pid == p->pid && strcmp(s->comm, p->comm) == 0)
		return s;
	*s = (struct process_slot){ .number = c->number, .pid = p->pid, .index = c->n_processes++ };
	snprintf(s->comm, sizeof(s->comm), "%s", p->comm);
	w = out_room(&c->out, BLOCK_ROOM);
	pcapng_process_put(&w, &(struct pcapng_process){ p->pid, p->comm });
	out_block(&c->out, &w);
	return s;
}

/* ---- packets ---- */

static void
packet_write(struct capture *c, const struct captured *p)
{
	const struct capture_interface *i = &c->interface[p->interface];
	uint32_t snaplen = shorter(i->snaplen, c->want.snaplen);
	size_t len = snaplen > 0 && snaplen < p->len ? snaplen : p->len;
	const struct process_slot *process = p->pid != 0 ? process_write(c, p) : NULL;
	struct wr w = out_room(&c->out, len + PCAPNG_PACKET_EXTRA);

	pcapng_packet_put(&w, &(struct pcapng_packet){ .interface = p->interface, .time = p->time,
	    .orig_len = p->orig_len, .flags = p->direction, .dropped = p->dropped, .data = p->data,
	    .len = len, .comment = p->comment, .has_process = process != NULL,
	    .process = process != NULL ? process->index : 0, .flow = (uint32_t)p->flow });
	out_block(&c->out, &w);
	c->packets++;
	c->bytes += len;
	if (c->want.rotate_bytes > 0 && c->out.total + c->out.len >= c->want.rotate_bytes)
		rotate(c);
}

struct cut {
	struct capture	*capture;
	struct captured	 packet;
};

static void
on_segment(void *arg, const uint8_t *data, size_t len)
{
	struct cut *cut = arg;

	cut->packet.data = data;
	cut->packet.len = len;
	cut->packet.orig_len = (uint32_t)len;
	packet_write(cut->capture, &cut->packet);
	cut->packet.dropped = 0;
	cut->packet.comment = NULL;
}

void
capture_dropped(struct capture *c, uint32_t interface, uint32_t n)
{
	c->interface[interface].received += n;
	c->interface[interface].dropped += n;
}

uint64_t
capture_lost(const struct capture *c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < c->n_interfaces; i++)
		n += c->interface[i].dropped;
	return n;
}

void
capture_packet(struct capture *c, const struct captured *p)
{
	struct capture_interface *i = &c->interface[p->interface];
	struct cut cut = { c, *p };

	i->received++;
	capture_dropped(c, p->interface, p->dropped);
	if (c->filter != NULL && !filter_match(c->filter, p->data, p->len, p->orig_len))
		return;
	i->accepted++;
	if (!c->want.segment || p->segment == 0 ||
	    !segment_cut(p->data, p->len, p->segment, on_segment, &cut))
		packet_write(c, p);
}

/*
 * frames.c - frames become blocks.
 *
 * cf-netstack holds the other end of the channel.  It parses what the tree sends, so it
 * may have fallen: a frame that makes no sense ends the capture with a reason, names are
 * escaped, and the worst that can be written is a wrong packet in a well-formed block.
 *
 * Interfaces are numbered 0, 1, ... in the order of their INTERFACE frames, as pcapng
 * numbers them; a PACKET names one that is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "capture.h"
#include "log.h"

#ifndef CF_VERSION
#define CF_VERSION "0"
#endif

#define BLOCK_ROOM	(4 * PCAPNG_TEXT_MAX)	/* any block but a packet's */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool
capture_init(struct capture *c, int fd)
{
	struct utsname u = { .machine = "unknown", .sysname = "Linux" };
	char os[sizeof(u.sysname) + sizeof(u.release) + 2];
	struct wr w;

	memset(c, 0, sizeof(*c));
	if (!out_init(&c->out, fd))
		return false;
	uname(&u);
	snprintf(os, sizeof(os), "%s %s", u.sysname, u.release);
	w = out_room(&c->out, BLOCK_ROOM);
	pcapng_section_put(&w, &(struct pcapng_section){ .hardware = u.machine, .os = os,
	    .application = "cf-capture " CF_VERSION });
	out_block(&c->out, &w);
	return true;
}

bool
capture_done(struct capture *c)
{
	uint64_t end = now_ns();
	struct wr w;

	for (size_t i = 0; i < c->ninterfaces; i++) {
		w = out_room(&c->out, BLOCK_ROOM);
		pcapng_statistics_put(&w, &(struct pcapng_statistics){ .interface = (uint32_t)i,
		    .start = c->interface[i].start, .end = end,
		    .received = c->interface[i].received });
		out_block(&c->out, &w);
	}
	return out_done(&c->out);
}

static void
on_interface(struct chan *chan, const struct frame *f, int fd)
{
	struct capture *c = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);
	char raw[MSG_TEXT_MAX + 1] = "", name[4 * sizeof(raw) + 8];
	struct msg_interface m;
	struct wr w;

	(void)fd;
	if (!msg_interface_get(&r, &m) || f->flow != c->ninterfaces) {
		chan_fail(chan, "bad INTERFACE");
		return;
	}
	if (c->ninterfaces == INTERFACES_MAX) {
		chan_fail(chan, "too many interfaces");
		return;
	}
	rd_bytes(&r, raw, rd_left(&r));
	log_escape(name, sizeof(name), raw);
	c->interface[c->ninterfaces].snaplen = m.snaplen == 0 ? MSG_PACKET_MAX : m.snaplen;
	c->interface[c->ninterfaces].start = now_ns();
	c->ninterfaces++;
	w = out_room(&c->out, BLOCK_ROOM);
	pcapng_interface_put(&w, &(struct pcapng_interface){
	    .linktype = (uint16_t)m.linktype, .snaplen = m.snaplen, .name = name });
	out_block(&c->out, &w);
	log_debug("interface %zu is %s, link type %u", c->ninterfaces - 1, name, m.linktype);
}

static void
on_packet(struct chan *chan, const struct frame *f, int fd)
{
	struct capture *c = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);
	struct msg_packet m;
	size_t len;
	struct wr w;

	(void)fd;
	if (!msg_packet_get(&r, &m) || m.orig_len < rd_left(&r)) {
		chan_fail(chan, "bad PACKET");
		return;
	}
	if (f->flow >= c->ninterfaces) {
		chan_fail(chan, "PACKET of an interface that was not announced");
		return;
	}
	len = rd_left(&r);
	if (len > c->interface[f->flow].snaplen)
		len = c->interface[f->flow].snaplen;
	c->interface[f->flow].received++;
	w = out_room(&c->out, len + PCAPNG_PACKET_EXTRA);
	pcapng_packet_put(&w, &(struct pcapng_packet){ .interface = (uint32_t)f->flow,
	    .time = m.time, .orig_len = m.orig_len, .flags = m.direction, .data = r.p,
	    .len = len });
	out_block(&c->out, &w);
}

const struct chan_handler capture_handlers[] = {
	{ MSG_INTERFACE, on_interface },
	{ MSG_PACKET, on_packet },
	{ 0, NULL }
};

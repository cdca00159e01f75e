/*
 * frames.c - frames of a channel become packets of the capture.
 *
 * cf-netstack holds the other end of the channel.  It parses what the tree sends, so it
 * may have fallen: a frame that makes no sense ends the capture with a reason, names are
 * escaped, and the worst that can be written is a wrong packet in a well-formed block.
 *
 * Interfaces are numbered 0, 1, ... in the order of their INTERFACE frames; a PACKET names one
 * that is there.  A filter is compiled before the seal, when no interface is known yet: for raw IP,
 * which is what cf-netstack has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "log.h"

#define LINKTYPE_RAW	101

static void
on_interface(struct chan *chan, const struct frame *f, int fd)
{
	struct capture *c = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);
	struct capture_interface i = { 0 };
	char raw[MSG_TEXT_MAX + 1] = "";
	struct msg_interface m;
	const char *why = NULL;

	(void)fd;
	if (!msg_interface_get(&r, &m) || f->flow != c->n_interfaces) {
		chan_fail(chan, "bad INTERFACE");
		return;
	}
	rd_bytes(&r, raw, rd_left(&r));
	log_escape(i.name, sizeof(i.name), raw);
	i.linktype = m.linktype;
	i.snaplen = m.snaplen;
	snprintf(i.comment, sizeof(i.comment), "mtu %u", m.mtu);
	if (c->filter != NULL && m.linktype != LINKTYPE_RAW)
		why = "an interface without raw IP, which is all that the filter knows";
	else if (!capture_interface(c, &i))
		why = "too many interfaces";
	if (why != NULL)
		chan_fail(chan, why);
}

static void
on_packet(struct chan *chan, const struct frame *f, int fd)
{
	struct capture *c = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);
	struct msg_packet m;

	(void)fd;
	if (!msg_packet_get(&r, &m) || m.orig_len < rd_left(&r)) {
		chan_fail(chan, "bad PACKET");
		return;
	}
	if (f->flow >= c->n_interfaces) {
		chan_fail(chan, "PACKET of an interface that was not announced");
		return;
	}
	capture_packet(c, &(struct captured){ .interface = (uint32_t)f->flow, .time = m.time,
	    .orig_len = m.orig_len, .direction = m.direction, .segment = m.segment,
	    .dropped = m.dropped, .data = r.p, .len = rd_left(&r) });
}

static void
on_dropped(struct chan *chan, const struct frame *f, int fd)
{
	struct capture *c = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	if (f->flow < c->n_interfaces)
		capture_dropped(c, (uint32_t)f->flow, rd_le32(&r));
	else
		chan_fail(chan, "DROPPED of an interface that was not announced");
}

const struct chan_handler capture_handlers[] = {
	{ MSG_INTERFACE, on_interface },
	{ MSG_PACKET, on_packet },
	{ MSG_DROPPED, on_dropped },
	{ 0, NULL }
};

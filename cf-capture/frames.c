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
#include "views.h"

#define LINKTYPE_RAW	101

static void
on_interface(struct chan *chan, const struct frame *f, int fd)
{
	struct views *v = chan_arg(chan);
	const struct capture *c = views_any(v);
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
	else if (!views_interface(v, &i))
		why = "too many interfaces";
	if (why != NULL)
		chan_fail(chan, why);
}

static void
on_packet(struct chan *chan, const struct frame *f, int fd)
{
	struct views *v = chan_arg(chan);
	const struct capture *c = views_any(v);
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
	views_packet(v, &(struct captured){ .interface = (uint32_t)f->flow, .time = m.time,
	    .orig_len = m.orig_len, .direction = m.direction, .segment = m.segment,
	    .dropped = m.dropped, .data = r.p, .len = rd_left(&r) });
}

static void
on_dropped(struct chan *chan, const struct frame *f, int fd)
{
	struct views *v = chan_arg(chan);
	const struct capture *c = views_any(v);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	if (f->flow < c->n_interfaces)
		views_dropped(v, (uint32_t)f->flow, rd_le32(&r));
	else
		chan_fail(chan, "DROPPED of an interface that was not announced");
}

/* ---- of cf-proxy ---- */

static void
on_flow(struct chan *chan, const struct frame *f, int fd)
{
	struct views *v = chan_arg(chan);
	struct rd r = rd_over(f->body, f->len);
	struct msg_flow m;

	(void)fd;
	if (msg_flow_get(&r, &m))
		known_tell(v->known, f->flow, &m, (const char *)r.p, rd_left(&r));
	else
		chan_fail(chan, "bad FLOW");
}

static void
on_name(struct chan *chan, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_name m;

	(void)fd;
	if (msg_name_get(&r, &m) && rd_left(&r) > 0 && memchr(r.p, 0, rd_left(&r)) == NULL)
		views_name(chan_arg(chan), &m.addr, (const char *)r.p, rd_left(&r));
	else
		chan_fail(chan, "bad NAME");
}

const struct chan_handler info_handlers[] = {
	{ MSG_FLOW, on_flow },
	{ MSG_NAME, on_name },
	{ 0, NULL }
};

const struct chan_handler capture_handlers[] = {
	{ MSG_INTERFACE, on_interface },
	{ MSG_PACKET, on_packet },
	{ MSG_DROPPED, on_dropped },
	{ 0, NULL }
};

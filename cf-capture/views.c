/*
 * views.c - see views.h.
 *
 * cf-netstack sends packets as the tree has them.  The view of the host (egress) is the same
 * packets with the address in place of the tree's that the socket of their flow has; this, and
 * what the comment of a flow's first packet says, comes from cf-proxy by another channel, so a
 * packet may be here first.  Then it waits, at most HOLD_NS (KEYS_HOLD_NS) and with at most HELD_BYTES behind
 * it, as all packets leave in the order in which they came.
 *
 * A packet that will never be told of (to the gateway, of a flow that was dropped unasked) costs
 * the same wait; names are asked of the gateway and never wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "views.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inside.h"
#include "keys.h"

#define HOLD_NS		200000000u
#define KEYS_HOLD_NS	1000000000u	/* a program on a busy machine writes its secrets late */
#define HELD_MAX	4096
#define HELD_BYTES	(4 << 20)

enum { VIEW_CHILD = 1, VIEW_EGRESS = 2 };

struct held {
	TAILQ_ENTRY(held) next;
	uint64_t	 until;		/* ns of the monotonic clock */
	struct captured	 packet;
	uint8_t		 data[];
};

void
views_init(struct views *v)
{
	TAILQ_INIT(&v->held);
}

const struct capture *
views_any(const struct views *v)
{
	return v->has_child ? &v->child : &v->egress;
}

void
views_dropped(struct views *v, uint32_t interface, uint32_t n)
{
	if (v->has_child)
		capture_dropped(&v->child, interface, n);
	if (v->has_egress)
		capture_dropped(&v->egress, interface, n);
}

/* ---- interfaces ---- */

static void
describe(const struct views *v, struct capture_interface *i, const char *view, const char *kind)
{
	if (v->backend != NULL)
		snprintf(i->description, sizeof(i->description),
		    "childflow view=%s backend=%.40s kind=%s interface=%.80s", view, v->backend, kind,
		    i->name);
}

bool
views_interface(struct views *v, const struct capture_interface *from)
{
	struct capture_interface i = *from;
	bool ok = true;

	if (v->has_child) {
		describe(v, &i, "child", "isolated");
		ok = capture_interface(&v->child, &i);
	}
	if (v->has_egress) {
		if (v->egress_name != NULL)
			snprintf(i.name, sizeof(i.name), "%s", v->egress_name);
		describe(v, &i, "egress", "logical");
		ok = ok && capture_interface(&v->egress, &i);
	}
	return ok;
}

/* ---- what is waited for ---- */

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool
is_outward(const struct captured *p)
{
	return p->direction == 2;
}

/* Will cf-proxy be asked for it? */
static bool
is_asked_for(const struct tuple *t)
{
	return (t->proto != IPPROTO_TCP && t->proto != IPPROTO_UDP) || t->dst.port != INSIDE_DNS_PORT;
}

static bool
flow_is_ready(struct views *v, const struct captured *p)
{
	const struct known *k;
	struct tuple t;

	if (v->known == NULL || !tuple_of(p->data, p->len, is_outward(p), &t) || !is_asked_for(&t))
		return true;
	k = known_find(v->known, &t);
	return k != NULL && (!v->has_egress || k->state != FLOW_IS_ALLOWED);
}

static bool
is_ready(struct views *v, const struct captured *p)
{
	return flow_is_ready(v, p) && (!v->has_keys || keys_are_there(p->data, p->len));
}

/* ---- out ---- */

/* What this view's first packet of a flow says. */
static void
annotate(struct captured *p, struct known *k, uint8_t view)
{
	p->pid = k->pid;
	p->comm = k->comm;
	p->flow = k->id;
	if ((k->views & view) == 0)
		p->comment = k->comment;
	k->views |= view;
}

static void
child_write(struct views *v, const struct captured *from, struct known *k)
{
	struct captured p = *from;

	if (k != NULL)
		annotate(&p, k, VIEW_CHILD);
	capture_packet(&v->child, &p);
}

static void
egress_write(struct views *v, const struct captured *from, struct known *k)
{
	static uint8_t copy[MSG_PACKET_MAX];
	const struct addr *to = from->len > 0 && from->data[0] >> 4 == 6 ? &v->egress6 : &v->egress4;
	struct captured p = *from;
	bool open = k != NULL && k->state == FLOW_IS_OPEN && k->local.family == k->tuple.src.family;

	if (k != NULL)
		annotate(&p, k, VIEW_EGRESS);
	memcpy(copy, p.data, p.len);
	p.data = copy;
	if (open)
		to = &k->local;
	if (to->family != 0)
		tuple_rewrite(copy, p.len, is_outward(from), to, open);
	capture_packet(&v->egress, &p);
}

static void
write_out(struct views *v, const struct captured *p)
{
	struct known *k = NULL;
	struct tuple t;

	if (v->known != NULL && tuple_of(p->data, p->len, is_outward(p), &t))
		k = known_find(v->known, &t);
	if (v->has_child)
		child_write(v, p, k);
	if (v->has_egress)
		egress_write(v, p, k);
}

static void
head_write(struct views *v)
{
	struct held *h = TAILQ_FIRST(&v->held);

	TAILQ_REMOVE(&v->held, h, next);
	v->n_held--;
	v->held_bytes -= h->packet.len;
	write_out(v, &h->packet);
	free(h);
}

void
views_turn(struct views *v)
{
	uint64_t now = v->n_held > 0 ? now_ns() : 0;
	const struct held *h;

	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see through TAILQ_REMOVE */
	while ((h = TAILQ_FIRST(&v->held)) != NULL && (h->until <= now || is_ready(v, &h->packet)))
		head_write(v);
}

void
views_flush(struct views *v)
{
	while (v->n_held > 0)
		head_write(v);
}

void
views_packet(struct views *v, const struct captured *p)
{
	struct held *h;

	if (v->has_keys)
		keys_see(p->data, p->len);
	if (v->n_held == 0 && is_ready(v, p)) {
		write_out(v, p);
		return;
	}
	while (v->n_held > 0 && (v->n_held >= HELD_MAX || v->held_bytes + p->len > HELD_BYTES))
		head_write(v);
	if ((h = malloc(offsetof(struct held, data) + p->len)) == NULL) {
		views_flush(v);
		write_out(v, p);
		return;
	}
	h->until = now_ns() + (v->has_keys ? KEYS_HOLD_NS : HOLD_NS);
	h->packet = *p;
	h->packet.data = memcpy(h->data, p->data, p->len);
	TAILQ_INSERT_TAIL(&v->held, h, next);
	v->n_held++;
	v->held_bytes += p->len;
	views_turn(v);
}

/* ---- blocks that are no packets ---- */

void
views_name(struct views *v, const struct addr *a, const char *name, size_t len)
{
	char text[MSG_NAME_MAX + 1];

	memcpy(text, name, len);
	text[len] = '\0';
	if (v->has_child)
		capture_name(&v->child, a, text);
	if (v->has_egress)
		capture_name(&v->egress, a, text);
}

void
views_secrets(struct views *v, const char *lines, size_t len)
{
	if (v->has_child)
		capture_secrets(&v->child, lines, len);
	if (v->has_egress)
		capture_secrets(&v->egress, lines, len);
}

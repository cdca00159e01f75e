/*
 * stack.c - see stack.h: where a packet goes, and the end of a turn.
 *
 * No descriptor, no loop: a test gives packets to stack_packet() and sees the answers in
 * tun.tap.  What is no packet of ours is counted and dropped without a word; chatter of a
 * normal system (multicast, router solicitations, IGMP, MLD) is the most of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "host.h"
#include "inside.h"
#include "ktcp.h"
#include "log.h"
#include "stack.h"
#include "tcp.h"
#include "tun_io.h"

bool
stack_init(struct stack *s)
{
	s->tun.fd = -1;
	s->tun.mtu = INSIDE_MTU;
	s->epoll_fd = -1;
	TAILQ_INIT(&s->run);
	if (!addr_parse(INSIDE_GATEWAY4, 0, &s->gateway4) ||
	    !addr_parse(INSIDE_GATEWAY6, 0, &s->gateway6))
		abort();
	return flow_table_init(&s->flows) && tcp_all_init(s) && ktcp_all_init(s);
}

void
stack_done(struct stack *s)
{
	flows_end_all(s, CLOSE_END);
	names_done(s);
	frag_done(s);
	flows_bury(s);
	dflows_done(s);
	flow_table_done(&s->flows);
	timers_done(&s->timers);
	tun_done(s);
	ktcp_all_done(s);
	free(s->tcp);
	s->tcp = NULL;
}

uint64_t
stack_next_id(struct stack *s)
{
	return ++s->next_id;
}

const struct addr *
stack_gateway(const struct stack *s, uint8_t family)
{
	return family == 6 ? &s->gateway6 : &s->gateway4;
}

bool
stack_is_gateway(const struct stack *s, const struct addr *a)
{
	const struct addr *gw = stack_gateway(s, a->family);

	return memcmp(gw->ip, a->ip, addr_iplen(gw)) == 0;
}

/* A whole packet that was looked at. */
static void
dispatch(struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh)
{
	if (p->proto == PROTO_TCP) {
		if (!ktcp_input(s, p, vh))
			tcp_input(s, p, vh);
	} else if (p->proto == PROTO_UDP && p->dst.port == INSIDE_DNS_PORT)
		names_udp_input(s, p);
	else if (p->proto == PROTO_UDP)
		udp_input(s, p, vh);
	else if (p->proto == PROTO_ICMP || p->proto == PROTO_ICMP6)
		icmp_input(s, p);
}

void
stack_packet(struct stack *s, const struct virtio_net_hdr *vh, uint8_t *data, size_t len)
{
	static const struct virtio_net_hdr none;
	bool partial = (vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0 ||
	    vh->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	enum pkt_verdict verdict;
	struct pkt p, whole;

	verdict = ip_parse(data, len, partial, &p);
	if (verdict != PKT_OK) {
		s->dropped[verdict]++;
		if (verdict == PKT_PROTO)
			icmp_unknown_proto(s, &p);
		if (log_verbose() >= 2)
			log_debug("dropped a packet of %zu bytes: %s", len,
			    pkt_verdict_name(verdict));
	} else if (!p.frag) {
		dispatch(s, &p, vh);
	} else if (frag_input(s, &p, &whole)) {
		dispatch(s, &whole, &none);
	}
}

void
stack_burst_end(struct stack *s)
{
	udp_burst_end(s);
	tcp_burst_end(s);
}

/* Flows that had more to do than one turn allows; those that ask again wait for the next. */
static void
run_list(struct stack *s)
{
	struct flow *f, *last = TAILQ_LAST(&s->run, flow_list);

	while (last != NULL && (f = TAILQ_FIRST(&s->run)) != NULL) {
		TAILQ_REMOVE(&s->run, f, in_run);
		f->run_queued = false;
		if (f == last)
			last = NULL;
		host_run(f);
		if (last != NULL && !last->run_queued)
			break;		/* it ended meanwhile; the rest comes next turn */
	}
}

bool
stack_turn(struct stack *s)
{
	timers_run(s);
	run_list(s);
	stack_burst_end(s);
	if (s->chan_waiters && chan_backlog(s->proxy) < HOST_BACKLOG_MAX / 2)
		hosts_chan_drained(s);
	flows_bury(s);
	return !TAILQ_EMPTY(&s->run);
}

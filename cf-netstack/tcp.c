/*
 * tcp.c - see tcp.h: states of a connection, and its place between stack and host end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dsock.h"
#include "tcp.h"

#include <errno.h>
#include <stdlib.h>

#include "log.h"

static const char *const state_names[] = {
	[TS_HELD] = "HELD", [TS_SYN_RCVD] = "SYN-RECEIVED", [TS_ESTABLISHED] = "ESTABLISHED",
	[TS_FIN_WAIT_1] = "FIN-WAIT-1", [TS_FIN_WAIT_2] = "FIN-WAIT-2",
	[TS_CLOSING] = "CLOSING", [TS_TIME_WAIT] = "TIME-WAIT",
	[TS_CLOSE_WAIT] = "CLOSE-WAIT", [TS_LAST_ACK] = "LAST-ACK", [TS_CLOSED] = "CLOSED"
};

void
tcp_set_state(struct tcp *t, enum tcp_state new)
{
	if (log_verbose() >= 2)
		log_debug("tcp %llu: %s -> %s", (unsigned long long)t->f.id,
		    state_names[t->state], state_names[new]);
	t->state = new;
}

void
tcp_abort(struct tcp *t, enum close_reason reason)
{
	if (t->f.dead)
		return;
	if (t->state != TS_CLOSED && t->state != TS_TIME_WAIT)
		tcp_send_rst(t);
	tcp_set_state(t, TS_CLOSED);
	flow_end(&t->f, reason);
}

/* The child's FIN goes on when all before it has. */
static void
pass_fin_up(struct tcp *t)
{
	if (!t->fin_in || t->host_shut || t->up_failed || !STAILQ_EMPTY(&t->up))
		return;
	t->host_shut = true;
	/* The host has ended and was read to its end, so the close that is next sends this FIN. */
	if (t->state != TS_TIME_WAIT || t->f.host_mode != HOST_FD)
		host_shutdown(&t->f);
}

/* The host's end of file becomes our FIN; it takes a byte of the child's window. */
static void
pass_fin_down(struct tcp *t)
{
	if (!t->host_eof || t->fin_out)
		return;
	if (t->state != TS_ESTABLISHED && t->state != TS_CLOSE_WAIT)
		return;
	if (t->nxt - t->una >= t->wnd) {
		if (t->rto_at == 0)
			tcp_rto_start(t);
		return;
	}
	tcp_send_fin(t);
}

/*
 * Both FINs are acknowledged.  TIME-WAIT keeps the tuple for a while without a host end: it
 * answers a FIN that comes again, and a new SYN may take the tuple over.
 */
static void
finish(struct tcp *t)
{
	if (!t->host_shut && !t->up_failed)
		return;			/* the host has not taken all yet */
	if (t->state == TS_CLOSED) {
		if (t->ack != ACK_NONE)
			tcp_send_ack(t);
		flow_end(&t->f, CLOSE_EOF);
	} else if (t->state == TS_TIME_WAIT && t->f.host_mode != HOST_NONE) {
		flow_end_host(&t->f, CLOSE_EOF);
		t->rto_at = t->f.stack->now + TIME_WAIT;
		tcp_timer_arm(t);
	}
}

void
tcp_advance(struct tcp *t)
{
	if (t->f.dead)
		return;
	relay_down(t);
	if (t->f.dead)
		return;
	pass_fin_up(t);
	if (t->f.dead)
		return;
	pass_fin_down(t);
	finish(t);
}

/* ---- flow_kind ---- */

static void
on_opened(struct flow *f)
{
	struct tcp *t = (struct tcp *)f;

	tcp_set_state(t, TS_SYN_RCVD);
	t->rtt_at = f->stack->now;
	t->rtt_seq = t->iss + 1;
	t->timing = true;
	tcp_send_synack(t);
	tcp_rto_start(t);
}

/* DESIGN of errors: what connect() of the child returns. */
static void
on_refused(struct flow *f, const struct msg_refused *m)
{
	struct tcp *t = (struct tcp *)f;
	struct icmp_error e;
	uint8_t quote[8];
	struct wr w = wr_over(quote, sizeof(quote));
	bool icmp;

	if (m->why == REFUSED_ERRNO && m->err == ETIMEDOUT)
		return;			/* silence: the child's own timer says so */
	icmp = (m->why == REFUSED_ERRNO || m->why == REFUSED_ICMP) &&
	    (m->err == EHOSTUNREACH || m->err == ENETUNREACH) &&
	    refused_error(m, f->src.family, &e);
	if (!icmp) {
		tcp_send_rst(t);
		return;
	}
	wr_be16(&w, f->src.port);
	wr_be16(&w, f->dst.port);
	wr_be32(&w, t->irs);
	icmp_send_error_flow(f->stack, &e, m->offender.family == f->src.family ? &m->offender : NULL,
	    f, quote, sizeof(quote));
}

static void
on_readable(struct flow *f)
{
	tcp_advance((struct tcp *)f);
}

static void
on_writable(struct flow *f)
{
	relay_up_flush((struct tcp *)f);
	tcp_advance((struct tcp *)f);
}

/* An error behind an end of file: nothing else would notice it. */
static void
on_error(struct flow *f)
{
	struct tcp *t = (struct tcp *)f;

	if (t->host_eof)
		tcp_abort(t, CLOSE_PEER);
}

/*
 * What the tree closed is drained when the host end has it all.  What it did not close may be in use
 * by a process that is left; where none is, its FIN is on the way.
 */
static enum drain
on_drained(const struct flow *f, bool empty)
{
	const struct tcp *t = (const struct tcp *)f;

	if (t->state <= TS_SYN_RCVD)
		return DRAIN_DONE;
	if (t->fin_in)
		return t->host_shut ? DRAIN_DONE : DRAIN_WAIT;
	return empty ? DRAIN_WAIT : DRAIN_RESET;
}

static void
on_aborted(struct flow *f)
{
	struct tcp *t = (struct tcp *)f;

	if (t->state != TS_TIME_WAIT && t->state != TS_CLOSED)
		tcp_send_rst(t);
}

static void
on_done(struct flow *f)
{
	struct tcp *t = (struct tcp *)f;

	if (t->ack != ACK_NONE)
		TAILQ_REMOVE(&tcp_all(t)->acks, t, in_acks);
	t->ack = ACK_NONE;
	segs_free(t, &t->up);
	segs_free(t, &t->ooo);
	segs_free(t, &t->down);
	free(t->sacked);
	t->sacked = NULL;
	t->recovering = false;
	t->una = t->nxt;
}

const struct flow_kind tcp_kind = {
	.name = "tcp", .size = sizeof(struct tcp),
	.opened = on_opened, .refused = on_refused,
	.readable = on_readable, .writable = on_writable, .error = on_error,
	.drained = on_drained, .aborted = on_aborted, .done = on_done,
};

/* ---- ACKs, once a burst ---- */

/*
 * An ACK that would soon ride on an answer waits a moment, but only where answers did come in
 * time before: otherwise it would hold up a writer that waits for it (RFC 9293 3.8.6.3, Nagle).
 */
static bool
may_wait(const struct tcp *t)
{
	return t->ack == ACK_SOON && t->piggybacked >= t->piggyback_need &&
	    t->rcv_nxt - t->told_ack < 2u * t->mss && t->f.host_mode != HOST_NONE;
}

void
tcp_burst_end(struct stack *s)
{
	struct tcp_all *all = s->tcp;
	struct tcp *t, *next;

	for (t = TAILQ_FIRST(&all->acks); t != NULL; t = next) {
		next = TAILQ_NEXT(t, in_acks);
		if (!may_wait(t)) {
			tcp_send_ack(t);
		} else if (t->ack_at == 0) {
			t->ack_at = s->now + DELACK;
			tcp_timer_arm(t);
		}
	}
}

bool
tcp_all_init(struct stack *s)
{
	struct tcp_all *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return false;
	TAILQ_INIT(&all->acks);
	s->tcp = all;
	return true;
}

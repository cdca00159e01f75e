/*
 * tcp_timer.c - deadlines of a connection: retransmission, persist, delayed ACK, TIME-WAIT.
 *
 * All share the flow's one timer.  It is set for the earliest and not moved when that is put
 * off: on firing, the deadlines say what is due and when to wake next.  So a busy connection
 * touches the heap a few times a second, and an idle one has no timer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include "tcp.h"

#define PIGGYBACK_NEED_MOST	128

/* RFC 6298 2.2, 2.3; R in ms. */
void
tcp_rtt_sample(struct tcp *t, uint32_t r)
{
	uint32_t d;

	if (t->srtt == 0 && t->rttvar == 0) {
		t->srtt = r << 3;
		t->rttvar = r << 1;
	} else {
		d = r > t->srtt >> 3 ? r - (t->srtt >> 3) : (t->srtt >> 3) - r;
		t->rttvar = t->rttvar - (t->rttvar >> 2) + d;
		t->srtt = t->srtt - (t->srtt >> 3) + r;
	}
	t->rto = (t->srtt >> 3) + t->rttvar;
	t->rto = t->rto < RTO_LEAST ? RTO_LEAST : t->rto > RTO_MOST ? RTO_MOST : t->rto;
}

/* rto, doubled for each time that nothing came back. */
static uint64_t
backed_off(const struct tcp *t)
{
	uint64_t ms = (uint64_t)t->rto << (t->retries < 10 ? t->retries : 10);

	return ms < RTO_MOST ? ms : RTO_MOST;
}

void
tcp_rto_start(struct tcp *t)
{
	t->rto_at = t->f.stack->now + backed_off(t);
	tcp_timer_arm(t);
}

static void
on_delack(struct tcp *t)
{
	/* Nothing went back in time: answer at once until it pays again. */
	t->piggybacked = 0;
	if (t->piggyback_need < PIGGYBACK_NEED_MOST)
		t->piggyback_need = (uint8_t)(t->piggyback_need * 2);
	tcp_send_ack(t);
}

static void
on_synack_lost(struct tcp *t)
{
	if (++t->retries > SYN_RETRIES) {
		tcp_abort(t, CLOSE_RESET);
		return;
	}
	tcp_send_synack(t);
	tcp_rto_start(t);
}

static void
on_rto(struct tcp *t)
{
	t->rto_at = 0;
	if (t->state == TS_TIME_WAIT) {
		tcp_set_state(t, TS_CLOSED);
		flow_end(&t->f, CLOSE_EOF);
		return;
	}
	if (t->state == TS_SYN_RCVD) {
		on_synack_lost(t);
		return;
	}
	if (++t->retries > RETRIES) {
		tcp_abort(t, CLOSE_RESET);
		return;
	}
	if (t->una != t->nxt) {
		tcp_loss_rto(t);
	} else if (tcp_room(t) > 0) {
		tcp_advance(t);
		return;
	} else if (t->f.readable || (t->host_eof && !t->fin_out)) {
		tcp_send_probe(t);	/* the window has been closed for this long */
	} else {
		return;
	}
	tcp_rto_start(t);
}

static void
on_timer(struct stack *s, struct timer *timer)
{
	struct tcp *t = (struct tcp *)((char *)timer - offsetof(struct tcp, f.timer));

	if (t->ack_at != 0 && t->ack_at <= s->now)
		on_delack(t);
	if (t->rto_at != 0 && t->rto_at <= s->now)
		on_rto(t);
	if (!t->f.dead)
		tcp_timer_arm(t);
}

void
tcp_timer_arm(struct tcp *t)
{
	struct stack *s = t->f.stack;
	uint64_t at = t->rto_at;

	if (t->ack_at != 0 && (at == 0 || t->ack_at < at))
		at = t->ack_at;
	if (at != 0 && (t->f.timer.slot == 0 || at < t->f.timer.at))
		timer_set(s, &t->f.timer, at > s->now ? at - s->now : 0, on_timer);
}

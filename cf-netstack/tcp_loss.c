/*
 * tcp_loss.c - what the child did not get, and sending it again.
 *
 * A write to the TUN runs the child's receive path, so loss is rare: the tree may forward,
 * filter or delay packets on its own side.  Found by SACK (RFC 2018, 6675), by three
 * duplicate ACKs (RFC 5681, 6582), or by the timer, after which all that is in flight counts as
 * lost and goes out again as ACKs come in (slow start).
 *
 * The window cwnd is wide open until the first loss, as there is no queue to fill; from
 * then on it is Reno's.
 *
 * What must stay true: high_rxt lies within una..nxt, and in one recovery nothing below
 * it is sent again; the timer is what catches a repetition that is lost, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "tcp.h"

#define DUPTHRESH	3

/* ---- the scoreboard ---- */

static void
sacked_drop(struct tcp *t)
{
	free(t->sacked);
	t->sacked = NULL;
}

/* Merge one range; without room for another range it is forgotten, which costs a repetition. */
static bool
sacked_add(struct sacked *b, uint32_t start, uint32_t end)
{
	unsigned i = 0, j;

	while (i < b->n && seq_lt(b->r[i].end, start))
		i++;
	for (j = i; j < b->n && seq_le(b->r[j].start, end); j++)
		;
	if (i < j && seq_le(b->r[i].start, start) && seq_le(end, b->r[i].end))
		return false;		/* nothing new */
	if (i == j) {
		if (b->n == SACKED_MAX)
			return false;
		memmove(&b->r[i + 1], &b->r[i], (b->n - i) * sizeof(b->r[0]));
		b->n++;
		b->r[i].start = start;
		b->r[i].end = end;
		return true;
	}
	b->r[i].start = seq_min(b->r[i].start, start);
	b->r[i].end = seq_max(b->r[j - 1].end, end);
	memmove(&b->r[i + 1], &b->r[j], (b->n - j) * sizeof(b->r[0]));
	b->n -= j - i - 1;
	return true;
}

/* Forget what lies below una. */
static void
sacked_trim(struct tcp *t)
{
	struct sacked *b = t->sacked;
	unsigned i = 0;

	if (b == NULL)
		return;
	while (i < b->n && seq_le(b->r[i].end, t->una))
		i++;
	memmove(&b->r[0], &b->r[i], (b->n - i) * sizeof(b->r[0]));
	b->n -= i;
	if (b->n > 0)
		b->r[0].start = seq_max(b->r[0].start, t->una);
	else
		sacked_drop(t);
}

static uint32_t
sacked_within(const struct tcp *t, uint32_t from, uint32_t to)
{
	uint32_t sum = 0;

	for (unsigned i = 0; t->sacked != NULL && i < t->sacked->n; i++) {
		uint32_t a = seq_max(t->sacked->r[i].start, from);
		uint32_t b = seq_min(t->sacked->r[i].end, to);

		if (seq_lt(a, b))
			sum += b - a;
	}
	return sum;
}

/* ---- recovery ---- */

static void
recovery_begin(struct tcp *t, bool rto)
{
	uint32_t flight = t->nxt - t->una;

	t->ssthresh = flight / 2 > 2u * t->mss ? flight / 2 : 2u * t->mss;
	t->cwnd = rto ? 2u * t->mss : t->ssthresh;
	t->recovering = true;
	t->after_rto = rto;
	t->recover = t->nxt;
	t->high_rxt = t->una;
}

/* Bytes that are under way by our best knowledge (RFC 6675 4, in ranges instead of octets). */
static uint32_t
pipe_size(const struct tcp *t)
{
	uint32_t again = t->high_rxt - t->una - sacked_within(t, t->una, t->high_rxt);
	uint32_t above = t->high_rxt;

	if (t->after_rto)
		return again;
	if (t->sacked != NULL && t->sacked->n > 0)
		above = seq_max(above, t->sacked->r[t->sacked->n - 1].end);
	return again + (t->nxt - above);
}

/*
 * The next range that counts as lost and was not sent again: a hole below what was SACKed;
 * after the timer everything; without SACK the first segment.
 */
static bool
next_hole(const struct tcp *t, uint32_t *from, uint32_t *to)
{
	const struct sacked *b = t->sacked;
	uint32_t at = seq_max(t->una, t->high_rxt);
	uint32_t end = t->after_rto ? t->recover : t->una + t->mss;

	if (b != NULL && !t->after_rto)
		end = b->r[b->n - 1].start;
	for (unsigned i = 0; b != NULL && i < b->n; i++) {
		if (seq_lt(at, b->r[i].start)) {
			end = seq_min(end, b->r[i].start);
			break;
		}
		at = seq_max(at, b->r[i].end);
	}
	if (b != NULL && t->after_rto && seq_le(end, at))
		end = t->recover;
	if (seq_lt(t->nxt, end))
		end = t->nxt;
	*from = at;
	*to = end;
	return seq_lt(at, end);
}

void
tcp_loss_send(struct tcp *t)
{
	uint32_t from, to, room, pipe, most = tcp_seg_max(t);

	while (t->recovering && !t->f.dead && (pipe = pipe_size(t)) < t->cwnd &&
	    next_hole(t, &from, &to)) {
		room = t->cwnd - pipe;
		if (room < t->mss)
			room = t->mss;
		to = seq_min(to, from + (room < most ? room : most));
		tcp_resend(t, from, to);
		t->high_rxt = to;
	}
}

/* ---- what happened ---- */

void
tcp_loss_sack(struct tcp *t, const struct tcp_seg_in *in)
{
	bool new = false;

	for (unsigned i = 0; i < in->n_sack; i++) {
		uint32_t start = seq_max(in->sack[i].start, t->una), end = in->sack[i].end;

		/* Below una: a duplicate arrived there (RFC 2883).  Beyond nxt: nonsense. */
		if (!seq_lt(start, end) || seq_lt(t->nxt, end) ||
		    seq_le(in->sack[i].end, in->ack))
			continue;
		if (t->sacked == NULL && (t->sacked = calloc(1, sizeof(*t->sacked))) == NULL)
			return;
		new |= sacked_add(t->sacked, start, end);
	}
	if (!new || t->recovering)
		return;
	/* RFC 6675 5 (1): enough was SACKed above the first hole. */
	if (t->sacked->n >= DUPTHRESH ||
	    sacked_within(t, t->una, t->nxt) > (DUPTHRESH - 1) * (uint32_t)t->mss)
		recovery_begin(t, false);
}

void
tcp_loss_dupack(struct tcp *t)
{
	if (t->dupacks < UINT8_MAX)
		t->dupacks++;
	if (t->recovering && !t->after_rto)
		t->cwnd += t->mss;	/* RFC 5681 3.2 (4): one more has left the path */
	else if (!t->recovering && t->dupacks >= DUPTHRESH && seq_le(t->recover, t->una))
		recovery_begin(t, false);
}

void
tcp_loss_acked(struct tcp *t, uint32_t bytes)
{
	sacked_trim(t);
	if (t->recovering && seq_le(t->recover, t->una)) {
		t->recovering = t->after_rto = false;
		t->cwnd = t->cwnd > t->ssthresh ? t->cwnd : t->ssthresh;
	}
	if (t->recovering && !t->after_rto && t->sacked == NULL)
		t->high_rxt = t->una;	/* RFC 6582 3.2 (5): a partial ACK shows the next hole */
	if (!t->recovering && seq_lt(t->recover, t->una))
		t->recover = t->una;
	if (t->cwnd >= DOWN_MOST || (t->recovering && !t->after_rto))
		return;
	if (t->cwnd < t->ssthresh)
		t->cwnd += bytes;
	else
		t->cwnd += (uint32_t)((uint64_t)bytes * t->mss / t->cwnd) + 1;
}

/* RFC 6298 5.4 to 5.6, RFC 2018 8: what was SACKed may have been given up, so it is forgotten. */
void
tcp_loss_rto(struct tcp *t)
{
	sacked_drop(t);
	recovery_begin(t, true);
	tcp_loss_send(t);
}

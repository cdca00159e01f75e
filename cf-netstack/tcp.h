/*
 * tcp.h - the child end of a TCP flow: one connection with the kernel of the command tree.
 *
 * Theory of operation.  The child's kernel is the peer, we are always the passive side:
 *
 *      child                     us                                cf-proxy
 *        | --- SYN ------------> | HELD -------------- OPEN ------> |
 *        |                       |      <------------- OPENED ----- |
 *        | <-- SYN|ACK --------- | SYN_RCVD                         |
 *        | --- ACK ------------> | ESTABLISHED                      |
 *
 * "up" is child to host: in-order payload goes to host_send() from where it was read; what the
 * host does not take waits in t->up, and the window says how much more may come.  A segment
 * that arrived too early waits in t->ooo.  "down" is host to child: host_recv() reads as
 * much as the child's window takes, it leaves as one GSO segment, and stays in t->down until
 * it is acknowledged.
 *
 * The states are those of RFC 9293 3.3.2, with HELD before SYN_RCVD.  A FIN of the child
 * becomes a shutdown of the host end once all before it was sent there; an end of file
 * of the host becomes our FIN once all before it was sent to the child.
 *
 * Not done, on purpose: urgent data is passed on as ordinary bytes (RFC 6093 4 advises it); ECN
 * is not negotiated, as the TUN has no queue that could mark; SYN cookies are not needed, the
 * SYN flood of the tree ends at the limit of opens; PMTU: the MTU of the TUN is fixed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TCP_H
#define CF_TCP_H

#include "stack.h"

enum tcp_flag {
	TF_FIN = 1, TF_SYN = 2, TF_RST = 4, TF_PSH = 8, TF_ACK = 16, TF_URG = 32,
	TF_ECE = 64, TF_CWR = 128
};

enum tcp_state {
	TS_HELD, TS_SYN_RCVD, TS_ESTABLISHED, TS_FIN_WAIT_1, TS_FIN_WAIT_2, TS_CLOSING,
	TS_TIME_WAIT, TS_CLOSE_WAIT, TS_LAST_ACK, TS_CLOSED
};

/* What a header says, options included. */
#define SACK_BLOCKS	4
struct tcp_seg_in {
	uint32_t	 seq, ack;
	uint32_t	 window;	/* as it stands, not scaled */
	uint8_t		 flags;
	bool		 has_ts, sack_permitted;
	int8_t		 wscale;	/* -1: no such option */
	uint16_t	 mss;		/* 0: no such option */
	uint32_t	 tsval, tsecr;
	unsigned	 n_sack;
	struct { uint32_t start, end; } sack[SACK_BLOCKS];
	const uint8_t	*data;
	uint32_t	 len;		/* of data */
};
/* false: the header's length or options do not fit the packet. */
bool	tcp_parse(const struct pkt *, struct tcp_seg_in *out);

/* Payload that waits: in a large buffer, or in the bytes behind the struct. */
struct seg {
	STAILQ_ENTRY(seg) next;
	uint32_t	 seq;		/* of its first byte (not used in t->up) */
	uint32_t	 off, len;
	uint32_t	 cap;		/* of data[]; 0 with a large buffer */
	struct buf	*big;
	uint8_t		 data[];
};
STAILQ_HEAD(segs, seg);

static inline const uint8_t *
seg_bytes(struct seg *s)
{
	return (s->big != NULL ? buf_data(s->big) : s->data) + s->off;
}

/* What the child has told us by SACK; there is none while nothing is lost. */
#define SACKED_MAX	16
struct sacked {
	unsigned	 n;
	struct { uint32_t start, end; } r[SACKED_MAX];	/* sorted, disjoint, within una..nxt */
};

struct tcp {
	struct flow	 f;
	TAILQ_ENTRY(tcp) in_acks;	/* when ack != ACK_NONE */
	enum tcp_state	 state;
	enum { ACK_NONE, ACK_SOON, ACK_NOW } ack;	/* an ACK is owed */

	/* negotiated */
	uint8_t		 snd_wscale, rcv_wscale;
	bool		 ts_ok, sack_ok;
	uint16_t	 mss;		/* payload of a segment to the child, options taken off */

	bool		 fin_in;	/* the child's FIN was taken (rcv_nxt is behind it) */
	bool		 fin_early;	/* ... has come before bytes that are missing; at fin_at */
	bool		 fin_out;	/* our FIN was sent; it is the byte before nxt */
	bool		 host_eof;	/* the host has ended; our FIN is due */
	bool		 host_shut;	/* host_shutdown was called */
	bool		 up_failed;	/* the host takes no more: a RST follows what it still gives */
	bool		 recovering;	/* from loss, until una reaches recover */
	bool		 after_rto;	/* ... found by the timer: all in flight counts as lost */
	bool		 timing;	/* rtt_seq is being timed */
	bool		 asked;		/* the child spoke last; at asked_at */
	uint8_t		 dupacks, retries, piggybacked, piggyback_need;

	uint32_t	 irs, iss;
	uint32_t	 rcv_nxt, rcv_edge;	/* what is to come; the end of the window we told */
	uint32_t	 told_ack, told_wnd;	/* in the last segment that left */
	uint32_t	 fin_at;
	uint32_t	 una, nxt;		/* oldest byte not acknowledged; next to send */
	uint32_t	 wnd, max_wnd, wl1, wl2;
	uint32_t	 cwnd, ssthresh, recover, high_rxt;
	uint32_t	 ts_recent, ts_off;
	uint64_t	 ts_recent_at;
	uint32_t	 srtt, rttvar, rto;	/* ms; srtt times 8, rttvar times 4 */
	uint32_t	 rtt_seq;
	uint64_t	 rtt_at;
	uint64_t	 rto_at, ack_at;	/* deadlines, 0: none */
	uint64_t	 challenge_at, asked_at;

	struct segs	 up, ooo, down;
	struct seg	*up_last;	/* of a t->up that is not empty */
	uint32_t	 up_len, ooo_len, ooo_n, down_len, down_mem;
	uint32_t	 ooo_last;	/* sequence number of the one that came last */
	uint32_t	 up_cap;	/* how large our window may be now */
	struct sacked	*sacked;
};

/* cf-netstack's TCP as a whole. */
struct tcp_all {
	TAILQ_HEAD(tcp_list, tcp) acks;
	size_t		 mem;		/* bytes held in all flows */
	uint64_t	 retransmits, challenges, resets;
};

static inline struct tcp_all *
tcp_all(const struct tcp *t)
{
	return t->f.stack->tcp;
}

static inline bool seq_lt(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }
static inline bool seq_le(uint32_t a, uint32_t b) { return (int32_t)(a - b) <= 0; }
static inline uint32_t seq_max(uint32_t a, uint32_t b) { return seq_lt(a, b) ? b : a; }
static inline uint32_t seq_min(uint32_t a, uint32_t b) { return seq_lt(a, b) ? a : b; }

#define UP_CAP_FIRST	(256 * 1024)	/* enough for the child to build 64 KiB segments */
#define UP_CAP_MOST	(1024 * 1024)
#define DOWN_MOST	(1024 * 1024)	/* in flight to the child */
#define DOWN_MEM_MOST	(1536 * 1024)	/* what holding it may cost */
#define OOO_MOST	256		/* segments kept that came too early */
#define TCP_WSCALE	8
#define MEM_PRESSURE	((size_t)256 << 20)	/* in all flows: windows get small above it */

#define RTO_FIRST	1000u		/* RFC 6298 2.1 */
#define RTO_LEAST	200u		/* less than 2.4 says; as Linux */
#define RTO_MOST	60000u
#define SYN_RETRIES	6
#define RETRIES		12		/* about eight minutes */
#define DELACK		40u
#define TIME_WAIT	2000u		/* ms; the path is one machine, so not 2 MSL of 4 minutes */

/* tcp.c: states and ends */
bool	tcp_all_init(struct stack *);
void	tcp_set_state(struct tcp *, enum tcp_state);
void	tcp_abort(struct tcp *, enum close_reason);	/* RST to the child, flow_end */
void	tcp_advance(struct tcp *);	/* FINs that are due, the end of the connection */
/* tcp_out.c */
void	tcp_send_synack(struct tcp *);
void	tcp_send_ack(struct tcp *);
void	tcp_send_challenge(struct tcp *);
void	tcp_send_rst(struct tcp *);
void	tcp_send_probe(struct tcp *);
void	tcp_send_fin(struct tcp *);
/* Send s at nxt, with a FIN where the host has ended; s is then kept in t->down. */
void	tcp_send_seg(struct tcp *, struct seg *);
/* Send a range again that is in t->down (or is our FIN). */
void	tcp_resend(struct tcp *, uint32_t from, uint32_t to);
void	tcp_reset_reply(struct stack *, const struct pkt *, const struct tcp_seg_in *);
uint32_t tcp_room(const struct tcp *);	/* payload that may be sent now */
uint32_t tcp_seg_max(const struct tcp *);	/* payload of one write to the TUN */
void	tcp_ack_later(struct tcp *, bool now);
/* loss.c: what is lost, and sending it again */
void	tcp_loss_sack(struct tcp *, const struct tcp_seg_in *);
void	tcp_loss_acked(struct tcp *, uint32_t bytes);	/* una has moved */
void	tcp_loss_dupack(struct tcp *);
void	tcp_loss_rto(struct tcp *);
void	tcp_loss_send(struct tcp *);
/* tcp_timer.c */
void	tcp_timer_arm(struct tcp *);
void	tcp_rto_start(struct tcp *);
void	tcp_rtt_sample(struct tcp *, uint32_t r);	/* ms */
/* relay.c */
void	relay_up(struct tcp *, const uint8_t *data, uint32_t len);	/* in order, from the child */
void	relay_up_flush(struct tcp *);
void	relay_down(struct tcp *);
uint32_t relay_up_room(struct tcp *);
struct seg *seg_new(struct tcp *, const void *data, uint32_t len, uint32_t cap);
void	seg_free(struct tcp *, struct seg *);
uint32_t seg_mem(const struct seg *);	/* what it costs */
void	segs_free(struct tcp *, struct segs *);

#endif

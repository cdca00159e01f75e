/*
 * stack.h - what the files of cf-netstack share.
 *
 * A flow has two ends.  The host end (host.c) is a connected socket that came from cf-proxy,
 * DATA frames on the channel, or a local service in this process.  The child end is one of
 * the kinds in struct flow_kind: own TCP (tcp.c), a socket of the child's kernel (ktcp.c), UDP
 * (udp.c), ICMP echo (icmp.c).  What is the same for all of them is in
 * flow.c, once: asking for the flow, the answer of the policy, limits, counters, the end.
 *
 *       TUN -- tun_io.c -- stack.c --+-- tcp*.c --+-- relay.c --+-- host.c -- socket, DATA frames
 *                          dispatch  +-- ktcp.c --+-- pump.c  --+
 *                                    +-- udp.c  --+             |
 *                                    +-- icmp.c --+             +-- names.c (TCP to port 53)
 *                                    +-- names.c (UDP to port 53)
 *
 * Who calls what in one turn of the loop: tun_io reads a burst of packets and gives each to
 * stack_packet(), which gives it to tcp_input(), udp_input(), ...; then stack_burst_end()
 * lets each of them send what it gathered (ACKs, coalesced datagrams).  Then host ends that
 * became ready call the flow_kind's readable and writable, then the run list goes on with flows
 * that had more to do than one turn allows.  A flow that is freed stays readable memory until the
 * end of the turn.
 *
 * All is one thread, and nothing here blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_STACK_H
#define CF_STACK_H

#include <errno.h>
#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "addr.h"
#include "chan.h"
#include "ip.h"
#include "bound.h"
#include "msg.h"
#include "sandbox.h"

struct flow;
struct stack;
struct loop;

/* ---- time and timers (timer.c) ---- */

/* A deadline in a heap.  Part of another struct; all zero means not set. */
struct timer {
	uint64_t	 at;		/* ms, of stack->now */
	size_t		 slot;		/* index in the heap + 1; 0: not set */
	void		 (*fn)(struct stack *, struct timer *);
};
struct timers {
	struct timer	**heap;
	size_t		 n, cap;
};
/* Call fn once, ms from now; set again, it moves.  fn may set or free its own timer. */
void	timer_set(struct stack *, struct timer *, uint64_t ms, void (*fn)(struct stack *, struct timer *));
void	timer_stop(struct stack *, struct timer *);
/* Fire all that are due.  Returns ms to the next, or -1 where there is none. */
int64_t	timers_run(struct stack *);
void	timers_done(struct timers *);

/* ---- buffers (tun_io.c) ---- */

#define BUF_HEADROOM	128		/* for the vnet header and the headers of any segment */
#define BUF_SIZE	(65536 + 512)	/* the longest packet of a TUN, and slack to notice a longer one */

/*
 * A large buffer, from a pool that gives back the one that was used last (it is in the
 * cache).  `data` begins BUF_HEADROOM into it: what was received there leaves from there with
 * headers put in front.
 */
struct buf {
	struct buf	*next;
	uint8_t		 room[BUF_HEADROOM + BUF_SIZE];
};
struct buf	*buf_get(struct stack *);	/* NULL: memory is out */
void		 buf_put(struct stack *, struct buf *);
static inline uint8_t *
buf_data(struct buf *b)
{
	return b->room + BUF_HEADROOM;
}

/* ---- packets out (tun_io.c) ---- */

/*
 * Write one packet to the TUN: vnet header, then iov.  vh may be NULL (no offload: the checksum is
 * complete).  It is gone after the call, or lost, as on any wire; iov is at most TUN_IOV_MAX pieces.
 */
#define TUN_IOV_MAX	8
void	tun_send(struct stack *, const struct virtio_net_hdr *vh, const struct iovec *iov, int n);
/* The same with one piece. */
void	tun_send_packet(struct stack *, const struct virtio_net_hdr *vh, const void *packet, size_t len);
/* The TUN takes such packets with GSO: VIRTIO_NET_HDR_GSO_TCPV4, _TCPV6, _UDP_L4 (family for the last). */
bool	tun_can_gso(const struct stack *, uint8_t gso_type, uint8_t family);

/* ---- the flow table (flow.c) ---- */

#define FLOWS_MAX	32768		/* in total; fewer where descriptors do not reach */
#define FLOWS_OPENING	8192		/* asked for and not answered */

/*
 * A kind of child end.  Each function is called from the loop, never from inside a call that
 * the child end itself makes, except where a line says so.
 */
enum drain { DRAIN_WAIT, DRAIN_DONE, DRAIN_RESET };
struct flow_kind {
	const char	*name;
	size_t		 size;		/* of the struct that begins with struct flow */
	unsigned	 fds;		/* descriptors of the child end */
	/* The host end is connected: host_send and host_recv work from now on. */
	void		 (*opened)(struct flow *);
	/* The answer was no.  Tell the child; flow.c frees the flow after this returns. */
	void		 (*refused)(struct flow *, const struct msg_refused *);
	/* The host end has something: bytes, the end, an error.  Call host_recv until HOST_AGAIN,
	   or flow_run_later() to go on in the next turn. */
	void		 (*readable)(struct flow *);
	/* The host end takes bytes again, after host_send took fewer than offered. */
	void		 (*writable)(struct flow *);
	/* Its place in the run list has come.  NULL: readable, where it is. */
	void		 (*run)(struct flow *);
	/* The host end reports an error (EPOLLERR): host_error() says which.  NULL: as readable. */
	void		 (*error)(struct flow *);
	/* The command has ended.  Has the host end got all that the tree had sent?  empty: no process
	   is left that could send more.  NULL: yes, once the flow is open. */
	enum drain	 (*drained)(const struct flow *, bool empty);
	/* flow.c ends it: the run is over, or cf-proxy has gone.  Tell the child what fits. */
	void		 (*aborted)(struct flow *);
	/* Give back what the child end holds.  Called once, as the last, also from flow_end(). */
	void		 (*done)(struct flow *);
};

enum host_mode { HOST_NONE, HOST_FD, HOST_FRAMES, HOST_FIRST, HOST_LOCAL };

/* A piece of a stream or one datagram that came in DATA frames or from a local service. */
struct host_chunk {
	STAILQ_ENTRY(host_chunk) next;
	uint32_t	 off, len;
	uint8_t		 data[];
};
STAILQ_HEAD(host_chunks, host_chunk);

/* What only a host end without a descriptor needs. */
struct host_queue {
	struct host_chunks chunks;	/* came in, not yet taken */
	size_t		 queued;	/* bytes in chunks */
	uint32_t	 owed;		/* bytes taken and not yet given back by WINDOW */
	uint32_t	 credit_in;	/* what the other end may still send */
	uint32_t	 credit_out;	/* what we may still send */
	bool		 eof_in;	/* the other end has ended its stream */
	bool		 eof_out;	/* we have */
	bool		 first_out;	/* HOST_FIRST: a FIRST waits for its answer */
	int		 err;		/* it was reset: errno */
	const struct local_service *service;
	void		*service_arg;	/* the service's own */
};

struct flow {
	struct stack	*stack;
	const struct flow_kind *kind;
	LIST_ENTRY(flow) by_tuple, by_id;
	TAILQ_ENTRY(flow) in_run;	/* stack->run, when run_queued */
	TAILQ_ENTRY(flow) in_all;
	uint64_t	 id;		/* on the channel to cf-proxy */
	struct addr	 src, dst;	/* src is the child's.  ICMP echo: src.port is the identifier */
	uint8_t		 proto;		/* PROTO_ */

	bool		 hashed;	/* flow_find() finds it */
	bool		 asked;		/* OPEN has gone out, CLOSE or REFUSED is due */
	bool		 is_open;	/* the answer was OPENED */
	bool		 dead;		/* ended; memory goes at the end of the turn */
	bool		 run_queued;
	bool		 drained;	/* ended in peace by the end of the run */
	bool		 readable, writable;	/* what the host end was last known to be */
	bool		 out_watched;	/* epoll tells when it takes bytes again */
	bool		 widened;	/* its receive window may grow */
	bool		 host_rdhup;	/* an end of file or urgent data is near: a short read is not the last */
	bool		 waits_chan;	/* host_send waits for the channel to drain */
	bool		 woken;		/* in the run list because it is writable again */

	enum host_mode	 host_mode;
	int		 fd;		/* HOST_FD, else -1 */
	struct host_queue *queue;	/* HOST_FRAMES, HOST_FIRST and HOST_LOCAL */

	uint64_t	 up_bytes, down_bytes;	/* payload; host.c counts both */
	uint32_t	 up_packets, down_packets; /* the child end counts these */
	uint64_t	 told_bytes;	/* their sum, when cf-proxy was last told (counts.c) */
	struct timer	 timer;		/* the child end's */
};

/* The flow of this tuple, or NULL.  src is the child's side. */
struct flow	*flow_find(struct stack *, uint8_t proto, const struct addr *src, const struct addr *dst);
/*
 * A new flow, zeroed to kind->size, not yet asked for.  NULL when the limit is reached (which is
 * told, bound.h) or memory is out: the child end answers as for REFUSED_LIMIT.
 */
struct flow	*flow_new(struct stack *, const struct flow_kind *, uint8_t proto,
		    const struct addr *src, const struct addr *dst);
/*
 * Ask cf-proxy for it; p is the packet that made us ask (hop limit, DF, traffic class).  false:
 * too many opens are in flight, try again with the next packet; the caller ends the flow.
 */
bool		 flow_open(struct flow *, const struct pkt *p);
/* Bind it to a service in this process instead.  kind->opened is called from inside. */
void		 flow_open_local(struct flow *, const struct local_service *);
/*
 * It is over: CLOSE (when one is due) with its totals, host end closed (with a reset to the
 * peer for CLOSE_RESET), kind->done, off every list.  The memory stays until the turn's end.
 */
void		 flow_end(struct flow *, enum close_reason);
/* As flow_end, but the child end stays in the table (TIME-WAIT); flow_end is still due. */
void		 flow_end_host(struct flow *, enum close_reason);
/* Take it out of the table, so that a new flow may have its tuple. */
void		 flow_unhash(struct flow *);
/* Call kind->readable again in the next turn, after others had theirs. */
void		 flow_run_later(struct flow *);
/* A number that no other flow or query of this run has. */
uint64_t	 stack_next_id(struct stack *);

/* ---- the host end of a flow (host.c) ---- */

#define HOST_AGAIN	(-1)	/* nothing now; readable or writable will be called */
#define HOST_ERROR	(-2)	/* it has failed; *err says how */
#define HOST_EOF	0	/* streams only: no more will come */

/*
 * Streams: send what fits, 0 to len bytes.  Fewer than len: kind->writable will be called.
 * Datagrams: all of one datagram, or HOST_AGAIN (drop it: no datagram waits).  HOST_ERROR: errno in *err.
 */
ssize_t	host_send(struct flow *, const void *data, size_t len, int *err);
/* Streams: bytes, or HOST_EOF.  Datagrams: one (its length, can be 0).  Else HOST_AGAIN, HOST_ERROR. */
ssize_t	host_recv(struct flow *, void *data, size_t len, int *err);
/*
 * Streams with a descriptor: from the host into a pipe that is empty, and from a pipe that holds len
 * bytes to the host.  As host_recv and host_send, but 0 of the first does not mean the end.
 */
ssize_t	host_splice_in(struct flow *, int pipe_fd, size_t len, int *err);
ssize_t	host_splice_out(struct flow *, int pipe_fd, size_t len, int *err);
/* No more from the child (streams): a FIN to the peer once all is sent. */
void	host_shutdown(struct flow *);
/* The descriptor, for calls of the datagram kinds (setsockopt, recvmsg, writev); -1 in other modes. */
static inline int
host_fd(const struct flow *f)
{
	return f->host_mode == HOST_FD ? f->fd : -1;
}
/*
 * The policy has ended it (RESET with EACCES): what it gave before that is still the child's, who
 * is to have it all before the reset.
 */
static inline bool
host_was_cut(const struct flow *f)
{
	return f->host_mode == HOST_FRAMES && f->queue->err == EACCES;
}
/* The pending error of the socket (SO_ERROR, which clears it); 0 for none. */
int	host_error(struct flow *);
extern const struct sandbox_row host_rows[];

/* ---- a local service: a byte stream that ends in this process ---- */

/*
 * The other end of a child's TCP connection is here.  All functions are called from the loop.
 * The service gives bytes with local_send() and ends with local_end(); it must not give more than
 * local_room() unless it bounds itself otherwise.
 */
struct local_service {
	const char	*name;
	/* The child has connected.  A value for local_arg(), or NULL: the child gets a RST. */
	void		*(*open)(struct flow *);
	/* Bytes from the child, in order.  Returns how many were taken; fewer than len: the rest is
	   offered again after local_more(). */
	size_t		 (*input)(struct flow *, const uint8_t *, size_t len);
	/* The child has ended its side; answers may still go out. */
	void		 (*eof)(struct flow *);
	/* The child has taken bytes out of the queue; or NULL. */
	void		 (*drained)(struct flow *);
	/* The flow is over: free the argument, forget the flow. */
	void		 (*close)(struct flow *, void *arg);
};
void	*local_arg(const struct flow *);
/* Bytes for the child: copied and queued.  false: memory is out (the flow is reset). */
bool	 local_send(struct flow *, const void *data, size_t len);
size_t	 local_room(const struct flow *);	/* how much the queue still takes, of LOCAL_QUEUE_MAX */
void	 local_more(struct flow *);		/* input() takes bytes again */
void	 local_end(struct flow *);		/* FIN to the child after what is queued */
void	 local_fail(struct flow *);		/* RST to the child; what is queued may be lost */
#define LOCAL_QUEUE_MAX	(256 * 1024)

/* ---- streams between a child end and the host end (relay.c, tcp.c) ---- */

extern const struct flow_kind tcp_kind;
void	tcp_input(struct stack *, const struct pkt *, const struct virtio_net_hdr *);
/* The burst of packets is over: ACKs that were put off leave. */
void	tcp_burst_end(struct stack *);
/* An ICMP error of the child about a segment of ours is not followed (RFC 5927 2): none. */

/* ---- UDP (udp.c) ---- */

extern const struct flow_kind udp_kind;
/* vh: gso_type and gso_size when the child sent a UDP_SEGMENT train (USO). */
void	udp_input(struct stack *, const struct pkt *, const struct virtio_net_hdr *vh);
/* Send what was gathered from this burst. */
void	udp_burst_end(struct stack *);
extern const struct sandbox_row dsock_rows[];	/* of UDP and ICMP: dsock.c */

/* Forget the lists of datagram flows; all of them have ended (dflow.c). */
void	dflows_done(struct stack *);

/* ---- ICMP (icmp.c) ---- */

extern const struct flow_kind icmp_kind;
/* Echo requests; of the errors that the child sends, "port unreachable". */
void	icmp_input(struct stack *, const struct pkt *);
/* Tell the child about p: nothing is sent where the rules forbid it.  from NULL: the gateway. */
void	icmp_send_error(struct stack *, const struct icmp_error *, const struct addr *from, const struct pkt *p);
/*
 * The same where only the flow is left: quotes an IP header and the first 8 bytes of l4 as
 * they were (tcp.c: ports and sequence number of the SYN).
 */
void	icmp_send_error_flow(struct stack *, const struct icmp_error *, const struct addr *from,
	    const struct flow *, const uint8_t *l4, size_t l4_len);
/* Tell the child that nobody here speaks the protocol of p (PKT_PROTO). */
void	icmp_unknown_proto(struct stack *, const struct pkt *);

/* ---- names (names.c) ---- */

/* A UDP datagram to port 53, whatever its address. */
void	names_udp_input(struct stack *, const struct pkt *);
/* TCP to port 53 is a local stream that holds length-prefixed messages (RFC 1035 4.2.2). */
extern const struct local_service names_tcp;
/* ANSWER from cf-dns, whole message; an unknown id is ignored (its asker has gone). */
void	names_answer(struct stack *, uint64_t id, const uint8_t *msg, size_t len);
/* PART from cf-dns: a message of an answer over TCP that has more; PROCEED follows, in time. */
void	names_part(struct stack *, uint64_t id, const uint8_t *msg, size_t len);
/* The run ends: forget what waits for an answer. */
void	names_done(struct stack *);

/* ---- fragments (frag.c) ---- */

/*
 * Keep a fragment; when it was the last that was missing, *out is the whole datagram (it is
 * borrowed until the next call) and the answer is true.
 */
bool	frag_input(struct stack *, const struct pkt *, struct pkt *out);
void	frag_done(struct stack *);

/* ---- the whole ---- */

LIST_HEAD(flow_bucket, flow);
TAILQ_HEAD(flow_list, flow);

struct flow_table {
	struct flow_bucket *tuple, *id;	/* n_buckets each, a power of two */
	size_t		 n_buckets;
	size_t		 n, n_opening, max;
	size_t		 n_fds, max_fds;	/* descriptors of all ends, if each host end has one */
	uint64_t	 key[2];	/* of the tuple hash, random */
	struct flow_list all;
	struct flow_list dead;		/* freed at the end of the turn */
};

struct tun {
	int		 fd;		/* -1: has not come yet */
	uint32_t	 mtu, offloads;
	bool		 no_gso;	/* cut TCP ourselves: nothing was granted */
	struct buf	*pool;		/* LIFO */
	size_t		 n_pool;
	struct buf	*current;	/* what the packet at hand was read into */
	/* Tests look at packets here instead of a descriptor. */
	void		 (*tap)(void *arg, const struct virtio_net_hdr *, const uint8_t *packet, size_t len);
	void		*tap_arg;
	uint64_t	 read_packets, write_packets, write_errors;
};

struct stack {
	struct loop	*loop;		/* NULL in tests (loop.h) */
	uint64_t	 now;		/* ms, monotonic; the same during a turn */
	uint64_t	 now_us;
	struct timers	 timers;
	struct timer	 counts;	/* counts.c */
	uint64_t	 counts_every;	/* ms */
	struct tun	 tun;
	struct flow_table flows;
	struct flow_list run;		/* flows with more to do */
	int		 epoll_fd;	/* host ends (edge triggered) and the rest of loop.c; -1 in tests */
	bool		 chan_waiters;	/* some flow has waits_chan */
	struct chan	*spawn, *proxy, *dns, *capture;	/* NULL where there is none */
	bool		 capture_drop;	/* cf-capture need not be waited for */
	size_t		 capture_snaplen;	/* bytes that it wants of a packet; 0: all */
	uint32_t	 capture_dropped;	/* packets since the last that it got */
	bool		 ending;	/* FINISH has come: nothing new */
	uint64_t	 next_id;
	uint64_t	 dropped[PKT_VERDICTS];
	struct bound bounds[LIMIT_COUNT];	/* bound.c */
	struct addr	 gateway4, gateway6;
	uint16_t	 ip_id;

	void		*tcp, *ktcp, *udp, *dflows, *names, *frag;	/* each file's own state, or NULL */
};

/* false: memory is out.  Channels and the TUN are set by the caller. */
bool	stack_init(struct stack *);
void	stack_done(struct stack *);
/* One packet from the TUN; data may be written to and is ours during the call. */
void	stack_packet(struct stack *, const struct virtio_net_hdr *, uint8_t *data, size_t len);
void	stack_burst_end(struct stack *);
/* After each turn: run list, dead flows.  true: there is more to do at once. */
bool	stack_turn(struct stack *);
/* Is this one of the addresses that stand for us (gateway, name server)? */
bool	stack_is_gateway(const struct stack *, const struct addr *);
/* The gateway's address in a family. */
const struct addr *stack_gateway(const struct stack *, uint8_t family);

#endif

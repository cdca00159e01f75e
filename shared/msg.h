/*
 * msg.h - every message the cf- programs exchange, said once.
 *
 * A channel is a byte stream each way that carries frames: a header of
 * MSG_HEADER_LEN bytes, then `len` bytes of body.  A body is the fixed part named in
 * the row, then at most `tail` loose bytes.  Integers are little endian, as a
 * frame may leave the machine (ssh host cf-proxy); addresses are network order.
 * frame_next() holds each frame against its row, so no handler checks a length.
 *
 *   header:  u32 len   u16 type   u16 nfds   u64 flow
 *
 * nfds is 0 or 1: how many descriptors (SCM_RIGHTS) belong to this frame.  flow is
 * chosen by the side that opens it, never 0, and not used twice on a channel; it
 * is 0 in messages that belong to no flow.
 *
 * To add a message: one row here, one get/put pair in msg.c if it has a fixed part,
 * one entry in cf-protocol(7), one handler in the program that receives it.
 * Numbers are never reused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_MSG_H
#define CF_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "rd.h"

#define MSG_VERSION	1	/* goes up when a row changes meaning */
#define MSG_HEADER_LEN	16
#define MSG_TAIL_MAX	65535	/* the largest datagram, DNS message or chunk */
#define MSG_PACKET_MAX	65700	/* a 64 KiB packet as a TUN with offloads gives it */
#define MSG_TEXT_MAX	255
#define MSG_NAME_MAX	255	/* a name in the form of name.h; a longer one is not told of */
#define MSG_ADDRS_MAX	64	/* addresses in one list */
#define MSG_WINDOW_INITIAL 262144	/* bytes of DATA each way that OPENED grants */

/* Who may sit at an end of a channel.  Bits, so that a row can name several. */
enum role {
	R_SPAWN   = 1,		/* cf-spawn */
	R_STACK   = 2,		/* cf-netstack */
	R_DNS     = 4,		/* cf-dns */
	R_PROXY   = 8,		/* cf-proxy, policy stage */
	R_DIAL    = 16,		/* cf-proxy, dialler */
	R_CAPTURE = 32,		/* cf-capture */
	R_WATCH   = 64,		/* cf-spawn's watcher: whose is a socket of the tree */
	R_UPSTREAM = 128,	/* cf-upstream */
	R_ANY     = 255
};
#define R_OPENER	(R_STACK | R_PROXY | R_DNS)	/* may ask for flows */
#define R_SERVER	(R_PROXY | R_DIAL)		/* may grant them */

/* Capability bits of HELLO; what both sides have is in force. */
#define MSG_CAP_FD	1u	/* this end can pass and take descriptors */

#define MSG_HELLO_LEN		8
#define MSG_QUERY_LEN		44
#define MSG_PROCEED_LEN		4
#define MSG_OPEN_LEN		44
#define MSG_OPENED_LEN		24
#define MSG_REFUSED_LEN		32
#define MSG_WINDOW_LEN		4
#define MSG_RESET_LEN		4
#define MSG_FIRST_LEN		4
#define MSG_GO_LEN		4
#define MSG_CLOSE_LEN		36
#define MSG_LIMIT_LEN		16
#define MSG_COUNTS_LEN		16
#define MSG_NAME_LEN		28
#define MSG_RESOLVE_LEN		4
#define MSG_RESOLVED_LEN	4
#define MSG_ADDR_LEN		20	/* an address, in a body and in a list of them */
#define MSG_ADDRS_TAIL		(MSG_ADDRS_MAX * MSG_ADDR_LEN)
#define MSG_TUN_LEN		8
#define MSG_FINISH_LEN		4
#define MSG_LISTEN_LEN		4
#define MSG_RULES_LEN		4
#define MSG_TUNNEL_LEN		24
#define MSG_TUNNELLED_LEN	4
#define MSG_UNTUNNELLED_LEN	36
#define MSG_INTERFACE_LEN	12
#define MSG_PACKET_LEN		20
#define MSG_DROPPED_LEN		4
#define MSG_FLOW_LEN		68
#define MSG_FLOW_TAIL		1024
#define MSG_TUPLE_LEN		44
#define MSG_WHO_LEN		44
#define MSG_PARENTS_MAX		8
#define MSG_WHOSE_LEN		(4 + 4 * MSG_PARENTS_MAX)
#define MSG_COMM_MAX		64	/* the kernel's own limit is 15 (63 for its threads) */
#define MSG_EXE_MAX		1024	/* a longer path is cut */
#define MSG_WHOSE_TAIL		(MSG_COMM_MAX + 1 + MSG_EXE_MAX)

#define MSG_TABLE(M)									\
	/* name     no  from                to                  body               tail      fds */ \
	M(HELLO,     1, R_ANY,              R_ANY,              MSG_HELLO_LEN,     0,              0) \
	M(QUERY,    16, R_STACK,            R_DNS,              MSG_QUERY_LEN,     MSG_TAIL_MAX,   0) \
	M(ANSWER,   17, R_DNS,              R_STACK,            0,                 MSG_TAIL_MAX,   0) \
	M(PART,     18, R_DNS,              R_STACK,            0,                 MSG_TAIL_MAX,   0) \
	M(PROCEED,  19, R_STACK,            R_DNS,              MSG_PROCEED_LEN,   0,              0) \
	M(OPEN,     32, R_OPENER,           R_SERVER,           MSG_OPEN_LEN,      MSG_NAME_MAX,   0) \
	M(OPENED,   33, R_SERVER,           R_OPENER,           MSG_OPENED_LEN,    0,              1) \
	M(REFUSED,  34, R_SERVER,           R_OPENER,           MSG_REFUSED_LEN,   MSG_TEXT_MAX,   0) \
	M(FIRST,    35, R_STACK,            R_PROXY,            MSG_FIRST_LEN,     MSG_TAIL_MAX,   0) \
	M(GO,       36, R_PROXY,            R_STACK,            MSG_GO_LEN,        0,              1) \
	M(DATA,     37, R_OPENER|R_SERVER,  R_OPENER|R_SERVER,  0,                 MSG_TAIL_MAX,   0) \
	M(WINDOW,   38, R_OPENER|R_SERVER,  R_OPENER|R_SERVER,  MSG_WINDOW_LEN,    0,              0) \
	M(EOF,      39, R_OPENER|R_SERVER,  R_OPENER|R_SERVER,  0,                 0,              0) \
	M(RESET,    40, R_OPENER|R_SERVER,  R_OPENER|R_SERVER,  MSG_RESET_LEN,     0,              0) \
	M(CLOSE,    41, R_OPENER,           R_SERVER,           MSG_CLOSE_LEN,     0,              0) \
	M(LIMIT,    42, R_STACK,            R_PROXY,            MSG_LIMIT_LEN,     0,              0) \
	M(COUNTS,   43, R_STACK,            R_PROXY,            MSG_COUNTS_LEN,    0,              0) \
	M(NAME,     48, R_DNS|R_PROXY,      R_PROXY|R_CAPTURE,  MSG_NAME_LEN,      MSG_NAME_MAX,   0) \
	M(RESOLVE,  49, R_PROXY,            R_DNS,              MSG_RESOLVE_LEN,   MSG_NAME_MAX,   0) \
	M(RESOLVED, 50, R_DNS,              R_PROXY,            MSG_RESOLVED_LEN,  MSG_ADDRS_TAIL, 0) \
	M(INTERFACE,64, R_STACK,            R_CAPTURE,          MSG_INTERFACE_LEN, MSG_TEXT_MAX,   0) \
	M(PACKET,   65, R_STACK,            R_CAPTURE,          MSG_PACKET_LEN,    MSG_PACKET_MAX, 0) \
	M(TUPLE,    68, R_DIAL,             R_CAPTURE,          MSG_TUPLE_LEN,     0,              0) \
	M(FLOW,     69, R_PROXY,            R_CAPTURE,          MSG_FLOW_LEN,      MSG_FLOW_TAIL,  0) \
	M(DROPPED,  70, R_STACK,            R_CAPTURE,          MSG_DROPPED_LEN,   0,              0) \
	M(TUN,      80, R_SPAWN,            R_STACK,            MSG_TUN_LEN,       0,              1) \
	M(FINISH,   81, R_SPAWN,            R_STACK,            MSG_FINISH_LEN,    0,              0) \
	M(FINISHED, 82, R_STACK,            R_SPAWN,            0,                 0,              0) \
	M(LISTEN,   83, R_SPAWN,            R_STACK,            MSG_LISTEN_LEN,    0,              1) \
	M(RULES,    84, R_SPAWN,            R_DNS|R_PROXY|R_DIAL, MSG_RULES_LEN,   0,              1) \
	M(RESOLVERS,85, R_SPAWN,            R_DNS|R_DIAL,       4,                 MSG_ADDRS_TAIL, 0) \
	M(TAKEN,    86, R_DNS|R_PROXY|R_DIAL, R_SPAWN,            4,                 0,              0) \
	M(WHO,      96, R_PROXY,            R_WATCH,            MSG_WHO_LEN,       0,              0) \
	M(WHOSE,    97, R_WATCH,            R_PROXY,            MSG_WHOSE_LEN,     MSG_WHOSE_TAIL, 0) \
	M(TUNNEL,  104, R_DIAL,             R_UPSTREAM,         MSG_TUNNEL_LEN,    MSG_NAME_MAX,   1) \
	M(TUNNELLED,105, R_UPSTREAM,        R_DIAL,             MSG_TUNNELLED_LEN, 0,              1) \
	M(UNTUNNELLED,106, R_UPSTREAM,      R_DIAL,             MSG_UNTUNNELLED_LEN, MSG_TEXT_MAX, 0) \
	M(UNTUNNEL,107, R_DIAL,             R_UPSTREAM,         0,                 0,              0)

#define MSG_ENUM(name, no, from, to, body, tail, fds)	MSG_##name = (no),
enum msg_type { MSG_TABLE(MSG_ENUM) };
#undef MSG_ENUM

#define MSG_BODY_MAX	(MSG_PACKET_LEN + MSG_PACKET_MAX)	/* of the longest row */

struct msg_rule {
	const char	*name;
	uint16_t	 type;
	uint16_t	 fds;		/* most descriptors that may ride along */
	uint32_t	 from, to;	/* enum role bits */
	uint32_t	 min, max;	/* body length */
};
extern const struct msg_rule	msg_rules[];
extern const size_t		msg_nrules;

/* The row of a type, or NULL. */
const struct msg_rule	*msg_rule(uint32_t type);
/* Why a frame may not pass from one role to the other; NULL when it may. */
const char		*msg_check(uint32_t type, uint32_t len, uint32_t nfds,
			    enum role from, enum role to);
const char		*role_name(enum role);

/* ---- bodies ---- */

struct msg_hello {
	uint16_t	version;
	enum role	role;
	uint32_t	caps;
};

/* One DNS message of the tree; the tail is the message as it was sent. */
struct msg_query {
	uint8_t		transport;	/* IPPROTO_UDP or IPPROTO_TCP */
	struct addr	src;		/* who asked */
	struct addr	server;		/* whom it asked */
};

/*
 * To each PART, which is a message of an answer that has more of them (a zone transfer): the asker
 * has taken it and wants the next, or wants no more.  The next comes only then.
 */
#define PROCEED_ON	1u
struct msg_proceed {
	uint32_t	flags;
};

/*
 * A flow that the tree wants.  For ICMP echo the port of src is the identifier.  The tail is the
 * name that an upstream proxy is to be told in place of dst; only the policy stage gives one.
 */
#define OPEN_DF		1u	/* IPv4 don't fragment */
#define OPEN_RELAY	2u	/* payload in DATA frames, though a descriptor could be passed */
#define OPEN_DIRECT	4u	/* not by the upstream proxy */
struct msg_open {
	uint8_t		proto;		/* IPPROTO_TCP, _UDP, _ICMP or _ICMPV6 */
	uint8_t		hop_limit;	/* as the first packet had it; 0: the host's default */
	uint8_t		tclass;		/* IPv4 TOS, IPv6 traffic class */
	uint8_t		flags;		/* OPEN_ */
	struct addr	src, dst;
};

/*
 * The flow is open.  With a descriptor: the connected socket.  Without: DATA frames, or with
 * OPENED_FIRST neither yet: what the tree says first has to be seen before (FIRST, GO).
 */
#define OPENED_FIRST	1u
struct msg_opened {
	struct addr	local;		/* host side address of the socket */
	uint32_t	flags;
};

/*
 * What the tree has said on a flow that owes its first flight; the tail is the bytes of a stream
 * that follow those of the FIRST before, or one datagram.  One at a time: GO, or RESET, answers.
 */
#define FIRST_END	1u	/* behind these the tree has ended its side */
struct msg_first {
	uint32_t	flags;
};

/*
 * With neither flag: the first flight is over, and what FIRST gave is with the destination.  The
 * descriptor rides along, or DATA frames begin.
 */
#define GO_MORE		1u	/* send what comes next in a FIRST, too */
#define GO_ASK		2u	/* answers nothing: say what there is, be it nothing, in a FIRST */
struct msg_go {
	uint32_t	flags;
};

/* Why a flow was refused: what kind of "no" the asker should see. */
enum refusal {
	REFUSED_POLICY = 1,	/* a rule forbids it */
	REFUSED_ERRNO  = 2,	/* connect(2) failed with `err` */
	REFUSED_ICMP   = 3,	/* the ICMP error came in; `err` is what it means */
	REFUSED_PROXY  = 4,	/* the upstream proxy would not; see the text */
	REFUSED_LIMIT  = 5	/* too many flows, or no descriptors left */
};
struct msg_refused {
	enum refusal	why;
	uint8_t		icmp_type, icmp_code;	/* with REFUSED_ICMP */
	uint32_t	err;		/* errno, asm-generic numbers */
	uint32_t	mtu;		/* with "packet too big" */
	struct addr	offender;	/* who sent the ICMP error */
};

/* The opener has done with a flow; totals are payload as the tree sent and got it. */
enum close_reason {
	CLOSE_EOF     = 1,	/* both sides have ended */
	CLOSE_RESET   = 2,	/* the tree reset it, or went away */
	CLOSE_PEER    = 3,	/* the other end reset it, or failed */
	CLOSE_IDLE    = 4,	/* a datagram flow had nothing to say for its time */
	CLOSE_END     = 5,	/* the run ended */
	CLOSE_CANCEL  = 6	/* given up before it was opened */
};
struct msg_close {
	enum close_reason	reason;
	uint64_t	up_bytes, down_bytes;	/* payload */
	uint64_t	up_packets;		/* packets or segments from the tree */
	uint64_t	down_packets;
};

/* The tree has run into a limit.  Numbers are part of the wire; the last two never pass. */
enum limit {
	LIMIT_FLOWS	       = 1,	/* flows of all kinds */
	LIMIT_OPENING	       = 2,	/* asked for and not answered */
	LIMIT_DATAGRAM_FLOWS   = 3,	/* of those, UDP and ICMP */
	LIMIT_DATAGRAM_OPENING = 4,
	LIMIT_POLICY_FLOWS     = 5,	/* the policy stage's own */
	LIMIT_HOST	       = 6,	/* what the host gives the dialler */
	LIMIT_COUNT
};
struct msg_limit {
	enum limit	which;
	uint32_t	most;		/* the limit */
	uint64_t	times;		/* since the last LIMIT about it; at least 1 */
};

/* What an open flow has carried so far: payload, as in CLOSE.  Only where it was asked for. */
struct msg_counts {
	uint64_t	up_bytes, down_bytes;
};

/* This name has this address; the tail is the name, in the form of name.h. */
#define MSG_NAME_SYNTHETIC	1u	/* the address was made up for this name alone */
#define MSG_NAME_PINNED		2u	/* a hosts file says so: it never expires */
struct msg_name {
	struct addr	addr;		/* its port is 0 */
	uint32_t	ttl;		/* seconds for which it may be used */
	uint32_t	flags;
};

/* Which addresses does it have?  The tail is the name; flow is the question's number. */
struct msg_resolve {
	uint8_t		family;		/* 4, 6, or 0 for both */
};

/* The tail is `count` addresses and nothing else; 0: there is none, or nobody says. */
struct msg_resolved {
	uint32_t	count;
};

struct msg_tun {
	uint32_t	mtu;
	uint32_t	offloads;	/* TUN_F_ bits that were granted (linux/if_tun.h) */
};

/*
 * The command has ended.  What it had sent before is still delivered: flows that the
 * tree has closed are drained, and with FINISH_EMPTY (no process of the tree is left
 * that could go on sending) all others too; then the rest is reset.
 */
#define FINISH_EMPTY	1u
struct msg_finish {
	uint32_t	flags;
};

/*
 * A listening socket in the namespace of the tree, to which its kernel gives the TCP
 * handshakes that are written back into the TUN.  Before TUN, at most one a family.
 */
struct msg_listen {
	uint8_t		family;		/* 4 or 6 */
	uint16_t	port;		/* that it is bound to */
};

/*
 * A connected socket to the first upstream proxy, to be made a tunnel to dst, or to the name in
 * the tail (then only the port of dst counts).  For UDP: an association, whose socket this stays.
 */
struct msg_tunnel {
	uint8_t		proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	struct addr	dst;
};

/* It is one: the descriptor is the socket itself, or stands for it. */
#define TUNNELLED_STANDS 1u	/* it stands for it: UNTUNNELLED may come yet, where that breaks off */
struct msg_tunnelled {
	uint16_t	port;		/* UDP: where the proxy takes datagrams */
	uint16_t	flags;
};

/* It is none, and why; the text names the proxy and the step. */
#define UNTUNNELLED_AGAIN	1u	/* another connection may do */
struct msg_untunnelled {
	uint32_t	flags;
	struct msg_refused no;
};

/* A capture source; the tail is its name.  flow in the header is its number. */
struct msg_interface {
	uint32_t	linktype;	/* LINKTYPE_ number */
	uint32_t	snaplen;
	uint32_t	mtu;
};

/* One packet of interface 0, 1, ... (flow of the header); the tail is its bytes. */
struct msg_packet {
	uint64_t	time;		/* ns since 1970 */
	uint32_t	orig_len;
	uint16_t	direction;	/* 1 into the tree, 2 out of the tree (epb_flags) */
	uint16_t	segment;	/* payload of each packet that it is cut to on a wire; 0: it is one */
	uint32_t	dropped;	/* packets of the interface since the last that were left out */
};

/* A socket of the host that belongs to this run; flow in the header is its number. */
#define TUPLE_OF_DNS	1u	/* it is cf-dns's: numbers of those are others */
#define TUPLE_ENDED	2u	/* it is no more; its addresses may be left out */
struct msg_tuple {
	uint8_t		proto;
	uint8_t		flags;
	struct addr	local, remote;
};

/*
 * What is known of a flow, for its record; flow in the header is its number.  The tail is the
 * name of the process that opened it (comm_len bytes), then words about the flow.  The first
 * FLOW of a number names its addresses as the tree has them; the next need not.
 */
enum flow_state {
	FLOW_IS_ALLOWED = 1,	/* it may be; its socket is not there yet */
	FLOW_IS_OPEN = 2,	/* local is its address on the host */
	FLOW_IS_REFUSED = 3
};
struct msg_flow {
	enum flow_state	state;
	uint8_t		proto;
	uint16_t	comm_len;
	uint32_t	pid;		/* 0: not known */
	struct addr	src, dst, local;
};

/* Whose is the socket of the tree that has this source?  flow is the flow's number. */
struct msg_who {
	uint8_t		proto;		/* as in OPEN */
	struct addr	src, dst;
};

/*
 * The process, or pid 0: it is not known.  The tail is its name, a zero byte, and the path of
 * its program, which may be empty; the bytes are of the tree.
 */
struct msg_whose {
	uint32_t	pid;
	uint32_t	parent[MSG_PARENTS_MAX];	/* its parent first; 0 where there is none */
};

/*
 * put: body -> bytes at w.  get: bytes of a frame that frame_next() passed -> body;
 * false when a field has a value that does not exist (the frame is then garbage).
 * What get leaves unread in r is the tail.
 */
#define MSG_BODY(name)							\
	void	msg_##name##_put(struct wr *, const struct msg_##name *); \
	bool	msg_##name##_get(struct rd *, struct msg_##name *)
MSG_BODY(hello);
MSG_BODY(query);
MSG_BODY(proceed);
MSG_BODY(open);
MSG_BODY(opened);
MSG_BODY(refused);
MSG_BODY(first);
MSG_BODY(go);
MSG_BODY(close);
MSG_BODY(limit);
MSG_BODY(counts);
MSG_BODY(name);
MSG_BODY(resolve);
MSG_BODY(resolved);
MSG_BODY(tun);
MSG_BODY(finish);
MSG_BODY(listen);
MSG_BODY(tunnel);
MSG_BODY(tunnelled);
MSG_BODY(untunnelled);
MSG_BODY(interface);
MSG_BODY(packet);
MSG_BODY(who);
MSG_BODY(whose);
MSG_BODY(tuple);
MSG_BODY(flow);
#undef MSG_BODY

/* One address of a list; false when its family does not exist. */
void	msg_addr_put(struct wr *, const struct addr *);
bool	msg_addr_get(struct rd *, struct addr *);
/*
 * A body that is a list: u32 count, then so many addresses, at most MSG_ADDRS_MAX.  get is false
 * where they are more than max, not all of a family that exists, or not all there is.
 */
#define MSG_LIST_MAX	(4 + MSG_ADDRS_TAIL)
void	msg_list_put(struct wr *, const struct addr *, size_t n);
bool	msg_list_get(struct rd *, struct addr *, size_t max, size_t *n);

#endif

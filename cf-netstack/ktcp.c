/*
 * ktcp.c - a connection that the child's own kernel has with a socket of ours.
 *
 * Of such a flow only the SYN comes off the TUN; it is held while the host end is connected, and
 * then written back, byte for byte.  A rule in the child's namespace gives what arrives so to
 * our listener, and its kernel completes the handshake with itself, over lo, within that
 * write.  From there on both ends are sockets, and payload is moved by pump.c.
 *
 *      child                     us                                cf-proxy
 *        | --- SYN (TUN) ------> | HELD -------------- OPEN ------> |
 *        |                       |      <------------- OPENED ----- |
 *        | <-- same SYN (TUN) -- | INJECTED                         |
 *        |  listener: handshake  |   accept4, addresses match       |
 *        | ==== a socket ======= | RELAY ========= the host end =====
 *
 * connect() of the child thus takes as long as the one upstream, and fails as it did: the
 * refusal is an ICMP error by the TUN, which also a strict reverse path filter lets in.
 *
 * On the other side is the child: it may send any SYN, give up while it is held (the kernel
 * answers the SYN|ACK with a RST; then nothing is accepted, and the host end is closed after
 * INJECT_MS), or connect to the listener itself.  What must stay true: an accepted socket is relayed
 * only where both its addresses are those of a flow that was opened and written back, so
 * the policy has judged just that; any other gets a RST.
 *
 * Which SYNs are ours: those without the bit RESERVED_OWN, which a rule of the namespace sets
 * where replies would not come over lo (a socket bound to the device, a raw socket, port 53).  In a
 * capture all is own TCP's, as only the SYN could be seen here.
 *
 * A flow holds here: its SYN until it is accepted, then two descriptors and no memory while nothing
 * is under way; else one copied piece (16 KiB; 64 in frames) or one pipe (256 KiB) a direction.  The
 * kernel holds the receive buffer that the listener was given and a send buffer (tcp_wmem).
 *
 * First flight (first.c): nothing here needs the host end before RELAY, and there it is copied to
 * until the descriptor has come; from then on payload moves as in any flow.
 *
 * Not done: keepalive and urgent data end here (the latter becomes ordinary bytes).
 *
 * SPDX-License-Identifier: MIT
 */
#include "ktcp.h"

#include <errno.h>
#include <linux/tcp.h>		/* a struct tcp_info that counts segments */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsock.h"
#include "host.h"
#include "inside.h"
#include "log.h"
#include "pump.h"
#include "tcp.h"

#define RESERVED_OWN	0x08		/* in the byte of the data offset: a reserved bit of RFC 9293 3.1 */
#define SYN_PLAIN	128		/* no SYN without payload is longer */
#define SYN_MOST	2048		/* with it (TCP Fast Open): a packet of the device */
#define SYN_TOTAL	((size_t)1 << 20)	/* of all that are longer than SYN_PLAIN */
#define INJECT_MS	3000		/* the SYN|ACK is sent again once in this time */
#define ACCEPT_BURST	64		/* then others have their turn */
#define STATE_CLOSE	7		/* of tcpi_state; netinet/tcp.h cannot be had as well */
#define SETTLE_LOOK	10		/* ms, and after a while: */
#define SETTLE_LOOK_LATE 200
#define SETTLE_MOST	2000		/* ms that a child which writes may take nothing */
#define ACCEPT_AGAIN	100		/* ms, without a descriptor to accept with */
#define CHILD_BIT	1u		/* in the pointer given to epoll */

const struct sandbox_row ktcp_rows[] = {
	ALLOW(accept4,		"connections that the child's kernel has completed"),
	ALLOW(getsockname,	"whom the child meant to reach"),
	ALLOW_ARG2(getsockopt, 1, IPPROTO_TCP, 2, TCP_INFO, "how many segments it was, and if all have arrived"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_OOBINLINE, "urgent data is ordinary"),
	{ 0 }
};

/* The packet that began it, as it came. */
struct syn {
	struct virtio_net_hdr vh;
	uint32_t	 seq;
	size_t		 len;
	uint8_t		 data[];
};

enum ktcp_state { KT_HELD, KT_INJECTED, KT_RELAY, KT_ENDED };
static const char *const state_names[] = {
	[KT_HELD] = "HELD", [KT_INJECTED] = "INJECTED", [KT_RELAY] = "RELAY", [KT_ENDED] = "ENDED"
};

struct ktcp {
	struct flow	 f;
	TAILQ_ENTRY(ktcp) in_injected;	/* in state KT_INJECTED */
	enum ktcp_state	 state;
	bool		 up_done;	/* the child's end of file was passed on, or nobody takes any more */
	bool		 down_done;
	bool		 host_failed;	/* it takes no more: a RST follows what it still gives */
	bool		 child_failed;	/* likewise */
	struct syn	*syn;		/* until it is accepted */
	struct sock	 child;
	struct pump	 up, down;
	uint64_t	 settled, settled_at;	/* a reset is due: bytes it has, and since when no more */
};

struct listener {
	int		 fd;
	struct timer	 again;
};
struct ktcp_all {
	struct listener	 listener[2];	/* IPv4, IPv6 */
	TAILQ_HEAD(ktcp_list, ktcp) injected;	/* oldest first */
	struct pipes	 pipes;
	size_t		 long_syns;	/* bytes of SYNs that are longer than SYN_PLAIN */
	bool		 said_files;
};

static const struct flow_kind ktcp_kind;

static struct ktcp_all *
ktcp_all(const struct stack *s)
{
	return s->ktcp;
}

static struct listener *
listener_of(const struct stack *s, uint8_t family)
{
	return &ktcp_all(s)->listener[family == 6];
}

static void
set_state(struct ktcp *k, enum ktcp_state new)
{
	struct ktcp_all *all = ktcp_all(k->f.stack);

	if (k->state == new)
		return;
	if (log_verbose() >= 2)
		log_debug("kernel tcp %llu: %s -> %s", (unsigned long long)k->f.id,
		    state_names[k->state], state_names[new]);
	if (k->state == KT_INJECTED)
		TAILQ_REMOVE(&all->injected, k, in_injected);
	if (new == KT_INJECTED)
		TAILQ_INSERT_TAIL(&all->injected, k, in_injected);
	k->state = new;
}

/* ---- the SYN ---- */

static void
syn_drop(struct ktcp *k)
{
	if (k->syn != NULL && k->syn->len > SYN_PLAIN)
		ktcp_all(k->f.stack)->long_syns -= k->syn->len;
	free(k->syn);
	k->syn = NULL;
}

/*
 * Keep it, in place of one that was sent before.  false: it is too long, or memory is out; Linux
 * sends again without the payload that makes it long.
 */
static bool
syn_keep(struct ktcp *k, const struct pkt *p, const struct virtio_net_hdr *vh, uint32_t seq)
{
	struct ktcp_all *all = ktcp_all(k->f.stack);
	bool is_long = p->len > SYN_PLAIN;
	struct syn *syn;

	if (p->len > SYN_MOST || (is_long && all->long_syns + p->len > SYN_TOTAL) ||
	    (syn = malloc(sizeof(*syn) + p->len)) == NULL)
		return false;
	*syn = (struct syn){ .vh = *vh, .seq = seq, .len = p->len };
	memcpy(syn->data, p->base, p->len);
	syn_drop(k);
	k->syn = syn;
	if (is_long)
		all->long_syns += p->len;
	return true;
}

/* Tell the child why there will be no connection. */
static void
syn_refuse(struct ktcp *k, const struct icmp_error *e, const struct addr *from)
{
	struct pkt p;

	if (k->syn != NULL && ip_parse(k->syn->data, k->syn->len, true, &p) == PKT_OK)
		icmp_send_error(k->f.stack, e, from, &p);
}

/* "Port unreachable": connect() fails with ECONNREFUSED. */
static void
refuse_plainly(struct stack *s, const struct pkt *p)
{
	struct icmp_error e;

	if (icmp_error_of(ECONNREFUSED, p->family, 0, &e))
		icmp_send_error(s, &e, NULL, p);
}

/* ---- relay ---- */

static ssize_t
host_end_recv(void *f, void *data, size_t len, int *err)
{
	return host_recv(f, data, len, err);
}

static ssize_t
host_end_send(void *f, const void *data, size_t len, int *err)
{
	return host_send(f, data, len, err);
}

static ssize_t
host_end_splice_in(void *f, int pipe_fd, size_t len, int *err)
{
	return host_splice_in(f, pipe_fd, len, err);
}

static ssize_t
host_end_splice_out(void *f, int pipe_fd, size_t len, int *err)
{
	return host_splice_out(f, pipe_fd, len, err);
}

static struct pump_end
host_end(struct flow *f)
{
	static const struct pump_ops ops = { .recv = host_end_recv, .send = host_end_send,
	    .splice_in = host_end_splice_in, .splice_out = host_end_splice_out };

	return (struct pump_end){ .ops = &ops, .arg = f, .readable = &f->readable,
	    .writable = &f->writable, .can_splice = host_fd(f) != -1 };
}

/* How many segments it was, as the child's kernel has counted. */
static void
take_totals(struct ktcp *k)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (k->child.fd == -1 ||
	    getsockopt(k->child.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return;
	k->f.up_packets = info.tcpi_data_segs_in;
	k->f.down_packets = info.tcpi_data_segs_out;
}

/* reset: the child is to see one. */
static void
end(struct ktcp *k, enum close_reason reason, bool reset)
{
	if (k->f.dead)
		return;
	take_totals(k);
	sock_close(&k->child, reset);
	flow_end(&k->f, reason);
}

/* The host takes no more; what it still has to say goes down before the RST. */
static void
fail_host(struct ktcp *k)
{
	k->host_failed = k->up_done = true;
	pump_drop(&k->up, &ktcp_all(k->f.stack)->pipes);
	k->f.readable = true;
}

static void
fail_child(struct ktcp *k)
{
	k->child_failed = k->down_done = true;
	pump_drop(&k->down, &ktcp_all(k->f.stack)->pipes);
	k->child.readable = true;
}

/* Child to host.  true: there is more to do. */
static bool
run_up(struct ktcp *k, const struct pump_end *child, const struct pump_end *host)
{
	int err;

	if (k->up_done)
		return false;
	switch (pump_run(&k->up, &ktcp_all(k->f.stack)->pipes, child, host, &err)) {
	case PUMP_WAIT:
		return false;
	case PUMP_MORE:
		return true;
	case PUMP_EOF:
		k->up_done = true;
		host_shutdown(&k->f);
		return false;
	case PUMP_FROM:
		fail_child(k);
		k->up_done = true;
		return false;
	case PUMP_TO:
		fail_host(k);
		return true;
	}
	return false;
}

static bool
run_down(struct ktcp *k, const struct pump_end *child, const struct pump_end *host)
{
	int err;

	if (k->down_done)
		return false;
	switch (pump_run(&k->down, &ktcp_all(k->f.stack)->pipes, host, child, &err)) {
	case PUMP_WAIT:
		return false;
	case PUMP_MORE:
		return true;
	case PUMP_EOF:
		k->down_done = true;
		shutdown(k->child.fd, SHUT_WR);
		return false;
	case PUMP_FROM:
		fail_host(k);
		k->down_done = true;
		return false;
	case PUMP_TO:
		fail_child(k);
		return true;
	}
	return false;
}

/* Nothing of what the host had to say can still go down. */
static bool
is_down_dry(const struct ktcp *k)
{
	return k->down_done || (!k->f.readable && !pump_holds(&k->down));
}

/* What the child's kernel has not taken a reset throws away. */
static bool
is_unsettled(const struct ktcp *k, const struct tcp_info *info)
{
	return host_was_cut(&k->f) && info->tcpi_state != STATE_CLOSE &&
	    (info->tcpi_unacked > 0 || info->tcpi_notsent_bytes > 0);
}

static void	advance(struct ktcp *);

static void
on_settle(struct stack *s, struct timer *t)
{
	(void)s;
	advance((struct ktcp *)((char *)t - offsetof(struct flow, timer)));
}

/*
 * The host has failed.  Is the child still to have something before it gets the reset?  One that
 * reads slowly has its time; one that takes nothing and waits for us to read is to know.
 */
static bool
waits_for_child(struct ktcp *k)
{
	uint64_t now = k->f.stack->now;
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	char byte;

	if (getsockopt(k->child.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return !is_down_dry(k);
	if (is_down_dry(k) && !is_unsettled(k, &info))
		return false;
	if (k->settled_at == 0 || info.tcpi_bytes_acked != k->settled) {
		k->settled = info.tcpi_bytes_acked;
		k->settled_at = now;
	}
	if (now - k->settled_at >= SETTLE_MOST && recv(k->child.fd, &byte, 1,
	    MSG_PEEK | MSG_DONTWAIT) > 0)
		return false;
	timer_set(k->f.stack, &k->f.timer, now - k->settled_at < SETTLE_MOST / 2 ? SETTLE_LOOK :
	    SETTLE_LOOK_LATE, on_settle);
	return true;
}

static void
advance(struct ktcp *k)
{
	struct pump_end child, host;
	bool more;

	if (k->f.dead || k->state != KT_RELAY)
		return;
	child = pump_end_of(&k->child);
	host = host_end(&k->f);
	more = run_up(k, &child, &host);
	if (k->f.dead)
		return;
	more |= run_down(k, &child, &host);
	if (k->f.dead)
		return;
	if (k->child_failed && (!more || k->up_done))
		end(k, CLOSE_RESET, true);
	else if (k->host_failed && !waits_for_child(k))
		end(k, CLOSE_PEER, true);
	else if (k->up_done && k->down_done && !k->child_failed && !k->host_failed)
		end(k, CLOSE_EOF, false);
	else if (more)
		flow_run_later(&k->f);
}

/* ---- accept ---- */

/* A socket that nobody asked us for. */
static void
turn_away(int fd)
{
	struct sock s = { .fd = fd };

	sock_close(&s, true);
}

/* The flow that this connection completes, or NULL. */
static struct ktcp *
match(struct stack *s, int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage local;
	socklen_t len = sizeof(local);
	struct addr src, dst;
	struct flow *f;

	if (getsockname(fd, (struct sockaddr *)&local, &len) != 0 ||
	    !addr_from_sockaddr(peer, &src) || !addr_from_sockaddr(&local, &dst))
		return NULL;
	f = flow_find(s, PROTO_TCP, &src, &dst);
	if (f == NULL || f->kind != &ktcp_kind || ((struct ktcp *)f)->state != KT_INJECTED)
		return NULL;
	return (struct ktcp *)f;
}

static void
adopt(struct ktcp *k, int fd)
{
	struct stack *s = k->f.stack;
	struct epoll_event ev = { .events = SOCK_EVENTS,
	    .data.u64 = (uint64_t)(uintptr_t)k | CHILD_BIT };

	k->child = (struct sock){ .fd = fd, .writable = true };
	set_state(k, KT_RELAY);
	syn_drop(k);
	timer_stop(s, &k->f.timer);
	flow_unhash(&k->f);		/* the tuple is the kernel's from now on; it may use it again */
	if (s->epoll_fd != -1 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		end(k, CLOSE_RESET, true);
	else
		advance(k);
}

static void	on_again(struct stack *, struct timer *);

/*
 * No descriptor is left: those who wait for one give up theirs, the oldest first, until what stands
 * in the queue can be taken out of it.  false: there is no such flow, try again later.
 */
static bool
relieve(struct stack *s, struct listener *l)
{
	struct ktcp_all *all = ktcp_all(s);
	struct ktcp *k = TAILQ_FIRST(&all->injected);

	if (!all->said_files)
		log_warn("cannot accept a connection of the command tree (said once)");
	all->said_files = true;
	if (k == NULL) {
		timer_set(s, &l->again, ACCEPT_AGAIN, on_again);
		return false;
	}
	end(k, CLOSE_RESET, true);
	return true;
}

/* All that are there; with `want` up to that flow's, which is there as a rule, and alone. */
static void
accept_all(struct stack *s, struct listener *l, const struct ktcp *want)
{
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct ktcp *k;

		if (fd == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
			if (!relieve(s, l))
				return;
		} else if (fd == -1 && errno != ECONNABORTED && errno != EINTR) {
			return;
		} else if (fd != -1) {
			if ((k = match(s, fd, &peer)) == NULL)
				turn_away(fd);
			else
				adopt(k, fd);
			if (k != NULL && k == want)
				return;
		}
	}
	timer_set(s, &l->again, 0, on_again);	/* the edge is used up */
}

static void
on_again(struct stack *s, struct timer *t)
{
	accept_all(s, (struct listener *)((char *)t - offsetof(struct listener, again)), NULL);
}

/* Injected, and nobody came: the child has given up meanwhile. */
static void
on_nobody(struct stack *s, struct timer *t)
{
	struct flow *f = (struct flow *)((char *)t - offsetof(struct flow, timer));

	(void)s;
	end((struct ktcp *)f, CLOSE_RESET, true);
}

static void
inject(struct ktcp *k)
{
	struct stack *s = k->f.stack;

	tun_send_packet(s, &k->syn->vh, k->syn->data, k->syn->len);
	accept_all(s, listener_of(s, k->f.src.family), k);
}

/* ---- flow_kind ---- */

static void
on_opened(struct flow *f)
{
	struct ktcp *k = (struct ktcp *)f;

	set_state(k, KT_INJECTED);
	timer_set(f->stack, &f->timer, INJECT_MS, on_nobody);
	inject(k);
}

/* cf-policy(7): what connect() of the child returns. */
static void
on_refused(struct flow *f, const struct msg_refused *m)
{
	struct ktcp *k = (struct ktcp *)f;
	struct icmp_error e;
	bool known;

	if (m->why == REFUSED_ERRNO && m->err == ETIMEDOUT)
		return;			/* silence: the child's own timer says so */
	known = (m->why == REFUSED_POLICY || m->why == REFUSED_ERRNO || m->why == REFUSED_ICMP) &&
	    refused_error(m, f->src.family, &e);
	if (!known && !icmp_error_of(ECONNREFUSED, f->src.family, 0, &e))
		return;
	syn_refuse(k, &e, m->offender.family == f->src.family ? &m->offender : NULL);
}

static void
on_ready(struct flow *f)
{
	advance((struct ktcp *)f);
}

/* An error behind an end of file: no read would notice it. */
static void
on_error(struct flow *f)
{
	struct ktcp *k = (struct ktcp *)f;

	if (k->state == KT_RELAY && k->down_done)
		end(k, CLOSE_PEER, true);
}

/* As own TCP's: what the tree has closed is drained when the host end has it all. */
static enum drain
on_drained(const struct flow *f, bool empty)
{
	const struct ktcp *k = (const struct ktcp *)f;

	if (k->state == KT_HELD)
		return DRAIN_DONE;
	if (k->state == KT_INJECTED || k->child.rdhup)
		return k->up_done ? DRAIN_DONE : DRAIN_WAIT;
	return empty ? DRAIN_WAIT : DRAIN_RESET;
}

static void
on_aborted(struct flow *f)
{
	struct ktcp *k = (struct ktcp *)f;
	struct icmp_error e;

	take_totals(k);
	if (icmp_error_of(ECONNREFUSED, f->src.family, 0, &e))
		syn_refuse(k, &e, NULL);
	sock_close(&k->child, true);
}

static void
on_done(struct flow *f)
{
	struct ktcp *k = (struct ktcp *)f;
	struct pipes *pipes = &ktcp_all(f->stack)->pipes;

	set_state(k, KT_ENDED);
	sock_close(&k->child, true);
	pump_drop(&k->up, pipes);
	pump_drop(&k->down, pipes);
	syn_drop(k);
}

static const struct flow_kind ktcp_kind = {
	.name = "kernel tcp", .size = sizeof(struct ktcp), .fds = 1,
	.opened = on_opened, .refused = on_refused,
	.readable = on_ready, .writable = on_ready, .error = on_error, .run = on_ready,
	.drained = on_drained, .aborted = on_aborted, .done = on_done,
};

/* ---- packets ---- */

static void
on_new(struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh, uint32_t seq)
{
	struct ktcp *k;

	k = (struct ktcp *)flow_new(s, &ktcp_kind, PROTO_TCP, &p->src, &p->dst);
	if (k == NULL) {
		refuse_plainly(s, p);
		return;
	}
	k->child.fd = -1;
	if (!syn_keep(k, p, vh, seq) || !flow_open(&k->f, p))
		flow_end(&k->f, CLOSE_CANCEL);	/* no answer: the child sends its SYN again */
}

/*
 * Once more, or another socket on the same tuple.  In both cases the newest is what the child's
 * kernel will know best, and what was asked of cf-proxy is the same.
 */
static void
on_once_more(struct ktcp *k, const struct pkt *p, const struct virtio_net_hdr *vh, uint32_t seq)
{
	if (syn_keep(k, p, vh, seq) && k->state == KT_INJECTED)
		inject(k);
}

/* No SYN of a kernel's own, or one that is for us to answer. */
static bool
is_ours(const struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh)
{
	return vh->gso_type == VIRTIO_NET_HDR_GSO_NONE && p->src.port != 0 && p->dst.port != 0 &&
	    p->dst.port != INSIDE_DNS_PORT && !stack_is_gateway(s, &p->dst) &&
	    (pkt_l4(p)[12] & RESERVED_OWN) == 0;
}

bool
ktcp_input(struct stack *s, const struct pkt *p, const struct virtio_net_hdr *vh)
{
	struct listener *l = listener_of(s, p->family);
	struct tcp_seg_in in;
	struct flow *f;
	bool mine, syn;

	if (l->fd == -1 || !tcp_parse(p, &in))
		return false;
	f = flow_find(s, PROTO_TCP, &p->src, &p->dst);
	mine = f != NULL && f->kind == &ktcp_kind;
	syn = (in.flags & (TF_SYN | TF_ACK | TF_RST)) == TF_SYN;
	if (!syn)
		return mine;		/* only SYNs come here; a raw socket may send what it likes */
	if (!is_ours(s, p, vh)) {
		if (mine)
			flow_end(f, CLOSE_CANCEL);
		return false;
	}
	if (mine && ((struct ktcp *)f)->state == KT_INJECTED) {
		accept_all(s, l, NULL);	/* is it about a connection that was there? */
		f = flow_find(s, PROTO_TCP, &p->src, &p->dst);
		mine = f != NULL;
	}
	if (f != NULL && !mine)
		flow_end(f, CLOSE_RESET);	/* own TCP's: its socket is gone, the tuple is in use again */
	if (mine)
		on_once_more((struct ktcp *)f, p, vh, in.seq);
	else
		on_new(s, p, vh, in.seq);
	return true;
}

/* ---- the loop ---- */

static void
child_event(struct ktcp *k, uint32_t events)
{
	if (k->f.dead || k->state != KT_RELAY)
		return;
	sock_event(&k->child, events);
	if (events & EPOLLERR)
		fail_child(k);
	advance(k);
}

bool
ktcp_event(struct stack *s, void *data, uint32_t events)
{
	struct ktcp_all *all = ktcp_all(s);
	uintptr_t at = (uintptr_t)data;

	if (at & CHILD_BIT) {
		child_event((struct ktcp *)(at & ~(uintptr_t)CHILD_BIT), events);
		return true;
	}
	for (size_t i = 0; i < 2; i++) {
		if (data == &all->listener[i]) {
			accept_all(s, &all->listener[i], NULL);
			return true;
		}
	}
	return false;
}

/* ---- start ---- */

bool
ktcp_listen(struct stack *s, const struct msg_listen *m, int fd)
{
	struct listener *l = listener_of(s, m->family);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = l };
	int on = 1;

	if (l->fd != -1 || setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) != 0 ||
	    (s->epoll_fd != -1 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)) {
		close(fd);
		return false;
	}
	l->fd = fd;
	log_debug("TCP over IPv%u is done by the kernel of the command tree (port %u)",
	    m->family, m->port);
	return true;
}

void
ktcp_open(struct stack *s)
{
	pipes_open(&ktcp_all(s)->pipes);
}

bool
ktcp_all_init(struct stack *s)
{
	struct ktcp_all *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return false;
	TAILQ_INIT(&all->injected);
	all->listener[0].fd = all->listener[1].fd = -1;
	s->ktcp = all;
	return true;
}

void
ktcp_all_done(struct stack *s)
{
	struct ktcp_all *all = ktcp_all(s);

	if (all == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		if (all->listener[i].fd != -1)
			close(all->listener[i].fd);
	pipes_done(&all->pipes);
	free(all);
	s->ktcp = NULL;
}

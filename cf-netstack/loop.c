/*
 * loop.c - the loop of cf-netstack.
 *
 * One epoll has all that the stack serves: the TUN, the host ends and the channels.  A turn is
 * one epoll_wait, what it told of, the end of the turn (run list, deadlines, what is to be freed),
 * and the frames that were queued meanwhile.  An epoll inside libuv's would ask the kernel
 * twice about each packet, and a request and its answer are four packets.  A stack that has
 * nothing to do sleeps without a time limit.
 *
 * A second epoll has the channels alone: it is slept on while packets have to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

#include "capture.h"
#include "host.h"
#include "inside.h"
#include "ktcp.h"
#include "log.h"
#include "pump.h"
#include "tun_io.h"

#define EVENTS		64

static const struct sandbox_row loop_rows[] = {
	ALLOW(epoll_ctl,	"watch sockets that come, and channels that are full"),
#ifdef SYS_epoll_wait
	ALLOW(epoll_wait,	"sleep until something happens"),
#endif
	ALLOW(epoll_pwait,	"the same, where there is no other"),
	{ 0 }
};

const struct sandbox_row *const netstack_sandbox[] = {
	sandbox_base, loop_rows, sandbox_chan_plain, tun_rows, host_rows, dsock_rows, sock_rows,
	pump_rows, ktcp_rows, NULL
};
const struct sandbox_role netstack_role = {
	.name = "cf-netstack", .does = "IP, TCP, UDP and ICMP for the tree",
	.tables = netstack_sandbox, .leaves = SANDBOX_NO_NET,
};

void
loop_clock(struct stack *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	s->now_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
	s->now = s->now_us / 1000u;
}

/* ---- channels ---- */

static void
end_ctl(struct loop *l, struct end *e, int op, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = e };

	if (epoll_ctl(l->stack->epoll_fd, op, fd, &ev) != 0 ||
	    epoll_ctl(l->chans_fd, op, fd, &ev) != 0)
		fatal("cannot watch a channel");
}

void
loop_watch(struct loop *l, struct chan *c, void (*on_end)(struct chan *, const char *))
{
	struct end *e = &l->ends[l->n_ends++];

	*e = (struct end){ .chan = c, .on_end = on_end };
	end_ctl(l, e, EPOLL_CTL_ADD, chan_rfd(c), EPOLLIN);
}

/* full: tell when there is room to write. */
static void
set_full(struct loop *l, struct end *e, bool full)
{
	int rfd = chan_rfd(e->chan), wfd = chan_wfd(e->chan);

	if (full == e->full)
		return;
	e->full = full;
	if (rfd == wfd)
		end_ctl(l, e, EPOLL_CTL_MOD, rfd, EPOLLIN | (full ? EPOLLOUT : 0));
	else
		end_ctl(l, e, full ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, wfd, EPOLLOUT);
}

static void
end_of(struct loop *l, struct end *e, const char *why)
{
	if (e->ended)
		return;
	set_full(l, e, false);
	end_ctl(l, e, EPOLL_CTL_DEL, chan_rfd(e->chan), 0);
	e->ended = true;
	e->on_end(e->chan, why);
}

static void
end_write(struct loop *l, struct end *e)
{
	int rc;

	if (e->ended || (chan_backlog(e->chan) == 0 && chan_why(e->chan) == NULL))
		return;
	if ((rc = chan_flush(e->chan)) < 0)
		end_of(l, e, chan_why(e->chan));
	else
		set_full(l, e, rc == 1);
}

static void
end_ready(struct loop *l, struct end *e, uint32_t events)
{
	int rc;

	if (events & EPOLLOUT)
		end_write(l, e);
	if (e->ended || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	if ((rc = chan_read(e->chan)) <= 0)
		end_of(l, e, rc == 0 ? NULL : chan_why(e->chan));
}

/* ---- a turn ---- */

static bool
is_channel(const struct loop *l, const void *p)
{
	const struct end *e = p;

	return e >= l->ends && e < l->ends + ENDS_MAX;
}

/*
 * Packets first: the ACKs among them give the buffers back that the host ends are read into.  Then
 * channels: a RESET that was sent before a host end was shut has to be seen before its end of file.
 */
static bool
dispatch(struct loop *l, const struct epoll_event *ev, int n)
{
	bool more = n == EVENTS;

	for (int i = 0; i < n; i++)
		if (ev[i].data.ptr == NULL)
			more |= tun_read_burst(l->stack);
	for (int i = 0; i < n; i++)
		if (is_channel(l, ev[i].data.ptr))
			end_ready(l, ev[i].data.ptr, ev[i].events);
	for (int i = 0; i < n; i++)
		if (ev[i].data.ptr != NULL && !is_channel(l, ev[i].data.ptr) &&
		    !ktcp_event(l->stack, ev[i].data.ptr, ev[i].events))
			host_event(ev[i].data.ptr, ev[i].events);
	return more;
}

/* cf-capture is behind: no packet may be missing, so none is taken or made until it reads. */
static bool
capture_is_full(const struct loop *l)
{
	size_t backlog = l->stack->capture != NULL ? chan_backlog(l->stack->capture) : 0;

	if (l->stack->capture_drop)
		return false;
	return backlog > (l->serving ? CAPTURE_BACKLOG_MAX : CAPTURE_BACKLOG_MAX / 2);
}

/* How long to sleep, in ms; -1: until something happens. */
static int
time_left(const struct stack *s)
{
	uint64_t at, wait;

	if (s->timers.n == 0)
		return -1;
	at = s->timers.heap[0]->at;
	wait = at > s->now ? at - s->now : 0;
	return wait < INT_MAX ? (int)wait : INT_MAX;
}

/* true: there is more to do at once. */
static bool
end_turn(struct loop *l)
{
	struct stack *s = l->stack;
	bool more = stack_turn(s);

	chans_turn(l);
	for (size_t i = 0; i < l->n_ends; i++)
		if (!l->ends[i].full)
			end_write(l, &l->ends[i]);
	l->serving = s->tun.fd != -1 && (!s->ending || l->finishing) && !l->cut_off &&
	    !capture_is_full(l);
	return more;
}

int
loop_run(struct loop *l)
{
	struct epoll_event ev[EVENTS];
	struct stack *s = l->stack;
	bool more = false;
	int n;

	loop_clock(s);
	chans_start(l);
	for (;;) {
		more |= end_turn(l);
		if (l->stop)
			return l->status;
		n = epoll_wait(l->serving ? s->epoll_fd : l->chans_fd, ev, EVENTS,
		    more && l->serving ? 0 : time_left(s));
		loop_clock(s);
		more = dispatch(l, ev, n) && l->serving;
	}
}

/* ---- start ---- */

/* --tun-fd: the device as it is; cf-spawn says by MSG_TUN what it made. */
static void
tun_inherit(struct stack *s, int fd)
{
	static const unsigned offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	struct ifreq ifr = { 0 };
	int header = sizeof(struct virtio_net_hdr);
	bool granted;

	if (ioctl(fd, TUNGETIFF, &ifr) != 0)
		fatal("--tun-fd %d is not a TUN device", fd);
	if ((ifr.ifr_flags & (IFF_TUN | IFF_NO_PI | IFF_VNET_HDR)) !=
	    (IFF_TUN | IFF_NO_PI | IFF_VNET_HDR) || ioctl(fd, TUNSETVNETHDRSZ, &header) != 0)
		fatalx("--tun-fd %d: needs IFF_TUN, IFF_NO_PI and IFF_VNET_HDR", fd);
	granted = ioctl(fd, TUNSETOFFLOAD, offloads) == 0;
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
	    !tun_open(s, fd, INSIDE_MTU, granted ? offloads : 0))
		fatal("cannot watch the TUN device");
}

void
loop_open(struct loop *l, struct stack *s, const struct loop_fds *fds)
{
	*l = (struct loop){ .stack = s };
	s->loop = l;
	if (!stack_init(s))
		fatalx("out of memory");
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->chans_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd == -1 || l->chans_fd == -1)
		fatal("cannot make an epoll");
	chans_open(l, fds);
	ktcp_open(s);
	if (fds->tun != -1)
		tun_inherit(s, fds->tun);
}

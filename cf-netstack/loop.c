/*
 * loop.c - the libuv loop of cf-netstack.
 *
 * libuv sleeps on the channels, one timer and one descriptor, the inner epoll of tun_io.c.
 * The prepare handle is the end of each turn: run list, deadlines, what is to be freed, and what to
 * wake up for.  A stack that has nothing to do has no timer and does not wake up.
 *
 * What must stay true: our prepare handle runs before those of the channels (libuv runs the one
 * that was started last first), so that frames queued by it leave in the same turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

#include "capture.h"
#include "host.h"
#include "inside.h"
#include "log.h"
#include "tun_io.h"

#define POLLS_A_TURN	8		/* then the channels have their turn */

const struct sandbox_row *const netstack_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, tun_rows, host_rows, dsock_rows, NULL
};

void
loop_clock(struct stack *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	s->now_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
	s->now = s->now_us / 1000u;
}

static void	on_inner(uv_poll_t *, int, int);

static void
watch(struct loop *l, bool on)
{
	if (on && !l->watching)
		uv_poll_start(&l->inner, UV_READABLE, on_inner);
	else if (!on && l->watching)
		uv_poll_stop(&l->inner);
	l->watching = on;
}

/* cf-capture is behind: no packet may be missing, so none is taken or made until it reads. */
static bool
capture_is_full(const struct loop *l)
{
	size_t backlog = l->stack->capture != NULL ? chan_backlog(l->stack->capture) : 0;

	return backlog > (l->watching ? CAPTURE_BACKLOG_MAX : CAPTURE_BACKLOG_MAX / 2);
}

static void
on_inner(uv_poll_t *h, int status, int events)
{
	struct loop *l = h->data;
	bool more = true;

	(void)status, (void)events;
	loop_clock(l->stack);
	for (int i = 0; i < POLLS_A_TURN && more; i++) {
		if (capture_is_full(l))
			break;
		more = tun_poll(l->stack);
		more |= stack_turn(l->stack);
	}
}

static void
on_timer(uv_timer_t *h)
{
	(void)h;			/* stack_turn() in the prepare handle does the work */
}

static void
on_busy(uv_idle_t *h)
{
	(void)h;			/* its being active keeps the loop from sleeping */
}

/* Wake up for the earliest deadline.  A timer that is early enough is left as it is. */
static void
arm(struct loop *l)
{
	struct stack *s = l->stack;
	uint64_t wait;

	if (s->timers.n == 0) {
		uv_timer_stop(&l->timer);
		return;
	}
	wait = s->timers.heap[0]->at > s->now ? s->timers.heap[0]->at - s->now : 0;
	if (uv_is_active((uv_handle_t *)&l->timer) && uv_timer_get_due_in(&l->timer) == wait)
		return;
	uv_update_time(&l->uv);
	uv_timer_start(&l->timer, on_timer, wait, 0);
}

static void
on_prepare(uv_prepare_t *h)
{
	struct loop *l = h->data;
	struct stack *s = l->stack;
	bool more;

	loop_clock(s);
	more = stack_turn(s);
	chans_turn(l);
	arm(l);
	watch(l, s->tun.fd != -1 && (!s->ending || l->finishing) && !l->cut_off &&
	    !capture_is_full(l));
	if (more && l->watching)
		uv_idle_start(&l->busy, on_busy);
	else
		uv_idle_stop(&l->busy);
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

static void
handle_check(int rc, const char *what)
{
	if (rc != 0)
		fatalx("cannot set up %s: %s", what, uv_strerror(rc));
}

void
loop_open(struct loop *l, struct stack *s, const struct loop_fds *fds)
{
	*l = (struct loop){ .stack = s };
	s->loop = l;
	if (!stack_init(s))
		fatalx("out of memory");
	if ((s->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		fatal("cannot make an epoll");
	handle_check(uv_loop_init(&l->uv), "the loop");
	handle_check(uv_poll_init(&l->uv, &l->inner, s->epoll_fd), "the inner epoll");
	handle_check(uv_timer_init(&l->uv, &l->timer), "a timer");
	handle_check(uv_idle_init(&l->uv, &l->busy), "an idle handle");
	handle_check(uv_prepare_init(&l->uv, &l->prepare), "a prepare handle");
	l->inner.data = l->timer.data = l->busy.data = l->prepare.data = l;
	chans_open(l, fds);
	if (fds->tun != -1)
		tun_inherit(s, fds->tun);
}

int
loop_run(struct loop *l)
{
	loop_clock(l->stack);
	chans_start(l);
	uv_prepare_start(&l->prepare, on_prepare);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	return l->status;
}

/*
 * stack.c - the channel to cf-netstack, on which a run begins and ends.
 *
 *	starting   -> HELLO, and the TUN with its descriptor
 *	           <- HELLO: the whole chain is ready; the command may start
 *	finishing  -> FINISH: deliver what was sent, and end
 *	           <- FINISHED, then the end of the channel
 *
 * What must stay true: the command starts when both have happened, the TUN has gone over and
 * HELLO has come.  Garbage, or an end of the channel before FINISHED, is the run's failure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chan.h"
#include "inside.h"
#include "log.h"
#include "run.h"

static void
maybe_start_command(struct run *r)
{
	if (r->state != STARTING || !r->ready || !r->have_tun)
		return;
	run_step(r, "the helpers are ready");
	attach_said(r->conf);
	status_ready(r);
	child_go_on(&r->child);
	r->state = RUNNING;
}

static void
on_hello(struct chan *c)
{
	struct run *r = chan_arg(c);

	r->ready = true;
	maybe_start_command(r);
}

static void
on_finished(struct chan *c, const struct frame *f, int fd)
{
	struct run *r = chan_arg(c);

	(void)f, (void)fd;
	r->state = FINISHED;
}

static const struct chan_handler handlers[] = {
	{ MSG_FINISHED, on_finished },
	{ 0, NULL }
};

static void
flush(struct run *r)
{
	if (chan_flush(r->control) < 0)
		failure_helper(r);
}

bool
stack_again(struct run *r)
{
	if (chan_backlog(r->control) > 0)
		flush(r);
	return chan_backlog(r->control) > 0;
}

void
stack_open(struct run *r)
{
	r->control = chan_new(r->helpers.control_fd, r->helpers.control_fd, R_SPAWN, R_STACK, r);
	if (r->control == NULL)
		fatal("cannot talk to cf-netstack");
	chan_handlers(r->control, handlers);
	chan_on_hello(r->control, on_hello);
	chan_hello(r->control, MSG_CAP_FD);
	flush(r);
}

void
stack_tun(struct run *r, int tun_fd, unsigned offloads)
{
	uint8_t body[MSG_TUN_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_tun_put(&w, &(struct msg_tun){ .mtu = INSIDE_MTU, .offloads = offloads });
	chan_send(r->control, MSG_TUN, 0, body, sizeof(body), NULL, 0, tun_fd);
	flush(r);
	run_step(r, "the TUN is there");
	r->have_tun = true;
	maybe_start_command(r);
}

void
stack_finish(struct run *r, bool empty)
{
	uint8_t body[MSG_FINISH_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_finish_put(&w, &(struct msg_finish){ .flags = empty ? FINISH_EMPTY : 0 });
	chan_send(r->control, MSG_FINISH, 0, body, sizeof(body), NULL, 0, -1);
	r->state = FINISHING;
	flush(r);
}

void
stack_read(struct run *r)
{
	int rc = chan_read(r->control);

	if (rc > 0 || r->state == FINISHED || r->hurry)	/* hurried: we have killed it */
		return;
	if (rc < 0)
		failure_garbage(r, "cf-netstack", chan_why(r->control));
	helpers_reap(&r->helpers);
	failure_helper(r);
}

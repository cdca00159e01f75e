/*
 * pass.c - payload between a TLS session with a proxy and the socket that stands for it.
 *
 *	proxy ══ net ══> TLS ──> in ──> local ══> whoever has the flow
 *	      <════════ out <── TLS <──────────
 *
 * What must stay true: nothing is read from one side while there is something for the other, so a
 * tunnel holds at most one CHUNK each way, and a slow reader slows its writer.  An end of
 * one direction goes on as one; when whoever has the flow is gone, what it sent still
 * goes out.
 *
 * That a proxy broke off, and did not end, cannot be told on a unix socket.  So when all that came
 * before has been read by whoever has the flow, the dialler hears of it (UNTUNNELLED), who has it reset.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream.h"

const struct sandbox_row pass_rows[] = {
	ALLOW_ARG2(socketpair, 0, AF_UNIX, 1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    "a socket that stands for a TLS session"),
	ALLOW(shutdown, "the end of one direction"),
	ALLOW_ARG(ioctl, 1, SIOCOUTQ, "has all been read that was sent?"),
	{ 0 }
};

static uint8_t	scratch[CHUNK];

/* Plain bytes go to the local side; false: it is gone. */
static bool
deliver(struct tunnel *t)
{
	ssize_t n;

	while (t->in.len > 0) {
		n = send(t->local.fd, t->in.p + t->in.off, t->in.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		buf_take(&t->in, (size_t)n);
	}
	return true;
}

/* Ends that are due are passed on; false: all is over. */
static bool
ends(struct tunnel *t)
{
	if (t->net_eof && t->in.len == 0 && !t->local_shut) {
		t->local_shut = true;
		shutdown(t->local.fd, SHUT_WR);
	}
	if (t->local_eof && t->out.len == 0 && !t->net_shut) {
		t->net_shut = true;
		tls_end(t->tls[t->n_tls - 1]);
		if (!wire_gather(t) || wire_flush(t) == -1)
			return false;
		shutdown(t->net.fd, SHUT_WR);
	}
	return !t->net_shut || !t->local_shut;
}

/* Nothing more comes or goes; what has come is delivered yet. */
static void
broke(struct tunnel *t, int err)
{
	if (t->broken != 0)
		return;
	t->broken = err != 0 ? err : ECONNRESET;
	t->net_eof = t->net_shut = t->local_shut = t->local_eof = true;
	buf_free(&t->out);
	(void)serve_arm(&t->net, 0, false);
	close(t->net.fd);
	t->net.fd = -1;
	serve_broken(t);
}

bool
pass_lost(struct tunnel *t)
{
	uint8_t body[MSG_UNTUNNELLED_LEN];
	struct wr w = wr_over(body, sizeof(body));
	int unread = 0;

	if (t->in.len > 0 || (ioctl(t->local.fd, SIOCOUTQ, &unread) == 0 && unread > 0))
		return false;
	msg_untunnelled_put(&w, &(struct msg_untunnelled){ .no = { .why = REFUSED_ERRNO,
	    .err = (uint32_t)t->broken } });
	chan_send(t->up->chan, MSG_UNTUNNELLED, t->id, body, sizeof(body), NULL, 0, -1);
	return true;
}

/* Of one that broke off only the local side is left. */
static void
rearm_broken(struct tunnel *t)
{
	if (!deliver(t) || !serve_arm(&t->local, t->in.len > 0 ? EPOLLOUT : 0, true))
		serve_drop(t);
}

static void
rearm(struct tunnel *t)
{
	uint32_t net = t->out.len > 0 ? EPOLLOUT : 0, local = t->in.len > 0 ? EPOLLOUT : 0;

	if (t->in.len == 0 && !t->net_eof)
		net |= EPOLLIN;
	if (t->out.len == 0 && !t->local_eof)
		local |= EPOLLIN;
	if (!serve_arm(&t->net, net, false) ||
	    !serve_arm(&t->local, local, t->local_eof && !t->local_shut))
		serve_drop(t);
}

static void
go_on(struct tunnel *t)
{
	if (t->broken == 0 && wire_flush(t) == -1)
		broke(t, errno);
	if (t->broken != 0)
		rearm_broken(t);
	else if (!deliver(t) || !ends(t))
		serve_drop(t);
	else
		rearm(t);
}

static void
net_read(struct tunnel *t)
{
	if (t->in.len == 0 && !t->net_eof && wire_recv(t) == -1)
		broke(t, errno);
}

/* false: nothing more will come, and nobody is there. */
static bool
local_read(struct tunnel *t)
{
	ssize_t n;

	if (t->out.len > 0 || t->local_eof)
		return true;
	n = recv(t->local.fd, scratch, sizeof(scratch), MSG_DONTWAIT);
	if (n == -1)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		t->local_eof = true;
	else if (!wire_send(t, scratch, (size_t)n))
		return false;
	return true;
}

int
pass_begin(struct tunnel *t)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0)
		return -1;
	t->local = (struct end){ .tunnel = t, .fd = fd[0] };
	t->step = STEP_PASS;
	return fd[1];
}

void
pass_start(struct tunnel *t)
{
	go_on(t);
}

void
pass_ready(struct tunnel *t, struct end *e, uint32_t events)
{
	bool gone = e == &t->local && (events & (EPOLLHUP | EPOLLERR)) != 0;

	if (e == &t->net && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		net_read(t);
	if (e == &t->local && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !local_read(t)) {
		serve_drop(t);
		return;
	}
	/* Nobody will read: only what is on its way out counts. */
	if (gone && t->broken != 0) {
		serve_drop(t);
		return;
	}
	if (gone) {
		buf_free(&t->in);
		t->net_eof = t->local_shut = true;
	}
	go_on(t);
}

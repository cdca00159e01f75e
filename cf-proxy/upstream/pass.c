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
 * That a proxy broke off, and did not end, cannot be told on a unix socket: it is an end too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "upstream.h"

const struct sandbox_row pass_rows[] = {
	ALLOW_ARG2(socketpair, 0, AF_UNIX, 1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    "a socket that stands for a TLS session"),
	ALLOW(shutdown, "the end of one direction"),
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
	if (wire_flush(t) == -1 || !deliver(t) || !ends(t))
		serve_drop(t);
	else
		rearm(t);
}

static void
net_read(struct tunnel *t)
{
	if (t->in.len == 0 && !t->net_eof && wire_recv(t) == -1)
		t->net_eof = true;
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
	go_on(t);
	return fd[1];
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
	if (gone) {
		buf_free(&t->in);
		t->net_eof = t->local_shut = true;
	}
	go_on(t);
}

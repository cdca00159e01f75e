/*
 * sock.c - see sock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

const struct sandbox_row sock_rows[] = {
	ALLOW(recvfrom,		"payload from a connected socket"),
	ALLOW_NULL(sendto, 4,	"payload to a connected socket; never with an address"),
	ALLOW(splice,		"payload from socket to socket, by a pipe of our own"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_LINGER, "pass a reset on"),
	{ 0 }
};

static bool
is_passing(int err)
{
	return err == EAGAIN || err == EINTR || err == ENOBUFS;
}

/* The call has failed: for now, or for good. */
static ssize_t
failed(bool *ready, int *err)
{
	if (is_passing(errno)) {
		*ready = false;
		return HOST_AGAIN;
	}
	*err = errno;
	return HOST_ERROR;
}

ssize_t
sock_recv(struct sock *s, void *data, size_t len, int *err)
{
	ssize_t n = recv(s->fd, data, len, MSG_DONTWAIT);

	if (n < 0)
		return failed(&s->readable, err);
	if ((size_t)n < len && !s->rdhup && !s->urgent)
		s->readable = false;	/* drained; more makes a new edge */
	return n;
}

ssize_t
sock_send(struct sock *s, const void *data, size_t len, int *err)
{
	ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0) {
		n = failed(&s->writable, err);
		return n == HOST_AGAIN ? 0 : n;
	}
	if ((size_t)n < len)
		s->writable = false;
	return n;
}

/*
 * A short answer says nothing: each piece of a packet takes a slot of the pipe.  Nor does EAGAIN where
 * urgent data may stand first, which a splice never takes.
 */
ssize_t
sock_splice_in(struct sock *s, int pipe_fd, size_t len, int *err)
{
	ssize_t n = splice(s->fd, NULL, pipe_fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0 && s->urgent && is_passing(errno))
		return 0;
	return n < 0 ? failed(&s->readable, err) : n;
}

ssize_t
sock_splice_out(struct sock *s, int pipe_fd, size_t len, int *err)
{
	ssize_t n = splice(pipe_fd, NULL, s->fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (n < 0) {
		n = failed(&s->writable, err);
		return n == HOST_AGAIN ? 0 : n;
	}
	return n;
}

void
sock_event(struct sock *s, uint32_t events)
{
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->rdhup = true;
	if (events & EPOLLPRI)
		s->urgent = true;
	if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		s->writable = true;
}

void
sock_close(struct sock *s, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	if (s->fd == -1)
		return;
	if (reset)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(s->fd);
	s->fd = -1;
	s->readable = s->writable = false;
}

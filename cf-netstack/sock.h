/*
 * sock.h - a connected stream socket that is edge triggered, and what is known of its readiness.
 *
 * What must stay true: `readable` and `writable` are only cleared when the kernel said EAGAIN, or
 * when it gave or took less than was asked while no end of file was announced and nothing urgent
 * (recv(2) stops before its mark).  The end of the stream is only ever believed to recv:
 * urgent data stops splice(2) for good.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SOCK_H
#define CF_SOCK_H

#include <sys/epoll.h>

#include "stack.h"

struct sock {
	int	fd;			/* -1: none */
	bool	readable, writable;	/* what it was last known to be */
	bool	rdhup;			/* an end of file is near: a short read is not the last */
	bool	urgent;			/* a read may stop at a mark: neither */
};

/* As host_recv and host_send of a stream (stack.h). */
ssize_t	sock_recv(struct sock *, void *data, size_t len, int *err);
ssize_t	sock_send(struct sock *, const void *data, size_t len, int *err);
/* Into a pipe that is empty; out of one that has len bytes.  0 in: ask recv. */
ssize_t	sock_splice_in(struct sock *, int pipe_fd, size_t len, int *err);
ssize_t	sock_splice_out(struct sock *, int pipe_fd, size_t len, int *err);
/* Events of epoll(7), and those to ask for. */
#define SOCK_EVENTS	(EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)
void	sock_event(struct sock *, uint32_t events);
/* Close it; reset: the peer is to see a RST. */
void	sock_close(struct sock *, bool reset);

extern const struct sandbox_row sock_rows[];

#endif

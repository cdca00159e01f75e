/*
 * pump.c - see pump.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_SMALL	(16 * 1024)	/* a read that fills it promises more */
#define COPY_LARGE	(64 * 1024)	/* where nothing can be spliced */
#define FULL_READS	2
#define SMALL_PIECE	(8 * 1024)
#define SMALL_PIECES	8
#define SHARE		(1024 * 1024)	/* bytes in a turn, then others have theirs */

const struct sandbox_row pump_rows[] = {
	ALLOW(read,	"empty a pipe that another flow will use"),
	{ 0 }
};

static uint8_t scratch[COPY_LARGE];	/* one thread, and nothing stays here */

/* ---- pipes ---- */

void
pipes_open(struct pipes *ps)
{
	int fd[2];

	for (ps->n = 0; ps->n < PIPES_MAX; ps->n++) {
		if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) != 0)
			return;
		/* One page is no gain over a copy: a user who has too many pipes gets no more. */
		if (fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE) < PIPE_SIZE) {
			close(fd[0]);
			close(fd[1]);
			return;
		}
		ps->free[ps->n] = (struct pipe_pair){ .rfd = fd[0], .wfd = fd[1] };
	}
}

void
pipes_done(struct pipes *ps)
{
	while (ps->n > 0) {
		ps->n--;
		close(ps->free[ps->n].rfd);
		close(ps->free[ps->n].wfd);
	}
}

static bool
pipe_take(struct pipes *ps, struct pump *p)
{
	if (ps->n == 0)
		return false;
	p->pipe = ps->free[--ps->n];
	return true;
}

static void
pipe_give(struct pipes *ps, struct pump *p)
{
	ps->free[ps->n++] = p->pipe;
}

/* What a flow that has died left in it must not reach another. */
static void
pipe_give_dirty(struct pipes *ps, struct pump *p)
{
	ssize_t n;

	do
		n = read(p->pipe.rfd, scratch, sizeof(scratch));
	while (n > 0);
	if (n < 0 && errno == EAGAIN) {
		pipe_give(ps, p);
		return;
	}
	close(p->pipe.rfd);
	close(p->pipe.wfd);
}

/* ---- out ---- */

/* What waits goes first.  PUMP_EOF: nothing waits any more. */
static enum pump_state
flush_pipe(struct pump *p, struct pipes *ps, const struct pump_end *to, int *err)
{
	ssize_t n;

	while (p->piped > 0) {
		if (!*to->writable)
			return PUMP_WAIT;
		n = to->ops->splice_out(to->arg, p->pipe.rfd, p->piped, err);
		if (n == HOST_ERROR)
			return PUMP_TO;
		if (n <= 0)
			return PUMP_WAIT;
		p->piped -= (uint32_t)n;
		if (p->piped == 0)
			pipe_give(ps, p);
	}
	return PUMP_EOF;
}

static enum pump_state
flush_left(struct pump *p, const struct pump_end *to, int *err)
{
	ssize_t n;

	while (p->left != NULL) {
		if (!*to->writable)
			return PUMP_WAIT;
		n = to->ops->send(to->arg, p->left + p->off, p->len - p->off, err);
		if (n == HOST_ERROR)
			return PUMP_TO;
		if (n <= 0)
			return PUMP_WAIT;
		p->off += (uint32_t)n;
		if (p->off == p->len) {
			free(p->left);
			p->left = NULL;
		}
	}
	return PUMP_EOF;
}

static bool
keep(struct pump *p, const uint8_t *data, size_t len)
{
	if ((p->left = malloc(len)) == NULL)
		return false;
	memcpy(p->left, data, len);
	p->off = 0;
	p->len = (uint32_t)len;
	return true;
}

/* ---- in ---- */

/* One read and its send.  PUMP_MORE: go on. */
static enum pump_state
copy(struct pump *p, const struct pump_end *from, const struct pump_end *to, size_t *moved, int *err)
{
	bool both = from->can_splice && to->can_splice;
	size_t len = both ? COPY_SMALL : COPY_LARGE;
	ssize_t n = from->ops->recv(from->arg, scratch, len, err), sent;

	if (n == HOST_ERROR)
		return PUMP_FROM;
	if (n == HOST_AGAIN)
		return PUMP_WAIT;
	if (n == HOST_EOF)
		return PUMP_EOF;
	p->full = both && (size_t)n == len ? (uint8_t)(p->full + 1) : 0;
	if (p->full >= FULL_READS) {
		p->bulk = true;
		p->full = p->small = 0;
	}
	if ((sent = to->ops->send(to->arg, scratch, (size_t)n, err)) == HOST_ERROR)
		return PUMP_TO;
	sent = sent > 0 ? sent : 0;
	*moved += (size_t)n;
	if (sent < n && !keep(p, scratch + sent, (size_t)(n - sent))) {
		*err = ENOMEM;
		return PUMP_TO;
	}
	return PUMP_MORE;
}

/* Fill a pipe.  PUMP_EOF: nothing came, but what there is a copy can tell. */
static enum pump_state
fill(struct pump *p, struct pipes *ps, const struct pump_end *from, size_t *moved, int *err)
{
	ssize_t n = from->ops->splice_in(from->arg, p->pipe.wfd, PIPE_SIZE, err);

	if (n <= 0) {
		pipe_give(ps, p);
		return n == HOST_ERROR ? PUMP_FROM : n == HOST_AGAIN ? PUMP_WAIT : PUMP_EOF;
	}
	p->piped = (uint32_t)n;
	*moved += (size_t)n;
	p->small = n < SMALL_PIECE ? (uint8_t)(p->small + 1) : 0;
	if (p->small >= SMALL_PIECES)
		p->bulk = false;
	return PUMP_MORE;
}

static enum pump_state
step(struct pump *p, struct pipes *ps, const struct pump_end *from, const struct pump_end *to,
    size_t *moved, int *err)
{
	enum pump_state st = PUMP_EOF;

	if (p->bulk && pipe_take(ps, p))
		st = fill(p, ps, from, moved, err);
	return st == PUMP_EOF ? copy(p, from, to, moved, err) : st;
}

enum pump_state
pump_run(struct pump *p, struct pipes *ps, const struct pump_end *from, const struct pump_end *to,
    int *err)
{
	enum pump_state st;
	size_t moved = 0;

	do {
		if ((st = flush_pipe(p, ps, to, err)) != PUMP_EOF ||
		    (st = flush_left(p, to, err)) != PUMP_EOF)
			return st;
		if (!*from->readable || !*to->writable)
			return PUMP_WAIT;
		st = step(p, ps, from, to, &moved, err);
	} while (st == PUMP_MORE && moved < SHARE);
	return st;
}

void
pump_drop(struct pump *p, struct pipes *ps)
{
	if (p->piped > 0)
		pipe_give_dirty(ps, p);
	p->piped = 0;
	free(p->left);
	p->left = NULL;
}

/* ---- a socket as an end ---- */

static ssize_t
end_recv(void *arg, void *data, size_t len, int *err)
{
	return sock_recv(arg, data, len, err);
}

static ssize_t
end_send(void *arg, const void *data, size_t len, int *err)
{
	return sock_send(arg, data, len, err);
}

static ssize_t
end_splice_in(void *arg, int pipe_fd, size_t len, int *err)
{
	return sock_splice_in(arg, pipe_fd, len, err);
}

static ssize_t
end_splice_out(void *arg, int pipe_fd, size_t len, int *err)
{
	return sock_splice_out(arg, pipe_fd, len, err);
}

struct pump_end
pump_end_of(struct sock *s)
{
	static const struct pump_ops ops = { .recv = end_recv, .send = end_send,
	    .splice_in = end_splice_in, .splice_out = end_splice_out };

	return (struct pump_end){ .ops = &ops, .arg = s, .readable = &s->readable,
	    .writable = &s->writable, .can_splice = true };
}

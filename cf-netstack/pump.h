/*
 * pump.h - one direction of a stream between two ends: copied where little is under way, moved
 * by splice where much is.
 *
 *               two reads in a row filled the buffer
 *       COPY  -------------------------------------->  BULK
 *    recv, send <------------------------------------  splice, splice
 *               eight small pieces, or no pipe is free
 *
 * A copy is cheaper for a request and its answer, a splice for what is longer.  The pipe of a
 * splice is borrowed from a pool that all flows share, and only while something is in it, so
 * that a flow which is idle costs none.
 *
 * What must stay true: what was read is delivered, in order, before the end is; a pipe goes
 * back to the pool empty, or not at all, so that no flow sees a byte of another; a source is not
 * read while its destination takes nothing, so what waits here is one pipe or one copy.
 *
 * Pure of flows: it knows descriptors and ends by the functions in struct pump_end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PUMP_H
#define CF_PUMP_H

#include "sock.h"

/* ---- pipes ---- */

#define PIPES_MAX	16
#define PIPE_SIZE	(256 * 1024)	/* of 64 MiB that all pipes of a user may have together */

struct pipe_pair {
	int	rfd, wfd;
};
struct pipes {
	struct pipe_pair free[PIPES_MAX];
	size_t		 n;		/* in free[] */
};
/* Before the seal.  As many as the system gives; without any, all is copied. */
void	pipes_open(struct pipes *);
void	pipes_done(struct pipes *);

/* ---- ends ---- */

struct pump_ops {
	/* As host_recv, host_send. */
	ssize_t	(*recv)(void *, void *data, size_t len, int *err);
	ssize_t	(*send)(void *, const void *data, size_t len, int *err);
	/* As sock_splice_in (0: ask recv), sock_splice_out. */
	ssize_t	(*splice_in)(void *, int pipe_fd, size_t len, int *err);
	ssize_t	(*splice_out)(void *, int pipe_fd, size_t len, int *err);
};
struct pump_end {
	const struct pump_ops *ops;
	void		*arg;		/* of the functions */
	const bool	*readable, *writable;
	bool		 can_splice;
};
/* A socket as an end. */
struct pump_end	pump_end_of(struct sock *);

/* ---- the pump ---- */

struct pump {			/* all zero: nothing has come yet */
	struct pipe_pair pipe;	/* while piped is not 0 */
	uint8_t		*left;	/* copied and not taken; malloc'ed */
	uint32_t	 off, len;	/* of it */
	uint32_t	 piped;		/* bytes in the pipe */
	uint8_t		 full, small;	/* reads in a row that filled the buffer; splices that were small */
	bool		 bulk;
};

enum pump_state {
	PUMP_WAIT,		/* one of the ends has to become ready */
	PUMP_MORE,		/* its share of this turn is used up */
	PUMP_EOF,		/* the source has ended, and all of it is delivered */
	PUMP_FROM,		/* the source has failed: *err */
	PUMP_TO			/* the destination has failed: *err */
};
enum pump_state	pump_run(struct pump *, struct pipes *, const struct pump_end *from,
		    const struct pump_end *to, int *err);
/* Is something here that the destination has not taken? */
static inline bool
pump_holds(const struct pump *p)
{
	return p->piped > 0 || p->left != NULL;
}
/* Give back what it holds. */
void	pump_drop(struct pump *, struct pipes *);

extern const struct sandbox_row pump_rows[];

#endif

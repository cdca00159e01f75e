/*
 * chan.h - one end of a channel: frames in, frames out, descriptors with them.
 *
 * On the other side is another process, which may be hostile: whatever it sends, the
 * outcome is a handler call with a frame that fits its row in msg.h, or the end of the
 * channel with a reason.  A channel is a unix stream socket (descriptors can ride
 * along) or two plain pipes (they cannot).  Both ends send HELLO first; what both
 * can do is in chan_caps().
 *
 * No loop is assumed here: chan_uv.h ties a channel to libuv, cf-spawn polls by hand.
 * Output is gathered and written by chan_flush(), once a turn of the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CHAN_H
#define CF_CHAN_H

#include "frame.h"

struct chan;

#define CHAN_AGAIN_MS	5
/* Exit status of a program whose server has gone: who has ended that says why. */
#define CHAN_FOLLOWED	4

#define CHAN_FDS_A_READ	64	/* as many descriptors come at once; SCM_MAX_FD is 253 */

/* fd is the frame's descriptor or -1; it belongs to the handler. */
typedef void	(*chan_fn)(struct chan *, const struct frame *, int fd);

/* What the other end may ask; a table ends with { 0 }.  Anything else ends the channel. */
struct chan_handler {
	enum msg_type	type;
	chan_fn		fn;
};

/* The two ends of a channel, close-on-exec; ends the process where none can be made. */
void		 chan_pair(int fd[2]);

/*
 * Take over a pair of descriptors (the same one twice for a socket; a socket that was
 * duplicated onto both is noticed).  They become non-blocking and close-on-exec and are
 * closed by chan_free.  peers: the roles that may be at the other end.  arg is for chan_arg().
 * HELLO is queued by chan_hello(), not here.  NULL and errno when memory is out or
 * the descriptors are not open.
 */
struct chan	*chan_new(int rfd, int wfd, enum role me, uint32_t peers, void *arg);
void		 chan_free(struct chan *);	/* NULL is fine */

/* Swap the table: what the peer may ask from the next frame on. */
void		 chan_handlers(struct chan *, const struct chan_handler *);
/* Called once, when the peer's HELLO has come and fits. */
void		 chan_on_hello(struct chan *, void (*)(struct chan *));

/* Queue our HELLO.  caps: MSG_CAP_ bits to offer; MSG_CAP_FD is dropped on pipes. */
void		 chan_hello(struct chan *, uint32_t caps);

/*
 * Queue a frame: body (may be NULL), then tail.  fd (or -1) is taken over and closed
 * once sent; it is closed and left out when the channel cannot carry it.  A channel
 * that has failed, or whose peer has gone, drops everything: its reader will be told.
 */
void		 chan_send(struct chan *, enum msg_type, uint64_t flow, const void *body,
		    size_t len, const void *tail, size_t taillen, int fd);

/*
 * Write what is queued.  0: all gone, 1: the peer's buffer is full, poll for writing,
 * 2: the kernel lets no more descriptors be under way (of this user, on all sockets): there is
 * room to write, so try again in CHAN_AGAIN_MS, -1: the channel has failed.
 */
int		 chan_flush(struct chan *);
/*
 * Read what is there and call handlers; to be called again for as long as poll says that
 * there is something.  1: go on, 0: the peer closed (between two frames), -1: the channel
 * has failed, chan_why() says how.
 */
int		 chan_read(struct chan *);
/*
 * The same, and until there is nothing more: what the peer wrote before something else was
 * seen of it has then been handled.  A peer that never stops is left after many reads.
 */
int		 chan_drain(struct chan *);

/* End it from a handler: what the peer sent is garbage. */
void		 chan_fail(struct chan *, const char *why);
/* No more from us; the peer reads the rest and then an end of file.  Flush first. */
void		 chan_shutdown(struct chan *);

const char	*chan_why(const struct chan *);
void		*chan_arg(const struct chan *);
enum role	 chan_peer(const struct chan *);	/* 0 before its HELLO */
uint32_t	 chan_caps(const struct chan *);	/* of both; 0 before both HELLOs */
uint32_t	 chan_offer(const struct chan *);	/* of the peer; 0 before its HELLO */
bool		 chan_carries_fds(const struct chan *);	/* the transport could */
size_t		 chan_backlog(const struct chan *);	/* bytes queued and not yet written */
size_t		 chan_fds_queued(const struct chan *);	/* descriptors that wait with them */
int		 chan_rfd(const struct chan *);
int		 chan_wfd(const struct chan *);		/* equal to rfd for a socket */

#endif

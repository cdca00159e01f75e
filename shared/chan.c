/*
 * chan.c - see chan.h.
 *
 * Descriptors and bytes.  On a unix stream socket the kernel gives a descriptor with,
 * at the latest, the first byte that was sent together with it.  So the receiver queues
 * descriptors in order and each frame that says nfds = 1 takes the next; the sender
 * sees to it that a frame never leaves before its descriptor: flush sends up to
 * CHAN_FDS_A_READ of them and no byte of the frame of the one after.
 *
 * What must stay true: a descriptor that was received is owned by exactly one of the
 * queue, a handler, or nobody (closed).
 *
 * SPDX-License-Identifier: MIT
 */
#include "chan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define IN_SIZE		(256 * 1024)	/* several of the longest frames */
#define OUT_MAX		(16 << 20)	/* a peer this far behind does not read at all */
#define FDS_WAITING	256
#define READS_A_TURN	16		/* then others have a turn */
#define READS_TO_DRAIN	1024
#define TYPE_MAX	128

struct out_fd {
	int		fd;
	uint64_t	at;		/* position in the stream where its frame begins */
};

struct chan {
	int		 rfd, wfd;
	bool		 is_socket;
	enum role	 me, peer;
	uint32_t	 peers, offered;	/* offered: in our HELLO, which may come second */
	uint32_t	 theirs;	/* offered in the peer's HELLO */
	chan_fn		 handler[TYPE_MAX];
	void		 (*on_hello)(struct chan *);
	void		*arg;
	const char	*why;		/* set: the channel has failed */
	bool		 deaf;		/* the peer reads no more; it may have written yet */

	uint8_t		*in;
	size_t		 in_off, in_len;
	int		 in_fds[FDS_WAITING];
	size_t		 n_in_fds;

	uint8_t		*out;
	size_t		 out_off, out_len, out_cap;
	uint64_t	 out_pos;	/* stream position of out[out_off] */
	struct out_fd	*out_fds;
	size_t		 n_out_fds, cap_out_fds;
};

static bool
same_socket(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && S_ISSOCK(sa.st_mode) &&
	    sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool
is_unix_stream(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static bool
fd_prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

void
chan_pair(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		fatal("cannot make a socket pair");
}

struct chan *
chan_new(int rfd, int wfd, enum role me, uint32_t peers, void *arg)
{
	struct chan *c;

	if (!fd_prepare(rfd) || !fd_prepare(wfd))
		return NULL;
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	if ((c->in = malloc(IN_SIZE)) == NULL) {
		free(c);
		return NULL;
	}
	if (rfd != wfd && same_socket(rfd, wfd)) {
		close(wfd);
		wfd = rfd;
	}
	c->rfd = rfd;
	c->wfd = wfd;
	c->is_socket = rfd == wfd && is_unix_stream(rfd);
	c->me = me;
	c->peers = peers;
	c->arg = arg;
	return c;
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_in_fds; i++)
		close(c->in_fds[i]);
	for (size_t i = 0; i < c->n_out_fds; i++)
		close(c->out_fds[i].fd);
	close(c->rfd);
	if (c->wfd != c->rfd)
		close(c->wfd);
	free(c->out_fds);
	free(c->out);
	free(c->in);
	free(c);
}

void
chan_handlers(struct chan *c, const struct chan_handler *h)
{
	memset(c->handler, 0, sizeof(c->handler));
	for (; h->fn != NULL; h++) {
		assert((unsigned)h->type < TYPE_MAX);
		c->handler[h->type] = h->fn;
	}
}

void
chan_on_hello(struct chan *c, void (*fn)(struct chan *))
{
	c->on_hello = fn;
}

void
chan_fail(struct chan *c, const char *why)
{
	if (c->why == NULL)
		c->why = why;
}

/* ---- out ---- */

static bool
out_room(struct chan *c, size_t want)
{
	size_t cap = c->out_cap == 0 ? 4096 : c->out_cap;
	uint8_t *p;

	if (c->out_cap - c->out_len >= want)
		return true;
	if (c->out_off > 0) {
		memmove(c->out, c->out + c->out_off, c->out_len - c->out_off);
		c->out_len -= c->out_off;
		c->out_off = 0;
		if (c->out_cap - c->out_len >= want)
			return true;
	}
	while (cap - c->out_len < want)
		cap *= 2;
	errno = ENOBUFS;
	if (cap > OUT_MAX || (p = realloc(c->out, cap)) == NULL)
		return false;
	c->out = p;
	c->out_cap = cap;
	return true;
}

static bool
out_fd_push(struct chan *c, int fd, uint64_t at)
{
	if (c->n_out_fds == c->cap_out_fds) {
		size_t cap = c->cap_out_fds == 0 ? 16 : c->cap_out_fds * 2;
		struct out_fd *p = realloc(c->out_fds, cap * sizeof(*p));

		if (p == NULL)
			return false;
		c->out_fds = p;
		c->cap_out_fds = cap;
	}
	c->out_fds[c->n_out_fds++] = (struct out_fd){ .fd = fd, .at = at };
	return true;
}

void
chan_send(struct chan *c, enum msg_type type, uint64_t flow, const void *body, size_t len,
    const void *tail, size_t taillen, int fd)
{
	size_t total = MSG_HEADER_LEN + len + taillen;
	uint8_t *p;

	if (fd != -1 && !c->is_socket) {
		close(fd);
		fd = -1;
	}
	if (c->deaf) {
		if (fd != -1)
			close(fd);
		return;
	}
	if (c->why != NULL || !out_room(c, total) ||
	    (fd != -1 && !out_fd_push(c, fd, c->out_pos + (c->out_len - c->out_off)))) {
		chan_fail(c, errno == ENOMEM ? "no memory is left for what it is sent" :
		    "the other end does not read");
		if (fd != -1)
			close(fd);
		return;
	}
	p = c->out + c->out_len;
	frame_header(p, type, fd != -1, flow, len + taillen);
	if (len > 0)
		memcpy(p + MSG_HEADER_LEN, body, len);
	if (taillen > 0)
		memcpy(p + MSG_HEADER_LEN + len, tail, taillen);
	c->out_len += total;
}

void
chan_hello(struct chan *c, uint32_t caps)
{
	uint8_t body[MSG_HELLO_LEN];
	struct wr w = wr_over(body, sizeof(body));

	c->offered = c->is_socket ? caps : caps & ~MSG_CAP_FD;
	msg_hello_put(&w, &(struct msg_hello){
	    .version = MSG_VERSION, .role = c->me, .caps = c->offered });
	chan_send(c, MSG_HELLO, 0, body, sizeof(body), NULL, 0, -1);
}

/* Send bytes [out_off, out_off+len) with the first nfds waiting descriptors. */
static ssize_t
out_sendmsg(struct chan *c, size_t len, size_t nfds)
{
	union {
		char		buf[CMSG_SPACE(sizeof(int) * CHAN_FDS_A_READ)];
		struct cmsghdr	align;
	} control;
	struct iovec iov = { .iov_base = c->out + c->out_off, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	/* sendmsg only with a descriptor: a filter cannot see the address that it may carry. */
	if (nfds == 0)
		return send(c->wfd, iov.iov_base, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	memset(&control, 0, sizeof(control));
	msg.msg_control = control.buf;
	msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	for (size_t i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &c->out_fds[i].fd, sizeof(int));
	return sendmsg(c->wfd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
out_sent(struct chan *c, size_t len, size_t nfds)
{
	c->out_off += len;
	c->out_pos += len;
	if (c->out_off == c->out_len)
		c->out_off = c->out_len = 0;
	for (size_t i = 0; i < nfds; i++)
		close(c->out_fds[i].fd);
	c->n_out_fds -= nfds;
	if (nfds > 0 && c->n_out_fds > 0)
		memmove(c->out_fds, c->out_fds + nfds, c->n_out_fds * sizeof(*c->out_fds));
}

static void
out_drop(struct chan *c)
{
	c->deaf = true;
	out_sent(c, c->out_len - c->out_off, c->n_out_fds);
}

int
chan_flush(struct chan *c)
{
	size_t len, nfds;
	ssize_t n;

	while (c->why == NULL && c->out_len > c->out_off) {
		nfds = c->n_out_fds < CHAN_FDS_A_READ ? c->n_out_fds : CHAN_FDS_A_READ;
		len = c->out_len - c->out_off;
		if (c->n_out_fds > nfds)
			len = (size_t)(c->out_fds[nfds].at - c->out_pos);
		n = c->is_socket ? out_sendmsg(c, len, nfds) :
		    write(c->wfd, c->out + c->out_off, len);
		if (n >= 0)
			out_sent(c, (size_t)n, nfds);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 1;
		else if (errno == ETOOMANYREFS)
			return 2;	/* until readers somewhere have taken theirs */
		else if (errno == EPIPE || errno == ECONNRESET)
			out_drop(c);	/* what it wrote before it went is still to be read */
		else if (errno != EINTR)
			chan_fail(c, strerror(errno));
	}
	return c->why == NULL ? 0 : -1;
}

void
chan_shutdown(struct chan *c)
{
	if (c->wfd == c->rfd) {
		shutdown(c->wfd, SHUT_WR);
	} else {
		close(c->wfd);
		c->wfd = c->rfd;	/* chan_free closes it once */
	}
}

/* ---- in ---- */

static void
in_fds_take(struct chan *c, struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	size_t n;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg != NULL; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (c->n_in_fds < FDS_WAITING) {
				c->in_fds[c->n_in_fds++] = fd;
			} else {
				close(fd);
				chan_fail(c, "too many descriptors");
			}
		}
	}
	if (msg->msg_flags & MSG_CTRUNC)
		chan_fail(c, "descriptors were lost (is the limit of open files reached?)");
}

static ssize_t
in_recv(struct chan *c)
{
	union {
		char		buf[CMSG_SPACE(sizeof(int) * CHAN_FDS_A_READ)];
		struct cmsghdr	align;
	} control;
	struct iovec iov = { .iov_base = c->in + c->in_len, .iov_len = IN_SIZE - c->in_len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	if (!c->is_socket)
		return read(c->rfd, iov.iov_base, iov.iov_len);
	n = recvmsg(c->rfd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n >= 0)
		in_fds_take(c, &msg);
	return n;
}

static void
hello_take(struct chan *c, const struct frame *f)
{
	struct rd r = rd_over(f->body, f->len);
	struct msg_hello hello;

	if (!msg_hello_get(&r, &hello)) {
		chan_fail(c, "bad HELLO");
	} else if (hello.version != MSG_VERSION) {
		chan_fail(c, "unknown protocol version");
	} else if ((c->peers & (uint32_t)hello.role) == 0 ||
	    (hello.role & (hello.role - 1)) != 0) {
		chan_fail(c, "HELLO from the wrong kind of program");
	} else {
		c->peer = hello.role;
		c->theirs = hello.caps;
		if (c->on_hello != NULL)
			c->on_hello(c);
	}
}

/* The next received descriptor, or -1 where there is none. */
static int
in_fd_pop(struct chan *c)
{
	int fd;

	if (c->n_in_fds == 0)
		return -1;
	fd = c->in_fds[0];
	c->n_in_fds--;
	memmove(c->in_fds, c->in_fds + 1, c->n_in_fds * sizeof(int));
	return fd;
}

static void
frame_take(struct chan *c, const struct frame *f)
{
	int fd = -1;

	if (c->peer == 0) {
		if (f->type != MSG_HELLO)
			chan_fail(c, "no HELLO");
		else
			hello_take(c, f);
		return;
	}
	if (f->type >= TYPE_MAX || c->handler[f->type] == NULL) {
		chan_fail(c, f->type == MSG_HELLO ? "a second HELLO" : "not to be asked here");
		return;
	}
	if (f->nfds > 0 && (fd = in_fd_pop(c)) == -1) {
		chan_fail(c, "the frame's descriptor is missing");
		return;
	}
	c->handler[f->type](c, f, fd);
}

/* Hand out every whole frame in the buffer. */
static void
in_parse(struct chan *c)
{
	struct frame f;
	const char *why;
	size_t used;
	int rc = 0;

	while (c->why == NULL) {
		/* Before HELLO the peer's role is not known; HELLO may come from any. */
		rc = frame_next(c->in + c->in_off, c->in_len - c->in_off,
		    c->peer != 0 ? c->peer : R_ANY, c->me, &f, &used, &why);
		if (rc <= 0)
			break;
		c->in_off += used;
		frame_take(c, &f);
	}
	if (rc < 0)
		chan_fail(c, why);
	if (c->in_off == c->in_len) {
		c->in_off = c->in_len = 0;
		if (c->n_in_fds > 0)
			chan_fail(c, "a descriptor that belongs to no frame");
	} else if (c->in_off > 0 && IN_SIZE - c->in_len < MSG_HEADER_LEN + MSG_BODY_MAX) {
		memmove(c->in, c->in + c->in_off, c->in_len - c->in_off);
		c->in_len -= c->in_off;
		c->in_off = 0;
	}
}

/* At most so many reads; all: do not guess from a short one that it was the last. */
static int
in_read(struct chan *c, int reads, bool all)
{
	size_t room;
	ssize_t n;

	for (int i = 0; i < reads && c->why == NULL; i++) {
		room = IN_SIZE - c->in_len;
		n = in_recv(c);
		if (n < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				break;
			if (errno == EINTR)
				continue;
			if (errno == ECONNRESET && c->in_len == c->in_off)
				return 0;	/* it left with unread bytes of ours */
			chan_fail(c, strerror(errno));
		} else if (n == 0) {
			if (c->in_len == c->in_off && c->why == NULL)
				return 0;
			chan_fail(c, "truncated frame");
		} else {
			c->in_len += (size_t)n;
			in_parse(c);
			if (!all && (size_t)n < room)
				break;	/* all, or up to a descriptor: poll tells of more */
		}
	}
	return c->why == NULL ? 1 : -1;
}

int
chan_read(struct chan *c)
{
	return in_read(c, READS_A_TURN, false);
}

int
chan_drain(struct chan *c)
{
	return in_read(c, READS_TO_DRAIN, true);
}

const char	*chan_why(const struct chan *c)		{ return c->why; }
void		*chan_arg(const struct chan *c)		{ return c->arg; }
enum role	 chan_peer(const struct chan *c)	{ return c->peer; }
uint32_t	 chan_caps(const struct chan *c)	{ return c->theirs & c->offered; }
uint32_t	 chan_offer(const struct chan *c)	{ return c->theirs; }
bool		 chan_carries_fds(const struct chan *c)	{ return c->is_socket; }
size_t		 chan_backlog(const struct chan *c)	{ return c->out_len - c->out_off; }
size_t		 chan_fds_queued(const struct chan *c)	{ return c->n_out_fds; }
int		 chan_rfd(const struct chan *c)		{ return c->rfd; }
int		 chan_wfd(const struct chan *c)		{ return c->wfd; }

/*
 * host.c - the host end of a flow: a connected socket, DATA frames, or a local service; before the
 * first two perhaps the first flight, which cf-proxy has to see (first.c).
 *
 * On the other side is the network, through a socket that the dialler connected: it was
 * judged before it came here, and nothing here can point it elsewhere (no address is ever
 * given to a send; the filter holds us to that).  Where descriptors cannot travel the same
 * bytes go in DATA frames, with a credit in each direction, so that one slow flow holds up no other.
 *
 * What must stay true: a socket is edge triggered, so `readable` and `writable` are only
 * cleared when the kernel said EAGAIN, or when it gave or took less than was asked while no end of
 * file was announced (it would otherwise be missed).  Bytes are counted here, when the host took them
 * or gave them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "host.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow.h"
#include "sock.h"

#define WINDOW_STEP	(MSG_WINDOW_INITIAL / 4)	/* give credit back in pieces not smaller */
#define DATA_MAX	MSG_TAIL_MAX
#define WIDEN_AT	(32 * 1024)	/* half of what Linux lets a sender have under way at first */

const struct sandbox_row host_rows[] = {
	ALLOW_NULL(sendto, 4,	"payload to a connected socket; never with an address"),
	ALLOW(recvfrom,		"payload from a connected socket"),
	ALLOW_ARG2(getsockopt, 1, SOL_SOCKET, 2, SO_ERROR, "why a socket failed"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_LINGER, "pass a reset on"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_RCVLOWAT, "let the window of a long download grow"),
	ALLOW(shutdown,		"pass an end of file on"),
	{ 0 }
};

static bool
is_stream(const struct flow *f)
{
	return f->proto == PROTO_TCP;
}

/* ---- attach and close ---- */

static bool
attach_queue(struct flow *f, enum host_mode mode)
{
	if ((f->queue = calloc(1, sizeof(*f->queue))) == NULL)
		return false;
	STAILQ_INIT(&f->queue->chunks);
	f->queue->credit_in = f->queue->credit_out = MSG_WINDOW_INITIAL;
	f->host_mode = mode;
	f->writable = true;
	return true;
}

static bool
watch(struct flow *f, int op, int fd, uint32_t also)
{
	struct epoll_event ev = { .data.ptr = f,
	    .events = (SOCK_EVENTS & ~(uint32_t)EPOLLOUT) | also };

	return f->stack->epoll_fd == -1 || epoll_ctl(f->stack->epoll_fd, op, fd, &ev) == 0;
}

/*
 * Room to write is news of a stream only once it has been full: of a new socket it would be told
 * at once, which is a turn of the loop for each connection.
 */
static bool
attach_fd(struct flow *f, int fd)
{
	f->out_watched = !is_stream(f);
	if (!watch(f, EPOLL_CTL_ADD, fd, f->out_watched ? EPOLLOUT : 0)) {
		close(fd);
		return false;
	}
	f->fd = fd;
	f->host_mode = HOST_FD;
	f->writable = true;
	return true;
}

bool
host_attach(struct flow *f, int fd)
{
	return fd != -1 ? attach_fd(f, fd) : attach_queue(f, HOST_FRAMES);
}

bool
host_attach_first(struct flow *f)
{
	return attach_queue(f, HOST_FIRST);
}

bool
host_attach_local(struct flow *f, const struct local_service *service)
{
	if (!attach_queue(f, HOST_LOCAL))
		return false;
	f->queue->service = service;
	if ((f->queue->service_arg = service->open(f)) != NULL)
		return true;
	free(f->queue);
	f->queue = NULL;
	f->host_mode = HOST_NONE;
	return false;
}

static void
queue_free(struct flow *f)
{
	struct host_chunk *c;

	while ((c = STAILQ_FIRST(&f->queue->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&f->queue->chunks, next);
		free(c);
	}
	free(f->queue);
	f->queue = NULL;
}

void
host_close(struct flow *f, bool reset)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	switch (f->host_mode) {
	case HOST_NONE:
		return;
	case HOST_FD:
		if (reset && is_stream(f))
			setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		/*
		 * It would leave the set with its last descriptor, but who handed it to us may
		 * not have closed his yet, and an event would come for a flow that is no more.
		 */
		watch(f, EPOLL_CTL_DEL, f->fd, 0);
		close(f->fd);
		f->fd = -1;
		break;
	case HOST_LOCAL:
		f->queue->service->close(f, f->queue->service_arg);
		queue_free(f);
		break;
	case HOST_FIRST:
	case HOST_FRAMES:	/* the CLOSE that follows says the rest */
		queue_free(f);
		break;
	}
	f->host_mode = HOST_NONE;
	f->readable = f->writable = false;
}

/* ---- out: towards the host ---- */

/* It has taken less than it was offered.  false: nothing would tell when it takes more. */
static bool
wait_for_room(struct flow *f, int *err)
{
	f->writable = false;
	/* If there is room again meanwhile, this tells, too. */
	if (!f->out_watched)
		f->out_watched = watch(f, EPOLL_CTL_MOD, f->fd, EPOLLOUT);
	*err = errno;
	return f->out_watched;
}

static ssize_t
fd_send(struct flow *f, const void *data, size_t len, int *err)
{
	ssize_t n = send(f->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
		*err = errno;
		return HOST_ERROR;
	}
	if (!wait_for_room(f, err))
		return HOST_ERROR;
	return n < 0 ? (is_stream(f) ? 0 : HOST_AGAIN) : n;
}

static bool
chan_is_full(struct flow *f)
{
	return chan_backlog(f->stack->proxy) > HOST_BACKLOG_MAX;
}

static ssize_t
frames_send(struct flow *f, const uint8_t *data, size_t len, int *err)
{
	struct host_queue *q = f->queue;
	size_t n, done = 0;

	if (q->err != 0) {
		*err = q->err;
		return HOST_ERROR;
	}
	if (!is_stream(f) && (len > q->credit_out || len > DATA_MAX || chan_is_full(f)))
		return HOST_AGAIN;
	do {
		n = len - done < DATA_MAX ? len - done : DATA_MAX;
		if (n > q->credit_out)
			n = q->credit_out;
		if (is_stream(f) && (n == 0 || chan_is_full(f)))
			break;
		chan_send(f->stack->proxy, MSG_DATA, f->id, NULL, 0, data + done, n, -1);
		q->credit_out -= (uint32_t)n;
		done += n;
	} while (done < len);
	if (done < len) {
		f->writable = false;
		f->waits_chan = q->credit_out > 0;
		f->stack->chan_waiters |= f->waits_chan;
	}
	return (ssize_t)done;
}

static ssize_t
local_input(struct flow *f, const uint8_t *data, size_t len, int *err)
{
	size_t n;

	if (f->queue->err != 0) {
		*err = f->queue->err;
		return HOST_ERROR;
	}
	n = f->queue->service->input(f, data, len);
	if (n < len)
		f->writable = false;
	return (ssize_t)n;
}

ssize_t
host_send(struct flow *f, const void *data, size_t len, int *err)
{
	ssize_t n;

	*err = EPIPE;
	if (f->host_mode == HOST_FD)
		n = fd_send(f, data, len, err);
	else if (f->host_mode == HOST_FRAMES)
		n = frames_send(f, data, len, err);
	else if (f->host_mode == HOST_FIRST)
		n = first_send(f, data, len, err);
	else if (f->host_mode == HOST_LOCAL)
		n = local_input(f, data, len, err);
	else
		return HOST_ERROR;
	if (n > 0)
		f->up_bytes += (uint64_t)n;
	return n;
}

void
host_shutdown(struct flow *f)
{
	if (f->host_mode == HOST_FD) {
		shutdown(f->fd, SHUT_WR);
	} else if (f->queue != NULL && !f->queue->eof_out) {
		f->queue->eof_out = true;
		if (f->host_mode == HOST_LOCAL)
			f->queue->service->eof(f);
		else if (f->host_mode == HOST_FIRST)
			first_shutdown(f);
		else
			chan_send(f->stack->proxy, MSG_EOF, f->id, NULL, 0, NULL, 0, -1);
	}
}

/* ---- in: from the host ---- */

/*
 * The kernel grows a receive buffer by what a reader takes in a round trip, less what is in the
 * queue while it takes it (Linux 6.18).  A reader that finds a whole window in the queue each time
 * counts for little: now and then a download at 300 ms stayed at its first 64 KiB, 2 Mbit/s, for
 * good.  A low-water mark grows the buffer as far as tcp_rmem allows without fixing its size, as
 * SO_RCVBUF would; taken back at once, it has no other effect.  A short flow never comes here.
 */
static void
widen(struct flow *f)
{
	static const int most = INT_MAX, least = 1;

	f->widened = true;
	(void)setsockopt(f->fd, SOL_SOCKET, SO_RCVLOWAT, &most, sizeof(most));
	(void)setsockopt(f->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
}

static ssize_t
fd_recv(struct flow *f, void *data, size_t len, int *err)
{
	ssize_t n = recv(f->fd, data, len, MSG_DONTWAIT);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR) {
			f->readable = false;
			return HOST_AGAIN;
		}
		*err = errno;
		return HOST_ERROR;
	}
	if (is_stream(f) && !f->widened && f->down_bytes + (uint64_t)n >= WIDEN_AT)
		widen(f);
	if (is_stream(f) && (size_t)n < len && !f->host_rdhup)
		f->readable = false;	/* drained; more makes a new edge */
	return n;
}

static void
give_credit(struct flow *f, size_t len)
{
	struct host_queue *q = f->queue;
	uint8_t body[MSG_WINDOW_LEN];
	struct wr w = wr_over(body, sizeof(body));

	q->owed += (uint32_t)len;
	if (f->host_mode == HOST_LOCAL || q->owed < WINDOW_STEP)
		return;
	wr_le32(&w, q->owed);
	chan_send(f->stack->proxy, MSG_WINDOW, f->id, body, sizeof(body), NULL, 0, -1);
	q->credit_in += q->owed;
	q->owed = 0;
}

static ssize_t
queue_empty(struct flow *f, int *err)
{
	f->readable = false;
	if (f->queue->err != 0) {
		f->readable = true;
		*err = f->queue->err;
		return HOST_ERROR;
	}
	if (f->queue->eof_in && is_stream(f))
		return HOST_EOF;
	return HOST_AGAIN;
}

static ssize_t
queue_recv(struct flow *f, uint8_t *data, size_t len, int *err)
{
	struct host_queue *q = f->queue;
	struct host_chunk *c;
	size_t n, done = 0;

	if (STAILQ_EMPTY(&q->chunks))
		return queue_empty(f, err);
	do {
		c = STAILQ_FIRST(&q->chunks);
		n = c->len < len - done ? c->len : len - done;
		memcpy(data + done, c->data + c->off, n);
		done += n;
		q->queued -= is_stream(f) ? n : c->len;
		give_credit(f, is_stream(f) ? n : c->len);
		c->off += (uint32_t)n;
		c->len -= (uint32_t)n;
		if (c->len == 0 || !is_stream(f)) {
			STAILQ_REMOVE_HEAD(&q->chunks, next);
			free(c);
		}
	} while (is_stream(f) && done < len && !STAILQ_EMPTY(&q->chunks));
	return (ssize_t)done;
}

ssize_t
host_recv(struct flow *f, void *data, size_t len, int *err)
{
	ssize_t n;

	*err = ECONNRESET;
	if (f->host_mode == HOST_FD)
		n = fd_recv(f, data, len, err);
	else if (f->host_mode == HOST_NONE)
		return HOST_ERROR;
	else
		n = queue_recv(f, data, len, err);
	if (n > 0)
		f->down_bytes += (uint64_t)n;
	if (n > 0 && f->host_mode == HOST_LOCAL && f->queue->service->drained != NULL)
		f->queue->service->drained(f);
	return n;
}

/* ---- bulk: sockets only ---- */

ssize_t
host_splice_in(struct flow *f, int pipe_fd, size_t len, int *err)
{
	struct sock s = { .fd = host_fd(f), .readable = f->readable, .urgent = f->host_rdhup };
	ssize_t n = sock_splice_in(&s, pipe_fd, len, err);

	f->readable = s.readable;
	if (n > 0)
		f->down_bytes += (uint64_t)n;
	if (!f->widened && f->down_bytes >= WIDEN_AT)
		widen(f);
	return n;
}

ssize_t
host_splice_out(struct flow *f, int pipe_fd, size_t len, int *err)
{
	struct sock s = { .fd = host_fd(f), .writable = f->writable };
	ssize_t n = sock_splice_out(&s, pipe_fd, len, err);

	if (n > 0)
		f->up_bytes += (uint64_t)n;
	if (!s.writable && !wait_for_room(f, err))
		return HOST_ERROR;
	return n;
}

int
host_error(struct flow *f)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (f->host_mode != HOST_FD)
		return f->queue != NULL ? f->queue->err : 0;
	if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

/* ---- readiness ---- */

void
host_event(struct flow *f, uint32_t events)
{
	bool woken = (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0 && !f->writable;

	if (f->dead || f->host_mode == HOST_NONE)
		return;
	/* A read stops before urgent data as well, and no edge says that there is more. */
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		f->host_rdhup = true;
	if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		f->readable = true;
	if (woken)
		f->writable = true;
	if ((events & EPOLLERR) && f->kind->error != NULL)
		f->kind->error(f);
	if (woken && !f->dead && f->host_mode != HOST_NONE)
		f->kind->writable(f);
	if (f->readable && !f->dead && f->host_mode != HOST_NONE)
		f->kind->readable(f);
}

void
host_run(struct flow *f)
{
	if (f->woken) {
		f->woken = false;
		f->writable = true;
		f->kind->writable(f);
	}
	if (f->dead || f->host_mode == HOST_NONE)
		return;
	if (f->kind->run != NULL)
		f->kind->run(f);
	else if (f->readable)
		f->kind->readable(f);
}

static void
wake_writable(struct flow *f)
{
	if (f->writable)
		return;
	f->woken = true;
	flow_run_later(f);
}

void
hosts_chan_drained(struct stack *s)
{
	struct flow *f;

	s->chan_waiters = false;
	TAILQ_FOREACH(f, &s->flows.all, in_all) {
		if (f->waits_chan)
			wake_writable(f);
		f->waits_chan = false;
	}
}

/* ---- frames ---- */

static bool
queue_push(struct flow *f, const void *data, size_t len)
{
	struct host_chunk *c = malloc(sizeof(*c) + len);

	if (c == NULL)
		return false;
	c->off = 0;
	c->len = (uint32_t)len;
	if (len > 0)
		memcpy(c->data, data, len);
	STAILQ_INSERT_TAIL(&f->queue->chunks, c, next);
	f->queue->queued += len;
	f->readable = true;
	return true;
}

void
host_fail(struct flow *f, int err)
{
	f->queue->err = err;
	f->readable = true;
	wake_writable(f);
	flow_run_later(f);
}

/* Flows that exist and are relayed in frames; for the rest a frame is late or garbage. */
static struct flow *
framed(struct stack *s, uint64_t id)
{
	struct flow *f = flow_by_id(s, id);

	if (f != NULL && f->host_mode == HOST_FD)
		chan_fail(s->proxy, "a frame for a flow that has a descriptor");
	return f != NULL && (f->host_mode == HOST_FRAMES || f->host_mode == HOST_FIRST) ? f : NULL;
}

void
host_on_data(struct stack *s, uint64_t id, const uint8_t *data, size_t len)
{
	struct flow *f = framed(s, id);

	if (f == NULL)
		return;
	if (f->queue->eof_in || (len > f->queue->credit_in && is_stream(f))) {
		chan_fail(s->proxy, f->queue->eof_in ? "DATA after EOF" : "DATA beyond the credit");
		return;
	}
	if (len > f->queue->credit_in || (is_stream(f) && len == 0))
		return;			/* a datagram too many is lost, as on any wire */
	f->queue->credit_in -= (uint32_t)len;
	if (queue_push(f, data, len))
		f->kind->readable(f);
	else
		host_fail(f, ENOMEM);
}

void
host_on_window(struct stack *s, uint64_t id, uint32_t bytes)
{
	struct flow *f = framed(s, id);

	if (f == NULL)
		return;
	if (bytes > MSG_WINDOW_INITIAL || f->queue->credit_out > MSG_WINDOW_INITIAL - bytes) {
		chan_fail(s->proxy, "more credit than was used");
		return;
	}
	f->queue->credit_out += bytes;
	if (!f->writable && bytes > 0) {
		f->writable = true;
		f->kind->writable(f);
	}
}

void
host_on_eof(struct stack *s, uint64_t id)
{
	struct flow *f = framed(s, id);

	if (f == NULL)
		return;
	f->queue->eof_in = true;
	f->readable = true;
	f->kind->readable(f);
}

void
host_on_reset(struct stack *s, uint64_t id, uint32_t err)
{
	struct flow *f = flow_by_id(s, id);

	if (f == NULL)
		return;
	if (f->host_mode == HOST_FIRST || f->host_mode == HOST_FRAMES) {
		host_fail(f, err != 0 && err < 4096 ? (int)err : ECONNRESET);
	} else {			/* the rules have changed: nothing that waits is delivered */
		f->kind->aborted(f);
		flow_end(f, CLOSE_RESET);
	}
}

/* ---- local services ---- */

void *
local_arg(const struct flow *f)
{
	return f->host_mode == HOST_LOCAL ? f->queue->service_arg : NULL;
}

size_t
local_room(const struct flow *f)
{
	if (f->host_mode != HOST_LOCAL || f->queue->queued >= LOCAL_QUEUE_MAX)
		return 0;
	return LOCAL_QUEUE_MAX - f->queue->queued;
}

bool
local_send(struct flow *f, const void *data, size_t len)
{
	if (f->host_mode != HOST_LOCAL || len == 0)
		return f->host_mode == HOST_LOCAL;
	if (!queue_push(f, data, len)) {
		host_fail(f, ENOMEM);
		return false;
	}
	flow_run_later(f);
	return true;
}

void
local_more(struct flow *f)
{
	if (f->host_mode == HOST_LOCAL)
		wake_writable(f);
}

void
local_fail(struct flow *f)
{
	if (f->host_mode == HOST_LOCAL)
		host_fail(f, ECONNRESET);
}

void
local_end(struct flow *f)
{
	if (f->host_mode != HOST_LOCAL)
		return;
	f->queue->eof_in = true;
	f->readable = true;
	flow_run_later(f);
}

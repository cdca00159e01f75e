/*
 * assoc.c - datagrams by a SOCKS5 proxy (RFC 1928 7): an association a flow.
 *
 *	the flow's taker == local ==> header put before it ==> net ==> proxy
 *			 <==	      header taken off     <==
 *	control: the connection that the association hangs on
 *
 * The header of a datagram says where the proxy sends it, so the socket to the proxy stays here;
 * the taker gets one end of a pair, and cannot name a destination.
 *
 * What the proxy sends is read here, beside the right to connect: that is 262 bytes of header at
 * most, by a bounded reader (rd.h), of which nothing is kept.  A datagram counts only if
 * it is whole, and from where this flow goes (from that port, where only the proxy knows the
 * address).  The socket is connected to the proxy's own address: which port, it says itself,
 * which address, it does not.
 *
 * What must stay true: a datagram that does not fit somewhere is lost, as on any network; nothing is
 * queued here.  One that has ended in a batch of events is freed behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dial.h"
#include "log.h"

#define HEADER_MAX	262
#define DATAGRAM_MAX	65535
#define EVENTS_A_WAIT	32
#define BATCH		32
enum { ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4 };
enum { LOCAL, NET, CONTROL, ENDS };

struct place {
	struct assoc	*assoc;
	int		 fd;		/* -1: none */
};

struct assoc {
	STAILQ_ENTRY(assoc) link;	/* of the dead */
	struct place	 end[ENDS];
	struct flow	*flow;		/* NULL: it has gone */
	bool		 dead;
	struct addr	 dst;
	bool		 named;		/* the proxy knows the address, we do not */
	size_t		 head_len;
	uint8_t		 head[HEADER_MAX];
};

const struct sandbox_row assoc_rows[] = {
	ALLOW_ARG2(socketpair, 0, AF_UNIX, 1, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    "UDP by a SOCKS5 proxy: a socket that stands for it"),
	{ 0 }
};

static int	epoll_fd = -1;
static uint8_t	buffer[HEADER_MAX + DATAGRAM_MAX];
static bool	in_batch;
STAILQ_HEAD(assocs, assoc);
static struct assocs dead = STAILQ_HEAD_INITIALIZER(dead);

static size_t
head_make(uint8_t out[HEADER_MAX], const struct addr *dst, const char *name, size_t len)
{
	struct wr w = wr_over(out, HEADER_MAX);

	wr_bytes(&w, "\0\0\0", 3);		/* reserved, and no fragment */
	wr_u8(&w, len > 0 ? ATYP_NAME : dst->family == 4 ? ATYP_V4 : ATYP_V6);
	if (len > 0) {
		wr_u8(&w, (uint8_t)len);
		wr_bytes(&w, name, len);
	} else {
		wr_bytes(&w, dst->ip, addr_iplen(dst));
	}
	wr_be16(&w, dst->port);
	return (size_t)(w.p - out);
}

/* The payload of what the proxy sent, and how long it is; NULL: it is not for this flow. */
const uint8_t *
assoc_payload(const uint8_t *data, size_t n, const struct addr *dst, bool named, size_t *len)
{
	struct rd r = rd_over(data, n);
	struct addr from = { 0 };
	uint8_t frag, atyp;

	(void)rd_take(&r, 2);
	frag = rd_u8(&r);
	atyp = rd_u8(&r);
	if (atyp == ATYP_NAME) {
		(void)rd_take(&r, rd_u8(&r));
	} else if (atyp == ATYP_V4 || atyp == ATYP_V6) {
		from.family = atyp == ATYP_V4 ? 4 : 6;
		rd_bytes(&r, from.ip, addr_iplen(&from));
	} else {
		return NULL;
	}
	from.port = rd_be16(&r);
	if (r.bad || frag != 0 || from.port != dst->port ||
	    (!named && from.family != 0 && !addr_equal(&from, dst)))
		return NULL;
	*len = rd_left(&r);
	return r.p;
}

/* ---- datagrams ---- */

static void
end(struct assoc *a)
{
	if (a->dead)
		return;
	a->dead = true;
	if (a->flow != NULL)
		a->flow->assoc = NULL;
	for (int i = 0; i < ENDS; i++)
		if (a->end[i].fd != -1)
			close(a->end[i].fd);	/* and out of the epoll set: nobody shares it */
	if (in_batch)
		STAILQ_INSERT_TAIL(&dead, a, link);
	else
		free(a);
}

static void
up(struct assoc *a)
{
	ssize_t n;

	for (int i = 0; i < BATCH; i++) {
		n = recv(a->end[LOCAL].fd, buffer + a->head_len, DATAGRAM_MAX - a->head_len, MSG_DONTWAIT);
		if (n == -1)
			return;
		memcpy(buffer, a->head, a->head_len);
		(void)send(a->end[NET].fd, buffer, a->head_len + (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static void
down(struct assoc *a)
{
	const uint8_t *p;
	size_t len;
	ssize_t n;

	for (int i = 0; i < BATCH; i++) {
		n = recv(a->end[NET].fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			end(a);			/* the proxy's port is closed */
		if (n == -1)
			return;
		p = assoc_payload(buffer, (size_t)n, &a->dst, a->named, &len);
		if (p != NULL)
			(void)send(a->end[LOCAL].fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* Nothing comes on it but its end (RFC 1928 7). */
static void
control(struct assoc *a)
{
	ssize_t n = recv(a->end[CONTROL].fd, buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		end(a);
}

static void
on_ready(uv_poll_t *h, int status, int events)
{
	static void (*const what[ENDS])(struct assoc *) = {
		[LOCAL] = up, [NET] = down, [CONTROL] = control
	};
	struct epoll_event ev[EVENTS_A_WAIT];
	struct assoc *a;
	int n;

	(void)h, (void)status, (void)events;
	in_batch = true;
	n = epoll_wait(epoll_fd, ev, EVENTS_A_WAIT, 0);
	for (int i = 0; i < n; i++) {
		struct place *p = ev[i].data.ptr;

		if (!p->assoc->dead)
			what[p - p->assoc->end](p->assoc);
	}
	while ((a = STAILQ_FIRST(&dead)) != NULL) {
		STAILQ_REMOVE_HEAD(&dead, link);
		free(a);
	}
	in_batch = false;
}

/* ---- beginning and end ---- */

void
assoc_init(uv_loop_t *loop)
{
	static uv_poll_t poll;

	if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    uv_poll_init(loop, &poll, epoll_fd) != 0)
		fatal("cannot start");
	uv_poll_start(&poll, UV_READABLE, on_ready);
}

static bool
watch(struct assoc *a, int which, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &a->end[which] };

	a->end[which] = (struct place){ .assoc = a, .fd = fd };
	return fd != -1 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

int
assoc_open(struct flow *fl, int control_fd, const struct addr *proxy, const struct addr *dst,
    const char *name, size_t len)
{
	struct msg_open o = { .proto = IPPROTO_UDP, .dst = *proxy };
	struct assoc *a = calloc(1, sizeof(*a));
	struct msg_refused no;
	int pair[2] = { -1, -1 };
	bool done, ok;

	if (a == NULL) {
		close(control_fd);
		return -1;
	}
	a->dst = *dst;
	a->named = len > 0;
	a->head_len = head_make(a->head, dst, name, len);
	ok = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0;
	ok = watch(a, LOCAL, pair[0]) && ok;
	ok = watch(a, NET, direct_open(&o, 0, false, &done, &no)) && ok;
	ok = watch(a, CONTROL, control_fd) && ok;
	if (!ok) {
		if (pair[1] != -1)
			close(pair[1]);
		end(a);
		return -1;
	}
	a->flow = fl;
	fl->assoc = a;
	return pair[1];
}

void
assoc_free(struct flow *fl)
{
	struct assoc *a = fl->assoc;

	if (a == NULL)
		return;
	end(a);
	fl->assoc = NULL;
}

/*
 * wire.c - the bytes of a tunnel: a socket, and any number of TLS sessions one in the other.
 *
 *	socket <-> tls[0] <-> tls[1] ... <-> plain
 *
 * Without TLS what comes is looked at before it is taken (MSG_PEEK), so that of the socket's
 * bytes only those of an answer are taken: the payload behind it is for whom the socket
 * goes to.  With TLS that cannot be, and the rest waits in t->in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "upstream.h"

const struct sandbox_row wire_rows[] = {
	ALLOW_NULL(sendto, 4,	"requests and TLS to a proxy; never with an address"),
	ALLOW(recvfrom,		"answers of a proxy"),
	{ 0 }
};

static uint8_t	scratch[CHUNK];

bool
buf_add(struct buf *b, const void *p, size_t len)
{
	size_t cap = b->cap != 0 ? b->cap : 512;
	uint8_t *more;

	if (len == 0)
		return true;
	if (b->off > 0) {
		memmove(b->p, b->p + b->off, b->len);
		b->off = 0;
	}
	while (cap < b->len + len)
		cap *= 2;
	if (cap != b->cap) {
		if ((more = realloc(b->p, cap)) == NULL)
			return false;
		b->p = more;
		b->cap = cap;
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
	return true;
}

void
buf_take(struct buf *b, size_t len)
{
	b->off += len;
	b->len -= len;
	if (b->len == 0)
		buf_free(b);
}

/* Its bytes may be a request with a password. */
void
buf_free(struct buf *b)
{
	if (b->p != NULL)
		explicit_bzero(b->p, b->off + b->len);
	free(b->p);
	*b = (struct buf){ 0 };
}

bool
wire_gather(struct tunnel *t)
{
	size_t n;

	for (size_t i = t->n_tls; i-- > 0; )
		while ((n = tls_out(t->tls[i], scratch, sizeof(scratch))) > 0)
			if (!(i > 0 ? tls_write(t->tls[i - 1], scratch, n) :
			    buf_add(&t->out, scratch, n)))
				return false;
	return true;
}

bool
wire_send(struct tunnel *t, const void *p, size_t len)
{
	if (t->n_tls == 0)
		return buf_add(&t->out, p, len);
	return tls_write(t->tls[t->n_tls - 1], p, len) && wire_gather(t);
}

int
wire_flush(struct tunnel *t)
{
	ssize_t n;

	while (t->out.len > 0) {
		n = send(t->net.fd, t->out.p + t->out.off, t->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		buf_take(&t->out, (size_t)n);
	}
	return 0;
}

/*
 * What has come for a session goes up: through those that are open, the last into t->in.  The
 * innermost may be in its handshake still, and then keeps what it is fed.
 */
static int
climb(struct tunnel *t)
{
	size_t open = t->step == STEP_TLS ? t->n_tls - 1 : t->n_tls;
	long n;

	for (size_t i = 0; i < open; i++) {
		while ((n = tls_read(t->tls[i], scratch, sizeof(scratch))) > 0)
			if (!(i + 1 < t->n_tls ? tls_feed(t->tls[i + 1], scratch, (size_t)n) :
			    buf_add(&t->in, scratch, (size_t)n)))
				return -1;
		if (n == 0)
			t->net_eof = true;
		if (n == -2)
			return -1;
	}
	return wire_gather(t) ? 1 : -1;
}

int
wire_recv(struct tunnel *t)
{
	ssize_t n = recv(t->net.fd, scratch, sizeof(scratch), MSG_DONTWAIT);

	if (n == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	errno = 0;
	if (n == 0) {
		t->net_eof = true;
		return 1;
	}
	if (!tls_feed(t->tls[0], scratch, (size_t)n)) {
		errno = ENOMEM;
		return -1;
	}
	return climb(t);
}

ssize_t
wire_peek(struct tunnel *t, void *p, size_t len)
{
	return recv(t->net.fd, p, len, MSG_DONTWAIT | MSG_PEEK);
}

void
wire_skip(struct tunnel *t, size_t len)
{
	ssize_t n = 0;

	/* It has been seen to be there. */
	for (; len > 0 && n >= 0; len -= (size_t)n) {
		n = recv(t->net.fd, scratch, len < sizeof(scratch) ? len : sizeof(scratch), MSG_DONTWAIT);
		if (n == 0)
			return;
	}
}

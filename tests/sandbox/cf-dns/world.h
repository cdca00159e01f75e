/*
 * world.h - all that surrounds cf-dns, in one test process.
 *
 * The test is cf-netstack on one channel and the dialler on the other; behind the
 * dialler stand two resolvers on the loopback, each doing as its test says.  Sockets
 * are handed over, or kept and relayed in DATA frames.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TEST_WORLD_H
#define CF_TEST_WORLD_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chan.h"
#include "inside.h"
#include "wire.h"

#define RESOLVERS	2
#define CONNS		16
#define ANSWERS		2048
#define DIALS		8192

/* What a resolver does with a query over UDP; over TCP it answers with `size` bytes. */
enum manner {
	ANSWERS_AT_ONCE, STAYS_SILENT, SAYS_SERVFAIL, SAYS_NXDOMAIN, CUTS, CUTS_BUT_NO_TCP,
	LIES_FIRST, ONLY_LIES, ERROR_WITHOUT_QUESTION, SENDS_EMPTY_FIRST,
	LIES_TO_THE_FIRST_PORT, ANSWERS_TWICE, TRANSFERS, TRANSFERS_HALF
};

struct conn {
	int	fd;
	uint8_t	buf[2 + 65535];
	size_t	len;
};

struct fake {
	enum manner	manner;
	size_t		size;		/* of its answers; 0: one A record */
	int		udp, tcp;
	struct addr	addr;
	unsigned	nudp, ntcp;	/* queries that came */
	uint16_t	ids[8];		/* of the first of them, */
	uint16_t	ports[8];	/* from which port */
	uint8_t		from[65536];	/* 1: a query came from this port */
	unsigned	nports;		/* how many such */
	size_t		last_len;
	struct conn	conns[CONNS];
};

struct dial {
	uint64_t	flow;
	int		fd;		/* DATA frames: the socket; else -1 */
	bool		tcp, open;
	uint32_t	credit;
};

struct answer {
	uint64_t	flow;
	size_t		len;
	uint8_t		msg[65535];
};

struct world {
	pid_t		pid;
	struct chan	*stack, *dial;
	struct chan	*spawn;		/* --control-fd, where the test has it */
	bool		 controlled;
	unsigned	 ntaken;
	uint32_t	caps;		/* what the dialler offers */
	bool		hold_hello;	/* the dialler says nothing */
	bool		refuse;
	unsigned	opens, closes;
	struct dial	*dials;
	size_t		ndials;
	struct fake	fakes[RESOLVERS];
	struct answer	*last;
	unsigned	nanswers, nfailed;	/* nfailed: of these, SERVFAIL */
	unsigned	nparts;		/* that came, */
	bool		hold_parts;	/* and none is taken */
	uint8_t		got[ANSWERS];	/* answers by flow */
	int		err;		/* its stderr */
	int		log;		/* its events */
	int		stack_end, dial_end;	/* chan_read's last word */
};

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- messages ---- */

static size_t
name_put(uint8_t *out, const char *name)
{
	size_t at = 0;

	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	return at;
}

/* A query as dig makes it; udp_size 0: without EDNS. */
static size_t
query_make(uint8_t *out, uint16_t id, const char *name, uint16_t type, uint16_t udp_size)
{
	struct wr w = wr_over(out, 512);
	uint8_t wire[256];

	wr_be16(&w, id);
	wr_be16(&w, 0x0120);				/* RD, AD */
	wr_be16(&w, 1);
	wr_be32(&w, 0);
	wr_be16(&w, udp_size > 0);
	wr_bytes(&w, wire, name_put(wire, name));
	wr_be16(&w, type);
	wr_be16(&w, WIRE_IN);
	if (udp_size > 0) {
		wr_u8(&w, 0);
		wr_be16(&w, WIRE_OPT);
		wr_be16(&w, udp_size);
		wr_be32(&w, 0x8000);			/* DO */
		wr_be16(&w, 0);
	}
	ck_assert(!w.bad);
	return (size_t)(w.p - out);
}

/* The answer to q: 203.0.113.10, and then TXT records up to about `size` bytes. */
static size_t
answer_make(uint8_t *out, const uint8_t *q, size_t qlen, size_t size)
{
	struct wire_query wq;
	struct wr w = wr_over(out, 65535);
	uint16_t records = 1;

	ck_assert_ptr_null(wire_query(q, qlen, &wq));
	memcpy(out, q, wq.head_len);
	w.p += wq.head_len;
	wr_bytes(&w, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x0a", 16);
	while ((size_t)(w.p - out) + 220 < size) {
		wr_bytes(&w, "\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\xc8\xc7", 13);
		memset(wr_take(&w, 199), 'x', 199);
		records++;
	}
	if (wq.edns)
		wr_bytes(&w, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
	out[2] = (uint8_t)(0x80 | (q[2] & 0x01));
	out[3] = 0x80;
	out[6] = (uint8_t)(records >> 8), out[7] = (uint8_t)records;
	out[8] = out[9] = out[10] = 0;
	out[11] = wq.edns;
	return (size_t)(w.p - out);
}

/* ---- resolvers ---- */

/* A port that is free for both. */
static bool
fake_bind(struct fake *f)
{
	struct sockaddr_storage ss;
	socklen_t len;

	addr_parse("127.0.0.1", 0, &f->addr);
	f->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	f->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	len = addr_to_sockaddr(&f->addr, &ss);
	ck_assert_int_eq(bind(f->udp, (struct sockaddr *)&ss, len), 0);
	getsockname(f->udp, (struct sockaddr *)&ss, &len);
	addr_from_sockaddr(&ss, &f->addr);
	if (bind(f->tcp, (struct sockaddr *)&ss, len) == 0)
		return true;
	close(f->udp);
	close(f->tcp);
	return false;
}

static void
fake_open(struct fake *f)
{
	for (int tries = 0; !fake_bind(f); tries++)
		ck_assert_int_lt(tries, 100);
	ck_assert_int_eq(listen(f->tcp, 64), 0);
	for (int i = 0; i < CONNS; i++)
		f->conns[i].fd = -1;
}

static void
fake_udp(struct fake *f)
{
	uint8_t q[65536], a[65536];
	struct sockaddr_storage from;
	socklen_t fromlen = sizeof(from);
	struct sockaddr_storage to;
	struct addr asker, first;
	socklen_t firstlen;
	size_t len;
	ssize_t n = recvfrom(f->udp, q, sizeof(q), 0, (struct sockaddr *)&from, &fromlen);

	if (n < WIRE_HEADER_LEN)
		return;
	addr_from_sockaddr(&from, &asker);
	if (f->nudp < 8) {
		f->ids[f->nudp] = wire_id(q);
		f->ports[f->nudp] = asker.port;
	}
	f->nudp++;
	f->nports += f->from[asker.port] == 0;
	f->from[asker.port] = 1;
	f->last_len = (size_t)n;
	len = answer_make(a, q, (size_t)n, f->size);
	first = asker;
	first.port = f->ports[0];
	firstlen = addr_to_sockaddr(&first, &to);
#define SAY(bytes, count) sendto(f->udp, (bytes), (count), 0, (struct sockaddr *)&from, fromlen)
	switch (f->manner) {
	case STAYS_SILENT:
		return;
	case SAYS_SERVFAIL:
	case SAYS_NXDOMAIN:
		a[3] |= f->manner == SAYS_SERVFAIL ? 2 : 3;
		a[7] = a[11] = 0;
		len = 12 + strlen((char *)a + 12) + 1 + 4;
		break;
	case CUTS:
	case CUTS_BUT_NO_TCP:
		len = wire_truncate(q, 512, a, len);
		memcpy(a, q, len);
		break;
	case LIES_FIRST:
	case ONLY_LIES:
		a[0] ^= 1;				/* another id */
		SAY(a, len);
		a[0] ^= 1, a[13] ^= 1;			/* another name */
		SAY(a, len);
		a[13] ^= 0x21;				/* another letter case */
		SAY(a, len);
		a[13] ^= 0x20, a[2] ^= 0x80;		/* a query */
		SAY(a, len);
		a[2] ^= 0x80;
		SAY(a, 11);				/* half a header */
		if (f->manner == ONLY_LIES)
			return;
		break;
	case ERROR_WITHOUT_QUESTION:
		a[3] |= 1, a[5] = a[7] = a[11] = 0;
		len = 12;
		break;
	case SENDS_EMPTY_FIRST:
		SAY(a, 0);
		break;
	case LIES_TO_THE_FIRST_PORT:		/* all is right but the port; another address */
		a[len - 1] ^= 1;
		sendto(f->udp, a, len, 0, (struct sockaddr *)&to, firstlen);
		a[len - 1] ^= 1;
		break;
	case ANSWERS_TWICE:
		SAY(a, len);
		break;
	default:
		break;
	}
	SAY(a, len);
#undef SAY
}

static void
fake_accept(struct fake *f)
{
	int fd = accept4(f->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	for (int i = 0; i < CONNS && fd != -1; i++)
		if (f->conns[i].fd == -1 && f->manner != CUTS_BUT_NO_TCP) {
			f->conns[i] = (struct conn){ .fd = fd };
			return;
		}
	if (fd != -1)
		close(fd);
}

#define TRANSFER_MESSAGES 200		/* of about 20000 bytes, more than buffers take */

static void
transfer_part(int fd, const uint8_t *q, size_t qlen, bool soa)
{
	static const char record[] = "\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x16\0\0\0\0\0\7\0\0\0\1"
	    "\0\0\0\1\0\0\0\1\0\0\0\1";
	static uint8_t a[2 + 65535];
	struct wire_query wq;
	size_t len;
	uint16_t n;

	wire_query(q, qlen, &wq);
	len = answer_make(a + 2, q, wq.head_len, 20000);
	n = (uint16_t)((a[8] << 8 | a[9]) + soa);
	memmove(a + 2 + wq.head_len + (soa ? sizeof(record) - 1 : 0), a + 2 + wq.head_len,
	    len - wq.head_len);
	if (soa)
		memcpy(a + 2 + wq.head_len, record, sizeof(record) - 1);
	len += soa ? sizeof(record) - 1 : 0;
	a[8] = (uint8_t)(n >> 8), a[9] = (uint8_t)n;
	a[13] = 0;					/* no EDNS */
	a[0] = (uint8_t)(len >> 8), a[1] = (uint8_t)len;
	if (write(fd, a, len + 2) != (ssize_t)len + 2)
		_exit(1);
}

/* A process of its own, which may wait until it is read. */
static void
fake_transfer(const struct fake *f, struct conn *c)
{
	int n = f->manner == TRANSFERS ? TRANSFER_MESSAGES : TRANSFER_MESSAGES / 2;

	if (fork() == 0) {
		dup2(c->fd, 0);
		close_range(1, ~0u, 0);
		fcntl(0, F_SETFL, 0);
		for (int i = 0; i < n; i++)
			transfer_part(0, c->buf + 2, c->len - 2, i == 0 || i == TRANSFER_MESSAGES - 1);
		_exit(0);
	}
	close(c->fd);
	c->fd = -1;
}

static void
fake_tcp(struct fake *f, struct conn *c)
{
	static uint8_t a[2 + 65535];
	ssize_t n = read(c->fd, c->buf + c->len, sizeof(c->buf) - c->len);
	size_t want, len;

	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->len += (size_t)n;
	want = c->len >= 2 ? (size_t)(c->buf[0] << 8 | c->buf[1]) : SIZE_MAX - 2;
	if (c->len < want + 2)
		return;
	f->ntcp++;
	f->last_len = want;
	if (f->manner == TRANSFERS || f->manner == TRANSFERS_HALF) {
		fake_transfer(f, c);
		return;
	}
	len = answer_make(a + 2, c->buf + 2, want, f->size);
	a[0] = (uint8_t)(len >> 8), a[1] = (uint8_t)len;
	for (size_t at = 0; at < len + 2; at += 1000)	/* in pieces */
		ck_assert_int_gt(send(c->fd, a + at, at + 1000 < len + 2 ? 1000 : len + 2 - at,
		    MSG_NOSIGNAL), 0);
}

/* ---- the dialler ---- */

static void
send_body(struct chan *c, enum msg_type type, uint64_t flow, struct wr *w, uint8_t *body, int fd)
{
	chan_send(c, type, flow, body, (size_t)(w->p - body), NULL, 0, fd);
}

static void
on_open(struct chan *c, const struct frame *f, int none)
{
	struct world *w = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	uint8_t body[64];
	struct wr out = wr_over(body, sizeof(body));
	struct sockaddr_storage ss;
	struct msg_open m;
	int fd;

	(void)none;
	ck_assert(msg_open_get(&r, &m));
	ck_assert_int_eq(m.src.family, m.dst.family);
	ck_assert_int_eq(m.src.port, 0);
	w->opens++;
	if (w->refuse) {
		msg_refused_put(&out, &(struct msg_refused){ .why = REFUSED_POLICY, .err = EACCES });
		send_body(c, MSG_REFUSED, f->flow, &out, body, -1);
		return;
	}
	fd = socket(AF_INET, (m.proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&ss, addr_to_sockaddr(&m.dst, &ss)) != 0) {
		msg_refused_put(&out, &(struct msg_refused){ .why = REFUSED_ERRNO,
		    .err = (uint32_t)errno });
		send_body(c, MSG_REFUSED, f->flow, &out, body, -1);
		close(fd);
		return;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ck_assert_uint_lt(w->ndials, DIALS);
	w->dials[w->ndials++] = (struct dial){ .flow = f->flow, .open = true,
	    .tcp = m.proto == IPPROTO_TCP, .credit = MSG_WINDOW_INITIAL,
	    .fd = (chan_caps(c) & MSG_CAP_FD) ? -1 : fd };
	msg_opened_put(&out, &(struct msg_opened){ 0 });
	send_body(c, MSG_OPENED, f->flow, &out, body, (chan_caps(c) & MSG_CAP_FD) ? fd : -1);
}

static struct dial *
dial_find(struct world *w, uint64_t flow)
{
	for (size_t i = 0; i < w->ndials; i++)
		if (w->dials[i].flow == flow)
			return &w->dials[i];
	return NULL;
}

static void
on_close(struct chan *c, const struct frame *f, int fd)
{
	struct world *w = chan_arg(c);
	struct dial *d = dial_find(w, f->flow);

	(void)fd;
	w->closes++;
	if (d == NULL)
		return;			/* a cancel that crossed REFUSED */
	ck_assert_msg(d->open, "flow %llu is closed twice", (unsigned long long)f->flow);
	d->open = false;
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}

static void
on_data(struct chan *c, const struct frame *f, int fd)
{
	struct dial *d = dial_find(chan_arg(c), f->flow);

	(void)fd;
	ck_assert_ptr_nonnull(d);
	if (d->fd == -1)
		return;
	/* A resolver that has closed its end is seen when it is read from. */
	ck_assert(send(d->fd, f->body, f->len, MSG_NOSIGNAL) == f->len || d->tcp);
}

static void
on_window(struct chan *c, const struct frame *f, int fd)
{
	struct dial *d = dial_find(chan_arg(c), f->flow);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	if (d != NULL)
		d->credit += rd_le32(&r);
}

static void
dial_relay(struct world *w, struct dial *d)
{
	uint8_t buf[65535];
	ssize_t n = recv(d->fd, buf, d->tcp && d->credit < sizeof(buf) ? d->credit : sizeof(buf), 0);
	uint8_t err[4];
	struct wr out = wr_over(err, 4);

	if (n > 0) {
		ck_assert_uint_ge(d->credit, (uint32_t)n);
		d->credit -= (uint32_t)n;
		chan_send(w->dial, MSG_DATA, d->flow, NULL, 0, buf, (size_t)n, -1);
		return;
	}
	if (n == 0 && !d->tcp)
		return;
	wr_le32(&out, (uint32_t)errno);
	chan_send(w->dial, n == 0 ? MSG_EOF : MSG_RESET, d->flow, err, n == 0 ? 0 : 4, NULL, 0, -1);
	close(d->fd);
	d->fd = -1;
}

/* ---- cf-netstack ---- */

static void
on_answer(struct chan *c, const struct frame *f, int fd)
{
	struct world *w = chan_arg(c);

	(void)fd;
	ck_assert_uint_lt(f->flow, ANSWERS);
	ck_assert_msg(w->got[f->flow]++ == 0, "two answers to query %u", (unsigned)f->flow);
	w->nanswers++;
	w->nfailed += f->len > 3 && (f->body[3] & 15) == 2;
	w->last->flow = f->flow;
	w->last->len = f->len;
	memcpy(w->last->msg, f->body, f->len);
}

__attribute__((unused))
static void
proceed(struct chan *c, uint64_t flow, uint32_t flags)
{
	uint8_t body[MSG_PROCEED_LEN];
	struct wr wr = wr_over(body, sizeof(body));

	wr_le32(&wr, flags);
	chan_send(c, MSG_PROCEED, flow, body, sizeof(body), NULL, 0, -1);
}

static void
on_part(struct chan *c, const struct frame *f, int fd)
{
	struct world *w = chan_arg(c);

	(void)fd;
	ck_assert_uint_eq(w->got[f->flow], 0);
	w->nparts++;
	w->last->flow = f->flow;
	w->last->len = f->len;
	memcpy(w->last->msg, f->body, f->len);
	if (!w->hold_parts)
		proceed(c, f->flow, PROCEED_ON);
}

static void
on_taken(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	ck_assert_uint_eq(rd_le32(&r), MSG_RESOLVERS);
	((struct world *)chan_arg(c))->ntaken++;
}

static const struct chan_handler spawn_handlers[] = { { MSG_TAKEN, on_taken }, { 0, NULL } };
static const struct chan_handler stack_handlers[] = {
	{ MSG_ANSWER, on_answer }, { MSG_PART, on_part }, { 0, NULL }
};
static const struct chan_handler dial_handlers[] = {
	{ MSG_OPEN, on_open }, { MSG_CLOSE, on_close }, { MSG_DATA, on_data },
	{ MSG_WINDOW, on_window }, { 0, NULL }
};

/* ---- the whole ---- */

static const char *
program(void)
{
	static char path[4096];
	const char *bin = getenv("CF_BIN");
	char self[2048];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	/* BUILD/tests/sandbox/cf-dns/test_x -> BUILD/bin/cf-dns */
	for (int up = 0; up < 4; up++)
		*strrchr(self, '/') = '\0';
	if (bin != NULL)
		snprintf(path, sizeof(path), "%s/cf-dns", bin);
	else
		snprintf(path, sizeof(path), "%s/bin/cf-dns", self);
	return path;
}

/* Run cf-dns on these descriptors; args after the usual ones. */
static pid_t
run(int stack, int dial, int log, int err, int control, const char *const *args)
{
	const char *argv[32] = { "cf-dns", "--dial-fd", "10", "--log-fd", "11" };
	size_t n = 5;
	pid_t pid;

	if (control != -1)
		argv[n++] = "--control-fd", argv[n++] = "12";
	for (; args != NULL && *args != NULL; args++)
		argv[n++] = *args;
	argv[n] = NULL;
	if ((pid = fork()) == 0) {
		dup2(stack, 0), dup2(stack, 1), dup2(err, 2);
		dup2(dial, 10), dup2(log, 11);
		if (control != -1)
			dup2(control, 12);
		execv(program(), (char *const *)argv);
		_exit(99);
	}
	return pid;
}

static struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->last = calloc(1, sizeof(*w->last));
	w->dials = calloc(DIALS, sizeof(*w->dials));
	w->caps = MSG_CAP_FD;
	w->stack_end = w->dial_end = 1;
	for (int i = 0; i < RESOLVERS; i++)
		fake_open(&w->fakes[i]);
	return w;
}

/* args NULL: the two resolvers. */
static void
world_start(struct world *w, const char *const *args)
{
	int stack[2], dial[2], err[2], log[2], control[2] = { -1, -1 };
	char one[ADDR_STRLEN], two[ADDR_STRLEN], path[32];
	const char *usual[] = { "--resolver", addr_str(&w->fakes[0].addr, one),
	    "--resolver", addr_str(&w->fakes[1].addr, two), NULL };

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stack), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, dial), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC | O_NONBLOCK), 0);
	/* A file: nobody reads while the helper writes. */
	log[1] = memfd_create("log", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", log[1]);
	log[0] = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ne(log[0], -1);
	if (w->controlled)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
	w->pid = run(stack[1], dial[1], log[1], err[1], control[1], args != NULL ? args : usual);
	close(stack[1]), close(dial[1]), close(err[1]), close(log[1]);
	if (w->controlled) {
		close(control[1]);
		w->spawn = chan_new(control[0], control[0], R_SPAWN, R_DNS, w);
		chan_handlers(w->spawn, spawn_handlers);
		chan_hello(w->spawn, 0);
	}
	w->err = err[0];
	w->log = log[0];
	w->stack = chan_new(stack[0], stack[0], R_STACK, R_DNS, w);
	w->dial = chan_new(dial[0], dial[0], R_DIAL, R_DNS, w);
	chan_handlers(w->stack, stack_handlers);
	chan_handlers(w->dial, dial_handlers);
	chan_hello(w->stack, MSG_CAP_FD);
	if (!w->hold_hello)
		chan_hello(w->dial, w->caps);
}

static void
world_turn(struct world *w, int timeout)
{
	enum { FIXED = 2 + 2 * RESOLVERS };
	static struct pollfd p[FIXED + RESOLVERS * CONNS + DIALS];
	static void *what[FIXED + RESOLVERS * CONNS + DIALS];
	nfds_t n = 0;

	chan_flush(w->stack);
	chan_flush(w->dial);
	if (w->spawn != NULL) {
		struct pollfd told = { .fd = chan_rfd(w->spawn), .events = POLLIN };

		chan_flush(w->spawn);
		if (poll(&told, 1, 0) == 1)
			chan_read(w->spawn);
	}
#define POLL(descriptor, thing) \
	(p[n] = (struct pollfd){ .fd = (descriptor), .events = POLLIN }, what[n++] = (thing))
	POLL(w->stack_end == 1 ? chan_rfd(w->stack) : -1, NULL);
	POLL(w->dial_end == 1 ? chan_rfd(w->dial) : -1, NULL);
	for (int i = 0; i < RESOLVERS; i++) {
		POLL(w->fakes[i].udp, &w->fakes[i]);
		POLL(w->fakes[i].tcp, &w->fakes[i]);
	}
	for (int i = 0; i < RESOLVERS; i++)
		for (int k = 0; k < CONNS; k++)
			POLL(w->fakes[i].conns[k].fd, &w->fakes[i].conns[k]);
	for (size_t i = 0; i < w->ndials; i++)
		if (w->dials[i].fd != -1 && w->dials[i].credit > 0)
			POLL(w->dials[i].fd, &w->dials[i]);
#undef POLL
	if (poll(p, n, timeout) <= 0)
		return;
	for (nfds_t i = FIXED; i < n; i++)
		if (p[i].revents == 0)
			continue;
		else if (i < FIXED + RESOLVERS * CONNS)
			fake_tcp(&w->fakes[(i - FIXED) / CONNS], what[i]);
		else
			dial_relay(w, what[i]);
	for (int i = 0; i < 2 * RESOLVERS; i++)
		if (p[2 + i].revents & POLLIN)
			(i % 2 ? fake_accept : fake_udp)(what[2 + i]);
	if (p[0].revents)
		w->stack_end = chan_read(w->stack);
	if (p[1].revents)
		w->dial_end = chan_read(w->dial);
	chan_flush(w->stack);
	chan_flush(w->dial);
}

/* Flows that are open at the dialler: TCP, or UDP. */
__attribute__((unused))
static unsigned
flows_open(const struct world *w, bool tcp)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->ndials; i++)
		n += w->dials[i].open && w->dials[i].tcp == tcp;
	return n;
}

/* Let things happen until there are so many answers; false when it takes too long. */
static bool
world_until(struct world *w, unsigned answers, int ms)
{
	int64_t end = now_ms() + ms;

	while (w->nanswers < answers && w->stack_end == 1 && now_ms() < end)
		world_turn(w, 10);
	return w->nanswers >= answers;
}

__attribute__((unused))
static void
world_for(struct world *w, int ms)
{
	int64_t end = now_ms() + ms;

	while (now_ms() < end)
		world_turn(w, 10);
}

static void
ask_raw(struct world *w, uint64_t flow, uint8_t transport, const char *server,
    const uint8_t *msg, size_t len)
{
	uint8_t body[MSG_QUERY_LEN];
	struct wr wr = wr_over(body, sizeof(body));
	struct msg_query m = { .transport = transport };

	addr_parse(INSIDE_CHILD4, 40000, &m.src);
	ck_assert(addr_parse(server, 53, &m.server));
	msg_query_put(&wr, &m);
	/* N speaks only to who has said HELLO. */
	while (chan_peer(w->stack) == 0 && w->stack_end == 1)
		world_turn(w, 10);
	chan_send(w->stack, MSG_QUERY, flow, body, sizeof(body), msg, len, -1);
}

static void
ask(struct world *w, uint64_t flow, uint8_t transport, const char *server, const char *name,
    uint16_t type, uint16_t udp_size)
{
	uint8_t msg[512];

	ask_raw(w, flow, transport, server, msg,
	    query_make(msg, (uint16_t)(0x1000 + flow), name, type, udp_size));
}

/* End it as cf-netstack does; its status, or -signal. */
static int
world_end(struct world *w)
{
	int status, ms = 0;

	if (w->stack_end == 1)
		chan_shutdown(w->stack);
	while (waitpid(w->pid, &status, WNOHANG) == 0) {
		world_turn(w, 10);
		ck_assert_msg((ms += 10) < 20000, "cf-dns does not end");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

__attribute__((unused))
static const char *
drain(int fd)
{
	static char text[65536];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

#endif

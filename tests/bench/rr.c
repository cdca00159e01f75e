/*
 * rr - request and response, one byte each way: transactions a second and their latency.
 *
 *	rr serve PORT
 *	rr tcp_rr|tcp_crr|udp_rr|refused ADDRESS PORT SECONDS [FLOWS]
 *
 * tcp_rr   over FLOWS connections that stay open
 * tcp_crr  connect, request, response, close with a RST (so no TIME_WAIT), FLOWS at a time
 * udp_rr   over FLOWS sockets; a request without answer for 100 ms is lost and sent again
 * refused  connects to a port where nobody listens, FLOWS at a time
 *
 * ADDRESS is numeric, IPv4 or IPv6; the server listens on both.  Each flow has one
 * transaction under way at any time, its latency counted from its first system call;
 * those not done when SECONDS are over don't count.  Both sides are one thread with one
 * epoll.  The byte is a sequence number, so a stale or wrong answer is noticed.
 *
 * The client prints one JSON object.  It ends with status 1, and a line on stderr, when a
 * lasting connection breaks, after MANY failed transactions, or if none was completed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MANY		100	/* failed transactions that end a run */
#define RESEND		0.1	/* seconds without an answer before a datagram is sent again */
#define MAX_FLOWS	1024
#define MAX_SECONDS	600

static const struct mode {
	const char *name;
	int type;
	bool reconnect;		/* each transaction has a socket of its own */
	bool refusal;		/* ... and ends well when its connect is refused */
} modes[] = {
	{ "tcp_rr",  SOCK_STREAM, false, false },
	{ "tcp_crr", SOCK_STREAM, true,  false },
	{ "udp_rr",  SOCK_DGRAM,  false, false },
	{ "refused", SOCK_STREAM, true,  true },
};

struct flow {
	int fd;			/* -1: none */
	bool busy;		/* a transaction is under way */
	bool connecting;
	uint8_t byte;		/* of this transaction */
	double began, sent;	/* when it began, when its request was last sent */
};

static int epoll_fd;
static const struct mode *mode;
static struct addrinfo *server;
static struct flow flows[MAX_FLOWS];
static int nflows = 1;
static unsigned long errors, lost;

static float *samples;		/* latencies in microseconds */
static size_t nsamples, room;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
sample_add(double us)
{
	if (nsamples == room) {
		float *more;

		room = room ? room * 2 : 1 << 16;
		if (!(more = realloc(samples, room * sizeof *samples)))
			err(1, "realloc");
		samples = more;
	}
	samples[nsamples++] = (float)us;
}

static int
sample_order(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void
watch(int fd, int op, uint32_t events, void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = data };

	if (epoll_ctl(epoll_fd, op, fd, &ev))
		err(1, "epoll_ctl");
}

/* ---- client ------------------------------------------------------------------------ */

/* A transaction is over; why is 0 or an errno. */
static void
flow_end(struct flow *f, int why)
{
	f->busy = false;
	if (!why) {
		sample_add((now() - f->began) * 1e6);
	} else if (!mode->reconnect || ++errors >= MANY) {
		errno = why;
		err(1, "%s: transaction %zu", mode->name, nsamples + errors);
	}
	if (mode->reconnect) {
		struct linger rst = { .l_onoff = 1 };

		setsockopt(f->fd, SOL_SOCKET, SO_LINGER, &rst, sizeof rst);
		close(f->fd);
		f->fd = -1;
	}
}

static void
flow_request(struct flow *f)
{
	f->sent = now();
	/* a datagram that could not be sent is one that was lost */
	if (send(f->fd, &f->byte, 1, MSG_NOSIGNAL) != 1 && mode->type == SOCK_STREAM)
		flow_end(f, errno);
}

/* The connect is over; why is 0 or an errno. */
static void
flow_connected(struct flow *f, int why)
{
	f->connecting = false;
	if (mode->refusal)
		flow_end(f, why == ECONNREFUSED ? 0 : why ? why : EISCONN);
	else if (why)
		flow_end(f, why);
	else {
		watch(f->fd, EPOLL_CTL_MOD, EPOLLIN, f);
		flow_request(f);
	}
}

static void
flow_begin(struct flow *f)
{
	int one = 1;

	f->began = now();
	f->busy = true;
	f->byte++;
	if (f->fd >= 0) {
		flow_request(f);
		return;
	}
	f->fd = socket(server->ai_family, mode->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (f->fd < 0)
		err(1, "socket");
	if (mode->type == SOCK_STREAM)
		setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch(f->fd, EPOLL_CTL_ADD, EPOLLOUT, f);
	f->connecting = true;
	if (connect(f->fd, server->ai_addr, server->ai_addrlen) == 0)
		flow_connected(f, 0);
	else if (errno != EINPROGRESS)
		flow_connected(f, errno);
}

static void
flow_event(struct flow *f)
{
	uint8_t byte;
	ssize_t n;
	int why = 0;
	socklen_t len = sizeof why;

	if (f->connecting) {
		getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &why, &len);
		flow_connected(f, why);
		return;
	}
	n = recv(f->fd, &byte, 1, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n == 1 && byte != f->byte && mode->type == SOCK_DGRAM)
		return;		/* the late answer to a request sent twice */
	flow_end(f, n < 0 ? errno : n == 0 ? ECONNRESET : byte != f->byte ? EPROTO : 0);
}

static void
flow_resend(double t)
{
	for (struct flow *f = flows; f < flows + nflows; f++) {
		if (f->busy && t - f->sent > RESEND) {
			lost++;
			flow_request(f);
		}
	}
}

static void
report(double seconds)
{
	if (!nsamples)
		errx(1, "%s: no transaction in %.1f s (%lu errors, %lu lost)", mode->name, seconds,
		    errors, lost);
	qsort(samples, nsamples, sizeof *samples, sample_order);
	printf("{\"mode\": \"%s\", \"flows\": %d, \"seconds\": %.3f, \"transactions\": %zu, "
	    "\"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"errors\": %lu, "
	    "\"lost\": %lu}\n", mode->name, nflows, seconds, nsamples,
	    (double)nsamples / seconds,
	    samples[nsamples / 2], samples[nsamples * 99 / 100], errors, lost);
}

static int
client(double seconds)
{
	struct epoll_event ev[64];
	double start = now(), end = start + seconds, t = start, checked = start;

	for (int i = 0; i < nflows; i++)
		for (flows[i].fd = -1; !flows[i].busy;)
			flow_begin(&flows[i]);
	while (t < end) {
		double wait = end - t < RESEND ? end - t : RESEND;
		int n = epoll_wait(epoll_fd, ev, 64, (int)(wait * 1000) + 1);

		for (int i = 0; i < n; i++) {
			struct flow *f = ev[i].data.ptr;

			flow_event(f);
			while (!f->busy && now() < end)
				flow_begin(f);
		}
		t = now();
		if (mode->type == SOCK_DGRAM && t - checked > RESEND)
			flow_resend(checked = t);
	}
	report(t - start);
	return 0;
}

/* ---- server ------------------------------------------------------------------------ */

static int
bound(int type, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int s = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), off = 0, on = 1;

	if (s < 0)
		err(1, "socket");
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(s, (void *)&a, sizeof a))
		err(1, "port %d", port);
	return s;
}

static void
accept_all(int listener)
{
	int s, one = 1;

	while ((s = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		watch(s, EPOLL_CTL_ADD, EPOLLIN, (void *)(intptr_t)s);
	}
}

static void
answer_datagrams(int s)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof from;
	char buf[2048];
	ssize_t n;

	while ((n = recvfrom(s, buf, sizeof buf, 0, (void *)&from, &len)) >= 0) {
		sendto(s, buf, n, 0, (void *)&from, len);
		len = sizeof from;
	}
}

static void
answer(int s)
{
	char buf[2048];
	ssize_t n = recv(s, buf, sizeof buf, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || send(s, buf, n, MSG_NOSIGNAL) != n)
		close(s);
}

static int
serve(int port)
{
	struct epoll_event ev[64];
	int tcp = bound(SOCK_STREAM, port), udp = bound(SOCK_DGRAM, port);

	if (listen(tcp, 4096))
		err(1, "listen");
	watch(tcp, EPOLL_CTL_ADD, EPOLLIN, (void *)(intptr_t)tcp);
	watch(udp, EPOLL_CTL_ADD, EPOLLIN, (void *)(intptr_t)udp);
	for (;;) {
		int n = epoll_wait(epoll_fd, ev, 64, -1);

		for (int i = 0; i < n; i++) {
			int s = (int)(intptr_t)ev[i].data.ptr;

			if (s == tcp)
				accept_all(s);
			else if (s == udp)
				answer_datagrams(s);
			else
				answer(s);
		}
	}
}

int
main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	double seconds;
	int bad;

	if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
		err(1, "epoll_create1");
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));

	for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
		if (!strcmp(argv[1], modes[i].name))
			mode = &modes[i];
	if (!mode || argc < 5 || argc > 6)
		errx(2, "usage: rr serve PORT | rr tcp_rr|tcp_crr|udp_rr|refused "
		    "ADDRESS PORT SECONDS [FLOWS]");
	seconds = atof(argv[4]);
	if (argc == 6)
		nflows = atoi(argv[5]);
	if (!(seconds > 0 && seconds <= MAX_SECONDS) || nflows < 1 || nflows > MAX_FLOWS)
		errx(2, "SECONDS up to %d, FLOWS up to %d", MAX_SECONDS, MAX_FLOWS);
	hints.ai_socktype = mode->type;
	if ((bad = getaddrinfo(argv[2], argv[3], &hints, &server)))
		errx(2, "%s: %s", argv[2], gai_strerror(bad));
	return client(seconds);
}

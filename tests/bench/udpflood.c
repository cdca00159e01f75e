/*
 * udpflood - count the datagrams of one UDP flow that arrive, in either direction (IPv4).
 *
 *	udpflood serve PORT
 *	udpflood up|down ADDRESS PORT SIZE PPS MILLISECONDS	(PPS 0: as fast as possible)
 *
 * The client asks for a flow by one datagram and prints "SENT n GOT n SECONDS s".  The
 * sender batches with sendmmsg, so that it is not itself what is measured; a paced sender
 * sleeps 200 us at a time.  The receiver's count comes back in a REPORT, which is sent or
 * asked for several times, since it too may be lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MAGIC		0x75666c64
#define BATCH		32
#define MAX_SIZE	65000
#define MAX_MS		600000

enum kind { UP = 1, DOWN, DATA, ASK, REPORT };

struct msg {
	uint32_t magic, kind, run, size, pps, ms;
	uint64_t count;
};

static char bufs[BATCH][65536];
static struct iovec iov[BATCH];
static struct mmsghdr batch[BATCH];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
pause_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

/* A receive that waits longer than this fails with EAGAIN; 0 waits for ever. */
static void
set_timeout(int s, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

static void
batch_init(size_t size, struct sockaddr_in *to)
{
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ bufs[i], size };
		batch[i].msg_hdr = (struct msghdr){ .msg_name = to,
		    .msg_namelen = to ? sizeof *to : 0, .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
}

/* Sends one flow to 'to', or to the connected peer; returns how many datagrams. */
static uint64_t
flood(int s, struct sockaddr_in *to, const struct msg *m)
{
	struct msg data = { .magic = MAGIC, .kind = DATA, .run = m->run };
	double start = now(), end = start + m->ms / 1e3, t;
	uint64_t sent = 0;

	for (int i = 0; i < BATCH; i++)
		memcpy(bufs[i], &data, sizeof data);
	batch_init(m->size, to);
	while ((t = now()) < end) {
		double due = m->pps ? (t - start) * m->pps - (double)sent : BATCH;
		int r;

		if (due < 1) {
			pause_us(200);
			continue;
		}
		r = sendmmsg(s, batch, due < BATCH ? (unsigned int)due : BATCH, 0);
		if (r > 0)
			sent += r;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
			break;
	}
	return sent;
}

/* Counts a flow until nothing comes for quiet_ms, or another kind of message (in *last). */
static uint64_t
count_in(int s, uint32_t run, int quiet_ms, struct msg *last)
{
	uint64_t got = 0;
	int r;

	set_timeout(s, quiet_ms);
	batch_init(sizeof bufs[0], NULL);
	while ((r = recvmmsg(s, batch, BATCH, MSG_WAITFORONE, NULL)) >= 0) {
		for (int i = 0; i < r; i++) {
			struct msg m;

			if (batch[i].msg_len < sizeof m)
				continue;
			memcpy(&m, bufs[i], sizeof m);
			if (m.magic != MAGIC || m.run != run)
				continue;
			if (m.kind != DATA) {
				*last = m;
				return got;
			}
			got++;
		}
	}
	return got;
}

static int
serve(int port)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), big = 4 << 20;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct msg done = { 0 };

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	if (bind(s, (void *)&a, sizeof a))
		err(1, "port %d", port);
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		struct msg m, last = { 0 };
		int copies = 1;

		set_timeout(s, 0);
		if (recvfrom(s, &m, sizeof m, 0, (void *)&from, &len) < (ssize_t)sizeof m ||
		    m.magic != MAGIC || m.size > MAX_SIZE || m.ms > MAX_MS)
			continue;
		if (m.kind == UP)
			m.count = count_in(s, m.run, 2000, &last);
		else if (m.kind == DOWN) {
			m.count = flood(s, &from, &m);
			copies = 5;
		} else if (m.kind == ASK && m.run == done.run)
			m = done;		/* the client did not get it */
		else
			continue;
		m.kind = REPORT;
		done = m;
		for (int i = 0; i < copies; i++) {
			if (copies > 1)
				pause_us(50000);
			sendto(s, &m, sizeof m, 0, (void *)&from, len);
		}
	}
}

/* Floods the server, then asks how much came. */
static uint64_t
go_up(int s, const struct msg *m, struct msg *last)
{
	struct msg ask = *m, r;
	uint64_t sent;

	pause_us(20000);
	sent = flood(s, NULL, m);
	ask.kind = ASK;
	set_timeout(s, 200);
	for (int i = 0; i < 10 && last->kind != REPORT; i++) {
		pause_us(100000);		/* let queues drain */
		send(s, &ask, sizeof ask, 0);
		if (recv(s, &r, sizeof r, 0) == sizeof r && r.run == m->run)
			*last = r;
	}
	return sent;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct msg m = { .magic = MAGIC, .run = (uint32_t)(uint64_t)(now() * 1e6) }, last = { 0 };
	uint64_t got, sent;
	int s, big = 4 << 20;

	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if (argc != 7 || (strcmp(argv[1], "up") != 0 && strcmp(argv[1], "down") != 0))
		errx(2, "usage: udpflood serve PORT | udpflood up|down ADDRESS PORT SIZE PPS "
		    "MILLISECONDS");
	m.kind = strcmp(argv[1], "up") ? DOWN : UP;
	a.sin_port = htons((uint16_t)atoi(argv[3]));
	m.size = (uint32_t)atoi(argv[4]);
	m.pps = (uint32_t)atoi(argv[5]);
	m.ms = (uint32_t)atoi(argv[6]);
	if (inet_pton(AF_INET, argv[2], &a.sin_addr) != 1 || m.size < sizeof m ||
	    m.size > MAX_SIZE || m.ms > MAX_MS)
		errx(2, "SIZE is %zu to %d, MILLISECONDS up to %d", sizeof m, MAX_SIZE, MAX_MS);

	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
	if (connect(s, (void *)&a, sizeof a) || send(s, &m, sizeof m, 0) < 0)
		err(1, "%s", argv[2]);
	if (m.kind == UP) {
		sent = go_up(s, &m, &last);
		got = last.count;
	} else {
		got = count_in(s, m.run, m.ms + 2000, &last);
		sent = last.count;
	}
	if (last.kind != REPORT)
		errx(1, "no report came back");
	printf("SENT %lu GOT %lu SECONDS %.3f\n", sent, got, m.ms / 1e3);
	return 0;
}

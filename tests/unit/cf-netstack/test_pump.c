/*
 * test_pump.c - a stream arrives as it was sent, whatever its ends do, and no pipe tells tales.
 *
 * Real TCP sockets over lo, and a real edge-triggered epoll: a readiness that is forgotten
 * shows as a transfer that never ends.
 *
 *	app[0] --- sock[0] == up ==> sock[1] --- app[1]
 *	                   <= down =
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../main.h"
#include "pump.h"

static struct pipes	 pool;
static struct flow_test {
	int		 app[2];
	struct sock	 sock[2];
	struct pump	 pump[2];	/* up, down */
	enum pump_state	 last[2];
	bool		 ended[2];	/* an end of file was passed on */
	bool		 spliced[2];	/* a pipe was in use */
	int		 ep;
} a, b;

/* ---- a pair of pairs ---- */

static void
tcp_pair(int fd[2], int buffer)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (buffer > 0)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	ck_assert_int_eq(bind(l, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	ck_assert_int_eq(getsockname(l, (struct sockaddr *)&sin, &len), 0);
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (buffer > 0) {
		setsockopt(fd[0], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
		setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	}
	ck_assert_int_eq(connect(fd[0], (struct sockaddr *)&sin, len), 0);
	ck_assert_int_ge(fd[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC), 0);
	if (buffer > 0)
		setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	close(l);
}

static void
flow_up(struct flow_test *t, int buffer)
{
	struct epoll_event ev = { .events = SOCK_EVENTS };
	int fd[2];

	*t = (struct flow_test){ .ep = epoll_create1(EPOLL_CLOEXEC) };
	for (int i = 0; i < 2; i++) {
		tcp_pair(fd, buffer);
		t->app[i] = fd[0];
		t->sock[i] = (struct sock){ .fd = fd[1], .writable = true };
		ev.data.ptr = &t->sock[i];
		ck_assert_int_eq(epoll_ctl(t->ep, EPOLL_CTL_ADD, fd[1], &ev), 0);
	}
}

static void
flow_down(struct flow_test *t)
{
	for (int i = 0; i < 2; i++) {
		pump_drop(&t->pump[i], &pool);
		sock_close(&t->sock[i], false);
		if (t->app[i] != -1)
			close(t->app[i]);
	}
	close(t->ep);
}

static void
setup(void)
{
	pipes_open(&pool);
	ck_assert_uint_eq(pool.n, PIPES_MAX);
}

static void
teardown(void)
{
	ck_assert_uint_eq(pool.n, PIPES_MAX);	/* each came back */
	pipes_done(&pool);
}

/* ---- a turn of the loop ---- */

static void
direction(struct flow_test *t, int i)
{
	struct pump_end from = pump_end_of(&t->sock[i]), to = pump_end_of(&t->sock[!i]);
	size_t before = pool.n;
	int err;

	if (t->ended[i])
		return;
	t->last[i] = pump_run(&t->pump[i], &pool, &from, &to, &err);
	t->spliced[i] |= t->pump[i].bulk && before > 0;
	if (t->pump[i].piped > 0 && t->pump[i].left != NULL)
		ck_abort_msg("both a pipe and a copy");
	if (t->last[i] == PUMP_EOF) {
		ck_assert(!pump_holds(&t->pump[i]));
		t->ended[i] = true;
		shutdown(t->sock[!i].fd, SHUT_WR);
	}
}

static void
turn(struct flow_test *t, int ms)
{
	struct epoll_event ev[4];
	bool more = t->last[0] == PUMP_MORE || t->last[1] == PUMP_MORE;
	int n = epoll_wait(t->ep, ev, 4, more ? 0 : ms);

	for (int i = 0; i < n; i++)
		sock_event(ev[i].data.ptr, ev[i].events);
	direction(t, 0);
	direction(t, 1);
}

/* ---- streams that can be told apart ---- */

static uint8_t
byte_at(size_t at, unsigned seed)
{
	return (uint8_t)((at * 2654435761u + seed) >> 13 ^ at >> 20);
}

struct stream {
	size_t	 sent, got, len;
	unsigned seed;
	size_t	 write_most, read_most;
	bool	 done;			/* the end was seen */
};

static void
stream_send(struct stream *s, int fd)
{
	static uint8_t buf[1 << 18];
	size_t n = s->len - s->sent, most = 1 + (size_t)rand() % s->write_most;
	ssize_t rc;

	n = n < most ? n : most;
	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(s->sent + i, s->seed);
	if (n > 0 && (rc = send(fd, buf, n, MSG_NOSIGNAL)) > 0) {
		s->sent += (size_t)rc;
		if (s->sent == s->len)
			shutdown(fd, SHUT_WR);
	}
}

static void
stream_recv(struct stream *s, int fd)
{
	static uint8_t buf[1 << 18];
	ssize_t n = recv(fd, buf, 1 + (size_t)rand() % s->read_most, 0);

	for (ssize_t i = 0; i < n; i++)		/* an assertion writes to a file: not one a byte */
		if (buf[i] != byte_at(s->got + (size_t)i, s->seed))
			ck_abort_msg("byte %zu is wrong", s->got + (size_t)i);
	if (n > 0)
		s->got += (size_t)n;
	if (n == 0) {
		ck_assert_uint_eq(s->got, s->len);
		s->done = true;
	}
}

static const struct {
	size_t	len, write_most, read_most;
	int	buffer;
	bool	bulk;
} shapes[] = {
	{ 8 << 20,  1 << 18, 1 << 18, 0,    true },
	{ 8 << 20,  1 << 18, 5000,    0,    true },	/* a slow reader */
	{ 100000,   1 << 18, 3000,    8192, false },	/* buffers that are always full */
	{ 300000,   700,     1 << 16, 0,    false },	/* crumbs */
	{ 1,	    1,	     1,       0,    false },
};

static bool spliced[2];

static void
both_ways(size_t shape)
{
	struct stream s[2];

	flow_up(&a, shapes[shape].buffer);
	for (unsigned i = 0; i < 2; i++)
		s[i] = (struct stream){ .len = shapes[shape].len, .seed = 77 + i,
		    .write_most = shapes[shape].write_most, .read_most = shapes[shape].read_most };
	for (int i = 0; !s[0].done || !s[1].done; i++) {
		if (i > 4000000)
			ck_abort_msg("no end");
		stream_send(&s[0], a.app[0]);
		stream_send(&s[1], a.app[1]);
		turn(&a, 0);
		stream_recv(&s[0], a.app[1]);
		stream_recv(&s[1], a.app[0]);
	}
	ck_assert(a.ended[0] && a.ended[1]);
	memcpy(spliced, a.spliced, sizeof(spliced));
	flow_down(&a);
}

START_TEST(bytes_arrive_as_they_were_sent)
{
	both_ways((size_t)_i);
	if (shapes[_i].bulk)
		ck_assert(spliced[0] && spliced[1]);
}
END_TEST

START_TEST(without_pipes_all_is_copied)
{
	struct pipes none = pool;

	pool.n = 0;
	both_ways((size_t)_i);
	ck_assert_uint_eq(pool.n, 0);
	pool = none;
}
END_TEST

/* ---- helpers of the rest ---- */

/* Send until nobody takes more; how much that was. */
static size_t
stuff(struct flow_test *t, unsigned seed)
{
	struct stream s = { .len = SIZE_MAX, .seed = seed, .write_most = 1 << 17 };

	for (int idle = 0; idle < 30; idle++) {
		size_t before = s.sent;

		stream_send(&s, t->app[0]);
		turn(t, 5);
		if (s.sent != before)
			idle = 0;
	}
	return s.sent;
}

/* Run turns until fd is readable. */
static void
until_readable(struct flow_test *t, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (int i = 0; poll(&p, 1, 0) == 0; i++) {
		ck_assert_int_lt(i, 1000);
		turn(t, 5);
	}
}

START_TEST(an_exchange_is_copied)
{
	char c;

	flow_up(&a, 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq((int)send(a.app[0], "q", 1, 0), 1);
		until_readable(&a, a.app[1]);
		ck_assert_int_eq((int)recv(a.app[1], &c, 1, 0), 1);
		ck_assert_int_eq((int)send(a.app[1], "a", 1, 0), 1);
		until_readable(&a, a.app[0]);
		ck_assert_int_eq((int)recv(a.app[0], &c, 1, 0), 1);
	}
	ck_assert(!a.spliced[0] && !a.spliced[1]);
	flow_down(&a);
}
END_TEST

START_TEST(small_pieces_end_the_splicing)
{
	char c;

	flow_up(&a, 0);
	a.pump[0].bulk = true;
	for (int i = 0; i < 8; i++) {
		ck_assert(a.pump[0].bulk);
		ck_assert_int_eq((int)send(a.app[0], "q", 1, 0), 1);
		until_readable(&a, a.app[1]);
		ck_assert_int_eq((int)recv(a.app[1], &c, 1, 0), 1);
	}
	ck_assert(!a.pump[0].bulk);
	flow_down(&a);
}
END_TEST

START_TEST(a_reader_that_stops_stops_the_source)
{
	struct stream s = { .seed = 5, .read_most = 1 << 18 };

	flow_up(&a, 65536);
	s.sent = stuff(&a, 5);
	ck_assert_uint_lt(s.sent, 4 << 20);
	ck_assert_int_eq(a.last[0], PUMP_WAIT);
	ck_assert(pump_holds(&a.pump[0]));
	ck_assert_uint_le(a.pump[0].piped, PIPE_SIZE);
	shutdown(a.app[0], SHUT_WR);
	for (int i = 0; i < 50; i++)
		turn(&a, 0);
	ck_assert(!a.ended[0]);		/* the end waits its turn */
	s.len = s.sent;
	while (!s.done) {
		turn(&a, 1);
		stream_recv(&s, a.app[1]);
	}
	flow_down(&a);
}
END_TEST

static void
reset(int *fd)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(*fd);
	*fd = -1;
}

START_TEST(a_reset_of_the_source_is_told)
{
	flow_up(&a, 0);
	reset(&a.app[0]);
	while (a.last[0] != PUMP_FROM)
		turn(&a, 1000);
	flow_down(&a);
}
END_TEST

START_TEST(a_reset_of_the_destination_is_told)
{
	flow_up(&a, 65536);
	stuff(&a, 1);
	reset(&a.app[1]);
	for (int i = 0; a.last[0] != PUMP_TO; i++) {
		ck_assert_int_lt(i, 100);
		turn(&a, 1000);
	}
	flow_down(&a);
}
END_TEST

/* What one flow leaves in its pipe no other may see. */
START_TEST(a_pipe_of_a_dead_flow_is_empty_again)
{
	struct pipes rest;
	struct stream s = { .len = 4 << 20, .seed = 9, .write_most = 1 << 18, .read_most = 1 << 18 };

	flow_up(&a, 65536);
	rest = pool;
	pool.n = 1;
	a.pump[0].bulk = true;
	stuff(&a, 8);
	ck_assert_uint_gt(a.pump[0].piped, 0);
	ck_assert_uint_eq(pool.n, 0);
	pump_drop(&a.pump[0], &pool);
	ck_assert_uint_eq(pool.n, 1);
	flow_up(&b, 0);
	b.pump[0].bulk = true;
	while (!s.done) {
		stream_send(&s, b.app[0]);
		turn(&b, 0);
		stream_recv(&s, b.app[1]);
	}
	flow_down(&b);
	flow_down(&a);
	ck_assert_uint_eq(pool.n, 1);
	pool = rest;
}
END_TEST

/* splice never takes it, and answers as if nothing was there. */
START_TEST(urgent_data_stops_nothing)
{
	int on = 1;
	char buf[8];

	flow_up(&a, 0);
	setsockopt(a.sock[0].fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	a.pump[0].bulk = true;
	ck_assert_int_eq((int)send(a.app[0], "X", 1, MSG_OOB), 1);
	ck_assert_int_eq((int)send(a.app[0], "b", 1, 0), 1);
	for (size_t have = 0; have < 2; have += (size_t)recv(a.app[1], buf + have, 2, 0)) {
		until_readable(&a, a.app[1]);
		ck_assert(!a.ended[0]);
	}
	ck_assert(memcmp(buf, "Xb", 2) == 0);
	flow_down(&a);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("pump");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, bytes_arrive_as_they_were_sent, 0, (int)COUNT(shapes));
	tcase_add_loop_test(tc, without_pipes_all_is_copied, 0, (int)COUNT(shapes) - 1);
	tcase_add_test(tc, an_exchange_is_copied);
	tcase_add_test(tc, small_pieces_end_the_splicing);
	tcase_add_test(tc, a_reader_that_stops_stops_the_source);
	tcase_add_test(tc, a_reset_of_the_source_is_told);
	tcase_add_test(tc, a_reset_of_the_destination_is_told);
	tcase_add_test(tc, a_pipe_of_a_dead_flow_is_empty_again);
	tcase_add_test(tc, urgent_data_stops_nothing);
	return unit_run("pump", tc);
}

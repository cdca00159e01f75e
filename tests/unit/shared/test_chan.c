/*
 * test_chan.c - a channel against a peer that is this test: polite, cut off, or hostile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../main.h"
#include "chan.h"

#define MANY_FDS	200		/* several times what one sendmsg carries */

enum transport { OVER_SOCKET, OVER_PIPES, TRANSPORTS };

/* What handlers saw. */
struct seen {
	size_t		 n, hellos;
	uint16_t	 type[1024];
	uint64_t	 flow[1024];
	size_t		 bytes;
	int		 fd[1024];
};

static struct seen	seen;
static int		fail_on_data;

static void
on_frame(struct chan *c, const struct frame *f, int fd)
{
	ck_assert_ptr_eq(chan_arg(c), &seen);
	ck_assert_uint_lt(seen.n, COUNT(seen.type));
	seen.type[seen.n] = f->type;
	seen.flow[seen.n] = f->flow;
	seen.fd[seen.n++] = fd;
	seen.bytes += f->len;
	if (fail_on_data && f->type == MSG_DATA)
		chan_fail(c, "we do not like it");
}

static void
on_hello(struct chan *c)
{
	(void)c;
	seen.hellos++;
}

static const struct chan_handler handlers[] = {
	{ MSG_OPENED, on_frame }, { MSG_DATA, on_frame }, { MSG_EOF, on_frame }, { 0 }
};

/* Two ends: near is a channel of R_STACK; far is raw descriptors. */
static void
ends(enum transport over, int near[2], int far[2])
{
	int a[2], b[2];

	if (over == OVER_SOCKET) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
		near[0] = near[1] = a[0];
		far[0] = far[1] = a[1];
	} else {
		ck_assert_int_eq(pipe(a), 0);
		ck_assert_int_eq(pipe(b), 0);
		near[0] = a[0];
		far[1] = a[1];
		far[0] = b[0];
		near[1] = b[1];
	}
}

static struct chan *
chan_near(enum transport over, int far[2])
{
	int near[2];
	struct chan *c;

	ends(over, near, far);
	c = chan_new(near[0], near[1], R_STACK, R_PROXY | R_DIAL, &seen);
	ck_assert_ptr_nonnull(c);
	chan_handlers(c, handlers);
	chan_on_hello(c, on_hello);
	return c;
}

/* A frame from the far end; len of zeroes as body; fds of /dev/null ride along. */
static void
far_send(int fd, uint16_t type, unsigned said, const void *body, size_t len, size_t n_fds)
{
	union { char buf[CMSG_SPACE(sizeof(int) * 253)]; struct cmsghdr align; } control;
	uint8_t *frame = calloc(1, MSG_HEADER_LEN + len + 1);
	struct iovec iov = { .iov_base = frame, .iov_len = MSG_HEADER_LEN + len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	int fds[253];

	frame_header(frame, (enum msg_type)type, said, 9, len);
	if (body != NULL)
		memcpy(frame + MSG_HEADER_LEN, body, len);
	if (n_fds > 0) {
		for (size_t i = 0; i < n_fds; i++)
			fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
		ck_assert_int_eq(sendmsg(fd, &msg, 0), (ssize_t)iov.iov_len);
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
	} else {
		ck_assert_int_eq(write(fd, frame, iov.iov_len), (ssize_t)iov.iov_len);
	}
	free(frame);
}

static void
far_hello(int fd, unsigned version, unsigned role, uint32_t caps)
{
	uint8_t body[MSG_HELLO_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_hello_put(&w, &(struct msg_hello){ .version = (uint16_t)version,
	    .role = (enum role)role, .caps = caps });
	far_send(fd, MSG_HELLO, 0, body, sizeof(body), 0);
}

static int
read_all(struct chan *c)
{
	int rc = 1;

	for (int i = 0; i < 64 && rc == 1; i++)
		rc = chan_read(c);
	return rc;
}

static size_t
fds_open(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

/* ---- HELLO ---- */

static const struct {
	unsigned	 version, role;
	const char	*why;
} hellos[] = {
	{ MSG_VERSION, R_PROXY, NULL },
	{ MSG_VERSION, R_DIAL, NULL },
	{ MSG_VERSION, R_SPAWN, "HELLO from the wrong kind of program" },
	{ MSG_VERSION, R_PROXY | R_DIAL, "HELLO from the wrong kind of program" },
	{ MSG_VERSION, 0, "HELLO from the wrong kind of program" },
	{ MSG_VERSION, 0x8000, "HELLO from the wrong kind of program" },
	{ MSG_VERSION + 1, R_PROXY, "unknown protocol version" },
	{ 0, R_PROXY, "unknown protocol version" },
};

START_TEST(hello_is_taken_from_who_may_be_there)
{
	int far[2];
	struct chan *c = chan_near(OVER_SOCKET, far);

	ck_assert_int_eq(chan_peer(c), 0);
	far_hello(far[1], hellos[_i].version, hellos[_i].role, 0);
	ck_assert_int_eq(read_all(c), hellos[_i].why == NULL ? 1 : -1);
	if (hellos[_i].why == NULL) {
		ck_assert_int_eq(chan_peer(c), (int)hellos[_i].role);
		ck_assert_uint_eq(seen.hellos, 1);
	} else {
		ck_assert_str_eq(chan_why(c), hellos[_i].why);
		ck_assert_uint_eq(seen.hellos, 0);
	}
	chan_free(c);
}
END_TEST

/* In either order, and only what both have; pipes carry no descriptors. */
START_TEST(capabilities_are_those_of_both)
{
	bool socket_pair = _i / 8 == 0, first = _i & 4;
	uint32_t ours = _i & 1, theirs = _i >> 1 & 1;
	int far[2];
	struct chan *c = chan_near(socket_pair ? OVER_SOCKET : OVER_PIPES, far);

	ck_assert_int_eq(chan_carries_fds(c), socket_pair);
	if (first)
		chan_hello(c, ours);
	far_hello(far[1], MSG_VERSION, R_PROXY, theirs | 0xfffffffe);
	ck_assert_int_eq(read_all(c), 1);
	ck_assert_uint_eq(chan_offer(c), theirs | 0xfffffffe);
	if (!first) {
		ck_assert_uint_eq(chan_caps(c), 0);
		chan_hello(c, ours);
	}
	ck_assert_uint_eq(chan_caps(c), socket_pair ? ours & theirs : 0);
	chan_free(c);
}
END_TEST

/* ---- garbage ---- */

static const struct {
	bool		 hello;		/* a good one first */
	uint16_t	 type;
	unsigned	 said;
	size_t		 len, n_fds;
	const char	*why;
} bad[] = {
	{ false, MSG_DATA,   0, 10, 0, "no HELLO" },
	{ false, 0,          0, 0,  0, "unknown message type" },
	{ false, MSG_HELLO,  0, 9,  0, "bad length" },
	{ true,  MSG_HELLO,  0, 8,  0, "a second HELLO" },
	{ true,  MSG_WINDOW, 0, 4,  0, "not to be asked here" },
	{ true,  MSG_OPEN,   0, MSG_OPEN_LEN, 0, "wrong direction" },
	{ true,  127,        0, 0,  0, "unknown message type" },
	{ true,  0xffff,     0, 0,  0, "unknown message type" },
	{ true,  MSG_EOF,    0, 1,  0, "bad length" },
	{ true,  MSG_OPENED, 1, MSG_OPENED_LEN, 0, "the frame's descriptor is missing" },
	{ true,  MSG_OPENED, 2, MSG_OPENED_LEN, 0, "unexpected descriptor" },
	{ true,  MSG_EOF,    1, 0,  1, "unexpected descriptor" },
	{ true,  MSG_EOF,    0, 0,  1, "a descriptor that belongs to no frame" },
	{ true,  MSG_OPENED, 1, MSG_OPENED_LEN, 2, "a descriptor that belongs to no frame" },
	{ true,  MSG_EOF,    0, 0,  100, "descriptors were lost (is the limit of open files reached?)" },
};

START_TEST(garbage_ends_the_channel_and_leaks_nothing)
{
	int far[2];
	struct chan *c = chan_near(OVER_SOCKET, far);
	size_t before = fds_open();

	if (bad[_i].hello)
		far_hello(far[1], MSG_VERSION, R_PROXY, MSG_CAP_FD);
	far_send(far[1], bad[_i].type, bad[_i].said, NULL, bad[_i].len, bad[_i].n_fds);
	ck_assert_int_eq(read_all(c), -1);
	ck_assert_str_eq(chan_why(c), bad[_i].why);
	ck_assert_int_eq(chan_read(c), -1);
	ck_assert_int_eq(chan_flush(c), -1);
	for (size_t i = 0; i < seen.n; i++)
		close(seen.fd[i]);
	chan_free(c);
	close(far[1]);
	ck_assert_uint_eq(fds_open(), before - 2);
}
END_TEST

START_TEST(handler_may_end_it)
{
	int far[2];
	struct chan *c = chan_near((enum transport)_i, far);

	fail_on_data = 1;
	far_hello(far[1], MSG_VERSION, R_PROXY, 0);
	far_send(far[1], MSG_DATA, 0, NULL, 1, 0);
	far_send(far[1], MSG_DATA, 0, NULL, 1, 0);
	ck_assert_int_eq(read_all(c), -1);
	ck_assert_str_eq(chan_why(c), "we do not like it");
	ck_assert_uint_eq(seen.n, 1);		/* nothing after it is handed out */
	chan_free(c);
}
END_TEST

/* ---- ends ---- */

START_TEST(end_between_frames_is_an_end_and_within_one_is_garbage)
{
	enum transport over = (enum transport)(_i & 1);
	bool cut = _i & 2;
	int far[2];
	struct chan *c = chan_near(over, far);

	far_hello(far[1], MSG_VERSION, R_PROXY, 0);
	far_send(far[1], MSG_DATA, 0, NULL, 1000, 0);
	if (cut)
		ck_assert_int_eq(write(far[1], "\4\0\0", 3), 3);
	close(far[1]);
	ck_assert_int_eq(read_all(c), cut ? -1 : 0);
	ck_assert_uint_eq(seen.bytes, 1000);
	if (cut)
		ck_assert_str_eq(chan_why(c), "truncated frame");
	chan_free(c);
}
END_TEST

START_TEST(frames_are_whole_however_they_come)
{
	uint8_t buf[2 * MSG_HEADER_LEN + 300] = { 0 };
	int far[2];
	struct chan *c = chan_near((enum transport)_i, far);

	far_hello(far[1], MSG_VERSION, R_PROXY, 0);
	frame_header(buf, MSG_DATA, 0, 1, 300);
	frame_header(buf + MSG_HEADER_LEN + 300, MSG_EOF, 0, 2, 0);
	for (size_t i = 0; i < sizeof(buf); i++) {
		ck_assert_int_eq(write(far[1], buf + i, 1), 1);
		ck_assert_int_eq(chan_read(c), 1);
		ck_assert_uint_eq(seen.n, (i + 1 >= MSG_HEADER_LEN + 300) + (i + 1 == sizeof(buf)));
	}
	ck_assert_uint_eq(seen.type[1], MSG_EOF);
	ck_assert_uint_eq(seen.flow[1], 2);
	chan_free(c);
}
END_TEST

START_TEST(peer_that_does_not_read_is_waited_for_then_given_up)
{
	static uint8_t bytes[MSG_TAIL_MAX];
	int far[2];
	struct chan *c = chan_near((enum transport)_i, far);
	size_t sent;

	for (sent = 0; chan_flush(c) == 0 && sent < 64 << 20; sent += sizeof(bytes))
		chan_send(c, MSG_DATA, 1, NULL, 0, bytes, sizeof(bytes), -1);
	ck_assert_int_eq(chan_flush(c), 1);
	ck_assert_uint_gt(chan_backlog(c), 0);
	for (sent = 0; chan_why(c) == NULL && sent < 64 << 20; sent += sizeof(bytes))
		chan_send(c, MSG_DATA, 1, NULL, 0, bytes, sizeof(bytes), -1);
	ck_assert_str_eq(chan_why(c), "the other end does not read");
	chan_free(c);
}
END_TEST

/* It wrote something before it went: that is still to be heard. */
START_TEST(what_a_gone_peer_said_is_still_read)
{
	int far[2];
	struct chan *c = chan_near((enum transport)_i, far);

	far_hello(far[1], MSG_VERSION, R_PROXY, 0);
	far_send(far[1], MSG_EOF, 0, NULL, 0, 0);
	close(far[1]);
	if (far[0] != far[1])
		close(far[0]);
	chan_send(c, MSG_DATA, 1, NULL, 0, "x", 1, -1);
	ck_assert_int_eq(chan_flush(c), 0);
	ck_assert_uint_eq(chan_backlog(c), 0);
	ck_assert_int_eq(read_all(c), 0);
	ck_assert_uint_eq(seen.n, 1);
	chan_free(c);
}
END_TEST

START_TEST(shutdown_lets_the_peer_read_the_rest)
{
	int far[2];
	struct chan *c = chan_near((enum transport)_i, far);
	uint8_t buf[64];

	chan_hello(c, 0);
	ck_assert_int_eq(chan_flush(c), 0);
	chan_shutdown(c);
	ck_assert_int_eq(read(far[0], buf, sizeof(buf)), MSG_HEADER_LEN + MSG_HELLO_LEN);
	ck_assert_int_eq(read(far[0], buf, sizeof(buf)), 0);
	far_hello(far[1], MSG_VERSION, R_PROXY, 0);
	ck_assert_int_eq(read_all(c), 1);
	ck_assert_uint_eq(seen.hellos, 1);
	chan_free(c);
}
END_TEST

/* ---- descriptors ---- */

static int
numbered_file(size_t i)
{
	int fd = memfd_create("numbered", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, (off_t)i), 0);
	return fd;
}

START_TEST(descriptors_come_with_their_frames_in_order)
{
	int near[2], far[2];
	struct chan *a, *b;
	size_t before = fds_open();
	struct stat st;
	uint8_t body[MSG_OPENED_LEN] = { 0 };

	ends(OVER_SOCKET, near, far);
	a = chan_new(near[0], near[1], R_DIAL, R_STACK, NULL);
	b = chan_new(far[0], far[1], R_STACK, R_DIAL, &seen);
	chan_handlers(b, handlers);
	chan_hello(a, MSG_CAP_FD);
	for (size_t i = 0; i < MANY_FDS; i++) {
		if (i % 3 == 0)			/* frames without one between them */
			chan_send(a, MSG_EOF, 10000 + i, NULL, 0, NULL, 0, -1);
		chan_send(a, MSG_OPENED, i + 1, body, sizeof(body), NULL, 0, numbered_file(i));
	}
	while (chan_flush(a) == 1 || chan_backlog(a) > 0)
		ck_assert_int_eq(chan_read(b), 1);
	ck_assert_int_eq(read_all(b), 1);
	for (size_t i = 0, n = 0; i < seen.n; i++) {
		if (seen.type[i] != MSG_OPENED) {
			ck_assert_int_eq(seen.fd[i], -1);
			continue;
		}
		ck_assert_uint_eq(seen.flow[i], n + 1);
		ck_assert_int_eq(fstat(seen.fd[i], &st), 0);
		ck_assert_int_eq(st.st_size, (off_t)n++);
		ck_assert(fcntl(seen.fd[i], F_GETFD) & FD_CLOEXEC);
		close(seen.fd[i]);
	}
	ck_assert_uint_eq(seen.n, MANY_FDS + (MANY_FDS + 2) / 3);
	chan_free(a);
	chan_free(b);
	ck_assert_uint_eq(fds_open(), before);
}
END_TEST

/* A read ends where descriptors begin; a drain does not. */
START_TEST(drain_leaves_nothing_that_was_written)
{
	int near[2], far[2];
	struct chan *a, *b;
	uint8_t body[MSG_OPENED_LEN] = { 0 };

	ends(OVER_SOCKET, near, far);
	a = chan_new(near[0], near[1], R_DIAL, R_STACK, NULL);
	b = chan_new(far[0], far[1], R_STACK, R_DIAL, &seen);
	chan_handlers(b, handlers);
	chan_hello(a, MSG_CAP_FD);
	ck_assert_int_eq(chan_flush(a), 0);
	for (size_t i = 0; i < 50; i++) {
		chan_send(a, MSG_OPENED, i + 1, body, sizeof(body), NULL, 0, numbered_file(i));
		ck_assert_int_eq(chan_flush(a), 0);
	}
	ck_assert_int_eq(chan_drain(b), 1);
	ck_assert_uint_eq(seen.n, 50);
	for (size_t i = 0; i < seen.n; i++)
		close(seen.fd[i]);
	ck_assert_int_eq(chan_drain(b), 1);
	chan_free(a);
	ck_assert_int_eq(chan_drain(b), 0);
	chan_free(b);
}
END_TEST

START_TEST(descriptor_that_cannot_go_is_closed)
{
	int far[2];
	struct chan *c = chan_near(OVER_PIPES, far);
	size_t before = fds_open();
	uint8_t body[MSG_OPENED_LEN] = { 0 }, buf[128];
	struct rd r;

	chan_send(c, MSG_OPENED, 1, body, sizeof(body), NULL, 0, numbered_file(1));
	ck_assert_uint_eq(fds_open(), before);
	ck_assert_int_eq(chan_flush(c), 0);
	ck_assert_int_eq(read(far[0], buf, sizeof(buf)), MSG_HEADER_LEN + MSG_OPENED_LEN);
	r = rd_over(buf + 6, 2);
	ck_assert_uint_eq(rd_le16(&r), 0);	/* and the frame does not promise it */
	chan_free(c);
}
END_TEST

/*
 * The kernel counts what is under way for each user, and spares who may raise limits: in a user
 * namespace of its own nobody may.
 */
START_TEST(too_many_descriptors_under_way_is_no_full_buffer)
{
	const struct rlimit few = { .rlim_cur = 40, .rlim_max = 40 };
	int near[2], far[2];
	struct chan *a, *b;
	uint8_t body[MSG_OPENED_LEN] = { 0 };

	ends(OVER_SOCKET, near, far);
	a = chan_new(near[0], near[1], R_DIAL, R_STACK, NULL);
	b = chan_new(far[0], far[1], R_STACK, R_DIAL, &seen);
	chan_handlers(b, handlers);
	chan_hello(a, MSG_CAP_FD);
	for (size_t i = 0; i < MANY_FDS; i++)
		chan_send(a, MSG_OPENED, i + 1, body, sizeof(body), NULL, 0, numbered_file(i));
	if (unshare(CLONE_NEWUSER) != 0) {
		ck_assert_int_eq(errno, EPERM);		/* not to be had here: nothing can be said */
	} else {
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
		ck_assert_int_eq(chan_flush(a), 2);
		ck_assert_uint_gt(chan_backlog(a), 0);
		ck_assert_ptr_null(chan_why(a));
	}
	chan_free(a);
	chan_free(b);
}
END_TEST

START_TEST(queued_descriptors_are_closed_with_the_channel)
{
	int far[2];
	size_t before = fds_open();
	struct chan *c = chan_near(OVER_SOCKET, far);
	uint8_t body[MSG_OPENED_LEN] = { 0 };

	chan_send(c, MSG_OPENED, 1, body, sizeof(body), NULL, 0, numbered_file(1));
	chan_free(c);
	close(far[0]);
	ck_assert_uint_eq(fds_open(), before);
}
END_TEST

/* ---- making one ---- */

START_TEST(socket_on_two_descriptors_is_noticed)
{
	int pair[2], copy;
	struct chan *c;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	copy = dup(pair[0]);
	c = chan_new(pair[0], copy, R_STACK, R_PROXY, NULL);
	ck_assert(chan_carries_fds(c));
	ck_assert_int_eq(chan_rfd(c), chan_wfd(c));
	ck_assert(fcntl(chan_rfd(c), F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(chan_rfd(c), F_GETFD) & FD_CLOEXEC);
	chan_free(c);
}
END_TEST

START_TEST(closed_descriptor_is_no_channel)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[0]);
	ck_assert_ptr_null(chan_new(pair[0], pair[1], R_STACK, R_PROXY, NULL));
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("chan");

	signal(SIGPIPE, SIG_IGN);
	tcase_add_loop_test(tc, hello_is_taken_from_who_may_be_there, 0, (int)COUNT(hellos));
	tcase_add_loop_test(tc, capabilities_are_those_of_both, 0, 16);
	tcase_add_loop_test(tc, garbage_ends_the_channel_and_leaks_nothing, 0, (int)COUNT(bad));
	tcase_add_loop_test(tc, handler_may_end_it, 0, TRANSPORTS);
	tcase_add_loop_test(tc, end_between_frames_is_an_end_and_within_one_is_garbage, 0, 4);
	tcase_add_loop_test(tc, frames_are_whole_however_they_come, 0, TRANSPORTS);
	tcase_add_loop_test(tc, peer_that_does_not_read_is_waited_for_then_given_up, 0, TRANSPORTS);
	tcase_add_loop_test(tc, what_a_gone_peer_said_is_still_read, 0, TRANSPORTS);
	tcase_add_loop_test(tc, shutdown_lets_the_peer_read_the_rest, 0, TRANSPORTS);
	tcase_add_test(tc, descriptors_come_with_their_frames_in_order);
	tcase_add_test(tc, drain_leaves_nothing_that_was_written);
	tcase_add_test(tc, descriptor_that_cannot_go_is_closed);
	tcase_add_test(tc, too_many_descriptors_under_way_is_no_full_buffer);
	tcase_add_test(tc, queued_descriptors_are_closed_with_the_channel);
	tcase_add_test(tc, socket_on_two_descriptors_is_noticed);
	tcase_add_test(tc, closed_descriptor_is_no_channel);
	return unit_run("chan", tc);
}

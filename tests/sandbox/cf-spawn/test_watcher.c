/*
 * test_watcher.c - the watcher says whose a socket is.
 *
 * The test is cf-spawn: its children are the tree.  Sockets are of the network namespace that it
 * runs in, on the loopback interface.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chan.h"
#include "log.h"
#include "sandbox.h"
#include "sockdiag.h"
#include "spawn.h"
#include "watcher.h"

#define FDS	300		/* descriptors that a process has open besides */

static struct {
	struct helpers	 h;
	struct chan	*chan;
	bool		 answered;
	uint64_t	 flow;
	struct msg_whose whose;
	char		 tail[MSG_WHOSE_TAIL + 1];
} t;

static void
on_whose(struct chan *c, const struct frame *f, int fd)
{
	struct rd r = rd_over(f->body, f->len);
	size_t n;

	(void)c, (void)fd;
	ck_assert(msg_whose_get(&r, &t.whose));
	n = rd_left(&r);
	memcpy(t.tail, r.p, n);
	t.tail[n] = '\0';
	t.flow = f->flow;
	t.answered = true;
}

static const struct chan_handler handlers[] = { { MSG_WHOSE, on_whose }, { 0 } };

static void
watcher_begin(void)
{
	struct identity id = { .uid = getuid(), .gid = getgid() };
	int pair[2];

	log_init("test", 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	t.h.watcher_fd = pair[1];
	watcher_start(&t.h, sockdiag_open(), 0, &id);
	t.chan = chan_new(pair[0], pair[0], R_PROXY, R_WATCH, NULL);
	ck_assert_ptr_nonnull(t.chan);
	chan_handlers(t.chan, handlers);
	chan_hello(t.chan, 0);
}

static void
watcher_end(void)
{
	int status;

	chan_free(t.chan);
	ck_assert_int_eq(waitpid(t.h.helper[HELPER_WATCHER].pid, &status, 0),
	    t.h.helper[HELPER_WATCHER].pid);
	ck_assert_int_eq(status, 0);
}

static void
ask(const struct msg_who *m)
{
	static uint64_t flow;
	uint8_t body[MSG_WHO_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_who_put(&w, m);
	t.answered = false;
	chan_send(t.chan, MSG_WHO, ++flow, body, sizeof(body), NULL, 0, -1);
	ck_assert_int_eq(chan_flush(t.chan), 0);
	while (!t.answered) {
		struct pollfd p = { .fd = chan_rfd(t.chan), .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_eq(chan_read(t.chan), 1);
	}
	ck_assert_uint_eq(t.flow, flow);
}

static struct addr
loopback(const struct sockaddr_in *sin)
{
	return (struct addr){ .family = 4, .ip = { 127, 0, 0, 1 }, .port = ntohs(sin->sin_port) };
}

static int
listener(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)at, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)at, &len), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

/* A process of the tree that has a connected socket, and one below it that has inherited it. */
static pid_t
connected(int type, const struct sockaddr_in *to, struct sockaddr_in *from, int say[2])
{
	socklen_t len = sizeof(*from);
	pid_t pid = fork(), parent;
	int fd;

	if (pid != 0) {
		ck_assert_int_eq(read(say[0], from, sizeof(*from)), (ssize_t)sizeof(*from));
		return pid;
	}
	/* Should the test be root: who has no capability may look at who has none. */
	if (identity_drop_caps(0) != 0)
		_exit(1);
	for (int i = 0; i < FDS; i++)
		(void)!open("/dev/null", O_RDONLY);
	fd = socket(AF_INET, type, 0);
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 ||
	    getsockname(fd, (struct sockaddr *)from, &len) != 0)
		_exit(1);
	parent = getpid();
	if (fork() == 0) {		/* it has it too */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		if (getppid() != parent)
			_exit(0);
		pid = 1;
	}
	if (pid == 0)
		(void)!write(say[1], from, sizeof(*from));
	for (;;)
		pause();
}

START_TEST(the_process_that_opened_it_is_found)
{
	int type = _i == 0 ? SOCK_STREAM : SOCK_DGRAM, say[2];
	struct sockaddr_in to, from;
	struct msg_who m = { .proto = _i == 0 ? IPPROTO_TCP : IPPROTO_UDP };
	pid_t pid;

	ck_assert_int_eq(pipe(say), 0);
	listener(type, &to);
	watcher_begin();
	for (int times = 0; times < 3; times++) {
		pid = connected(type, &to, &from, say);
		m.src = loopback(&from);
		m.dst = loopback(&to);
		ask(&m);
		ck_assert_int_eq((pid_t)t.whose.pid, pid);
		ck_assert_uint_eq(t.whose.parent[0], 0);
		ck_assert_str_eq(t.tail, "test_watcher");
		ck_assert_ptr_nonnull(strstr(t.tail + strlen(t.tail) + 1, "/test_watcher"));
		ask(&m);		/* known by now */
		ck_assert_int_eq((pid_t)t.whose.pid, pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	watcher_end();
}
END_TEST

START_TEST(what_nobody_of_the_tree_has_is_nobodys)
{
	struct sockaddr_in at;
	struct msg_who m = { .proto = IPPROTO_TCP };

	listener(SOCK_STREAM, &at);		/* ours, and we are no descendant of ourselves */
	watcher_begin();
	m.src = m.dst = loopback(&at);
	ask(&m);
	ck_assert_uint_eq(t.whose.pid, 0);
	m.dst.port = 1;				/* the listener must not be taken for it */
	ask(&m);
	ck_assert_uint_eq(t.whose.pid, 0);
	m.proto = IPPROTO_ICMP;
	ask(&m);
	ck_assert_uint_eq(t.whose.pid, 0);
	watcher_end();
}
END_TEST

START_TEST(garbage_ends_it)
{
	static const uint8_t body[MSG_WHO_LEN] = { IPPROTO_TCP };
	int status;

	watcher_begin();
	chan_send(t.chan, MSG_WHO, 1, body, sizeof(body), NULL, 0, -1);
	ck_assert_int_eq(chan_flush(t.chan), 0);
	ck_assert_int_eq(waitpid(t.h.helper[HELPER_WATCHER].pid, &status, 0),
	    t.h.helper[HELPER_WATCHER].pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("watcher");
	TCase *tc = tcase_create("watcher");
	SRunner *sr = srunner_create(s);

	tcase_add_loop_test(tc, the_process_that_opened_it_is_found, 0, 2);
	tcase_add_test(tc, what_nobody_of_the_tree_has_is_nobodys);
	tcase_add_test(tc, garbage_ends_it);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	return srunner_ntests_failed(sr) != 0;
}

/*
 * test_datagrams.c - what cf-netstack may do with a datagram socket, under its own filter.
 *
 * A connected UDP socket is no cage by itself: sendto with an address sends elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsock.h"
#include "loop.h"

static struct sockaddr_in elsewhere;
static int fd;			/* connected, to `far` */
static int far;

static void
setup(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	far = socket(AF_INET, SOCK_DGRAM, 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert(far != -1 && fd != -1);
	ck_assert_int_eq(bind(far, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(getsockname(far, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, len), 0);
	elsewhere = a;
}

static void
teardown(void)
{
	close(fd);
	close(far);
}

/* Run it in a sealed process; its wait status. */
static int
sealed(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sandbox_seal(netstack_sandbox);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
set(int level, int name)
{
	int value = 1;

	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* ---- forbidden ---- */

static void
send_elsewhere(void)
{
	(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&elsewhere, sizeof(elsewhere));
}
static void
connect_elsewhere(void)
{
	(void)connect(fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere));
}
static void make_socket(void)	{ (void)socket(AF_INET, SOCK_DGRAM, 0); }
static void bind_device(void)	{ set(SOL_SOCKET, SO_BINDTODEVICE); }
static void set_mark(void)	{ set(SOL_SOCKET, SO_MARK); }
static void set_broadcast(void)	{ set(SOL_SOCKET, SO_BROADCAST); }
static void ip_options(void)	{ set(IPPROTO_IP, IP_OPTIONS); }
static void join_group(void)	{ set(IPPROTO_IP, IP_ADD_MEMBERSHIP); }
static void be_transparent(void) { set(IPPROTO_IP, IP_TRANSPARENT); }
static void set_pktinfo(void)	{ set(IPPROTO_IPV6, IPV6_PKTINFO); }
static void
send_many(void)
{
	struct mmsghdr m = { 0 };

	(void)sendmmsg(fd, &m, 1, 0);
}

static const struct {
	const char	*what;
	void		(*fn)(void);
} forbidden[] = {
	{ "sendto with an address", send_elsewhere },
	{ "connect", connect_elsewhere },
	{ "socket", make_socket },
	{ "sendmmsg", send_many },
	{ "SO_BINDTODEVICE", bind_device },
	{ "SO_MARK", set_mark },
	{ "SO_BROADCAST", set_broadcast },
	{ "IP_OPTIONS", ip_options },
	{ "IP_ADD_MEMBERSHIP", join_group },
	{ "IP_TRANSPARENT", be_transparent },
	{ "IPV6_PKTINFO", set_pktinfo },
};

START_TEST(datagram_socket_cannot_be_turned_elsewhere)
{
	int status = sealed(forbidden[_i].fn);

#ifdef CF_DEBUG
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s", forbidden[_i].what);
#else
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", forbidden[_i].what);
#endif
}
END_TEST

/* ---- allowed ---- */

static void
whole_life(void)
{
	struct flow f = { .host_mode = HOST_FD, .fd = fd, .src.family = 4, .proto = PROTO_UDP };
	struct dsock d = { 0 };
	struct dattr attr = { .hop_limit = 9, .tclass = 4, .df = true };
	struct dsock_msg msgs[4];
	struct rx_info rx;
	uint8_t buf[4096] = { 0 };
	int err;

	dsock_watch(&f, true);
	dsock_attr(&f, &d, &attr);
	if (!dsock_segment(&f, &d, 100))
		_exit(3);
	if (host_send(&f, buf, 250, &err) != 250)
		_exit(4);
	if (dsock_mtu(&f) == 0)		/* known once something was sent */
		_exit(5);
	if (dsock_recv(&f, buf, sizeof(buf), &rx, &err) != HOST_AGAIN)
		_exit(6);
	if (dsock_recv_batch(&f, buf, 100, 4, msgs, &err) != HOST_AGAIN)
		_exit(7);
	if (dsock_errors(&f, NULL) != 0)
		_exit(8);
}

START_TEST(datagram_socket_lives_its_life_sealed)
{
	char buf[400];
	int status = sealed(whole_life);

	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
	ck_assert_int_eq(recv(far, buf, sizeof(buf), MSG_DONTWAIT), 100);
	ck_assert_int_eq(recv(far, buf, sizeof(buf), MSG_DONTWAIT), 100);
	ck_assert_int_eq(recv(far, buf, sizeof(buf), MSG_DONTWAIT), 50);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("datagrams");
	TCase *tc = tcase_create("datagrams");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, datagram_socket_cannot_be_turned_elsewhere, 0,
	    (int)(sizeof(forbidden) / sizeof(forbidden[0])));
	tcase_add_test(tc, datagram_socket_lives_its_life_sealed);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

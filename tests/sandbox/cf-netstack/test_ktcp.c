/*
 * test_ktcp.c - a connection of the child's kernel lives its life under the filter.
 *
 * All that the seal forbids is done before: the child's connection stands in the listener's queue
 * when its SYN is looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/main.h"
#include "flow.h"
#include "host.h"
#include "ktcp.h"
#include "loop.h"
#include "tcp.h"

#define BULK	(3 << 20)

static struct stack	 s;
static struct addr	 child_addr, lo_addr;
static int		 listener, child, stranger, far;	/* far: the peer of host */
static int		 host;

static int
tcp_listener(struct addr *at)
{
	struct sockaddr_storage ss = { 0 };
	struct addr any = { .family = 4, .ip = { 127, 0, 0, 1 } };
	socklen_t len = addr_to_sockaddr(&any, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, 8) != 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) != 0 || !addr_from_sockaddr(&ss, at))
		_exit(10);
	return fd;
}

static int
tcp_connect(const struct addr *to, struct addr *from)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = addr_to_sockaddr(to, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&ss, len) != 0)
		_exit(11);
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 || !addr_from_sockaddr(&ss, from))
		_exit(12);
	return fd;
}

static void
prepare(void)
{
	struct addr at, from;
	int l, fd[2];

	if (!stack_init(&s) || (s.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		_exit(13);
	s.proxy = chan_new(fd[0], fd[0], R_STACK, R_PROXY | R_DIAL, &s);
	listener = tcp_listener(&lo_addr);
	child = tcp_connect(&lo_addr, &child_addr);
	stranger = tcp_connect(&lo_addr, &from);
	l = tcp_listener(&at);
	far = tcp_connect(&at, &from);
	host = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ktcp_open(&s);
}

static void
feed_syn(void)
{
	static const struct virtio_net_hdr vh = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM };
	uint8_t packet[IP4_HEADER + TCP_HEADER];
	struct wr w = wr_over(packet, sizeof(packet));
	struct ip_head ip = { .src = &child_addr, .dst = &lo_addr, .proto = PROTO_TCP };
	struct tcp_head th = { .flags = TF_SYN, .seq = 1 };
	struct pkt p = { .base = packet, .len = sizeof(packet), .l4_off = IP4_HEADER,
	    .l4_len = TCP_HEADER, .src = child_addr, .dst = lo_addr, .family = 4, .proto = PROTO_TCP };

	ip_put(&w, &ip, TCP_HEADER);
	ip_put_tcp(&w, &ip, &th, 0);
	if (!ktcp_input(&s, &p, &vh))
		_exit(20);
}

static void
turn(void)
{
	struct epoll_event ev[16];
	int n = epoll_wait(s.epoll_fd, ev, 16, 10);

	for (int i = 0; i < n; i++)
		if (!ktcp_event(&s, ev[i].data.ptr, ev[i].events))
			host_event(ev[i].data.ptr, ev[i].events);
	loop_clock(&s);
	stack_turn(&s);
}

/* Much in both directions, so that it is spliced. */
static void
bulk(void)
{
	static uint8_t buf[1 << 16];
	size_t up = 0, down = 0, got_up = 0, got_down = 0;
	ssize_t n;

	for (int i = 0; got_up < BULK || got_down < BULK; i++) {
		if (i > 100000)
			_exit(21);
		if (up < BULK && (n = send(child, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			up += (size_t)n;
		if (down < BULK && (n = send(far, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			down += (size_t)n;
		turn();
		while ((n = recv(far, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			got_up += (size_t)n;
		while ((n = recv(child, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
			got_down += (size_t)n;
	}
}

/* The host is stuffed, then the child resets: what is in a pipe is thrown away. */
static void
end_by_reset(void)
{
	static uint8_t buf[1 << 16];
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	for (int i = 0; i < 400; i++) {
		(void)send(child, buf, sizeof(buf), MSG_DONTWAIT);
		if (i % 8 == 0)
			turn();
	}
	setsockopt(child, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(child);
	for (int i = 0; s.flows.n > 0; i++) {
		if (i > 1000)
			_exit(22);
		turn();
	}
}

static void
whole_life(void)
{
	char c;

	prepare();
	sandbox_seal(netstack_sandbox);
	loop_clock(&s);
	if (!ktcp_listen(&s, &(struct msg_listen){ .family = 4 }, listener))
		_exit(30);
	feed_syn();
	flow_on_opened(&s, 1, host);
	turn();
	if (s.flows.n != 1 || flow_find(&s, PROTO_TCP, &child_addr, &lo_addr) != NULL)
		_exit(31);			/* not accepted */
	if (recv(stranger, &c, 1, MSG_DONTWAIT) != -1)
		_exit(32);
	bulk();
	end_by_reset();
	_exit(0);
}

START_TEST(a_connection_of_the_childs_kernel_lives_sealed)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		whole_life();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", (unsigned)status);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("ktcp");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_connection_of_the_childs_kernel_lives_sealed);
	return unit_run("ktcp", tc);
}

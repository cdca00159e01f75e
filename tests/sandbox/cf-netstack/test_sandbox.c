/*
 * test_sandbox.c - cf-netstack does its whole life sealed.
 *
 * The test is cf-spawn, cf-proxy and cf-dns at once, and the TUN is a datagram socket: packets
 * keep their bounds on it as on the device.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/main.h"
#include "loop.h"
#include "tcp.h"

/* ---- its life ---- */

static struct {
	pid_t	pid;
	int	spawn, proxy, dns, tun;		/* our ends */
	int	err_fd;
} n;
static struct addr me = { .family = 4, .ip = { 192, 0, 0, 2 }, .port = 40000 };
static struct addr web = { .family = 4, .ip = { 203, 0, 113, 10 }, .port = 80 };

static const char *
program(void)
{
	static char path[4096];
	const char *bin = getenv("CF_BIN");
	ssize_t len;

	if (bin != NULL) {
		snprintf(path, sizeof(path), "%s/cf-netstack", bin);
		return path;
	}
	len = readlink("/proc/self/exe", path, sizeof(path) - 64);
	ck_assert_int_gt(len, 0);
	path[len] = '\0';
	strcpy(strrchr(path, '/'), "/../../../bin/cf-netstack");
	return path;
}

static void
pair(int type, int *ours, int *theirs)
{
	int p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, type, 0, p), 0);
	*ours = p[0];
	*theirs = p[1];
	fcntl(p[0], F_SETFD, FD_CLOEXEC);
}

static void
start(void)
{
	int spawn, proxy, dns, err[2];
	char proxy_arg[16], dns_arg[16];

	pair(SOCK_STREAM, &n.spawn, &spawn);
	pair(SOCK_STREAM, &n.proxy, &proxy);
	pair(SOCK_STREAM, &n.dns, &dns);
	ck_assert_int_eq(pipe(err), 0);
	snprintf(proxy_arg, sizeof(proxy_arg), "%d", proxy);
	snprintf(dns_arg, sizeof(dns_arg), "%d", dns);
	if ((n.pid = fork()) == 0) {
		dup2(spawn, 0);
		dup2(spawn, 1);
		dup2(err[1], 2);
		execl(program(), "cf-netstack", "--proxy-fd", proxy_arg, "--dns-fd", dns_arg, NULL);
		_exit(127);
	}
	close(spawn);
	close(proxy);
	close(dns);
	close(err[1]);
	n.err_fd = err[0];
}

static void
say(int fd, enum msg_type type, uint64_t flow, const void *body, size_t len, int pass)
{
	uint8_t header[MSG_HEADER_LEN];
	struct iovec iov[2] = { { header, sizeof(header) }, { (void *)(uintptr_t)body, len } };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	frame_header(header, type, pass != -1, flow, len);
	if (pass != -1) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &pass, sizeof(int));
	}
	ck_assert_int_eq((int)sendmsg(fd, &m, MSG_NOSIGNAL), (int)(sizeof(header) + len));
	if (pass != -1)
		close(pass);
}

static void
hello(int fd, enum role role, uint32_t caps)
{
	uint8_t body[MSG_HELLO_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = role, .caps = caps });
	say(fd, MSG_HELLO, 0, body, sizeof(body), -1);
}

/* The next frame must be of this type; its flow is returned. */
static uint64_t
expect(int fd, enum msg_type type, enum role to)
{
	static uint8_t buf[70000];
	size_t have = 0, used;
	struct frame f;
	const char *why;

	while (have < MSG_HEADER_LEN || frame_next(buf, have, R_STACK, to, &f, &used, &why) == 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		/* byte by byte at the end of a frame: the next one stays in the socket */
		used = have < MSG_HEADER_LEN ? MSG_HEADER_LEN - have :
		    MSG_HEADER_LEN + (buf[0] | (size_t)buf[1] << 8) - have;
		ck_assert_int_gt((int)(used = (size_t)recv(fd, buf + have, used, 0)), 0);
		have += used;
	}
	ck_assert_int_eq(frame_next(buf, have, R_STACK, to, &f, &used, &why), 1);
	ck_assert_int_eq(f.type, type);
	return f.flow;
}

static int
finish_status(void)
{
	int status;

	ck_assert_int_eq(waitpid(n.pid, &status, 0), n.pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
greet(void)
{
	uint8_t tun[MSG_TUN_LEN];
	struct wr w = wr_over(tun, sizeof(tun));
	int theirs;

	start();
	hello(n.spawn, R_SPAWN, MSG_CAP_FD);
	expect(n.proxy, MSG_HELLO, R_PROXY);
	expect(n.dns, MSG_HELLO, R_DNS);
	ck_assert_int_eq((int)recv(n.spawn, tun, 1, MSG_DONTWAIT), -1);	/* not ready yet */
	hello(n.proxy, R_PROXY, MSG_CAP_FD);
	hello(n.dns, R_DNS, 0);
	expect(n.spawn, MSG_HELLO, R_SPAWN);
	pair(SOCK_DGRAM, &n.tun, &theirs);
	msg_tun_put(&w, &(struct msg_tun){ .mtu = 1500, .offloads = TUN_F_CSUM });
	say(n.spawn, MSG_TUN, 0, tun, sizeof(tun), theirs);
}

static void
tun_write(uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	uint8_t packet[1600] = { VIRTIO_NET_HDR_F_NEEDS_CSUM };
	struct wr w = wr_over(packet + 10, sizeof(packet) - 10);
	struct ip_head ip = { .src = &me, .dst = &web, .proto = PROTO_TCP };
	struct tcp_head th = { .flags = flags, .seq = seq, .ack = ack, .window = 65535 };

	ip_put(&w, &ip, TCP_HEADER + strlen(data));
	ip_put_tcp(&w, &ip, &th, 0);
	wr_bytes(&w, data, strlen(data));
	ck_assert_int_gt((int)write(n.tun, packet, (size_t)(w.p - packet)), 0);
}

/* The next segment with one of these flags. */
static struct tcp_seg_in
tun_read(uint8_t flags)
{
	static uint8_t packet[70000];
	struct tcp_seg_in in;
	struct pkt p;

	do {
		struct pollfd pfd = { .fd = n.tun, .events = POLLIN };
		ssize_t len;

		ck_assert_int_eq(poll(&pfd, 1, 5000), 1);
		len = read(n.tun, packet, sizeof(packet));
		ck_assert_int_gt((int)len, 10);
		ck_assert_int_eq(ip_parse(packet + 10, (size_t)len - 10, true, &p), PKT_OK);
		ck_assert(tcp_parse(&p, &in));
	} while ((in.flags & flags) == 0);
	return in;
}

START_TEST(a_connection_and_the_end_of_the_run)
{
	uint8_t opened[MSG_OPENED_LEN] = { 4 }, finish[MSG_FINISH_LEN] = { 1 };
	struct tcp_seg_in in;
	uint64_t flow;
	char buf[16];
	int host, theirs;

	greet();
	tun_write(TF_SYN, 1000, 0, "");
	flow = expect(n.proxy, MSG_OPEN, R_PROXY);
	pair(SOCK_STREAM, &host, &theirs);
	say(n.proxy, MSG_OPENED, flow, opened, sizeof(opened), theirs);
	in = tun_read(TF_SYN);
	ck_assert_uint_eq(in.ack, 1001);
	tun_write(TF_ACK, 1001, in.seq + 1, "hello");
	ck_assert_int_eq((int)recv(host, buf, sizeof(buf), 0), 5);
	ck_assert_int_eq((int)send(host, "world!", 6, 0), 6);
	in = tun_read(TF_PSH);
	ck_assert(in.len == 6 && memcmp(in.data, "world!", 6) == 0);
	tun_write(TF_ACK | TF_FIN, 1006, in.seq + 6, "");
	ck_assert_int_eq((int)recv(host, buf, sizeof(buf), 0), 0);
	/* What was sent last is still delivered: the packet and FINISH race. */
	say(n.spawn, MSG_FINISH, 0, finish, sizeof(finish), -1);
	ck_assert_uint_eq(expect(n.proxy, MSG_CLOSE, R_PROXY), flow);
	expect(n.spawn, MSG_FINISHED, R_SPAWN);
	ck_assert_int_eq((int)recv(n.proxy, buf, 1, 0), 0);
	ck_assert_int_eq((int)recv(n.dns, buf, 1, 0), 0);
	close(n.spawn);
	ck_assert_int_eq(finish_status(), 0);
}
END_TEST

START_TEST(a_reset_of_the_child_reaches_the_host)
{
	uint8_t opened[MSG_OPENED_LEN] = { 4 };
	struct tcp_seg_in in;
	uint64_t flow;
	int host, theirs;
	char buf[4];

	greet();
	tun_write(TF_SYN, 1000, 0, "");
	flow = expect(n.proxy, MSG_OPEN, R_PROXY);
	pair(SOCK_STREAM, &host, &theirs);
	say(n.proxy, MSG_OPENED, flow, opened, sizeof(opened), theirs);
	in = tun_read(TF_SYN);
	tun_write(TF_ACK, 1001, in.seq + 1, "");
	tun_write(TF_RST, 1001, 0, "");
	ck_assert_uint_eq(expect(n.proxy, MSG_CLOSE, R_PROXY), flow);
	ck_assert_int_le((int)recv(host, buf, sizeof(buf), 0), 0);
	close(n.spawn);
	ck_assert_int_eq(finish_status(), 0);
}
END_TEST

START_TEST(garbage_is_named_and_ends_it)
{
	char err[512] = "";

	greet();
	if (_i == 0)
		say(n.proxy, MSG_ANSWER, 1, "x", 1, -1);	/* not cf-proxy's to say */
	else if (_i == 1)
		say(n.spawn, MSG_TUN, 0, "\0\0\0\0\0\0\0\0", 8, -1);	/* no descriptor */
	else
		ck_assert_int_eq((int)send(n.dns, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	ck_assert_int_eq(finish_status(), 1);
	ck_assert_int_gt((int)read(n.err_fd, err, sizeof(err) - 1), 0);
	ck_assert_ptr_nonnull(strstr(err, "sent garbage: "));
	ck_assert_ptr_nonnull(strstr(err, _i == 0 ? "cf-proxy" : _i == 1 ? "cf-spawn" : "cf-dns"));
	ck_assert_msg(strchr(err, '\n') == strrchr(err, '\n'), "%s", err);
}
END_TEST

/* cf-spawn sees who died first; until it says so, nothing is served. */
START_TEST(without_cf_proxy_nothing_is_served)
{
	greet();
	close(n.proxy);
	ck_assert_int_eq(recv(n.dns, (char[1]){ 0 }, 1, MSG_DONTWAIT) == -1, 1);
	tun_write(TF_SYN, 1000, 0, "");
	ck_assert_int_eq(waitpid(n.pid, NULL, WNOHANG), 0);
	close(n.spawn);
	ck_assert_int_eq(finish_status(), 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("sandbox");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, a_connection_and_the_end_of_the_run);
	tcase_add_test(tc, a_reset_of_the_child_reaches_the_host);
	tcase_add_loop_test(tc, garbage_is_named_and_ends_it, 0, 3);
	tcase_add_test(tc, without_cf_proxy_nothing_is_served);
	return unit_run("sandbox", tc);
}

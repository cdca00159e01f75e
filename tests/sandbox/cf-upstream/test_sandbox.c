/*
 * test_sandbox.c - the whole life of the built program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "upstream.h"

#define LEN(a)		(sizeof(a) / sizeof((a)[0]))
#define PATIENCE	10000		/* ms; only a broken program takes them */


/* ---- the built program: we are the dialler, and the proxy ---- */

static struct chan	*dialler;
static pid_t		 pid;
static int		 list_fd;
static struct { enum msg_type type; uint64_t flow; int fd; char text[MSG_TEXT_MAX + 1]; } got;

/* One is the other with OpenSSL, and has to hold to the same seal. */
static const char *const programs[] = { "cf-upstream", "cf-upstream-tls" };
static const char	*program = "cf-upstream";

static const char *
program_path(void)
{
	static char buf[PATH_MAX];
	const char *bin = getenv("CF_BIN");
	ssize_t n;

	if (bin != NULL) {
		snprintf(buf, sizeof(buf), "%s/%s", bin, program);
		return buf;
	}
	n = readlink("/proc/self/exe", buf, sizeof(buf) - 64);
	ck_assert_int_gt(n, 0);
	buf[n] = '\0';
	sprintf(strrchr(buf, '/'), "/../../../bin/%s", program);
	return buf;
}

static void
on_answer(struct chan *c, const struct frame *f, int fd)
{
	size_t skip = f->type == MSG_TUNNELLED ? f->len : MSG_UNTUNNELLED_LEN;

	(void)c;
	got.type = (enum msg_type)f->type;
	got.flow = f->flow;
	got.fd = fd;
	snprintf(got.text, sizeof(got.text), "%.*s", (int)(f->len - skip), f->body + skip);
}

static const struct chan_handler handlers[] = {
	{ MSG_TUNNELLED, on_answer }, { MSG_UNTUNNELLED, on_answer }, { 0 }
};

static void
turn(void)
{
	struct pollfd p = { .fd = chan_rfd(dialler), .events = POLLIN };

	ck_assert_int_ge(chan_flush(dialler), 0);
	ck_assert_int_eq(poll(&p, 1, PATIENCE), 1);
	ck_assert_int_eq(chan_read(dialler), 1);
}

static void
start(const char *const *proxies, size_t n, uint32_t timeout_ms)
{
	struct hops list = { .n = n, .timeout_ms = timeout_ms };
	uint8_t bytes[HOPS_MAX * 1024];
	struct wr w = wr_over(bytes, sizeof(bytes));
	char number[16];
	int fd[2];

	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_null(hop_parse(proxies[i], &list.hop[i]));
	strcpy(list.hop[0].user, "user");
	strcpy(list.hop[0].pass, "secret");
	list.hop[0].has_auth = true;
	hops_put(&w, &list);
	list_fd = memfd_create("list", 0);
	ck_assert_int_eq(write(list_fd, bytes, (size_t)(w.p - bytes)), w.p - bytes);
	snprintf(number, sizeof(number), "%d", list_fd);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	if ((pid = fork()) == 0) {
		dup2(fd[1], 0);
		dup2(fd[1], 1);
		execl(program_path(), "cf-upstream", "--proxies-fd", number, (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	dialler = chan_new(fd[0], fd[0], R_DIAL, R_UPSTREAM, NULL);
	ck_assert_ptr_nonnull(dialler);
	chan_handlers(dialler, handlers);
	chan_hello(dialler, MSG_CAP_FD);
	while (chan_peer(dialler) == 0)
		turn();
}

/* Ask for a tunnel; returns the proxy's end of its connection. */
static int
ask(uint64_t number, uint8_t proto, const char *name)
{
	const struct addr dst = { .family = 4, .port = 443, .ip = { 192, 0, 2, 1 } };
	uint8_t body[MSG_TUNNEL_LEN];
	struct wr w = wr_over(body, sizeof(body));
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	fcntl(fd[1], F_SETFL, 0);
	msg_tunnel_put(&w, &(struct msg_tunnel){ .proto = proto, .dst = dst });
	chan_send(dialler, MSG_TUNNEL, number, body, sizeof(body), name, strlen(name), fd[0]);
	ck_assert_int_ge(chan_flush(dialler), 0);
	got.type = 0;
	return fd[1];
}

/* The proxy reads exactly this, and answers. */
static void
talk(int fd, const char *want, size_t len, const char *answer, size_t answer_len)
{
	char buf[1024];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, PATIENCE), 1);
	ck_assert_int_eq(recv(fd, buf, len, MSG_WAITALL), (ssize_t)len);
	ck_assert_msg(memcmp(buf, want, len) == 0, "%.*s", (int)len, buf);
	ck_assert_int_eq(send(fd, answer, answer_len, MSG_NOSIGNAL), (ssize_t)answer_len);
}
#define TALK(fd, want, answer)	talk(fd, want, sizeof(want) - 1, answer, sizeof(answer) - 1)

static void
answered(void)
{
	while (got.type == 0)
		turn();
}

static void
finish(int code)
{
	int status;

	chan_free(dialler);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "status %#x", (unsigned)status);
	close(list_fd);
}

#define BASIC	"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"

START_TEST(a_chain_is_gone_through_and_the_socket_comes_back)
{
	static const char *const chain[] = { "http://192.0.2.9:3128", "socks5://next.example:1080" };
	char buf[16];
	int fd;

	program = programs[_i];
	start(chain, 2, 10000);
	ck_assert_int_eq(lseek(list_fd, 0, SEEK_END), 0);	/* it has wiped its list */
	fd = ask(7, 6, "a.onion");
	TALK(fd, "CONNECT next.example:1080 HTTP/1.1\r\nHost: next.example:1080\r\n" BASIC "\r\n",
	    "HTTP/1.1 200 OK\r\nX: y\r\n\r\n");
	TALK(fd, "\x05\x01\x00", "\x05\x00");
	TALK(fd, "\x05\x01\x00\x03\x07""a.onion\x01\xbb",
	    "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00""first words");
	answered();
	ck_assert(got.type == MSG_TUNNELLED && got.flow == 7 && got.fd != -1);
	ck_assert_int_eq(recv(got.fd, buf, sizeof(buf), 0), 11);
	ck_assert_int_eq(memcmp(buf, "first words", 11), 0);
	close(got.fd);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 0);	/* it kept no descriptor */
	close(fd);
	finish(0);
}
END_TEST

START_TEST(a_tls_proxy_is_greeted_and_what_is_no_tls_is_told)
{
	static const char *const one[] = { "https://proxy.example:3128" };
	struct pollfd p;
	char buf[4096];
	int fd;

	program = "cf-upstream-tls";
	start(one, 1, 10000);
	fd = ask(1, 6, "");
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, PATIENCE), 1);
	ck_assert_int_gt(recv(fd, buf, sizeof(buf), 0), 100);
	ck_assert_int_eq(memcmp(buf, "\x16\x03\x01", 3), 0);	/* RFC 8446 5.1 */
	ck_assert_ptr_nonnull(memmem(buf, sizeof(buf), "proxy.example", 13));
	ck_assert_int_eq(send(fd, "HTTP/1.1 400 no\r\n\r\n", 19, MSG_NOSIGNAL), 19);
	answered();
	ck_assert_ptr_nonnull(strstr(got.text, "TLS: it does not speak TLS"));
	close(fd);
	finish(0);
}
END_TEST

START_TEST(digest_wants_another_connection_and_is_then_known)
{
	static const char again[] = "HTTP/1.1 407 no\r\nProxy-Authenticate: Digest nonce=\"m\"\r\n\r\n";
	static const char *const one[] = { "http://192.0.2.9:3128" };
	char buf[2048] = "";
	int fd;

	start(one, 1, 10000);
	fd = ask(1, 6, "");
	TALK(fd, "CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n" BASIC "\r\n",
	    "HTTP/1.1 407 no\r\nProxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\r\n");
	answered();
	ck_assert_int_eq(got.type, MSG_UNTUNNELLED);
	close(fd);
	fd = ask(2, 6, "");
	ck_assert_int_gt(recv(fd, buf, sizeof(buf) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(buf, "Proxy-Authorization: Digest username=\"user\", realm=\"r\""));
	ck_assert_ptr_null(strstr(buf, "Basic"));
	ck_assert_int_gt(send(fd, again, sizeof(again) - 1, MSG_NOSIGNAL), 0);
	answered();
	ck_assert_ptr_nonnull(strstr(got.text, "it does not accept the user or the password"));
	close(fd);
	finish(0);
}
END_TEST

START_TEST(an_association_brings_its_port_and_its_socket)
{
	static const char *const one[] = { "socks5://192.0.2.9:1080" };
	int fd;

	start(one, 1, 10000);
	fd = ask(1, 17, "");
	TALK(fd, "\x05\x02\x00\x02", "\x05\x02");
	TALK(fd, "\x01\x04user\x06secret", "\x01\x00");
	TALK(fd, "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00",
	    "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34");
	answered();
	ck_assert(got.type == MSG_TUNNELLED && got.fd != -1);
	close(got.fd);
	close(fd);
	finish(0);
}
END_TEST

START_TEST(silence_has_an_end_and_a_tunnel_can_be_given_up)
{
	static const char *const one[] = { "http://192.0.2.9:3128" };
	char buf[512];
	int fd, given_up;

	start(one, 1, 300);
	given_up = ask(1, 6, "");
	ck_assert_int_gt(recv(given_up, buf, sizeof(buf), 0), 0);
	chan_send(dialler, MSG_UNTUNNEL, 1, NULL, 0, NULL, 0, -1);
	ck_assert_int_ge(chan_flush(dialler), 0);
	ck_assert_int_eq(recv(given_up, buf, sizeof(buf), 0), 0);
	fd = ask(2, 6, "");
	answered();
	ck_assert(got.flow == 2 && strstr(got.text, "no answer within 0.3 s") != NULL);
	close(given_up);
	close(fd);
	finish(0);
}
END_TEST

/* A dialler that sends nonsense is an end, not a way in. */
START_TEST(a_name_that_a_request_could_end_at_is_garbage)
{
	static const char *const one[] = { "http://192.0.2.9:3128" };
	struct pollfd p;
	int fd, rc = 1;

	start(one, 1, 1000);
	fd = ask(1, 6, "a\r\nX: y");
	p = (struct pollfd){ .fd = chan_rfd(dialler), .events = POLLIN };
	while (rc == 1 && poll(&p, 1, PATIENCE) == 1)
		rc = chan_read(dialler);
	ck_assert_int_eq(rc, 0);
	close(fd);
	finish(1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("sandbox");
	Suite *s = suite_create("cf-upstream");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, a_chain_is_gone_through_and_the_socket_comes_back, 0, (int)LEN(programs));
	tcase_add_test(tc, a_tls_proxy_is_greeted_and_what_is_no_tls_is_told);
	tcase_add_test(tc, digest_wants_another_connection_and_is_then_known);
	tcase_add_test(tc, an_association_brings_its_port_and_its_socket);
	tcase_add_test(tc, silence_has_an_end_and_a_tunnel_can_be_given_up);
	tcase_add_test(tc, a_name_that_a_request_could_end_at_is_garbage);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

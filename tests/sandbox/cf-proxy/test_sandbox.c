/*
 * test_sandbox.c - what each stage may not do ends it; raw bytes that are no conversation
 * end it with one line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "proxy.h"
#include "talk.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- sockets, and with the flags that the dialler gives them ---- */

static int	in_fd;		/* an IPv4 socket from before the seal */

static void try_netlink(void)	{ socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
static void try_packet(void)	{ socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
static void try_vsock(void)	{ socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }
static void try_raw(void)
{
	socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
}
static void try_sctp(void)
{
	socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_SCTP);
}
static void try_tcp(void)
{
	socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
}
static void try_connect(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	connect(in_fd, (struct sockaddr *)&sin, sizeof(sin));
}
static void try_bind(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	bind(in_fd, (struct sockaddr *)&sin, sizeof(sin));
}

static const struct {
	void		(*fn)(void);
	bool		 dialler_may;
} calls[] = {
	{ try_netlink, false }, { try_packet, false }, { try_vsock, false }, { try_raw, false },
	{ try_sctp, false }, { try_tcp, true }, { try_connect, true }, { try_bind, true },
};

static void
forbidden(const struct stage *stage, bool may, void (*fn)(void))
{
	struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		in_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		close(STDERR_FILENO);		/* a debug build names the call */
		setrlimit(RLIMIT_CORE, &no_core);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		sandbox_enter(&stage->sandbox);
		fn();
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (may) {
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
		return;
	}
#ifdef CF_DEBUG
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
#else
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
#endif
}

START_TEST(policy_stage_cannot)
{
	forbidden(&broker_stage, false, calls[_i].fn);
}
END_TEST

START_TEST(dialler_cannot)
{
	forbidden(&dial_stage, calls[_i].dialler_may, calls[_i].fn);
}
END_TEST

/* ---- bytes that are no conversation ---- */

#define HELLO_OF(role)	8,0,0,0, 1,0, 0,0, 0,0,0,0,0,0,0,0,  1,0, (role),0, 1,0,0,0
#define HEADER(len, type, fds, flow)						\
	(len) & 0xff,(len) >> 8 & 0xff,(len) >> 16 & 0xff,0, (type),0, (fds),0,	\
	(flow),0,0,0,0,0,0,0

static const struct {
	const char	*name, *why;
	uint8_t		 bytes[96];
	size_t		 len;
} raw[] = {
	{ "a line of text", "unknown message type",
	    "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", 30 },
	{ "a cut header", "truncated frame", { 8, 0, 0 }, 3 },
	{ "a cut body", "truncated frame", { HELLO_OF(8) }, 20 },
	{ "no HELLO", "no HELLO", { HEADER(44, 32, 0, 1) }, 16 + 44 },
	{ "an unknown version", "unknown protocol version",
	    { HEADER(8, 1, 0, 0), 2,0, 8,0, 0,0,0,0 }, 24 },
	{ "the wrong program", "HELLO from the wrong kind of program", { HELLO_OF(1) }, 24 },
	{ "two programs at once", "HELLO from the wrong kind of program", { HELLO_OF(10) }, 24 },
	{ "a second HELLO", "a second HELLO", { HELLO_OF(8), HELLO_OF(8) }, 48 },
	{ "a frame too long", "bad length", { HELLO_OF(8), HEADER(300, 32, 0, 1) }, 40 },
	{ "a frame of 16 MiB", "bad length", { HELLO_OF(8), HEADER(0xffffff, 37, 0, 1) }, 40 },
	{ "a frame too short", "bad length", { HELLO_OF(8), HEADER(43, 32, 0, 1) }, 40 },
	{ "the wrong direction", "wrong direction", { HELLO_OF(8), HEADER(20, 33, 0, 1) }, 40 },
	{ "an unknown type", "unknown message type", { HELLO_OF(8), HEADER(0, 99, 0, 1) }, 40 },
	{ "a descriptor too many", "unexpected descriptor",
	    { HELLO_OF(8), HEADER(44, 32, 1, 1) }, 40 },
	{ "an unknown protocol", "bad OPEN",
	    { HELLO_OF(8), HEADER(44, 32, 0, 1), 99,0,0,0 }, 40 + 44 },
	{ "an unknown reason", "bad CLOSE", { HELLO_OF(8), HEADER(36, 41, 0, 1) }, 40 + 36 },
};

START_TEST(garbage_ends_the_dialler_with_one_line)
{
	size_t i = (size_t)_i / DIALLERS;
	struct helper h;
	char line[128];
	int status;

	helper_start(&h, (enum transport)(_i % DIALLERS), NULL);
	ck_assert_int_eq(write(h.wfd, raw[i].bytes, raw[i].len), (ssize_t)raw[i].len);
	shutdown(h.wfd, SHUT_WR);
	if (h.wfd != h.rfd)
		close(h.wfd);
	status = helper_wait(&h);
	snprintf(line, sizeof(line), "cf-proxy dialler: cf-proxy sent garbage: %s\n", raw[i].why);
	ck_assert_msg(strcmp(h.err, line) == 0, "%s: %s", raw[i].name, h.err);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
}
END_TEST

/* A descriptor that no frame announced is closed, and ends the channel. */
START_TEST(unannounced_descriptor_ends_the_dialler)
{
	static const uint8_t hello[] = { HELLO_OF(8) };
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
	struct iovec iov = { .iov_base = (void *)hello, .iov_len = sizeof(hello) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
	    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct helper h;
	int pipefd[2];
	char c;

	ck_assert_int_eq(pipe2(pipefd, O_CLOEXEC), 0);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &pipefd[1], sizeof(int));
	helper_start(&h, OVER_SOCKET, NULL);
	ck_assert_int_eq(sendmsg(h.wfd, &msg, 0), (ssize_t)sizeof(hello));
	close(pipefd[1]);
	ck_assert_int_eq(WEXITSTATUS(helper_wait(&h)), 1);
	ck_assert_ptr_nonnull(strstr(h.err, "a descriptor that belongs to no frame"));
	ck_assert_int_eq(read(pipefd[0], &c, 1), 0);
}
END_TEST

/* ---- the command line ---- */

static const struct {
	const char	*args[6];
	const char	*says;
} usage[] = {
	{ { "--nonsense" },		"unknown" },
	{ { "operand" },		"there are no operands" },
	{ { "--policy" },		"--policy needs --dial-fd" },
	{ { "--dial-fd", "0" },		"not a whole number from 3" },
	{ { "--dns-fd", "77" },		"this descriptor is not open" },
	{ { "--rules-fd", "77" },	"this descriptor is not open" },
	{ { "--violations-fd", "2" },	"not a whole number from 3" },
	{ { "--resolver", "example" },	"not an address" },
	{ { "--resolver", "::1", "--policy" }, "for the dialler" },
};

START_TEST(bad_command_line_ends_with_2)
{
	struct helper h;
	int status;

	helper_start(&h, OVER_SOCKET, usage[_i].args);
	status = helper_wait(&h);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 2);
	ck_assert_msg(strstr(h.err, usage[_i].says) != NULL, "%s", h.err);
	ck_assert_ptr_eq(strchr(h.err, '\n'), h.err + strlen(h.err) - 1);
}
END_TEST

START_TEST(print_shows_the_table_of_the_role)
{
	const char *const args[] = { "-n", _i == 0 ? "--policy" : NULL, NULL };
	struct helper h;
	char out[16384];
	size_t len = 0;
	ssize_t n;

	helper_start(&h, OVER_PIPES, args);
	while ((n = read(h.rfd, out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	ck_assert_int_eq(helper_wait(&h), 0);
	ck_assert_ptr_nonnull(strstr(out, "sendmsg"));
	ck_assert_int_eq(strstr(out, "socket") != NULL && strstr(out, "connect ") != NULL, _i == 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sandbox");
	TCase *tc = tcase_create("cf-proxy");
	SRunner *sr;
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, policy_stage_cannot, 0, (int)COUNT(calls));
	tcase_add_loop_test(tc, dialler_cannot, 0, (int)COUNT(calls));
	tcase_add_loop_test(tc, garbage_ends_the_dialler_with_one_line, 0,
	    (int)COUNT(raw) * DIALLERS);
	tcase_add_test(tc, unannounced_descriptor_ends_the_dialler);
	tcase_add_loop_test(tc, bad_command_line_ends_with_2, 0, (int)COUNT(usage));
	tcase_add_loop_test(tc, print_shows_the_table_of_the_role, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

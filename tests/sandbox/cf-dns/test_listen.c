/*
 * test_listen.c - cf-dns --listen: what its listener needs of the kernel, and the built
 * program from its start, as three sealed processes, to its end, with nothing left.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "wire.h"

/* ---- the seal ---- */

static int		 udp;		/* as the doors are: bound, not connected */
static struct sockaddr_in self = { .sin_family = AF_INET };

static void try_nothing(void)	{ }
static void try_sendto(void)	{ sendto(udp, "x", 1, 0, (struct sockaddr *)&self, sizeof(self)); }
static void try_recvfrom(void)	{ char b; recvfrom(udp, &b, 1, MSG_DONTWAIT, NULL, NULL); }
static void try_accept4(void)	{ accept4(udp, NULL, NULL, SOCK_CLOEXEC); }
static void try_wait(void)	{ waitpid(-1, NULL, WNOHANG); }

static const struct {
	const char	*name;
	void		 (*call)(void);
} calls[] = {
	{ "nothing", try_nothing }, { "sendto", try_sendto }, { "recvfrom", try_recvfrom },
	{ "accept4", try_accept4 }, { "wait", try_wait },
};
#define NCALLS	((int)(sizeof(calls) / sizeof(calls[0])))

static int
bound(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	getsockname(fd, (struct sockaddr *)at, &len);
	return fd;
}

START_TEST(what_it_needs_is_allowed)
{
	int status;
	pid_t pid;

	udp = bound(SOCK_DGRAM, &self);
	if ((pid = fork()) == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		sandbox_prepare(&(int){ 0 }, &(int){ 0 }, (const int []){ udp, -1 });
		sandbox_enter(&listen_role);
		calls[_i].call();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s is forbidden",
	    calls[_i].name);
}
END_TEST

/* ---- the built program ---- */

static struct {
	pid_t		 pid;
	int		 resolver;	/* UDP; answers nothing by itself */
	int		 err;
	struct sockaddr_in at;		/* where it listens */
} run;

static const char *
program(void)
{
	static char path[4096];
	const char *bin = getenv("CF_BIN");
	char exe[2048];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	ck_assert_int_gt(n, 0);
	exe[n] = '\0';
	/* BUILD/tests/sandbox/cf-dns/test_x -> BUILD/bin/cf-dns */
	for (int up = 0; up < 4; up++)
		*strrchr(exe, '/') = '\0';
	if (bin != NULL)
		snprintf(path, sizeof(path), "%s/cf-dns", bin);
	else
		snprintf(path, sizeof(path), "%s/bin/cf-dns", exe);
	return path;
}

/* What comes on a descriptor within ten seconds, as text. */
static const char *
said(int fd)
{
	static char text[4096];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* A loopback address of this process, so that runs do not meet. */
static void
program_start(void)
{
	struct sockaddr_in resolver;
	char listens[64], asks[64];
	int err[2];

	run.resolver = bound(SOCK_DGRAM, &resolver);
	run.at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(5353),
	    .sin_addr = { htonl(0x7f800000u | ((uint32_t)getpid() & 0x7fffff)) } };
	snprintf(listens, sizeof(listens), "127.%u.%u.%u:5353", 0x80u | (getpid() >> 16 & 0x7f),
	    getpid() >> 8 & 0xff, getpid() & 0xff);
	snprintf(asks, sizeof(asks), "127.0.0.1:%u", ntohs(resolver.sin_port));
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	if ((run.pid = fork()) == 0) {
		dup2(err[1], 2);
		execl(program(), "cf-dns", "-v", "--listen", listens, "--resolver", asks, (char *)NULL);
		_exit(99);
	}
	close(err[1]);
	run.err = err[0];
	/* What is left behind by it becomes ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ck_assert_ptr_nonnull(strstr(said(run.err), "listening on 127."));
}

static size_t
query_make(uint8_t *q, uint16_t id)
{
	static const uint8_t rest[] = "\1\0\0\1\0\0\0\0\0\0\3www\7example\4test\0\0\1\0\1";

	q[0] = (uint8_t)(id >> 8), q[1] = (uint8_t)id;
	memcpy(q + 2, rest, sizeof(rest) - 1);
	return sizeof(rest) + 1;
}

/* The resolver gets a query and answers it with 203.0.113.10. */
static void
resolver_answer(void)
{
	uint8_t m[600];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct pollfd p = { .fd = run.resolver, .events = POLLIN };
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	n = recvfrom(run.resolver, m, 512, 0, (struct sockaddr *)&from, &len);
	ck_assert_int_gt(n, 12);
	m[2] |= 0x80, m[7] = 1;
	memcpy(m + n, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\x0a", 16);
	sendto(run.resolver, m, (size_t)n + 16, 0, (struct sockaddr *)&from, len);
}

static int
client_connect(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&run.at, sizeof(run.at)), 0);
	return fd;
}

/* prefix: 2 on TCP. */
static void
client_check(int fd, size_t prefix, uint16_t id)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct wire_answer a;
	uint8_t m[600];
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	n = recv(fd, m, sizeof(m), 0);
	ck_assert_int_gt(n, 40);
	ck_assert_uint_eq(wire_id(m + prefix), id);
	if (prefix > 0)
		ck_assert_int_eq(m[0] << 8 | m[1], n - 2);
	wire_answer(m + prefix, (size_t)n - prefix, &a);
	ck_assert_uint_eq(a.naddrs, 1);
}

/* It and all that it started end, and within the time that it gives them. */
static void
program_end(int sig, int status)
{
	struct timespec ts[2];
	int got;

	clock_gettime(CLOCK_MONOTONIC, &ts[0]);
	if (sig != 0)
		ck_assert_int_eq(kill(run.pid, sig), 0);
	ck_assert_int_eq(waitpid(run.pid, &got, 0), run.pid);
	clock_gettime(CLOCK_MONOTONIC, &ts[1]);
	ck_assert_int_lt(ts[1].tv_sec - ts[0].tv_sec, 5);
	if (sig == SIGKILL)
		ck_assert(WIFSIGNALED(got));
	else
		ck_assert_msg(WIFEXITED(got) && WEXITSTATUS(got) == status, "%#x", (unsigned)got);
	if (sig == SIGKILL)
		while (waitpid(-1, NULL, 0) > 0)	/* the kernel's hand */
			;
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);	/* there is none */
}

START_TEST(both_transports_are_answered_and_nothing_is_left)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGKILL };
	uint8_t q[512] = { 0 };
	size_t len;
	int fd;

	program_start();
	fd = client_connect(SOCK_DGRAM);
	len = query_make(q, 0x1234);
	ck_assert_int_eq(send(fd, q, len, 0), (ssize_t)len);
	resolver_answer();
	client_check(fd, 0, 0x1234);
	close(fd);
	fd = client_connect(SOCK_STREAM);
	len = query_make(q + 2, 0x4321);
	q[0] = 0, q[1] = (uint8_t)len;
	ck_assert_int_eq(send(fd, q, len + 2, 0), (ssize_t)len + 2);
	resolver_answer();
	client_check(fd, 2, 0x4321);
	program_end(signals[_i], 0);
}
END_TEST

/* Also with a query under way and a client that is connected. */
START_TEST(an_end_does_not_wait_for_clients_or_resolvers)
{
	uint8_t q[512] = { 0 };
	size_t len = query_make(q + 2, 1);
	int fd;

	program_start();
	fd = client_connect(SOCK_STREAM);
	q[0] = 0, q[1] = (uint8_t)len;
	ck_assert_int_eq(send(fd, q, len + 2, 0), (ssize_t)len + 2);
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = run.resolver, .events = POLLIN }, 1, 10000), 1);
	program_end(SIGTERM, 0);
	close(fd);
}
END_TEST

/* The children of a process, of which there are two. */
static size_t
children_of(pid_t pid, pid_t out[2])
{
	char path[64];
	size_t n = 0;
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if ((f = fopen(path, "re")) == NULL)
		return 0;
	while (n < 2 && fscanf(f, "%d", &child) == 1)
		out[n++] = child;
	fclose(f);
	return n;
}

START_TEST(the_end_of_one_is_the_end_of_all)
{
	pid_t child[2];

	program_start();
	ck_assert_uint_eq(children_of(run.pid, child), 2);
	ck_assert_int_eq(kill(child[_i], SIGKILL), 0);
	program_end(0, 1);
	ck_assert_ptr_nonnull(strstr(said(run.err), "killed by signal 9"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-dns listen");
	TCase *tc = tcase_create("listen");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, what_it_needs_is_allowed, 0, NCALLS);
	tcase_add_loop_test(tc, both_transports_are_answered_and_nothing_is_left, 0, 4);
	tcase_add_test(tc, an_end_does_not_wait_for_clients_or_resolvers);
	tcase_add_loop_test(tc, the_end_of_one_is_the_end_of_all, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

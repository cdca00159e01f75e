/*
 * test_seal.c - what cf-dns may not ask of the kernel kills it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns.h"

static int		 udp;		/* a connected socket, as the dialler gives it */
static struct sockaddr_in elsewhere = { .sin_family = AF_INET };

static void try_socket(void)	{ socket(AF_INET, SOCK_DGRAM, 0); }
static void try_pair(void)	{ int p[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, p); }
static void try_connect(void)	{ (void)connect(udp, (struct sockaddr *)&elsewhere, sizeof(elsewhere)); }
static void try_bind(void)	{ (void)bind(udp, (struct sockaddr *)&elsewhere, sizeof(elsewhere)); }
static void try_listen(void)	{ listen(udp, 1); }
static void try_accept(void)	{ accept(udp, NULL, NULL); }
static void try_fork(void)	{ syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static void try_exec(void)	{ execl("/bin/true", "true", (char *)NULL); }
static void try_kill(void)	{ syscall(SYS_kill, getppid(), SIGTERM); }
static void try_bpf(void)	{ syscall(SYS_bpf, 0, NULL, 0); }
static void try_unshare(void)	{ syscall(SYS_unshare, 0); }
static void try_mount(void)	{ syscall(SYS_mount, "", "", "", 0, NULL); }
static void try_uring(void)	{ syscall(SYS_io_uring_setup, 1, NULL); }
static void try_dup(void)	{ dup2(udp, 0); }
static void try_setsockopt(void) { int one = 1; setsockopt(udp, SOL_SOCKET, SO_BROADCAST, &one, 4); }
static void try_unlink(void)	{ unlink("/nonexistent"); }

/* A connected UDP socket is no cage where an address may be given. */
static void
try_sendto(void)
{
	sendto(udp, "x", 1, 0, (struct sockaddr *)&elsewhere, sizeof(elsewhere));
}

static void
try_sendmsg(void)
{
	struct msghdr m = { .msg_name = &elsewhere, .msg_namelen = sizeof(elsewhere) };

	sendmsg(udp, &m, 0);
}

#ifndef CF_DEBUG
/* The sanitizers need these. */
static void try_open(void)	{ open("/etc/resolv.conf", O_RDONLY); }
static void try_prctl(void)	{ syscall(SYS_prctl, 0); }
#endif

static void try_nothing(void)	{ }
static void try_send(void)	{ send(udp, "x", 1, 0); }
static void try_recv(void)	{ char b; recv(udp, &b, 1, MSG_DONTWAIT); }

static const struct {
	const char	*name;
	void		 (*call)(void);
	bool		 allowed;
} calls[] = {
	{ "nothing", try_nothing, true }, { "send", try_send, true }, { "recv", try_recv, true },
	{ "socket", try_socket, false }, { "socketpair", try_pair, false },
	{ "connect", try_connect, false }, { "bind", try_bind, false },
	{ "listen", try_listen, false }, { "accept", try_accept, false },
	{ "sendto with an address", try_sendto, false }, { "sendmsg", try_sendmsg, false },
	{ "fork", try_fork, false }, { "execve", try_exec, false }, { "kill", try_kill, false },
	{ "bpf", try_bpf, false }, { "unshare", try_unshare, false }, { "mount", try_mount, false },
	{ "io_uring", try_uring, false }, { "dup2", try_dup, false },
	{ "setsockopt", try_setsockopt, false }, { "unlink", try_unlink, false },
#ifndef CF_DEBUG
	{ "open", try_open, false }, { "prctl", try_prctl, false },
#endif
};
#define NCALLS	((int)(sizeof(calls) / sizeof(calls[0])))

static void
udp_open(void)
{
	struct sockaddr_in self = { .sin_family = AF_INET };
	socklen_t len = sizeof(self);

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(udp, (struct sockaddr *)&self, sizeof(self)), 0);
	getsockname(udp, (struct sockaddr *)&self, &len);
	ck_assert_int_eq(connect(udp, (struct sockaddr *)&self, sizeof(self)), 0);
}

START_TEST(only_the_rows_are_allowed)
{
	int status;
	pid_t pid;

	udp_open();
	if ((pid = fork()) == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		sandbox_prepare(&(int){ 0 }, &(int){ 0 }, (const int []){ udp, -1 });
		sandbox_seal(dns_sandbox);
		calls[_i].call();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (calls[_i].allowed)
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s is forbidden",
		    calls[_i].name);
	else
#ifdef CF_DEBUG
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s is allowed",
		    calls[_i].name);
#else
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s is allowed",
		    calls[_i].name);
#endif
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cf-dns seal");
	TCase *tc = tcase_create("seal");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, only_the_rows_are_allowed, 0, NCALLS);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

/*
 * test_treefilter.c - under the tree's filter, ways around the network namespace are shut
 * and everything else is as it was.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

/* Run fn under the filter in a child; its status is the errno that fn returns, 0 for none. */
static int
under_filter(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || treefilter_load() != 0)
			_exit(255);
		_exit(fn());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int
outcome(long rc)
{
	return rc == -1 ? errno : 0;
}

static int try_vsock(void)	{ return outcome(socket(AF_VSOCK, SOCK_STREAM, 0)); }
static int try_bluetooth(void)	{ return outcome(socket(AF_BLUETOOTH, SOCK_RAW, 0)); }
static int try_xdp(void)	{ return outcome(socket(AF_XDP, SOCK_RAW, 0)); }
static int try_tipc(void)	{ return outcome(socket(AF_TIPC, SOCK_STREAM, 0)); }
/* The kernel reads an int: the upper half of the register must not hide the family. */
static int
try_vsock_dressed(void)
{
	return outcome(syscall(SYS_socket, (1ul << 32) | AF_VSOCK, SOCK_STREAM, 0));
}
static int try_inet(void)	{ return outcome(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_inet6(void)	{ return outcome(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int try_unix(void)	{ return outcome(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_netlink(void)	{ return outcome(socket(AF_NETLINK, SOCK_RAW, 0)); }

static int
try_io_uring(void)
{
	char params[120] = { 0 };

	return outcome(syscall(SYS_io_uring_setup, 1, params));
}

static int
try_tiocsti(void)
{
	int primary, secondary;

	if (openpty(&primary, &secondary, NULL, NULL, NULL) != 0)
		return 254;
	return outcome(ioctl(secondary, TIOCSTI, "x"));
}

static int
try_winsize(void)
{
	struct winsize ws;
	int primary, secondary;

	if (openpty(&primary, &secondary, NULL, NULL, NULL) != 0)
		return 254;
	return outcome(ioctl(secondary, TIOCGWINSZ, &ws));
}

#if defined(__x86_64__)
/* By i386's numbers: socketcall(SYS_SOCKET, ...) and socket. */
static int
int80(long nr, long a, long b, long c)
{
	long rc;

	__asm__ volatile ("int $0x80" : "=a" (rc) : "a" (nr), "b" (a), "c" (b), "d" (c) : "memory",
	    "r8", "r9", "r10", "r11");
	return rc < 0 ? (int)-rc : 0;
}
static int try_socketcall(void)	{ return int80(102, 1, 0, 0); }
static int try_i386_vsock(void)	{ return int80(359, AF_VSOCK, SOCK_STREAM, 0); }
static int try_i386_inet(void)	{ return int80(359, AF_INET, SOCK_STREAM, 0); }
static int
try_x32(void)
{
	return outcome(syscall(0x40000000 | 41, AF_VSOCK, SOCK_STREAM, 0));
}
#endif

static const struct {
	int	(*fn)(void);
	int	 want;
	int	 or;		/* where the kernel itself has not got it */
} cases[] = {
	{ try_vsock,		EAFNOSUPPORT,	0 },
	{ try_vsock_dressed,	EAFNOSUPPORT,	0 },
	{ try_bluetooth,	EAFNOSUPPORT,	0 },
	{ try_xdp,		EAFNOSUPPORT,	0 },
	{ try_tipc,		EAFNOSUPPORT,	0 },
	{ try_io_uring,		ENOSYS,		0 },
	{ try_tiocsti,		EPERM,		0 },
	{ try_inet,		0,		0 },
	{ try_inet6,		0,		EAFNOSUPPORT },
	{ try_unix,		0,		0 },
	{ try_netlink,		0,		0 },
	{ try_winsize,		0,		0 },
#if defined(__x86_64__)
	{ try_socketcall,	ENOSYS,		0 },
	{ try_i386_vsock,	EAFNOSUPPORT,	ENOSYS },
	{ try_i386_inet,	0,		ENOSYS },
	{ try_x32,		ENOSYS,		0 },
#endif
};

START_TEST(ways_around_are_refused_and_the_rest_is_not)
{
	int got = under_filter(cases[_i].fn);

	ck_assert_msg(got == cases[_i].want || (cases[_i].or != 0 && got == cases[_i].or),
	    "case %d: errno %d, not %d", _i, got, cases[_i].want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("treefilter");
	TCase *tc = tcase_create("treefilter");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, ways_around_are_refused_and_the_rest_is_not, 0,
	    sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

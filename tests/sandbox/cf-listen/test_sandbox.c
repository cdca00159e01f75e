/*
 * test_sandbox.c - what the listener of a stand-alone proxy may not do.  Its life is in
 * tests/net/proxylisten.sh.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/main.h"
#include "listen.h"

static const struct { const char *name; long nr; long arg[3]; bool in_debug; } forbidden[] = {
	{ "socket",	SYS_socket,	{ AF_INET, SOCK_STREAM, 0 },	false },
	{ "connect",	SYS_connect,	{ 0, 0, 0 },			false },
	{ "bind",	SYS_bind,	{ 0, 0, 0 },			false },
	{ "listen",	SYS_listen,	{ 0, 0, 0 },			false },
	{ "setsockopt",	SYS_setsockopt,	{ 0, 0, 0 },			false },
	{ "openat",	SYS_openat,	{ AT_FDCWD, (long)"/", 0 },	true },
	{ "execve",	SYS_execve,	{ (long)"/bin/true", 0, 0 },	false },
	{ "clone",	SYS_clone,	{ SIGCHLD, 0, 0 },		false },
	{ "kill",	SYS_kill,	{ 0, 0, 0 },			false },
	{ "unshare",	SYS_unshare,	{ 0, 0, 0 },			false },
	{ "ptrace",	SYS_ptrace,	{ 0, 0, 0 },			false },
};

START_TEST(forbidden_call_ends_the_process)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		sandbox_seal(listen_sandbox);
		syscall(forbidden[_i].nr, forbidden[_i].arg[0], forbidden[_i].arg[1],
		    forbidden[_i].arg[2]);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef CF_DEBUG
	if (!forbidden[_i].in_debug)
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s", forbidden[_i].name);
#else
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", forbidden[_i].name);
#endif
}
END_TEST

/* sendto(2) with an address would be a way out that no rule has judged. */
START_TEST(no_datagram_goes_anywhere)
{
	struct sockaddr_storage to = { .ss_family = AF_INET };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		sandbox_seal(listen_sandbox);
		syscall(SYS_sendto, 0, "x", 1, 0, &to, sizeof(to));
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 42);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("sandbox");

	tcase_add_loop_test(tc, forbidden_call_ends_the_process, 0, (int)COUNT(forbidden));
	tcase_add_test(tc, no_datagram_goes_anywhere);
	return unit_run("sandbox", tc);
}

/*
 * test_monitor.c - what `cf-doctor monitor` may not do; its normal life runs sealed in
 * tests/net/monitor.sh.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../unit/main.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "monitor.h"

static const struct { const char *name; long nr; long arg[3]; } forbidden[] = {
	{ "socket",	SYS_socket,	{ AF_UNIX, SOCK_STREAM, 0 } },
	{ "execve",	SYS_execve,	{ (long)"/bin/true", 0, 0 } },
	{ "clone",	SYS_clone,	{ SIGCHLD, 0, 0 } },
	{ "kill",	SYS_kill,	{ 0, 0, 0 } },
	{ "recvmsg",	SYS_recvmsg,	{ 0, 0, 0 } },
	{ "unlinkat",	SYS_unlinkat,	{ AT_FDCWD, (long)"/none", 0 } },
	{ "ptrace",	SYS_ptrace,	{ 0, 0, 0 } },
#ifndef CF_DEBUG
	{ "openat",	SYS_openat,	{ AT_FDCWD, (long)"/", 0 } },
	{ "type into the terminal", SYS_ioctl, { 0, 0x5412, 0 } },	/* TIOCSTI */
#endif
};

START_TEST(forbidden_call_ends_the_process)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY), 2);
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		sandbox_seal(monitor_sandbox);
		syscall(forbidden[_i].nr, forbidden[_i].arg[0], forbidden[_i].arg[1],
		    forbidden[_i].arg[2]);
		_exit(42);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
#ifdef CF_DEBUG
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s", forbidden[_i].name);
#else
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s", forbidden[_i].name);
#endif
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("monitor");

	tcase_add_loop_test(tc, forbidden_call_ends_the_process, 0, COUNT(forbidden));
	return unit_run("monitor", tc);
}

/*
 * init.c - --seal pid: a process namespace for the tree, and process 1 of it.
 *
 *	cf-spawn ---- child, which has made everything else and now this namespace; it ends
 *	         ---- cf-init, process 1: mounts /proc, reaps
 *	         ---- the command
 *
 * All three are children of cf-spawn (CLONE_PARENT), so that it learns of the command's
 * end, and of its stops, as it does without the namespace, and signals it as it does.
 *
 * What must stay true: the command starts when cf-init stands.  cf-init dies with cf-spawn
 * (PR_SET_PDEATHSIG), whatever kills that, and the kernel then kills all of the
 * namespace.  It ends by itself when cf-spawn has said that the command has ended, and
 * nobody else is left; what still runs at the end of the run dies with it.
 *
 * The tree is on the other side: it can send signals to process 1, but the kernel drops
 * those that would end it, and what we listen to counts only from outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

#define NAME	"cf-init"

pid_t
child_beside(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
}

/* cf-spawn may have ended before PR_SET_PDEATHSIG could tell. */
static bool
spawn_lives(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Nothing of ours stays open: a reader of the command's output waits for all to close it. */
static void
let_go(void)
{
	int fd;

	close_range(0, UINT32_MAX, 0);
	while ((fd = open("/dev/null", O_RDWR)) != -1 && fd < STDERR_FILENO)
		;
	(void)!chdir("/");
}

static _Noreturn void
reap(void)
{
	bool finishing = false;
	siginfo_t info;
	sigset_t set;
	pid_t pid;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (finishing && pid == -1 && errno == ECHILD)
			_exit(0);
		if (sigwaitinfo(&set, &info) == SIGTERM && info.si_pid == 0)
			finishing = true;	/* no process of the namespace: cf-spawn */
	}
}

static _Noreturn void
init_main(int fd, int ready_fd, const struct conf *conf, const struct identity *id)
{
	prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		child_failed(fd, "mount /proc for --seal pid");
	child_powers_drop(fd, conf, id);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		child_failed(fd, "have process 1 of --seal pid end with cf-spawn");
	if (!spawn_lives(fd))
		_exit(STATUS_FAILED);
	(void)!write(ready_fd, "", 1);
	let_go();
	reap();
}

void
init_start(int fd, const struct conf *conf, const struct identity *id)
{
	struct child_report r = { .stage = CHILD_MOVED };
	int ready[2];
	char byte;

	if ((conf->seal.parts & SEAL_PID) == 0)
		return;
	if (unshare(CLONE_NEWPID) != 0)
		child_failed(fd, "make a process namespace for --seal pid");
	if (pipe2(ready, O_CLOEXEC) != 0 || (r.init_pid = child_beside()) == -1)
		child_failed(fd, "start process 1 for --seal pid");
	if (r.init_pid == 0)
		init_main(fd, ready[1], conf, id);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		_exit(STATUS_FAILED);		/* it has said why */
	close(ready[0]);
	if ((r.pid = child_beside()) == -1)
		child_failed(fd, "start a process");
	if (r.pid == 0)
		return;
	child_report_send(fd, &r, NULL, 0);
	_exit(0);
}

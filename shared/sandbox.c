/*
 * sandbox.c - see sandbox.h.
 *
 * The filter is compiled by libseccomp.  Only the native architecture is let in: a call
 * by another table of numbers (i386, x32) kills as any other call does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

#define CHANNEL_FD	200	/* the channel moves to here or above */

const struct sandbox_row sandbox_base[] = {
	ALLOW(brk,		"memory"),
	ALLOW_WITHOUT(mmap, 2, PROT_EXEC, "memory"),
	ALLOW(munmap,		"memory"),
	ALLOW(mremap,		"memory"),
	ALLOW(madvise,		"memory: free(3) of some libraries gives it back so"),
	ALLOW(futex,		"pthread_once(3) wakes who waits, also where nobody does"),
	ALLOW(getrandom,	"keys of hash tables, random identifiers"),
	ALLOW(clock_gettime,	"time, where the clock is none that the vDSO can read"),
	ALLOW(gettimeofday,	"the same"),
	ALLOW(write,		"lines on stderr"),
	ALLOW(close,		"give a descriptor back"),
	ALLOW(rt_sigreturn,	"leave a signal handler"),
	ALLOW(restart_syscall,	"go on after a stop"),
	ALLOW(exit_group,	"leave"),
	{ 0 }
};

const struct sandbox_row sandbox_loop[] = {
	ALLOW(epoll_ctl,	"watch descriptors"),
#ifdef SYS_epoll_wait
	ALLOW(epoll_wait,	"sleep until something happens"),
#endif
	ALLOW(epoll_pwait,	"the same, of newer versions of libuv"),
	{ 0 }
};

const struct sandbox_row sandbox_chan[] = {
	ALLOW(read,		"frames from a pipe"),
	ALLOW(recvmsg,		"frames and descriptors from a socket"),
	ALLOW_NULL(sendto, 4,	"frames to a socket"),
	ALLOW(sendmsg,		"frames and descriptors to a socket"),
	{ 0 }
};

const struct sandbox_row sandbox_chan_plain[] = {
	ALLOW(read,		"frames from a pipe"),
	ALLOW(recvmsg,		"frames and descriptors from a socket"),
	ALLOW_NULL(sendto, 4,	"frames to a socket; never with an address"),
	{ 0 }
};

#ifdef CF_DEBUG
/* What the sanitizers' runtime does, and what names a forbidden call. */
static const struct sandbox_row debug_rows[] = {
	ALLOW(getpid, "sanitizer"), ALLOW(gettid, "sanitizer"), ALLOW(tgkill, "sanitizer"),
	ALLOW(sigaltstack, "sanitizer"), ALLOW(rt_sigaction, "sanitizer"),
	ALLOW(rt_sigprocmask, "sanitizer"), ALLOW(sched_yield, "sanitizer"),
	ALLOW(mprotect, "sanitizer"), ALLOW(prlimit64, "sanitizer"),
	ALLOW(readlink, "sanitizer"), ALLOW(openat, "sanitizer: reports"),
	ALLOW(newfstatat, "sanitizer"), ALLOW(fstat, "sanitizer"), ALLOW(lseek, "sanitizer"),
	ALLOW(prctl, "sanitizer"), ALLOW(ioctl, "sanitizer: is stderr a terminal"),
	ALLOW(sched_getaffinity, "sanitizer"), ALLOW(process_vm_readv, "sanitizer"),
	{ 0 }
};

const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=1";	/* LeakSanitizer would ptrace */
}

static void
on_sigsys(int sig, siginfo_t *info, void *context)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);

	(void)sig, (void)context;
	fatalx("the sandbox has no row for %s (%d)", name != NULL ? name : "?", info->si_syscall);
}

static void
trap_install(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &sa, NULL);
}
#endif

void
sandbox_print(const struct sandbox_row *const *tables)
{
	for (; *tables != NULL; tables++)
		for (const struct sandbox_row *row = *tables; row->name != NULL; row++) {
			printf("%-16s ", row->name);
			for (unsigned i = 0; i < row->nargs; i++)
				printf("arg%u&%#llx==%#llx ", row->arg[i].index,
				    (unsigned long long)row->arg[i].mask,
				    (unsigned long long)row->arg[i].value);
			printf("# %s\n", row->reason);
		}
}

static int
by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Close all from 3 up but those in keep (sorted, n of them). */
static void
close_others(const int *keep, size_t n)
{
	unsigned from = 3;

	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if ((unsigned)keep[i] > from)
			syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

void
sandbox_prepare(int *rfd, int *wfd, const int *keep)
{
	struct rlimit core = { 0, 0 }, nofile;
	int sorted[64], null;
	size_t n = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("cannot give up new privileges");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &core);
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0 && nofile.rlim_cur < nofile.rlim_max) {
		nofile.rlim_cur = nofile.rlim_max;
		setrlimit(RLIMIT_NOFILE, &nofile);
	}
	signal(SIGPIPE, SIG_IGN);

	if ((null = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("cannot open /dev/null");
	*rfd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, CHANNEL_FD);
	*wfd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, CHANNEL_FD);
	if (*rfd == -1 || *wfd == -1)
		fatal("standard input and output are the channel, but one is not open");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);

	for (; keep != NULL && *keep != -1 && n < sizeof(sorted) / sizeof(int) - 2; keep++)
		sorted[n++] = *keep;
	sorted[n++] = *rfd;
	sorted[n++] = *wfd;
	qsort(sorted, n, sizeof(int), by_number);
	close_others(sorted, n);
}

static int
row_add(scmp_filter_ctx ctx, const struct sandbox_row *row)
{
	struct scmp_arg_cmp cmp[SANDBOX_ARGS];

	for (unsigned i = 0; i < row->nargs; i++)
		cmp[i] = (struct scmp_arg_cmp){ .arg = row->arg[i].index,
		    .op = SCMP_CMP_MASKED_EQ,
		    .datum_a = row->arg[i].mask, .datum_b = row->arg[i].value };
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, row->nr, row->nargs, cmp);
}

static void
tables_add(scmp_filter_ctx ctx, const struct sandbox_row *const *tables)
{
	for (; *tables != NULL; tables++)
		for (const struct sandbox_row *row = *tables; row->name != NULL; row++) {
			int rc = row_add(ctx, row);

			if (rc != 0 && rc != -EEXIST)
				fatalx("cannot allow %s in the sandbox: %s", row->name,
				    strerror(-rc));
		}
}

void
sandbox_seal(const struct sandbox_row *const *tables)
{
#ifdef CF_DEBUG
	static const struct sandbox_row *const debug_tables[] = { debug_rows, NULL };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);

	trap_install();
#else
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
#endif
	int rc;

	if (ctx == NULL)
		fatalx("cannot make a system call filter");
	tables_add(ctx, tables);
#ifdef CF_DEBUG
	tables_add(ctx, debug_tables);
#endif
	if ((rc = seccomp_load(ctx)) != 0)
		fatalx("cannot load the system call filter: %s (does this kernel have seccomp?)",
		    strerror(-rc));
	seccomp_release(ctx);
}

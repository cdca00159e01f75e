/*
 * refuse.c - run a command on a kernel that lacks something.
 *
 *	refuse WHAT COMMAND [ARG ...]
 *
 * A system call filter lets one call fail as it does where the thing is not built in.  The
 * filter stays on the command and all that it starts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX	8

static const struct thing {
	const char	*name;
	unsigned	 call;
	struct { unsigned arg, value; } when[2];	/* both; the lower halves */
	unsigned	 nwhen, err;
} things[] = {
	{ "nf_tables",	SYS_socket, { { 0, AF_NETLINK }, { 2, NETLINK_NETFILTER } }, 2,
	  EPROTONOSUPPORT },
	{ "tproxy6",	SYS_setsockopt, { { 1, IPPROTO_IPV6 }, { 2, IPV6_TRANSPARENT } }, 2, EPERM },
	{ "unshare",	SYS_unshare, { { 0, 0 } }, 0, EPERM },
	{ "mount",	SYS_mount, { { 0, 0 } }, 0, EPERM },
	{ "userns",	SYS_unshare, { { 0, CLONE_NEWUSER } }, 1, EPERM },
	{ "icmp",	SYS_socket, { { 0, AF_INET }, { 2, IPPROTO_ICMP } }, 2, EACCES },
	/* All can be built; the connection that tries it does not arrive. */
	{ "accept",	SYS_accept4, { { 0, 0 } }, 0, EPERM },
};

static int
filter_load(const struct thing *t)
{
	struct sock_filter code[2 * MAX];
	struct sock_fprog program = { .filter = code };
	unsigned n = 0, tests = 1 + t->nwhen;

	for (unsigned i = 0; i < tests; i++) {
		size_t at = i == 0 ? offsetof(struct seccomp_data, nr) :
		    offsetof(struct seccomp_data, args) + 8 * t->when[i - 1].arg;
		unsigned value = i == 0 ? t->call : t->when[i - 1].value;

		code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)at);
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0,
		    (unsigned char)(2 * (tests - 1 - i) + 1));
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | t->err);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0 ? -1 : 0;
}

int
main(int argc, char *argv[])
{
	for (size_t i = 0; argc > 2 && i < sizeof(things) / sizeof(things[0]); i++) {
		if (strcmp(argv[1], things[i].name) != 0)
			continue;
		if (filter_load(&things[i]) == 0)
			execvp(argv[2], argv + 2);
		perror("refuse");
		return 1;
	}
	fprintf(stderr, "usage: refuse nf_tables | tproxy6 | accept COMMAND [ARG ...]\n");
	return 2;
}

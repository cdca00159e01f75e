/*
 * able.c - what this kernel takes from this caller: filters, calls, kinds of sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doctor.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- filters ---- */

/* Load a filter as the helpers do and break its rule; the parent sees what comes of it. */
static void
probe_seccomp(struct probe *p)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -ENOMEM :
	    seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, SYS_getppid, 0);

	if (rc == 0)
		rc = seccomp_load(ctx);		/* sets no_new_privs first */
	p->err = -rc;
	if (rc == 0)
		(void)getppid();
}

void
check_seccomp(struct finding *f)
{
	struct probe p;

	if (probe_run(probe_seccomp, &p) == PROBE_KILLED && p.err == SIGSYS)
		good(f, "a filter loads and kills");
	else if (p.err > 0)
		bad(f, "use a kernel with CONFIG_SECCOMP_FILTER; " HINT_CONTAINER,
		    "cannot load a filter: %s", strerror(p.err));
	else
		bad(f, "use Linux 4.14 or newer", "a filter loads but does not kill");
}

/*
 * Calls that a run makes, in a form that every kernel refuses, or grants without doing anything:
 * another error is a filter's.
 */
enum { CALL_UNSHARE, CALL_SETNS, CALL_MOUNT, CALL_CLOSE_RANGE, CALL_MEMFD };

static const struct { const char *name; int err; } calls[] = {
	[CALL_UNSHARE] = { "unshare", 0 }, [CALL_SETNS] = { "setns", EBADF },
	[CALL_MOUNT] = { "mount", ENOENT }, [CALL_CLOSE_RANGE] = { "close_range", EINVAL },
	[CALL_MEMFD] = { "memfd_create", EINVAL },
};

static int
call_make(size_t i)
{
	switch (i) {
	case CALL_UNSHARE:	return unshare(0);
	case CALL_SETNS:	return setns(-1, 0);
	case CALL_MOUNT:	return mount("none", "", "tmpfs", 0, NULL);
	case CALL_CLOSE_RANGE:	return (int)syscall(SYS_close_range, 2, 1, 0);
	default:		return memfd_create("", ~0u);
	}
}

static size_t	call_now;	/* which one the next probe makes */

static void
probe_call(struct probe *p)
{
	errno = 0;
	if (call_make(call_now) == 0)
		errno = 0;
	p->err = errno;
}

void
check_calls(struct finding *f)
{
	char buf[DOCTOR_FILE_MAX], mode[16] = "0";
	ssize_t len = doctor_read("/proc/self/status", buf);
	struct probe p;

	if (len > 0)
		(void)status_parse(buf, (size_t)len, "Seccomp", mode, sizeof(mode));
	for (call_now = 0; call_now < COUNT(calls); call_now++) {
		enum probe_end end = probe_run(probe_call, &p);

		if (end == PROBE_DONE && p.err == calls[call_now].err)
			continue;
		bad(f, mode[0] == '2' ? HINT_CONTAINER :
		    "use a kernel that has it, or ask what filters this call", "%s: %s%s",
		    calls[call_now].name, end != PROBE_DONE ? "who makes it is killed" :
		    p.err == ENOSYS ? "this kernel, or a filter, has no such call" : strerror(p.err),
		    mode[0] == '2' ? " (a seccomp filter is in force)" : "");
		return;
	}
	good(f, "unshare, setns, mount and others are not filtered%s",
	    mode[0] == '2' ? " (a seccomp filter is in force)" : "");
}

/* ---- what newer kernels have ---- */

static bool
has_option(int type, int level, int option, int value)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	bool has = fd != -1 && setsockopt(fd, level, option, &value, sizeof(value)) == 0;

	if (fd != -1)
		close(fd);
	return has;
}

static bool
has_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static bool
has_seals(void)
{
	int fd = memfd_create("cf-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool has = fd != -1 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;

	if (fd != -1)
		close(fd);
	return has;
}

static bool has_segments(void)	{ return has_option(SOCK_DGRAM, IPPROTO_UDP, UDP_SEGMENT, 1200); }
static bool has_gro(void)	{ return has_option(SOCK_DGRAM, IPPROTO_UDP, UDP_GRO, 1); }
static bool has_errors(void)	{ return has_option(SOCK_DGRAM, IPPROTO_IP, IP_RECVERR, 1); }
static bool has_peek(void)	{ return has_option(SOCK_STREAM, SOL_SOCKET, SO_PEEK_OFF, 0); }

static int
landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static const struct {
	const char	*name, *since;
	bool		needed;
	bool		(*has)(void);
} features[] = {
	{ "pidfd_open", "5.3", false, has_pidfd },	/* cf-capture --pid */
	{ "sealed memory files", "3.17", true, has_seals },
	{ "UDP segmentation", "4.18", true, has_segments },
	{ "UDP receive offload", "5.0", true, has_gro },
	{ "error queues", "2.2", true, has_errors },
	{ "SO_PEEK_OFF on TCP", "6.9", false, has_peek },
};

#define LANDLOCK_SOCKETS	9	/* the ABI that knows unix sockets: Linux 7.1 */

void
check_kernel(struct finding *f)
{
	char lacks[256] = "", abi[64] = "no Landlock";
	bool wanting = false;

	for (size_t i = 0; i < COUNT(features); i++) {
		size_t len = strlen(lacks);

		if (features[i].has())
			continue;
		wanting = wanting || features[i].needed;
		snprintf(lacks + len, sizeof(lacks) - len, "%s%s (Linux %s%s)", len > 0 ? ", " : "no ",
		    features[i].name, features[i].since, features[i].needed ? "" : "; not needed");
	}
	if (landlock_abi() > 0)
		snprintf(abi, sizeof(abi), "Landlock ABI %d%s", landlock_abi(),
		    landlock_abi() >= LANDLOCK_SOCKETS ? "" : " (late sockets: from 9 on)");
	if (wanting)
		bad(f, "use a newer kernel: Debian's of 5.10 has all that is needed", "%s; %s", lacks, abi);
	else
		good(f, "%s%s%s", lacks[0] != '\0' ? lacks : "all that is looked for", "; ", abi);
}

/* ---- sockets ---- */

void
check_ping(struct finding *f)
{
	static const struct { int family, proto; const char *name; } kinds[] = {
		{ AF_INET, IPPROTO_ICMP, "ICMP" }, { AF_INET6, IPPROTO_ICMPV6, "ICMPv6" }
	};
	char range[DOCTOR_FILE_MAX] = "";
	int fd;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fd = socket(kinds[i].family, SOCK_DGRAM | SOCK_CLOEXEC, kinds[i].proto);
		if (fd == -1 && errno == EAFNOSUPPORT)
			continue;		/* a host without IPv6; see ipv6 */
		if (fd == -1) {
			int err = errno;

			(void)doctor_read("/proc/sys/net/ipv4/ping_group_range", range);
			range[strcspn(range, "\n")] = '\0';
			for (char *tab; (tab = strchr(range, '\t')) != NULL; )
				*tab = ' ';
			bad(f, "sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"",
			    "no %s socket: %s (net.ipv4.ping_group_range is \"%.40s\")",
			    kinds[i].name, strerror(err), range);
			return;
		}
		close(fd);
	}
	good(f, "ping sockets can be made");
}


void
check_packets(struct finding *f)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd == -1) {
		bad(f, "run as root, or setpriv --inh-caps +net_raw --ambient-caps +net_raw (only "
		    "-C wire-egress and cf-capture -i need it)", "no packet socket: %s", strerror(errno));
		return;
	}
	close(fd);
	good(f, "packet sockets can be made");
}

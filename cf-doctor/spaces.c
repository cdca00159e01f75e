/*
 * spaces.c - namespaces, mounts and a TUN device, made as a run makes them; see doctor.h.
 *
 * Each probe starts where the one before it ended, in a child that ends a moment later.
 * What a seccomp policy or a container forbids shows as EPERM here as it would in a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cf-spawn/childnet.h"
#include "doctor.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20		/* Linux 6.2 */
#define TUN_F_USO6	0x40
#endif

#define TUN_DEVICE	"/dev/net/tun"

enum step { IN_NOTHING, IN_USER, IN_MAPPED, IN_SPACES, IN_PRIVATE, IN_COVERED, IN_TUN_OPEN, IN_TUN,
    IN_NET, IN_PID };

static const char *const step_failed[] = {
	[IN_NOTHING] = "cannot make a user namespace",
	[IN_USER] = "cannot map ids in a user namespace",
	[IN_MAPPED] = "cannot make a network and a mount namespace",
	[IN_SPACES] = "cannot make mounts private",
	[IN_PRIVATE] = "cannot put a file over " RESOLV_CONF,
	[IN_COVERED] = "cannot open " TUN_DEVICE,
	[IN_TUN_OPEN] = "cannot make a TUN device",
	[IN_TUN] = "cannot configure the network",
	[IN_NET] = "cannot make a process namespace with a /proc of its own",
};

static bool
stepped(struct probe *p, enum step to, bool ok)
{
	p->err = ok ? 0 : errno;
	if (ok)
		p->step = to;
	return ok;
}

static bool
file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
	return ok;
}

static bool
map_self(uid_t uid, gid_t gid)
{
	char uid_map[64], gid_map[64];

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", uid, uid);
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", gid, gid);
	return file_write("/proc/self/setgroups", "deny") &&
	    file_write("/proc/self/uid_map", uid_map) && file_write("/proc/self/gid_map", gid_map);
}

static void
probe_user(struct probe *p)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (stepped(p, IN_USER, unshare(CLONE_NEWUSER) == 0))
		stepped(p, IN_MAPPED, map_self(uid, gid));
}

static void
probe_spaces(struct probe *p)
{
	probe_user(p);
	if (p->err == 0)
		stepped(p, IN_SPACES, unshare(CLONE_NEWNET | CLONE_NEWNS) == 0);
}

static void
probe_mounts(struct probe *p)
{
	probe_spaces(p);
	if (p->err == 0 &&
	    stepped(p, IN_PRIVATE, mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0))
		stepped(p, IN_COVERED, mount("/dev/null", RESOLV_CONF, NULL, MS_BIND, NULL) == 0);
}

/* Its first process mounts the /proc; a namespace whose processes are hidden refuses that. */
static void
probe_pid(struct probe *p)
{
	int status;
	pid_t pid;

	probe_spaces(p);
	if (p->err != 0)
		return;
	p->step = IN_NET;		/* none of what lies between is needed */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || unshare(CLONE_NEWPID) != 0 ||
	    (pid = fork()) == -1) {
		stepped(p, IN_PID, false);
		return;
	}
	if (pid == 0)
		_exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ?
		    0 : errno);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		errno = ECHILD;
	else
		errno = WEXITSTATUS(status);
	stepped(p, IN_PID, errno == 0);
}

static const struct { unsigned bit; const char *name, *since; } kinds[] = {
	{ TUN_F_TSO4, "TSO4", "" }, { TUN_F_TSO6, "TSO6", "" }, { TUN_F_TSO_ECN, "ECN", "" },
	{ TUN_F_USO4, "USO4", " (Linux 6.2)" }, { TUN_F_USO6, "USO6", " (Linux 6.2)" },
};
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

/* value: what the kernel grants, each asked for by itself; the others rest on checksums. */
static void
set_offloads(struct probe *p, int fd)
{
	if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM) != 0)
		return;
	p->value = TUN_F_CSUM;
	for (size_t i = 0; i < KINDS; i++) {
		unsigned ask = TUN_F_CSUM | kinds[i].bit;

		/* These three are parts of others, and refused alone. */
		if (kinds[i].bit == TUN_F_TSO_ECN)
			ask |= TUN_F_TSO4 | TUN_F_TSO6;
		if (kinds[i].bit == TUN_F_USO4 || kinds[i].bit == TUN_F_USO6)
			ask |= TUN_F_USO4 | TUN_F_USO6;
		if (ioctl(fd, TUNSETOFFLOAD, ask) == 0)
			p->value |= kinds[i].bit;
	}
}

static void
probe_tun(struct probe *p)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd, size = 10;		/* struct virtio_net_hdr */

	probe_spaces(p);
	if (p->err != 0)
		return;
	fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);
	p->step = IN_COVERED;		/* no mounts are needed for this one */
	if (!stepped(p, IN_TUN_OPEN, fd != -1) ||
	    !stepped(p, IN_TUN, ioctl(fd, TUNSETIFF, &ifr) == 0 &&
	    ioctl(fd, TUNSETVNETHDRSZ, &size) == 0))
		return;
	set_offloads(p, fd);
}

/* What cf-spawn's child does; value: how many families work, why: what of it does not. */
static void
probe_tcp(struct probe *p)
{
	unsigned offloads;
	struct kpath k;
	const char *what;
	bool ipv6;
	int fd;

	probe_spaces(p);
	if (p->err != 0)
		return;
	fd = tun_open(&offloads, &what);
	p->step = IN_COVERED;
	if (!stepped(p, IN_TUN, fd != -1) || !stepped(p, IN_NET, netlink_configure(&ipv6, &what) == 0))
		return;
	kpath_open(&k, fd, ipv6);
	for (int i = 0; i < KPATH_FAMILIES; i++)
		p->value += k.listen_fd[i] != -1;
	snprintf(p->why, sizeof(p->why), "%s", k.why);
}

/* ---- explain a probe that failed ---- */

static const char *
namespace_hint(const struct probe *p)
{
	if (host_apparmor_restricts())
		return HINT_APPARMOR;
	if (doctor_number("/proc/sys/kernel/unprivileged_userns_clone") == 0 && geteuid() != 0)
		return "sysctl -w kernel.unprivileged_userns_clone=1";
	if (p->err == ENOSPC)
		return "raise user.max_user_namespaces and user.max_net_namespaces (cf-doctor quota)";
	if (p->err == EINVAL || p->err == ENOSYS)
		return "this kernel is built without user or network namespaces: use another one";
	return HINT_CONTAINER;
}

static const char *
tun_hint(const struct probe *p)
{
	if (p->step < IN_SPACES)
		return "namespaces come first (cf-doctor namespaces)";
	if (p->err == EACCES)
		return "chmod 0666 " TUN_DEVICE " (what udev does), or be in the group that may open it";
	if (p->err == EPERM)
		return "in a container: start it with --device " TUN_DEVICE;
	return "modprobe tun; in a container: start it with --device " TUN_DEVICE;
}

/* ---- checks ---- */

void
check_userns(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_user, step_failed, namespace_hint, &p))
		good(f, "made one and mapped the own ids");
}

void
check_namespaces(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_spaces, step_failed, namespace_hint, &p))
		good(f, "made both inside a user namespace");
}

static const char *
pid_hint(const struct probe *p)
{
	if (p->step < IN_NET)
		return "namespaces come first (cf-doctor namespaces)";
	return "/proc has parts that are hidden (a container masks them): docker, podman: "
	    "--security-opt systempaths=unconfined";
}

void
check_pid(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_pid, step_failed, pid_hint, &p))
		good(f, "made one, with a /proc of its own");
}

void
check_mounts(struct finding *f)
{
	struct probe p;

	if (access(RESOLV_CONF, F_OK) != 0)
		bad(f, "create an empty " RESOLV_CONF ", so that there is something to cover",
		    "there is no " RESOLV_CONF);
	else if (tried(f, probe_mounts, step_failed, namespace_hint, &p))
		good(f, "covered " RESOLV_CONF " in a mount namespace");
}

void
check_tun(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_tun, step_failed, tun_hint, &p))
		good(f, "opened " TUN_DEVICE " and made a device in a network namespace");
}

void
check_offloads(struct finding *f)
{
	char has[64] = "", lacks[128] = "";
	struct probe p;

	if (!tried(f, probe_tun, step_failed, tun_hint, &p))
		return;
	for (size_t i = 0; i < KINDS; i++) {
		bool there = (p.value & kinds[i].bit) != 0;
		char *to = there ? has : lacks;
		size_t len = strlen(to), room = there ? sizeof(has) : sizeof(lacks);

		snprintf(to + len, room - len, "%s%s%s", there ? ", " : len > 0 ? ", " : "",
		    kinds[i].name, there ? "" : kinds[i].since);
	}
	if ((p.value & TUN_F_TSO4) == 0)
		bad(f, "use a newer kernel; this one works, only slower", "%s; not %s",
		    (p.value & TUN_F_CSUM) != 0 ? "checksums" : "none", lacks);
	else
		good(f, "checksums%s%s%s", has, lacks[0] != '\0' ? "; not " : "", lacks);
}

void
check_tcp(struct finding *f)
{
	struct probe p;

	if (!tried(f, probe_tcp, step_failed, tun_hint, &p))
		return;
	if (p.why[0] != '\0')
		bad(f, "modprobe nft_tproxy (kernel option NFT_TPROXY); without it cf-netstack ends "
		    "TCP itself, which works and is slower", "%s", p.why);
	else
		good(f, "made it and connected through it (%s)", p.value == KPATH_FAMILIES ?
		    "IPv4, IPv6" : "IPv4; there is no IPv6");
}


bool
spaces_made(void)
{
	struct probe p;

	return probe_run(probe_tun, &p) == PROBE_DONE && p.err == 0;
}

/*
 * checks.c - the table of what a run needs from its host; see doctor.h.
 *
 * Each check says what it found, and where that is not enough, which knob to turn.  The
 * kernel is asked by trying; files are read only to explain a refusal or where
 * nothing can be tried.
 *
 * What a seccomp policy or a container forbids shows as EPERM here as it would in a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../cf-spawn/childnet.h"
#include "doctor.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20		/* Linux 6.2 */
#define TUN_F_USO6	0x40
#endif

#define TUN_DEVICE	"/dev/net/tun"
#define RESOLV_CONF	"/etc/resolv.conf"
#define FILE_MAX	(64 * 1024)

/* ---- findings ---- */

static void __attribute__((format(printf, 2, 3)))
good(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	f->ok = true;
}

static void __attribute__((format(printf, 3, 4)))
bad(struct finding *f, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	snprintf(f->hint, sizeof(f->hint), "%s", hint);
	f->ok = false;
}

/* A whole small file; its length, or -1. */
static ssize_t
file_read(const char *path, char buf[FILE_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	n = read(fd, buf, FILE_MAX - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* A number in /proc/sys; -1 where the file is not there. */
static long
sysctl_number(const char *path)
{
	char buf[FILE_MAX];

	return file_read(path, buf) > 0 ? strtol(buf, NULL, 10) : -1;
}

static bool
apparmor_restricts(void)
{
	return geteuid() != 0 &&
	    sysctl_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
}

#define HINT_APPARMOR	"AppArmor restricts user namespaces: install the profile of the package, " \
	"or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
#define HINT_CONTAINER	"in a container: allow unshare(2) and mount(2) in its seccomp and LSM policy"

/* ---- what probes do; each starts where the one before it ended ---- */

enum step { IN_NOTHING, IN_USER, IN_MAPPED, IN_SPACES, IN_PRIVATE, IN_COVERED, IN_TUN_OPEN, IN_TUN,
    IN_NET };

static const char *const step_failed[] = {
	[IN_NOTHING] = "cannot make a user namespace",
	[IN_USER] = "cannot map ids in a user namespace",
	[IN_MAPPED] = "cannot make a network and a mount namespace",
	[IN_SPACES] = "cannot make mounts private",
	[IN_PRIVATE] = "cannot put a file over " RESOLV_CONF,
	[IN_COVERED] = "cannot open " TUN_DEVICE,
	[IN_TUN_OPEN] = "cannot make a TUN device",
	[IN_TUN] = "cannot configure the network",
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

/* value: what the kernel granted.  Newer kernels take USO too. */
static void
set_offloads(struct probe *p, int fd)
{
	static const unsigned wanted[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM,
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (ioctl(fd, TUNSETOFFLOAD, wanted[i]) == 0) {
			p->value = wanted[i];
			return;
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

/* ---- explain a probe that failed ---- */

static const char *
namespace_hint(const struct probe *p)
{
	if (apparmor_restricts())
		return HINT_APPARMOR;
	if (sysctl_number("/proc/sys/kernel/unprivileged_userns_clone") == 0 && geteuid() != 0)
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

/* Run it; true when all of it succeeded.  Otherwise the finding says where it ended. */
static bool
tried(struct finding *f, void (*fn)(struct probe *), const char *(*hint)(const struct probe *),
    struct probe *p)
{
	switch (probe_run(fn, p)) {
	case PROBE_DONE:
		if (p->err == 0)
			return true;
		bad(f, hint(p), "%s: %s", step_failed[p->step], strerror(p->err));
		return false;
	case PROBE_KILLED:
		bad(f, HINT_CONTAINER, "the process that tried was killed (signal %d)", p->err);
		return false;
	case PROBE_LATE:
		bad(f, "look at the kernel's log (dmesg)", "no answer within %d ms",
		    probe_limit);
		return false;
	default:
		bad(f, "raise the limit of processes or descriptors (ulimit -u, -n)",
		    "cannot start a process to try it");
		return false;
	}
}

/* ---- checks ---- */

static void
check_userns(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_user, namespace_hint, &p))
		good(f, "made one and mapped the own ids");
}

static void
check_namespaces(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_spaces, namespace_hint, &p))
		good(f, "made both inside a user namespace");
}

static void
check_quota(struct finding *f)
{
	static const char *const kinds[] = { "user", "net", "mnt" };
	char path[64], said[128] = "";
	size_t len = 0;
	long n;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i]);
		n = sysctl_number(path);
		if (n == 0) {
			snprintf(path, sizeof(path), "sysctl -w user.max_%s_namespaces=15000",
			    kinds[i]);
			bad(f, path, "user.max_%s_namespaces is 0", kinds[i]);
			return;
		}
		if (n > 0)
			len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s=%ld",
			    len > 0 ? ", " : "", kinds[i], n);
	}
	good(f, "%s", len > 0 ? said : "the kernel has no such limits");
}

static void
check_apparmor(struct finding *f)
{
	if (apparmor_restricts())
		bad(f, HINT_APPARMOR, "kernel.apparmor_restrict_unprivileged_userns is 1");
	else
		good(f, "nothing is restricted");
}

static void
check_mounts(struct finding *f)
{
	struct probe p;

	if (access(RESOLV_CONF, F_OK) != 0)
		bad(f, "create an empty " RESOLV_CONF ", so that there is something to cover",
		    "there is no " RESOLV_CONF);
	else if (tried(f, probe_mounts, namespace_hint, &p))
		good(f, "covered " RESOLV_CONF " in a mount namespace");
}

static void
check_tun(struct finding *f)
{
	struct probe p;

	if (tried(f, probe_tun, tun_hint, &p))
		good(f, "opened " TUN_DEVICE " and made a device in a network namespace");
}

static void
check_offloads(struct finding *f)
{
	struct probe p;

	if (!tried(f, probe_tun, tun_hint, &p))
		return;
	if (p.value & TUN_F_TSO4)
		good(f, "checksums, TCP segments%s",
		    p.value & TUN_F_USO4 ? ", UDP segments" : " (UDP segments: Linux 6.2)");
	else
		bad(f, "a newer kernel moves large segments; this one works, only slower",
		    "%s", p.value != 0 ? "only checksums" : "none");
}

static void
check_tcp(struct finding *f)
{
	struct probe p;

	if (!tried(f, probe_tcp, tun_hint, &p))
		return;
	if (p.why[0] != '\0')
		bad(f, "modprobe nft_tproxy (kernel option NFT_TPROXY); without it cf-netstack ends "
		    "TCP itself, which works and is slower", "%s", p.why);
	else
		good(f, "made it and connected through it (%s)", p.value == KPATH_FAMILIES ?
		    "IPv4, IPv6" : "IPv4; there is no IPv6");
}

static void
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

static void
check_ping(struct finding *f)
{
	static const struct { int family, proto; const char *name; } kinds[] = {
		{ AF_INET, IPPROTO_ICMP, "ICMP" }, { AF_INET6, IPPROTO_ICMPV6, "ICMPv6" }
	};
	char range[FILE_MAX] = "";
	int fd;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		fd = socket(kinds[i].family, SOCK_DGRAM | SOCK_CLOEXEC, kinds[i].proto);
		if (fd == -1 && errno == EAFNOSUPPORT)
			continue;		/* a host without IPv6; see ipv6 */
		if (fd == -1) {
			int err = errno;

			(void)file_read("/proc/sys/net/ipv4/ping_group_range", range);
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

/* Connecting a datagram socket asks for a route and sends nothing. */
static void
check_route(struct finding *f, const char *address, const char *hint)
{
	struct sockaddr_storage ss;
	struct addr a;
	socklen_t len;
	int fd, err = 0;

	if (!addr_parse(address, 53, &a))
		abort();
	len = addr_to_sockaddr(&a, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&ss, len) != 0)
		err = errno;
	if (fd != -1)
		close(fd);
	if (err == 0)
		good(f, "there is a route to the world");
	else
		bad(f, hint, "no route to the world: %s", strerror(err));
}

/* Two root name servers: any address that nobody has at home would do. */
static void
check_ipv4(struct finding *f)
{
	check_route(f, "198.41.0.4", "connect the host, or reach only what its own networks have");
}

static void
check_ipv6(struct finding *f)
{
	check_route(f, "2001:503:ba3e::2:30",
	    "connect the host by IPv6; until then names get no IPv6 addresses");
}

static void
check_resolvers(struct finding *f)
{
	char text[FILE_MAX], first[ADDR_STRLEN];
	struct addr servers[RESOLVERS_MAX];
	ssize_t len = file_read(RESOLV_CONF, text);
	size_t n;

	if (len < 0) {
		bad(f, "cf-spawn -d ADDRESS", "cannot read " RESOLV_CONF ": %s", strerror(errno));
		return;
	}
	n = resolv_parse(text, (size_t)len, servers);
	if (n == 0)
		bad(f, "cf-spawn -d ADDRESS, or a nameserver line in " RESOLV_CONF,
		    RESOLV_CONF " names no resolver");
	else
		good(f, "%s%s", addr_ip_str(&servers[0], first), n > 1 ? " and more" : "");
}

static void
check_uidmap(struct finding *f)
{
	static const char *const programs[] = { "/usr/bin/newuidmap", "/usr/bin/newgidmap" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK) != 0) {
			bad(f, "apt install uidmap (only --map-subids needs it)", "no %s",
			    programs[i]);
			return;
		}
	good(f, "newuidmap and newgidmap are there");
}

static void
check_subids(struct finding *f)
{
	static const char *const files[] = { "/etc/subuid", "/etc/subgid" };
	const struct passwd *pw = getpwuid(getuid());
	const char *user = pw != NULL ? pw->pw_name : "";
	char text[FILE_MAX];
	unsigned long n;
	ssize_t len;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		len = file_read(files[i], text);
		n = len > 0 ? subid_parse(text, (size_t)len, user, getuid()) : 0;
		if (n == 0) {
			bad(f, "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER "
			    "(only --map-subids needs it)", "no ids for uid %u in %s", getuid(),
			    files[i]);
			return;
		}
	}
	good(f, "there are ids for uid %u", getuid());
}

const struct check checks[] = {
	{ "userns", "unprivileged_user_namespaces", "unprivileged user namespaces",
	  "runs without root", "all else is made inside one", true, check_userns },
	{ "namespaces", "namespace_handles", "network and mount namespaces",
	  "a network of its own for a command tree", "the tree must see no other network", true,
	  check_namespaces },
	{ "quota", "user_namespace_quota", "user namespace quota",
	  "room for one more run", "a limit of 0 forbids them all", true, check_quota },
	{ "apparmor", "apparmor_userns_policy", "AppArmor policy on user namespaces",
	  "rights inside user namespaces", "Ubuntu takes the rights away that a run needs", false,
	  check_apparmor },
	{ "mounts", "private_mounts", "private mounts",
	  "a resolv.conf and hosts file of its own", "names must be asked inside", true,
	  check_mounts },
	{ "tun", "tun_tap_device", "TUN/TAP device",
	  "packets to and from the tree", "the tree's interface is a TUN device", true, check_tun },
	{ "offloads", "tun_offloads", "TUN offloads",
	  "large segments, full speed", "without them each packet is 1500 bytes", false,
	  check_offloads },
	{ "tcp-path", "tcp_kernel_path", "kernel path for TCP",
	  "fast TCP", "the tree's own kernel ends TCP where nf_tables and tproxy are there", false,
	  check_tcp },
	{ "seccomp", "system_call_filter", "system call filter",
	  "sealed helpers", "no helper runs unsealed", true, check_seccomp },
	{ "ping", "ping_sockets", "ping sockets",
	  "ping from inside", "ICMP echo leaves through one", false, check_ping },
	{ "ipv4", "ipv4_route", "IPv4 route",
	  "IPv4 destinations", "connections are made from the host", false, check_ipv4 },
	{ "ipv6", "ipv6_route", "IPv6 route",
	  "IPv6 destinations", "connections are made from the host", false, check_ipv6 },
	{ "resolvers", "resolvers", "resolvers",
	  "names without -d", "the tree's queries go to the host's resolvers", false,
	  check_resolvers },
	{ "uidmap", "uidmap_helpers", "uidmap helpers",
	  "--map-subids: programs to map more ids", "only root may map ids of others", false,
	  check_uidmap },
	{ "subids", "subuid_subgid_entries", "subuid/subgid files",
	  "--map-subids: ids to map", "an administrator gives them to a user", false, check_subids },
	{ NULL, NULL, NULL, NULL, NULL, false, NULL }
};

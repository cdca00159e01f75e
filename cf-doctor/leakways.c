/*
 * leakways.c - the probe's ways by sockets, calls, descriptors and names; see leaks.h.
 *
 * Each is tried for real, in a process of its own: what it leaves open goes with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "leaks.h"
#include "leaktry.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static enum leak_result
said(char *detail, bool ok, const char *what)
{
	snprintf(detail, LEAK_DETAIL, "%s", ok ? what : strerror(errno));
	return ok ? LEAK_WORKED :
	    errno == ENOENT || errno == EAFNOSUPPORT || errno == ENOSYS ? LEAK_NONE : LEAK_REFUSED;
}

/* ---- kinds of sockets ---- */

static enum leak_result
try_raw4(const struct leak_world *w, char *detail)
{
	(void)w;
	return said(detail, socket(AF_INET, SOCK_RAW, IPPROTO_RAW) != -1, "made one");
}

static enum leak_result
try_raw6(const struct leak_world *w, char *detail)
{
	(void)w;
	return said(detail, socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6) != -1, "made one");
}

static enum leak_result
try_packet(const struct leak_world *w, char *detail)
{
	(void)w;
	return said(detail, socket(AF_PACKET, SOCK_RAW, 0) != -1, "made one");
}

static enum leak_result
try_netlink(const struct leak_world *w, char *detail)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, 0);

	(void)w;
	return said(detail, fd != -1, "made one");
}

static enum leak_result
try_vsock(const struct leak_world *w, char *detail)
{
	(void)w;
	return said(detail, family_socket(AF_VSOCK) != -1, "made one");
}

/* All but those that belong to a network namespace, and cryptography. */
static enum leak_result
try_families(const struct leak_world *w, char *detail)
{
	static const int own[] = { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG,
	    AF_VSOCK };
	size_t len = 0;

	(void)w;
	for (int family = 0; family < AF_MAX + 8; family++) {
		bool known = false;
		int fd;

		for (size_t i = 0; i < COUNT(own); i++)
			known = known || family == own[i];
		if (known || (fd = family_socket(family)) == -1)
			continue;
		close(fd);
		if (len < LEAK_DETAIL - 8)
			len += (size_t)snprintf(detail + len, LEAK_DETAIL - len, "%s%d",
			    len > 0 ? ", " : "made one of family ", family);
	}
	if (len > 0)
		return LEAK_WORKED;
	snprintf(detail, LEAK_DETAIL, "none can be made");
	return LEAK_NONE;
}

/* ---- calls that a filter may not have thought of ---- */

static enum leak_result
try_io_uring(const struct leak_world *w, char *detail)
{
	char params[256] = { 0 };

	(void)w;
	return said(detail, syscall(SYS_io_uring_setup, 4, params) != -1, "made a ring");
}

static enum leak_result
try_i386(const struct leak_world *w, char *detail)
{
	bool ring = call_i386(I386_IO_URING_SETUP, 0, 0, 0) != -1 || errno == EINVAL || errno == EFAULT;
	bool vsock = !ring && call_i386(I386_SOCKET, AF_VSOCK, SOCK_STREAM, 0) != -1;

	(void)w;
	return said(detail, ring || vsock, ring ? "a ring can be made" : "made a vsock socket");
}

static enum leak_result
try_x32(const struct leak_world *w, char *detail)
{
#if defined(__x86_64__)
	bool made = syscall(0x40000000L | SYS_socket, AF_INET, SOCK_STREAM, 0) != -1;
#else
	bool made = false;

	errno = ENOSYS;
#endif
	(void)w;
	return said(detail, made, "made a socket");
}

/* With something to call out, the kernel starts a program of the host, and notes what came of it. */
static enum leak_result
try_request_key(const struct leak_world *w, char *detail)
{
	long rc = syscall(SYS_request_key, "user", w->nonce, "", 0);
	bool worked = rc != -1 || (errno != ENOKEY && errno != EPERM && errno != ENOSYS);
	FILE *keys = worked ? NULL : fopen("/proc/keys", "re");
	char line[512];

	/* ENOKEY is also what such a program says that does not know the key. */
	while (!worked && keys != NULL && fgets(line, sizeof(line), keys) != NULL)
		worked = strstr(line, w->nonce) != NULL;
	if (keys != NULL)
		fclose(keys);
	snprintf(detail, LEAK_DETAIL, worked ? "the kernel has tried to" : "it was not called");
	return worked ? LEAK_WORKED : LEAK_REFUSED;
}

/* cf-doctor has put a key into the session that it began. */
static enum leak_result
try_keys(const struct leak_world *w, char *detail)
{
	char name[64], text[32];
	long key;

	snprintf(name, sizeof(name), "cf-leak-%d", w->pid);
	key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0);
	if (key == -1 && errno == ENOKEY)
		errno = ENOENT;
	return said(detail, key != -1 && syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof(text)) > 0,
	    "read a key of the caller's session");
}

static enum leak_result
try_tiocsti(const struct leak_world *w, char *detail)
{
	char c = 'x';

	(void)w;
	if (!isatty(STDIN_FILENO)) {
		snprintf(detail, LEAK_DETAIL, "there is no terminal");
		return LEAK_NONE;
	}
	/* The kernel looks at 32 bits of the request. */
	return said(detail, ioctl(STDIN_FILENO, TIOCSTI, &c) == 0 ||
	    ioctl(STDIN_FILENO, (unsigned long)TIOCSTI | 1ul << 32, &c) == 0,
	    "typed for whoever reads the terminal");
}

/* ---- descriptors ---- */

/* What a descriptor leads to, where that is out of here; NULL: nowhere. */
static const char *
leads_to(int fd)
{
	static const struct { const char *prefix, *what; } links[] = {
		{ "net:[", "a network namespace" }, { "user:[", "a user namespace" },
		{ "mnt:[", "a mount namespace" }, { "/dev/net/tun", "a TUN device" },
		{ "anon_inode:[io_uring]", "a ring" }, { "anon_inode:[pidfd]", "a process" },
		{ "pidfd:", "a process" },
	};
	char path[64], to[256];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return NULL;
	if (S_ISSOCK(st.st_mode))
		return "a socket";
	if (S_ISDIR(st.st_mode))
		return "a directory";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((n = readlink(path, to, sizeof(to) - 1)) < 0)
		return NULL;
	to[n] = '\0';
	for (size_t i = 0; i < COUNT(links); i++)
		if (strncmp(to, links[i].prefix, strlen(links[i].prefix)) == 0)
			return links[i].what;
	return NULL;
}

static enum leak_result
try_descriptors(const struct leak_world *w, char *detail)
{
	char token[LEAK_TOKEN_MAX];
	size_t len = leak_token(w, LEAK_TOKEN_FD, token), at = 0;

	/* If it is there, it is that of cf-doctor, and what is sent arrives there. */
	(void)!send(w->fd, token, len, MSG_NOSIGNAL);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
		const char *what = leads_to(fd);

		if (what != NULL && at < LEAK_DETAIL - 40)
			at += (size_t)snprintf(detail + at, LEAK_DETAIL - at, "%s%d is %s",
			    at > 0 ? ", " : "", fd, what);
	}
	if (at > 0)
		return LEAK_WORKED;
	snprintf(detail, LEAK_DETAIL, "none leads anywhere");
	return LEAK_REFUSED;
}

/* ---- sockets with a name ---- */

static bool
connected(const struct sockaddr_un *sun, socklen_t len)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	errno = EPROTOTYPE;
	for (size_t i = 0; i < COUNT(types) && errno == EPROTOTYPE; i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_NONBLOCK, 0);

		/* A full queue says that somebody is there. */
		if (fd == -1 || connect(fd, (const struct sockaddr *)sun, len) == 0 || errno == EAGAIN)
			return fd != -1;
		close(fd);
	}
	return false;
}

static bool
path_connected(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	return connected(&sun, sizeof(sun));
}

static enum leak_result
try_abstract(const struct leak_world *w, char *detail)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int len = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "cf-leak-%d", w->pid);

	return said(detail, connected(&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
	    (size_t)len)) || (errno == ECONNREFUSED && (errno = ENOENT) == 0), "connected");
}

static enum leak_result
try_early(const struct leak_world *w, char *detail)
{
	char path[LEAK_PATH_LEN];

	snprintf(path, sizeof(path), "%.90s/early", w->dir);
	return said(detail, path_connected(path), "connected");
}

/* cf-doctor makes it when the probe says that it is there. */
static enum leak_result
try_late(const struct leak_world *w, char *detail)
{
	char path[LEAK_PATH_LEN];
	bool there = false;

	snprintf(path, sizeof(path), "%.90s/late", w->dir);
	for (int i = 0; i < 100 && !there; i++) {
		struct stat st;

		there = stat(path, &st) == 0 || errno == EACCES;
		if (!there)
			poll(NULL, 0, 10);
	}
	return said(detail, path_connected(path), "connected");
}

static enum leak_result
try_services(const struct leak_world *w, char *detail)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_paths; i++)
		if (path_connected(w->path[i]) && n++ == 0)
			snprintf(detail, LEAK_DETAIL, "connected to %s", w->path[i]);
	if (n > 1)
		snprintf(detail + strlen(detail), LEAK_DETAIL - strlen(detail), " and %zu more", n - 1);
	if (n == 0)
		snprintf(detail, LEAK_DETAIL, w->n_paths > 0 ? "none of %zu is reached" :
		    "none listens on this host", w->n_paths);
	return n > 0 ? LEAK_WORKED : w->n_paths > 0 ? LEAK_REFUSED : LEAK_NONE;
}

static enum leak_result
try_resolvers(const struct leak_world *w, char *detail)
{
	static const char *const paths[] = { "/run/nscd/socket", "/var/run/nscd/socket",
	    "/run/systemd/resolve/io.systemd.Resolve",
	    "/run/systemd/resolve/io.systemd.Resolve.Monitor", "/run/avahi-daemon/socket" };

	(void)w;
	for (size_t i = 0; i < COUNT(paths); i++)
		if (path_connected(paths[i])) {
			snprintf(detail, LEAK_DETAIL, "connected to %s", paths[i]);
			return LEAK_WORKED;
		}
	snprintf(detail, LEAK_DETAIL, "none is there");
	return LEAK_NONE;
}

const struct leak_way leak_ways[] = {
	{ "raw IPv4", "a raw socket", try_raw4, true },
	{ "raw IPv6", "a raw socket", try_raw6, true },
	{ "packets", "a packet socket", try_packet, true },
	{ "netlink", "a netlink socket: the host's interfaces and routes", try_netlink, true },
	{ "vsock", "a socket to the hypervisor", try_vsock, false },
	{ "other families", "a socket of each family that a network namespace does not hold",
	  try_families, false },
	{ "io_uring", "a ring, which makes and connects sockets", try_io_uring, false },
	{ "calls of i386", "a ring or a vsock socket by the other table of calls", try_i386, false },
	{ "calls of x32", "a socket by the other table of calls", try_x32, false },
	{ "inherited descriptors", "sockets, directories and namespaces above 2", try_descriptors,
	  false,
	  "leave --keep-fd out" },
	{ "abstract socket", "a unix socket without a path, outside", try_abstract, false },
	{ "unix socket", "one with a path that was there before the run", try_early, false,
	  "--seal sockets, or a rule that refuses something" },
	{ "services by sockets", "unix sockets on which something outside listens", try_services, false,
	  "--seal sockets, or a rule that refuses something" },
	{ "resolver sockets", "nscd, systemd-resolved, avahi", try_resolvers, false },
	{ "ptrace", "attach to a process outside", leak_ptrace, false },
	{ "process_vm_readv", "read the memory of one", leak_vm_read, false },
	{ "memory in /proc", "open /proc/PID/mem of one", leak_mem, false },
	{ "descriptors in /proc", "look at /proc/PID/fd of one", leak_fds, false },
	{ "environment in /proc", "read /proc/PID/environ of one", leak_environ, false },
	{ "pidfd_getfd", "take a descriptor from one", leak_getfd, false },
	{ "setns", "enter the network of one", leak_setns, false },
	{ "connections in /proc", "read /proc/PID/net of one: sees the host's, sends nothing",
	  leak_proc_net, false,
	  "--seal pid" },
	{ "TIOCSTI", "type on the terminal for the shell outside", try_tiocsti, false },
	{ "request_key", "have the kernel start a program of the host", try_request_key, false },
	{ "session keys", "read a key of the caller's session", try_keys, false,
	  "--seal ipc" },
	{ "late unix socket", "one with a path that was made after the start", try_late, false,
	  "--seal files, or --seal sockets with Linux 7.1" },
	{ NULL, NULL, NULL, false, NULL }
};

/*
 * leakhost.c - what is listened on and lent out, so that there is something to reach; see leaks.h.
 *
 * All of it is cf-doctor's own and gone with it: sockets on a port that the kernel chose, abstract
 * and path names in a new directory, a terminal, a session of keys.  From whoever connects
 * one token is read and nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pty.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "leaks.h"
#include "log.h"

#define TALKERS	64	/* connections that have not sent their token yet */

enum { TCP4, TCP6, UDP4, UDP6, EARLY, LATE, ABSTRACT, HOST_FDS };

struct leak_host {
	int	fd[HOST_FDS];
	int	lent;			/* the other end is inherited by the run */
	int	master, slave;		/* of a terminal */
	int	talker[TALKERS];
	char	dir[LEAK_PATH_LEN - 16];
};

/* ---- making it ---- */

static int
port_open(int family, int type, uint16_t *port)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	struct addr a;

	((struct sockaddr_in *)&ss)->sin_port = htons(*port);	/* the same place in both */
	if (fd != -1 && (family == AF_INET ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0) &&
	    bind(fd, (struct sockaddr *)&ss, len) == 0 && (type != SOCK_STREAM || listen(fd, 64) == 0) &&
	    getsockname(fd, (struct sockaddr *)&ss, &len) == 0 && addr_from_sockaddr(&ss, &a)) {
		*port = a.port;
		return fd;
	}
	if (fd != -1)
		close(fd);
	return -1;
}

/* All four on one port; a host without IPv6 has two. */
static bool
ports_open(struct leak_host *h, uint16_t *port)
{
	for (int i = 0; i < 20; i++) {
		*port = 0;
		if ((h->fd[TCP4] = port_open(AF_INET, SOCK_STREAM, port)) == -1)
			return false;
		h->fd[UDP4] = port_open(AF_INET, SOCK_DGRAM, port);
		h->fd[TCP6] = port_open(AF_INET6, SOCK_STREAM, port);
		h->fd[UDP6] = port_open(AF_INET6, SOCK_DGRAM, port);
		if (h->fd[UDP4] != -1)
			return true;
		for (int k = TCP4; k <= UDP6; k++)
			if (h->fd[k] != -1)
				close(h->fd[k]);
	}
	return false;
}

/* Best effort: where there is no route for a group, it cannot be tried. */
static void
groups_join(struct leak_host *h, const struct leak_world *w)
{
	static struct leak_target t[LEAK_TARGETS];
	size_t n = leak_targets(w, t);

	for (size_t i = 0; i < n; i++) {
		struct ip_mreq four = { 0 };
		struct ipv6_mreq six = { .ipv6mr_interface = leak_interface() };

		memcpy(&four.imr_multiaddr, t[i].addr.ip, 4);
		memcpy(&six.ipv6mr_multiaddr, t[i].addr.ip, 16);
		if (t[i].addr.family == 4 && (t[i].addr.ip[0] & 0xf0) == 0xe0)
			(void)setsockopt(h->fd[UDP4], IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four));
		else if (t[i].addr.family == 6 && t[i].addr.ip[0] == 0xff && h->fd[UDP6] != -1)
			(void)setsockopt(h->fd[UDP6], IPPROTO_IPV6, IPV6_JOIN_GROUP, &six, sizeof(six));
	}
}

static void
own_find(struct leak_world *w)
{
	struct ifaddrs *all, *i;
	struct sockaddr_storage ss;

	if (getifaddrs(&all) != 0)
		return;
	for (i = all; i != NULL && w->n_own < LEAK_OWN_MAX; i = i->ifa_next) {
		int family = i->ifa_addr != NULL ? i->ifa_addr->sa_family : 0;

		if ((family != AF_INET && family != AF_INET6) || (i->ifa_flags & IFF_LOOPBACK) != 0 ||
		    (i->ifa_flags & IFF_UP) == 0)
			continue;
		memset(&ss, 0, sizeof(ss));
		memcpy(&ss, i->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) :
		    sizeof(struct sockaddr_in6));
		if (addr_from_sockaddr(&ss, &w->own[w->n_own]))
			w->own[w->n_own++].port = 0;
	}
	freeifaddrs(all);
}

static int
unix_listen(const struct sockaddr_un *sun, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1 && bind(fd, (const struct sockaddr *)sun, len) == 0 && listen(fd, 16) == 0)
		return fd;
	if (fd != -1)
		close(fd);
	return -1;
}

static int
path_listen(const struct leak_host *h, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/%s", h->dir, name);
	return unix_listen(&sun, sizeof(sun));
}

static int
abstract_listen(const struct leak_world *w)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int len = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "cf-leak-%d", w->pid);

	return unix_listen(&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len));
}

/* Connected to our port by the loopback, and inherited by the run, if it lets it. */
static void
lend(struct leak_host *h, struct leak_world *w)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(w->port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	w->fd = -1;
	if (fd == -1 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0) {
		if (fd != -1)
			close(fd);
		return;
	}
	h->lent = fcntl(fd, F_DUPFD, 20);
	close(fd);
	w->fd = h->lent;
}

/* ---- what others listen on ---- */

/* Takes lines of the log, tells names of users; and what is tried apart. */
static bool
is_harmless(const char *path)
{
	static const char *const prefix[] = { "/run/systemd/journal/", "/dev/log", "/run/systemd/userdb/",
	    "/run/nscd/", "/var/run/nscd/", "/run/systemd/resolve/", "/run/avahi-daemon/" };

	for (size_t i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (strncmp(path, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return false;
}

static bool
is_reached(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok;

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	ok = fd != -1 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	if (fd != -1)
		close(fd);
	return ok;
}

/* Listening ones of the host's list (proc(5), net/unix): flags 00010000, a path. */
static void
services_find(struct leak_world *w)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[512], *path;

	while (f != NULL && w->n_paths < LEAK_PATHS_MAX && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		path = strstr(line, " /");
		if (path != NULL && strstr(line, " 00010000 ") != NULL && strlen(++path) < LEAK_PATH_LEN &&
		    strncmp(path, w->dir, strlen(w->dir)) != 0 && !is_harmless(path) && is_reached(path))
			snprintf(w->path[w->n_paths++], LEAK_PATH_LEN, "%s", path);
	}
	if (f != NULL)
		fclose(f);
}

/* ---- the whole ---- */

static bool
world_begin(struct leak_world *w)
{
	char text[1024], *end;
	struct stat st;
	FILE *f = fopen("/proc/self/stat", "re");
	bool ok = f != NULL && fgets(text, sizeof(text), f) != NULL && (end = strrchr(text, ')')) != NULL;

	if (f != NULL)
		fclose(f);
	for (int i = 0; ok && i < 20; i++)
		ok = (end = strchr(end + 1, ' ')) != NULL;
	if (!ok || stat("/proc/self/ns/net", &st) != 0)
		return false;
	w->pid = getpid();
	w->started = strtoull(end + 1, NULL, 10);
	w->netns = st.st_ino;
	return true;
}

/* A session of its own, so that the caller's is not touched, with something to find in it. */
static void
keys_begin(const struct leak_world *w)
{
	char name[64];

	snprintf(name, sizeof(name), "cf-leak-%d", w->pid);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) != -1)
		(void)syscall(SYS_add_key, "user", name, "found", 5, KEY_SPEC_SESSION_KEYRING);
}

static bool
dir_make(struct leak_host *h, struct leak_world *w)
{
	const char *tmp = getenv("TMPDIR");

	if (tmp == NULL || *tmp != '/' || strlen(tmp) > 60)
		tmp = "/tmp";
	snprintf(h->dir, sizeof(h->dir), "%s/cf-leaks.XXXXXX", tmp);
	if (mkdtemp(h->dir) == NULL) {
		h->dir[0] = '\0';
		return false;
	}
	(void)chmod(h->dir, 0755);	/* the command may run as another user */
	snprintf(w->dir, sizeof(w->dir), "%s", h->dir);
	return true;
}

struct leak_host *
leak_host_new(struct leak_world *w)
{
	struct leak_host *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	for (int i = 0; i < HOST_FDS; i++)
		h->fd[i] = -1;
	for (int i = 0; i < TALKERS; i++)
		h->talker[i] = -1;
	h->lent = h->master = h->slave = -1;
	if (!world_begin(w) || !dir_make(h, w) || !ports_open(h, &w->port)) {
		log_warn("cannot make what the probe is to reach");
		leak_host_free(h);
		return NULL;
	}
	own_find(w);
	groups_join(h, w);
	h->fd[EARLY] = path_listen(h, "early");
	h->fd[ABSTRACT] = abstract_listen(w);
	services_find(w);
	lend(h, w);
	keys_begin(w);
	if (openpty(&h->master, &h->slave, NULL, NULL, NULL) == 0) {
		(void)fcntl(h->master, F_SETFD, FD_CLOEXEC);
		(void)fcntl(h->slave, F_SETFD, FD_CLOEXEC);
	}
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	return h;
}

void
leak_host_free(struct leak_host *h)
{
	static const char *const names[] = { "early", "late" };
	char path[LEAK_PATH_LEN];

	for (size_t i = 0; h->dir[0] != '\0' && i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", h->dir, names[i]);
		(void)unlink(path);
	}
	if (h->dir[0] != '\0')
		(void)rmdir(h->dir);
	free(h);
}

int
leak_host_terminal(const struct leak_host *h)
{
	return h->slave;
}

void
leak_host_late(struct leak_host *h, bool there)
{
	char path[LEAK_PATH_LEN];

	if (there && h->fd[LATE] == -1)
		h->fd[LATE] = path_listen(h, "late");
	if (there || h->fd[LATE] == -1)
		return;
	snprintf(path, sizeof(path), "%s/late", h->dir);
	(void)unlink(path);
	close(h->fd[LATE]);
	h->fd[LATE] = -1;
}

/* ---- what arrives ---- */

size_t
leak_host_fds(const struct leak_host *h, int out[8])
{
	size_t n = 0;

	for (int i = TCP4; i <= UDP6; i++)
		if (h->fd[i] != -1)
			out[n++] = h->fd[i];
	if (h->master != -1)
		out[n++] = h->master;
	return n;
}

static void
arrived(struct leak_report *r, const char *nonce, const char *buf, ssize_t len)
{
	int n = len > 0 ? leak_token_read(nonce, buf, (size_t)len) : -1;

	if (n == LEAK_TOKEN_FD)
		r->fd_arrived = true;
	else if (n >= 0 && n < LEAK_TARGETS)
		r->arrived[n] = true;
}

static void
talkers_add(struct leak_host *h, int listener)
{
	int fd;

	while (listener != -1 && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) != -1) {
		int i = 0;

		while (i < TALKERS && h->talker[i] != -1)
			i++;
		if (i < TALKERS)
			h->talker[i] = fd;
		else
			close(fd);
	}
}

/* One that is lent out says its token only when the probe has it, so it stays. */
static void
talkers_hear(struct leak_host *h, const char *nonce, struct leak_report *r)
{
	char buf[LEAK_TOKEN_MAX];

	for (int i = 0; i < TALKERS; i++) {
		ssize_t n = h->talker[i] != -1 ? recv(h->talker[i], buf, sizeof(buf), 0) : -1;

		if (h->talker[i] == -1 || (n == -1 && errno == EAGAIN))
			continue;
		arrived(r, nonce, buf, n);
		if (n <= 0) {
			close(h->talker[i]);
			h->talker[i] = -1;
		}
	}
}

void
leak_host_turn(struct leak_host *h, const char *nonce, struct leak_report *r)
{
	char buf[LEAK_TOKEN_MAX];
	ssize_t n;

	for (int i = UDP4; i <= UDP6; i++)
		while (h->fd[i] != -1 && (n = recv(h->fd[i], buf, sizeof(buf), 0)) >= 0)
			arrived(r, nonce, buf, n);
	talkers_add(h, h->fd[TCP4]);
	talkers_add(h, h->fd[TCP6]);
	talkers_hear(h, nonce, r);
	if (h->master != -1 && fcntl(h->master, F_SETFL, O_NONBLOCK) == 0)
		while (read(h->master, buf, sizeof(buf)) > 0)
			;			/* what is typed and echoed is not looked at */
}

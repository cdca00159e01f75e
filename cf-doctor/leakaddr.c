/*
 * leakaddr.c - the probe's ways by addresses, all at once; see leaks.h.
 *
 * A connection that is made gets the token of its target, a datagram is one.  Whether a token
 * arrives is for cf-doctor to say, outside; here only connections to strangers and echo
 * replies count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "leaks.h"

#define LIMIT		3000	/* ms for all */

unsigned
leak_interface(void)
{
	struct ifaddrs *all, *i;
	unsigned found = 0;

	if (getifaddrs(&all) != 0)
		return 0;
	for (i = all; i != NULL && found == 0; i = i->ifa_next)
		if (i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET6 &&
		    (i->ifa_flags & IFF_UP) != 0 && (i->ifa_flags & IFF_LOOPBACK) == 0)
			found = if_nametoindex(i->ifa_name);
	freeifaddrs(all);
	return found;
}

static socklen_t
destination(const struct addr *a, struct sockaddr_storage *ss)
{
	socklen_t len = addr_to_sockaddr(a, ss);

	if (a->family == 6 && ((a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) || a->ip[0] == 0xff))
		((struct sockaddr_in6 *)ss)->sin6_scope_id = leak_interface();
	return len;
}

/* RFC 792, RFC 4443 4.1: type, code, checksum (the kernel's), identifier, sequence. */
static bool
echo_send(int fd, const struct addr *a)
{
	uint8_t echo[8] = { a->family == 4 ? 8 : 128, 0, 0, 0, 0, 0, 0, 1 };

	return send(fd, echo, sizeof(echo), 0) == sizeof(echo);
}

/* -1: errno says why. */
static int
start(const struct leak_world *w, const struct leak_target *t, size_t n)
{
	bool v4 = t->addr.family == 4;
	int type = (t->proto == LEAK_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int proto = t->proto != LEAK_PING ? 0 : v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, one = 1, saved;
	int fd = socket(v4 ? AF_INET : AF_INET6, type, proto);
	struct sockaddr_storage ss;
	socklen_t len = destination(&t->addr, &ss);
	char token[LEAK_TOKEN_MAX];
	size_t token_len = leak_token(w, n, token);
	bool ok;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	ok = connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EINPROGRESS;
	if (ok && t->proto == LEAK_UDP)
		ok = send(fd, token, token_len, 0) == (ssize_t)token_len;
	if (ok && t->proto == LEAK_PING)
		ok = echo_send(fd, &t->addr);
	if (ok)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static enum leak_result
refused(char *detail, int err)
{
	snprintf(detail, LEAK_DETAIL, "%s", strerror(err));
	return LEAK_REFUSED;
}

/* Its descriptor has something to say. */
static enum leak_result
finish(const struct leak_world *w, const struct leak_target *t, size_t n, int fd, char *detail)
{
	char token[LEAK_TOKEN_MAX], reply[256];
	size_t len = leak_token(w, n, token);
	socklen_t errlen = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &errlen) != 0 || err != 0)
		return refused(detail, err != 0 ? err : errno);
	if (t->proto == LEAK_TCP && t->ours && send(fd, token, len, MSG_NOSIGNAL) != (ssize_t)len)
		return refused(detail, errno);
	if (t->proto != LEAK_TCP && recv(fd, reply, sizeof(reply), 0) < 0)
		return refused(detail, errno);
	snprintf(detail, LEAK_DETAIL, t->proto == LEAK_TCP ? "connected" : "answered");
	return LEAK_WORKED;
}

static int
ms_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)(now.tv_sec % 1000000 * 1000 + now.tv_nsec / 1000000);
}

void
leak_addresses(const struct leak_world *w, const struct leak_target *t, size_t n,
    enum leak_result *result, char (*detail)[LEAK_DETAIL])
{
	struct pollfd p[LEAK_TARGETS];
	int end = ms_now() + LIMIT, left;
	size_t waiting = 0;

	for (size_t i = 0; i < n; i++) {
		p[i] = (struct pollfd){ .fd = start(w, &t[i], i),
		    .events = t[i].proto == LEAK_TCP ? POLLOUT : POLLIN };
		result[i] = p[i].fd == -1 ? refused(detail[i], errno) : refused(detail[i], ETIMEDOUT);
		/* Nobody answers a datagram: that it left is all that is seen here. */
		if (p[i].fd != -1 && t[i].proto == LEAK_UDP)
			snprintf(detail[i], LEAK_DETAIL, "sent");
		waiting += p[i].fd != -1 && t[i].proto != LEAK_UDP;
	}
	while (waiting > 0 && (left = end - ms_now()) > 0 && poll(p, n, left) > 0)
		for (size_t i = 0; i < n; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			result[i] = finish(w, &t[i], i, p[i].fd, detail[i]);
			waiting -= t[i].proto != LEAK_UDP;
			close(p[i].fd);
			p[i].fd = -1;
		}
	for (size_t i = 0; i < n; i++)
		if (p[i].fd != -1)
			close(p[i].fd);
}

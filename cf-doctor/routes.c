/*
 * routes.c - what the host reaches: the world, its resolvers, an upstream proxy.
 *
 * The only checks that send something: one query to each resolver, and one connection to a proxy
 * that was named.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "doctor.h"
#include "rd.h"

#define DNS_LIMIT	2000	/* ms for all resolvers together */
#define PROXY_LIMIT	3000

/* ---- routes ---- */

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
void
check_ipv4(struct finding *f)
{
	check_route(f, "198.41.0.4", "connect the host, or reach only what its own networks have");
}

void
check_ipv6(struct finding *f)
{
	check_route(f, "2001:503:ba3e::2:30",
	    "connect the host by IPv6; until then names get no IPv6 addresses");
}

void
check_resolvers(struct finding *f)
{
	char text[DOCTOR_FILE_MAX], first[ADDR_STRLEN];
	struct addr servers[RESOLVERS_MAX];
	ssize_t len = doctor_read(RESOLV_CONF, text);
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


/* ---- do the resolvers answer? ---- */

#define QUERY_ID	0xcfd0
#define QUERY_MAX	64

/* The name servers of the root (RFC 1035 4.1): every resolver knows them or can find them. */
static size_t
query_make(uint8_t buf[QUERY_MAX])
{
	struct wr w = wr_over(buf, QUERY_MAX);

	wr_be16(&w, QUERY_ID);
	wr_be16(&w, 0x0100);		/* recursion is desired */
	wr_be16(&w, 1);
	wr_be16(&w, 0);
	wr_be32(&w, 0);
	wr_u8(&w, 0);			/* the root */
	wr_be16(&w, 2);			/* NS */
	wr_be16(&w, 1);
	return (size_t)(w.p - buf);
}

static int
query_send(const struct addr *server)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(server, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint8_t buf[QUERY_MAX];
	size_t n = query_make(buf);

	if (fd != -1 && (connect(fd, (struct sockaddr *)&ss, len) != 0 ||
	    send(fd, buf, n, MSG_NOSIGNAL) != (ssize_t)n)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A response to our query (RFC 1035 4.1.1). */
static bool
is_answer(int fd)
{
	uint8_t buf[1500];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	struct rd r = rd_over(buf, n > 0 ? (size_t)n : 0);
	bool id = rd_be16(&r) == QUERY_ID;

	return id && (rd_be16(&r) & 0x8000) != 0 && !r.bad;
}

static int
ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)((now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
}

/* How many of the servers answer, all asked at once. */
static size_t
answers_count(const struct addr *servers, size_t n, bool *answered)
{
	struct pollfd p[RESOLVERS_MAX];
	size_t left = 0, done = 0;
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < n; i++) {
		p[i] = (struct pollfd){ .fd = query_send(&servers[i]), .events = POLLIN };
		left += p[i].fd != -1;
		answered[i] = false;
	}
	while (left > 0 && ms_since(&start) < DNS_LIMIT &&
	    poll(p, n, DNS_LIMIT - ms_since(&start)) > 0)
		for (size_t i = 0; i < n; i++) {
			if (p[i].fd == -1 || p[i].revents == 0)
				continue;
			answered[i] = is_answer(p[i].fd);
			done += answered[i];
			left--;
			close(p[i].fd);
			p[i].fd = -1;
		}
	for (size_t i = 0; i < n; i++)
		if (p[i].fd != -1)
			close(p[i].fd);
	return done;
}

void
check_dns(struct finding *f)
{
	char text[DOCTOR_FILE_MAX], silent[ADDR_STRLEN] = "";
	struct addr servers[RESOLVERS_MAX];
	bool answered[RESOLVERS_MAX];
	ssize_t len = doctor_read(RESOLV_CONF, text);
	size_t n = len > 0 ? resolv_parse(text, (size_t)len, servers) : 0, done;

	if (n == 0) {
		bad(f, "cf-spawn -d ADDRESS, or a nameserver line in " RESOLV_CONF,
		    "there is no resolver to ask");
		return;
	}
	done = answers_count(servers, n, answered);
	for (size_t i = n; i > 0; i--)
		if (!answered[i - 1])
			addr_ip_str(&servers[i - 1], silent);
	if (done == 0)
		bad(f, "look at the network and " RESOLV_CONF ", or name another: cf-spawn -d ADDRESS",
		    "no resolver has answered within %d s (%s)", DNS_LIMIT / 1000, silent);
	else if (done < n)
		bad(f, "take it out of " RESOLV_CONF ": each name may wait for it",
		    "%zu of %zu resolvers answer; %s does not", done, n, silent);
	else
		good(f, "%zu of %zu resolvers answer", done, n);
}

/* ---- is the proxy there? ---- */

static const struct hop	*proxy_now;

/* RFC 1928 3: a SOCKS5 server chooses a method at once; others wait for a request. */
static bool
proxy_greets(int fd)
{
	static const uint8_t hello[] = { 5, 3, 0, 1, 2 };
	uint8_t answer[2];

	if (proxy_now->scheme != HOP_SOCKS5)
		return true;
	errno = EPROTO;
	return send(fd, hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello) &&
	    recv(fd, answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) && answer[0] == 5 &&
	    (answer[1] <= 2 || answer[1] == 0xff);	/* not an echo */
}

static bool
proxy_connect(const struct sockaddr *sa, socklen_t len)
{
	const struct timeval limit = { PROXY_LIMIT / 1000, 0 };
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;
	bool ok = fd != -1 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(fd, sa, len) == 0 && proxy_greets(fd);

	saved = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return ok;
}

/* In a child: a look-up of a name may take its time. */
static void
probe_proxy(struct probe *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *all;
	struct sockaddr_storage ss;
	char port[8];
	int rc;

	p->err = ETIMEDOUT;
	if (proxy_now->name[0] == '\0') {
		socklen_t len = addr_to_sockaddr(&proxy_now->addr, &ss);

		p->err = proxy_connect((struct sockaddr *)&ss, len) ? 0 : errno;
		return;
	}
	snprintf(port, sizeof(port), "%u", proxy_now->addr.port);
	if ((rc = getaddrinfo(proxy_now->name, port, &hints, &all)) != 0) {
		snprintf(p->why, sizeof(p->why), "%s", gai_strerror(rc));
		return;
	}
	for (const struct addrinfo *a = all; a != NULL && p->err != 0; a = a->ai_next)
		p->err = proxy_connect(a->ai_addr, a->ai_addrlen) ? 0 : errno;
}

void
check_proxy(struct finding *f)
{
	char shown[HOP_STRLEN];
	struct probe p;
	enum probe_end end;

	if (doctor_proxies.n == 0) {
		good(f, "none was named (-p URL)");
		return;
	}
	/* The next ones of a chain are reached by the first, which only a run can tell. */
	proxy_now = &doctor_proxies.hop[0];
	hop_str(proxy_now, shown);
	end = probe_run(probe_proxy, &p);
	if (end == PROBE_DONE && p.err == 0)
		good(f, "%s takes connections", shown);
	else
		bad(f, "is it running, and is its address right?  curl -v -x URL https://example.com/ "
		    "says more", "%s: %s", shown, p.why[0] != '\0' ? p.why :
		    end == PROBE_DONE ? strerror(p.err) : "no answer");
}

/*
 * serve.c - cf-dns on its own: from one process with the caller's rights to three without.
 *
 *   read resolv.conf, bind sockets, find cf-proxy ─> give up root ─┬─ fork ─> dialler (cf-proxy)
 *                                                                  ├─ fork ─> resolver: returns
 *                                                                  └───────> listener (listen.c)
 *
 * The dialler may connect, but only to the resolvers that its command line names, and sees
 * fixed-size requests alone.  The resolver reads what clients and resolvers say, and has neither
 * sockets of its own making nor a network.  The listener has the sockets that clients
 * come to, and reads nothing of what comes but its length.
 *
 * Who listens where strangers are is asked to say whom it serves: a resolver that answers
 * everybody is a weapon (RFC 5358), and nobody should own one by accident.
 *
 * What must stay true: what needs rights or files happens before the first fork; the three
 * end together, as each lives on the channel to the next, or by the kernel's hand.
 *
 * Deliberately not done: following resolv.conf while it runs, going to the background
 * (service managers want it in front).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alone.h"
#include "chan.h"
#include "listen.h"
#include "log.h"

#define BACKLOG		128
#define ARGS_MAX	64

/* ---- what the command line says, held against itself ---- */

static bool
is_wildcard(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, addr_iplen(a)) == 0;
}

_Noreturn static void
misuse(const struct addr *a, const char *why)
{
	char text[ADDR_STRLEN];

	log_fatal_status(2);
	fatalx("--listen %s: %s", addr_str(a, text), why);
}

static void
listen_check(const struct serve *s)
{
	for (size_t i = 0; i < s->nlisten; i++) {
		const struct addr *a = &s->listen[i];

		if (is_wildcard(a))
			misuse(a, "that is every address of this host (name those you mean, one by "
			    "one)");
		if (!addr_is_loopback(a) && !s->any_clients)
			misuse(a, "others can reach it there; say who may ask (--client NETWORK)");
		for (size_t k = 0; k < i; k++)
			if (addr_equal(a, &s->listen[k]))
				misuse(a, "it is there twice");
	}
}

/* On loopback there are no strangers. */
static void
clients_complete(struct serve *s)
{
	char why[CLIENTS_WHY];

	if (!clients_add(&s->clients, "127.0.0.0/8", why) ||
	    !clients_add(&s->clients, "::1", why))
		fatalx("cannot start: %s", why);
}

static void
resolvers_check(struct serve *s)
{
	char text[ADDR_STRLEN];

	if (*s->nresolvers == 0)
		*s->nresolvers = alone_resolvers(s->resolvers, s->max_resolvers);
	for (size_t i = 0; i < *s->nresolvers; i++)
		for (size_t k = 0; k < s->nlisten; k++)
			if (addr_equal(&s->resolvers[i], &s->listen[k]))
				fatalx("the resolver %s is what --listen names, so it would ask "
				    "itself (say whom to ask: --resolver ADDR)",
				    addr_str(&s->resolvers[i], text));
}

/* ---- sockets ---- */

static void
option_set(int fd, int level, int name)
{
	const int one = 1;

	(void)setsockopt(fd, level, name, &one, sizeof(one));
}

static int
door_socket(const struct addr *a, bool tcp)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	char text[ADDR_STRLEN];
	int fd;

	fd = socket(a->family == 4 ? AF_INET : AF_INET6,
	    (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 && tcp) {
		option_set(fd, SOL_SOCKET, SO_REUSEADDR);
		/* Connections inherit it: an answer must not wait for the one before. */
		option_set(fd, IPPROTO_TCP, TCP_NODELAY);
	}
	if (fd != -1 && a->family == 6)
		option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (fd == -1 || bind(fd, (struct sockaddr *)&ss, len) != 0 ||
	    (tcp && listen(fd, BACKLOG) != 0))
		fatal("cannot listen on %s (%s)%s", addr_str(a, text), tcp ? "tcp" : "udp",
		    errno == EACCES ? ": a port below 1024 needs root, or CAP_NET_BIND_SERVICE" :
		    errno == EADDRINUSE ? ": another program does (see: ss -lnp)" : "");
	return fd;
}

static void
doors_bind(struct listener *l, const struct serve *s)
{
	for (size_t i = 0; i < s->nlisten; i++)
		for (int tcp = 0; tcp < 2; tcp++)
			l->doors[l->ndoors++] = (struct door){ .addr = s->listen[i],
			    .tcp = tcp == 1, .fd = door_socket(&s->listen[i], tcp == 1) };
}

/* ---- processes ---- */

static int
program_find(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cf-proxy", paths_libexec);
	if ((fd = open(path, O_PATH | O_CLOEXEC)) == -1)
		fatal("cannot find the helper %s (install childflow again)", path);
	return fd;
}

/* The channel of a helper is its standard input and output. */
static void
channel_give(int fd)
{
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		fatal("cannot give a channel to a helper");
}

static pid_t
fork_or_die(void)
{
	pid_t pid = fork();

	if (pid == -1)
		fatal("cannot start a process");
	return pid;
}

/* Its first channel, for a policy stage, has ended when it starts: there is none. */
static _Noreturn void
dialler_become(const struct serve *s, int program, int dns_fd, bool pinned)
{
	static char *no_environment[] = { NULL };
	static char text[16][ADDR_STRLEN];
	char number[16], *argv[ARGS_MAX] = { "cf-proxy", "--dns-fd", number };
	size_t n = 3;
	int policy[2];

	snprintf(number, sizeof(number), "%d", dns_fd);
	for (size_t i = 0; i < *s->nresolvers && i < 16; i++) {
		argv[n++] = "--resolver";
		addr_str(&s->resolvers[i], text[i]);
		argv[n++] = text[i];
	}
	if (pinned)
		argv[n++] = "--resolvers-only";
	for (int v = 0; v < log_verbose() && v < 2; v++)
		argv[n++] = "-v";
	chan_pair(policy);
	channel_give(policy[0]);
	if (fcntl(dns_fd, F_SETFD, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("cannot start the dialler");
	close(policy[1]);
	syscall(SYS_execveat, program, "", argv, no_environment, AT_EMPTY_PATH);
	fatal("cannot execute %s/cf-proxy", paths_libexec);
}

static _Noreturn void
listener_become(struct listener *l, int dns_fd)
{
	int keep[2 * LISTEN_MAX + 2], rfd, wfd;
	size_t n = 0;

	for (size_t i = 0; i < l->ndoors; i++)
		keep[n++] = l->doors[i].fd;
	keep[n++] = l->signal_fd;
	keep[n] = -1;
	channel_give(dns_fd);
	sandbox_prepare(&rfd, &wfd, keep);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);	/* who started us may leave us running */
	listen_open(l, rfd, wfd);
	sandbox_enter(&listen_role);
	exit(listen_run(l));
}

int
serve_start(struct serve *s)
{
	static struct listener l;
	int names[2], dial[2], program;

	listen_check(s);
	clients_complete(s);
	resolvers_check(s);
	alone_standard_fds();
	program = program_find();
	doors_bind(&l, s);
	alone_user_become(s->user);
	alone_powers_drop();
	l.clients = &s->clients;
	l.signal_fd = alone_signals_take(true);
	chan_pair(names);
	chan_pair(dial);
	if (fork_or_die() == 0)
		dialler_become(s, program, dial[1], true);
	l.children = 2;
	if (fork_or_die() != 0)
		listener_become(&l, names[0]);
	channel_give(names[1]);
	return dial[0];
}

int
serve_pipe(struct serve *s, bool pinned)
{
	int dial[2], program;

	resolvers_check(s);
	program = program_find();
	alone_powers_drop();
	chan_pair(dial);
	if (fork_or_die() == 0)
		dialler_become(s, program, dial[1], pinned);
	close(program);
	close(dial[1]);
	return dial[0];
}

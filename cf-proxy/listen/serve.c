/*
 * serve.c - cf-proxy on its own: from one process with the caller's rights to five without.
 *
 *   read files, bind, compile rules ─> give up root ─┬─ dialler (cf-proxy), in the host's network
 *                                                    └─ leave it ─┬─ policy stage (cf-proxy)
 *                                                                 ├─ cf-dns
 *                                                                 ├─ cf-upstream, where there is a -p
 *                                                                 └─ listener (listen.c): we
 *
 * They are wired as cf-spawn wires them for a command tree, and every one is what it is there.  The
 * listener, which reads what clients send, can make no socket and connect none.
 *
 * It listens on loopback addresses only: it asks for no login, and who lets strangers use his network
 * should not do so by accident.
 *
 * What must stay true: what needs rights or files happens before the first fork; all end together,
 * as each lives on the channel to the next, or by the kernel's hand.
 *
 * Deliberately not done: following resolv.conf while it runs, names of the hosts file, going to the
 * background (service managers want it in front).
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
#include "hostroute.h"
#include "listen.h"
#include "log.h"

#define BACKLOG		256
#define ARGS_MAX	96
#define FDS_MAX		8

/* A program that is to be executed. */
struct start {
	char		*argv[ARGS_MAX];
	size_t		 argc;
	size_t		 nfds;
	int		 fds[FDS_MAX];	/* that it inherits, but for: */
	int		 channel;	/* its standard input and output */
	int		 program;
};

/* What they share. */
struct setup {
	const struct options *o;
	int		 rules_fd, proxies_fd;
	struct addr	 at[16];	/* of the first upstream proxy */
	size_t		 n_at;
	char		 upstream[HOP_STRLEN];
};

/* ---- doors ---- */

static int
door_socket(const struct addr *a)
{
	static const int one = 1;
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	char text[ADDR_STRLEN];
	int fd = socket(a->family == 4 ? AF_INET : AF_INET6,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd != -1) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		/* Connections inherit it: small writes of a tunnel must not wait. */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	if (fd == -1 || bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, BACKLOG) != 0)
		fatal("cannot listen on %s%s", addr_str(a, text), errno == EADDRINUSE ?
		    ": another program does (see: ss -lntp)" : "");
	return fd;
}

static void
doors_bind(struct listener *l, const struct options *o)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < o->nlisten; i++) {
		if (!addr_is_loopback(&o->listen[i])) {
			log_fatal_status(2);
			fatalx("--listen %s: not a loopback address; there is no login, so others are "
			    "not let in (write 127.0.0.1:3128)", addr_str(&o->listen[i], text));
		}
		l->doors[l->ndoors++] = (struct door){ .addr = o->listen[i],
		    .fd = door_socket(&o->listen[i]) };
	}
}

/* ---- programs ---- */

static void
arg(struct start *s, const char *text)
{
	if (s->argc == ARGS_MAX - 1)
		fatalx("too many arguments for %s", s->argv[0]);
	if ((s->argv[s->argc++] = strdup(text)) == NULL)
		fatal("cannot start");
}

static void
program(struct start *s, const char *name, const struct options *o, int channel)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", paths_libexec, name);
	s->channel = channel;
	if ((s->program = open(path, O_PATH | O_CLOEXEC)) == -1)
		fatal("cannot find the helper %s (install childflow again)", path);
	arg(s, name);
	for (int v = 0; v < o->verbose && v < 2; v++)
		arg(s, "-v");
}

static void
arg_number(struct start *s, const char *option, long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", n);
	arg(s, option);
	arg(s, text);
}

/* -1: it is not there. */
static void
arg_fd(struct start *s, const char *option, int fd)
{
	if (fd == -1)
		return;
	arg_number(s, option, fd);
	s->fds[s->nfds++] = fd;
}

static void
arg_addrs(struct start *s, const char *option, const struct addr *at, size_t n)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < n; i++) {
		arg(s, option);
		arg(s, addr_str(&at[i], text));
	}
}

static void
execute(const struct start *s)
{
	static char *no_environment[] = { NULL };
	pid_t pid = fork();

	if (pid == -1)
		fatal("cannot start a process");
	if (pid > 0)
		return;
	if (dup2(s->channel, STDIN_FILENO) == -1 || dup2(s->channel, STDOUT_FILENO) == -1)
		fatal("cannot give its channel to %s", s->argv[0]);
	for (size_t i = 0; i < s->nfds; i++)
		fcntl(s->fds[i], F_SETFD, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_execveat, s->program, "", s->argv, no_environment, AT_EMPTY_PATH);
	fatal("cannot execute %s/%s", paths_libexec, s->argv[0]);
}

static void
start_free(struct start *s)
{
	while (s->argc > 0)
		free(s->argv[--s->argc]);
	close(s->program);
}

static void
dialler_args(struct start *s, const struct setup *u, int upstream_fd)
{
	arg_fd(s, "--rules-fd", u->rules_fd);
	arg_addrs(s, "--resolver", u->o->resolvers, u->o->nresolvers);
	arg(s, "--resolvers-only");
	if (u->proxies_fd == -1)
		return;
	arg_fd(s, "--upstream-fd", upstream_fd);
	arg_addrs(s, "--upstream-at", u->at, u->n_at);
	arg(s, "--upstream-name");
	arg(s, u->upstream);
	arg_number(s, "--connect-timeout", u->o->connect_timeout);
}

static void
policy_args(struct start *s, const struct setup *u)
{
	arg(s, "--policy");
	arg(s, "--synthetic");
	arg_fd(s, "--rules-fd", u->rules_fd);
	arg_fd(s, "--log-fd", u->o->log_fd);
	if (u->proxies_fd != -1)
		arg(s, "--upstream");
	for (size_t i = 0; i < u->o->n_no_proxy; i++) {
		arg(s, "--no-proxy");
		arg(s, u->o->no_proxy[i]);
	}
}

static void
dns_args(struct start *s, const struct setup *u, bool no_aaaa)
{
	arg(s, "--synthetic");
	arg(s, "--pinned");
	arg(s, "--deny-answer");
	arg(s, "refused");
	arg_fd(s, "--rules-fd", u->rules_fd);
	arg_fd(s, "--log-fd", u->o->log_fd);
	arg_addrs(s, "--resolver", u->o->resolvers, u->o->nresolvers);
	if (u->proxies_fd != -1) {	/* the proxy finds names; ours are made up */
		arg(s, "--proxied");
		arg(s, "--unasked");
		arg(s, "--closed");
	} else if (no_aaaa) {
		arg(s, "--no-aaaa");
	}
}

static void
all_start(const struct setup *u, struct serve_fds *ours)
{
	static struct start s[4];
	bool no_aaaa = !hostroute_ipv6();
	int policy[2], dns[2], dial[2], dns_dial[2], names[2], upstream[2] = { -1, -1 };
	size_t n = 3;

	chan_pair(policy);
	chan_pair(dns);
	chan_pair(dial);
	chan_pair(dns_dial);
	chan_pair(names);
	program(&s[0], "cf-proxy", u->o, dial[1]);
	program(&s[1], "cf-proxy", u->o, policy[1]);
	program(&s[2], "cf-dns", u->o, dns[1]);
	if (u->proxies_fd != -1) {
		chan_pair(upstream);
		program(&s[n], hops_tls(&u->o->hops) ? "cf-upstream-tls" : "cf-upstream", u->o,
		    upstream[1]);
		arg_fd(&s[n++], "--proxies-fd", u->proxies_fd);
	}
	arg_fd(&s[0], "--dns-fd", dns_dial[1]);
	dialler_args(&s[0], u, upstream[0]);
	arg_fd(&s[1], "--dial-fd", dial[0]);
	arg_fd(&s[1], "--names-fd", names[1]);
	policy_args(&s[1], u);
	arg_fd(&s[2], "--dial-fd", dns_dial[0]);
	arg_fd(&s[2], "--names-fd", names[0]);
	dns_args(&s[2], u, no_aaaa);
	execute(&s[0]);
	for (size_t i = 1; i < n; i++)
		execute(&s[i]);
	for (size_t i = 0; i < n; i++)
		start_free(&s[i]);
	*ours = (struct serve_fds){ .policy = policy[0], .dns = dns[0] };
}

void
serve_start(struct listener *l, struct options *o, struct serve_fds *ours)
{
	static struct setup u;

	alone_standard_fds();
	doors_bind(l, o);
	u = (struct setup){ .o = o, .rules_fd = ruleopts_fd(&o->rules) };
	if (o->nresolvers == 0 && o->hops.n == 0)
		o->nresolvers = alone_resolvers(o->resolvers, RESOLVERS_MAX);
	if (o->hops.n > 0)
		hop_str(&o->hops.hop[0], u.upstream);
	u.proxies_fd = upstream_make(o, u.at, &u.n_at);
	alone_user_become(o->become);
	alone_powers_drop();
	all_start(&u, ours);
	l->signal_fd = alone_signals_take(false);
}

/*
 * main.c - cf-proxy --listen: a filtering, logging proxy of its own (cf-proxy(1)).
 *
 * A program apart from cf-proxy, which executes it: what it needs for its options, compiled rules and
 * the names in them, is not loaded into the stages of every run.
 *
 * Exit: 0 a signal ended it, 1 something failed, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli.h"
#include "inside.h"
#include "listen.h"
#include "log.h"

static const struct cli	cli;

CLI_SET(options, log_fd, cli_fd)
CLI_SET_HELPER(options, cli)

static bool
set_listen(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	if (o->nlisten == LISTEN_MAX)
		snprintf(why, CLI_WHY_LEN, "there can be %d", LISTEN_MAX);
	else if (!addr_parse(arg, 0, &o->listen[o->nlisten]) || o->listen[o->nlisten].port == 0)
		snprintf(why, CLI_WHY_LEN, "not an address and port (like 127.0.0.1:3128, or "
		    "[::1]:3128)");
	else
		o->nlisten++;
	return *why == '\0';
}

static bool
set_resolver(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	if (o->nresolvers == RESOLVERS_MAX)
		snprintf(why, CLI_WHY_LEN, "there can be %d", RESOLVERS_MAX);
	else if (!addr_parse(arg, INSIDE_DNS_PORT, &o->resolvers[o->nresolvers]))
		snprintf(why, CLI_WHY_LEN, "not an address (like 192.0.2.1, or [2001:db8::1]:53)");
	else
		o->nresolvers++;
	return *why == '\0';
}

static bool
set_proxy(void *conf, const char *arg, char *why)
{
	struct hops *h = &((struct options *)conf)->hops;
	const char *bad;

	if (h->n == HOPS_MAX)
		snprintf(why, CLI_WHY_LEN, "a chain has at most %d", HOPS_MAX);
	else if ((bad = hop_parse(arg, &h->hop[h->n])) != NULL)
		snprintf(why, CLI_WHY_LEN, "%s", bad);
	else
		h->n++;
	return *why == '\0';
}

/* It is for the proxy before it. */
static bool
of_proxy(struct options *o, const char **field, const char *arg, char *why)
{
	if (o->hops.n == 0)
		snprintf(why, CLI_WHY_LEN, "it belongs behind a --proxy");
	else
		field[o->hops.n - 1] = arg;
	return *why == '\0';
}

static bool
set_proxy_user(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	if (strchr(arg, ':') != NULL)	/* RFC 7617 2 */
		snprintf(why, CLI_WHY_LEN, "there is a colon in it");
	return *why == '\0' && of_proxy(o, o->user, arg, why);
}

static bool
set_password_file(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	return of_proxy(o, o->pass_file, arg, why);
}

static bool
set_proxy_ca(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct options *)conf)->ca_file = arg;
	return true;
}

static bool
set_insecure(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->hops.insecure = true;
	return true;
}

static bool
set_no_proxy(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	if (o->n_no_proxy == sizeof(o->no_proxy) / sizeof(o->no_proxy[0]))
		snprintf(why, CLI_WHY_LEN, "there are too many");
	else
		o->no_proxy[o->n_no_proxy++] = arg;
	return *why == '\0';
}

static bool
set_connect_timeout(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	if (!cli_number(arg, 1, 3600, &o->connect_timeout, why))
		return false;
	o->connect_timeout *= 1000;
	return true;
}

static bool
set_user(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct options *)conf)->become = arg;
	return true;
}

static const struct cli_option options[] = {
	{ 0,   "listen", "ADDR:PORT", set_listen, "be a proxy there, on loopback (again: one more)" },
	{ 0,   "resolver", "ADDR[:PORT]", set_resolver,
	  "ask this name server (again: one more; those of resolv.conf)" },
	RULEOPTS_ROWS,
	{ 'p', "proxy", "URL", set_proxy, "go by this proxy: http://, https://, socks5:// (again: a chain)" },
	{ 'U', "proxy-user", "NAME", set_proxy_user, "log in to the --proxy before it" },
	{ 0,   "proxy-password-file", "FILE", set_password_file, "its first line is the password" },
	{ 0,   "proxy-ca", "FILE", set_proxy_ca, "trust these certificates of an https:// proxy, only" },
	{ 0,   "proxy-insecure", NULL, set_insecure, "do not ask who signed its certificate" },
	{ 0,   "no-proxy", "LIST", set_no_proxy, "networks that are reached directly" },
	{ 0,   "connect-timeout", "SECONDS", set_connect_timeout,
	  "how long a connect to the proxy may take (10)" },
	{ 0,   "log-fd", "N", set_log_fd, "write events there, as JSON lines" },
	{ 0,   "user", "NAME", set_user, "as root: become this user (nobody)" },
	{ 'n', "print", NULL, set_print, "print what the sandbox allows the listener, and exit" },
	{ 'v', "verbose", NULL, set_verbose, "say each event on standard error" },
	{ 'h', "help", NULL, set_help, "print this" },
	{ 'V', "version", NULL, set_version, "print the version" },
	{ 0 }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "listen resolver allow deny block-private proxy log-fd verbose" },
	RULEOPTS_GROUP,
	{ "listen", "the proxy for this host, and one behind it", NULL },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-proxy", .usage = "--listen ADDR:PORT [options]", .options = options,
	.groups = groups,
	.about = "Be a proxy for this host: HTTP, CONNECT and SOCKS5, with rules, a log, and a\n"
	    "proxy behind it.",
};

/* What does not go together; NULL where all does. */
static const char *
misfit(const struct options *o)
{
	if (o->nlisten == 0)
		return "--listen is missing";
	if (o->hops.n == 0 && (o->ca_file != NULL || o->hops.insecure || o->n_no_proxy > 0))
		return "--proxy-ca, --proxy-insecure and --no-proxy are for a --proxy: there is none";
	if (o->hops.n > 0 && o->nresolvers > 0)
		return "--proxy and --resolver exclude each other: the proxy finds names";
	if (o->ca_file != NULL && o->hops.insecure)
		return "--proxy-ca and --proxy-insecure exclude each other";
	return NULL;
}

int
main(int argc, char *argv[])
{
	static struct options o = { .log_fd = -1, .connect_timeout = 10000,
	    .hops = { .timeout_ms = 30000 } };
	static struct listener l;
	static const struct sandbox_role *const roles[] = { &listen_role, NULL };
	struct serve_fds fds;
	const char *why = NULL;
	int keep[LISTEN_MAX + 4], rfd, wfd;
	size_t n = 0;

	sandbox_audit_asked(argc, argv, "cf-listen", roles, NULL);
	log_init(cli.name, 0);
	if (cli_parse(&cli, &o, argc, argv, 2) != argc || (why = misfit(&o)) != NULL) {
		log_fatal_status(2);
		fatalx("%s (try: cf-proxy --listen 127.0.0.1:3128 --help)",
		    why != NULL ? why : "there are no operands");
	}
	if (o.print) {
		sandbox_print(listen_sandbox);
		return 0;
	}
	log_init(cli.name, o.verbose);

	serve_start(&l, &o, &fds);
	for (size_t i = 0; i < l.ndoors; i++)
		keep[n++] = l.doors[i].fd;
	keep[n++] = l.signal_fd;
	keep[n++] = fds.policy;
	keep[n++] = fds.dns;
	keep[n] = -1;
	sandbox_prepare(&rfd, &wfd, keep);
	close(rfd);
	close(wfd);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);	/* who started us may leave us running */
	listen_open(&l, &fds);
	sandbox_enter(&listen_role);
	return listen_run(&l);
}

/*
 * main.c - cf-proxy: options, and the life of the stage that they choose.
 *
 * The default is the dialler, so that `ssh host cf-proxy` gives a command tree the
 * network of another machine; --policy is the stage in front of it (proxy.h).
 *
 * Exit: 0 the peers are gone, 1 something failed, 2 bad command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "inside.h"
#include "log.h"
#include "proxy.h"

#define FDS_MAX		10	/* descriptors that options name, and the -1 behind them */

static const struct cli	cli;

/* As cli_fd(), but of any number, and open: a wrong one is told of before the seal. */
static bool
inherited_fd(const char *arg, int *out, char *why)
{
	long fd;

	if (!cli_number(arg, 3, INT_MAX, &fd, why))
		return false;
	if (fcntl((int)fd, F_GETFD) == -1) {
		snprintf(why, CLI_WHY_LEN, "this descriptor is not open");
		return false;
	}
	*out = (int)fd;
	return true;
}

CLI_SET(proxy_conf, dial_fd, inherited_fd)
CLI_SET(proxy_conf, log_fd, inherited_fd)
CLI_SET(proxy_conf, names_fd, inherited_fd)
CLI_SET(proxy_conf, hosts_fd, inherited_fd)
CLI_SET(proxy_conf, violations_fd, inherited_fd)
CLI_SET(proxy_conf, rules_fd, inherited_fd)
CLI_SET(proxy_conf, info_fd, inherited_fd)
CLI_SET(proxy_conf, control_fd, inherited_fd)
CLI_SET(proxy_conf, dns_fd, inherited_fd)
CLI_SET(proxy_conf, policy, cli_true)
CLI_SET(proxy_conf, synthetic, cli_true)
CLI_SET(proxy_conf, resolvers_only, cli_true)
CLI_SET_HELPER(proxy_conf, cli)

static bool
set_block_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct proxy_conf *)conf)->encdns = ENCDNS_BLOCK;
	return true;
}

static bool
set_allow_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct proxy_conf *)conf)->encdns = ENCDNS_ALLOW;
	return true;
}

static bool
set_resolver(void *arg_conf, const char *arg, char *why)
{
	struct proxy_conf *conf = arg_conf;

	if (conf->n_resolvers == RESOLVERS_MAX)
		snprintf(why, CLI_WHY_LEN, "there can be %d", RESOLVERS_MAX);
	else if (!addr_parse(arg, INSIDE_DNS_PORT, &conf->resolvers[conf->n_resolvers]))
		snprintf(why, CLI_WHY_LEN, "not an address (like 192.0.2.1, or [2001:db8::1]:53)");
	else
		conf->n_resolvers++;
	return *why == '\0';
}

static const struct cli_option options[] = {
	{ 0,   "policy", NULL, set_policy, "be the policy stage (the default is the dialler)" },
	{ 0,   "dial-fd", "N", set_dial_fd, "policy stage: the channel to the dialler" },
	{ 0,   "log-fd", "N", set_log_fd, "policy stage: write events there, as JSON lines" },
	{ 0,   "names-fd", "N", set_names_fd, "policy stage: a channel to cf-dns, about names" },
	{ 0,   "hosts-fd", "N", set_hosts_fd, "policy stage: a hosts file, whose names count for ever" },
	{ 0,   "synthetic", NULL, set_synthetic,
	  "policy stage: addresses of the synthetic ranges stand for names" },
	{ 0,   "violations-fd", "N", set_violations_fd,
	  "policy stage: an eventfd that counts what was refused" },
	{ 0,   "info-fd", "N", set_info_fd, "a channel to cf-capture, about flows" },
	{ 0,   "rules-fd", "N", set_rules_fd, "the rules: a sealed memfd that cf-spawn made" },
	{ 0,   "block-encrypted-dns", NULL, set_block_encdns,
	  "refuse encrypted DNS (with rules about names: always)" },
	{ 0,   "allow-encrypted-dns", NULL, set_allow_encdns,
	  "let encrypted DNS pass, whatever the rules are about" },
	{ 0,   "control-fd", "N", set_control_fd, "dialler: a channel to cf-spawn" },
	{ 0,   "dns-fd", "N", set_dns_fd, "dialler: a channel to cf-dns" },
	{ 0,   "resolver", "ADDR[:PORT]", set_resolver, "dialler: a name server of this run" },
	{ 0,   "resolvers-only", NULL, set_resolvers_only, "dialler: cf-dns may reach only these" },
	{ 'n', "print", NULL, set_print, "print what the sandbox allows this stage, and exit" },
	{ 'v', "verbose", NULL, set_verbose, "say each event on standard error" },
	{ 'h', "help", NULL, set_help, "print this" },
	{ 'V', "version", NULL, set_version, "print the version" },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-proxy", .usage = "[options]", .options = options,
	.about = "Judge and open the connections of a sandboxed command tree.  The channel to the\n"
	    "client is standard input and output.",
};

/* Options that the chosen stage does not have, or that it needs. */
static const char *
misfit(const struct proxy_conf *conf)
{
	if (conf->policy && (conf->dns_fd != -1 || conf->n_resolvers > 0 || conf->resolvers_only ||
	    conf->control_fd != -1))
		return "--control-fd, --dns-fd, --resolver and --resolvers-only are for the dialler";
	if (!conf->policy && (conf->dial_fd != -1 || conf->log_fd != -1 ||
	    conf->violations_fd != -1 || conf->names_fd != -1 || conf->hosts_fd != -1 ||
	    conf->synthetic))
		return "--dial-fd, --log-fd, --violations-fd, --names-fd, --hosts-fd and --synthetic "
		    "are for --policy";
	if (conf->synthetic && conf->names_fd == -1 && !conf->print)
		return "--synthetic needs --names-fd";
	if (conf->policy && conf->dial_fd == -1 && !conf->print)
		return "--policy needs --dial-fd";
	return NULL;
}

/* The descriptors that options name, without those that are not there. */
static void
fds_keep(const struct proxy_conf *conf, int keep[FDS_MAX])
{
	const int fds[FDS_MAX - 1] = { conf->dial_fd, conf->dns_fd, conf->log_fd, conf->rules_fd,
	    conf->violations_fd, conf->names_fd, conf->hosts_fd, conf->control_fd,
	    conf->info_fd };
	size_t n = 0;

	for (size_t i = 0; i < FDS_MAX - 1; i++)
		if (fds[i] != -1)
			keep[n++] = fds[i];
	keep[n] = -1;
}

int
main(int argc, char *argv[])
{
	static struct proxy_conf conf = { .dial_fd = -1, .log_fd = -1, .dns_fd = -1,
	    .control_fd = -1, .rules_fd = -1, .violations_fd = -1, .names_fd = -1,
	    .hosts_fd = -1, .info_fd = -1 };
	const struct stage *stage;
	const char *why = NULL;
	int keep[FDS_MAX], rfd, wfd, operands;
	void *state;

	log_init(cli.name, 0);
	operands = cli_parse(&cli, &conf, argc, argv, 2);
	if (operands != argc || (why = misfit(&conf)) != NULL) {
		log_fatal_status(2);
		fatalx("%s (try: cf-proxy --help)", why != NULL ? why : "there are no operands");
	}
	stage = conf.policy ? &broker_stage : &dial_stage;
	if (conf.print) {
		sandbox_print(stage->sandbox);
		return 0;
	}
	log_init(role_name(stage->role), conf.verbose);

	fds_keep(&conf, keep);
	sandbox_prepare(&rfd, &wfd, keep);
	state = stage->open(&conf, rfd, wfd);
	sandbox_seal(stage->sandbox);
	stage->hello(state);
	return stage->run(state);
}

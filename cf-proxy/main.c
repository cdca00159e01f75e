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
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "inside.h"
#include "log.h"
#include "proxy.h"

#define FDS_MAX		17	/* descriptors that options name, and the -1 behind them */

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
CLI_SET(proxy_conf, who_fd, inherited_fd)
CLI_SET(proxy_conf, color, cli_true)
CLI_SET(proxy_conf, names_fd, inherited_fd)
CLI_SET(proxy_conf, hosts_fd, inherited_fd)
CLI_SET(proxy_conf, violations_fd, inherited_fd)
CLI_SET(proxy_conf, rules_fd, inherited_fd)
CLI_SET(proxy_conf, quotas_fd, inherited_fd)
CLI_SET(proxy_conf, totals_fd, inherited_fd)
CLI_SET(proxy_conf, info_fd, inherited_fd)
CLI_SET(proxy_conf, control_fd, inherited_fd)
CLI_SET(proxy_conf, dns_fd, inherited_fd)
CLI_SET(proxy_conf, keep_flows, cli_true)
CLI_SET(proxy_conf, upstream_fd, inherited_fd)
CLI_SET(proxy_conf, upstream, cli_true)
CLI_SET(proxy_conf, upstream_udp, cli_true)
CLI_SET(proxy_conf, udp_direct, cli_true)
CLI_SET(proxy_conf, icmp_direct, cli_true)
CLI_SET(proxy_conf, dns_direct, cli_true)
CLI_SET(proxy_conf, policy, cli_true)
CLI_SET(proxy_conf, synthetic, cli_true)
CLI_SET(proxy_conf, resolvers_only, cli_true)
CLI_SET_HELPER(proxy_conf, cli)

static bool
log_fd_put(struct proxy_conf *conf, const char *arg, bool reader, char *why)
{
	for (size_t i = 0; i < EVENT_FDS; i++)
		if (conf->log_fd[i] == -1) {
			conf->log_reader[i] = reader;
			return inherited_fd(arg, &conf->log_fd[i], why);
		}
	snprintf(why, CLI_WHY_LEN, "it can be given %d times", EVENT_FDS);
	return false;
}

static bool
set_log_fd(void *conf, const char *arg, char *why)
{
	return log_fd_put(conf, arg, false, why);
}

static bool
set_reader_fd(void *conf, const char *arg, char *why)
{
	return log_fd_put(conf, arg, true, why);
}

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
set_quic(void *conf, const char *arg, char *why)
{
	static const char *const names[] = { [QUIC_BLOCK] = "block", [QUIC_CHECK] = "check",
	    [QUIC_ALLOW] = "allow" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(arg, names[i]) == 0) {
			((struct proxy_conf *)conf)->quic = (enum quic_choice)i;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "write block, check or allow");
	return false;
}

static bool
set_host_port(void *conf, const char *arg, char *why)
{
	return hostports_add(&((struct proxy_conf *)conf)->host, arg, why, CLI_WHY_LEN);
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

/* Whole words are taken in listen_if_asked(). */
static bool
set_listen(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg;
	snprintf(why, CLI_WHY_LEN, "write --listen");
	return false;
}

static bool
set_upstream_at(void *arg_conf, const char *arg, char *why)
{
	struct proxy_conf *conf = arg_conf;

	if (conf->n_upstream_at == UPSTREAM_ADDRS_MAX)
		snprintf(why, CLI_WHY_LEN, "there can be %d", UPSTREAM_ADDRS_MAX);
	else if (!addr_parse(arg, 0, &conf->upstream_at[conf->n_upstream_at]) ||
	    conf->upstream_at[conf->n_upstream_at].port == 0)
		snprintf(why, CLI_WHY_LEN, "not an address and port (like 192.0.2.1:3128)");
	else
		conf->n_upstream_at++;
	return *why == '\0';
}

static bool
set_upstream_name(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct proxy_conf *)conf)->upstream_name = arg;
	return true;
}

static bool
set_connect_timeout(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 1, 3600 * 1000, &((struct proxy_conf *)conf)->connect_timeout, why);
}

static bool
set_proxy_names(void *conf, const char *arg, char *why)
{
	static const char *const modes[] = { [WAY_NAMES_AUTO] = "auto",
	    [WAY_NAMES_ALWAYS] = "always", [WAY_NAMES_NEVER] = "never" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(arg, modes[i]) == 0) {
			((struct proxy_conf *)conf)->proxy_names = (enum way_names)i;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "it is one of auto, always and never");
	return false;
}

static bool
set_no_proxy(void *arg_conf, const char *arg, char *why)
{
	struct proxy_conf *conf = arg_conf;

	if (conf->n_no_proxy == NO_PROXY_MAX)
		snprintf(why, CLI_WHY_LEN, "there can be %d", NO_PROXY_MAX);
	else
		conf->no_proxy[conf->n_no_proxy++] = arg;
	return *why == '\0';
}

static const struct cli_option options[] = {
	{ 0,   "policy", NULL, set_policy, "be the policy stage (the default is the dialler)" },
	{ 0,   "dial-fd", "N", set_dial_fd, "policy stage: the channel to the dialler" },
	{ 0,   "log-fd", "N", set_log_fd, "policy stage: write events there, as JSON lines (may be given three times)" },
	{ 0,   "reader-fd", "N", set_reader_fd, "policy stage: the same, for a helper that reads them" },
	{ 0,   "who-fd", "N", set_who_fd, "policy stage: a channel to who knows the tree's processes" },
	{ 0,   "names-fd", "N", set_names_fd, "policy stage: a channel to cf-dns, about names" },
	{ 0,   "hosts-fd", "N", set_hosts_fd, "policy stage: a hosts file, whose names count for ever" },
	{ 0,   "synthetic", NULL, set_synthetic,
	  "policy stage: addresses of the synthetic ranges stand for names" },
	{ 0,   "violations-fd", "N", set_violations_fd,
	  "policy stage: an eventfd that counts what was refused" },
	{ 0,   "info-fd", "N", set_info_fd, "a channel to cf-capture, about flows" },
	{ 0,   "rules-fd", "N", set_rules_fd, "the rules: a sealed memfd that cf-spawn made" },
	{ 0,   "quotas-fd", "N", set_quotas_fd,
	  "policy stage: memory of cf-spawn, to count in what quotas limit" },
	{ 0,   "totals-fd", "N", set_totals_fd,
	  "policy stage: memory of cf-spawn, to count flows and their bytes in" },
	{ 0,   "block-encrypted-dns", NULL, set_block_encdns,
	  "refuse encrypted DNS (with rules about names: always)" },
	{ 0,   "allow-encrypted-dns", NULL, set_allow_encdns,
	  "let encrypted DNS pass, whatever the rules are about" },
	{ 0,   "quic", "block|check|allow", set_quic,
	  "policy stage: what becomes of QUIC where a rule is about names (block)" },
	{ 0,   "host-port", "PORTS", set_host_port,
	  "ports of this host's loopback that may be reached" },
	{ 0,   "control-fd", "N", set_control_fd,
	  "a channel to cf-spawn: new rules, and for the dialler new resolvers" },
	{ 0,   "keep-flows", NULL, set_keep_flows,
	  "policy stage: keep a hand on each flow, to end those that new rules forbid" },
	{ 0,   "dns-fd", "N", set_dns_fd, "dialler: a channel to cf-dns" },
	{ 0,   "resolver", "ADDR[:PORT]", set_resolver, "dialler: a name server of this run" },
	{ 0,   "resolvers-only", NULL, set_resolvers_only, "dialler: cf-dns may reach only these" },
	{ 0,   "upstream-fd", "N", set_upstream_fd, "dialler: a channel to cf-upstream" },
	{ 0,   "upstream-at", "ADDR:PORT", set_upstream_at,
	  "dialler: where the upstream proxy is (again: one more address)" },
	{ 0,   "upstream-name", "TEXT", set_upstream_name, "what messages and events call it" },
	{ 0,   "connect-timeout", "MS", set_connect_timeout,
	  "dialler: how long a connect to it may take (10000)" },
	{ 0,   "dns-direct", NULL, set_dns_direct, "dialler: name servers are not asked by it" },
	{ 0,   "upstream-udp", NULL, set_upstream_udp, "it carries UDP (SOCKS5)" },
	{ 0,   "upstream", NULL, set_upstream, "policy stage: there is one behind the dialler" },
	{ 0,   "udp-direct", NULL, set_udp_direct, "policy stage: UDP goes around it" },
	{ 0,   "icmp-direct", NULL, set_icmp_direct, "policy stage: ICMP goes around it" },
	{ 0,   "proxy-names", "auto|always|never", set_proxy_names,
	  "policy stage: it is told names: auto, always or never" },
	{ 0,   "no-proxy", "LIST", set_no_proxy,
	  "policy stage: networks and names that go around it (again: more)" },
	{ 0,   "listen", "ADDR:PORT", set_listen,
	  "be a proxy for this host (--listen 127.0.0.1:3128 --help)" },
	{ 'n', "print", NULL, set_print, "print what the sandbox allows this stage, and exit" },
	{ 'v', "verbose", NULL, set_verbose, "say each event on standard error" },
	{ 0,   "color", NULL, set_color, "policy stage: with -v, in colours" },
	{ 'h', "help", NULL, set_help, "print this" },
	{ 'V', "version", NULL, set_version, "print the version" },
	{ 0 }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most",
	  "policy dial-fd listen resolver rules-fd log-fd print verbose help version" },
	{ "policy", "the policy stage",
	  "policy dial-fd log-fd who-fd names-fd hosts-fd synthetic violations-fd quotas-fd quic "
	  "keep-flows color" },
	{ "upstream", "where there is an upstream proxy",
	  "upstream-fd upstream-at upstream-name connect-timeout dns-direct upstream-udp upstream "
	  "udp-direct icmp-direct proxy-names no-proxy" },
	{ "dialler", "the dialler, which is the default",
	  "dns-fd resolver resolvers-only" },
	{ "both", "both, and a proxy for this host", NULL },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-proxy", .usage = "[options]", .options = options, .groups = groups,
	.about = "Judge and open the connections of a sandboxed command tree.  The channel to the\n"
	    "client is standard input and output.",
};

/* Options that the chosen stage does not have, or that it needs. */
static const char *
misfit(const struct proxy_conf *conf)
{
	if (conf->policy && (conf->upstream_fd != -1 || conf->n_upstream_at > 0 || conf->dns_direct))
		return "--upstream-fd, --upstream-at and --dns-direct are for the dialler";
	if (!conf->policy && (conf->upstream || conf->udp_direct || conf->icmp_direct ||
	    conf->n_no_proxy > 0))
		return "--upstream, --udp-direct, --icmp-direct and --no-proxy are for --policy";
	if (conf->upstream_fd != -1 && (conf->n_upstream_at == 0 || conf->upstream_name == NULL))
		return "--upstream-fd needs --upstream-at and --upstream-name";
	if (conf->policy && (conf->dns_fd != -1 || conf->n_resolvers > 0 || conf->resolvers_only))
		return "--dns-fd, --resolver and --resolvers-only are for the dialler";
	if (!conf->policy && (conf->dial_fd != -1 || conf->log_fd[0] != -1 || conf->who_fd != -1 ||
	    conf->violations_fd != -1 || conf->names_fd != -1 || conf->hosts_fd != -1 ||
	    conf->synthetic || conf->keep_flows || conf->quic != QUIC_BLOCK ||
	    conf->quotas_fd != -1 || conf->totals_fd != -1))
		return "--dial-fd, --log-fd, --reader-fd, --who-fd, --violations-fd, --names-fd, --hosts-fd, "
		    "--quotas-fd, --totals-fd, --synthetic, --keep-flows and --quic are for --policy";
	if (conf->keep_flows && conf->control_fd == -1 && !conf->print)
		return "--keep-flows needs --control-fd";
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
	const int fds[FDS_MAX - 1] = { conf->dial_fd, conf->dns_fd, conf->log_fd[0],
	    conf->log_fd[1], conf->log_fd[2], conf->who_fd, conf->rules_fd, conf->violations_fd, conf->names_fd,
	    conf->hosts_fd, conf->control_fd, conf->quotas_fd, conf->upstream_fd, conf->info_fd,
	    conf->totals_fd, -1 };
	size_t n = 0;

	for (size_t i = 0; i < FDS_MAX - 1; i++)
		if (fds[i] != -1)
			keep[n++] = fds[i];
	keep[n] = -1;
}

/* A proxy of its own is another program, which needs more than a stage may (listen/main.c). */
static void
listen_if_asked(int argc, char *argv[])
{
	char path[4096];

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--listen", 8) != 0 || (argv[i][8] != '\0' && argv[i][8] != '='))
			continue;
		snprintf(path, sizeof(path), "%s/cf-listen", paths_libexec);
		execv(path, argv);
		fatal("cannot execute %s (install childflow again)", path);
	}
}

int
main(int argc, char *argv[])
{
	static struct proxy_conf conf = { .dial_fd = -1, .log_fd = { -1, -1, -1 }, .who_fd = -1,
	    .dns_fd = -1, .control_fd = -1, .rules_fd = -1, .quotas_fd = -1, .violations_fd = -1,
	    .totals_fd = -1,
	    .names_fd = -1, .hosts_fd = -1, .upstream_fd = -1, .info_fd = -1,
	    .connect_timeout = 10000 };
	static const struct sandbox_role *const roles[] = { &broker_stage.sandbox,
	    &dial_stage.sandbox, NULL };
	const struct stage *stage;
	const char *why = NULL;
	int keep[FDS_MAX], rfd, wfd, operands;
	void *state;

	sandbox_audit_asked(argc, argv, cli.name, roles, NULL);
	log_init(cli.name, 0);
	listen_if_asked(argc, argv);
	operands = cli_parse(&cli, &conf, argc, argv, 2);
	if (operands != argc || (why = misfit(&conf)) != NULL) {
		log_fatal_status(2);
		fatalx("%s (try: cf-proxy --help)", why != NULL ? why : "there are no operands");
	}
	stage = conf.policy ? &broker_stage : &dial_stage;
	if (conf.print) {
		sandbox_print(stage->sandbox.tables);
		return 0;
	}
	log_init(role_name(stage->role), conf.verbose);

	fds_keep(&conf, keep);
	sandbox_prepare(&rfd, &wfd, keep);
	state = stage->open(&conf, rfd, wfd);
	sandbox_enter(&stage->sandbox);
	stage->hello(state);
	return stage->run(state);
}

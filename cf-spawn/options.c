/*
 * options.c - the command line, as one table.
 *
 * A row is an option's letter, name, value and help line, and the function that takes it
 * into struct conf.  The names are childflow's where it has the option.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inside.h"
#include "log.h"
#include "spawn.h"

static const struct cli cli;

static bool
set_dns(void *conf, const char *arg, char *why)
{
	struct conf *c = conf;

	if (c->ndns == RESOLVERS_MAX) {
		snprintf(why, CLI_WHY_LEN, "at most %d are used", RESOLVERS_MAX);
		return false;
	}
	if (!addr_parse(arg, INSIDE_DNS_PORT, &c->dns[c->ndns])) {
		snprintf(why, CLI_WHY_LEN,
		    "not an address (write 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or "
		    "[2001:db8::53]:5353)");
		return false;
	}
	c->ndns++;
	return true;
}

static bool
set_dns_mode(void *conf, const char *arg, char *why)
{
	bool synthetic = strcmp(arg, "synthetic") == 0;

	if (!synthetic && strcmp(arg, "real") != 0) {
		snprintf(why, CLI_WHY_LEN, "it is neither real nor synthetic");
		return false;
	}
	((struct conf *)conf)->synthetic = synthetic;
	return true;
}

static bool
set_dns_cache(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 0, DNS_CACHE_MAX, &((struct conf *)conf)->dns_cache, why);
}

static bool
set_add_host(void *conf, const char *arg, char *why)
{
	return hosts_add(&((struct conf *)conf)->added_hosts, arg, why, CLI_WHY_LEN);
}

static bool
set_status_fd(void *conf, const char *arg, char *why)
{
	struct conf *c = conf;
	long fd;

	if (!cli_number(arg, 0, 1 << 20, &fd, why))
		return false;
	if (fcntl((int)fd, F_GETFD) == -1) {
		snprintf(why, CLI_WHY_LEN, "descriptor %ld is not open (write %ld>FILE)", fd, fd);
		return false;
	}
	c->status_fd = (int)fd;
	return true;
}

#define SWITCH(field)							\
static bool								\
set_##field(void *conf, const char *arg, char *why)			\
{									\
	(void)arg, (void)why;						\
	((struct conf *)conf)->field = true;				\
	return true;							\
}
#define TEXT(field)							\
static bool								\
set_##field(void *conf, const char *arg, char *why)			\
{									\
	if (*arg == '\0') {						\
		snprintf(why, CLI_WHY_LEN, "the value is empty");	\
		return false;						\
	}								\
	((struct conf *)conf)->field = arg;				\
	return true;							\
}
SWITCH(run_as_root)
SWITCH(map_subids)
SWITCH(cap_net_raw)
SWITCH(wait_tree)
SWITCH(summary)
SWITCH(check_only)
SWITCH(fail_on_leak)
TEXT(hosts_file)
TEXT(user)
#undef SWITCH
#undef TEXT

static bool
set_verbose(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct conf *)conf)->verbose++;
	return true;
}

static bool
set_tcp_path(void *conf, const char *arg, char *why)
{
	static const char *const names[] = { [TCP_PATH_AUTO] = "auto", [TCP_PATH_KERNEL] = "kernel",
	    [TCP_PATH_TUN] = "tun" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(arg, names[i]) == 0) {
			((struct conf *)conf)->tcp_path = (enum tcp_path)i;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "write auto, kernel or tun");
	return false;
}

static bool
set_block_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct conf *)conf)->encdns = ENCDNS_BLOCK;
	return true;
}

static bool
set_allow_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct conf *)conf)->encdns = ENCDNS_ALLOW;
	return true;
}

static bool
set_deny_answer(void *conf, const char *arg, char *why)
{
	static const char *const kinds[] = { "empty", "nxdomain", "refused" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(arg, kinds[i]) == 0) {
			((struct conf *)conf)->deny_answer = kinds[i];
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "it is one of empty, nxdomain and refused");
	return false;
}

/* Accepted for childflow's sake: what it names is what there is. */
static bool
set_backend(void *conf, const char *arg, char *why)
{
	(void)conf;
	if (strcmp(arg, "rootless-internal") == 0)
		return true;
	snprintf(why, CLI_WHY_LEN, "there is only rootless-internal");
	return false;
}

static bool
refuse_root(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg;
	snprintf(why, CLI_WHY_LEN, "there is no rootful backend in this version; "
	    "leave the option out (no root is needed)");
	return false;
}

static bool
show_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&cli);
	exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}

static bool
show_version(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_version(&cli);
	exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}

static const struct cli_option options[] = {
	{ 'd', "dns",		"ADDR[:PORT]",	set_dns,
	  "ask this resolver instead of the system's (repeatable)" },
	{ 0,   "dns-mode",	"real|synthetic", set_dns_mode,
	  "synthetic: each name has an address of its own inside (real)" },
	{ 0,   "dns-cache",	"N",		set_dns_cache,
	  "keep up to N answers of resolvers for as long as they say" },
	{ 0,   "hosts-file",	"FILE",		set_hosts_file,
	  "names of FILE come before those of /etc/hosts" },
	{ 0,   "add-host",	"NAME:ADDR",	set_add_host,
	  "NAME has this address in the tree (repeatable; before --hosts-file)" },
	RULEOPTS_ROWS,
	{ 0,   "deny-answer",	"KIND",		set_deny_answer,
	  "names that are denied get: empty (the default), nxdomain or refused" },
	{ 0,   "block-encrypted-dns", NULL,	set_block_encdns,
	  "refuse encrypted DNS (with rules about names it always is)" },
	{ 0,   "allow-encrypted-dns", NULL,	set_allow_encdns,
	  "let encrypted DNS pass by the rules about names" },
	{ 0,   "fail-on-leak",	NULL,		set_fail_on_leak,
	  "end with status 1 where something was refused and the command did not mind" },
	CAPTURE_ROWS,
	{ 0,   "tcp-path",	"PATH",		set_tcp_path,
	  "who ends TCP: auto, kernel (the tree's own), tun (cf-netstack)" },
	{ 0,   "summary",	NULL,		set_summary,
	  "say at the end what the run did (stderr)" },
	{ 0,   "status-fd",	"N",		set_status_fd,
	  "write start, end and reason to descriptor N (JSON lines)" },
	{ 0,   "wait",		NULL,		set_wait_tree,
	  "wait for the whole tree, not only for the command" },
	{ 0,   "user",		"NAME",		set_user,
	  "as root: run the command as NAME" },
	{ 0,   "run-as-root",	NULL,		set_run_as_root,
	  "as root: let the command stay uid 0 (without capabilities)" },
	{ 0,   "map-subids",	NULL,		set_map_subids,
	  "map the subordinate ids too (uses newuidmap, newgidmap)" },
	{ 0,   "cap-net-raw",	NULL,		set_cap_net_raw,
	  "keep CAP_NET_RAW inside, for raw sockets (traceroute -T, nmap -sS)" },
	{ 'n', "check",		NULL,		set_check_only,
	  "check options and files, and stop; nothing is started" },
	{ 'v', "verbose",	NULL,		set_verbose,
	  "say what happens on stderr; twice: also how" },
	{ 'h', "help",		NULL,		show_help,	"this text" },
	{ 'V', "version",	NULL,		show_version,	"the version" },
	{ 0,   "network-backend", "NAME",	set_backend,	NULL },
	{ 0,   "root",		NULL,		refuse_root,	NULL },
	{ 'i', "iface",		"NAME",		refuse_root,	NULL },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-spawn",
	.usage = "[options] [--] COMMAND [ARG ...]",
	.about = "Run COMMAND and its children on a network of their own; nothing else changes.",
	.options = options,
};

void
options_parse(struct conf *conf, int argc, char **argv)
{
	const char *debug = getenv("CHILDFLOW_DEBUG");
	int at;

	conf->status_fd = -1;
	if (debug != NULL && (strcmp(debug, "1") == 0 || strcasecmp(debug, "true") == 0 ||
	    strcmp(debug, "yes") == 0 || strcmp(debug, "on") == 0))
		conf->verbose = 2;
	at = cli_parse(&cli, conf, argc, argv, STATUS_FAILED);
	conf->command = argv + at;
	if (conf->command[0] == NULL)
		fatalx("no command (try: cf-spawn -- curl https://example.com/)");
	if (conf->user != NULL && conf->run_as_root)
		fatalx("--user and --run-as-root exclude each other: leave one out");
	if (conf->tcp_path == TCP_PATH_KERNEL && conf->capture_file != NULL)
		fatalx("--capture cannot see TCP that the kernel path carries: leave --tcp-path "
		    "kernel or --capture out");
	capture_check(conf);
	log_init("cf-spawn", conf->verbose);
}

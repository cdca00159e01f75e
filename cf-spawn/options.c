/*
 * options.c - the options, as one table; cmdline.c asks all sources for their values.
 *
 * A row is an option's letter, name, value and help line, and the function that takes it
 * into struct conf.  The names are childflow's where it has the option.  The same row is
 * the option's key in a profile and its variable in the environment (cli_key.c); what
 * all sources said is merged before a row's function is called (sources.c), so those
 * functions run once a value, in order, and need not undo anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "inside.h"
#include "log.h"
#include "profile.h"
#include "spawn.h"

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
	((struct conf *)conf)->dns_mode_said = true;
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
set_host_port(void *conf, const char *arg, char *why)
{
	return hostports_add(&((struct conf *)conf)->host_ports, arg, why, CLI_WHY_LEN);
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
SWITCH(map_root)
SWITCH(cap_net_raw)
SWITCH(wait_tree)
SWITCH(summary)
SWITCH(check_only)
SWITCH(dry_run)
SWITCH(fail_on_leak)
SWITCH(dump_profile)
SWITCH(dump_secrets)
SWITCH(doctor)
TEXT(hosts_file)
TEXT(report_file)
TEXT(learn_file)
TEXT(flow_log)
TEXT(monitor)
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
set_flow_updates(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 1, 3600, &((struct conf *)conf)->flow_updates, why);
}

static bool
set_quic(void *conf, const char *arg, char *why)
{
	static const char *const choices[] = { "block", "check", "allow" };

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (strcmp(arg, choices[i]) == 0) {
			((struct conf *)conf)->quic = choices[i];
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "write block, check or allow");
	return false;
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

static bool
set_summary_format(void *conf, const char *arg, char *why)
{
	return cli_text_or_json(arg, &((struct conf *)conf)->summary_json, why);
}

static bool
set_doctor_format(void *conf, const char *arg, char *why)
{
	return cli_text_or_json(arg, &((struct conf *)conf)->doctor_json, why);
}

static bool
set_learn_threshold(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 0, 1000000, &((struct conf *)conf)->learn_threshold, why);
}

static bool
set_report_format(void *conf, const char *arg, char *why)
{
	static const char *const forms[] = { "text", "markdown", "json", "html" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(arg, forms[i]) == 0) {
			((struct conf *)conf)->report_format = forms[i];
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "it is one of text, markdown, json and html");
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

/* Rows whose word is heard elsewhere: sources.c. */
static bool
set_elsewhere(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	return true;
}

static bool
trust(void *conf, const char *arg, char *why)
{
	char reason[PROFILE_WHY];

	(void)conf;
	if (trust_add(arg, reason))
		exit(0);
	snprintf(why, CLI_WHY_LEN, "%.250s", reason);
	return false;
}

static bool
show_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&options_cli);
	exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}

static bool
show_version(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_version(&options_cli);
	exit(fflush(stdout) == 0 ? 0 : STATUS_FAILED);
}

const struct cli_option options_table[] = {
	{ 0,   "profile",	"FILE|NAME",	set_elsewhere,
	  "take settings from a profile (repeatable)", CLI_LIST | CLI_NO_KEY },
	{ 0,   "profile-local",	NULL,		set_elsewhere,
	  "also from ./" PROFILE_LOCAL "; not trusted, it can only tighten", CLI_NO_KEY },
	{ 0,   "trust",		"FILE",		trust,
	  "trust this local profile as it is now, and stop", CLI_NOW },
	{ 0,   "dump-profile",	NULL,		set_dump_profile,
	  "print what all sources make, and stop", CLI_NOW },
	{ 0,   "dump-secrets",	NULL,		set_dump_secrets,
	  "with --dump-profile: secrets too", CLI_NOW },
	{ 'd', "dns",		"ADDR[:PORT]",	set_dns,
	  "ask this resolver instead of the system's (repeatable)", CLI_LIST },
	{ 0,   "dns-mode",	"real|synthetic", set_dns_mode,
	  "synthetic: each name has an address of its own inside (real)" },
	{ 0,   "dns-cache",	"N",		set_dns_cache,
	  "keep up to N answers of resolvers for as long as they say" },
	{ 0,   "hosts-file",	"FILE",		set_hosts_file,
	  "names of FILE come before those of /etc/hosts" },
	{ 0,   "add-host",	"NAME:ADDR",	set_add_host,
	  "NAME has this address in the tree (repeatable; before --hosts-file)", CLI_LIST },
	RULEOPTS_ROWS,
	RULEOPTS_QUOTA_ROW,
	PROXYOPTS_ROWS,
	PIPES_ROWS,
	{ 0,   "deny-answer",	"empty|nxdomain|refused",		set_deny_answer,
	  "what names that are denied get (empty)" },
	{ 0,   "block-encrypted-dns", NULL,	set_block_encdns,
	  "refuse encrypted DNS (with rules about names it always is)", 0, CLI_TO_ON },
	{ 0,   "allow-encrypted-dns", NULL,	set_allow_encdns,
	  "let encrypted DNS pass by the rules about names", 0, CLI_TO_OFF },
	{ 0,   "quic",		"block|check|allow", set_quic,
	  "QUIC, where rules are about names: refuse it (block), or hold it against them" },
	{ 0,   "host-port",	"PORTS",	set_host_port,
	  "open ports of the host's own loopback, at " INSIDE_HOST4 " (5432,8000-8099)", CLI_LIST },
	{ 0,   "fail-on-leak",	NULL,		set_fail_on_leak,
	  "end with status 1 where something was refused and the command did not mind",
	  0, CLI_TO_ON },
	CAPTURE_ROWS,
	{ 0,   "tcp-path",	"auto|kernel|tun",		set_tcp_path,
	  "who ends TCP: the tree's kernel or cf-netstack (auto)" },
	{ 0,   "flow-log",	"FILE",		set_flow_log,
	  "write events to FILE, JSON lines (-: stdout, fd:N)", CLI_EARLY },
	{ 0,   "summary",	NULL,		set_summary,
	  "say at the end what the run did (stderr)" },
	{ 0,   "flow-updates",	"SECONDS",	set_flow_updates,
	  "note so often in the flow log what open flows have carried" },
	{ 0,   "monitor",	"TERMINAL",	set_monitor,
	  "show the flows in a table there while the command runs (-: here)" },
	{ 0,   "summary-format", "text|json",	set_summary_format,
	  "the form of --summary (text)" },
	{ 0,   "learn",		"FILE",		set_learn_file,
	  "allow everything, and write a profile of what was needed to FILE" },
	{ 0,   "learn-threshold", "N",		set_learn_threshold,
	  "in it, N names right below one become a wildcard (8; 0: never)" },
	{ 0,   "report",	"FILE",		set_report_file,
	  "say what a run did, from its flow log; nothing is run", CLI_NOW },
	{ 0,   "report-format",	"text|markdown|json|html",		set_report_format,
	  "the form of --report (text)" },
	{ 0,   "doctor",	NULL,		set_doctor,
	  "say whether this host can do it, and what to change; nothing is run", CLI_NOW },
	{ 0,   "doctor-format",	"text|json",	set_doctor_format,
	  "the form of --doctor (text)" },
	{ 0,   "status-fd",	"N",		set_status_fd,
	  "write start, end and reason to descriptor N (JSON lines)" },
	RUNOPTS_ROWS,
	{ 0,   "wait",		NULL,		set_wait_tree,
	  "wait for the whole tree, not only for the command" },
	{ 0,   "user",		"NAME",		set_user,
	  "as root: run the command as NAME" },
	{ 0,   "run-as-root",	NULL,		set_run_as_root,
	  "as root: let the command stay uid 0 (without capabilities)" },
	{ 0,   "map-subids",	NULL,		set_map_subids,
	  "map the subordinate ids too (uses newuidmap, newgidmap)" },
	{ 0,   "map-root",	NULL,		set_map_root,
	  "be uid 0 inside (without capabilities; outside nothing changes)" },
	{ 0,   "cap-net-raw",	NULL,		set_cap_net_raw,
	  "keep CAP_NET_RAW inside, for raw sockets (traceroute -T, nmap -sS)",
	  0, CLI_TO_OFF },
	SEAL_ROWS,
	{ 'n', "check",		NULL,		set_check_only,
	  "check options and files, and stop; nothing is started", CLI_NOW },
	{ 0,   "dry-run",	NULL,		set_dry_run,
	  "print the policy and what would start, and stop", CLI_NOW },
	{ 'v', "verbose",	NULL,		set_verbose,
	  "say what happens on stderr; twice: also how", CLI_COUNT },
	{ 'h', "help",		NULL,		show_help,
	  "this text; --help GROUP: that page, --help all: all", CLI_NOW },
	{ 'V', "version",	NULL,		show_version,	"the version", CLI_NOW },
	{ 0,   "network-backend", "NAME",	set_backend,	NULL, 0, CLI_NEVER, "backend" },
	{ 0,   "root",		NULL,		refuse_root,	NULL, CLI_NOW },
	{ 'i', "iface",		"NAME",		refuse_root,	NULL },
	{ 0 }
};

const struct cli options_cli = {
	.name = "cf-spawn",
	.usage = "[options] [--] COMMAND [ARG ...]",
	.about = "Run COMMAND and its children on a network of their own; nothing else changes.",
	.options = options_table,
	.negatable = true,
	.groups = options_groups,
};

/* ---- rules from elsewhere than the command line ---- */

/* The grammar of a row's rules; RULETEXT_KINDS: it has none. */
static enum ruletext_kind
rule_kind(const struct cli_option *row)
{
	for (int s = 0; s < RULES_SOURCES; s++)
		if (s != RULES_ALLOW_FILE && s != RULES_DENY_FILE && rules_sources[s].option != NULL &&
		    strncmp(rules_sources[s].option, "--", 2) == 0 &&
		    strcmp(rules_sources[s].option + 2, row->name) == 0)
			return rules_sources[s].kind;
	return RULETEXT_KINDS;
}

/* Names in lists of names have one spelling; what is wrong is found by rule_check(). */
static char *
rule_normal(const struct cli_option *row, const char *text)
{
	enum ruletext_kind kind = rule_kind(row);
	struct ruletext_error err;
	struct ruletext t;

	if ((kind != RULETEXT_DOMAIN && kind != RULETEXT_EXACT) ||
	    !ruletext_parse(kind, text, strlen(text), &t, &err))
		return NULL;
	return strdup(t.name);
}

/* Before the rules are compiled, which does not know in which line of which profile each stands. */
static bool
rule_check(const struct cli_option *row, const char *text, char *why)
{
	enum ruletext_kind kind = rule_kind(row);
	struct ruletext_error err;
	struct ruletext t;

	if (kind == RULETEXT_KINDS || ruletext_parse(kind, text, strlen(text), &t, &err))
		return true;
	snprintf(why, CLI_WHY_LEN, "%.200s (cf-policy(7) has the grammar)", err.why);
	return false;
}

bool
options_settings(struct settings *s)
{
	if (!settings_init(s, options_table))
		return false;
	s->normal = rule_normal;
	s->check = rule_check;
	return true;
}

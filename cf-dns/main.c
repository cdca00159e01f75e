/*
 * main.c - cf-dns: answers the name queries of a command tree, and does nothing else.
 *
 * Options only; the program's life is in dns.c.
 *
 * Exit: 0 a peer closed its channel, 1 something failed, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "denial.h"
#include "dns.h"
#include "event.h"
#include "inside.h"
#include "log.h"

#define FDS_MAX	5	/* descriptors that options name, and the -1 behind them */

struct options {
	struct dns	*dns;
	int		 dial_fd, log_fd, names_fd, rules_fd, violations_fd;
	bool		 synthetic;
	int		 verbose;
	bool		 print;
};

static const struct cli	cli;

static bool
set_fd(int *out, const char *arg, char *why)
{
	long fd;

	if (!cli_number(arg, 3, 65535, &fd, why))
		return false;
	*out = (int)fd;
	return true;
}

static bool
set_dial_fd(void *conf, const char *arg, char *why)
{
	return set_fd(&((struct options *)conf)->dial_fd, arg, why);
}

static bool
set_log_fd(void *conf, const char *arg, char *why)
{
	return set_fd(&((struct options *)conf)->log_fd, arg, why);
}

static bool
set_names_fd(void *conf, const char *arg, char *why)
{
	return set_fd(&((struct options *)conf)->names_fd, arg, why);
}

static bool
set_synthetic(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->synthetic = true;
	return true;
}

static bool
set_rules_fd(void *conf, const char *arg, char *why)
{
	return set_fd(&((struct options *)conf)->rules_fd, arg, why);
}

static bool
set_violations_fd(void *conf, const char *arg, char *why)
{
	return set_fd(&((struct options *)conf)->violations_fd, arg, why);
}

static bool
set_deny_answer(void *conf, const char *arg, char *why)
{
	static const char *const kinds[] = {
		[DENY_EMPTY] = "empty", [DENY_NXDOMAIN] = "nxdomain", [DENY_REFUSED] = "refused"
	};
	struct dns *dns = ((struct options *)conf)->dns;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(arg, kinds[i]) == 0) {
			dns->filter.deny_answer = i;
			return true;
		}
	snprintf(why, CLI_WHY_LEN, "it is one of empty, nxdomain and refused");
	return false;
}

static bool
set_block_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->dns->filter.encdns = ENCDNS_BLOCK;
	return true;
}

static bool
set_allow_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->dns->filter.encdns = ENCDNS_ALLOW;
	return true;
}

static bool
set_resolver(void *conf, const char *arg, char *why)
{
	struct dns *dns = ((struct options *)conf)->dns;

	if (dns->nresolvers == RESOLVERS_MAX) {
		snprintf(why, CLI_WHY_LEN, "more than %d resolvers", RESOLVERS_MAX);
		return false;
	}
	if (!addr_parse(arg, INSIDE_DNS_PORT, &dns->resolvers[dns->nresolvers])) {
		snprintf(why, CLI_WHY_LEN, "not an address, or an address and port");
		return false;
	}
	dns->nresolvers++;
	return true;
}

static bool
set_pinned(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->dns->pinned = true;
	return true;
}

static bool
set_no_aaaa(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->dns->no_aaaa = true;
	return true;
}

static bool
set_print(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->print = true;
	return true;
}

static bool
set_verbose(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->verbose++;
	return true;
}

static bool
set_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&cli);
	exit(0);
}

static bool
set_version(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_version(&cli);
	exit(0);
}

static const struct cli_option options[] = {
	{ 0,   "allow-encrypted-dns", NULL, set_allow_encdns,
	  "answer for names of encrypted DNS, whatever the rules are" },
	{ 0,   "block-encrypted-dns", NULL, set_block_encdns,
	  "refuse names of encrypted DNS (with rules about names: always)" },
	{ 0,   "deny-answer", "KIND",     set_deny_answer,
	  "names that are denied get: empty (the default), nxdomain or refused" },
	{ 0,   "dial-fd",  "N",           set_dial_fd,  "the channel to the dialler" },
	{ 0,   "log-fd",   "N",           set_log_fd,   "write events to descriptor N" },
	{ 0,   "names-fd", "N",           set_names_fd, "tell cf-proxy of names and addresses there" },
	{ 0,   "no-aaaa",  NULL,          set_no_aaaa,  "answer AAAA with nothing: no IPv6 here" },
	{ 0,   "pinned",   NULL,          set_pinned,   "ask only the --resolver list" },
	{ 0,   "resolver", "ADDR[:PORT]", set_resolver, "ask this server (again: one more)" },
	{ 0,   "rules-fd", "N",           set_rules_fd, "judge names and answers by these rules" },
	{ 0,   "synthetic", NULL,         set_synthetic, "answer each name with an address of its own" },
	{ 0,   "violations-fd", "N",      set_violations_fd,
	  "an eventfd that counts what was refused" },
	{ 'h', "help",     NULL,          set_help,     "print this" },
	{ 'n', "check",    NULL,          set_print,    "print what the sandbox allows, and exit" },
	{ 'v', "verbose",  NULL,          set_verbose,  "a line for each answer (-vv: more)" },
	{ 'V', "version",  NULL,          set_version,  "print the version" },
	{ 0,   NULL,       NULL,          NULL,         NULL }
};

static const struct cli cli = {
	"cf-dns", "[options] --dial-fd N",
	"Answer the DNS queries that cf-netstack sends on standard input, on sockets of a dialler.",
	options
};

/* The descriptors that are used on; the rules are mapped by now. */
static void
fds_keep(const struct options *o, int keep[FDS_MAX])
{
	const int fds[FDS_MAX - 1] = { o->dial_fd, o->log_fd, o->names_fd,
	    o->violations_fd };
	size_t n = 0;

	for (size_t i = 0; i < FDS_MAX - 1; i++)
		if (fds[i] != -1)
			keep[n++] = fds[i];
	keep[n] = -1;
}

int
main(int argc, char *argv[])
{
	static struct dns dns;
	struct options o = { .dns = &dns, .dial_fd = -1, .log_fd = -1, .names_fd = -1,
	    .rules_fd = -1, .violations_fd = -1 };
	int rfd, wfd, keep[FDS_MAX];

	log_init("cf-dns", 0);
	if (cli_parse(&cli, &o, argc, argv, 2) != argc) {
		log_fatal_status(2);
		fatalx("unexpected operand (try: cf-dns --help)");
	}
	log_init("cf-dns", o.verbose);
	if (o.print) {
		sandbox_print(dns_sandbox);
		return 0;
	}
	if (o.dial_fd == -1) {
		log_fatal_status(2);
		fatalx("--dial-fd N is needed (try: cf-dns --help)");
	}
	if (o.synthetic && o.names_fd == -1) {
		log_fatal_status(2);
		fatalx("--synthetic needs --names-fd: nobody else knows the way to such an address");
	}
	event_init(o.log_fd);
	if (o.synthetic && (dns.synth = synth_new()) == NULL)
		fatal("cannot keep names");

	denial_init(o.violations_fd);
	filter_open(&dns, o.rules_fd);
	fds_keep(&o, keep);
	sandbox_prepare(&rfd, &wfd, keep);
	dns_open(&dns, rfd, wfd, o.dial_fd, o.names_fd);
	sandbox_seal(dns_sandbox);
	return dns_run(&dns);
}

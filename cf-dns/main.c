/*
 * main.c - cf-dns: answers the name queries of a command tree, and does nothing else.
 *
 * Options only; the program's life is in dns.c.  With --listen, serve.c makes what would be
 * around it in a sandboxed run; so it does at the far end of a pipe (cf-spawn --dns-helper), where
 * nobody names a channel to a dialler.
 *
 * Exit: 0 a peer closed its channel, 1 something failed, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "cli.h"
#include "denial.h"
#include "dns.h"
#include "event.h"
#include "inside.h"
#include "listen.h"
#include "live.h"
#include "log.h"
#include "ruleopts.h"

#define FDS_MAX	9	/* descriptors that options name, and the -1 behind them */

struct options {
	struct ruleopts	 rules;		/* --listen; first, as ruleopts.h wants it */
	struct dns	*dns;
	struct serve	 serve;		/* --listen */
	int		 control_fd, dial_fd, far_fd, names_fd, rules_fd, violations_fd;
	int		 log_fd[EVENT_FDS];
	bool		 log_reader[EVENT_FDS];	/* a helper reads it, whose end loses nothing */
	bool		 color;		/* of what -v says */
	bool		 synthetic;
	int		 verbose;
	bool		 print;
};

static const struct cli	cli;

CLI_SET(options, control_fd, cli_fd)
CLI_SET(options, dial_fd, cli_fd)
CLI_SET(options, color, cli_true)
CLI_SET(options, far_fd, cli_fd)
CLI_SET(options, names_fd, cli_fd)
CLI_SET(options, rules_fd, cli_fd)
CLI_SET(options, violations_fd, cli_fd)
CLI_SET(options, synthetic, cli_true)
CLI_SET_HELPER(options, cli)

static bool
log_fd_put(struct options *o, const char *arg, bool reader, char *why)
{
	for (size_t i = 0; i < EVENT_FDS; i++)
		if (o->log_fd[i] == -1) {
			o->log_reader[i] = reader;
			return cli_fd(arg, &o->log_fd[i], why);
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
set_listen(void *conf, const char *arg, char *why)
{
	struct serve *s = &((struct options *)conf)->serve;

	if (s->nlisten == LISTEN_MAX)
		snprintf(why, CLI_WHY_LEN, "more than %d addresses", LISTEN_MAX);
	else if (!addr_parse(arg, INSIDE_DNS_PORT, &s->listen[s->nlisten]))
		snprintf(why, CLI_WHY_LEN, "not an address (like 127.0.0.1:5353, or [::1]:5353)");
	else
		s->nlisten++;
	return *why == '\0';
}

static bool
set_client(void *conf, const char *arg, char *why)
{
	struct serve *s = &((struct options *)conf)->serve;

	s->any_clients = true;
	return clients_add(&s->clients, arg, why);
}

static bool
set_dns_cache(void *conf, const char *arg, char *why)
{
	long entries;

	if (!cli_number(arg, 0, CACHE_ENTRIES_MAX, &entries, why))
		return false;
	((struct options *)conf)->dns->cache_entries = (size_t)entries;
	return true;
}

static bool
set_user(void *conf, const char *arg, char *why)
{
	(void)why;
	((struct options *)conf)->serve.user = arg;
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

#define SET_DNS(name, field)							\
static bool									\
set_##name(void *conf, const char *arg, char *why)				\
{										\
	(void)arg, (void)why;							\
	((struct options *)conf)->dns->field = true;				\
	return true;								\
}
SET_DNS(tcp, tcp_only)
SET_DNS(unasked, unasked)
SET_DNS(closed, closed)
SET_DNS(proxied, filter.proxied)

static const struct cli_option options[] = {
	{ 0,   "allow-encrypted-dns", NULL, set_allow_encdns,
	  "answer for names of encrypted DNS, whatever the rules are" },
	{ 0,   "block-encrypted-dns", NULL, set_block_encdns,
	  "refuse names of encrypted DNS (with rules about names: always)" },
	{ 0,   "client",   "NETWORK",     set_client,   "with --listen: who may ask (again: one more)" },
	{ 0,   "control-fd", "N",         set_control_fd, "a channel to cf-spawn: new resolvers" },
	{ 0,   "deny-answer", "empty|nxdomain|refused", set_deny_answer,
	  "names that are denied get: empty (the default), nxdomain or refused" },
	{ 0,   "closed",   NULL,          set_closed,   "ask no resolver anything for the tree" },
	{ 0,   "dial-fd",  "N",           set_dial_fd,  "the channel to the dialler" },
	{ 0,   "dns-cache", "N",          set_dns_cache, "keep up to N answers (0: none)" },
	{ 0,   "far-fd",   "N",           set_far_fd,   "a channel to another cf-dns, which is asked" },
	{ 0,   "listen",   "ADDR[:PORT]", set_listen,   "be a server there (again: one more)" },
	{ 0,   "log-fd",   "N",           set_log_fd,   "write events to descriptor N (may be given three times)" },
	{ 0,   "reader-fd", "N",          set_reader_fd, "the same, for a helper that reads them" },
	{ 0,   "color",    NULL,          set_color,    "with -v, in colours" },
	{ 0,   "names-fd", "N",           set_names_fd, "tell cf-proxy of names and addresses there" },
	{ 0,   "no-aaaa",  NULL,          set_no_aaaa,  "answer AAAA with nothing: no IPv6 here" },
	{ 0,   "pinned",   NULL,          set_pinned,   "ask only the --resolver list" },
	{ 0,   "proxied",  NULL,          set_proxied,  "connections go by an upstream proxy" },
	{ 0,   "resolver", "ADDR[:PORT]", set_resolver, "ask this server (again: one more)" },
	{ 0,   "rules-fd", "N",           set_rules_fd, "judge names and answers by these rules" },
	{ 0,   "synthetic", NULL,         set_synthetic, "answer each name with an address of its own" },
	{ 0,   "tcp",      NULL,          set_tcp,      "ask resolvers over TCP only" },
	{ 0,   "unasked",  NULL,          set_unasked,
	  "with --synthetic: names have an address without being asked for" },
	{ 0,   "user",     "NAME",        set_user,     "with --listen, as root: become this user" },
	{ 0,   "violations-fd", "N",      set_violations_fd,
	  "an eventfd that counts what was refused" },
	RULEOPTS_ROWS,
	{ 'h', "help",     NULL,          set_help,     "print this" },
	{ 'n', "check",    NULL,          set_print,    "print what the sandbox allows, and exit" },
	{ 'v', "verbose",  NULL,          set_verbose,  "a line for each answer (-vv: more)" },
	{ 'V', "version",  NULL,          set_version,  "print the version" },
	{ 0,   NULL,       NULL,          NULL,         NULL }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "listen client resolver allow deny log-fd check verbose" },
	RULEOPTS_GROUP,
	{ "listen", "a server for this host, or a network", "listen client user" },
	{ "fds", "channels to the other programs of a run",
	  "control-fd dial-fd far-fd log-fd names-fd rules-fd violations-fd color" },
	{ "answers", "how it answers, and all else", NULL },
	{ 0 }
};

static const struct cli cli = {
	"cf-dns", "[options] --dial-fd N | --listen ADDR[:PORT]",
	"Answer the DNS queries that cf-netstack sends on standard input, on sockets of a\n"
	"dialler; or those of anybody who asks at an address.",
	options, .groups = groups
};

/* The descriptors that are used on; the rules are mapped by now. */
static void
fds_keep(const struct options *o, int keep[FDS_MAX])
{
	const int fds[FDS_MAX - 1] = { o->control_fd, o->dial_fd, o->far_fd, o->log_fd[0],
	    o->log_fd[1], o->log_fd[2],
	    o->names_fd, o->violations_fd };
	size_t n = 0;

	for (size_t i = 0; i < FDS_MAX - 1; i++)
		if (fds[i] != -1)
			keep[n++] = fds[i];
	keep[n] = -1;
}

static bool
is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* It makes what would be around it itself: for --listen, or at the far end of a pipe. */
static bool
alone(const struct options *o)
{
	return o->dial_fd == -1 && o->far_fd == -1;
}

/* What does not go together; NULL where all does. */
static const char *
misfit(const struct options *o)
{
	bool serves = o->serve.nlisten > 0;

	if (serves && (o->dial_fd != -1 || o->rules_fd != -1))
		return "--dial-fd and --rules-fd are not for --listen, which has its own";
	if (serves && o->synthetic)
		return "--synthetic is not for --listen: nobody would know the way to such an address";
	if (o->synthetic && o->names_fd == -1)
		return "--synthetic needs --names-fd: nobody else knows the way to such an address";
	if (serves && o->far_fd != -1)
		return "--far-fd is not for --listen";
	if (!serves && (o->serve.any_clients || o->serve.user != NULL))
		return "--client and --user are for --listen";
	if (!alone(o) && ruleopts_any(&o->rules))
		return "rules are for --listen, and for who has no --dial-fd";
	if (o->dial_fd != -1 && o->far_fd != -1)
		return "--dial-fd and --far-fd exclude each other";
	if (alone(o) && !serves && !o->print && !is_pipe(STDIN_FILENO))
		return "--dial-fd N is needed, or --listen ADDR, or standard input as a pipe from who "
		    "asks (cf-spawn --dns-helper)";
	return NULL;
}

static void
print(const struct options *o)
{
	if (o->serve.nlisten > 0)
		sandbox_print(listen_sandbox);
	sandbox_print(dns_sandbox);
}

/* In line behind it, one client's queries would hold up all others. */
_Static_assert(ASKS_MAX <= INFLIGHT_MAX, "the listener lets more in than the resolver serves");

static void
resolvers_give(struct options *o)
{
	o->serve.resolvers = o->dns->resolvers;
	o->serve.nresolvers = &o->dns->nresolvers;
	o->serve.max_resolvers = RESOLVERS_MAX;
}

/* Everybody is answered from the resolvers: who asks us knows no other server. */
static void
serve(struct options *o)
{
	resolvers_give(o);
	o->dns->pinned = true;
	o->dns->udp_max = UDP_ANSWER_MAX;
	o->dial_fd = serve_start(&o->serve);
}

static void
events_open(const struct options *o)
{
	event_init(-1);
	for (size_t i = 0; i < EVENT_FDS; i++)
		if (o->log_fd[i] != -1)
			(o->log_reader[i] ? event_add_reader : event_add)(o->log_fd[i]);
	live_init(o->color);
}

/* At the far end of a pipe: who asks may name a server, as he may at the near one. */
static void
answer_pipe(struct options *o)
{
	resolvers_give(o);
	o->dial_fd = serve_pipe(&o->serve, o->dns->pinned);
}

int
main(int argc, char *argv[])
{
	static struct dns dns = { .udp_max = UINT16_MAX };
	static struct options o = { .dns = &dns, .control_fd = -1, .dial_fd = -1, .far_fd = -1,
	    .log_fd = { -1, -1, -1 }, .names_fd = -1, .rules_fd = -1, .violations_fd = -1 };
	static const struct sandbox_role *const roles[] = { &dns_role, &listen_role, NULL };
	struct dns_fds fds;
	int keep[FDS_MAX], status;
	const char *why = NULL;

	sandbox_audit_asked(argc, argv, "cf-dns", roles, NULL);
	log_init("cf-dns", 0);
	cidr_init(&o.serve.clients);
	if (cli_parse(&cli, &o, argc, argv, 2) != argc || (why = misfit(&o)) != NULL) {
		log_fatal_status(2);
		fatalx("%s (try: cf-dns --help)", why != NULL ? why : "unexpected operand");
	}
	log_init("cf-dns", o.verbose);
	if (alone(&o) && o.rules_fd == -1)
		o.rules_fd = ruleopts_fd(&o.rules);
	if (o.print) {
		print(&o);
		return 0;
	}
	if (o.serve.nlisten > 0)
		serve(&o);
	else if (alone(&o))
		answer_pipe(&o);
	events_open(&o);
	if (o.synthetic && (dns.synth = synth_new()) == NULL)
		fatal("cannot keep names");

	denial_init(o.violations_fd);
	filter_open(&dns, o.rules_fd);
	fds_keep(&o, keep);
	fds = (struct dns_fds){ .dial = o.dial_fd, .far = o.far_fd, .names = o.names_fd,
	    .control = o.control_fd };
	sandbox_prepare(&fds.r, &fds.w, keep);
	dns_open(&dns, &fds);
	sandbox_enter(&dns_role);
	status = dns_run(&dns);
	return status == 0 && event_lost() ? EVENT_LOST : status;
}

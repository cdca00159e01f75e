/*
 * main.c - cf-netstack: packets of the command tree in, sockets that others connected out.
 *
 * cf-spawn holds the channel on standard input and output and hands the TUN over; cf-proxy, cf-dns
 * and cf-capture are reached by descriptors that the command line names.  This program parses
 * what the untrusted tree sends, so it is assumed to fall: it sees no network and no file,
 * and what it can ask for is judged elsewhere.
 *
 * Exit: 0 cf-spawn closed the channel, 1 something failed, 2 bad command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "counts.h"
#include "log.h"
#include "loop.h"

struct conf {
	int	proxy_fd, dns_fd, capture_fd, tun_fd;
	int	verbose;
	long	counts;			/* seconds; 0: nobody asks */
	bool	print, capture_drop;
	long	capture_snaplen;
};

static const struct cli	netstack_cli;

CLI_SET(conf, proxy_fd, cli_fd)
CLI_SET(conf, dns_fd, cli_fd)
CLI_SET(conf, capture_fd, cli_fd)
CLI_SET(conf, tun_fd, cli_fd)
static bool
set_counts(void *c, const char *arg, char *why)
{
	return cli_number(arg, 1, 3600, &((struct conf *)c)->counts, why);
}

CLI_SET(conf, capture_drop, cli_true)

static bool
set_capture_snaplen(void *conf, const char *arg, char *why)
{
	return cli_number(arg, 0, MSG_PACKET_MAX, &((struct conf *)conf)->capture_snaplen, why);
}
CLI_SET_HELPER(conf, netstack_cli)

static const struct cli_option options[] = {
	{ 0,   "proxy-fd",   "N", set_proxy_fd,   "channel to cf-proxy: every flow is asked for there" },
	{ 0,   "dns-fd",     "N", set_dns_fd,     "channel to cf-dns: every query goes there" },
	{ 0,   "capture-fd", "N", set_capture_fd, "channel to cf-capture: every packet goes there, too" },
	{ 0,   "capture-drop", NULL, set_capture_drop,
	  "leave packets out where cf-capture is slow (else the tree waits for it)" },
	{ 0,   "capture-snaplen", "N", set_capture_snaplen,
	  "cf-capture gets the first N bytes of each packet (0: all)" },
	{ 0,   "tun-fd",     "N", set_tun_fd,     "the TUN device, where it does not come by message" },
	{ 0,   "counts",     "SECONDS", set_counts,
	  "tell cf-proxy so often what busy flows have carried" },
	{ 'n', "print",      NULL, set_print,     "print what the sandbox allows, and exit" },
	{ 'v', "verbose",    NULL, set_verbose,   "say more on standard error; twice: each step" },
	{ 'h', "help",       NULL, set_help,      "print this, and exit" },
	{ 'V', "version",    NULL, set_version,   "print the version, and exit" },
	{ 0 }
};

static const struct cli netstack_cli = {
	.name = "cf-netstack", .usage = "[options]",
	.about = "IP, TCP, UDP and ICMP for a command tree, on a TUN and sockets it is handed.",
	.options = options,
};

int
main(int argc, char *argv[])
{
	static struct conf conf = { .proxy_fd = -1, .dns_fd = -1, .capture_fd = -1, .tun_fd = -1 };
	static const struct sandbox_role *const roles[] = { &netstack_role, NULL };
	static const int *const given[] = { &conf.proxy_fd, &conf.dns_fd, &conf.capture_fd, &conf.tun_fd };
	static struct stack stack;
	static struct loop loop;
	struct loop_fds fds;
	int keep[5], n = 0;

	sandbox_audit_asked(argc, argv, "cf-netstack", roles, NULL);
	log_init("cf-netstack", 0);
	if (cli_parse(&netstack_cli, &conf, argc, argv, 2) != argc) {
		log_fatal_status(2);
		fatalx("takes no arguments (try: cf-netstack --help)");
	}
	log_init("cf-netstack", conf.verbose);
	if (conf.print) {
		sandbox_print(netstack_sandbox);
		return 0;
	}
	fds = (struct loop_fds){ .proxy = conf.proxy_fd, .dns = conf.dns_fd,
	    .capture = conf.capture_fd, .tun = conf.tun_fd };
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (*given[i] != -1)
			keep[n++] = *given[i];
	keep[n] = -1;

	sandbox_prepare(&fds.spawn_r, &fds.spawn_w, keep);
	loop_open(&loop, &stack, &fds);
	loop_clock(&stack);
	counts_start(&stack, (uint64_t)conf.counts * 1000);
	stack.capture_drop = conf.capture_drop;
	stack.capture_snaplen = (size_t)conf.capture_snaplen;
	sandbox_enter(&netstack_role);
	return loop_run(&loop);
}

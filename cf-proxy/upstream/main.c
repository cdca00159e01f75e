/*
 * main.c - cf-upstream: options, and its life.
 *
 * The same file makes cf-upstream-tls, which has tls.c instead of notls.c.
 *
 * Exit: 0 the dialler has gone, 1 something failed, 2 bad command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"
#include "log.h"
#include "upstream.h"

struct options {
	int	 proxies_fd;
	bool	 print;
	int	 verbose;
};

static const struct cli	cli;

CLI_SET(options, proxies_fd, cli_fd)
CLI_SET_HELPER(options, cli)

static const struct cli_option options[] = {
	{ 0,   "proxies-fd", "N", set_proxies_fd, "the proxies and their passwords: a memfd of cf-spawn" },
	{ 'n', "print", NULL, set_print, "print what the sandbox allows, and exit" },
	{ 'v', "verbose", NULL, set_verbose, "say more on standard error" },
	{ 'h', "help", NULL, set_help, "print this" },
	{ 'V', "version", NULL, set_version, "print the version" },
	{ 0 }
};

static const struct cli cli = {
	.name = "cf-upstream", .usage = "--proxies-fd N", .options = options,
	.about = "Make connections to an upstream proxy into tunnels.  The channel to the dialler\n"
	    "is standard input and output.",
};

int
main(int argc, char *argv[])
{
	static struct options o = { .proxies_fd = -1 };
	static const struct sandbox_role *const roles[] = { &upstream_role, NULL };
	static struct upstream u;
	int rfd, wfd, operands;

	sandbox_audit_asked(argc, argv, upstream_role.name, roles, NULL);
	log_init(cli.name, 0);
	operands = cli_parse(&cli, &o, argc, argv, 2);
	if (operands != argc || (o.proxies_fd == -1 && !o.print)) {
		log_fatal_status(2);
		fatalx("%s (try: cf-upstream --help)", operands != argc ? "there are no operands" :
		    "--proxies-fd is missing");
	}
	if (o.print) {
		sandbox_print(upstream_sandbox);
		return 0;
	}
	log_init(cli.name, o.verbose);

	sandbox_prepare(&rfd, &wfd, (const int[]){ o.proxies_fd, -1 });
	serve_open(&u, o.proxies_fd, rfd, wfd);
	sandbox_enter(&upstream_role);
	return serve_run(&u);
}

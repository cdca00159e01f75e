/*
 * main.c - cf-capture: packets in as frames, a pcapng file out.
 *
 * Options only; the program's life is in run.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "capture.h"
#include "cli.h"
#include "log.h"

struct options {
	struct capture_conf	conf;
	int			verbose;
	bool			print;
};

static const struct cli	cli;

static bool
set_frames(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	return true;		/* the one source there is */
}

static bool
set_write(void *conf, const char *arg, char *why)
{
	struct options *o = conf;

	o->conf.path = arg;
	if (*arg == '\0')
		snprintf(why, CLI_WHY_LEN, "a file name is needed");
	return *arg != '\0';
}

static bool
set_write_fd(void *conf, const char *arg, char *why)
{
	return cli_fd(arg, &((struct options *)conf)->conf.fd, why);
}

CLI_SET_HELPER(options, cli)

static const struct cli_option options[] = {
	{ 0,   "frames",   NULL,   set_frames,   "take packets from the channel (the default)" },
	{ 'h', "help",     NULL,   set_help,     "print this" },
	{ 'n', "check",    NULL,   set_print,    "print what the sandbox allows, and exit" },
	{ 'v', "verbose",  NULL,   set_verbose,  "say what happens (-vv: more)" },
	{ 'V', "version",  NULL,   set_version,  "print the version" },
	{ 'w', "write",    "FILE", set_write,    "write the capture to FILE" },
	{ 0,   "write-fd", "N",    set_write_fd, "write the capture to descriptor N" },
	{ 0,   NULL,       NULL,   NULL,         NULL }
};

static const struct cli cli = {
	"cf-capture", "[options] {-w FILE | --write-fd N}",
	"Write the packets of a command tree, as its cf-netstack sends them, to a pcapng file.",
	options
};

int
main(int argc, char *argv[])
{
	struct options o = { .conf.fd = -1 };

	log_init("cf-capture", 0);
	if (cli_parse(&cli, &o, argc, argv, 2) != argc) {
		log_fatal_status(2);
		fatalx("unexpected operand (try: cf-capture --help)");
	}
	log_init("cf-capture", o.verbose);
	if (o.print) {
		sandbox_print(capture_sandbox);
		return 0;
	}
	if ((o.conf.path == NULL) == (o.conf.fd == -1)) {
		log_fatal_status(2);
		fatalx("one of -w FILE and --write-fd N is needed (try: cf-capture --help)");
	}
	return capture_run(&o.conf);
}

/*
 * main.c - cf-spawn: run one command and its children on a network of their own.
 *
 * Parse, then run; see run.c for the story.  cf-spawn touches no packet and parses
 * nothing that the network sent: it makes namespaces, starts the helpers and watches.
 *
 * Exit: the command's status; 128+N when it died of signal N; 125 when we failed, 126
 * when the command is not executable, 127 when it does not exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "audit.h"
#include "log.h"
#include "spawn.h"

int
main(int argc, char *argv[])
{
	static struct conf conf;

	audit_asked(argc, argv);
	log_init("cf-spawn", 0);
	log_fatal_status(STATUS_FAILED);
	options_parse(&conf, argc, argv);
	return conf.runs.list ? list(&conf) : conf.runs.join != NULL ? join(&conf) : run(&conf);
}

/*
 * report.c - `cf-spawn --report FILE`: what a run did, told by cf-doctor in our place.
 *
 * The program that reads the log is cf-doctor, sealed; this one does not look into it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "spawn.h"

bool
report_wanted(const struct conf *conf)
{
	return conf->report_file != NULL;
}

void
report_exec(const struct conf *conf)
{
	const char *form = conf->report_format != NULL ? conf->report_format : "text";
	char path[4096];

	if (conf->command[0] != NULL)
		fatalx("--report tells of a run that is over: leave the command out (or --report)");
	snprintf(path, sizeof(path), "%s/cf-doctor", paths_libexec);
	execl(path, "cf-doctor", "report", "--format", form, "--", conf->report_file, (char *)NULL);
	fatal("cannot run %s (install childflow again)", path);
}

/*
 * report.c - `cf-spawn --report FILE`: what a run did, told by cf-doctor in our place.
 *
 * The program that reads the log is cf-doctor, sealed; this one does not look into it.
 *
 * SPDX-License-Identifier: MIT
 */
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
	const char *const argv[] = { "cf-doctor", "report", "--format", form, "--",
	    conf->report_file, NULL };

	if (conf->command[0] != NULL)
		fatalx("--report tells of a run that is over: leave the command out (or --report)");
	doctor_become(argv);
}

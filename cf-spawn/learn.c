/*
 * learn.c - `cf-spawn --learn FILE`: a run that may do everything, and the profile of what it did.
 *
 * What it did is gathered by cf-doctor (summary.c there), which gets the descriptor of FILE, opened
 * here before anything starts.  FILE keeps what it has until the run has ended: a command
 * that is not found does not cost the profile of yesterday.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "log.h"
#include "spawn.h"

void
learn_check(const struct conf *conf)
{
	const unsigned refusing = RULES_OFFLINE | RULES_BLOCK_METADATA | RULES_BLOCK_PRIVATE |
	    RULES_DEFAULT_DENY | RULES_PROXY_ONLY;

	if (conf->learn_file != NULL &&
	    (conf->rules.n > 0 || (ruleopts_switches(&conf->rules) & refusing) != 0))
		fatalx("--learn lets everything pass, to see what is needed: leave the options that "
		    "refuse or allow out");
}

void
learn_open(struct conf *conf)
{
	if (conf->learn_file == NULL)
		return;
	conf->learn_fd = open(conf->learn_file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (conf->learn_fd == -1)
		fatal("cannot write --learn %s", conf->learn_file);
}

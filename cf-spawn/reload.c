/*
 * reload.c - SIGHUP: the files of rules are read again, and a new generation of the policy goes
 * to those that judge (control.c).
 *
 * All is compiled anew, from the options and the files, so a generation never has rules of
 * two readings.  Where a file is not understood, cannot be read or is too large, the old
 * generation stays whole and a line says which file, and where in it.
 *
 * A file that can be read only once (a pipe: --deny-file <(...)) would be empty the second time,
 * which is a policy that nobody wrote: then nothing is read again.
 *
 * The tree may send signals to us.  That alone gives it nothing, as the files are the caller's; but
 * where it can also write those files, the policy is its own (the page says so).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "rulesfd.h"
#include "ruleshow.h"
#include "run.h"

static bool
is_file(const struct ruleopts_given *g)
{
	return g->source == RULES_ALLOW_FILE || g->source == RULES_DENY_FILE;
}

bool
reload_wanted(const struct conf *conf)
{
	for (size_t i = 0; i < conf->rules.n; i++)
		if (is_file(&conf->rules.given[i]))
			return true;
	return false;
}

/* NULL, or the file that can be read only once. */
static const char *
gone_by(const struct ruleopts *o)
{
	struct stat st;

	for (size_t i = 0; i < o->n; i++)
		if (is_file(&o->given[i]) && stat(o->given[i].text, &st) == 0 &&
		    !S_ISREG(st.st_mode))
			return o->given[i].text;
	return NULL;
}

static void
stays(const struct run *r, const char *why)
{
	log_warnx("the rules stay as they are (generation %u): %s", r->generation, why);
	status_policy(r->conf->status_fd, r->generation, 0, why);
}

void
reload(struct run *r)
{
	struct generation next = { .generation = r->generation + 1 };
	const char *pipe = gone_by(&r->conf->rules);
	char why[RULEOPTS_WHY];
	struct rules rules;
	size_t len;
	void *flat;

	if (pipe != NULL) {
		snprintf(why, sizeof(why), "%.600s is no regular file and can be read only once", pipe);
		stays(r, why);
		return;
	}
	if ((flat = ruleopts_compile(&r->conf->rules, &len, why)) == NULL) {
		stays(r, why);
		return;
	}
	if (rules_load(flat, len, &rules) == NULL)
		next.rules = ruleshow_given(&rules);
	next.fd = rulesfd_make(flat, len);
	free(flat);
	if (next.fd == -1) {
		stays(r, "there is no memory for the new ones");
		return;
	}
	r->generation = next.generation;
	control_rules(&r->told, &next);
}

void
reload_done(void *arg, const struct generation *g)
{
	const struct run *r = arg;

	log_info("new rules are in force: generation %u, %zu rules", g->generation, g->rules);
	status_policy(r->conf->status_fd, g->generation, g->rules, NULL);
}

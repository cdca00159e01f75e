/*
 * sources.h - the sources of settings, in the order of their weight.
 *
 *	profiles, parents first; of several --profile the later above the earlier
 *	.childflow.toml, with --profile-local and trusted
 *	CF_... variables
 *	the command line
 *	.childflow.toml, not trusted: it can only tighten what the others made
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SOURCES_H
#define CF_SOURCES_H

#include "settings.h"

/*
 * Read all of them into s, which is initialised.  conf goes to rows that act at once.
 * Ends the process with status where one is wrong.
 */
void	sources_read(struct settings *s, const struct cli *, void *conf, int argc, char **argv,
	    int status);

/* ---- parts, for tests ---- */

/* The variables that there are.  False: why says which is wrong. */
bool	sources_environment(struct settings *s, char *why);
/* A secret must not go on to the tree: overwrite and remove the variables that hold one. */
void	sources_forget(const struct cli_option *rows);

#endif

/*
 * start.h - one helper as it will be executed: between wire.c, which says with what, and helpers.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_START_H
#define CF_SPAWN_START_H

#include "spawn.h"

#define ARGS_MAX	(256 + 4 * CAPTURE_FILES_MAX)
#define FIRST_EXTRA_FD	3	/* descriptors that options name are 3, 4, ... */
#define EXTRA_FDS_MAX	(12 + 2 * CAPTURE_FILES_MAX)

struct kind {
	const char	*name;		/* in messages */
	const char	*program;	/* in paths_libexec; NULL: started later, by us (watcher.c) */
	bool		 jailed;	/* in the empty namespace */
};
extern const struct kind	kinds[HELPER_KINDS];	/* helpers.c */

/* One helper as it will be executed. */
struct start {
	const char	*command;	/* of the user's, in place of a program; else NULL */
	enum helper_kind kind;
	bool		 wanted;
	int		 program_fd;
	int		 in, out;	/* its standard input and output */
	int		 extra[EXTRA_FDS_MAX];
	unsigned	 nextra;
	char		*argv[ARGS_MAX];
	unsigned	 argc;
	bool		 jailed;
	unsigned long long keep;	/* capabilities */
};

/* Does the run have it?  The command line that the user has given in its place; NULL: none. */
bool		 kind_wanted(enum helper_kind, const struct conf *);
const char	*kind_command(enum helper_kind, const struct conf *);

/*
 * Make all channels and arguments: those of start are the caller's to close and free, the ends that
 * cf-spawn keeps are in the helpers.  program_fd of each is left to the caller.
 */
void	wire(struct start[HELPER_KINDS], struct helpers *, const struct conf *, const struct texts *);

#endif

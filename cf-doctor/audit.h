/*
 * audit.h - `cf-doctor audit`: what each program may do, from the tables that it enforces.
 *
 *	audit.c		which programs, and what each of them says about itself
 *	auditrun.c	that, from the program
 *	auditread.c	is it what it should be? (pure)
 *	audittext.c	for a terminal
 *	needed.c		what a program links
 *
 * A program says it with --audit (shared/sandbox_audit.c), so there is no second list that could
 * differ from what is enforced.  What it says is checked member by member before any of it is
 * used: it may be another program than we think.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_AUDIT_H
#define CF_AUDIT_H

#include <jansson.h>
#include <stdio.h>

extern const char	paths_bin[];	/* where cf-spawn is (paths.c) */

#define AUDIT_WHY	256

/* What follows "audit" on the command line, with that as argv[0].  Returns the exit status. */
int	audit_main(int argc, char **argv);

/*
 * What a program prints when asked, in memory from malloc().  NULL and why: it is not there, says
 * too much, takes too long, or ends badly.
 */
char	*audit_run(const char *path, size_t *len, char why[AUDIT_WHY]);
extern int	audit_limit;		/* ms that it may take: 5000 */

/* NULL and why where it is not what `program` should say. */
json_t	*audit_read(const char *text, size_t len, const char *program, char why[AUDIT_WHY]);

/* One program, as cf-doctor(1) has its members. */
void	 audit_print(FILE *, const json_t *program);

#endif

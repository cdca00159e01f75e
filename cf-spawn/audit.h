/*
 * audit.h - what cf-spawn says with --audit besides its own roles: the tree's filter, and how it
 * starts the helpers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_AUDIT_H
#define CF_SPAWN_AUDIT_H

void	audit_asked(int argc, char *const *argv);	/* first in main() */

/* ,"tree":{...} and ,"starts":[...], from the tables of treefilter.c and helpers.c. */
void	treefilter_audit(void);
void	helpers_audit(void);

#endif

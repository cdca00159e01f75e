/*
 * netns.h - go into a network namespace that somebody else made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_NETNS_H
#define CF_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

struct netns {
	int	fd;		/* of the namespace */
	pid_t	pid;		/* by whom it was named; 0: by a file */
};

/*
 * what: the number of a process, a file (/proc/N/ns/net, what a bind mount keeps), or a name below
 * /run/netns.  Ends the process where there is none.
 */
void	netns_find(struct netns *, const char *what);
/*
 * Go there, and where that takes it first into the user namespace that owns it: whoever made that
 * one has all rights in it.  Ends the process where it is not permitted.
 */
void	netns_enter(const struct netns *, const char *what);
/* Of all rights that came with it, none is needed any more. */
void	netns_drop_rights(void);
/* A descriptor that can be read when the process has ended; -1: it has. */
int	netns_pidfd(pid_t);
/* A process in the namespace that is not this one, or 0: the last one has gone. */
pid_t	netns_process(const struct netns *, pid_t but);

#endif

/*
 * pipes.h - programs of the user's in a helper's place: the options, and how they are started.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PIPES_H
#define CF_PIPES_H

#include <stdbool.h>

struct conf;

struct pipes {			/* command lines for sh(1); NULL: not given */
	const char	*proxy;		/* --proxy-helper */
	const char	*dns;		/* --dns-helper */
	const char	*capture;	/* --capture-helper */
};

#define PIPES_ROWS									\
	{ 0,   "proxy-helper",	 "COMMAND",	pipes_proxy,				\
	  "its network is the tree's: 'ssh bastion cf-proxy'" },			\
	{ 0,   "dns-helper",	 "COMMAND",	pipes_dns,				\
	  "it answers the tree's names: 'ssh bastion cf-dns'" },			\
	{ 0,   "capture-helper", "COMMAND",	pipes_capture,				\
	  "it takes the tree's packets, in place of --capture" }

bool	pipes_proxy(void *, const char *, char *);
bool	pipes_dns(void *, const char *, char *);
bool	pipes_capture(void *, const char *, char *);

/* All options have been read: do they go together?  Ends the process where they do not. */
void	pipes_finish(const struct conf *);

/* Is there any? */
bool	pipes_any(const struct conf *);
/* Is cf-proxy's own dialler needed? */
bool	pipes_want_dialler(const struct conf *);
/* What cf-dns has behind it in place of that; NULL: the dialler. */
const char *pipes_behind_dns(const struct conf *);
/* Does this run ask the resolvers of the host's resolv.conf? */
bool	pipes_ask_host(const struct conf *);

/*
 * In the new process: become the command, with the channel as standard input and output.  It is a
 * program of the caller's and gets his rights, his environment and a session of its own.
 */
_Noreturn void	pipes_become(const char *command, int channel);

#endif

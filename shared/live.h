/*
 * live.h - with -v, one line an event on stderr, for who watches a run:
 *
 *	[childflow] 12:34:56 TCP  ALLOWED  203.0.113.10:443 (www.example.test) curl[4711]
 *
 * A line that was said before comes again with [seen Nx], when it was seen 2, 4, 8, ... times; with
 * -vv, each time.  What is in it may be of the tree or of a server: it leaves as text that does
 * nothing to a terminal.  Colours only where live_init() says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LIVE_H
#define CF_LIVE_H

#include <stdbool.h>
#include <stddef.h>

enum live_verdict { LIVE_PLAIN, LIVE_GOOD, LIVE_BAD, LIVE_FAILED };

/* Before the seal: it reads the time zone. */
void	live_init(bool color);
/* Is anybody watching? */
bool	live_wanted(void);
/*
 * kind: "TCP"; word: "ALLOWED"; what: by which it is told whether it was seen before; detail: more
 * that is not, "" where there is none.
 */
void	live_say(enum live_verdict, const char *kind, const char *word, const char *what,
	    const char *detail);

#endif

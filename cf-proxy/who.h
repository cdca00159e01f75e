/*
 * who.h - which process opened a flow: asked of cf-spawn's watcher before the flow is judged.
 *
 * The tree's connect(2) waits meanwhile, so the process that made it is still there and has
 * still the socket; what is not known within WHO_WAIT_MS stays unknown, and is never guessed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_WHO_H
#define CF_PROXY_WHO_H

#include <uv.h>

#include "chan.h"

#define WHO_WAIT_MS	1000	/* a machine under load may not get to it for as long */
#define WHO_WAITING_MAX	4096	/* flows that wait for it; more are not asked about */

/* A process as events tell of it; the strings are of whoever runs there. */
struct who {
	struct msg_whose ids;		/* ids.pid is not 0 */
	char		 comm[MSG_COMM_MAX + 1];
	char		 exe[MSG_EXE_MAX + 1];	/* "": not known */
};

struct whochan;

/* who: NULL where it is not known; only until the call returns. */
typedef void	(*who_known)(void *arg, uint64_t flow, const struct msg_open *,
		    const struct who *);

/* Before the seal.  Ends the process where it cannot. */
struct whochan	*whochan_open(uv_loop_t *, int fd, void *arg, who_known);
/* After the seal. */
void		 whochan_hello(struct whochan *);
/*
 * Ask; on_known comes later, or before this returns where nobody can be asked.  A flow that is
 * given up meanwhile is told of with whochan_drop(): true where it was waiting.
 */
void		 whochan_ask(struct whochan *, uint64_t flow, const struct msg_open *);
bool		 whochan_drop(struct whochan *, uint64_t flow, struct msg_open *out);
/* All that wait are dropped, one by one. */
bool		 whochan_drop_any(struct whochan *, uint64_t *flow, struct msg_open *out);

#endif

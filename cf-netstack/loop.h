/*
 * loop.h - cf-netstack at run time: the loop, the channels, and the end of a run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_LOOP_H
#define CF_LOOP_H

#include "stack.h"

/* Descriptors of the command line; -1 for none. */
struct loop_fds {
	int	spawn_r, spawn_w;	/* standard input and output */
	int	proxy, dns, capture, tun;
};

/* A channel in the loop. */
#define ENDS_MAX	4
struct end {
	struct chan	*chan;
	void		 (*on_end)(struct chan *, const char *why);
	bool		 full;		/* waits for room to write */
	bool		 ended;		/* on_end was called */
};

struct loop {
	struct stack	*stack;		/* whose epoll_fd has all */
	int		 chans_fd;	/* an epoll with the channels alone */
	struct end	 ends[ENDS_MAX];
	size_t		 n_ends;
	bool		 serving;	/* packets are taken, and host ends looked after */
	bool		 stop;		/* the end of loop_run() */
	bool		 finishing;	/* FINISH has come, FINISHED has not gone */
	bool		 empty;		/* ... and no process of the tree is left */
	uint64_t	 progress, progress_at;	/* of what is still delivered */
	uint64_t	 drain_from;	/* when FINISH came */
	struct timer	 drain;		/* looks whether there is progress */
	bool		 cut_off;	/* a helper has gone: nothing is served any more */
	bool		 greeted;	/* our HELLO to cf-spawn is out */
	int		 status;	/* of the process */
};

/*
 * Take the descriptors over and build all that needs system calls which the seal forbids.
 * Ends the process on failure.
 */
void	loop_open(struct loop *, struct stack *, const struct loop_fds *);
/* After the seal: HELLO to all we depend on, then run to the end of the channel to cf-spawn. */
int	loop_run(struct loop *);

/* chans.c */
void	chans_open(struct loop *, const struct loop_fds *);
void	chans_start(struct loop *);
/* Each turn: say HELLO or FINISHED when its time has come. */
void	chans_turn(struct loop *);
/* loop.c: serve this channel; on_end is called once, why is NULL when the peer closed it. */
void	loop_watch(struct loop *, struct chan *, void (*on_end)(struct chan *, const char *why));
/* Read the clock into stack->now. */
void	loop_clock(struct stack *);

/* Every table of this program, in the order of -n. */
extern const struct sandbox_row *const netstack_sandbox[];
extern const struct sandbox_role netstack_role;

#endif

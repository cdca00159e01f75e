/*
 * run.h - one run, as the files that lead it share it: run.c (the phases), watch.c (the loop),
 * signals.c, stack.c (cf-netstack), failure.c (how it ends too early).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RUN_H
#define CF_RUN_H

#include <time.h>

#include "spawn.h"

enum state { STARTING, RUNNING, FINISHING, FINISHED };

/*
 * A run that is shorter does not follow resolv.conf: the end of an inotify descriptor takes the
 * kernel some 10 ms, which is as long as all the rest.
 */
#define FOLLOW_AFTER_MS	500

struct run {
	const struct conf	*conf;
	struct identity		 id;
	struct texts		 texts;
	struct helpers		 helpers;
	struct child		 child;
	pid_t			 init_pid;	/* of --seal pid; 0: not yet, or never; -1: ended */
	struct chan		*control;	/* to cf-netstack */
	struct tcp_choice	 tcp;
	struct control		 told;		/* to helpers that are told of changes */
	unsigned		 generation;	/* of the rules, that was compiled last */
	struct follow		 follow;
	bool			 follows;	/* resolv.conf is followed, or cannot be */
	long			 look_at;	/* ms since began: read resolv.conf again; 0: no need */
	bool			 looked;	/* it was of no use then */
	int			 signal_fd;
	int			 exit_fd;	/* -1: none, or it has come to its end */
	long			 kill_at;	/* ms since began: the command was to end; 0: no need */
	struct joins		 joins;
	sigset_t		 caller_mask;
	struct timespec		 began;

	enum state		 state;
	bool			 have_tun, ready;	/* both: the command may start */
	bool			 command_ended, hurry;
	bool			 alone;			/* --wait waits for nobody: --exit-fd has ended */
	int			 code;			/* our status so far */
	const char		*reason;		/* and why, for --status-fd */
	char			 detail[256];
};

/* ---- run.c ---- */

long		 run_ms_since(const struct timespec *);
/* With -vv: how far the run is, and when. */
void		 run_step(const struct run *, const char *what);

/* ---- watch.c ---- */

/* One turn: wait for something to happen, at most ms (-1: for ever), and see to it. */
void		 watch_turn(struct run *, int ms);

/* ---- signals.c ---- */

/* From here on they come by signal_fd; the mask of our caller is kept for the command. */
void		 signals_take(struct run *);
void		 signals_read(struct run *);
/* Reap what is ours: the command, helpers, and orphans of the tree. */
void		 signals_children(struct run *);

/* ---- reload.c ---- */

/* SIGHUP, with files of rules. */
void		 reload(struct run *);
/* For control_open(); arg is the run. */
void		 reload_done(void *arg, const struct generation *);

/* ---- stack.c ---- */

/* What could not be sent before goes now; true: there is more.  In between others may take theirs. */
bool		 stack_again(struct run *);
/* Its channel, and our HELLO. */
void		 stack_open(struct run *);
/* The TUN; tun_fd is closed. */
void		 stack_tun(struct run *, int tun_fd, unsigned offloads);
/* The command has ended.  empty: and so has all of its tree. */
void		 stack_finish(struct run *, bool empty);
void		 stack_read(struct run *);

/* ---- failure.c: none of these returns ---- */

/* End the run with `code`; why has been said, and may stand in detail. */
_Noreturn void	 failure_end(struct run *, int code, const char *reason);
/* A step of the set-up did not work: "make user namespaces", errno. */
_Noreturn void	 failure_setup(struct run *, const char *what, int err);
/* A helper has ended, or cf-netstack has closed its channel. */
_Noreturn void	 failure_helper(struct run *);
/* One speaks, but not the protocol. */
_Noreturn void	 failure_garbage(struct run *, const char *who, const char *why);
/* The helper that others may have followed: one that was killed or stopped, else one that ended badly. */
const struct helper *failure_first(const struct helpers *);
/* How it ended, as messages and --status-fd say it; and what helps, as a message ends. */
void		 failure_how(const struct helper *, char *how, size_t len);
const char	*failure_hint(const struct helper *);

#endif

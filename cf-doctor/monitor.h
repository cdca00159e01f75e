/*
 * monitor.h - `cf-doctor monitor`: a full-screen table of flows, from a log that goes on or one
 * that is complete.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_MONITOR_H
#define CF_MONITOR_H

#include "flowtable.h"
#include "sandbox.h"

struct monitor_conf {
	const char	*file;		/* the log; "-" or NULL: standard input */
	const char	*term;		/* the terminal's type; NULL: as TERM says */
	int		 tty_fd;	/* the terminal; -1: the one that controls the caller */
	bool		 leave;		/* at the end of the log, and do not wait for q */
	bool		 no_color;
};

/* The exit status. */
int	monitor_run(const struct monitor_conf *);
extern const struct sandbox_row *const	monitor_sandbox[];
extern const struct sandbox_role	monitor_role;

/* ---- screen.c: the table on a terminal, by ncurses ---- */

struct view {
	enum row_order	 order;
	size_t		 first;		/* row at the top */
	char		 want[64];	/* only rows that have this */
	bool		 typing;	/* it is being typed */
	bool		 frozen, ended, quit;
	const char	*source;	/* what is shown */
};

/* Take the terminal; ends the process where its type is not known. */
void	screen_open(int tty_fd, const char *term, bool no_color);
void	screen_close(void);
void	screen_draw(const struct flowtable *, struct view *);
/* Take the keys that were pressed; true where there were any. */
bool	screen_keys(struct view *);

extern const struct sandbox_row	screen_rows[];

#endif

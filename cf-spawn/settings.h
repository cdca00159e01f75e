/*
 * settings.h - what was asked for, by whom: profiles, environment and command line merged.
 *
 * A source is a layer.  Layers come in order, parents of profiles first, the command line
 * last, and what a layer says about an option replaces all that earlier ones said about
 * it, lists as a whole; within a layer a list grows.  Each value remembers where it was
 * written.  Only at the end do the values go to the rows' functions, once, in the order
 * in which they were put: so no row needs to know how to undo what it did.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SETTINGS_H
#define CF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli.h"

#define SETTINGS_WHY	2048

enum from { FROM_PROFILE, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

struct origin {
	enum from	 from;
	const char	*file;		/* of a profile; outlives the settings */
	unsigned	 line, column;
};

struct setting_value {
	char		*text;		/* NULL: of a switch */
	struct origin	 origin;
	unsigned	 order;
};

struct setting {
	const struct cli_option *row;
	unsigned	 layer;		/* that spoke last; 0: none has */
	struct origin	 origin;	/* of its word, also where that was "off" or [] */
	struct setting_value *value;
	size_t		 n, room;
};

/* May look at a value, and change its spelling: a new text, or NULL for "as it is". */
typedef char	*(*settings_normal)(const struct cli_option *, const char *text);
/* Is this value, which was not written on the command line, as it should be? */
typedef bool	(*settings_check)(const struct cli_option *, const char *text, char *why);

struct settings {
	const struct cli_option *rows;
	struct setting	*at;		/* one a row, and the command behind them */
	size_t		 nrows;
	unsigned	 layer, order;
	settings_normal	 normal;	/* or NULL */
	settings_check	 check;		/* or NULL */
};

/* The command of a profile or of the command line is a setting too; its row has no function. */
extern const struct cli_option	settings_command;

/* False: out of memory. */
bool	settings_init(struct settings *, const struct cli_option *rows);
void	settings_done(struct settings *);
/* What is put from now on comes from another source, which is above all earlier ones. */
void	settings_layer(struct settings *);
/* text: NULL for a switch; copied.  False: out of memory. */
bool	settings_put(struct settings *, const struct cli_option *, const char *text,
	    const struct origin *);
/* The same, but what earlier layers said stays too. */
bool	settings_add(struct settings *, const struct cli_option *, const char *text,
	    const struct origin *);
/* As if nobody had said anything about it: false, [] and --no-OPTION. */
void	settings_clear(struct settings *, const struct cli_option *, const struct origin *);
struct setting	*settings_find(const struct settings *, const struct cli_option *);
struct setting	*settings_find_name(const struct settings *, const char *name);
/* Hand all to the rows' functions.  False and why (SETTINGS_WHY bytes): which value, and why. */
bool	settings_apply(const struct settings *, void *conf, char *why);

/* "/etc/childflow/base.toml:3", "CF_DNS", "command line". */
const char	*settings_origin(const struct cli_option *, const struct origin *, char *buf,
		    size_t len);

/* ---- settings_dump.c ---- */

/*
 * As a profile, with the origin of each value in a comment; it can be read back.  secrets:
 * also those.  NULL, or why not.
 */
const char	*settings_dump(const struct settings *, bool secrets, FILE *);

/* ---- tighten.c ---- */

/*
 * Let a source that is not trusted have its word: only what takes away from what may leave,
 * by the column of that name.  False: why says which key wanted more.
 */
bool	settings_tighten(struct settings *, const struct settings *untrusted, char *why);
/* Is what no rule names refused, as things stand? */
bool	settings_default_deny(const struct settings *);

#endif

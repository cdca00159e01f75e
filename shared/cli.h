/*
 * cli.h - the command line of a program as one table.
 *
 * The table makes the parser and --help, so the two cannot differ.  Parsing stops at the
 * first word that is no option, as env(1) and nice(1) do.  A program that also reads
 * profiles and the environment takes their keys and variables from the same rows: an
 * option has both because it is in the table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CLI_H
#define CF_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define CLI_WHY_LEN	256

/*
 * Take an option: arg is its value (NULL for a switch), conf the caller's struct.
 * false and a reason in why (CLI_WHY_LEN bytes) when the value is not usable.
 */
typedef bool	(*cli_set)(void *conf, const char *arg, char *why);

enum {
	CLI_LIST = 1,		/* may be repeated and every value counts; else the last does */
	CLI_COUNT = 2,		/* a switch that counts how often it was given */
	CLI_SECRET = 4,		/* not dumped, not passed on to the tree, wiped from argv */
	CLI_NO_KEY = 8,		/* not for profiles: it says which of them are read */
	CLI_NOW = 16,		/* acts at once (--help): no key, no variable, no --no- form */
	CLI_ADD = 32,		/* a list to which a later source adds, where others replace it */
	CLI_EARLY = 64		/* known as soon as the command line has it: messages go there */
};

/* What a profile that is not trusted may do with an option; all else is refused to it. */
enum cli_tightens {
	CLI_NEVER = 0,
	CLI_TO_ON,		/* switch it on */
	CLI_TO_OFF,		/* switch it off */
	CLI_TO_DENY,		/* set it to "deny" */
	CLI_TO_MORE,		/* add to the list */
	CLI_TO_FEWER		/* take from the list, or make it where all was allowed */
};

/* A row may end after its help: what follows is zero where nothing is special. */
struct cli_option {
	char		 letter;	/* 0: only a long name */
	const char	*name;		/* long name without dashes; NULL ends the table */
	const char	*value;		/* what --help calls the value; NULL: a switch */
	cli_set		 set;
	const char	*help;		/* one line; NULL: hidden from --help */
	unsigned	 flags;
	enum cli_tightens tightens;
	const char	*key;		/* in profiles, where it is not the name with '_' for '-' */
};

/* A page of --help. */
struct cli_group {
	const char	*name;		/* NULL: the first, which repeats what is used most */
	const char	*about;		/* one line; NULL ends the table */
	const char	*options;	/* their names, a space between; NULL: all that no other has */
};

struct cli {
	const char	*name;		/* of the program */
	const char	*usage;		/* what follows the name: "[options] -- CMD [ARG ...]" */
	const char	*about;		/* one sentence */
	const struct cli_option	*options;
	bool		 negatable;	/* --no-OPTION takes back what was said about it before */
	const struct cli_group	*groups;	/* NULL: one page has all */
};

/*
 * Returns the index of the first operand.  A bad option prints one line and ends the
 * process with usage_status.  -h/--help and -V/--version are not special: rows call
 * cli_help() and cli_version().
 */
int	cli_parse(const struct cli *, void *conf, int argc, char **argv, int usage_status);
/* The same, but each option goes to take instead of its row's set. */
typedef bool	(*cli_take)(void *ctx, const struct cli_option *, const char *arg, bool negated,
		    char *why);
int	cli_walk(const struct cli *, cli_take, void *ctx, int argc, char **argv,
	    int usage_status);
void	cli_help(const struct cli *);		/* on stdout; of the group that the next word names */
void	cli_version(const struct cli *);	/* on stdout */

/* ---- cli_help.c: the same rows as text ---- */

void	cli_help_on(const struct cli *, const char *word);	/* NULL: the first page */
bool	cli_in_group(const struct cli *, const struct cli_group *, const struct cli_option *);

/* ---- cli_key.c: the same rows as keys of a profile and as variables ---- */

#define CLI_NAME_LEN	64

/* What the value of a row is, in a profile. */
enum cli_kind { CLI_SWITCH, CLI_COUNTER, CLI_NUMBER, CLI_AMOUNT, CLI_PATH, CLI_TEXT };
enum cli_kind	 cli_kind(const struct cli_option *);

bool		 cli_has_key(const struct cli_option *);
bool		 cli_has_variable(const struct cli_option *);
const char	*cli_key(const struct cli_option *, char buf[CLI_NAME_LEN]);
const char	*cli_variable(const struct cli_option *, char buf[CLI_NAME_LEN]);	/* CF_... */
/* NULL: no row has it. */
const struct cli_option	*cli_by_key(const struct cli_option *, const char *key);
/* The key that was probably meant (in buf), or NULL. */
const char	*cli_key_meant(const struct cli_option *, const char *word, char buf[CLI_NAME_LEN]);
/* The long option that was perhaps meant by this word; NULL: none is like it. */
const char	*cli_name_meant(const struct cli_option *, const char *word);
/* "true", "yes", "on", "1" and their opposites. */
bool		 cli_boolean(const char *text, bool *out, char *why);

/* ---- parts that rows share ---- */

bool	cli_number(const char *arg, long least, long most, long *out, char *why);

/*
 * Each puts an option's value, or that it was given, into one field; false and why as above.
 * CLI_SET(options, log_fd, cli_fd) makes a row's set_log_fd() of one, for a caller's
 * struct options with a field log_fd; a program may have more of their kind.
 */
bool	cli_true(const char *arg, bool *out, char *why);
bool	cli_text_or_json(const char *arg, bool *json, char *why);
bool	cli_count(const char *arg, int *out, char *why);	/* how often it was given */
bool	cli_fd(const char *arg, int *out, char *why);		/* none of the standard ones */

#define CLI_SET(type, field, take)						\
static bool									\
set_##field(void *conf, const char *arg, char *why)				\
{										\
	return take(arg, &((struct type *)conf)->field, why);			\
}

/* set_help() and set_version() of a program with one struct cli, which is declared before. */
#define CLI_SET_TOLD(cli)							\
static bool									\
set_help(void *conf, const char *arg, char *why)				\
{										\
	(void)conf, (void)arg, (void)why;					\
	cli_help(&cli);								\
	exit(0);								\
}										\
static bool									\
set_version(void *conf, const char *arg, char *why)				\
{										\
	(void)conf, (void)arg, (void)why;					\
	cli_version(&cli);							\
	exit(0);								\
}

/*
 * What every helper has: set_print() for -n (bool print), set_verbose() for -v (int verbose),
 * and those for -h and -V.  The rows are the program's, which says in them what -n prints.
 */
#define CLI_SET_HELPER(type, cli)						\
CLI_SET(type, print, cli_true)							\
CLI_SET(type, verbose, cli_count)						\
CLI_SET_TOLD(cli)

#endif

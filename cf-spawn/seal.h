/*
 * seal.h - what the tree may reach besides the network: options and parts.
 *
 * Without an option only what undoes the network namespace is closed: descriptors that
 * lead out of it (fds.c), kinds of sockets that it does not contain (treefilter.c), sockets
 * that answer names (mounts.c).  Where something is refused to the tree (seal_restricted),
 * sockets that start processes outside are covered too (sockets.c).  The rest is asked
 * for, part by part.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SEAL_H
#define CF_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#define SEAL_LIST_MAX	64

/* Parts of --seal. */
enum { SEAL_PID = 1, SEAL_IPC = 2, SEAL_SOCKETS = 4, SEAL_FILES = 8, SEAL_ENV = 16, SEAL_ALL = 31 };

struct seal {
	unsigned	 parts;
	int		 keep_fd[SEAL_LIST_MAX];
	size_t		 nkeep;
	const char	*allow_socket[SEAL_LIST_MAX];
	size_t		 nallow;
	const char	*writable[SEAL_LIST_MAX];
	size_t		 nwritable;
};

/* What mounts.c puts an empty file or directory over. */
struct covers {
	char		**path;
	size_t		 n;
};

/* Rows for the table of options; see cli.h for the columns. */
#define SEAL_ROWS									\
	{ 0, "keep-fd",		 "N",		seal_set_keep_fd,			\
	  "pass descriptor N on, wherever it leads (repeatable)", CLI_LIST },		\
	{ 0, "seal",		 "LIST",	seal_set_parts,				\
	  "close more than the network: " SEAL_PARTS, CLI_LIST, CLI_TO_MORE },		\
	{ 0, "allow-socket",	 "FILE",	seal_set_allow_socket,			\
	  "leave this socket open where sockets are covered (repeatable)", CLI_LIST },	\
	{ 0, "strict",		 NULL,		seal_set_strict,			\
	  "--seal with all of it", 0, CLI_TO_ON },					\
	{ 0, "writable",	 "DIR",		seal_set_writable,			\
	  "with --seal files: leave this directory writable (repeatable)", CLI_LIST }

#define SEAL_PARTS	"pid, ipc, sockets, files, env"

bool	seal_set_parts(void *, const char *, char *);
bool	seal_set_allow_socket(void *, const char *, char *);
bool	seal_set_strict(void *, const char *, char *);
bool	seal_set_writable(void *, const char *, char *);
bool	seal_set_keep_fd(void *, const char *, char *);

struct conf;
struct identity;

/* Is anything refused to the tree, so that a way around would matter? */
bool	seal_restricted(const struct conf *);
/* What is in force, one by one: "keep-fd=5". */
void	seal_controls(const struct conf *, void (*say)(void *arg, const char *control),
	    void *arg);

/* ---- fds.c ---- */

/*
 * Of what we inherited, let the command inherit what leads nowhere.  Ends the process where
 * a standard descriptor would be a way around what is refused.
 */
void	fds_keep(const struct conf *);
/* Ends the process where the limit of open files would fail it later. */
void	fds_check(const struct conf *);
/* The same for 0, 1 and 2 alone. */
void	fds_keep_standard(const struct conf *);

/* ---- sockets.c ---- */

/* Where sockets are to be covered: which, into conf->covers. */
void	sockets_find(struct conf *, const struct identity *);
/* Paths that stay open; NULL behind the last. */
const char *sockets_harmless(size_t i);

/* ---- aliases.c ---- */

/* Each other path of the same file. */
void	aliases_find(const char *path, void (*found)(void *arg, const char *alias), void *arg);

/* ---- in the child, each for its part: env.c, files.c, ipc.c, init.c, landlock.c ---- */

void	env_drop(const struct conf *);
/* -1, errno and *what.  directory: the working directory; NULL where it has no name. */
int	files_seal(const struct conf *, const char *directory, const char **what);
int	ipc_seal(const struct conf *, const char **what);
/* Once there are no new privileges.  -1, errno. */
int	landlock_seal(const struct conf *);
/* Returns in the process that goes on to be the command. */
void	init_start(int fd, const struct conf *, const struct identity *);

#endif

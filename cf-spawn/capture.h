/*
 * capture.h - what the options of a capture ask for, and where it goes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_CAPTURE_H
#define CF_SPAWN_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

#define CAPTURE_FILES_MAX	128	/* that are written in turns; of cf-capture, which may have two such */
#define CAPTURE_ARGS_MAX	32

struct conf;
struct identity;

/* -C: where packets are looked at. */
enum capture_point { POINT_CHILD, POINT_EGRESS, POINT_WIRE, POINT_BOTH };

/* A file of the record, opened by us; the tree must not be able to write there. */
struct capture_file {
	char		*path;		/* NULL: it has none (a pipe, standard output) */
	int		 fd;
};

struct capture {
	const char	*filter, *snaplen, *rotate;	/* as they were written; NULL: not given */
	bool		 segment, drop;
	long		 keep;		/* files in turn; 0: it does not rotate */
	enum capture_point point;
	bool		 keys;		/* --capture-keys */
	int		 keys_fd;	/* both ends of the FIFO */
	char		 keys_path[64];	/* "": there is none */
	bool		 on_stdout;
	/* Those of the tree's view first, then those of the host's (egress). */
	struct capture_file file[2 * CAPTURE_FILES_MAX];
	size_t		 n_files, n_child;
	char		 egress_name[16];	/* the host's interface to the internet; "": there is none */
	char		 egress_addr[2][ADDR_STRLEN];	/* of each family; "": none */
};

/* Rows of the table of options.c, which puts its struct conf in. */
#define CAPTURE_ROWS									\
	{ 'c', "capture",	"FILE",		capture_set_file,			\
	  "write packets to FILE (pcapng; -: standard output)" },		\
	{ 'C', "capture-point",	"child|egress|both|wire-egress",capture_set_point,			\
	  "see them there (child; both: in two files)" },\
	{ 0,   "capture-filter", "EXPR",	capture_set_filter,			\
	  "only packets that match (pcap-filter(7))" },					\
	{ 0,   "snaplen",	"N",		capture_set_snaplen,			\
	  "keep the first N bytes of each packet (0: all)" },				\
	{ 0,   "capture-segment", NULL,		capture_set_segment,			\
	  "cut offloaded packets to those that a wire would carry" },			\
	{ 0,   "capture-keys",	NULL,		capture_set_keys,			\
	  "put the secrets of the tree's TLS into the file (SSLKEYLOGFILE)" },		\
	{ 0,   "capture-rotate", "SIZE|SECONDS", capture_set_rotate,			\
	  "begin another file after so much, or so long" },				\
	{ 0,   "capture-keep",	"N",		capture_set_keep,			\
	  "so many files, written in turns (10)" },					\
	{ 0,   "capture-overflow", "block|drop", capture_set_overflow,			\
	  "where the file is slow: the tree waits (block), or packets are left out" }

bool	capture_set_file(void *, const char *, char *);
bool	capture_set_point(void *, const char *, char *);
bool	capture_set_filter(void *, const char *, char *);
bool	capture_set_snaplen(void *, const char *, char *);
bool	capture_set_segment(void *, const char *, char *);
bool	capture_set_keys(void *, const char *, char *);
bool	capture_set_rotate(void *, const char *, char *);
bool	capture_set_keep(void *, const char *, char *);
bool	capture_set_overflow(void *, const char *, char *);

/* Do they fit together?  Ends the process where not. */
void	capture_check(struct conf *);
/* Open the files with the caller's rights; ends the process where one cannot be. */
void	capture_open(struct conf *, const struct identity *);
/* What the command's environment has of it. */
void	capture_environment(const struct conf *);
/* The run has ended: nothing of it stays but the files. */
void	capture_close(struct conf *);
/* How many bytes of a packet cf-capture needs to see; 0: all. */
long	capture_needs(const struct conf *);
/* Is it the host's interface that is looked at?  Then cf-capture stands outside. */
bool	capture_is_wire(const struct conf *);
/* What -C was given, or would have been. */
const char	*capture_point_name(const struct capture *);
/* The name of a view's file before it is numbered: "child", "egress". */
bool	capture_view_path(const struct conf *, const char *view, char *out, size_t len);
/* What cf-capture is told of it, but for descriptors; returns how many words. */
size_t	capture_args(const struct conf *, const char *args[CAPTURE_ARGS_MAX]);

#endif

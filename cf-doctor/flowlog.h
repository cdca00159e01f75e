/*
 * flowlog.h - `cf-doctor report`: a whole flow log, counted and told.
 *
 *	file ── tally_feed() ──► struct tally ── logmodel_new() ──► object ──► text, Markdown, JSON, HTML
 *
 * The log may have been written by anybody; see summary.h for what that means.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FLOWLOG_H
#define CF_FLOWLOG_H

#include <jansson.h>
#include <stdbool.h>

#include "summary.h"

/* ---- logmodel.c ---- */

/* The object of childflow's JSON report with our keys behind; NULL when memory is out. */
json_t	*logmodel_new(const struct tally *, const char *path);

/* ---- logtext.c, logmark.c, loghtml.c: heap, NULL when memory is out ---- */

char	*logtext_render(const json_t *model);
char	*logmark_render(const json_t *model);
char	*loghtml_render(const json_t *model);

/* ---- logtable.c: the parts of a report as tables, for Markdown and HTML ---- */

enum cell { CELL_TEXT, CELL_NUMBER, CELL_BYTES, CELL_TEXTS, CELL_COUNTS, CELL_TARGETS };
struct column {
	const char	*head, *key;	/* key: of an object of the array */
	enum cell	 cell;
};
struct table {
	const char	*chapter;	/* "## DNS overview"; as the one before where it is the same */
	const char	*title, *key;	/* key: of the model */
	struct column	 column[8];	/* ends with a NULL head */
};
extern const struct table	tables[];	/* ends with a NULL title */

/* A cell's words; say: how its language has a string. */
void	 table_cell(FILE *, const json_t *row, const struct column *,
	    void (*say)(FILE *, const char *));
/* The array of a table; an object of numbers becomes one.  To be let go. */
json_t	*table_rows(const json_t *model, const struct table *);
/* Sentences that a reader should have seen first. */
void	 table_highlights(const json_t *model, FILE *, void (*say)(FILE *, const char *),
	    const char *before, const char *after);
/* "1.5 MiB" */
void	 table_bytes(FILE *, json_int_t);

/* ---- say.c: strings of strangers in three languages ---- */

#define SAY_MAX	1000		/* bytes of one string that are shown */

void	 say_text(FILE *, const char *);	/* for a terminal */
void	 say_mark(FILE *, const char *);	/* in a cell of a Markdown table */
void	 say_html(FILE *, const char *);	/* in an element or a quoted attribute */

/* ---- flowlog.c: the life of the process ---- */

enum flowlog_form { FLOWLOG_TEXT, FLOWLOG_MARKDOWN, FLOWLOG_JSON, FLOWLOG_HTML };
struct flowlog_conf {
	const char		*path;		/* "-": standard input */
	enum flowlog_form	 form;
	bool			 lenient;	/* count what is no event, and go on */
};
/* False: there is no such form. */
bool	 flowlog_form(const char *word, enum flowlog_form *out);
int	 flowlog_run(const struct flowlog_conf *);
/* Open the log as standard input; ends the process where that cannot be. */
void	 flowlog_open(const char *path);
/* From here on there are the log, the output and what the rows allow. */
void	 flowlog_seal(int *in_fd, int *out_fd, const struct sandbox_role *);
/* False: it could not be read to its end, or is no log; that has been said. */
bool	 flowlog_read(struct tally *, int fd, const char *path);
bool	 flowlog_write(int fd, const char *text);	/* all of it, or errno */
bool	 flowlog_print(int fd, const char *text);	/* the same, and it has been said */
extern const struct sandbox_row *const	flowlog_sandbox[];
extern const struct sandbox_role	flowlog_role;

#endif

/*
 * event.h - what happened, as one JSON line each, on descriptors that were inherited.
 *
 * The flow log needs no writer process: every program that sees something writes its
 * own whole lines.  Keys are sorted, the form is compact, and every line has
 * schema_version 1, ts_ms and event; the events and their fields are those of
 * childflow's flow log with ours added (cf-flowlog(5)).  An event is written before the frame
 * that makes its effect visible, so what the tree could see is in the log.
 *
 * A write holds whole lines and is no longer than PIPE_BUF, so lines of several programs do not
 * mix, in a pipe or in a file that is open for appending.  After a write that failed, this
 * process writes no more there: the part of a line that a full disk may have taken stays the
 * last of ours, and cf-spawn cuts it off at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_EVENT_H
#define CF_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "addr.h"
#include "jline.h"

#define EVENT_LINE_MAX	JLINE_MAX
#define EVENT_FDS	3	/* the flow log, who counts for the summary, and who shows them */
#define EVENT_LOST	3	/* exit status of a program that lost an event, and is well otherwise */

/* fd: where lines go, -1 for nowhere.  With -v (log_verbose) each is also said on stderr. */
void	event_init(int fd);
/* One more place; false where there are EVENT_FDS. */
bool	event_add(int fd);
/* The same for a pipe to a helper, whose end loses nothing of the log. */
bool	event_add_reader(int fd);
/* Is anybody interested?  Where not, callers need not build the object. */
bool	event_wanted(void);
/* Is there a place for lines? */
bool	event_logged(void);
/*
 * Write `fields` (an object; taken over) as an event.  text: the line for -v, or NULL.
 * A line that cannot be written is said once on stderr and makes event_lost() true.
 */
void	event_emit(const char *event, json_t *fields, const char *text);
/* The same, of fields that were built as a line already. */
void	event_line(const char *event, struct jline *fields);
bool	event_lost(void);
/*
 * Gather lines instead of writing each: they are written when they fill a write, and by
 * event_flush(), which is to be called before any frame leaves and before this process sleeps.
 */
void	event_gather(void);
void	event_flush(void);

/* Set remote_addr, remote_ip, remote_port in an object. */
void	event_set_remote(json_t *fields, const struct addr *remote);
/* A string that may be no UTF-8: bytes that are none become U+FFFD, so no line is lost. */
json_t	*event_text(const char *bytes, size_t len);

#endif

/*
 * event.h - what happened, as one JSON line each, on a descriptor that was inherited.
 *
 * The flow log needs no writer process: every program that sees something writes its
 * own whole line with one write(2).  Keys are sorted, the form is compact, and every
 * line has schema_version 1, ts_ms and event; the events and their fields are those of
 * childflow's flow log with ours added (cf-spawn(1)).  An event is written before the frame
 * that makes its effect visible, so what the tree could see is in the log.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_EVENT_H
#define CF_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "addr.h"

#define EVENT_LINE_MAX	4096	/* PIPE_BUF: a longer line would not be atomic in a pipe */

/* fd: where lines go, -1 for nowhere.  With -v (log_verbose) each is also said on stderr. */
void	event_init(int fd);
/* Is anybody interested?  Where not, callers need not build the object. */
bool	event_wanted(void);
/*
 * Write `fields` (an object; taken over) as an event.  text: the line for -v, or NULL.
 * A line that cannot be written is said once on stderr and makes event_lost() true.
 */
void	event_emit(const char *event, json_t *fields, const char *text);
bool	event_lost(void);

/* Set remote_addr, remote_ip, remote_port in an object. */
void	event_set_remote(json_t *fields, const struct addr *remote);
/* A string that may be no UTF-8: bytes that are none become U+FFFD, so no line is lost. */
json_t	*event_text(const char *bytes, size_t len);

#endif

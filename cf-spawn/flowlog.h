/*
 * flowlog.h - the flow log's file, and what cf-spawn itself writes there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_FLOWLOG_H
#define CF_SPAWN_FLOWLOG_H

struct conf;

enum failure_phase { PHASE_VALIDATE, PHASE_PREFLIGHT, PHASE_BOOTSTRAP, PHASE_RUN };

/* Before options are read: should the run fail from here on, it is recorded why. */
void	flowlog_watch_failures(const struct conf *);
/* Open --flow-log with the caller's rights.  Ends the process where it cannot be written. */
void	flowlog_open(struct conf *);
/* What fails from now on fails in this phase. */
void	flowlog_phase(enum failure_phase);
/* The run has failed; detail was said on stderr.  Once the helpers have ended. */
void	flowlog_failure(const struct conf *, const char *detail);
/* All who write have ended: a line that was not finished is cut off. */
void	flowlog_mend(const struct conf *);

#endif

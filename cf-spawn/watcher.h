/*
 * watcher.h - a process that knows whose a flow is (watcher.c), and its start.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_WATCHER_H
#define CF_SPAWN_WATCHER_H

struct helpers;
struct identity;
struct sandbox_row;

extern const struct sandbox_row *const watcher_sandbox[];
extern const struct sandbox_role	watcher_role;

/* Takes diag_fd over, and the channel's end that waits in helpers. */
void	watcher_start(struct helpers *, int diag_fd, unsigned ifindex, const struct identity *);

#endif

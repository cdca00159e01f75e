/*
 * chan_uv.h - a channel on a libuv loop.
 *
 * Frames that handlers queue during a turn of the loop leave together before it
 * sleeps; a peer that does not read is waited for without blocking the loop.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CHAN_UV_H
#define CF_CHAN_UV_H

#include <uv.h>

#include "chan.h"

struct chan_uv;

/*
 * Start reading and writing.  on_end is called once, with NULL when the peer closed
 * the channel and with the reason when it failed; nothing is read or written after.
 * The channel must outlive the loop's run.  NULL and errno when it cannot be watched.
 */
struct chan_uv	*chan_uv_start(uv_loop_t *, struct chan *,
		    void (*on_end)(struct chan *, const char *why));
/*
 * Called after each write with what could not be written in chan_backlog(): the place to
 * decide whether those who fill the channel must wait.
 */
void		 chan_uv_on_flush(struct chan_uv *, void (*)(struct chan *));
/*
 * Called before each write: the place to see to it that something else leaves first.
 */
void		 chan_uv_before_flush(struct chan_uv *, void (*)(struct chan *));
/* Stop and start reading: how a reader that is full makes the writer wait. */
void		 chan_uv_pause(struct chan_uv *, bool paused);
/*
 * No more comes from us, and all of it is written.  The peer's end is waited for, so that it is no
 * broken pipe for a program that still writes: on_end is called then, or after CHAN_LEAVE_MS.
 */
void		 chan_uv_leave(struct chan_uv *);
#define CHAN_LEAVE_MS	1000

#endif

/*
 * frame.h - cut a byte stream into frames, and check each against its row in msg.h.
 *
 * Pure.  The bytes are another process's: any length, any content.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FRAME_H
#define CF_FRAME_H

#include "msg.h"

struct frame {
	uint16_t	 type;
	uint16_t	 nfds;
	uint64_t	 flow;
	const uint8_t	*body;		/* borrowed from the buffer */
	uint32_t	 len;
};

/*
 * The first frame in buf, that `from` sent to `to`.  1: *out is filled and *used says
 * how many bytes it took.  0: not all of it is here yet.  -1: no frame that may
 * pass; *why says so in words, and the stream cannot be read any further.
 */
int	frame_next(const uint8_t *buf, size_t len, enum role from, enum role to,
	    struct frame *out, size_t *used, const char **why);

/* The header (MSG_HEADER_LEN bytes at out) of a frame whose body has len bytes. */
void	frame_header(uint8_t *out, enum msg_type type, unsigned nfds,
	    uint64_t flow, size_t len);

#endif

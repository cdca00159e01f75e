/*
 * capture.h - packets for cf-capture.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CAPTURE_FRAMES_H
#define CF_CAPTURE_FRAMES_H

#include "stack.h"

enum capture_direction { CAPTURE_IN = 1, CAPTURE_OUT = 2 };	/* into, out of the tree (epb_flags) */

/* Name the interface; once, after both have said HELLO. */
void	capture_begin(struct stack *);
/*
 * A packet as it passes the TUN.  Where the kernel would have completed its checksum, that is done
 * in the copy, so that the file shows what a wire would have carried.
 */
void	capture_packet(struct stack *, enum capture_direction, const struct virtio_net_hdr *,
	    const uint8_t *packet, size_t len);

/* The run ends: say what was left out since the last packet. */
void	capture_end(struct stack *);

/* With more than this waiting for cf-capture, the stack stops reading until half is gone. */
#define CAPTURE_BACKLOG_MAX	(8 << 20)

#endif

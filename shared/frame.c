/*
 * frame.c - see frame.h.
 *
 * A bad header is found as soon as its 16 bytes are there, not after the body that it
 * announces: an oversized length must not make anybody wait or allocate.
 *
 * SPDX-License-Identifier: MIT
 */
#include "frame.h"

int
frame_next(const uint8_t *buf, size_t len, enum role from, enum role to,
    struct frame *out, size_t *used, const char **why)
{
	struct rd r = rd_over(buf, len);
	struct frame f;

	if (len < MSG_HEADER_LEN)
		return 0;
	f.len = rd_le32(&r);
	f.type = rd_le16(&r);
	f.nfds = rd_le16(&r);
	f.flow = rd_le64(&r);
	*why = msg_check(f.type, f.len, f.nfds, from, to);
	if (*why != NULL)
		return -1;
	f.body = rd_take(&r, f.len);
	if (f.body == NULL)
		return 0;
	*out = f;
	*used = MSG_HEADER_LEN + f.len;
	return 1;
}

void
frame_header(uint8_t *out, enum msg_type type, unsigned nfds, uint64_t flow,
    size_t len)
{
	struct wr w = wr_over(out, MSG_HEADER_LEN);

	wr_le32(&w, (uint32_t)len);
	wr_le16(&w, (uint16_t)type);
	wr_le16(&w, (uint16_t)nfds);
	wr_le64(&w, flow);
}

/*
 * capture.c - packets for cf-capture, in PACKET frames.
 *
 * The reader of the channel is a program of ours that writes to a disk; when it is slow the
 * stack stops reading (loop.c), so that no packet is missing from the file.  With --capture-drop
 * it goes on, and packets are left out and counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "capture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINKTYPE_RAW	101
#define INTERFACE_NAME	"tun0"

void
capture_begin(struct stack *s)
{
	uint8_t body[MSG_INTERFACE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_interface_put(&w, &(struct msg_interface){ .linktype = LINKTYPE_RAW,
	    .snaplen = MSG_PACKET_MAX, .mtu = s->tun.mtu });
	chan_send(s->capture, MSG_INTERFACE, 0, body, sizeof(body), INTERFACE_NAME,
	    strlen(INTERFACE_NAME), -1);
}

static uint64_t
wall_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The field holds the sum of the pseudo header; the rest is added (virtio 5.1.6.2). */
static void
complete_checksum(uint8_t *copy, size_t copied, const uint8_t *packet, size_t len,
    const struct virtio_net_hdr *vh)
{
	size_t start = vh->csum_start, at = start + vh->csum_offset;
	struct wr w;

	if ((vh->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 || start > len || at + 2 > copied)
		return;
	w = wr_over(copy + at, 2);
	wr_be16(&w, ip_checksum(packet + start, len - start, 0));
}

void
capture_packet(struct stack *s, enum capture_direction direction,
    const struct virtio_net_hdr *vh, const uint8_t *packet, size_t len)
{
	uint8_t body[MSG_PACKET_LEN];
	struct wr w = wr_over(body, sizeof(body));
	size_t kept = s->capture_snaplen > 0 && s->capture_snaplen < len ? s->capture_snaplen : len;
	struct buf *b;

	if (s->capture_drop && chan_backlog(s->capture) > CAPTURE_BACKLOG_MAX) {
		s->capture_dropped += s->capture_dropped < UINT32_MAX;
		return;
	}
	if (len > MSG_PACKET_MAX || (b = buf_get(s)) == NULL)
		return;
	memcpy(buf_data(b), packet, kept);
	complete_checksum(buf_data(b), kept, packet, len, vh);
	msg_packet_put(&w, &(struct msg_packet){ .time = wall_clock(),
	    .orig_len = (uint32_t)len, .direction = direction,
	    .segment = vh->gso_type != VIRTIO_NET_HDR_GSO_NONE ? vh->gso_size : 0,
	    .dropped = s->capture_dropped });
	s->capture_dropped = 0;
	chan_send(s->capture, MSG_PACKET, 0, body, sizeof(body), buf_data(b), kept, -1);
	buf_put(s, b);
}

void
capture_end(struct stack *s)
{
	uint8_t body[MSG_DROPPED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	if (s->capture == NULL || s->capture_dropped == 0)
		return;
	wr_le32(&w, s->capture_dropped);
	s->capture_dropped = 0;
	chan_send(s->capture, MSG_DROPPED, 0, body, sizeof(body), NULL, 0, -1);
}

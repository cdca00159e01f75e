/*
 * tun_io.c - packets from and to the TUN, and the buffers they are in.
 *
 * In the epoll (loop.c) the TUN is level triggered, as it is read in bursts that may end before
 * it is empty; host ends are edge triggered, so no system call is made to arm or disarm them.
 *
 * The kernel takes a packet in our write() as far as the receiving socket of the child, so there is
 * no queue on that way and no EAGAIN; a write that fails is a packet lost.  What
 * the child sends waits in the device's queue (txqueuelen) and is dropped when that is full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tun_io.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "capture.h"
#include "log.h"

#define VNET_LEN	sizeof(struct virtio_net_hdr)	/* 10; no merged buffers on a TUN */
#define BURST		64		/* packets read before others have a turn */
#define POOL_KEEP	32		/* buffers kept when nobody needs them: 2 MiB */

_Static_assert(sizeof(struct virtio_net_hdr) == 10, "the TUN's header");

const struct sandbox_row tun_rows[] = {
	ALLOW(read,	"packets of the command tree from the TUN"),
	ALLOW(writev,	"packets to it, header and payload from where they lie"),
	ALLOW_ARG(ioctl, 1, FIONBIO, "a TUN that comes by message is never waited for"),
	ALLOW_ARG(ioctl, 1, TUNSETPERSIST, "leave the device to its namespace at the end"),
	{ 0 }
};

/* ---- buffers ---- */

struct buf *
buf_get(struct stack *s)
{
	struct buf *b = s->tun.pool;

	if (b != NULL) {
		s->tun.pool = b->next;
		s->tun.n_pool--;
		return b;
	}
	return malloc(sizeof(*b));
}

void
buf_put(struct stack *s, struct buf *b)
{
	if (s->tun.n_pool >= POOL_KEEP) {
		free(b);
		return;
	}
	b->next = s->tun.pool;
	s->tun.pool = b;
	s->tun.n_pool++;
}

struct buf *
tun_take_current(struct stack *s, const uint8_t *data, uint32_t *off)
{
	struct buf *b = s->tun.current;

	if (b == NULL || data < buf_data(b) || data >= b->room + sizeof(b->room))
		return NULL;
	*off = (uint32_t)(data - buf_data(b));
	s->tun.current = NULL;
	return b;
}

/* ---- out ---- */

bool
tun_can_gso(const struct stack *s, uint8_t gso_type, uint8_t family)
{
	/* The kernel cuts TCP for any device with a vnet header; UDP where it knows USO (6.2). */
	if (gso_type == VIRTIO_NET_HDR_GSO_TCPV4 || gso_type == VIRTIO_NET_HDR_GSO_TCPV6)
		return !s->tun.no_gso;
#if defined(TUN_F_USO4) && defined(VIRTIO_NET_HDR_GSO_UDP_L4)
	if (gso_type == VIRTIO_NET_HDR_GSO_UDP_L4)
		return (s->tun.offloads & (family == 6 ? TUN_F_USO6 : TUN_F_USO4)) != 0;
#endif
	(void)family;
	return false;
}

/* Where a test or the capture wants to see packets, they are put together in a buffer first. */
static void
show(struct stack *s, const struct virtio_net_hdr *vh, const struct iovec *iov, int n)
{
	struct buf *b;
	size_t len = 0;

	if (s->tun.tap == NULL && s->capture == NULL)
		return;
	if ((b = buf_get(s)) == NULL)
		return;
	for (int i = 0; i < n && len + iov[i].iov_len <= BUF_SIZE; i++) {
		if (iov[i].iov_len > 0)
			memcpy(buf_data(b) + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	if (s->tun.tap != NULL)
		s->tun.tap(s->tun.tap_arg, vh, buf_data(b), len);
	if (s->capture != NULL)
		capture_packet(s, CAPTURE_IN, vh, buf_data(b), len);
	buf_put(s, b);
}

void
tun_send(struct stack *s, const struct virtio_net_hdr *vh, const struct iovec *iov, int n)
{
	static const struct virtio_net_hdr none;
	struct iovec all[TUN_IOV_MAX + 1];

	if (vh == NULL)
		vh = &none;
	show(s, vh, iov, n);
	if (s->tun.fd == -1)
		return;
	all[0] = (struct iovec){ .iov_base = (void *)(uintptr_t)vh, .iov_len = VNET_LEN };
	memcpy(&all[1], iov, (size_t)n * sizeof(*iov));
	s->tun.write_packets++;
	if (writev(s->tun.fd, all, n + 1) < 0)
		s->tun.write_errors++;
}

void
tun_send_packet(struct stack *s, const struct virtio_net_hdr *vh, const void *packet, size_t len)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)packet, .iov_len = len };

	tun_send(s, vh, &iov, 1);
}

/* ---- in ---- */

/* One packet.  false: none is there, or the device is gone. */
static bool
read_one(struct stack *s)
{
	struct virtio_net_hdr vh;
	struct buf *b = s->tun.current;
	uint8_t *at;
	ssize_t n;

	if (b == NULL && (b = s->tun.current = buf_get(s)) == NULL)
		return false;
	at = buf_data(b) - VNET_LEN;	/* so that the packet begins at buf_data() */
	n = read(s->tun.fd, at, VNET_LEN + BUF_SIZE);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		tun_gone(s, errno);
	if (n <= (ssize_t)VNET_LEN)
		return n > 0;
	s->tun.read_packets++;
	memcpy(&vh, at, VNET_LEN);
	if (s->capture != NULL)
		capture_packet(s, CAPTURE_OUT, &vh, buf_data(b), (size_t)n - VNET_LEN);
	stack_packet(s, &vh, buf_data(b), (size_t)n - VNET_LEN);
	return true;
}

bool
tun_read_burst(struct stack *s)
{
	bool more = true;

	for (int i = 0; i < BURST && more && s->tun.fd != -1; i++)
		more = read_one(s);
	stack_burst_end(s);
	return more;
}

/* ---- the device ---- */

bool
tun_open(struct stack *s, int fd, uint32_t mtu, uint32_t offloads)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int on = 1;

	if (ioctl(fd, FIONBIO, &on) != 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return false;
	s->tun.fd = fd;
	s->tun.mtu = mtu;
	s->tun.offloads = offloads;
	s->tun.no_gso = offloads == 0;	/* not even a checksum: expect nothing of this kernel */
	return true;
}

/*
 * Closing the last descriptor of a TUN takes the kernel 24 to 36 ms, which the closing process
 * waits for.  A persistent device stays, and goes when the kernel takes its namespace down.
 */
void
tun_leave(struct stack *s)
{
	if (s->tun.fd == -1)
		return;
	(void)ioctl(s->tun.fd, TUNSETPERSIST, 1);
	close(s->tun.fd);
	s->tun.fd = -1;
}

/* The namespace is gone, and with it the device: nobody is there to serve. */
void
tun_gone(struct stack *s, int err)
{
	struct epoll_event ev = { 0 };

	log_debug("the TUN is gone: %s", strerror(err));
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->tun.fd, &ev);
	close(s->tun.fd);
	s->tun.fd = -1;
}

void
tun_done(struct stack *s)
{
	struct buf *b;

	free(s->tun.current);
	s->tun.current = NULL;
	while ((b = s->tun.pool) != NULL) {
		s->tun.pool = b->next;
		free(b);
	}
	s->tun.n_pool = 0;
}

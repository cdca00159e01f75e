/*
 * tun.c - the TUN device, made inside the child's network namespace.
 *
 * cf-netstack is on the other side of it.  The kernel hands over whole packets behind a
 * virtio-net header, with checksums and segmentation left to us: up to 64 KiB a read.
 * What a kernel does not grant is left out step by step; MTU and meaning do not change.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "childnet.h"

#ifndef TUN_F_USO4		/* linux 6.2 */
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif

#define VNET_HEADER_LEN	10	/* struct virtio_net_hdr, virtio 1.2 5.1.6 */

static const unsigned offload_steps[] = {
	TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
	TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
	TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
	TUN_F_CSUM,
	0
};

static int
tun_setup(int fd, unsigned *offloads, const char **what)
{
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int len = VNET_HEADER_LEN;

	strcpy(ifr.ifr_name, "tun0");
	*what = "create the TUN device tun0";
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		return -1;
	*what = "give the TUN device its packet header";
	if (ioctl(fd, TUNSETVNETHDRSZ, &len) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(offload_steps) / sizeof(offload_steps[0]); i++)
		if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)offload_steps[i]) == 0) {
			*offloads = offload_steps[i];
			return 0;
		}
	*what = "set the TUN device's offloads";
	return -1;
}

int
tun_open(unsigned *offloads, const char **what)
{
	int fd, saved;

	*what = "open /dev/net/tun";
	if ((fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) == -1)
		return -1;
	if (tun_setup(fd, offloads, what) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/*
 * tun_io.h - what relay.c, stack.c and loop.c ask of tun_io.c beyond stack.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_TUN_IO_H
#define CF_TUN_IO_H

#include "stack.h"

/* Take the device over: fd as cf-spawn made it (IFF_VNET_HDR, header of 10 bytes).  false: errno. */
bool	tun_open(struct stack *, int fd, uint32_t mtu, uint32_t offloads);
void	tun_done(struct stack *);
/* At the end of a run of which no process is left: let the device go without waiting for it. */
void	tun_leave(struct stack *);
/* The device was taken away. */
void	tun_gone(struct stack *, int err);
/* Read a burst of packets and hand each to stack_packet().  true: there may be more. */
bool	tun_read_burst(struct stack *);
/*
 * The buffer that the packet of stack_packet() lies in becomes the caller's; data is within it,
 * *off from buf_data().  NULL: data is not there (it was put together elsewhere).
 */
struct buf	*tun_take_current(struct stack *, const uint8_t *data, uint32_t *off);

extern const struct sandbox_row tun_rows[];

#endif

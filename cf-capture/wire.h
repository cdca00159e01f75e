/*
 * wire.h - of all that passes an interface of the host, what belongs to one run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_WIRE_H
#define CF_WIRE_H

#include "capture.h"

/*
 * The channel of the dialler, which tells of its sockets; fd is taken over.  head: bytes of each
 * packet before its IP header.  Ends the process where it cannot be used.  Before the seal.
 */
void	wire_open(int fd, size_t head, struct capture *);
void	wire_hello(void);
/* To be polled for reading; then wire_read().  False: the run has ended. */
int	wire_fd(void);
bool	wire_read(void);
/* A packet of the interface: it is written when it is known to be of the run, or forgotten. */
void	wire_packet(const struct captured *);
/* A moment has passed.  all: nothing more will be known. */
void	wire_turn(bool all);

#endif

/*
 * sockdiag.h - which socket of the tree's namespace has these two ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_SOCKDIAG_H
#define CF_SPAWN_SOCKDIAG_H

#include "msg.h"

/* A socket to ask by, of the namespace that we are in; -1 and errno. */
int		sockdiag_open(void);
/*
 * The inode of the socket; 0: there is none (any more), or it is of a kind that cannot be asked
 * about.  ifindex: of the interface that its packets leave by.
 */
unsigned long	sockdiag_inode(int fd, const struct msg_who *, unsigned ifindex);

#endif

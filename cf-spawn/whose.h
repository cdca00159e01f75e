/*
 * whose.h - which process of the tree holds a socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SPAWN_WHOSE_H
#define CF_SPAWN_WHOSE_H

#include <stdbool.h>
#include <sys/types.h>

#include "msg.h"

#define WHOSE_APART_MAX	16

struct whose {
	struct msg_whose ids;
	char		 comm[MSG_COMM_MAX + 1];
	char		 exe[MSG_EXE_MAX + 1];	/* "": not known */
};

/*
 * root: the process whose descendants are the tree, but for those in `apart` and their own.
 * NULL, or why it cannot be done here.
 */
const char	*whose_init(pid_t root, const pid_t *apart, size_t n);
/* False: nobody that could be found. */
bool		 whose_find(unsigned long inode, struct whose *out);

#endif

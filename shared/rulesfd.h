/*
 * rulesfd.h - a generation of the policy as a sealed memfd, from one process to another.
 *
 * cf-spawn makes it, the helpers inherit it (--rules-fd) and map it.  What cannot be
 * written any more needs no copy; a descriptor that somebody could still write to or cut
 * short is refused, since rules_load() looks once and rules_judge() for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULESFD_H
#define CF_RULESFD_H

#include <stddef.h>

#include "rules.h"
#include "sandbox.h"

/* A descriptor with these bytes, sealed; -1 and errno. */
int		 rulesfd_make(const void *buf, size_t len);
/* NULL, or why it is no generation.  What *out borrows stays mapped; fd may be closed. */
const char	*rulesfd_load(int fd, struct rules *out);
/*
 * The same for the generation that comes after *io, which is let go: what was borrowed from it is
 * no good any more.  fd is closed.  Where *io.head is NULL there was none.  Not NULL: *io is as it
 * was.
 */
const char	*rulesfd_swap(int fd, struct rules *io);

/* What these two do, for those that are sealed when the next generation comes. */
extern const struct sandbox_row	rulesfd_rows[];

#endif

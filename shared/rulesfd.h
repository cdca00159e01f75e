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

/* A descriptor with these bytes, sealed; -1 and errno. */
int		 rulesfd_make(const void *buf, size_t len);
/* NULL, or why it is no generation.  What *out borrows stays mapped; fd may be closed. */
const char	*rulesfd_load(int fd, struct rules *out);

#endif

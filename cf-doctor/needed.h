/*
 * needed.h - which shared libraries a program wants.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_NEEDED_H
#define CF_NEEDED_H

#include <stddef.h>
#include <stdint.h>

#define NEEDED_MAX	64

struct needed {
	size_t		 n;
	const char	*name[NEEDED_MAX];	/* borrowed from the file's bytes */
};

/* The DT_NEEDED of a file of this machine's kind.  NULL, or what is wrong with it. */
const char	*needed_find(const void *bytes, size_t len, struct needed *out);

#endif

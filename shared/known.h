/*
 * known.h - networks and names that mean something by themselves, as one table.
 *
 * What no option can make right, what --block-private and --block-metadata cover; each row
 * with the document that says so.  policy.c and rulebook.c read the table; nothing
 * else knows these addresses.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_KNOWN_H
#define CF_KNOWN_H

#include <stddef.h>
#include <stdint.h>

enum known_group {
	KNOWN_NEVER,		/* refused always */
	KNOWN_METADATA,		/* --block-metadata */
	KNOWN_PRIVATE,		/* --block-private */
	KNOWN_GROUPS
};

/* Where a row has an address it is a network, else it is a name, matched exactly. */
struct known {
	const char	*net;
	const char	*name;
	const char	*code;		/* reason_code of events: "loopback" */
	const char	*what;		/* "a loopback address" */
	unsigned	 bits;		/* of net */
	enum known_group group;
};

extern const struct known	known_rows[];
extern const size_t		known_nrows;

#endif

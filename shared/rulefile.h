/*
 * rulefile.h - a file of rules, line by line.
 *
 * One rule a line; a "#" at the beginning of a line or behind a space starts a comment;
 * blank lines, spaces around a rule, CRLF and a byte order mark are fine.  A zero byte,
 * text that is not UTF-8 and a line of more than RULEFILE_LINE_MAX bytes are errors: a
 * file that is not understood to its end gives no rules.
 *
 * Pure: the file is given as bytes; who opened it is not seen here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULEFILE_H
#define CF_RULEFILE_H

#include <stddef.h>

#define RULEFILE_LINE_MAX	1024

struct rulefile {
	const char	*p, *end;	/* what is still to be read */
	unsigned	 line;		/* the number of the line that was read last, from 1 */
	const char	*start;		/* of that line */
};

enum rulefile_got { RULEFILE_END, RULEFILE_RULE, RULEFILE_ERROR };

void	rulefile_init(struct rulefile *, const void *bytes, size_t len);

/*
 * The next rule: its text, borrowed from the bytes.  RULEFILE_ERROR: *why, and *text is
 * where.
 */
enum rulefile_got	rulefile_next(struct rulefile *, const char **text, size_t *len,
			    const char **why);

#endif

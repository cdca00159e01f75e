/*
 * jline.h - one flat JSON object as a line, built without memory of its own kind.
 *
 * What jansson does for an event takes some 10 us, and there are three events a connection:
 * this writes each field's text once and sorts the fields when the line is done.  Strings may
 * hold anything: they leave as valid JSON, bytes that are no UTF-8 as U+FFFD.  A string may be
 * given room for so many bytes and no more, so that what others choose (names, paths) cannot
 * make a line too long; what is cut ends in "...".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_JLINE_H
#define CF_JLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JLINE_MAX	4096	/* PIPE_BUF: a longer line would not be atomic in a pipe */
#define JLINE_FIELDS	48

struct jline {
	char		text[JLINE_MAX];
	size_t		len;
	bool		over;		/* it did not fit; the line is of no use */
	bool		open;		/* an array, to which values are added */
	bool		first;		/* of which none has come yet */
	size_t		n;
	struct jline_field {
		const char	*key;
		uint16_t	 at, len;	/* of the value in text */
	} field[JLINE_FIELDS];
};

void	jline_init(struct jline *);
/* Each field once; keys are literals.  text NULL: null. */
void	jline_str(struct jline *, const char *key, const char *text);
void	jline_strn(struct jline *, const char *key, const char *text, size_t len, size_t room);
void	jline_int(struct jline *, const char *key, uint64_t);	/* at most 2^63-1, as JSON has it */
void	jline_bool(struct jline *, const char *key, bool);
void	jline_null(struct jline *, const char *key);

/* An array of values: begin, any number of them, end. */
void	jline_list(struct jline *, const char *key);
void	jline_list_str(struct jline *, const char *text);
void	jline_list_int(struct jline *, uint64_t);
void	jline_list_end(struct jline *);
size_t	jline_room(const struct jline *);	/* bytes that are left for fields */

/*
 * The object in the order of its keys, with a newline; returns the length, 0 where it does not
 * fit.  out has room for JLINE_MAX.
 */
size_t	jline_put(const struct jline *, char *out);

#endif

/*
 * rulefile.c - see rulefile.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rulefile.h"

#include <string.h>

#include "idn.h"

static const char bom[] = { '\xef', '\xbb', '\xbf' };

void
rulefile_init(struct rulefile *f, const void *bytes, size_t len)
{
	*f = (struct rulefile){ .p = bytes, .end = (const char *)bytes + len };
	if (len >= sizeof(bom) && memcmp(bytes, bom, sizeof(bom)) == 0)
		f->p += sizeof(bom);
	f->start = f->p;
}

static int
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The length of a line without its comment and the spaces behind it. */
static size_t
line_trim(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] == '#' && (i == 0 || is_space(line[i - 1])))
			len = i;
	while (len > 0 && is_space(line[len - 1]))
		len--;
	return len;
}

static enum rulefile_got
line_bad(const char **text, const char *at, const char **why, const char *what)
{
	*text = at;
	*why = what;
	return RULEFILE_ERROR;
}

enum rulefile_got
rulefile_next(struct rulefile *f, const char **text, size_t *len, const char **why)
{
	while (f->p < f->end) {
		const char *line = f->p, *nl = memchr(line, '\n', (size_t)(f->end - line));
		size_t n = (size_t)((nl == NULL ? f->end : nl) - line), at;

		f->p = nl == NULL ? f->end : nl + 1;
		f->start = line;
		f->line++;
		if (n > 0 && line[n - 1] == '\r')
			n--;
		if (n > RULEFILE_LINE_MAX)
			return line_bad(text, line, why, "the line is longer than 1024 bytes");
		if (!idn_utf8_ok(line, n, &at))
			return line_bad(text, line + at, why, line[at] == '\0' ?
			    "there is a zero byte: this is not a text file" : "the text is not UTF-8");
		n = line_trim(line, n);
		for (; n > 0 && is_space(*line); n--)
			line++;
		if (n > 0) {
			*text = line;
			*len = n;
			return RULEFILE_RULE;
		}
	}
	return RULEFILE_END;
}

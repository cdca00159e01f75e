/*
 * pins.c - see pins.h.
 *
 * Names of addresses that no flow goes to (loopback, unspecified) are left out: files that use
 * 0.0.0.0 to block names have a hundred thousand of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pins.h"

#include <string.h>

#include "name.h"

#define BLANK	" \t\r\v\f"

/* The next word before end; *p moves behind it.  False at the end, or at a comment. */
static bool
word_next(const char **p, const char *end, const char **word, size_t *len)
{
	while (*p < end && memchr(BLANK, **p, sizeof(BLANK) - 1) != NULL)
		(*p)++;
	*word = *p;
	while (*p < end && **p != '#' && memchr(BLANK, **p, sizeof(BLANK) - 1) == NULL)
		(*p)++;
	*len = (size_t)(*p - *word);
	return *len > 0;
}

/* An address without port or brackets, and without a zone, which is the host's affair. */
static bool
is_address(const char *word, size_t len, struct addr *out)
{
	char text[ADDR_STRLEN];

	if (len >= sizeof(text) || word[0] == '[' || memchr(word, '%', len) != NULL)
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	return addr_parse(text, 1, out) && out->port == 1;
}

/* Loopback and unspecified: what no flow comes with. */
static bool
is_local(const struct addr *a)
{
	static const uint8_t zeroes[15];

	return a->family == 4 ? a->ip[0] == 127 || a->ip[0] == 0 :
	    memcmp(a->ip, zeroes, sizeof(zeroes)) == 0 && a->ip[15] <= 1;
}

static size_t
line_add(struct names *n, const char *p, const char *end)
{
	char name[NAME_STRLEN];
	struct name_error err;
	const char *word;
	struct addr addr;
	size_t len, lost = 0;

	if (!word_next(&p, end, &word, &len) || !is_address(word, len, &addr) || is_local(&addr))
		return 0;
	addr.port = 0;
	while (word_next(&p, end, &word, &len))
		if (name_from_ascii(word, len, name, &err) &&
		    !names_add(n, &addr, name, strlen(name), NAMES_EVER))
			lost++;
	return lost;
}

size_t
pins_add(struct names *n, const char *text, size_t len)
{
	const char *end = text + len, *eol;
	size_t lost = 0;

	for (; text < end; text = eol < end ? eol + 1 : end) {
		if ((eol = memchr(text, '\n', (size_t)(end - text))) == NULL)
			eol = end;
		lost += line_add(n, text, eol);
	}
	return lost;
}

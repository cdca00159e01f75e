/*
 * hosts.c - merge a user's hosts file over the host's.
 *
 * The user's lines come first, then the host's lines but for those that name a host the
 * user has named: a name that was overridden must not also have its old address.  What
 * --add-host says is put over that in the same way.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "spawn.h"

#define BLANK	" \t\r\v\f"

struct names {
	const char	**at;		/* borrowed from the user's text, not terminated */
	size_t		 *len;
	size_t		  n, cap;
};

static bool
names_add(struct names *names, const char *at, size_t len)
{
	if (names->n == names->cap) {
		size_t cap = names->cap == 0 ? 64 : names->cap * 2;
		const char **a = realloc(names->at, cap * sizeof(*a));
		size_t *l;

		if (a != NULL)
			names->at = a;
		l = realloc(names->len, cap * sizeof(*l));
		if (l != NULL)
			names->len = l;
		if (a == NULL || l == NULL)
			return false;
		names->cap = cap;
	}
	names->at[names->n] = at;
	names->len[names->n++] = len;
	return true;
}

static bool
names_have(const struct names *names, const char *at, size_t len)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->len[i] == len && strncasecmp(names->at[i], at, len) == 0)
			return true;
	return false;
}

/* The next word before end, or NULL; *p moves behind it.  A '#' ends the line. */
static const char *
word_next(const char **p, const char *end, size_t *len)
{
	const char *word;

	while (*p < end && strchr(BLANK, **p) != NULL)
		(*p)++;
	if (*p == end || **p == '#')
		return NULL;
	word = *p;
	while (*p < end && **p != '#' && strchr(BLANK, **p) == NULL)
		(*p)++;
	*len = (size_t)(*p - word);
	return word;
}

static bool
is_address(const char *word, size_t len)
{
	char text[ADDR_STRLEN], *zone;
	struct addr a;

	if (len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	if ((zone = strchr(text, '%')) != NULL)
		*zone = '\0';
	return text[0] != '[' && addr_parse(text, 1, &a) && a.port == 1;
}

/* Take the names of one line of the user's file; a reason in why when it is no such line. */
static bool
line_take(struct names *names, const char *line, const char *end, char *why, size_t whylen)
{
	const char *p = line, *word;
	size_t len, n = 0;

	if ((word = word_next(&p, end, &len)) == NULL)
		return true;
	if (!is_address(word, len)) {
		snprintf(why, whylen, "\"%.*s\" is not an address", (int)(len > 80 ? 80 : len), word);
		return false;
	}
	for (; (word = word_next(&p, end, &len)) != NULL; n++)
		if (!names_add(names, word, len)) {
			snprintf(why, whylen, "out of memory");
			return false;
		}
	if (n == 0)
		snprintf(why, whylen, "an address without a name");
	return n > 0;
}

static bool
line_overridden(const struct names *names, const char *line, const char *end)
{
	const char *p = line, *word;
	size_t len;

	(void)word_next(&p, end, &len);
	while ((word = word_next(&p, end, &len)) != NULL)
		if (names_have(names, word, len))
			return true;
	return false;
}

char *
hosts_merge(const char *extra, const char *host, char *why, size_t whylen)
{
	struct names names = { 0 };
	char *out = malloc(strlen(extra) + strlen(host) + 3), *p = out, reason[160];
	const char *line, *end;
	unsigned number = 1;

	snprintf(why, whylen, "out of memory");
	for (line = extra; p != NULL && *line != '\0'; line = *end == '\0' ? end : end + 1, number++) {
		end = strchrnul(line, '\n');
		if (!line_take(&names, line, end, reason, sizeof(reason))) {
			snprintf(why, whylen, "line %u: %s (write: ADDRESS NAME ...)", number, reason);
			free(out);
			p = NULL;
			break;
		}
		p = mempcpy(p, line, (size_t)(end - line));
		*p++ = '\n';
	}
	for (line = host; p != NULL && *line != '\0'; line = *end == '\0' ? end : end + 1) {
		end = strchrnul(line, '\n');
		if (line_overridden(&names, line, end))
			continue;
		p = mempcpy(p, line, (size_t)(end - line));
		*p++ = '\n';
	}
	free(names.at);
	free(names.len);
	if (p == NULL)
		return NULL;
	*p = '\0';
	return out;
}

/* ---- --add-host ---- */

/* Letters that names of hosts have, and the underscore that some have all the same. */
static bool
is_host_name(const char *name, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		label = c == '.' ? 0 : label + 1;
		if ((c == '.' && (i == 0 || name[i - 1] == '.')) || label > 63 ||
		    strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c) == NULL)
			return false;
	}
	return len > 0 && len <= 253 && name[0] != '-' && name[len - 1] != '.';
}

/* An address with or without the brackets that IPv6 ones may have. */
static bool
host_address(const char *text, struct addr *out)
{
	char bare[ADDR_STRLEN];
	size_t len = strlen(text);

	if (text[0] == '[' && len < sizeof(bare) && len > 2 && text[len - 1] == ']') {
		memcpy(bare, text + 1, len - 2);
		bare[len - 2] = '\0';
		return addr_parse(bare, 0, out) && out->family == 6;
	}
	return text[0] != '[' && addr_parse(text, 1, out) && out->port == 1;
}

bool
hosts_add(char **lines, const char *arg, char *why, size_t whylen)
{
	size_t len = strcspn(arg, ":="), had = *lines != NULL ? strlen(*lines) : 0, size;
	char ip[ADDR_STRLEN], *more;
	struct addr a;

	if (arg[len] == '\0' || !is_host_name(arg, len)) {
		snprintf(why, whylen, "no name of a host before the colon (write: NAME:ADDRESS)");
		return false;
	}
	if (!host_address(arg + len + 1, &a)) {
		snprintf(why, whylen, "not an address behind the name (write: NAME:192.0.2.1 or "
		    "NAME:2001:db8::1)");
		return false;
	}
	size = had + strlen(addr_ip_str(&a, ip)) + 1 + len + 2;
	if ((more = realloc(*lines, size)) == NULL) {
		snprintf(why, whylen, "out of memory");
		return false;
	}
	snprintf(more + had, size - had, "%s %.*s\n", ip, (int)len, arg);
	*lines = more;
	return true;
}

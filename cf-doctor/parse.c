/*
 * parse.c - small file formats; see doctor.h.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define LINE_LEN	256	/* the rest of a longer line is not looked at */

/* The next line into line, without its end; false when there is none. */
static bool
line_next(const char **p, const char *end, char line[LINE_LEN])
{
	const char *nl;
	size_t len, part;

	if (*p == end)
		return false;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	len = (size_t)((nl != NULL ? nl : end) - *p);
	part = len < LINE_LEN ? len : LINE_LEN - 1;
	memcpy(line, *p, part);
	line[part] = '\0';
	*p += nl != NULL ? len + 1 : len;
	return true;
}

size_t
resolv_parse(const char *text, size_t len, struct addr out[RESOLVERS_MAX])
{
	static const char key[] = "nameserver";
	const char *end = text + len;
	char line[LINE_LEN], *value;
	size_t n = 0;

	while (n < RESOLVERS_MAX && line_next(&text, end, line)) {
		value = line + sizeof(key) - 1;
		if (strncmp(line, key, sizeof(key) - 1) != 0 || (*value != ' ' && *value != '\t'))
			continue;
		value += strspn(value, " \t");
		value[strcspn(value, " \t\r")] = '\0';
		if (addr_parse(value, 53, &out[n]))
			n++;
	}
	return n;
}

unsigned long
subid_parse(const char *text, size_t len, const char *user, uid_t uid)
{
	const char *end = text + len;
	char line[LINE_LEN], number[24], *start, *count;
	unsigned long sum = 0;

	snprintf(number, sizeof(number), "%u", uid);
	while (line_next(&text, end, line)) {
		if ((start = strchr(line, ':')) == NULL || (count = strchr(start + 1, ':')) == NULL)
			continue;
		*start = '\0';
		if (strcmp(line, user) == 0 || strcmp(line, number) == 0)
			sum += strtoul(count + 1, NULL, 10);
	}
	return sum;
}

bool
status_parse(const char *text, size_t len, const char *key, char *buf, size_t size)
{
	const char *end = text + len;
	size_t key_len = strlen(key);
	char line[LINE_LEN];

	while (line_next(&text, end, line))
		if (strncmp(line, key, key_len) == 0 && line[key_len] == ':') {
			snprintf(buf, size, "%s", line + key_len + 1 +
			    strspn(line + key_len + 1, " \t"));
			return true;
		}
	return false;
}

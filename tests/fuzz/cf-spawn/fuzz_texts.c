/*
 * fuzz_texts.c - resolv.conf, two hosts files (a zero byte is between them), and the values of
 * --add-host and --no-proxy.
 *
 * Held: the tree's resolv.conf names one server; a merged hosts file has no line that the user's
 * file has overridden, and merging it once more changes nothing; each --add-host is one line.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spawn.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static size_t
lines_with(const char *text, const char *begin)
{
	size_t n = 0;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		n += strncmp(line, begin, strlen(begin)) == 0;
	}
	return n;
}

static void
resolv_check(const char *text)
{
	struct texts t = { 0 };

	if (!resolv_parse(text, &t) || lines_with(t.resolv, "nameserver") != 1 ||
	    t.resolvers.n > RESOLVERS_MAX)
		abort();
	free(t.resolv);
}

static void
hosts_check(const char *extra, const char *host)
{
	char why[256], *once = hosts_merge(extra, host, why, sizeof(why)), *twice;

	if (once == NULL) {
		if (why[0] == '\0')
			abort();
		return;
	}
	twice = hosts_merge(extra, "", why, sizeof(why));
	if (twice == NULL || strncmp(once, twice, strlen(twice)) != 0)
		abort();		/* the user's lines come first */
	free(twice);
	free(once);
}

static void
values_check(const char *text)
{
	static struct conf conf;
	char why[CLI_WHY_LEN] = "", *lines = NULL;

	if (hosts_add(&lines, text, why, sizeof(why)) &&
	    (lines_with(lines, "") != 2 || lines[strlen(lines) - 1] != '\n'))
		abort();
	free(lines);
	conf.proxy.n_direct = 0;
	why[0] = '\0';
	if (!proxyopts_direct(&conf, text, why) && why[0] == '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	size_t first;

	memcpy(text, data, len);
	text[len] = '\0';
	first = strlen(text);
	resolv_check(text);
	hosts_check(text, first < len ? text + first + 1 : "");
	values_check(text);
	free(text);
	return 0;
}

/*
 * fuzz_learn.c - any bytes as what a run did: the profile has rules that are rules, one a line, and
 * nothing else; and judging the same events again takes them as well.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "learn.h"
#include "poltest.h"
#include "rulebook.h"

/* The text between the quotes of a line that has some. */
static void
line_check(struct rulebook *book, const char *line, size_t len)
{
	const char *open = memchr(line, '"', len), *close;
	struct rulebook_error err;
	char rule[RULETEXT_MAX];
	size_t n;

	if (line[0] != '\t' || line[1] != '"')
		return;
	open = line + 2;
	close = memchr(open, '"', len - 2);
	if (close == NULL || close[1] != ',' || (n = (size_t)(close - open)) >= sizeof(rule))
		abort();
	memcpy(rule, open, n);
	rule[n] = '\0';
	if (!rulebook_add(book, RULES_ALLOW, rule, &err))
		abort();
	if (close[2] != '\t' || close[3] != '#')
		abort();
}

static void
profile_check(struct rulebook *book, const char *text)
{
	const char *nl;

	for (; (nl = strchr(text, '\n')) != NULL; text = nl + 1) {
		for (const char *p = text; p < nl; p++)
			if (((uint8_t)*p < 0x20 && *p != '\t') || *p == 0x7f)
				abort();
		/* A line is a comment, a rule, or one of the three that every profile has. */
		if (text != nl && text[strspn(text, "\t")] != '#' && text[0] != '\t' && *text != ']' &&
		    strncmp(text, "default_policy = \"deny\"\n", 23) != 0 &&
		    strncmp(text, "allow = [\n", 10) != 0)
			abort();
		line_check(book, text, (size_t)(nl - text));
	}
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tally *t = tally_new(&tally_small);
	struct learn *l = learn_new();
	struct rulebook *book = rulebook_new(RULES_DEFAULT_DENY);
	char *text;

	if (t == NULL || l == NULL || book == NULL)
		abort();
	t->watch = learn_event;
	t->watcher = l;
	tally_feed(t, (const char *)data, len);
	tally_end(t);
	if ((text = profile_render(l, NULL, (unsigned)(len % 5))) == NULL)
		abort();
	profile_check(book, text);
	free(text);
	rulebook_free(book);
	learn_free(l);
	tally_free(t);
	return 0;
}

/*
 * fuzz_flowlog.c - any bytes as a flow log, told in all forms: none may carry what a string could
 * drive a terminal or a browser with.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"

static void
lines_check(const char *text, const char *start)
{
	if (text == NULL || strncmp(text, start, strlen(start)) != 0)
		abort();
	for (; *text != '\0'; text++)
		if (((uint8_t)*text < 0x20 && *text != '\n') || *text == 0x7f)
			abort();
}

/* No element but ours: what the strings bring has lost its "<". */
static void
html_check(const char *page)
{
	static const char *const ours[] = { "!DOCTYPE", "a", "body", "div", "g>", "h1", "h2", "h3", "head",
	    "html", "li", "line", "meta", "p", "rect", "span", "style>",
	    "svg", "table", "tbody", "td", "text", "th", "title", "tr", "ul" };
	const char *end = strstr(page, "<script>");

	for (const char *p = page; p < end && (p = strchr(p, '<')) != NULL && p < end; p++) {
		const char *name = p[1] == '/' ? p + 2 : p + 1;
		size_t i = 0;

		while (i < sizeof(ours) / sizeof(ours[0]) && strncmp(name, ours[i], strlen(ours[i])) != 0)
			i++;
		if (i == sizeof(ours) / sizeof(ours[0]))
			abort();
	}
	if (end == NULL || strstr(end + 1, "<script") != NULL)
		abort();
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct tally_size size = { .names = 8, .targets = 8, .ips = 8, .list = 8,
	    .talks = 8, .line = 4096, .shown = 10 };
	struct tally *t = tally_new(&size);
	json_t *model;
	char *text, *mark, *html;

	if (t == NULL)
		abort();
	tally_feed(t, (const char *)data, len / 3);
	tally_feed(t, (const char *)data + len / 3, len - len / 3);
	tally_end(t);
	if ((model = logmodel_new(t, "log")) == NULL)
		abort();
	text = logtext_render(model);
	mark = logmark_render(model);
	html = loghtml_render(model);
	lines_check(text, "childflow report\n");
	lines_check(mark, "# childflow report\n");
	lines_check(html, "<!DOCTYPE html>\n");
	html_check(html);
	free(text);
	free(mark);
	free(html);
	json_decref(model);
	tally_free(t);
	return 0;
}

/*
 * say.c - strings of strangers in three languages: a terminal's, Markdown's and HTML's.
 *
 * All go through log_escape first, so that none has a control character, bytes that are no UTF-8
 * or something that changes the direction of text; then what the language would act on is
 * taken out of it.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "flowlog.h"
#include "log.h"

/* The text as a terminal may have it, cut; in buf. */
static const char *
tamed(const char *text, char buf[4 * SAY_MAX + 16])
{
	char cut[SAY_MAX + 1];

	if (text == NULL)
		return "unavailable";
	snprintf(cut, sizeof(cut), "%s", text);
	log_escape(buf, 4 * SAY_MAX + 8, cut);
	if (strlen(text) > SAY_MAX)
		strcat(buf, " ...");
	return buf;
}

void
say_text(FILE *f, const char *text)
{
	char buf[4 * SAY_MAX + 16];

	fputs(tamed(text, buf), f);
}

/*
 * CommonMark 2.4: any ASCII punctuation may be escaped.  What could begin a link, an
 * image, an emphasis, code, HTML, an entity or the next cell is.  A dot in a name stays: what makes
 * a link of a bare name is not CommonMark; "://" is broken up for those who do.
 */
void
say_mark(FILE *f, const char *text)
{
	char buf[4 * SAY_MAX + 16];

	for (const char *p = tamed(text, buf); *p != '\0'; p++) {
		if (strchr("\\`*_{}[]()<>#+!|&~@$", *p) != NULL)
			fputc('\\', f);
		if (strncmp(p, "://", 3) == 0)
			fputs("\\:", f);
		else
			fputc(*p, f);
	}
}

void
say_html(FILE *f, const char *text)
{
	static const struct { char c; const char *entity; } special[] = {
		{ '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" },
	};
	char buf[4 * SAY_MAX + 16];
	size_t i;

	for (const char *p = tamed(text, buf); *p != '\0'; p++) {
		for (i = 0; i < sizeof(special) / sizeof(special[0]) && special[i].c != *p; i++)
			;
		if (i < sizeof(special) / sizeof(special[0]))
			fputs(special[i].entity, f);
		else
			fputc(*p, f);
	}
}

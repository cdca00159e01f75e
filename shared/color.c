/*
 * color.c - see color.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
color_refused(void)
{
	const char *no = getenv("NO_COLOR");

	return no != NULL && *no != '\0';
}

bool
color_wanted(int fd)
{
	const char *term = getenv("TERM");

	return !color_refused() && term != NULL && strcmp(term, "dumb") != 0 && isatty(fd) == 1;
}

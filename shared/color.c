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
color_allowed(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

bool
color_wanted(int fd)
{
	return color_allowed() && isatty(fd) == 1;
}

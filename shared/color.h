/*
 * color.h - whether to write colours, as no-color.org has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_COLOR_H
#define CF_COLOR_H

#include <stdbool.h>

bool	color_allowed(void);	/* NO_COLOR is not set, or empty, and TERM is not dumb */
bool	color_wanted(int fd);	/* the same, and fd is a terminal */

#endif

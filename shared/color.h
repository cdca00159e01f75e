/*
 * color.h - whether to write colours, as no-color.org has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_COLOR_H
#define CF_COLOR_H

#include <stdbool.h>

bool	color_refused(void);	/* NO_COLOR is set, and not empty */
bool	color_wanted(int fd);	/* it is not, and fd is a terminal that is not dumb */

#endif

/*
 * pins.h - names that a hosts file gives to addresses, as the policy stage wants them.
 *
 * Pure.  The text is that of the tree's hosts(5) file, read by cf-spawn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_PINS_H
#define CF_PROXY_PINS_H

#include <stddef.h>

#include "names.h"

/*
 * Add every name of the text as a pin.  Lines that are none are passed over, as the C
 * library does.  Returns how many names had no room.
 */
size_t	pins_add(struct names *, const char *text, size_t len);

#endif

/*
 * amount.h - sizes and times as people write them: 64KiB, 10MB, 90s, 5m.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_AMOUNT_H
#define CF_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* A number and B, KB, MB, GB, TB (powers of 1000) or KiB ... TiB (of 1024), in any case. */
bool	amount_bytes(const char *text, uint64_t *out);
/* A number of seconds, or a number and s, m, h or d. */
bool	amount_seconds(const char *text, uint64_t *out);

#endif

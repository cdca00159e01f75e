/*
 * stem.h - names of files that belong together: run.pcapng, run.0.pcapng, run.egress.pcapng.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_STEM_H
#define CF_STEM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Put a word before the last dot of the name, or behind it where it has none; a dot that begins
 * the name of a file does not count.  False where it does not fit.
 */
bool	stem_insert(const char *path, const char *word, char *out, size_t len);
/* The same with number i of n, which has leading zeroes so that names sort: run.03.pcapng. */
bool	stem_number(const char *path, size_t i, size_t n, char *out, size_t len);

#endif

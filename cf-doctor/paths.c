/*
 * paths.c - where the reader of profiles is: one directory, compiled in, never searched for.
 *
 * Whoever can write to a directory of $PATH must not be able to become a helper.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../cf-spawn/spawn.h"

const char	paths_libexec[] = CF_LIBEXECDIR;

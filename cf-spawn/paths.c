/*
 * paths.c - where the helpers are: one directory, compiled in, never searched for.
 *
 * Whoever can write to a directory of $PATH must not be able to become a helper.
 *
 * SPDX-License-Identifier: MIT
 */
#include "spawn.h"

const char	paths_libexec[] = CF_LIBEXECDIR;

/*
 * paths.c - where the other programs are: compiled in, never searched for.
 *
 * Whoever can write to a directory of $PATH must not be able to become a helper.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../cf-spawn/spawn.h"
#include "audit.h"

const char	paths_libexec[] = CF_LIBEXECDIR;
const char	paths_bin[] = CF_BINDIR;

/*
 * paths.c - where the other programs are: one directory, compiled in, never searched for.
 *
 * Whoever can write to a directory of $PATH must not be able to become one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "listen.h"

const char	paths_libexec[] = CF_LIBEXECDIR;

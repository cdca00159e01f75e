/*
 * paths.c - where cf-listen is: one directory, compiled in, never searched for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proxy.h"

const char	paths_libexec[] = CF_LIBEXECDIR;

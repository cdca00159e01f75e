/*
 * siphash.h - SipHash-2-4, a keyed hash of short strings.
 *
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF" (2012).  A
 * list of rules comes from elsewhere now and then; without the key nobody can write
 * one whose names all meet in one bucket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SIPHASH_H
#define CF_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN	16

uint64_t	siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len);

#endif

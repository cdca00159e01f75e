/*
 * siphash.h - keyed hashes for tables whose keys a stranger chooses.
 *
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF" (2012).  Who does not
 * know the key cannot make two inputs that fall into one bucket other than by luck.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SIPHASH_H
#define CF_SIPHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_LEN	16

/* SipHash-2-4 of a string of bytes; the same on every machine. */
uint64_t	siphash(const uint8_t key[SIPHASH_KEY_LEN], const void *data, size_t len);

/* A fresh random key for siphash_words(); false when the kernel has none to give. */
bool		siphash_key(uint64_t key[2]);
/*
 * SipHash-1-3 of n words, for a table looked into for each packet: n is fixed where it is
 * called, so the length is not hashed.  The key never leaves its process.
 */
uint64_t	siphash_words(const uint64_t key[2], const uint64_t *words, size_t n);

#endif

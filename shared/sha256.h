/*
 * sha256.h - SHA-256 (FIPS 180-4) of bytes at hand.
 *
 * Tells whether a file is the one that somebody has read and trusted.  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_SHA256_H
#define CF_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN	32
#define SHA256_HEX	(2 * SHA256_LEN + 1)

void	sha256(const void *bytes, size_t len, uint8_t out[SHA256_LEN]);
/* The same as sha256sum(1) writes it. */
void	sha256_hex(const void *bytes, size_t len, char out[SHA256_HEX]);

#endif

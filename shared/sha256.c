/*
 * sha256.c - see sha256.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sha256.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>

void
sha256(const void *bytes, size_t len, uint8_t out[SHA256_LEN])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, len, bytes);
	sha256_digest(&c, SHA256_LEN, out);
}

void
sha256_hex(const void *bytes, size_t len, char out[SHA256_HEX])
{
	uint8_t hash[SHA256_LEN];

	sha256(bytes, len, hash);
	base16_encode_update(out, SHA256_LEN, hash);
	out[SHA256_HEX - 1] = '\0';
}

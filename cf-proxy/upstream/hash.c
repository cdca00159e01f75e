/*
 * hash.c - MD5 (RFC 1321) and SHA-256 (FIPS 180-4) of texts, by nettle.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nettle/base16.h>
#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha2.h>
#include <string.h>

#include "digest.h"

union context {
	struct md5_ctx		md5;
	struct sha256_ctx	sha256;
};

void
hash_hex(enum digest_algorithm algorithm, const char *const *texts, size_t n, char out[HASH_HEX])
{
	const struct nettle_hash *h = algorithm == DIGEST_SHA256 ? &nettle_sha256 : &nettle_md5;
	union context c;
	uint8_t end[HASH_MAX];

	h->init(&c);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			h->update(&c, 1, (const uint8_t *)":");
		h->update(&c, strlen(texts[i]), (const uint8_t *)texts[i]);
	}
	h->digest(&c, h->digest_size, end);
	base16_encode_update(out, h->digest_size, end);
	out[BASE16_ENCODE_LENGTH(h->digest_size)] = '\0';
	explicit_bzero(&c, sizeof(c));
}

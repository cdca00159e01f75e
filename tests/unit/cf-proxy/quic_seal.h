/*
 * quic_seal.h - QUIC Initials for tests, around any frames.
 *
 * The keys are those that the RFCs print (RFC 9001 A.1, RFC 9369 A.1) and not what the code
 * under test derives.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_QUIC_SEAL_H
#define UNIT_QUIC_SEAL_H

#include <assert.h>
#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <string.h>

#include "rd.h"

static const uint8_t quic_dcid[8] = { 0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08 };

static const struct quic_keys {
	uint32_t	version;
	uint8_t		key[16], iv[12], hp[16];
	uint8_t		initial;
} quic_keys[] = {
	{ 1, { 0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46, 0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1,
	    0xa2, 0x2d },
	    { 0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c },
	    { 0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10, 0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad,
	    0xed, 0xd2 }, 0xc0 },
	{ 0x6b3343cf, { 0x8b, 0x1a, 0x0b, 0xc1, 0x21, 0x28, 0x42, 0x90, 0xa2, 0x9e, 0x09, 0x71,
	    0xb5, 0xcd, 0x04, 0x5d },
	    { 0x91, 0xf7, 0x3e, 0x23, 0x51, 0xd8, 0xfa, 0x91, 0x66, 0x0e, 0x90, 0x9f },
	    { 0x45, 0xb9, 0x5e, 0x15, 0x23, 0x5d, 0x6f, 0x45, 0xa6, 0xb1, 0x9c, 0xbc, 0xb0, 0x29,
	    0x4b, 0xa9 }, 0xd0 },
};

/* What a test may turn; what it leaves at 0 is as in the RFCs. */
struct quic_shape {
	const struct quic_keys	*keys;		/* NULL: version 1 */
	uint64_t		 pn;
	size_t			 pn_len;	/* 0: 4 */
	uint8_t			 bits;		/* to be set in the first byte, before protection */
	uint8_t			 cid_xor, scid_len, scid;
	size_t			 token_len;
};

/* One Initial around the frames, in `out` from `at` on; where it ends. */
static inline size_t
quic_seal(uint8_t *out, size_t size, size_t at, const struct quic_shape *s, const uint8_t *frames,
    size_t len)
{
	const struct quic_keys *k = s->keys != NULL ? s->keys : &quic_keys[0];
	size_t pn_len = s->pn_len != 0 ? s->pn_len : 4, head;
	struct wr w = wr_over(out + at, size - at);
	uint8_t nonce[12], mask[16], *first = w.p, *pn;
	struct gcm_aes128_ctx aead;
	struct aes128_ctx hp;

	wr_u8(&w, (uint8_t)(k->initial | (pn_len - 1) | s->bits));
	wr_be32(&w, k->version);
	wr_u8(&w, sizeof(quic_dcid));
	wr_bytes(&w, quic_dcid, sizeof(quic_dcid));
	first[6] ^= s->cid_xor;
	wr_u8(&w, s->scid_len);
	wr_bytes(&w, (uint8_t[20]){ s->scid }, s->scid_len);
	wr_be16(&w, (uint16_t)(0x4000 | s->token_len));
	for (size_t i = 0; i < s->token_len; i++)
		wr_u8(&w, 't');
	wr_be16(&w, (uint16_t)(0x4000 | (pn_len + len + 16)));
	pn = w.p;
	wr_be(&w, s->pn, pn_len);
	head = (size_t)(w.p - first);
	memcpy(nonce, k->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= (uint8_t)(s->pn >> 8 * i);
	gcm_aes128_set_key(&aead, k->key);
	gcm_aes128_set_iv(&aead, sizeof(nonce), nonce);
	gcm_aes128_update(&aead, head, first);
	gcm_aes128_encrypt(&aead, len, wr_take(&w, len), frames);
	gcm_aes128_digest(&aead, 16, wr_take(&w, 16));
	assert(!w.bad);
	aes128_set_encrypt_key(&hp, k->hp);
	aes128_encrypt(&hp, 16, mask, pn + 4);
	first[0] ^= mask[0] & 0x0f;
	for (size_t i = 0; i < pn_len; i++)
		pn[i] ^= mask[1 + i];
	return (size_t)(w.p - out);
}

#endif

/*
 * quicinitial.c - the server name in the Initial packets of a QUIC client (flight.h).
 *
 * The keys of Initials follow from the connection id that the client chose, so anybody who sees
 * the datagrams can read them (RFC 9001 5.2; this is no secret, only a hedge against boxes that do
 * not know the version).  The hello lies in CRYPTO frames, in any order, over one datagram or
 * several; it is put together in a buffer of FLIGHT_MAX and read by tlshello.c.
 *
 * Nothing has come back from a server while we read, so all of it belongs to one connection
 * attempt: other connection ids or another version midway are another attempt, whose hello may
 * say another name: FLIGHT_BAD.  So is a packet that does not open, bytes said twice and
 * differently, and what only servers send.  Of a version other than 1 and 2 nothing is
 * known but that it is QUIC: FLIGHT_NAMELESS.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nettle/aes.h>
#include <nettle/gcm.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#include "flight_parts.h"
#include "rd.h"

#define LONG_HEADER	0x80		/* RFC 8999 5.1 */
#define FIXED_BIT	0x40		/* RFC 9000 17.2 */
#define RESERVED_BITS	0x0c
#define CID_MAX		20
#define DATAGRAM_MIN	1200		/* of one that begins a connection, RFC 9000 14.1 */
#define DATAGRAMS_MAX	32		/* for one hello, with what the client says again */
#define KEY_LEN		16		/* AEAD_AES_128_GCM, RFC 9001 5.2 */
#define IV_LEN		12
#define TAG_LEN		16
#define SAMPLE_LEN	16
#define PN_MAX		4

enum { INITIAL, ZERO_RTT, HANDSHAKE, RETRY };

struct version {
	uint32_t	 number;
	uint8_t		 salt[20];
	const char	*key, *iv, *hp;
	uint8_t		 first_type;		/* the bits of an Initial; the others follow on */
};

static const struct version versions[] = {
	{ 1, { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
	    0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },		/* RFC 9001 5.2 */
	    "quic key", "quic iv", "quic hp", 0 },
	{ 0x6b3343cf, { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe,
	    0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },		/* RFC 9369 3 */
	    "quicv2 key", "quicv2 iv", "quicv2 hp", 1 },
};

struct packet {
	uint8_t			 type;		/* as version 1 counts them */
	const uint8_t		*dcid, *scid;
	size_t			 dcid_len, scid_len;
	uint32_t		 number;
	const struct version	*version;	/* NULL: it is none of ours */
	const uint8_t		*bytes;
	size_t			 pn_at, len;	/* from `bytes` on */
};

struct flight_quic {
	const struct version	*version;	/* NULL: no Initial has come */
	uint8_t			 dcid[CID_MAX], scid[CID_MAX];
	size_t			 dcid_len, scid_len;
	struct gcm_aes128_ctx	 aead;
	struct aes128_ctx	 hp;
	uint8_t			 iv[IV_LEN];
	uint64_t		 next_pn;
	size_t			 datagrams;
	size_t			 whole;		/* of the hello, from its beginning on */
	uint8_t			 hello[FLIGHT_MAX];
	uint8_t			 have[FLIGHT_MAX / 8];	/* a bit for each of its bytes */
};

/* ---- keys (RFC 9001 5.1, 5.2) ---- */

static void
secret_set(struct hmac_sha256_ctx *ctx, const uint8_t *key, size_t len)
{
	hmac_sha256_set_key(ctx, len, key);
}

/* HKDF-Expand-Label with an empty context (RFC 8446 7.1). */
static void
expand_label(struct hmac_sha256_ctx *secret, const char *label, uint8_t *out, size_t len)
{
	uint8_t info[64];
	struct wr w = wr_over(info, sizeof(info));

	wr_be16(&w, (uint16_t)len);
	wr_u8(&w, (uint8_t)(strlen("tls13 ") + strlen(label)));
	wr_bytes(&w, "tls13 ", strlen("tls13 "));
	wr_bytes(&w, label, strlen(label));
	wr_u8(&w, 0);
	hkdf_expand(secret, (nettle_hash_update_func *)hmac_sha256_update,
	    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
	    (size_t)(w.p - info), info, len, out);
}

static void
keys_derive(struct flight_quic *q)
{
	struct hmac_sha256_ctx ctx;
	uint8_t secret[SHA256_DIGEST_SIZE], key[KEY_LEN];

	secret_set(&ctx, q->version->salt, sizeof(q->version->salt));
	hkdf_extract(&ctx, (nettle_hash_update_func *)hmac_sha256_update,
	    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
	    q->dcid_len, q->dcid, secret);
	secret_set(&ctx, secret, sizeof(secret));
	expand_label(&ctx, "client in", secret, sizeof(secret));
	secret_set(&ctx, secret, sizeof(secret));
	expand_label(&ctx, q->version->key, key, KEY_LEN);
	gcm_aes128_set_key(&q->aead, key);
	expand_label(&ctx, q->version->hp, key, KEY_LEN);
	aes128_set_encrypt_key(&q->hp, key);
	expand_label(&ctx, q->version->iv, q->iv, IV_LEN);
}

/* ---- packets ---- */

static uint64_t
varint(struct rd *r)			/* RFC 9000 16 */
{
	uint8_t first = rd_u8(r);
	size_t more = ((size_t)1 << (first >> 6)) - 1;

	return (uint64_t)(first & 0x3f) << 8 * more | rd_be(r, more);
}

static const uint8_t *
varlen_take(struct rd *r, size_t *out_len)
{
	uint64_t len = varint(r);

	*out_len = len <= rd_left(r) ? (size_t)len : 0;
	return rd_take(r, len <= rd_left(r) ? *out_len : SIZE_MAX);
}

static const uint8_t *
cid_take(struct rd *r, size_t *out_len)
{
	*out_len = rd_u8(r);
	if (*out_len > CID_MAX)
		r->bad = true;
	return rd_take(r, *out_len);
}

static const struct version *
version_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].number == number)
			return &versions[i];
	return NULL;
}

/* What all versions have in common (RFC 8999 5.1); the first bit has been looked at. */
static bool
invariants_read(struct rd *r, struct packet *p)
{
	uint8_t first;

	p->bytes = r->p;
	first = rd_u8(r);
	p->number = rd_be32(r);
	p->dcid = cid_take(r, &p->dcid_len);
	p->scid = cid_take(r, &p->scid_len);
	p->version = version_find(p->number);
	if (p->version != NULL)
		p->type = (uint8_t)((first >> 4 & 3) - p->version->first_type) & 3;
	return !r->bad;
}

/* The rest of a packet that has a length (RFC 9000 17.2.2 to 17.2.4). */
static bool
packet_read(struct rd *r, struct packet *p)
{
	const uint8_t *pn;
	size_t len;

	if (p->type == INITIAL)
		varlen_take(r, &len);			/* the token */
	pn = varlen_take(r, &len);
	if (r->bad)
		return false;
	p->pn_at = (size_t)(pn - p->bytes);
	p->len = p->pn_at + len;
	return true;
}

/* RFC 9000 A.3: from the bits that travel to the whole number. */
static uint64_t
pn_decode(uint64_t expected, uint64_t cut, size_t len)
{
	uint64_t window = (uint64_t)1 << 8 * len, half = window / 2;
	uint64_t pn = (expected & ~(window - 1)) | cut;

	if (pn + half <= expected)
		return pn + window;
	return pn > expected + half && pn >= window ? pn - window : pn;
}

/* Takes header protection off a copy of the packet (RFC 9001 5.4).  0: it is too short. */
static size_t
header_open(const struct flight_quic *q, const struct packet *p, uint8_t *bytes)
{
	uint8_t mask[SAMPLE_LEN];
	size_t len;

	if (p->len - p->pn_at < PN_MAX + SAMPLE_LEN)
		return 0;
	aes128_encrypt(&q->hp, SAMPLE_LEN, mask, bytes + p->pn_at + PN_MAX);
	bytes[0] ^= mask[0] & 0x0f;
	len = (bytes[0] & 3) + 1;
	for (size_t i = 0; i < len; i++)
		bytes[p->pn_at + i] ^= mask[1 + i];
	return bytes[0] & RESERVED_BITS ? 0 : len;
}

/* Decrypts in place; what comes out are the frames (RFC 9001 5.3). */
static bool
packet_open(struct flight_quic *q, const struct packet *p, uint8_t *bytes, struct rd *frames)
{
	size_t pn_len = header_open(q, p, bytes), head = p->pn_at + pn_len;
	struct rd r = rd_over(bytes + p->pn_at, pn_len);
	uint8_t nonce[IV_LEN], tag[TAG_LEN];
	uint64_t pn;
	size_t len;

	if (pn_len == 0)
		return false;
	pn = pn_decode(q->next_pn, rd_be(&r, pn_len), pn_len);
	memcpy(nonce, q->iv, IV_LEN);
	for (size_t i = 0; i < 8; i++)
		nonce[IV_LEN - 1 - i] ^= (uint8_t)(pn >> 8 * i);
	len = p->len - head - TAG_LEN;
	gcm_aes128_set_iv(&q->aead, IV_LEN, nonce);
	gcm_aes128_update(&q->aead, head, bytes);
	gcm_aes128_decrypt(&q->aead, len, bytes + head, bytes + head);
	gcm_aes128_digest(&q->aead, TAG_LEN, tag);
	if (!memeql_sec(tag, bytes + head + len, TAG_LEN))
		return false;
	if (pn >= q->next_pn)
		q->next_pn = pn + 1;
	*frames = rd_over(bytes + head, len);
	return true;
}

/* ---- frames (RFC 9000 12.4: what may be in an Initial) ---- */

static bool
padding_read(struct flight_quic *q, struct rd *r)
{
	(void)q, (void)r;
	return true;
}

/* RFC 9000 19.3; the counts at its end are those of type 3. */
static bool
ack_read(struct flight_quic *q, struct rd *r)
{
	uint64_t ranges;

	(void)q;
	varint(r);
	varint(r);
	ranges = varint(r);
	varint(r);
	for (; ranges > 0 && !r->bad; ranges--) {
		varint(r);
		varint(r);
	}
	return !r->bad;
}

static bool
ack_ecn_read(struct flight_quic *q, struct rd *r)
{
	if (!ack_read(q, r))
		return false;
	for (int i = 0; i < 3; i++)
		varint(r);
	return !r->bad;
}

static bool
hello_put(struct flight_quic *q, size_t at, uint8_t byte)
{
	uint8_t bit = (uint8_t)(1 << at % 8);

	if (q->have[at / 8] & bit)
		return q->hello[at] == byte;
	q->have[at / 8] |= bit;
	q->hello[at] = byte;
	return true;
}

/* RFC 9000 19.6; what came before may come again, but not with other bytes. */
static bool
crypto_read(struct flight_quic *q, struct rd *r)
{
	uint64_t offset = varint(r);
	size_t len;
	const uint8_t *data = varlen_take(r, &len);

	if (data == NULL || offset > FLIGHT_MAX || len > FLIGHT_MAX - offset)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!hello_put(q, (size_t)offset + i, data[i]))
			return false;
	while (q->whole < FLIGHT_MAX && (q->have[q->whole / 8] & 1 << q->whole % 8))
		q->whole++;
	return true;
}

static bool
frames_read(struct flight_quic *q, struct rd r)
{
	static bool (*const readers[])(struct flight_quic *, struct rd *) = {
		[0] = padding_read, [1] = padding_read /* PING */, [2] = ack_read,
		[3] = ack_ecn_read, [6] = crypto_read,
	};

	while (rd_left(&r) > 0) {
		uint64_t type = varint(&r);

		if (type >= sizeof(readers) / sizeof(readers[0]) || readers[type] == NULL ||
		    !readers[type](q, &r))
			return false;
	}
	return !r.bad;
}

/* ---- datagrams ---- */

/* The first Initial says which attempt it is; all others have to be of it. */
static bool
attempt_is_same(struct flight_quic *q, const struct packet *p)
{
	if (q->version != NULL)
		return q->version == p->version && q->dcid_len == p->dcid_len &&
		    q->scid_len == p->scid_len && memcmp(q->dcid, p->dcid, p->dcid_len) == 0 &&
		    memcmp(q->scid, p->scid, p->scid_len) == 0;
	q->version = p->version;
	memcpy(q->dcid, p->dcid, q->dcid_len = p->dcid_len);
	memcpy(q->scid, p->scid, q->scid_len = p->scid_len);
	keys_derive(q);
	return true;
}

static bool
initial_read(struct flight_quic *q, const struct packet *p)
{
	uint8_t bytes[FLIGHT_MAX];
	struct rd frames;

	if (p->len > sizeof(bytes) || !attempt_is_same(q, p))
		return false;
	memcpy(bytes, p->bytes, p->len);
	return packet_open(q, p, bytes, &frames) && frames_read(q, frames);
}

/*
 * The next packet of a datagram (RFC 9000 12.2).  FLIGHT_MORE: go on.  0-RTT and Handshake packets
 * are stepped over: their keys come from the hello.
 */
static enum flight_state
packet_next(struct flight_quic *q, struct rd *r)
{
	struct packet p = { 0 };

	if (!invariants_read(r, &p) || p.number == 0)	/* 0: servers negotiate, RFC 9000 17.2.1 */
		return FLIGHT_BAD;
	if (p.version == NULL)
		return FLIGHT_NAMELESS;
	if (!(p.bytes[0] & FIXED_BIT) || p.type == RETRY || !packet_read(r, &p))
		return FLIGHT_BAD;
	return p.type != INITIAL || initial_read(q, &p) ? FLIGHT_MORE : FLIGHT_BAD;
}

struct flight_quic *
flight_quic_new(void)
{
	return calloc(1, sizeof(struct flight_quic));
}

void
flight_quic_free(struct flight_quic *q)
{
	free(q);
}

enum flight_state
flight_quic_datagram(struct flight_quic *q, const uint8_t *bytes, size_t n, struct flight *out)
{
	struct rd r = rd_over(bytes, n);
	enum flight_state state = FLIGHT_MORE;

	*out = (struct flight){ .kind = FLIGHT_QUIC };
	if (q->datagrams++ == 0 && (n == 0 || !(bytes[0] & LONG_HEADER))) {
		out->kind = FLIGHT_OTHER;
		return FLIGHT_NAMELESS;
	}
	if (q->datagrams > DATAGRAMS_MAX)
		return FLIGHT_BAD;
	/* Behind the long headers may be a short one, or zeroes; there is no key for it yet. */
	while (state == FLIGHT_MORE && rd_left(&r) > 0 && (*r.p & LONG_HEADER))
		state = packet_next(q, &r);
	return state != FLIGHT_MORE ? state : tlshello_message(q->hello, q->whole, out);
}

bool
flight_is_quic(const uint8_t *bytes, size_t n)
{
	struct rd r = rd_over(bytes, n);
	struct packet p = { 0 };

	if (n == 0 || !(bytes[0] & LONG_HEADER) || !invariants_read(&r, &p) || p.number == 0)
		return false;
	return p.version != NULL || n >= DATAGRAM_MIN;
}

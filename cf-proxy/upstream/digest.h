/*
 * digest.h - Digest access authentication to a proxy (RFC 7616), with SHA-256 or MD5.
 *
 * A challenge comes from the proxy, which is not trusted: what is kept of it is bounded and has
 * no byte that could end a header line.  MD5 is here because squid knows nothing else;
 * where both are offered SHA-256 is taken.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_DIGEST_H
#define CF_UPSTREAM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_TEXT_MAX		512
#define DIGEST_ANSWER_MAX	3072

enum digest_algorithm { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA256 };	/* the better one is greater */

struct digest {
	enum digest_algorithm algorithm;	/* DIGEST_NONE: no challenge that we can answer */
	bool		 sess;			/* MD5-sess, SHA-256-sess */
	bool		 qop;			/* "auth" is offered; else RFC 2069's form */
	bool		 stale;			/* the nonce was too old, not the password wrong */
	char		 realm[DIGEST_TEXT_MAX], nonce[DIGEST_TEXT_MAX], opaque[DIGEST_TEXT_MAX];
	bool		 has_opaque;
};

/*
 * The challenges of one Proxy-Authenticate: *best becomes the best Digest of them if it is better
 * than what is there; *basic is set where there is a Basic one.
 */
void	digest_challenges(const char *p, struct digest *best, bool *basic);

/* The value of Proxy-Authorization for a CONNECT to uri; its length, 0: it does not fit. */
size_t	digest_answer(const struct digest *, const char *user, const char *pass, const char *uri,
	    const char *cnonce, uint32_t count, char out[DIGEST_ANSWER_MAX]);

/* ---- hash.c ---- */

#define HASH_MAX	32
#define HASH_HEX	(2 * HASH_MAX + 1)

/* The hash of all these texts, one behind the other, with colons between them; in lower-case hex. */
void	hash_hex(enum digest_algorithm, const char *const *texts, size_t n, char out[HASH_HEX]);

#endif

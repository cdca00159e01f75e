/*
 * socks.h - SOCKS5 (RFC 1928) with user and password (RFC 1929): bytes out, bytes in.
 *
 * The proxy is not trusted.  Each of its answers tells its length in the first few bytes, of which
 * no more are read than it has: what comes behind is payload.  The longest is 262 bytes.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_SOCKS_H
#define CF_UPSTREAM_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define SOCKS_REQUEST_MAX	520
#define SOCKS_REPLY_MAX		262

enum socks_method { SOCKS_NONE = 0, SOCKS_PASSWORD = 2, SOCKS_NO_METHOD = 255 };
enum socks_command { SOCKS_CONNECT = 1, SOCKS_ASSOCIATE = 3 };

/* Each writes a message and returns its length. */
size_t	socks_hello(uint8_t *out, bool has_auth);
size_t	socks_auth(uint8_t *out, const char *user, const char *pass);
/* name: in place of the address of dst; NULL or "": there is none. */
size_t	socks_request(uint8_t *out, enum socks_command, const struct addr *dst, const char *name);

/* How long an answer is, as far as its first `have` bytes tell: at least one more than those. */
size_t	socks_method_len(const uint8_t *p, size_t have);
size_t	socks_auth_len(const uint8_t *p, size_t have);
size_t	socks_reply_len(const uint8_t *p, size_t have);	/* 0: it can be none */

/* A whole answer: NULL, or why it is no success, and *err for the child. */
const char *socks_method(const uint8_t *p, bool has_auth, enum socks_method *out, int *err);
const char *socks_auth_answer(const uint8_t *p, int *err);
/* bound: the address that it names; family 0 where that is a name. */
const char *socks_reply(const uint8_t *p, size_t len, struct addr *bound, int *err);

#endif

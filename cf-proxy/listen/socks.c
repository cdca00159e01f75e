/*
 * socks.c - SOCKS5 as its server reads it (RFC 1928 3, 4): a greeting, then one request.
 *
 * Deliberately not done: a login (who is on this host may use us), BIND, UDP ASSOCIATE.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "rd.h"
#include "request.h"

#define VERSION		5
#define NO_LOGIN	0
#define CMD_CONNECT	1
enum { ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4 };
enum { REPLY_FAILED = 1, REPLY_NO_COMMAND = 7, REPLY_NO_ATYP = 8 };

static enum request_state
bad(struct request *r, int reply, const char *why)
{
	r->status = reply;
	snprintf(r->why, sizeof(r->why), "%s", why);
	return REQUEST_BAD;
}

enum request_state
socks_greeting(const uint8_t *in, size_t len, size_t *used)
{
	*used = 0;
	if (len > 0 && in[0] != VERSION)
		return REQUEST_BAD;
	if (len < 2 || len < 2 + (size_t)in[1])
		return REQUEST_MORE;
	*used = 2 + (size_t)in[1];
	return memchr(in + 2, NO_LOGIN, in[1]) != NULL ? REQUEST_DONE : REQUEST_BAD;
}

/* The length of the whole request by its first five bytes; 0: no such address type. */
static size_t
whole(const uint8_t *in)
{
	switch (in[3]) {
	case ATYP_V4:	return 4 + 4 + 2;
	case ATYP_NAME:	return 4 + 1 + (size_t)in[4] + 2;
	case ATYP_V6:	return 4 + 16 + 2;
	default:	return 0;
	}
}

/* A name may be an address in words: some clients send nothing else. */
static const char *
host_take(const uint8_t *in, struct name_host *out)
{
	if (in[3] == ATYP_NAME)
		return memchr(in + 5, ':', in[4]) != NULL ? "a colon in it" :
		    request_host((const char *)in + 5, in[4], out);
	memset(out, 0, sizeof(*out));
	out->is_addr = true;
	out->addr.family = in[3] == ATYP_V4 ? 4 : 6;
	memcpy(out->addr.ip, in + 4, addr_iplen(&out->addr));
	return NULL;
}

enum request_state
socks_request(const uint8_t *in, size_t len, struct request *out)
{
	size_t n;

	*out = (struct request){ .socks = true, .tunnel = true, .body = REQUEST_ENDLESS };
	if (len > 0 && in[0] != VERSION)
		return bad(out, REPLY_FAILED, "another version of SOCKS");
	if (len < 5)
		return REQUEST_MORE;
	if ((n = whole(in)) == 0)
		return bad(out, REPLY_NO_ATYP, "an address type that does not exist");
	if (len < n)
		return REQUEST_MORE;
	out->used = n;
	if (in[1] != CMD_CONNECT)
		return bad(out, REPLY_NO_COMMAND, "only CONNECT is served");
	out->port = (uint16_t)(in[n - 2] << 8 | in[n - 1]);
	if (out->port == 0 || host_take(in, &out->host) != NULL)
		return bad(out, REPLY_FAILED, "the host cannot be used");
	return REQUEST_DONE;
}

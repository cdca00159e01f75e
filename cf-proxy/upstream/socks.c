/*
 * socks.c - see socks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "socks.h"

#include <errno.h>
#include <string.h>

#include "rd.h"

#define VERSION		5
#define AUTH_VERSION	1		/* RFC 1929 2 */
enum { ATYP_V4 = 1, ATYP_NAME = 3, ATYP_V6 = 4 };

size_t
socks_hello(uint8_t *out, bool has_auth)
{
	out[0] = VERSION;
	out[1] = has_auth ? 2 : 1;
	out[2] = SOCKS_NONE;
	out[3] = SOCKS_PASSWORD;
	return has_auth ? 4 : 3;
}

size_t
socks_auth(uint8_t *out, const char *user, const char *pass)
{
	struct wr w = wr_over(out, SOCKS_REQUEST_MAX);

	wr_u8(&w, AUTH_VERSION);
	wr_u8(&w, (uint8_t)strlen(user));
	wr_bytes(&w, user, strlen(user));
	wr_u8(&w, (uint8_t)strlen(pass));
	wr_bytes(&w, pass, strlen(pass));
	return (size_t)(w.p - out);
}

size_t
socks_request(uint8_t *out, enum socks_command command, const struct addr *dst, const char *name)
{
	struct wr w = wr_over(out, SOCKS_REQUEST_MAX);

	wr_u8(&w, VERSION);
	wr_u8(&w, (uint8_t)command);
	wr_u8(&w, 0);
	if (name != NULL && *name != '\0') {
		wr_u8(&w, ATYP_NAME);
		wr_u8(&w, (uint8_t)strlen(name));
		wr_bytes(&w, name, strlen(name));
	} else {
		wr_u8(&w, dst->family == 6 ? ATYP_V6 : ATYP_V4);
		wr_bytes(&w, dst->ip, dst->family == 6 ? 16 : 4);
	}
	wr_be16(&w, dst->port);
	return (size_t)(w.p - out);
}

size_t
socks_method_len(const uint8_t *p, size_t have)
{
	(void)p, (void)have;
	return 2;
}

size_t
socks_auth_len(const uint8_t *p, size_t have)
{
	(void)p, (void)have;
	return 2;
}

size_t
socks_reply_len(const uint8_t *p, size_t have)
{
	if (have < 5)
		return 5;		/* as far as the length of a name */
	switch (p[3]) {
	case ATYP_V4:	return 4 + 4 + 2;
	case ATYP_V6:	return 4 + 16 + 2;
	case ATYP_NAME:	return 4 + 1 + (size_t)p[4] + 2;
	default:	return 0;
	}
}

const char *
socks_method(const uint8_t *p, bool has_auth, enum socks_method *out, int *err)
{
	*err = EHOSTUNREACH;
	if (p[0] != VERSION)
		return "its answer is not SOCKS5";
	*out = (enum socks_method)p[1];
	if (p[1] == SOCKS_NONE || (p[1] == SOCKS_PASSWORD && has_auth))
		return NULL;
	if (p[1] == SOCKS_NO_METHOD)
		return has_auth ? "it wants a login of a kind that is not known" :
		    "it wants a user and a password";
	return "it chose a login that was not offered";
}

const char *
socks_auth_answer(const uint8_t *p, int *err)
{
	*err = EHOSTUNREACH;
	/* Some answer with their own version, 5, so only the status counts. */
	return p[1] == 0 ? NULL : "it does not accept the user or the password";
}

const char *
socks_reply(const uint8_t *p, size_t len, struct addr *bound, int *err)
{
	static const struct {
		int		 err;
		const char	*words;
	} replies[] = {			/* RFC 1928 6 */
		[1] = { EHOSTUNREACH, "it has failed" },
		[2] = { ECONNREFUSED, "it forbids this destination" },
		[3] = { ENETUNREACH,  "its network does not reach the destination" },
		[4] = { EHOSTUNREACH, "it does not reach the destination" },
		[5] = { ECONNREFUSED, "the destination refused the connection" },
		[6] = { EHOSTUNREACH, "the way to the destination is too long" },
		[7] = { EHOSTUNREACH, "it does not know this command" },
		[8] = { ENETUNREACH,  "it does not know this kind of address" },
	};
	struct rd r = rd_over(p, len);

	*err = EHOSTUNREACH;
	*bound = (struct addr){ 0 };
	if (p[0] != VERSION)
		return "its answer is not SOCKS5";
	if (p[1] != 0) {
		if (p[1] >= sizeof(replies) / sizeof(replies[0]))
			return "it has failed, and nobody knows how";
		*err = replies[p[1]].err;
		return replies[p[1]].words;
	}
	(void)rd_take(&r, 4);
	if (p[3] == ATYP_NAME) {
		(void)rd_take(&r, (size_t)rd_u8(&r));
	} else {
		bound->family = p[3] == ATYP_V6 ? 6 : 4;
		rd_bytes(&r, bound->ip, p[3] == ATYP_V6 ? 16 : 4);
	}
	bound->port = rd_be16(&r);
	return r.bad ? "its answer is cut short" : NULL;
}

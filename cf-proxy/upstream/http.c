/*
 * http.c - see http.h.  RFC 9110 9.3.6 (CONNECT), RFC 9112 (messages), RFC 7617 (Basic).
 *
 * SPDX-License-Identifier: MIT
 */
#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t
http_request(char out[HTTP_REQUEST_MAX], const char *target, const char *auth)
{
	int n = snprintf(out, HTTP_REQUEST_MAX, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s%s\r\n",
	    target, target, auth != NULL ? "Proxy-Authorization: " : "", auth != NULL ? auth : "",
	    auth != NULL ? "\r\n" : "");

	return n > 0 && n < HTTP_REQUEST_MAX ? (size_t)n : 0;
}

size_t
http_basic(char *out, size_t size, const char *user, const char *pass)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[520];
	size_t at = 0;
	int len = snprintf(text, sizeof(text), "%s:%s", user, pass);

	if (len < 0 || (size_t)len >= sizeof(text) || size < 7 + ((size_t)len + 2) / 3 * 4)
		return 0;
	at = (size_t)snprintf(out, size, "Basic ");
	for (int i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)(uint8_t)text[i] << 16;

		v |= i + 1 < len ? (uint32_t)(uint8_t)text[i + 1] << 8 : 0;
		v |= i + 2 < len ? (uint8_t)text[i + 2] : 0;
		for (int k = 0; k < 4; k++)
			out[at++] = i + k > len ? '=' : digits[v >> (18 - 6 * k) & 63];
	}
	out[at] = '\0';
	explicit_bzero(text, sizeof(text));
	return at;
}

/* ---- the answer ---- */

/* "HTTP/1.1 200 Connection established" (RFC 9112 4); some leave the words out. */
static const char *
status_line(struct http_reply *r)
{
	const char *p = r->line;

	if (strncmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
		return "its answer is not HTTP/1";
	for (p += 9; *p == ' '; p++)
		;
	for (int i = 0; i < 3; i++, p++) {
		if (*p < '0' || *p > '9')
			return "its answer has no status";
		r->status = r->status * 10 + (unsigned)(*p - '0');
	}
	if (r->status < 100 || (*p != ' ' && *p != '\0'))
		return "its answer has no status";
	r->in_head = true;
	return NULL;
}

static void
header_line(struct http_reply *r)
{
	static const char name[] = "proxy-authenticate:";

	if (strncasecmp(r->line, name, sizeof(name) - 1) != 0)
		return;
	digest_challenges(r->line + sizeof(name) - 1, &r->digest, &r->asks_basic);
}

/* A line is whole.  HTTP_DONE: it was the empty one behind the head of a last answer. */
static enum http_state
line_end(struct http_reply *r, const char **why)
{
	size_t kept = r->len < sizeof(r->line) - 1 ? r->len : sizeof(r->line) - 1;
	bool empty;

	if (kept > 0 && kept == r->len && r->line[kept - 1] == '\r')
		kept--;
	r->line[kept] = '\0';
	empty = kept == 0;
	r->len = 0;
	if (!r->in_head)
		return (*why = status_line(r)) == NULL ? HTTP_MORE : HTTP_BAD;
	if (!empty) {
		if (memchr(r->line, '\0', kept) == NULL)
			header_line(r);
		return HTTP_MORE;
	}
	if (r->status >= 200) {
		r->ended = true;
		return HTTP_DONE;
	}
	if (r->status == 101) {		/* nothing was asked to be switched (RFC 9110 15.2.2) */
		*why = "it switched to another protocol unasked";
		return HTTP_BAD;
	}
	r->status = 0;			/* 1xx: the answer comes after it (RFC 9110 15.2) */
	r->in_head = false;
	return HTTP_MORE;
}

enum http_state
http_feed(struct http_reply *r, const uint8_t *p, size_t len, size_t *used, const char **why)
{
	enum http_state state;

	for (*used = 0; *used < len; ) {
		uint8_t c = p[(*used)++];

		if (++r->total > HTTP_HEAD_MAX) {
			*why = "its answer has no end";
			return HTTP_BAD;
		}
		if (c != '\n') {
			if (r->len < sizeof(r->line) - 1)
				r->line[r->len] = (char)c;
			r->len++;
			continue;
		}
		if ((state = line_end(r, why)) != HTTP_MORE)
			return state;
	}
	return HTTP_MORE;
}

const char *
http_words(unsigned status, int *err)
{
	static const struct {
		unsigned	 from, to;
		int		 err;
		const char	*words;
	} table[] = {
		{ 300, 399, EHOSTUNREACH, "it sends us elsewhere, which makes no sense here" },
		{ 401, 401, EHOSTUNREACH, "it wants a login of a kind that is not known" },
		{ 403, 403, ECONNREFUSED, "it forbids this destination" },
		{ 404, 404, EHOSTUNREACH, "it does not know the destination" },
		{ 405, 405, EHOSTUNREACH, "it does not allow CONNECT" },
		{ 407, 407, EHOSTUNREACH, "it wants a user and a password" },
		{ 429, 429, EHOSTUNREACH, "it says that there are too many requests" },
		{ 400, 499, EHOSTUNREACH, "it takes the request for wrong" },
		{ 502, 502, ECONNREFUSED, "it cannot connect to the destination" },
		{ 503, 503, ECONNREFUSED, "it, or the destination, is not to be had" },
		{ 504, 504, EHOSTUNREACH, "the destination did not answer it in time" },
		{ 500, 599, EHOSTUNREACH, "it has failed" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (status >= table[i].from && status <= table[i].to) {
			*err = table[i].err;
			return table[i].words;
		}
	*err = EHOSTUNREACH;
	return "nobody knows what that means";
}

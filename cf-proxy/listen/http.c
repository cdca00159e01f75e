/*
 * http.c - the head of a request to an HTTP proxy (RFC 9112 3.2.2, 3.2.3), and what goes on of it.
 *
 * On the other side is a client that may be hostile, behind it a server that must read the request
 * as we did: what two programs could read in two ways (a bare CR or LF, a folded line, space before a
 * colon, two lengths) is refused, not mended (RFC 9112 11.2).
 *
 * What goes on says "Connection: close", so one request is all that a connection to a server carries, and
 * Host is that of the request's target, by which it was judged (RFC 9112 3.2.2).
 *
 * Deliberately not done: keeping connections, caching, upgrades but by CONNECT, Via.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "hops.h"
#include "request.h"

#define HTTP_PORT	80
#define METHOD_MAX	32
#define NOMINATED_MAX	16

struct piece { const char *p; size_t len; };

struct head {
	struct piece	 method, target, version, authority, path;
	struct piece	 nominated[NOMINATED_MAX];	/* by Connection: for us alone */
	size_t		 n_nominated;
	bool		 has_length, chunked;
	uint64_t	 length;
	char		*out;
	size_t		 len;
	bool		 full;
};

static enum request_state __attribute__((format(printf, 3, 4)))
bad(struct request *r, int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(r->why, sizeof(r->why), format, ap);
	va_end(ap);
	r->status = status;
	return REQUEST_BAD;
}

/* ---- characters ---- */

static bool
is_token(struct piece s)
{
	static const char also[] = "!#$%&'*+-.^_`|~";	/* RFC 9110 5.6.2 */

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(also, c) == NULL))
			return false;
	}
	return s.len > 0;
}

/* Visible ASCII: what may stand in a target. */
static bool
is_visible(struct piece s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.len > 0;
}

static bool
is_value(struct piece s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
same(struct piece s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

static struct piece
trimmed(struct piece s)
{
	while (s.len > 0 && (*s.p == ' ' || *s.p == '\t'))
		s.p++, s.len--;
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* What is before the first of these bytes; *rest is what is behind it.  false: there is none. */
static bool
cut(struct piece s, char at, struct piece *before, struct piece *rest)
{
	const char *p = memchr(s.p, at, s.len);

	if (p == NULL)
		return false;
	*rest = (struct piece){ p + 1, s.len - (size_t)(p + 1 - s.p) };
	*before = (struct piece){ s.p, (size_t)(p - s.p) };
	return true;
}

/* ---- out ---- */

static void
put(struct head *h, struct piece s)
{
	if (s.len > REQUEST_MAX - h->len)
		h->full = true;
	else if (s.len > 0)
		memcpy(h->out + h->len, s.p, s.len);
	h->len += h->full ? 0 : s.len;
}

static void
put_text(struct head *h, const char *text)
{
	put(h, (struct piece){ text, strlen(text) });
}

/* ---- the first line ---- */

const char *
request_host(const char *text, size_t len, struct name_host *out)
{
	const char *why = name_from_host(text, len, out);

	if (why != NULL)
		return why;
	if (!out->is_addr && !hop_name_fits(out->name, strlen(out->name)))
		return "the name has other than letters, digits, - and _";
	return NULL;
}

/* "http://host:port/path": its authority, and the path with at least "/". */
static bool
target_split(struct head *h)
{
	static const char scheme[] = "http://";
	size_t n = sizeof(scheme) - 1, at;

	if (h->target.len <= n || strncasecmp(h->target.p, scheme, n) != 0)
		return false;
	for (at = n; at < h->target.len && strchr("/?#", h->target.p[at]) == NULL; at++)
		;
	h->authority = (struct piece){ h->target.p + n, at - n };
	h->path = (struct piece){ h->target.p + at, h->target.len - at };
	return true;
}

static enum request_state
first_line(struct head *h, struct piece line, struct request *r)
{
	struct piece rest;
	const char *why;

	if (!cut(line, ' ', &h->method, &rest) || !cut(rest, ' ', &h->target, &h->version) ||
	    !is_token(h->method) || h->method.len > METHOD_MAX || !is_visible(h->target))
		return bad(r, 400, "the first line is no request");
	if (!same(h->version, "HTTP/1.1") && !same(h->version, "HTTP/1.0"))
		return bad(r, 505, "this is neither HTTP/1.1 nor HTTP/1.0");
	r->tunnel = h->method.len == 7 && memcmp(h->method.p, "CONNECT", 7) == 0;
	if (r->tunnel)
		h->authority = h->target;
	else if (!target_split(h))
		return bad(r, 400, "this is a proxy: the request needs a whole URL (http://...)");
	if (memchr(h->path.p != NULL ? h->path.p : "", '#', h->path.len) != NULL)
		return bad(r, 400, "there is a fragment in the URL");
	if ((why = request_host(h->authority.p, h->authority.len, &r->host)) != NULL)
		return bad(r, 400, "the host cannot be used: %s", why);
	r->port = r->host.port != 0 ? r->host.port : HTTP_PORT;
	if (r->tunnel && r->host.port == 0)
		return bad(r, 400, "CONNECT needs a port");
	return REQUEST_DONE;
}

static void
first_line_put(struct head *h)
{
	put(h, h->method);
	put_text(h, " ");
	if (h->path.len == 0)
		put_text(h, same(h->method, "OPTIONS") ? "*" : "/");	/* RFC 9112 3.2.4 */
	else if (*h->path.p == '?')
		put_text(h, "/");
	put(h, h->path);
	put_text(h, " ");
	put(h, h->version);
	put_text(h, "\r\nHost: ");
	put(h, h->authority);
	put_text(h, "\r\nConnection: close\r\n");
}

/* ---- the others ---- */

/* For one hop, or put anew by us. */
static const char *const	ours[] = {
	"Host", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authorization", "TE", "Upgrade",
	"HTTP2-Settings"
};

static bool
is_ours(const struct head *h, struct piece name)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (same(name, ours[i]))
			return true;
	for (size_t i = 0; i < h->n_nominated; i++)
		if (h->nominated[i].len == name.len &&
		    strncasecmp(h->nominated[i].p, name.p, name.len) == 0)
			return true;
	return false;
}

/* What says where the body ends stays, whatever Connection says of it. */
static bool
is_framing(struct piece name)
{
	return same(name, "Content-Length") || same(name, "Transfer-Encoding");
}

static bool
length_take(struct head *h, struct piece value)
{
	uint64_t v = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9' || v > (UINT64_MAX >> 1) / 10)
			return false;
		v = v * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (value.len == 0 || (h->has_length && h->length != v))
		return false;
	h->has_length = true;
	h->length = v;
	return true;
}

static bool
nominate(struct head *h, struct piece value)
{
	struct piece word;

	for (bool more = true; more;) {
		if (!(more = cut(value, ',', &word, &value)))
			word = value;
		word = trimmed(word);
		if (word.len == 0)
			continue;
		if (h->n_nominated == NOMINATED_MAX)
			return false;
		h->nominated[h->n_nominated++] = word;
	}
	return true;
}

/* One field line is noted. */
static enum request_state
field(struct head *h, struct piece line, struct request *r)
{
	struct piece name, value;

	if (!cut(line, ':', &name, &value) || !is_token(name) || !is_value(value))
		return bad(r, 400, "a header line is none");
	value = trimmed(value);
	if (same(name, "Content-Length") && !length_take(h, value))
		return bad(r, 400, "Content-Length is no length, or there are two");
	if (same(name, "Connection") && !nominate(h, value))
		return bad(r, 400, "Connection names too many headers");
	if (same(name, "Transfer-Encoding")) {
		if (h->chunked || !same(value, "chunked"))
			return bad(r, 501, "a Transfer-Encoding that is not known");
		h->chunked = true;
	}
	return REQUEST_DONE;
}

static bool
next_line(struct piece *left, struct piece *line)
{
	const char *end = left->len >= 2 ? memmem(left->p, left->len, "\r\n", 2) : NULL;

	if (end == NULL)
		return false;
	*line = (struct piece){ left->p, (size_t)(end - left->p) };
	left->len -= line->len + 2;
	left->p = end + 2;
	return true;
}

static enum request_state
fields(struct head *h, struct piece all, struct request *r)
{
	struct piece left = all, line, name, value;
	enum request_state s = REQUEST_DONE;

	while (s == REQUEST_DONE && next_line(&left, &line) && line.len > 0)
		s = field(h, line, r);
	if (s != REQUEST_DONE)
		return s;
	if (h->chunked && (h->has_length || !same(h->version, "HTTP/1.1")))
		return bad(r, 400, "Transfer-Encoding and Content-Length, or in HTTP/1.0");
	if (r->tunnel)
		return REQUEST_DONE;
	first_line_put(h);
	for (left = all; next_line(&left, &line) && line.len > 0;)
		if (cut(line, ':', &name, &value) && (is_framing(name) || !is_ours(h, name))) {
			put(h, line);
			put_text(h, "\r\n");
		}
	put_text(h, "\r\n");
	r->body = h->chunked ? REQUEST_ENDLESS : h->length;
	return h->full ? bad(r, 431, "the head is longer than %d bytes", REQUEST_MAX) : REQUEST_DONE;
}

enum request_state
http_request(const char *in, size_t len, struct request *out, char *head, size_t *head_len)
{
	const char *end = len >= 4 ? memmem(in, len, "\r\n\r\n", 4) : NULL;
	struct head h = { .out = head };
	struct piece left, line;
	enum request_state s;

	*out = (struct request){ .used = end != NULL ? (size_t)(end - in) + 4 : 0 };
	*head_len = 0;
	if (out->used > REQUEST_MAX || (end == NULL && len >= REQUEST_MAX))
		return bad(out, 431, "the head is longer than %d bytes", REQUEST_MAX);
	if (end == NULL)
		return REQUEST_MORE;
	left = (struct piece){ in, out->used };
	if (!next_line(&left, &line))
		return bad(out, 400, "there is no first line");
	if ((s = first_line(&h, line, out)) == REQUEST_DONE)
		s = fields(&h, left, out);
	if (s == REQUEST_DONE)
		*head_len = h.len;
	if (out->tunnel)
		out->body = REQUEST_ENDLESS;
	return s;
}

/*
 * httphost.c - the host of the first HTTP/1 request of a flow (flight.h).
 *
 * Two servers that read the same head must read the same host.  So what RFC 9112 lets a
 * server forgive is refused: empty lines in front, bare LF, lone CR, folded lines, space before
 * a colon, other white space in the request line, a second Host.  To be refused it has to be seen
 * as HTTP first, therefore httphost_like() is as liberal as the most liberal server.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <strings.h>

#include "flight_parts.h"
#include "rd.h"

struct text {
	const char	*p;
	size_t		 len;
};

/* ---- characters ---- */

static bool
is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_token(uint8_t c)		/* RFC 9110 5.6.2 */
{
	return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	    (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_white(uint8_t c)		/* what a liberal server parts words at (RFC 9112 3) */
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

static bool
is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

/* ---- is it HTTP? ---- */

/* The method, up to the white space behind it; no word, or one that HTTP cannot begin with: 0. */
static size_t
method_len(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && is_token(p[i]))
		i++;
	return i < n && !is_white(p[i]) ? 0 : i;
}

/* "GET " and the like: with this, a control character is an attempt and not another protocol. */
static bool
method_is_sure(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_upper(p[i]) && p[i] != '-' && p[i] != '_')
			return false;
	return len >= 3 && p[len] == ' ';
}

/* A word that begins with HTTP/, behind white space. */
static bool
has_version(const uint8_t *p, size_t n)
{
	for (size_t i = 1; i + 5 <= n; i++)
		if (is_white(p[i - 1]) && strncasecmp((const char *)p + i, "HTTP/", 5) == 0)
			return true;
	return false;
}

/* HTTP/0.9 (RFC 1945 5): nothing but GET and a path. */
static bool
is_simple_request(const uint8_t *p, size_t n)
{
	return n > 4 && memcmp(p, "GET ", 4) == 0 &&
	    (p[4] == '/' || memmem(p + 4, n - 4, "://", 3) != NULL);
}

/* A line, or what is there of it, behind the method. */
static enum flight_likeness
line_like(const uint8_t *line, size_t n, size_t method, bool whole)
{
	for (size_t i = method; i < n; i++)
		if (is_control(line[i]) && !is_white(line[i]))
			return method_is_sure(line, method) ? LIKE_YES : LIKE_NO;
	if (!whole)
		return LIKE_PERHAPS;
	return has_version(line, n) || is_simple_request(line, n) ? LIKE_YES : LIKE_NO;
}

enum flight_likeness
httphost_like(const uint8_t *p, size_t n)
{
	const uint8_t *lf;
	size_t method;

	while (n > 0 && (*p == '\r' || *p == '\n'))
		p++, n--;
	if (n == 0)
		return LIKE_PERHAPS;
	lf = memchr(p, '\n', n);
	if (lf != NULL)
		n = (size_t)(lf - p);
	if ((method = method_len(p, n)) == 0)
		return LIKE_NO;
	if (method == n)
		return lf != NULL ? LIKE_NO : LIKE_PERHAPS;
	return line_like(p, n, method, lf != NULL);
}

/* ---- lines ---- */

/* The next one, without its CRLF (RFC 9112 2.2). */
static enum flight_state
line_next(struct rd *r, struct text *out)
{
	const uint8_t *lf = memchr(r->p, '\n', rd_left(r)), *p = r->p;
	size_t len;

	if (lf == NULL)
		return FLIGHT_MORE;
	len = (size_t)(lf - p);
	rd_take(r, len + 1);
	if (len == 0 || p[len - 1] != '\r')
		return FLIGHT_BAD;
	*out = (struct text){ (const char *)p, len - 1 };
	for (size_t i = 0; i < out->len; i++)
		if (is_control(p[i]) && p[i] != '\t')
			return FLIGHT_BAD;
	return FLIGHT_NAMED;
}

/* The part up to the first of these characters; *t goes on behind it. */
static struct text
piece_take(struct text *t, const char *ends)
{
	struct text piece = { t->p, 0 };

	while (piece.len < t->len && strchr(ends, piece.p[piece.len]) == NULL)
		piece.len++;
	t->p += piece.len;
	t->len -= piece.len;
	return piece;
}

static bool
text_is(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.p, word, t.len) == 0;
}

/* ---- the request line ---- */

/* scheme://authority/... (RFC 9112 3.2.2).  User information is refused with the rest. */
static enum flight_state
absolute_read(struct text target, struct flight *out)
{
	struct text scheme = piece_take(&target, ":"), authority;

	if (scheme.len == 0 || target.len < 3 || memcmp(target.p, "://", 3) != 0)
		return FLIGHT_BAD;
	for (size_t i = 0; i < scheme.len; i++)
		if (!is_token((uint8_t)scheme.p[i]))
			return FLIGHT_BAD;
	target.p += 3;
	target.len -= 3;
	authority = piece_take(&target, "/?#");
	return flight_add_host(out, authority.p, authority.len);
}

/* What the target itself names; FLIGHT_MORE: nothing, Host has to. */
static enum flight_state
target_read(struct text method, struct text target, struct flight *out)
{
	if (text_is(method, "CONNECT"))
		return flight_add_host(out, target.p, target.len);	/* RFC 9112 3.2.3 */
	if (target.p[0] == '/' || text_is(target, "*"))
		return FLIGHT_MORE;
	return absolute_read(target, out);
}

/* The request line (RFC 9112 3); *simple: it is of HTTP/0.9, and all there is. */
static enum flight_state
request_read(struct text line, struct flight *out, bool *simple)
{
	struct text method = piece_take(&line, " "), target, version;

	if (method.len == 0 || line.len < 2)
		return FLIGHT_BAD;
	line.p++, line.len--;
	target = piece_take(&line, " \t");
	if (target.len == 0)
		return FLIGHT_BAD;
	if ((*simple = line.len == 0))
		return target_read(method, target, out);
	version = (struct text){ line.p + 1, line.len - 1 };
	if (line.p[0] != ' ' || version.len != 8 || (memcmp(version.p, "HTTP/1.1", 8) != 0 &&
	    memcmp(version.p, "HTTP/1.0", 8) != 0))
		return FLIGHT_BAD;
	for (size_t i = 0; i < method.len; i++)
		if (!is_token((uint8_t)method.p[i]))
			return FLIGHT_BAD;
	return target_read(method, target, out);
}

/* ---- fields ---- */

static struct text
trim(struct text t)
{
	while (t.len > 0 && (t.p[0] == ' ' || t.p[0] == '\t'))
		t.p++, t.len--;
	while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
		t.len--;
	return t;
}

/* name ":" value (RFC 9112 5).  FLIGHT_MORE: it is not Host, or an empty one (RFC 9110 7.2). */
static enum flight_state
field_read(struct text line, struct flight *out, size_t *hosts)
{
	struct text name = piece_take(&line, ":"), value;

	if (name.len == 0 || line.len == 0)
		return FLIGHT_BAD;
	for (size_t i = 0; i < name.len; i++)		/* no space before the colon, no folding */
		if (!is_token((uint8_t)name.p[i]))
			return FLIGHT_BAD;
	if (!text_is(name, "Host"))
		return FLIGHT_MORE;
	value = trim((struct text){ line.p + 1, line.len - 1 });
	(*hosts)++;
	return value.len == 0 ? FLIGHT_MORE : flight_add_host(out, value.p, value.len);
}

enum flight_state
httphost_read(const uint8_t *bytes, size_t n, struct flight *out)
{
	struct rd r = rd_over(bytes, n);
	struct text line = { NULL, 0 };
	enum flight_state state = line_next(&r, &line), found;
	bool simple = false;
	size_t hosts = 0;

	if (state != FLIGHT_NAMED)
		return state;
	if ((found = request_read(line, out, &simple)) == FLIGHT_BAD)
		return FLIGHT_BAD;
	if (simple)
		return FLIGHT_NAMELESS;
	while ((state = line_next(&r, &line)) == FLIGHT_NAMED && line.len > 0) {
		enum flight_state host = field_read(line, out, &hosts);

		if (host == FLIGHT_BAD || hosts > 1)	/* RFC 9112 3.2 */
			return FLIGHT_BAD;
		if (found != FLIGHT_NAMELESS && host != FLIGHT_MORE)
			found = host;			/* an address anywhere stays one */
	}
	if (state != FLIGHT_NAMED)
		return state;
	return found == FLIGHT_MORE ? FLIGHT_NAMELESS : found;
}

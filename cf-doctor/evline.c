/*
 * evline.c - see evline.h.
 *
 * A recursive descent over RFC 8259, with a bound on the recursion.  Where a key is there
 * twice the last one counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "evline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parse {
	char		*at, *end;
	struct evline	*e;
	const char	*why;
};

static bool	value(struct parse *, struct evvalue *, int depth);

static bool
bad(struct parse *p, const char *why)
{
	p->why = why;
	return false;
}

static int
peek(const struct parse *p)
{
	return p->at < p->end ? (unsigned char)*p->at : -1;
}

static void
space(struct parse *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' ||
	    *p->at == '\n'))
		p->at++;
}

/* ---- strings ---- */

/* RFC 3629 4: how long the character is that begins here; 0 where there is none. */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static bool
hex4(struct parse *p, unsigned *out)
{
	unsigned v = 0;

	if (p->end - p->at < 4)
		return bad(p, "an escape is cut short");
	for (int i = 0; i < 4; i++) {
		int c = (unsigned char)*p->at++, d = c >= '0' && c <= '9' ? c - '0' :
		    c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return bad(p, "a \\u is followed by something else than four digits");
		v = v << 4 | (unsigned)d;
	}
	*out = v;
	return true;
}

static char *
utf8_put(char *w, unsigned c)
{
	if (c < 0x80) {
		*w++ = (char)c;
		return w;
	}
	if (c < 0x800) {
		*w++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*w++ = (char)(0xe0 | c >> 12);
		} else {
			*w++ = (char)(0xf0 | c >> 18);
			*w++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*w++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*w++ = (char)(0x80 | (c & 0x3f));
	return w;
}

/* RFC 8259 7: what is not in the first plane is two escapes, a pair of surrogates. */
static bool
escape_u(struct parse *p, char **w)
{
	unsigned c, low;

	if (!hex4(p, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (p->end - p->at < 6 || p->at[0] != '\\' || p->at[1] != 'u')
			return bad(p, "half of a surrogate pair");
		p->at += 2;
		if (!hex4(p, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return bad(p, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return bad(p, "half of a surrogate pair");
	}
	*w = utf8_put(*w, c);		/* never longer than its escape */
	return true;
}

static bool
escape(struct parse *p, char **w)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int c = peek(p);

	if (c == -1)
		return bad(p, "a string has no end");
	p->at++;
	if (c == 'u')
		return escape_u(p, w);
	if (c == '\0' || (found = strchr(from, c)) == NULL)
		return bad(p, "an unknown escape");
	*(*w)++ = to[found - from];
	return true;
}

/* At the quotation mark; what it holds replaces it in the line. */
static bool
string(struct parse *p, struct evtext *out)
{
	char *w = ++p->at;
	size_t n;

	out->text = w;
	while (p->at < p->end) {
		unsigned char c = (unsigned char)*p->at;

		if (c == '"') {
			*w = '\0';
			out->len = (size_t)(w - out->text);
			p->at++;
			return true;
		}
		if (c == '\\') {
			p->at++;
			if (!escape(p, &w))
				return false;
		} else if (c < 0x20) {
			return bad(p, "a control character in a string");
		} else if (c < 0x80) {
			*w++ = *p->at++;
		} else {
			if ((n = utf8_len((unsigned char *)p->at, (size_t)(p->end - p->at))) == 0)
				return bad(p, "it is no UTF-8");
			memmove(w, p->at, n);
			w += n;
			p->at += n;
		}
	}
	return bad(p, "a string has no end");
}

/* ---- other values ---- */

static bool
digits(struct parse *p)
{
	char *first = p->at;

	while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
		p->at++;
	return p->at > first || bad(p, "a number lacks a digit");
}

static bool
number(struct parse *p, struct evvalue *out)
{
	char *first = p->at, after;
	bool whole = true;

	if (peek(p) == '-')
		p->at++;
	if (peek(p) == '0')
		p->at++;
	else if (!digits(p))
		return false;
	if (peek(p) == '.') {
		whole = false;
		p->at++;
		if (!digits(p))
			return false;
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		whole = false;
		p->at++;
		if (peek(p) == '+' || peek(p) == '-')
			p->at++;
		if (!digits(p))
			return false;
	}
	out->type = VAL_OTHER;
	if (!whole)
		return true;
	after = *p->at;			/* the line has room for a byte behind its end */
	*p->at = '\0';
	errno = 0;
	out->integer = strtoll(first, NULL, 10);
	*p->at = after;
	out->type = VAL_INTEGER;
	return errno != ERANGE || bad(p, "a number is too large");
}

static bool
word(struct parse *p, const char *text, enum evline_type type, struct evvalue *out)
{
	size_t len = strlen(text);

	if ((size_t)(p->end - p->at) < len || memcmp(p->at, text, len) != 0)
		return bad(p, "it is no JSON");
	p->at += len;
	out->type = type;
	return true;
}

static void
item_keep(struct evline *e, struct evvalue *array, const struct evvalue *item)
{
	if (item->type != VAL_STRING || e->nitems == EVLINE_ITEMS)
		return;
	e->item[e->nitems++] = item->string;
	array->n++;
}

/* keep: an array that is a field of the event itself. */
static bool
array(struct parse *p, struct evvalue *out, int depth)
{
	struct evvalue item;

	out->type = VAL_ARRAY;
	out->first = p->e->nitems;
	out->n = 0;
	p->at++;
	space(p);
	if (peek(p) == ']') {
		p->at++;
		return true;
	}
	for (;;) {
		space(p);
		if (!value(p, &item, depth + 1))
			return false;
		if (depth == 1)
			item_keep(p->e, out, &item);
		space(p);
		if (peek(p) == ']') {
			p->at++;
			return true;
		}
		if (peek(p) != ',')
			return bad(p, "an array has no end");
		p->at++;
	}
}

#define EVLINE_KEY(name, key)	{ key, sizeof(key) - 1 },
static const struct { const char *key; size_t len; } keys[F_COUNT] = {
	EVLINE_FIELDS(EVLINE_KEY)
};

static struct evvalue *
field_of(struct evline *e, const struct evtext *key)
{
	for (size_t i = 0; i < F_COUNT; i++)
		if (keys[i].len == key->len && keys[i].key[0] == key->text[0] &&
		    memcmp(keys[i].key, key->text, key->len) == 0)
			return &e->field[i];
	return NULL;
}

static bool
member(struct parse *p, int depth)
{
	struct evvalue unwanted, *v = NULL;
	struct evtext key;

	space(p);
	if (peek(p) != '"')
		return bad(p, "a key is no string");
	if (!string(p, &key))
		return false;
	if (memchr(key.text, '\0', key.len) != NULL)
		return bad(p, "a key has a zero inside");
	space(p);
	if (peek(p) != ':')
		return bad(p, "a key has no value");
	p->at++;
	space(p);
	if (depth == 0)
		v = field_of(p->e, &key);
	return value(p, v != NULL ? v : &unwanted, depth + 1);
}

static bool
object(struct parse *p, struct evvalue *out, int depth)
{
	out->type = VAL_OTHER;
	p->at++;
	space(p);
	if (peek(p) == '}') {
		p->at++;
		return true;
	}
	for (;;) {
		if (!member(p, depth))
			return false;
		space(p);
		if (peek(p) == '}') {
			p->at++;
			return true;
		}
		if (peek(p) != ',')
			return bad(p, "an object has no end");
		p->at++;
	}
}

static bool
value(struct parse *p, struct evvalue *out, int depth)
{
	if (depth > EVLINE_DEPTH)
		return bad(p, "it is nested too deeply");
	switch (peek(p)) {
	case '"':	out->type = VAL_STRING; return string(p, &out->string);
	case '{':	return object(p, out, depth);
	case '[':	return array(p, out, depth);
	case 't':	return word(p, "true", VAL_TRUE, out);
	case 'f':	return word(p, "false", VAL_FALSE, out);
	case 'n':	return word(p, "null", VAL_NONE, out);
	case -1:	return bad(p, "it ends too early");
	default:	return number(p, out);
	}
}

const char *
evline_parse(struct evline *e, char *line, size_t len)
{
	struct parse p = { .at = line, .end = line + len, .e = e };
	struct evvalue whole;

	for (size_t i = 0; i < F_COUNT; i++)
		e->field[i].type = VAL_NONE;
	e->nitems = 0;
	space(&p);
	if (p.at == p.end)
		return "it is blank";
	if (*p.at != '{')
		return "it is no JSON object";
	if (!object(&p, &whole, 0))
		return p.why;
	space(&p);
	return p.at == p.end ? NULL : "something follows the object";
}

/*
 * jline.c - see jline.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jline.h"

#include <stdio.h>
#include <string.h>

#define NO_LIMIT	SIZE_MAX
#define UNKNOWN		"\xef\xbf\xbd"		/* U+FFFD */

void
jline_init(struct jline *l)
{
	l->len = l->n = 0;
	l->over = l->open = l->first = false;
}

/* ---- text ---- */

static void
put(struct jline *l, const char *bytes, size_t len)
{
	if (len > sizeof(l->text) - l->len) {
		l->over = true;
		return;
	}
	memcpy(l->text + l->len, bytes, len);
	l->len += len;
}

/* Bytes of the UTF-8 sequence at p, of which n are there; 0 where it is none (RFC 3629 4). */
static size_t
utf8_len(const uint8_t *p, size_t n)
{
	static const struct { uint8_t mask, lead; uint32_t least; } form[] = {
		{ 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
	};
	uint32_t c;

	for (size_t more = 1; more <= 3; more++) {
		if ((p[0] & form[more - 1].mask) != form[more - 1].lead)
			continue;
		c = p[0] & (uint8_t)~form[more - 1].mask;
		for (size_t i = 1; i <= more; i++) {
			if (i >= n || (p[i] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (p[i] & 0x3f);
		}
		return c < form[more - 1].least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ?
		    0 : more + 1;
	}
	return 0;
}

static void
put_control(struct jline *l, uint8_t c)
{
	static const char short_form[] = "\bb\ff\nn\rr\tt";
	const char *p = memchr(short_form, c, sizeof(short_form) - 1);
	char text[8];

	if (p != NULL && (p - short_form) % 2 == 0)
		snprintf(text, sizeof(text), "\\%c", p[1]);
	else
		snprintf(text, sizeof(text), "\\u%04X", c);
	put(l, text, strlen(text));
}

/* As much of it as fits `room` bytes of the line. */
static void
put_string(struct jline *l, const char *text, size_t len, size_t room)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t from = l->len, n, i = 0;

	put(l, "\"", 1);
	while (i < len && !l->over) {
		if (l->len - from + 16 > room) {
			put(l, "...", 3);
			break;
		}
		if (p[i] >= 0x80) {
			n = utf8_len(p + i, len - i);
			put(l, n > 0 ? text + i : UNKNOWN, n > 0 ? n : 3);
			i += n > 0 ? n : 1;
			continue;
		}
		if (p[i] < 0x20)
			put_control(l, p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			put(l, (char [2]){ '\\', (char)p[i] }, 2);
		else
			put(l, text + i, 1);
		i++;
	}
	put(l, "\"", 1);
}

static void
put_int(struct jline *l, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	if (v > INT64_MAX)
		v = INT64_MAX;
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	put(l, digits + at, sizeof(digits) - at);
}

/* ---- fields ---- */

static bool
field_begin(struct jline *l, const char *key)
{
	if (l->n == JLINE_FIELDS)
		l->over = true;
	if (l->over)
		return false;
	l->field[l->n].key = key;
	l->field[l->n].at = (uint16_t)l->len;
	return true;
}

static void
field_end(struct jline *l)
{
	l->field[l->n].len = (uint16_t)(l->len - l->field[l->n].at);
	l->n++;
}

void
jline_strn(struct jline *l, const char *key, const char *text, size_t len, size_t room)
{
	if (!field_begin(l, key))
		return;
	put_string(l, text, len, room);
	field_end(l);
}

void
jline_str(struct jline *l, const char *key, const char *text)
{
	if (text == NULL)
		jline_null(l, key);
	else
		jline_strn(l, key, text, strlen(text), NO_LIMIT);
}

void
jline_int(struct jline *l, const char *key, uint64_t v)
{
	if (!field_begin(l, key))
		return;
	put_int(l, v);
	field_end(l);
}

static void
word(struct jline *l, const char *key, const char *text)
{
	if (!field_begin(l, key))
		return;
	put(l, text, strlen(text));
	field_end(l);
}

void
jline_bool(struct jline *l, const char *key, bool v)
{
	word(l, key, v ? "true" : "false");
}

void
jline_null(struct jline *l, const char *key)
{
	word(l, key, "null");
}

void
jline_list(struct jline *l, const char *key)
{
	if (!field_begin(l, key))
		return;
	l->open = l->first = true;
	put(l, "[", 1);
}

static bool
value_begin(struct jline *l)
{
	if (!l->open)
		return false;
	if (!l->first)
		put(l, ",", 1);
	l->first = false;
	return true;
}

void
jline_list_str(struct jline *l, const char *text)
{
	if (value_begin(l))
		put_string(l, text, strlen(text), NO_LIMIT);
}

void
jline_list_int(struct jline *l, uint64_t v)
{
	if (value_begin(l))
		put_int(l, v);
}

void
jline_list_end(struct jline *l)
{
	if (!l->open)
		return;
	l->open = false;
	put(l, "]", 1);
	field_end(l);
}

size_t
jline_room(const struct jline *l)
{
	return l->over ? 0 : sizeof(l->text) - l->len;
}

/* ---- the line ---- */

/* Callers give most fields in order, so this moves few. */
static size_t
sorted(const struct jline *l, const struct jline_field *out[JLINE_FIELDS])
{
	size_t at;

	for (size_t i = 0; i < l->n; i++) {
		for (at = i; at > 0 && strcmp(out[at - 1]->key, l->field[i].key) > 0; at--)
			out[at] = out[at - 1];
		out[at] = &l->field[i];
	}
	return l->n;
}

size_t
jline_put(const struct jline *l, char *out)
{
	const struct jline_field *order[JLINE_FIELDS];
	size_t n = sorted(l, order), len = 0, keylen;

	if (l->over || n == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		keylen = strlen(order[i]->key);
		if (len + keylen + order[i]->len + 6 > JLINE_MAX)
			return 0;
		out[len++] = i == 0 ? '{' : ',';
		out[len++] = '"';
		memcpy(out + len, order[i]->key, keylen);
		len += keylen;
		out[len++] = '"';
		out[len++] = ':';
		memcpy(out + len, l->text + order[i]->at, order[i]->len);
		len += order[i]->len;
	}
	out[len++] = '}';
	out[len++] = '\n';
	return len;
}

/*
 * idn.c - see idn.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "idn.h"

#include <idn2.h>
#include <string.h>

/* Length of the UTF-8 sequence at p, 0 when it is none (RFC 3629 4). */
static size_t
utf8_len(const uint8_t *p, size_t left)
{
	static const struct { uint8_t first, last, low, high, len; } rows[] = {
		{ 0x01, 0x7f, 0x80, 0xbf, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (p[0] < rows[i].first || p[0] > rows[i].last)
			continue;
		if (left < rows[i].len)
			return 0;
		for (size_t k = 1; k < rows[i].len; k++)
			if (p[k] < (k == 1 ? rows[i].low : 0x80) || p[k] > (k == 1 ? rows[i].high : 0xbf))
				return 0;
		return rows[i].len;
	}
	return 0;
}

bool
idn_utf8_ok(const char *text, size_t len, size_t *at)
{
	for (size_t i = 0, n; i < len; i += n)
		if ((n = utf8_len((const uint8_t *)text + i, len - i)) == 0) {
			*at = i;
			return false;
		}
	return true;
}

/* Bytes of the dot at p, 0 when it is none: '.', U+3002, U+FF0E, U+FF61 (UTS #46 2.3). */
static size_t
dot_len(const char *p, size_t left)
{
	if (*p == '.')
		return 1;
	if (left < 3)
		return 0;
	return memcmp(p, "\xe3\x80\x82", 3) == 0 || memcmp(p, "\xef\xbc\x8e", 3) == 0 ||
	    memcmp(p, "\xef\xbd\xa1", 3) == 0 ? 3 : 0;
}

static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] & 0x80) != 0)
			return false;
	return true;
}

/* One label behind the others in out.  False: *why. */
static bool
label_put(const char *label, size_t len, char out[NAME_STRLEN], size_t *n, const char **why)
{
	uint8_t in[NAME_STRLEN], *made = NULL;
	const char *from = label;
	int rc = IDN2_OK;

	*why = "the name is too long";
	if (len >= sizeof(in))
		return false;
	if (!is_ascii(label, len)) {
		memcpy(in, label, len);
		in[len] = '\0';
		rc = idn2_lookup_u8(in, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
		if (rc != IDN2_OK) {
			*why = idn2_strerror(rc);
			return false;
		}
		from = (const char *)made;
		len = strlen(from);
	}
	/* A label that maps to one with a dot in it would be two: a name has none such. */
	if (memchr(from, '.', len) != NULL)
		*why = "a letter stands for a dot";
	else if (len < NAME_STRLEN - 2 - *n) {
		memcpy(out + *n, from, len);
		*n += len;
		*why = NULL;
	}
	idn2_free(made);
	return *why == NULL;
}

bool
idn_name(const char *text, size_t len, char out[NAME_STRLEN], struct name_error *err)
{
	char ascii[NAME_STRLEN];
	size_t n = 0, label = 0, dot = 0;

	if (is_ascii(text, len))
		return name_from_ascii(text, len, out, err);
	if (!idn_utf8_ok(text, len, &err->at)) {
		err->why = "the text is not UTF-8";
		return false;
	}
	for (size_t i = 0; i <= len; i += dot != 0 ? dot : 1) {
		if ((dot = i < len ? dot_len(text + i, len - i) : 0) == 0 && i < len)
			continue;
		if (!label_put(text + label, i - label, ascii, &n, &err->why)) {
			err->at = label;
			return false;
		}
		label = i + dot;
		if (i < len)
			ascii[n++] = '.';
	}
	if (name_from_ascii(ascii, n, out, err))
		return true;
	err->at = 0;			/* places in `ascii` are not places in the text */
	return false;
}

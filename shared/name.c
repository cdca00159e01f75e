/*
 * name.c - see name.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define WIRE_MAX	255		/* RFC 1035 3.1, lengths and root included */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

/* ---- text ---- */

static bool
name_bad(struct name_error *err, const char *why, size_t at)
{
	*err = (struct name_error){ why, at };
	return false;
}

bool
name_from_ascii(const char *text, size_t len, char out[NAME_STRLEN], struct name_error *err)
{
	size_t label = 0;		/* where the present one began */

	if (len > 0 && text[len - 1] == '.' && len > 1)
		len--;
	if (len == 0)
		return name_bad(err, "the name is empty", 0);
	if (len > NAME_TEXT_MAX)
		return name_bad(err, "a name is at most 253 characters long", NAME_TEXT_MAX);
	for (size_t i = 0; i <= len; i++) {
		if (i == len || text[i] == '.') {
			if (i == label)
				return name_bad(err, "a label is empty (two dots, or one too many)", i);
			if (i - label > NAME_LABEL_MAX)
				return name_bad(err, "a label is at most 63 characters long", label);
			label = i + 1;
		} else if (!is_plain(lower(text[i])))
			return name_bad(err, "a name has letters, digits, '-', '_' and dots", i);
		out[i] = i < len ? lower(text[i]) : '\0';
	}
	return true;
}

bool
name_is_number(const char *name)
{
	const char *last = strrchr(name, '.');
	size_t digits;

	last = last == NULL ? name : last + 1;
	digits = strspn(last, "0123456789");
	if (digits > 0 && last[digits] == '\0')
		return true;
	return last[0] == '0' && last[1] == 'x' &&
	    last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
}

const char *
name_parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot == NULL || dot[1] == '\0' ? NULL : dot + 1;
}

/* ---- the wire ---- */

static size_t
byte_put(char *out, uint8_t byte)
{
	char c = lower((char)byte);

	if (is_plain(c)) {
		*out = c;
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\%03u", byte);
}

/*
 * Where the labels go on from `at`: at itself, or where pointers lead, each further back than
 * the one before (so there is an end).  SIZE_MAX: nowhere.  *low is the bound so far.
 */
static size_t
pointer_follow(const uint8_t *msg, size_t len, size_t at, size_t *low)
{
	while (at < len && (msg[at] & 0xc0) == 0xc0) {
		size_t to;

		if (len - at < 2)
			return SIZE_MAX;
		to = (size_t)(msg[at] & 0x3f) << 8 | msg[at + 1];
		if (to >= *low)
			return SIZE_MAX;
		at = *low = to;
	}
	return at;
}

const char *
name_from_message(const uint8_t *msg, size_t len, size_t *off, char out[NAME_STRLEN])
{
	size_t at = *off, low = at, end = 0, wire = 0, n = 0;

	for (;;) {
		size_t to = pointer_follow(msg, len, at, &low), label;

		if (to != at && end == 0)
			end = at + 2;		/* behind the first pointer */
		if (to >= len)
			return "the name does not end, or points ahead";
		if ((label = msg[to]) > NAME_LABEL_MAX)
			return "an unknown kind of label";
		if ((wire += 1 + label) > WIRE_MAX)
			return "the name is longer than 255 bytes";
		if (label > len - to - 1)
			return "a label goes past the end";
		if (label == 0) {
			*off = end != 0 ? end : to + 1;
			break;
		}
		if (n > 0)
			out[n++] = '.';
		for (size_t i = 0; i < label; i++)
			n += byte_put(out + n, msg[to + 1 + i]);
		at = to + 1 + label;
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	return NULL;
}

/* ---- hosts ---- */

static bool
addr_from_piece(const char *text, size_t len, int family, struct addr *out)
{
	char host[INET6_ADDRSTRLEN + 1];

	if (len >= sizeof(host) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	*out = (struct addr){ .family = family == AF_INET ? 4 : 6 };
	return inet_pton(family, host, out->ip) == 1;
}

/* ":443" at the end, if there is one, is taken off.  False: it is no port. */
static bool
port_take(const char *text, size_t *len, uint16_t *port)
{
	size_t i = *len;
	unsigned long v = 0;

	while (i > 0 && is_digit(text[i - 1]))
		i--;
	if (i == 0 || text[i - 1] != ':')
		return true;			/* no port; a stray colon fails as part of the name */
	if (*len - i > 5)
		return false;
	for (size_t k = i; k < *len; k++)
		v = v * 10 + (unsigned long)(text[k] - '0');
	if (v > 65535 || (*len > i && v == 0))
		return false;
	*port = (uint16_t)v;			/* "host:" is a host (RFC 3986 3.2.3) */
	*len = i - 1;
	return true;
}

/* The part of an address before its zone. */
static size_t
zone_cut(const char *text, size_t len)
{
	const char *percent = memchr(text, '%', len);

	return percent == NULL ? len : (size_t)(percent - text);
}

static const char *
host_is_addr(struct name_host *out)
{
	out->is_addr = true;
	out->addr.port = out->port;
	return NULL;
}

static const char *
host_plain(const char *text, size_t len, struct name_host *out)
{
	struct name_error err;
	size_t bare = len > 1 && text[len - 1] == '.' ? len - 1 : len;

	if (addr_from_piece(text, bare, AF_INET, &out->addr))
		return host_is_addr(out);
	if (!name_from_ascii(text, len, out->name, &err))
		return err.why;
	if (name_is_number(out->name))
		return "a name does not end in a number";
	return NULL;
}

const char *
name_from_host(const char *text, size_t len, struct name_host *out)
{
	memset(out, 0, sizeof(*out));
	if (!port_take(text, &len, &out->port))
		return "the port is not in 1 to 65535";
	if (len < 2 || text[0] != '[')
		return host_plain(text, len, out);
	if (text[len - 1] != ']')
		return "a bracket is not closed";
	if (!addr_from_piece(text + 1, zone_cut(text + 1, len - 2), AF_INET6, &out->addr))
		return "between the brackets is no IPv6 address";
	return host_is_addr(out);
}

const char *
name_from_sni(const uint8_t *text, size_t len, struct name_host *out)
{
	const char *s = (const char *)text;

	memset(out, 0, sizeof(*out));
	if (addr_from_piece(s, len, AF_INET6, &out->addr))
		return host_is_addr(out);
	return host_plain(s, len, out);
}

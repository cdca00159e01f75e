/*
 * forms.c - see forms.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "forms.h"

#include <string.h>

/* Where in an address that begins with `prefix` the four bytes are. */
static const struct form {
	uint8_t	prefix[12];
	uint8_t	len;		/* of the prefix, in bytes */
	uint8_t	at[4];
	uint8_t	invert;
	bool	guess;		/* one of several readings of the same address */
} table[] = {
	{ { 0,0, 0,0, 0,0, 0,0, 0,0, 0xff,0xff }, 12, { 12, 13, 14, 15 }, 0, false },
	{ { 0 }, 12, { 12, 13, 14, 15 }, 0, false },
	{ { 0,0, 0,0, 0,0, 0,0, 0xff,0xff }, 12, { 12, 13, 14, 15 }, 0, false },
	{ { 0,0x64, 0xff,0x9b }, 12, { 12, 13, 14, 15 }, 0, false },
	/* Byte 8 is always zero and skipped (RFC 6052 2.2). */
	{ { 0,0x64, 0xff,0x9b, 0,1 }, 6, { 6, 7, 9, 10 }, 0, true },
	{ { 0,0x64, 0xff,0x9b, 0,1 }, 6, { 7, 9, 10, 11 }, 0, true },
	{ { 0,0x64, 0xff,0x9b, 0,1 }, 6, { 9, 10, 11, 12 }, 0, true },
	{ { 0,0x64, 0xff,0x9b, 0,1 }, 6, { 12, 13, 14, 15 }, 0, true },
	{ { 0x20,0x02 }, 2, { 2, 3, 4, 5 }, 0, false },
	{ { 0x20,0x01, 0,0 }, 4, { 4, 5, 6, 7 }, 0, false },
	{ { 0x20,0x01, 0,0 }, 4, { 12, 13, 14, 15 }, 0xff, false },
};

static bool
is_any_or_loopback(const struct addr *a)
{
	static const uint8_t zeros[15];

	return memcmp(a->ip, zeros, sizeof(zeros)) == 0 && a->ip[15] <= 1;
}

static bool
is_mapped(const struct addr *a)
{
	return memcmp(a->ip, table[0].prefix, sizeof(table[0].prefix)) == 0;
}

static struct addr
form_read(const struct addr *a, const uint8_t at[4], uint8_t invert)
{
	struct addr v4 = { .family = 4, .port = a->port };

	for (int i = 0; i < 4; i++)
		v4.ip[i] = a->ip[at[i]] ^ invert;
	return v4;
}

/*
 * Of several readings of one address those that begin with a zero byte are mostly padding
 * read as an address; they count as 0.0.0.0/8 only if there is nothing else to read.
 */
static size_t
guesses_sift(struct addr *out, size_t first, size_t n)
{
	size_t kept = first;

	for (size_t i = first; i < n; i++)
		if (out[i].ip[0] != 0)
			out[kept++] = out[i];
	return kept > first || n == first ? kept : first + 1;
}

size_t
forms_of(const struct addr *a, struct addr out[FORMS_MAX])
{
	static const uint8_t isatap[] = { 0, 0x5e, 0xfe }, last[4] = { 12, 13, 14, 15 };
	size_t n = 0, guesses;

	if (a->family == 6 && is_mapped(a))
		out[n++] = form_read(a, last, 0);
	out[n++] = *a;
	if (a->family != 6 || is_any_or_loopback(a))
		return n;
	guesses = n;
	for (size_t i = 1; i < sizeof(table) / sizeof(table[0]); i++) {
		if (memcmp(a->ip, table[i].prefix, table[i].len) != 0)
			continue;
		out[n++] = form_read(a, table[i].at, table[i].invert);
		if (table[i].guess && !table[i + 1].guess)
			n = guesses_sift(out, guesses, n);
	}
	if ((a->ip[8] & 0xfd) == 0 && memcmp(a->ip + 9, isatap, sizeof(isatap)) == 0)
		out[n++] = form_read(a, last, 0);
	return n;
}

/*
 * flight.c - which kind of first flight it is (flight.h).
 *
 * Each kind says of the first bytes whether they are its own; the first that does not say no
 * gets them.  The order matters once: the HTTP/2 preface looks like a request of HTTP/1.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "flight_parts.h"
#include "name.h"

_Static_assert(NAME_TEXT_MAX <= MSG_NAME_MAX, "a name that was read fits");

static const struct kind {
	enum flight_likeness	(*like)(const uint8_t *, size_t);
	enum flight_state	(*read)(const uint8_t *, size_t, struct flight *);
	enum flight_kind	 kind;
} kinds[] = {
	{ tlshello_like, tlshello_read, FLIGHT_TLS },
	{ h2c_like, h2c_read, FLIGHT_H2 },
	{ httphost_like, httphost_read, FLIGHT_HTTP },
};

static enum flight_state
kind_read(const uint8_t *bytes, size_t n, struct flight *out)
{
	for (size_t i = 0; n > 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		switch (kinds[i].like(bytes, n)) {
		case LIKE_NO:
			break;
		case LIKE_PERHAPS:
			return FLIGHT_MORE;
		case LIKE_YES:
			out->kind = kinds[i].kind;
			return kinds[i].read(bytes, n, out);
		}
	return n > 0 ? FLIGHT_NAMELESS : FLIGHT_MORE;
}

enum flight_state
flight_stream(const uint8_t *bytes, size_t n, bool end, struct flight *out)
{
	enum flight_state state;

	*out = (struct flight){ .kind = FLIGHT_OTHER };
	state = kind_read(bytes, n < FLIGHT_MAX ? n : FLIGHT_MAX, out);
	if (state != FLIGHT_MORE)
		return state;
	if (n >= FLIGHT_MAX)
		return FLIGHT_BAD;
	if (!end)
		return FLIGHT_MORE;
	return out->kind == FLIGHT_OTHER ? FLIGHT_NAMELESS : FLIGHT_BAD;	/* cut off */
}

/* ---- names ---- */

static enum flight_state
name_add(struct flight *f, const struct name_host *host)
{
	if (host->is_addr)
		return FLIGHT_NAMELESS;
	for (size_t i = 0; i < f->n_names; i++)
		if (strcmp(f->name[i], host->name) == 0)
			return FLIGHT_NAMED;
	if (f->n_names == FLIGHT_NAMES)
		return FLIGHT_BAD;
	memcpy(f->name[f->n_names++], host->name, strlen(host->name) + 1);
	return FLIGHT_NAMED;
}

enum flight_state
flight_add_host(struct flight *f, const char *text, size_t len)
{
	struct name_host host;

	return name_from_host(text, len, &host) == NULL ? name_add(f, &host) : FLIGHT_BAD;
}

enum flight_state
flight_add_sni(struct flight *f, const uint8_t *text, size_t len)
{
	struct name_host host;

	return name_from_sni(text, len, &host) == NULL ? name_add(f, &host) : FLIGHT_NAMELESS;
}

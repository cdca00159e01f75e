/*
 * tlshello.c - the server name of a TLS ClientHello (flight.h).
 *
 * The hello may be spread over records, and the records over any number of segments; it is
 * read when all of it is there.  Of its extensions only two matter: server_name, and whether
 * there is one of encrypted hellos.  All others, greased or not, are stepped over, but each has
 * to end where it says.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "flight_parts.h"
#include "rd.h"

#define RECORD_MAX		16384	/* RFC 8446 5.1 */
#define RECORD_HANDSHAKE	22
#define HELLO_HEAD		4	/* type and length of a handshake message, RFC 8446 4 */
#define CLIENT_HELLO		1
#define RANDOM_LEN		32
#define SESSION_ID_MAX		32
#define EXT_SERVER_NAME		0	/* RFC 6066 3 */
#define EXT_ECH			0xfe0d	/* draft-ietf-tls-esni, and what came of it */
#define EXT_ESNI		0xffce	/* its first drafts: there is no server_name then */
#define NAME_TYPE_HOST		0

/*
 * Any type of record, since a server may step over a warning in front of the hello, and any
 * version of a handshake record, since a server must not look at it (RFC 8446 5.1).  The second
 * form is a hello in the clothes of SSL 2 (RFC 5246 E.2), which OpenSSL still answers.
 */
enum flight_likeness
tlshello_like(const uint8_t *p, size_t n)
{
	if (p[0] == RECORD_HANDSHAKE)
		return LIKE_YES;
	if (p[0] >= 20 && p[0] <= 24)
		return n < 2 ? LIKE_PERHAPS : p[1] == 3 ? LIKE_YES : LIKE_NO;
	if ((p[0] & 0x80) == 0 || (n > 2 && p[2] != CLIENT_HELLO))
		return LIKE_NO;
	return n < 4 ? LIKE_PERHAPS : p[3] == 3 || p[3] == 0 ? LIKE_YES : LIKE_NO;
}

/* One name of one type is all that there may be (RFC 6066 3). */
static enum flight_state
server_name_read(struct rd r, struct flight *out)
{
	enum flight_state state = FLIGHT_BAD;
	size_t names = 0;

	if (rd_be16(&r) != rd_left(&r))
		return FLIGHT_BAD;
	for (; rd_left(&r) > 0; names++) {
		uint8_t type = rd_u8(&r);
		size_t len = rd_be16(&r);
		const uint8_t *name = rd_take(&r, len);

		if (name == NULL || len == 0 || type != NAME_TYPE_HOST)
			return FLIGHT_BAD;
		state = flight_add_sni(out, name, len);
	}
	return names == 1 ? state : FLIGHT_BAD;
}

static enum flight_state
extensions_read(struct rd r, struct flight *out)
{
	enum flight_state state = FLIGHT_NAMELESS;
	bool named = false;

	while (rd_left(&r) > 0) {
		uint16_t type = rd_be16(&r);
		size_t len = rd_be16(&r);
		const uint8_t *body = rd_take(&r, len);

		if (body == NULL)
			return FLIGHT_BAD;
		out->ech |= type == EXT_ECH || type == EXT_ESNI;
		if (type != EXT_SERVER_NAME)
			continue;
		/* No extension twice (RFC 8446 4.2); the name of a second one is still told. */
		state = server_name_read(rd_over(body, len), out);
		if (named || state == FLIGHT_BAD)
			return FLIGHT_BAD;
		named = true;
	}
	return state;
}

/* RFC 8446 4.1.2; the fields are where TLS 1.0 had them. */
static enum flight_state
hello_read(struct rd r, struct flight *out)
{
	size_t ciphers;

	rd_take(&r, 2 + RANDOM_LEN);
	if (rd_left(&r) > 0 && *r.p > SESSION_ID_MAX)
		return FLIGHT_BAD;
	rd_take(&r, rd_u8(&r));
	ciphers = rd_be16(&r);
	rd_take(&r, ciphers);
	rd_take(&r, rd_u8(&r));			/* compression */
	if (r.bad || ciphers < 2 || ciphers % 2 != 0)
		return FLIGHT_BAD;
	if (rd_left(&r) == 0)
		return FLIGHT_NAMELESS;		/* no extensions (RFC 5246 7.4.1.2) */
	if (rd_be16(&r) != rd_left(&r) || r.bad)
		return FLIGHT_BAD;
	return extensions_read(r, out);
}

enum flight_state
tlshello_message(const uint8_t *bytes, size_t n, struct flight *out)
{
	struct rd r = rd_over(bytes, n);
	size_t len;

	if (n > 0 && bytes[0] != CLIENT_HELLO)
		return FLIGHT_BAD;
	if (n < HELLO_HEAD)
		return FLIGHT_MORE;
	rd_take(&r, 1);
	len = rd_be(&r, 3);
	if (len > FLIGHT_MAX - HELLO_HEAD)
		return FLIGHT_BAD;
	if (rd_left(&r) < len)
		return FLIGHT_MORE;
	return hello_read(rd_over(r.p, len), out);
}

/*
 * The bytes of the next record that are here.  NULL: its head is not whole (then `bad` of
 * the reader is set), or it is none that a hello comes in; an empty one is not (RFC 8446 5.1).
 */
static const uint8_t *
fragment_next(struct rd *r, size_t *len)
{
	uint8_t type = rd_u8(r), major = rd_u8(r);

	rd_take(r, 1);
	*len = rd_be16(r);
	if (r->bad || type != RECORD_HANDSHAKE || major != 3 || *len == 0 || *len > RECORD_MAX)
		return NULL;
	if (*len > rd_left(r))
		*len = rd_left(r);
	return rd_take(r, *len);
}

enum flight_state
tlshello_read(const uint8_t *bytes, size_t n, struct flight *out)
{
	uint8_t hello[FLIGHT_MAX];
	size_t hello_len = 0;
	struct rd r = rd_over(bytes, n);
	enum flight_state state = FLIGHT_MORE;

	if (bytes[0] & 0x80)
		return FLIGHT_NAMELESS;		/* SSL 2 has no extensions */
	while (state == FLIGHT_MORE && rd_left(&r) > 0) {
		size_t len;
		const uint8_t *fragment = fragment_next(&r, &len);

		if (fragment == NULL)
			return r.bad ? FLIGHT_MORE : FLIGHT_BAD;
		if (len > sizeof(hello) - hello_len)
			return FLIGHT_BAD;
		memcpy(hello + hello_len, fragment, len);
		hello_len += len;
		state = tlshello_message(hello, hello_len, out);
	}
	return state;
}

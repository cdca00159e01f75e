/*
 * h2c.c - the authority of the first HTTP/2 request of a flow without TLS (flight.h).
 *
 * The client says the preface and SETTINGS (RFC 9113 3.4), then it may say a few things about
 * the connection, then HEADERS with a CONTINUATION or more.  HPACK is nghttp2's inflater,
 * which allocates its table of 4 KiB and is gone when we return.  The whole flight is
 * read anew with each piece that arrives; it is short.
 *
 * A client that waits for the server's SETTINGS before its first request cannot be told from
 * one that has nothing to ask: FLIGHT_MORE.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "flight_parts.h"
#include "rd.h"

#define PREFACE		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LEN	(sizeof(PREFACE) - 1)
#define FRAME_HEAD	9		/* RFC 9113 4.1 */
#define FRAME_MAX	16384		/* as long as the server has not allowed more, 4.2 */
#define FIELDS_MAX	1024		/* HPACK makes many of few bytes */

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY,
	WINDOW_UPDATE, CONTINUATION };
enum { ACK = 0x1, END_HEADERS = 0x4, PADDED = 0x8, WITH_PRIORITY = 0x20 };

struct h2_frame {
	uint8_t		 type, flags;
	uint32_t	 stream;
	struct rd	 body;
};

/* What the fields of the request have said so far. */
struct request {
	size_t	n_fields, n_authority, n_host;
	bool	is_regular;		/* a field that is no pseudo one has been seen */
	bool	is_addr;
};

enum flight_likeness
h2c_like(const uint8_t *p, size_t n)
{
	if (memcmp(p, PREFACE, n < PREFACE_LEN ? n : PREFACE_LEN) != 0)
		return LIKE_NO;
	return n < PREFACE_LEN ? LIKE_PERHAPS : LIKE_YES;
}

/* ---- frames ---- */

static enum flight_state
frame_next(struct rd *r, struct h2_frame *out)
{
	const uint8_t *body;
	size_t len;

	if (rd_left(r) < FRAME_HEAD)
		return FLIGHT_MORE;
	len = rd_be(r, 3);
	out->type = rd_u8(r);
	out->flags = rd_u8(r);
	out->stream = rd_be32(r) & 0x7fffffff;
	if (len > FRAME_MAX)
		return FLIGHT_BAD;
	if ((body = rd_take(r, len)) == NULL)
		return FLIGHT_MORE;
	out->body = rd_over(body, len);
	return FLIGHT_NAMED;
}

/* What may stand between SETTINGS and the first request; unknown types are stepped over (5.5). */
static bool
frame_is_chatter(const struct h2_frame *f)
{
	switch (f->type) {
	case DATA:
	case RST_STREAM:
	case PUSH_PROMISE:
	case GOAWAY:
	case CONTINUATION:
		return false;
	}
	return true;
}

/* The piece of the header block in a HEADERS frame, without padding and priority (6.2). */
static bool
headers_strip(struct h2_frame *f)
{
	size_t pad = f->flags & PADDED ? rd_u8(&f->body) : 0;

	if (f->flags & WITH_PRIORITY)
		rd_take(&f->body, 5);
	if (f->body.bad || pad > rd_left(&f->body))
		return false;
	f->body.end -= pad;
	return true;
}

/* ---- fields ---- */

static bool
name_is(const nghttp2_nv *nv, const char *name)
{
	return nv->namelen == strlen(name) && memcmp(nv->name, name, nv->namelen) == 0;
}

/* Lower case only; pseudo fields first (RFC 9113 8.2, 8.3). */
static bool
name_is_sound(const nghttp2_nv *nv, struct request *req)
{
	if (nv->namelen == 0 || (nv->name[0] == ':' && req->is_regular))
		return false;
	req->is_regular = nv->name[0] != ':';
	for (size_t i = 0; i < nv->namelen; i++)
		if (nv->name[i] <= ' ' || nv->name[i] >= 0x7f ||
		    (nv->name[i] >= 'A' && nv->name[i] <= 'Z'))
			return false;
	return true;
}

static bool
field_read(const nghttp2_nv *nv, struct request *req, struct flight *out)
{
	bool authority = name_is(nv, ":authority");
	enum flight_state state;

	if (!name_is_sound(nv, req) || ++req->n_fields > FIELDS_MAX)
		return false;
	if (!authority && !name_is(nv, "host"))
		return true;
	if (++*(authority ? &req->n_authority : &req->n_host) > 1)
		return false;
	if (nv->valuelen == 0)
		return true;
	state = flight_add_host(out, (const char *)nv->value, nv->valuelen);
	req->is_addr |= state == FLIGHT_NAMELESS;
	return state != FLIGHT_BAD;
}

/* A piece of the block; `final` is the last one.  False: it does not inflate, or is not sound. */
static bool
block_read(nghttp2_hd_inflater *hpack, struct rd r, bool final, struct request *req,
    struct flight *out)
{
	int flags = 0;

	while (rd_left(&r) > 0 || (final && !(flags & NGHTTP2_HD_INFLATE_FINAL))) {
		nghttp2_nv nv;
		ssize_t n = nghttp2_hd_inflate_hd2(hpack, &nv, &flags, r.p, rd_left(&r), final);

		if (n < 0)
			return false;
		rd_take(&r, (size_t)n);
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) && !field_read(&nv, req, out))
			return false;
		if (n == 0 && !(flags & (NGHTTP2_HD_INFLATE_EMIT | NGHTTP2_HD_INFLATE_FINAL)))
			break;
	}
	return rd_left(&r) == 0;
}

/* The request that `f` begins, and its continuations (RFC 9113 4.3: nothing comes between). */
static enum flight_state
request_read(struct rd *r, struct h2_frame *f, nghttp2_hd_inflater *hpack, struct flight *out)
{
	struct request req = { 0 };
	uint32_t stream = f->stream;
	enum flight_state state;

	if (stream % 2 == 0 || !headers_strip(f))
		return FLIGHT_BAD;
	for (;;) {
		bool final = f->flags & END_HEADERS;

		if (!block_read(hpack, f->body, final, &req, out))
			return FLIGHT_BAD;
		if (final)
			return req.is_addr || out->n_names == 0 ? FLIGHT_NAMELESS : FLIGHT_NAMED;
		if ((state = frame_next(r, f)) != FLIGHT_NAMED)
			return state;
		if (f->type != CONTINUATION || f->stream != stream)
			return FLIGHT_BAD;
	}
}

static enum flight_state
frames_read(struct rd *r, nghttp2_hd_inflater *hpack, struct flight *out)
{
	struct h2_frame f;
	enum flight_state state;

	if ((state = frame_next(r, &f)) != FLIGHT_NAMED)
		return state;
	if (f.type != SETTINGS || (f.flags & ACK) || f.stream != 0 || rd_left(&f.body) % 6 != 0)
		return FLIGHT_BAD;
	while ((state = frame_next(r, &f)) == FLIGHT_NAMED) {
		if (f.type == HEADERS)
			return request_read(r, &f, hpack, out);
		if (!frame_is_chatter(&f))
			return FLIGHT_BAD;
	}
	return state;
}

enum flight_state
h2c_read(const uint8_t *bytes, size_t n, struct flight *out)
{
	struct rd r = rd_over(bytes + PREFACE_LEN, n - PREFACE_LEN);
	nghttp2_hd_inflater *hpack;
	enum flight_state state;

	if (nghttp2_hd_inflate_new(&hpack) != 0)
		return FLIGHT_BAD;			/* no memory: refuse */
	state = frames_read(&r, hpack, out);
	nghttp2_hd_inflate_del(hpack);
	return state;
}

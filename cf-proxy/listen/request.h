/*
 * request.h - what a client of a proxy asks for: HTTP (RFC 9110, 9112) and SOCKS5 (RFC 1928).
 *
 * Pure.  The bytes come from a client and may be anything.  Parsers get all that has come so far and
 * are called again when there is more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_REQUEST_H
#define CF_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "name.h"

#define REQUEST_MAX	16384		/* bytes of a request's head, in and out */
#define REQUEST_WHY	128
#define REQUEST_ENDLESS	UINT64_MAX

enum request_state { REQUEST_MORE, REQUEST_DONE, REQUEST_BAD };

struct request {
	bool		 socks;
	bool		 tunnel;	/* CONNECT, and SOCKS */
	struct name_host host;		/* a name has letters, digits, '-', '_' and dots alone */
	uint16_t	 port;
	size_t		 used;		/* bytes of what came that are the request */
	uint64_t	 body;		/* that follow and go on; REQUEST_ENDLESS: till the end */
	int		 status;	/* BAD: of the HTTP answer, or the SOCKS reply */
	char		 why[REQUEST_WHY];	/* BAD: in words */
};

/*
 * The head of an HTTP request.  Where it is for a plain http:// page, what goes on in its place is
 * at head, *head_len bytes of at most REQUEST_MAX.
 */
enum request_state	http_request(const char *in, size_t len, struct request *out, char *head,
			    size_t *head_len);

/*
 * SOCKS5's greeting: DONE where the client can go without a login; *used is its length.  BAD: it
 * speaks another version, or cannot.
 */
enum request_state	socks_greeting(const uint8_t *in, size_t len, size_t *used);
/* Its request. */
enum request_state	socks_request(const uint8_t *in, size_t len, struct request *out);

/* Is this a host that can be asked for?  NULL, or why not. */
const char		*request_host(const char *text, size_t len, struct name_host *out);

#endif

/*
 * http.h - CONNECT: what is asked of an HTTP proxy, and what it answers.
 *
 * The proxy is not trusted.  Its answer is taken line by line as it comes, in any pieces: of a line
 * HTTP_LINE_MAX bytes are kept, whatever its length, and of the whole no more than
 * HTTP_HEAD_MAX are read.  Only the status line and Proxy-Authenticate are looked at; a
 * body is never read.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_UPSTREAM_HTTP_H
#define CF_UPSTREAM_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"

#define HTTP_HEAD_MAX	65536
#define HTTP_LINE_MAX	2048
#define HTTP_TARGET_MAX	300		/* a name or an address in brackets, and a port */
#define HTTP_REQUEST_MAX 4096

struct http_reply {
	unsigned	 status;	/* 0: not known yet */
	bool		 asks_basic;
	struct digest	 digest;	/* the best challenge, if there is one */
	char		 line[HTTP_LINE_MAX];
	size_t		 len;		/* of the line so far, kept or not */
	size_t		 total;
	bool		 in_head;	/* the status line has come */
	bool		 ended;		/* HTTP_DONE */
};

enum http_state { HTTP_MORE, HTTP_DONE, HTTP_BAD };

/*
 * The request.  auth: the value of Proxy-Authorization, or NULL.  Returns its length; 0: it
 * does not fit.
 */
size_t		http_request(char out[HTTP_REQUEST_MAX], const char *target, const char *auth);
/* "Basic dXNlcjpwYXNz"; 0: it does not fit. */
size_t		http_basic(char *out, size_t size, const char *user, const char *pass);

/*
 * Take what has come; *used bytes of it were the answer's.  After HTTP_DONE the rest is payload.
 * *why: of HTTP_BAD.
 */
enum http_state	http_feed(struct http_reply *, const uint8_t *, size_t len, size_t *used,
		    const char **why);
/* The meaning of a status that is no success, as an errno of the child, and in words. */
const char	*http_words(unsigned status, int *err);

#endif

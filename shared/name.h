/*
 * name.h - one normal form of domain names, wherever they come from.
 *
 * A name is compared with a rule only in this form, so that no spelling passes around a
 * rule: lower case, no dot at the end, labels parted by dots, and in labels only a-z, 0-9,
 * '-' and '_'.  Any other byte that a DNS message may have in a label is written \DDD
 * (three decimal digits, as in RFC 1035 5.1): a label that holds a dot is "a\046b" and
 * never equals the two labels "a.b".  The root is ".".
 *
 * On the other side is the command tree: queries, server names in TLS, Host headers.
 * International names in letters (U-labels) are for rule texts only, see idn.h; on
 * the network they travel as xn-- labels, which are plain here.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_NAME_H
#define CF_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

#define NAME_STRLEN	1024	/* 253 bytes, each as \DDD, and a zero */
#define NAME_TEXT_MAX	253	/* RFC 1035 3.1: 255 on the wire */
#define NAME_LABEL_MAX	63	/* RFC 1035 2.3.4 */

struct name_error {
	const char	*why;
	size_t		 at;		/* which byte of the text */
};

/*
 * A name as people and protocols write it.  Only letters, digits, '-' and '_' in
 * labels (underscores and edge hyphens are in use, whatever RFC 952 says); one dot at the
 * end is dropped.  False: *err says why, and where.
 */
bool		 name_from_ascii(const char *text, size_t len, char out[NAME_STRLEN],
		    struct name_error *err);

/*
 * The name at *off in a DNS message, which may be nothing but that name.  Compression
 * pointers must lead backwards (RFC 1035 4.1.4).  *off moves behind the name.
 * Returns NULL, or why there is no name.
 */
const char	*name_from_message(const uint8_t *msg, size_t len, size_t *off,
		    char out[NAME_STRLEN]);

/*
 * Some resolvers take a name whose last label is a number for an IPv4 address ("127.1",
 * "0x7f000001"); it is neither a rule nor a host here.
 */
bool		 name_is_number(const char *name);

/* What stood in a Host header, an :authority, a CONNECT line, or a TLS server name. */
struct name_host {
	bool		 is_addr;
	char		 name[NAME_STRLEN];	/* where it is not an address */
	struct addr	 addr;			/* its port is that of the text, 0 where it has none */
	uint16_t	 port;			/* the same */
};

/*
 * host[:port], v4[:port], [v6][:port]; a zone (RFC 6874) is dropped.  Returns NULL, or why
 * it is none of these.
 */
const char	*name_from_host(const char *text, size_t len, struct name_host *out);

/* A TLS server name (RFC 6066 3): as above, but without port or brackets. */
const char	*name_from_sni(const uint8_t *text, size_t len, struct name_host *out);

/* The name one label up, NULL at the last label: "b.c" of "a.b.c". */
const char	*name_parent(const char *name);

#endif

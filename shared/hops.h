/*
 * hops.h - the upstream proxies of a run, in the order in which they are passed.
 *
 * cf-spawn makes the list of its options and hands it to cf-upstream on a memfd, as it holds
 * secrets; nobody else gets it.  So what is read comes from cf-spawn and is not an
 * attacker's; hops_get() still takes nothing that is cut short or does not exist.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_HOPS_H
#define CF_HOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "rd.h"

#define HOPS_MAX	8
#define HOP_NAME_MAX	253		/* RFC 1035 3.1 */
#define HOP_SECRET_MAX	255		/* RFC 1929 2: their length is one byte */
#define HOP_STRLEN	(HOP_NAME_MAX + 24)
#define HOPS_BYTES_MAX	(HOPS_MAX * 1024 + (4u << 20))

enum hop_scheme { HOP_HTTP, HOP_HTTPS, HOP_SOCKS5, HOP_SCHEMES };

struct hop {
	enum hop_scheme	 scheme;
	bool		 names;			/* socks5h: wants names (curl's word) */
	char		 name[HOP_NAME_MAX + 1];	/* "": it is an address */
	struct addr	 addr;			/* the address, and the port in any case */
	bool		 has_auth;
	char		 user[HOP_SECRET_MAX + 1], pass[HOP_SECRET_MAX + 1];
};

struct hops {
	struct hop	 hop[HOPS_MAX];
	size_t		 n;
	bool		 insecure;		/* --proxy-insecure */
	uint32_t	 timeout_ms;		/* for all handshakes of a tunnel together */
	const uint8_t	*ca;			/* --proxy-ca as PEM, borrowed; NULL: the system's */
	size_t		 ca_len;
};

/* "http://proxy.example:3128"; NULL, or why it is none. */
const char	*hop_parse(const char *text, struct hop *out);
/*
 * A name that a proxy can be told: in the form of name.h, of letters, digits, '-', '_' and dots, so
 * that no request ends at it.
 */
bool		 hop_name_fits(const char *, size_t len);
/* The same in words, without secrets; buf of HOP_STRLEN. */
const char	*hop_str(const struct hop *, char *buf);
/* Is there one that needs TLS? */
bool		 hops_tls(const struct hops *);
/* Can UDP pass?  Only where there is one, and it knows how. */
bool		 hops_udp(const struct hops *);

void		 hops_put(struct wr *, const struct hops *);
/* false: this is no list.  ca points into the buffer. */
bool		 hops_get(struct rd *, struct hops *);

#endif

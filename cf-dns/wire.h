/*
 * wire.h - DNS messages (RFC 1035 4) as far as a forwarder has to read and make them.
 *
 * Pure.  The bytes come from the command tree or from a resolver and may be anything.
 * A forwarder leaves alone what it does not need: records are walked over, never rewritten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_WIRE_H
#define CF_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "rd.h"

#define WIRE_HEADER_LEN	12
#define WIRE_NAME_MAX	255		/* RFC 1035 3.1 */
#define WIRE_NAME_STRLEN 1024		/* each byte as \DDD, and a zero */
#define WIRE_HEAD_MAX	(WIRE_HEADER_LEN + WIRE_NAME_MAX + 4)
#define WIRE_REPLY_MAX	(WIRE_HEAD_MAX + 11)		/* head and an empty OPT */
#define WIRE_EDE_TEXT	64
#define WIRE_EDE_MAX	(4 + 2 + WIRE_EDE_TEXT)
#define WIRE_DENIAL_MAX	(WIRE_REPLY_MAX + WIRE_EDE_MAX)	/* below WIRE_UDP_MIN */
#define WIRE_UDP_MIN	512		/* what every asker takes (RFC 1035 4.2.1) */
#define WIRE_LABEL_LEN	16		/* "TYPE65535", "RCODE4095" */
#define WIRE_ADDRS	48		/* as many addresses as an event line holds */

enum {
	WIRE_A = 1, WIRE_CNAME = 5, WIRE_SOA = 6, WIRE_PTR = 12, WIRE_AAAA = 28, WIRE_OPT = 41,
	WIRE_RRSIG = 46, WIRE_SVCB = 64, WIRE_HTTPS = 65, WIRE_IXFR = 251, WIRE_AXFR = 252
};
enum { WIRE_IN = 1 };
enum wire_rcode {
	WIRE_NOERROR = 0, WIRE_FORMERR = 1, WIRE_SERVFAIL = 2, WIRE_NXDOMAIN = 3, WIRE_NOTIMP = 4,
	WIRE_REFUSED = 5
};
/* Why an answer is not what it would be (RFC 8914 4). */
enum wire_ede { WIRE_EDE_NONE = 0, WIRE_EDE_BLOCKED = 15, WIRE_EDE_FILTERED = 17 };

/* What a query says of itself. */
struct wire_query {
	uint16_t	id;
	uint8_t		opcode;
	uint16_t	head_len;	/* header and question */
	bool		question;	/* there is one, so these two count: */
	uint16_t	qtype, qclass;
	bool		edns, dnssec_ok;
	uint16_t	udp_size;	/* the largest datagram it takes back */
};

/*
 * NULL when the message is a query that can be passed on; else why not.  With at least
 * WIRE_HEADER_LEN bytes *out is good for wire_reply() either way.
 */
const char	*wire_query(const uint8_t *msg, size_t len, struct wire_query *out);

/*
 * A reply to msg that has no records: question and EDNS echoed, RA set, TC clear.
 * out has room for WIRE_REPLY_MAX; returns the length.
 */
size_t		 wire_reply(uint8_t *out, const uint8_t *msg, const struct wire_query *,
		    enum wire_rcode);

/* The same with the reason, where the query has EDNS; out has room for WIRE_DENIAL_MAX. */
size_t		 wire_denial(uint8_t *out, const uint8_t *msg, const struct wire_query *,
		    enum wire_rcode, enum wire_ede, const char *text);
/* That reason as an option of OPT; out has room for WIRE_EDE_MAX; returns the length. */
size_t		 wire_ede(uint8_t *out, enum wire_ede, const char *text);

/* Does `answer` answer this query: id, opcode and question the same to the last bit? */
bool		 wire_answers(const uint8_t *answer, size_t len, const uint8_t *msg,
		    const struct wire_query *);

/* What an answer says, as far as it can be read. */
struct wire_answer {
	uint16_t	rcode;		/* with the upper bits of OPT (RFC 6891 6.1.3) */
	bool		truncated;	/* TC */
	uint16_t	records;	/* that its answer section claims to have */
	size_t		naddrs;		/* A and AAAA of that section, all names; */
	struct addr	addrs[WIRE_ADDRS];	/* the first of them */
	uint32_t	ttl;		/* the least of theirs; of none it means nothing */
	const uint8_t	*opt;		/* the OPT record, or NULL */
	size_t		opt_len;
};
void		 wire_answer(const uint8_t *msg, size_t len, struct wire_answer *out);

/*
 * The answer cut down to what fits a datagram of `limit` bytes: header with TC,
 * question, OPT.  out has room for limit; returns the length.
 */
size_t		 wire_truncate(uint8_t *out, size_t limit, const uint8_t *msg, size_t len);

/* The records of a message, one after the other. */
struct wire_record {
	int		 section;	/* 1 answer, 2 authority, 3 additional */
	bool		 root;		/* its name is "." */
	uint16_t	 type, class;
	uint32_t	 ttl;
	const uint8_t	*start, *data;	/* the TTL is in the 6 bytes before data */
	uint16_t	 len;
};
struct wire_walk {
	struct rd	 r;
	uint16_t	 left[4];	/* of each section */
	bool		 bad;
};
#define WIRE_BEFORE_DATA 6		/* where a record's TTL is: so far before its data */
void		 wire_walk(struct wire_walk *, const uint8_t *msg, size_t len);
/* False: there is none; wire_whole() tells whether all was read that was announced. */
bool		 wire_next(struct wire_walk *, struct wire_record *);
bool		 wire_whole(const struct wire_walk *);
/* An OPT record, 11 bytes (RFC 6891 6.1.2); rdlen bytes of options are to follow. */
void		 wire_opt(struct wr *, bool dnssec_ok, size_t rdlen);

static inline uint16_t
wire_id(const uint8_t *msg)
{
	return (uint16_t)(msg[0] << 8 | msg[1]);
}

static inline void
wire_set_id(uint8_t *msg, uint16_t id)
{
	msg[0] = (uint8_t)(id >> 8);
	msg[1] = (uint8_t)id;
}

/*
 * The name at *at as labels without compression, letters as they are.  *at moves past it.
 * Returns its length with the empty label at the end; 0 when it is no name.
 */
size_t		 wire_name(const uint8_t *msg, size_t len, size_t *at, uint8_t out[WIRE_NAME_MAX]);

/*
 * The question's name as a person writes it: lower case, no dot at the end, "." for
 * the root, odd bytes as \DDD (RFC 4343 2.1).  buf of WIRE_NAME_STRLEN.
 */
const char	*wire_qname(const uint8_t *msg, const struct wire_query *, char *buf);
/* buf of WIRE_LABEL_LEN. */
const char	*wire_type_name(uint16_t type, char *buf);
const char	*wire_rcode_name(uint16_t rcode, char *buf);

#endif

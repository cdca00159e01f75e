/*
 * ruletext.h - one rule as a person writes it, taken apart.
 *
 *	rule	= target [ ":" ports ] [ "/" protocol ]
 *	target	= "*"				any destination, also one without a name
 *		| name				this name and no other
 *		| "*." name			every name below it, at any depth, not itself
 *		| "." name			both
 *		| v4 | v4 "/" length
 *		| v6 | v6 "/" length		without a port: "2001:db8::1:443" is an address
 *		| "[" v6 "]" | "[" v6 "]/" length | "[" v6 "/" length "]"
 *	ports	= port { "," port } ;  port = number [ "-" number ], 1 to 65535
 *	protocol = "tcp" | "udp" | "icmp"	icmp is echo of both families and has no ports
 *
 * What follows a "/" is a length where it begins with a digit and a protocol where it
 * begins with a letter, so "10.0.0.0/8/udp" reads one way only.  Without ports a rule is
 * for all ports; without a protocol for all three, with ports for TCP and UDP.
 *
 * A network with bits set behind its length is refused, with the network that was
 * probably meant.  An IPv4-mapped network is kept as the IPv4 network.
 *
 * The options that childflow has had take less (enum ruletext_kind), and a name given to
 * --allow-domain means what ".name" means here.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULETEXT_H
#define CF_RULETEXT_H

#include "addr.h"
#include "name.h"

#define RULETEXT_MAX	1024		/* bytes of one rule */
#define RULETEXT_SPANS	64		/* ports and ranges, twice where both protocols are meant */
#define RULETEXT_WHY	384

/*
 * Protocol and port as one number, so that a set of them is a set of ranges: TCP ports,
 * then UDP ports, then ICMP.
 */
enum rule_proto { RULE_TCP, RULE_UDP, RULE_ICMP, RULE_PROTOS };
#define RULE_SELECTOR(proto, port)	((uint32_t)(proto) << 16 | (uint32_t)(port))
#define RULE_SELECTOR_LAST		RULE_SELECTOR(RULE_ICMP, 0xffff)

struct rule_range {
	uint32_t	lo, hi;		/* selectors, both included */
};

enum ruletext_kind {
	RULETEXT_FULL,			/* all of the grammar */
	RULETEXT_DOMAIN,		/* a name: it and what is below it */
	RULETEXT_EXACT,			/* a name */
	RULETEXT_CIDR,			/* an address or a network */
	RULETEXT_KINDS
};

enum ruletext_target { RULETEXT_ANY, RULETEXT_NET, RULETEXT_NAME };

struct ruletext {
	enum ruletext_target target;
	bool		 self, below;	/* of a name: itself, what is below it */
	char		 name[NAME_TEXT_MAX + 1];
	struct addr	 net;
	unsigned	 bits;
	struct rule_range range[RULETEXT_SPANS];
	size_t		 n_ranges;
};

struct ruletext_error {
	size_t		 column;	/* from 1, in bytes */
	char		 why[RULETEXT_WHY];	/* what is wrong, and what was perhaps meant */
};

/* False: *err is filled.  The text need not be terminated, and may be any bytes. */
bool		 ruletext_parse(enum ruletext_kind, const char *text, size_t len,
		    struct ruletext *out, struct ruletext_error *err);

/* "10.0.0.0/8"; buf of ADDR_STRLEN. */
const char	*ruletext_net_str(const struct addr *net, unsigned bits, char *buf);

/* A text that came from outside, for a message: in quotes, cut, other bytes as \xNN. */
#define RULETEXT_QUOTED	104
const char	*ruletext_quote(const char *text, size_t len, char buf[RULETEXT_QUOTED]);

#endif

/*
 * rules_flat.h - how a compiled generation lies in memory.
 *
 * Between rulebook.c, which writes it, and rules.c, which checks and reads it (rules_words.c and
 * ruleshow.c put it in words); nobody else.
 * All references are places in a section, so the buffer may lie anywhere.  The byte
 * order is the machine's own: a generation never leaves it.
 *
 *	head | nodes | keys | slots | spans | rules | names | strings | quotas | quota ranges
 *
 *	address --trie--> node -.
 *	name ----hash---> name --> key --> slots, one a class --> spans --> rule
 *	*  (head.any_key) ------'
 *
 * A slot's spans are ranges of selectors (protocol and port as one number), sorted and
 * not overlapping: however many rules there are for one target, a binary search finds the
 * first that was given for this port.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULES_FLAT_H
#define CF_RULES_FLAT_H

#include <stdint.h>

#include "cidr.h"
#include "quotatext.h"
#include "rules.h"
#include "siphash.h"

#define FLAT_MAGIC	0x66636c72u	/* "rlcf": another byte order is another number */
#define FLAT_VERSION	2

/* In the order of their precedence, see rules.h. */
enum flat_class {
	CLASS_NEVER, CLASS_METADATA, CLASS_PRIVATE, CLASS_DENY_ADDR, CLASS_DENY_EXACT,
	CLASS_DENY_DOMAIN, CLASS_DENY_ANY, CLASS_ALLOW_ADDR, CLASS_ALLOW_ANY,
	CLASS_ALLOW_NAME_PORT,		/* rank 12 too; told apart for rules_verdict.at_port */
	CLASS_ALLOW_NAME,
	CLASSES
};

struct flat_section {
	uint32_t	off, n;		/* from the start of the buffer; how many entries */
};

struct rules_head {
	uint32_t	magic, version;
	uint64_t	len, sum;	/* of all; flat_sum() */
	uint8_t		seed[SIPHASH_KEY_LEN];
	uint32_t	flags;
	uint32_t	any_key;
	uint32_t	root[2];
	uint32_t	labels_max;	/* no rule's name has more labels */
	uint32_t	reserved;
	struct flat_section nodes, keys, slots, spans, rules, names, strings, quotas, quota_ranges;
};

struct flat_key { uint32_t slot, n; };
/* whole: the rule to name when all selectors are covered, else RULES_NONE. */
struct flat_slot { uint32_t class, span, n, whole; };
struct flat_span { uint32_t lo, hi, rule; };
/* Places in strings; 0 is the empty string.  known: a row of known.c, for CLASS_NEVER... */
struct flat_rule {
	uint32_t	shown, cidr, domain, file, line;
	uint8_t		source, class;
	uint16_t	known;
};
/* An open hash table, a power of two large; name 0 is an empty place. */
struct flat_name { uint32_t name, hash, self_key, below_key; };

/* A quota (quotas.h).  range: a place in the section of quota ranges (struct rule_range). */
struct flat_quota {
	uint64_t	limit[QUOTA_KINDS];
	uint32_t	shown, cidr, domain, name, range, n_ranges;
	struct addr	net;
	uint16_t	bits;
	uint8_t		target, self, below;	/* as of struct ruletext */
	uint8_t		zero[7];
};
_Static_assert(sizeof(struct flat_quota) == 40 + 24 + 32, "a hole would be unknown bytes");

/* A hash of all of the buffer but this field; the head says how long it is. */
uint64_t	flat_sum(const struct rules_head *);

/* quotas.c: nothing in the section refers outside of the buffer. */
bool		quotas_ok(const struct rules *);

#endif

/*
 * quotas.h - the quotas of a generation: which of them a flow falls under.
 *
 * They lie in a section of their own in the compiled policy (rules_flat.h).  Unlike rules all
 * that cover a flow count, not the first, so they are looked at one by one; there are few.
 * A quota limits, so like a rule that refuses it sees every form of an address.
 *
 * Who counts is known by the target's text: in another generation the same text is the same
 * counter.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_QUOTAS_H
#define CF_QUOTAS_H

#include "quotatext.h"
#include "rules.h"

#define QUOTAS_MAX	256		/* in one generation */

struct quota_rule {
	const char	*target;	/* its text, with names in normal form; of the buffer */
	const char	*cidr, *domain;	/* what it is about, NULL where it is not that */
	const uint64_t	*limit;		/* QUOTA_KINDS of them; 0: none */
};

size_t		 quotas_count(const struct rules *);
struct quota_rule quotas_get(const struct rules *, size_t i);
/* Those that cover a flow; returns how many. */
size_t		 quotas_of(const struct rules *, const struct rules_flow *, uint16_t out[QUOTAS_MAX]);

/* A limit as it would be written: "10MB/up", "1536B", "5dest". */
#define QUOTAS_LIMIT_LEN	40
const char	*quotas_limit_str(enum quota_kind, uint64_t limit, char buf[QUOTAS_LIMIT_LEN]);

/*
 * What was used, as it lies in memory that cf-spawn shares with the one who counts: a row for
 * each text, in the order in which texts first appeared in the generations of a run.
 */
#define QUOTAS_ROWS	1024
struct quota_used {
	uint64_t	used[QUOTA_KINDS];
	uint64_t	flows;
};

#endif

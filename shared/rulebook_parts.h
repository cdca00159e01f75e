/*
 * rulebook_parts.h - a book of rules inside: between rulebook.c, which fills it, and
 * rulecompile.c, which reads it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULEBOOK_PARTS_H
#define CF_RULEBOOK_PARTS_H

#include "rules_flat.h"
#include "ruletext.h"

/* A growing array. */
struct pile {
	void		*p;
	size_t		 n, room;
};

/* What rule number i (of rows) is about. */
struct rulebook_entry {
	enum ruletext_target target;
	bool		 self, below;
	uint32_t	 name;			/* in strings */
	struct addr	 net;
	unsigned	 bits;
	size_t		 range, n_ranges;	/* in ranges */
};

struct rulebook {
	unsigned	 flags;
	bool		 spoiled;
	uint32_t	 labels_max;
	struct pile	 rows;			/* struct flat_rule */
	struct pile	 entries;		/* struct rulebook_entry, one a row */
	struct pile	 ranges;		/* struct rule_range */
	struct pile	 strings;		/* char */
	struct pile	 quotas;		/* struct flat_quota */
	struct pile	 quota_ranges;		/* struct rule_range */
};

/* Room for n more of this size at the end, and counted in; NULL: out of memory. */
void	*pile_add(struct pile *, size_t n, size_t size);

#endif

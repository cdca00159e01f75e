/*
 * policy.h - may the tree talk to this address, and if not, by which rule.
 *
 * Asked by both stages of cf-proxy: the policy stage before it passes an OPEN on, the
 * dialler once more before it makes a socket, so that neither has to trust the other.  Rules
 * are compiled once by policy_new(); a judgement allocates nothing and asks nobody.
 *
 * An address is judged in every form it may stand for (forms.h): an IPv6 address that
 * carries an IPv4 address is refused where the IPv4 address is.
 *
 * This is the floor below every policy; what the user's rules say is judged by rules.h.
 * Not judged here: ports and names, and addresses that happen to be the host's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_POLICY_H
#define CF_POLICY_H

#include <stdbool.h>

#include "addr.h"

#define POLICY_TEXT_MAX	128

struct policy;

/* The words are those of a policy_violation event; they live as long as the policy. */
struct policy_verdict {
	bool		 allowed;	/* the rest is filled only where this is false */
	const char	*reason_code;	/* for programs: "loopback" */
	const char	*control;	/* what set the rule: an option, or "built-in" */
	const char	*matched_cidr;	/* the rule's addresses */
	char		 text[POLICY_TEXT_MAX];	/* for people */
};

struct policy	*policy_new(void);		/* NULL: out of memory */
void		 policy_free(struct policy *);	/* NULL is fine */

/* Judge a destination; returns out->allowed. */
bool		 policy_judge(const struct policy *, const struct addr *dst,
		    struct policy_verdict *out);

#endif

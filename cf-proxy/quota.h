/*
 * quota.h - what is left of each quota (quotas.h): the policy stage counts.
 *
 * cf-netstack is not believed in this: payload that has to be counted goes through here in
 * frames (OPEN_RELAY), flows and destinations are counted when they are asked for.  A counter
 * belongs to a target's text and all flows that fall under it share it; it lives as long as
 * the run, so it is found again by a later generation that has the same text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_PROXY_QUOTA_H
#define CF_PROXY_QUOTA_H

#include <stdbool.h>

#include "msg.h"
#include "quotas.h"

struct quotas;
struct quota_hold;		/* the counters of a flow */

/*
 * table_fd: memory that cf-spawn shares, QUOTAS_ROWS of struct quota_used; taken over.  -1: none.
 * NULL: out of memory, or it is no such memory.
 */
struct quotas	*quotas_new(int table_fd);
void		 quotas_free(struct quotas *);
/*
 * From now on these are the limits.  What was counted for a text stays; flows that are open go on
 * under the counters that they have.  False: memory is out, or there were too many in all.
 */
bool		 quotas_set(struct quotas *, const struct rules *);
/* One event for each limit: what was used of it. */
void		 quotas_record(const struct quotas *);

/*
 * May this flow be asked for?  *hold: NULL, or what it has of an attempt before, which is given
 * back; then NULL where no quota covers it.  False: *why says which is used up.
 */
bool		 quota_take(struct quotas *, struct quota_hold **hold, const struct rules_flow *,
		    struct rules_words *why);
void		 quota_opened(struct quota_hold *);	/* NULL is fine in all of these */
/* It is dialled again, and is still the same flow. */
void		 quota_reopens(struct quota_hold *);
/* A flow that did not open was none. */
void		 quota_release(struct quota_hold *);
/* Is its payload to be counted? */
bool		 quota_counts(const struct quota_hold *);
/*
 * So many bytes of payload want to pass.  Returns how many may, and counts them: of a datagram
 * all or none.  Where it is fewer, quota_words() says which quota is used up.
 */
uint32_t	 quota_pass(struct quota_hold *, bool up, uint32_t len, bool datagram);
void		 quota_words(const struct quota_hold *, struct rules_words *out);
/* What has passed. */
uint64_t	 quota_passed(const struct quota_hold *, bool up);

#endif

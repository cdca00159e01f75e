/*
 * kept.c - the cache between the tree and the resolvers: when it is asked, and what it is given.
 *
 * What is kept has been through all that comes before it in after[] of query.c, and what
 * is given again goes through all of after[] once more, so a rule that came later holds for it too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "cache.h"
#include "dns.h"

/* Is it a query for a cache, and there is one? */
static bool
key_make(const struct query *q, struct cache_key *key)
{
	const struct dns *dns = q->dns;

	return dns->cache != NULL && cache_key(key, q->msg, q->len, &q->wire,
	    q->servers != NULL ? NULL : &q->asked.server);
}

enum hook
kept_find(struct query *q, struct made *out)
{
	struct dns *dns = q->dns;
	struct cache_key key;

	(void)out;
	if (!key_make(q, &key))
		return HOOK_PASS;
	q->answer = cache_get(dns->cache, &key, q->msg, &q->wire, uv_now(&dns->loop),
	    &q->answer_len, &q->answered_by);
	q->kept = q->answer != NULL;
	return q->kept ? HOOK_HELD : HOOK_PASS;
}

const char *
kept_store(struct query *q)
{
	struct dns *dns = q->dns;
	struct cache_key key;

	if (!q->kept && q->generation == dns->generation && key_make(q, &key))
		cache_put(dns->cache, &key, &q->wire, q->answer, q->answer_len, &q->answered_by,
		    uv_now(&dns->loop));
	return NULL;
}

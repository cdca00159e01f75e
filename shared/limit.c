/*
 * limit.c - see limit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "limit.h"

#include <stddef.h>

static const struct {
	const char	*name, *text, *then;
} rows[LIMIT_COUNT] = {
	[LIMIT_FLOWS] = { "flows", "flows of the command tree", "more are turned away" },
	[LIMIT_OPENING] = { "opening", "connections being opened at once",
	    "more are turned away" },
	[LIMIT_DATAGRAM_FLOWS] = { "datagram_flows", "UDP and ICMP flows of the command tree",
	    "those that were silent for longest end early" },
	[LIMIT_DATAGRAM_OPENING] = { "datagram_opening", "UDP and ICMP flows being opened at once",
	    "more are dropped" },
	[LIMIT_POLICY_FLOWS] = { "policy_flows", "flows of the policy stage",
	    "more are turned away" },
	[LIMIT_HOST] = { "host", "descriptors, ports or memory of the host",
	    "connections are turned away" },
};

const char *
limit_name(enum limit which)
{
	return rows[which].name;
}

const char *
limit_text(enum limit which)
{
	return rows[which].text;
}

const char *
limit_then(enum limit which)
{
	return rows[which].then;
}

uint64_t
limit_rest(struct limit_count *c)
{
	uint64_t n = c->untold;

	c->untold = 0;
	return n;
}

uint64_t
limit_count(struct limit_count *c, uint64_t now_ms, uint64_t times)
{
	c->untold = times > UINT64_MAX - c->untold ? UINT64_MAX : c->untold + times;
	if (c->told && now_ms - c->at < LIMIT_EVERY_MS)
		return 0;
	c->told = true;
	c->at = now_ms;
	return limit_rest(c);
}

/*
 * control.c - what cf-spawn says while the run goes on: that the resolvers or the rules are others
 * now.
 *
 * cf-spawn is on the other side, and is believed.  Queries that are under way go on by the
 * list that they began with; what the cache has of the old resolvers is forgotten, as the new
 * ones may see another world (a VPN came up).  New rules count for the answers of those too, and
 * for what the cache has; servers that the tree chose are dialled again, so the dialler judges them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "cache.h"
#include "dns.h"
#include "log.h"

static void
taken(struct chan *c, enum msg_type type)
{
	uint8_t body[4];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, type);
	chan_send(c, MSG_TAKEN, 0, body, sizeof(body), NULL, 0, -1);
}

static void
on_resolvers(struct chan *c, const struct frame *f, int fd)
{
	struct dns *dns = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct addr addrs[RESOLVERS_MAX];
	struct servers *list;
	size_t n;

	(void)fd;
	if (!msg_list_get(&r, addrs, RESOLVERS_MAX, &n)) {
		chan_fail(c, "bad RESOLVERS");
		return;
	}
	if ((list = servers_new(addrs, n)) == NULL)
		fatal("cannot take the new resolvers");
	servers_drop(dns->servers);
	dns->servers = list;
	dns->generation++;
	dns->warned = false;
	cache_clear(dns->cache);
	log_debug("there are new resolvers: %zu", n);
	taken(c, MSG_RESOLVERS);
}

static void
on_rules(struct chan *c, const struct frame *f, int fd)
{
	struct dns *dns = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	uint32_t generation = rd_le32(&r);
	const char *why;

	if (fd == -1 || generation == 0) {
		if (fd != -1)
			close(fd);
		chan_fail(c, "bad RULES");
		return;
	}
	if ((why = filter_swap(dns, fd)) != NULL) {
		chan_fail(c, why);
		return;
	}
	upstream_forget(dns);
	log_debug("rules of generation %u are in force", generation);
	taken(c, MSG_RULES);
}

/* What cf-spawn may say; anything else ends the process. */
const struct chan_handler control_handlers[] = {
	{ MSG_RESOLVERS, on_resolvers },
	{ MSG_RULES, on_rules },
	{ 0, NULL }
};

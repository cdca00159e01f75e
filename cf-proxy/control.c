/*
 * control.c - what cf-spawn tells the dialler while the run goes on: which name servers are the
 * run's, at first those of the options, and the next generation of the rules.
 *
 * cf-spawn is on the other side, and is believed.  It tells us before it tells cf-dns, so the
 * list before the last stays good: cf-dns may go by it still.  Of rules it tells us first as well;
 * what the policy stage lets pass by the old ones meanwhile is judged by the new ones here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "dial.h"
#include "log.h"

struct control {
	uv_loop_t	*loop;
	struct judge	*judge;
	struct chan	*chan;		/* NULL: there is none */
	struct addr	 now[RESOLVERS_MAX], before[RESOLVERS_MAX];
	size_t		 n_now, n_before;
	bool		 failed;
};

static bool
is_in(const struct addr *list, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

bool
control_is_resolver(const struct control *ct, const struct addr *a)
{
	return is_in(ct->now, ct->n_now, a) || is_in(ct->before, ct->n_before, a);
}

bool
control_failed(const struct control *ct)
{
	return ct->failed;
}

static void
on_resolvers(struct chan *c, const struct frame *f, int fd)
{
	struct control *ct = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct addr addrs[RESOLVERS_MAX];
	size_t n;

	(void)fd;
	if (!msg_list_get(&r, addrs, RESOLVERS_MAX, &n)) {
		chan_fail(c, "bad RESOLVERS");
		return;
	}
	memcpy(ct->before, ct->now, sizeof(ct->before));
	ct->n_before = ct->n_now;
	memcpy(ct->now, addrs, n * sizeof(addrs[0]));
	ct->n_now = n;
	proxy_taken(c, MSG_RESOLVERS);
}

static void
on_rules(struct chan *c, const struct frame *f, int fd)
{
	struct control *ct = chan_arg(c);

	proxy_rules_take(c, f, fd, ct->judge);
}

static const struct chan_handler handlers[] = {
	{ MSG_RESOLVERS, on_resolvers },
	{ MSG_RULES, on_rules },
	{ 0 }
};

/* That cf-spawn has gone is no reason to stop: the clients' end is. */
static void
on_end(struct chan *c, const char *why)
{
	struct control *ct = chan_arg(c);

	if (why == NULL)
		return;
	proxy_garbage(c, R_SPAWN, why);
	ct->failed = true;
	uv_stop(ct->loop);
}

struct control *
control_new(uv_loop_t *loop, const struct proxy_conf *conf, struct judge *judge)
{
	static struct control ct;

	ct.loop = loop;
	ct.judge = judge;
	ct.n_now = conf->n_resolvers;
	memcpy(ct.now, conf->resolvers, sizeof(ct.now));
	if (conf->control_fd == -1)
		return &ct;
	ct.chan = chan_new(conf->control_fd, conf->control_fd, R_DIAL, R_SPAWN, &ct);
	if (ct.chan == NULL || chan_uv_start(loop, ct.chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_SPAWN));
	chan_handlers(ct.chan, handlers);
	return &ct;
}

void
control_hello(struct control *ct)
{
	if (ct->chan != NULL)
		chan_hello(ct->chan, MSG_CAP_FD);
}

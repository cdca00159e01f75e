/*
 * namechan.c - see namechan.h.
 *
 * cf-dns is on the other side.  It reads what name servers say, so it may have fallen to one;
 * what it says of names is its power, and what it could do with bytes is checked here.
 *
 * Its end is not ours: when a run ends it may go first.  When it dies in a run, cf-spawn
 * ends that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "namechan.h"

#include <string.h>

#include "chan_uv.h"
#include "info.h"
#include "log.h"
#include "name.h"
#include "proxy.h"
#include "synthetic.h"

struct namechan {
	uv_loop_t	*loop;
	struct chan	*chan;
	struct names	*names;
	void		*arg;
	namechan_resolved on_resolved;
	namechan_failed	 on_failed;
	bool		 ended;
};

/* The form of name.h: nothing that a log or a rule could take for something else. */
static bool
is_name(const uint8_t *p, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.\\";

	for (size_t i = 0; i < len; i++)
		if (p[i] == '\0' || strchr(plain, p[i]) == NULL)
			return false;
	return len > 0;
}

static void
on_name(struct chan *c, const struct frame *f, int fd)
{
	struct namechan *nc = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_name m;
	uint64_t until;
	const char *name;
	size_t len;

	(void)fd;
	if (!msg_name_get(&r, &m) || !is_name(r.p, rd_left(&r))) {
		chan_fail(c, "bad NAME");
		return;
	}
	info_name(f);
	name = (const char *)r.p;
	len = rd_left(&r);
	until = m.flags & MSG_NAME_PINNED ? NAMES_EVER :
	    uv_now(nc->loop) + m.ttl * UINT64_C(1000);
	if ((m.flags & MSG_NAME_SYNTHETIC) == 0)
		names_add(nc->names, &m.addr, name, len, until);
	else if (!names_make_up(nc->names, synthetic_number(&m.addr), name, len))
		chan_fail(c, "bad NAME");
}

static void
on_resolved(struct chan *c, const struct frame *f, int fd)
{
	struct namechan *nc = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct addr addrs[MSG_ADDRS_MAX];
	struct msg_resolved m;
	bool ok;

	(void)fd;
	ok = msg_resolved_get(&r, &m) && rd_left(&r) == m.count * (size_t)MSG_ADDR_LEN;
	for (size_t i = 0; ok && i < m.count; i++)
		ok = msg_addr_get(&r, &addrs[i]) && addrs[i].family != 0;
	if (ok)
		nc->on_resolved(nc->arg, f->flow, addrs, m.count);
	else
		chan_fail(c, "bad RESOLVED");
}

static const struct chan_handler handlers[] = {
	{ MSG_NAME, on_name }, { MSG_RESOLVED, on_resolved }, { 0 }
};

static void
on_end(struct chan *c, const char *why)
{
	struct namechan *nc = chan_arg(c);

	nc->ended = true;
	if (why == NULL)
		return;
	proxy_garbage(c, R_DNS, why);
	nc->on_failed(nc->arg);
}

struct namechan *
namechan_open(uv_loop_t *loop, int fd, struct names *names, void *arg, namechan_resolved resolved,
    namechan_failed failed)
{
	static struct namechan only, *nc = &only;

	*nc = (struct namechan){ .loop = loop, .names = names, .arg = arg, .on_resolved = resolved,
	    .on_failed = failed };
	nc->chan = chan_new(fd, fd, R_PROXY, R_DNS, nc);
	if (nc->chan == NULL || chan_uv_start(loop, nc->chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_DNS));
	chan_handlers(nc->chan, handlers);
	return nc;
}

void
namechan_hello(struct namechan *nc)
{
	chan_hello(nc->chan, 0);
}

/* A failure, or the end, is noticed by the loop as well. */
void
namechan_drain(struct namechan *nc)
{
	if (!nc->ended)
		(void)chan_drain(nc->chan);
}

bool
namechan_resolve(struct namechan *nc, uint64_t question, uint8_t family, const char *name)
{
	uint8_t body[MSG_RESOLVE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	if (nc->ended || chan_peer(nc->chan) == 0)
		return false;
	msg_resolve_put(&w, &(struct msg_resolve){ .family = family });
	chan_send(nc->chan, MSG_RESOLVE, question, body, sizeof(body), name, strlen(name), -1);
	return true;
}

/*
 * who.c - see who.h.
 *
 * On the other side is cf-spawn's watcher, which looks at the tree's sockets and processes and
 * at nothing else.  What it says is of the tree and ends in the record; no judgement hangs on it.
 * If it ends or says what makes no sense, flows go on without it: whose they are is then
 * unknown, and that is said once.
 *
 * What must stay true: each flow that was asked about goes on exactly once or is dropped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "who.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "chan_uv.h"
#include "idmap.h"
#include "log.h"
#include "proxy.h"

struct waiting {
	TAILQ_ENTRY(waiting) link;
	uint64_t	 flow, until;
	struct msg_open	 open;
};

struct whochan {
	uv_loop_t	*loop;
	uv_timer_t	 timer;
	struct chan	*chan;
	void		*arg;
	who_known	 on_known;
	bool		 ended;
	struct idmap	 by_flow;
	TAILQ_HEAD(waiting_list, waiting) all;	/* oldest first */
};

static void	timer_set(struct whochan *);

static void
take(struct whochan *wc, struct waiting *w)
{
	idmap_take(&wc->by_flow, w->flow);
	TAILQ_REMOVE(&wc->all, w, link);
}

static void
go_on(struct whochan *wc, struct waiting *w, const struct who *who)
{
	struct waiting done = *w;

	take(wc, w);
	free(w);
	wc->on_known(wc->arg, done.flow, &done.open, who);
}

static void
on_timeout(uv_timer_t *t)
{
	struct whochan *wc = t->data;
	struct waiting *w;

	while ((w = TAILQ_FIRST(&wc->all)) != NULL && w->until <= uv_now(wc->loop)) {
		log_debug("flow %llu: nobody said in time whose it is", (unsigned long long)w->flow);
		go_on(wc, w, NULL);
	}
	timer_set(wc);
}

static void
timer_set(struct whochan *wc)
{
	const struct waiting *w = TAILQ_FIRST(&wc->all);
	uint64_t now = uv_now(wc->loop);

	if (w == NULL)
		uv_timer_stop(&wc->timer);
	else if (!uv_is_active((uv_handle_t *)&wc->timer))
		uv_timer_start(&wc->timer, on_timeout, w->until > now ? w->until - now : 0, 0);
}

/* Up to `room` bytes of the tail before its zero byte, or its end. */
static void
text_take(struct rd *r, char *out, size_t room)
{
	const uint8_t *end = memchr(r->p, '\0', rd_left(r));
	size_t len = end != NULL ? (size_t)(end - r->p) : rd_left(r), n = len < room ? len : room;

	memcpy(out, r->p, n);
	out[n] = '\0';
	(void)rd_take(r, end != NULL ? len + 1 : len);
}

static void
on_whose(struct chan *c, const struct frame *f, int fd)
{
	struct whochan *wc = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct waiting *w;
	struct who who;

	(void)fd;
	if (!msg_whose_get(&r, &who.ids)) {
		chan_fail(c, "bad WHOSE");
		return;
	}
	text_take(&r, who.comm, MSG_COMM_MAX);
	text_take(&r, who.exe, MSG_EXE_MAX);
	if ((w = idmap_get(&wc->by_flow, f->flow)) != NULL)
		go_on(wc, w, who.ids.pid != 0 ? &who : NULL);
}

static const struct chan_handler handlers[] = { { MSG_WHOSE, on_whose }, { 0 } };

static void
on_end(struct chan *c, const char *why)
{
	struct whochan *wc = chan_arg(c);
	struct waiting *w;

	wc->ended = true;
	if (why != NULL)
		proxy_garbage(c, R_WATCH, why);
	while ((w = TAILQ_FIRST(&wc->all)) != NULL)
		go_on(wc, w, NULL);
}

struct whochan *
whochan_open(uv_loop_t *loop, int fd, void *arg, who_known on_known)
{
	static struct whochan wc;

	wc = (struct whochan){ .loop = loop, .arg = arg, .on_known = on_known };
	TAILQ_INIT(&wc.all);
	if (!idmap_init(&wc.by_flow) ||
	    (wc.chan = chan_new(fd, fd, R_PROXY, R_WATCH, &wc)) == NULL)
		fatal("cannot use the channel to %s", role_name(R_WATCH));
	chan_handlers(wc.chan, handlers);
	if (chan_uv_start(loop, wc.chan, on_end) == NULL)
		fatal("cannot watch the channel to %s", role_name(R_WATCH));
	uv_timer_init(loop, &wc.timer);
	wc.timer.data = &wc;
	return &wc;
}

void
whochan_hello(struct whochan *wc)
{
	chan_hello(wc->chan, 0);
}

void
whochan_ask(struct whochan *wc, uint64_t flow, const struct msg_open *o)
{
	const struct msg_who m = { .proto = o->proto, .src = o->src, .dst = o->dst };
	uint8_t body[MSG_WHO_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct waiting *new;

	if (wc->ended || wc->by_flow.n >= WHO_WAITING_MAX || (new = malloc(sizeof(*new))) == NULL) {
		wc->on_known(wc->arg, flow, o, NULL);
		return;
	}
	*new = (struct waiting){ .flow = flow, .open = *o,
	    .until = uv_now(wc->loop) + WHO_WAIT_MS };
	if (!idmap_put(&wc->by_flow, flow, new)) {
		free(new);
		wc->on_known(wc->arg, flow, o, NULL);
		return;
	}
	TAILQ_INSERT_TAIL(&wc->all, new, link);
	msg_who_put(&w, &m);
	chan_send(wc->chan, MSG_WHO, flow, body, sizeof(body), NULL, 0, -1);
	timer_set(wc);
}

bool
whochan_drop(struct whochan *wc, uint64_t flow, struct msg_open *out)
{
	struct waiting *w = idmap_get(&wc->by_flow, flow);

	if (w == NULL)
		return false;
	*out = w->open;
	take(wc, w);
	free(w);
	return true;
}

bool
whochan_drop_any(struct whochan *wc, uint64_t *flow, struct msg_open *out)
{
	const struct waiting *w = TAILQ_FIRST(&wc->all);

	if (w == NULL)
		return false;
	*flow = w->flow;
	return whochan_drop(wc, *flow, out);
}

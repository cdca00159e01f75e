/*
 * chan_uv.c - see chan_uv.h.
 *
 * One uv_poll a descriptor, and a prepare handle: libuv runs it each turn just before
 * it sleeps, which is when the gathered output is written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chan_uv.h"

#include <errno.h>
#include <stdlib.h>

struct chan_uv {
	struct chan	*chan;
	uv_poll_t	 in, out;	/* out is unused where both are one descriptor */
	uv_prepare_t	 flush;
	uv_timer_t	 again;		/* full for now, and no poll would tell when not */
	void		 (*on_end)(struct chan *, const char *);
	void		 (*on_flush)(struct chan *);	/* or NULL */
	void		 (*before_flush)(struct chan *);	/* or NULL */
	int		 in_events;	/* what `in` is started with */
	bool		 paused, full, ended;
};

static void	on_in(uv_poll_t *, int, int);
static void	on_out(uv_poll_t *, int, int);
static void	on_again(uv_timer_t *);

static bool
one_fd(const struct chan_uv *u)
{
	return chan_rfd(u->chan) == chan_wfd(u->chan);
}

/* Make the polls match what we wait for. */
static void
watch(struct chan_uv *u)
{
	int want = (u->paused ? 0 : UV_READABLE) | (u->full && one_fd(u) ? UV_WRITABLE : 0);

	if (want != u->in_events) {
		u->in_events = want;
		if (want == 0)
			uv_poll_stop(&u->in);
		else
			uv_poll_start(&u->in, want, on_in);
	}
	if (!one_fd(u)) {
		if (u->full && !uv_is_active((uv_handle_t *)&u->out))
			uv_poll_start(&u->out, UV_WRITABLE, on_out);
		else if (!u->full && uv_is_active((uv_handle_t *)&u->out))
			uv_poll_stop(&u->out);
	}
}

static void
end(struct chan_uv *u, const char *why)
{
	if (u->ended)
		return;
	u->ended = true;
	uv_prepare_stop(&u->flush);
	uv_poll_stop(&u->in);
	uv_timer_stop(&u->again);
	if (!one_fd(u))
		uv_poll_stop(&u->out);
	u->on_end(u->chan, why);
}

static void
flush(struct chan_uv *u)
{
	int rc;

	if (u->ended)
		return;
	if (u->before_flush != NULL)
		u->before_flush(u->chan);
	rc = chan_flush(u->chan);
	if (rc < 0) {
		end(u, chan_why(u->chan));
		return;
	}
	u->full = rc == 1;
	if (rc == 2 && !uv_is_active((uv_handle_t *)&u->again))
		uv_timer_start(&u->again, on_again, CHAN_AGAIN_MS, 0);
	watch(u);
	if (u->on_flush != NULL)
		u->on_flush(u->chan);
}

static void
on_flush(uv_prepare_t *h)
{
	struct chan_uv *u = h->data;

	if (chan_backlog(u->chan) > 0 || chan_why(u->chan) != NULL)
		flush(u);
}

static void
on_in(uv_poll_t *h, int status, int events)
{
	struct chan_uv *u = h->data;
	int rc;

	if (events & UV_WRITABLE)
		flush(u);
	if (u->ended || u->paused || (status == 0 && (events & UV_READABLE) == 0))
		return;
	rc = chan_read(u->chan);
	if (rc <= 0)
		end(u, rc == 0 ? NULL : chan_why(u->chan));
}

static void
on_out(uv_poll_t *h, int status, int events)
{
	(void)status, (void)events;
	flush(h->data);
}

static void
on_again(uv_timer_t *t)
{
	flush(t->data);
}

struct chan_uv *
chan_uv_start(uv_loop_t *loop, struct chan *c, void (*on_end)(struct chan *, const char *))
{
	struct chan_uv *u = calloc(1, sizeof(*u));
	int rc;

	if (u == NULL)
		return NULL;
	u->chan = c;
	u->on_end = on_end;
	u->in.data = u->out.data = u->flush.data = u->again.data = u;
	if ((rc = uv_poll_init(loop, &u->in, chan_rfd(c))) != 0 ||
	    (!one_fd(u) && (rc = uv_poll_init(loop, &u->out, chan_wfd(c))) != 0) ||
	    (rc = uv_prepare_init(loop, &u->flush)) != 0 ||
	    (rc = uv_timer_init(loop, &u->again)) != 0) {
		errno = -rc;
		free(u);
		return NULL;
	}
	uv_prepare_start(&u->flush, on_flush);
	uv_unref((uv_handle_t *)&u->flush);
	watch(u);
	return u;
}

static void
on_left(uv_timer_t *t)
{
	end(t->data, NULL);
}

void
chan_uv_leave(struct chan_uv *u)
{
	if (u->ended)
		return;
	chan_shutdown(u->chan);
	chan_uv_pause(u, false);
	uv_timer_start(&u->again, on_left, CHAN_LEAVE_MS, 0);
}

void
chan_uv_on_flush(struct chan_uv *u, void (*fn)(struct chan *))
{
	u->on_flush = fn;
}

void
chan_uv_before_flush(struct chan_uv *u, void (*fn)(struct chan *))
{
	u->before_flush = fn;
}

void
chan_uv_pause(struct chan_uv *u, bool paused)
{
	u->paused = paused;
	if (!u->ended)
		watch(u);
}

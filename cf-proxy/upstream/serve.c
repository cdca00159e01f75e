/*
 * serve.c - the dialler's requests, the table of tunnels, and the loop that drives them.
 *
 * What must stay true: a tunnel that is dropped is freed at the end of the turn, as events of it
 * may wait in the same batch; a socket is a tunnel's, or with chan_send(), or closed; each
 * TUNNEL has one answer, unless UNTUNNEL came first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "upstream.h"

#define EVENTS_A_WAIT	64
#define WAITS_A_TURN	8
#define TICK_MS		100		/* how exactly time limits are kept */
#define LOOK_MS		20		/* at tunnels that broke off */
#define LINGER_MS	2000		/* for what is on its way out when the run has ended */

const struct sandbox_row *const upstream_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, wire_rows, pass_rows, tls_rows, NULL
};
const struct sandbox_role upstream_role = {
	.name = tls_program, .does = "makes connections to a proxy into tunnels",
	.tables = upstream_sandbox, .leaves = SANDBOX_NO_NET,
};

/* ---- tunnels ---- */

static struct tunnel *
find(struct upstream *u, uint64_t id)
{
	struct tunnel *t;

	LIST_FOREACH(t, &u->by_id[id % BUCKETS], by_id)
		if (t->id == id)
			return t;
	return NULL;
}

bool
serve_arm(struct end *e, uint32_t events, bool watch)
{
	struct epoll_event ev = { .events = events, .data.ptr = e };
	bool want = events != 0 || watch;
	int op = !e->in_set ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (want == e->in_set && events == e->armed)
		return true;
	if (epoll_ctl(e->tunnel->up->epoll_fd, op, e->fd, &ev) != 0)
		return false;
	e->in_set = want;
	e->armed = events;
	return true;
}

void
serve_settled(struct tunnel *t)
{
	if (t->talk == NULL)
		return;
	TAILQ_REMOVE(&t->up->talking, t, link);
	free(t->talk);
	t->talk = NULL;
	if (TAILQ_EMPTY(&t->up->talking) && !t->up->ending)
		uv_timer_stop(&t->up->tick);
}

void
serve_drop(struct tunnel *t)
{
	if (t->dead)
		return;
	t->dead = true;
	serve_settled(t);
	if (t->broken != 0)
		TAILQ_REMOVE(&t->up->broken, t, link);
	LIST_REMOVE(t, by_id);
	TAILQ_INSERT_TAIL(&t->up->dead, t, link);
	if (t->net.fd != -1)
		(void)serve_arm(&t->net, 0, false);
	if (t->local.fd != -1)
		(void)serve_arm(&t->local, 0, false);
}

static void
on_look(uv_timer_t *timer)
{
	struct upstream *u = timer->data;
	struct tunnel *t, *next;

	for (t = TAILQ_FIRST(&u->broken); t != NULL; t = next) {
		next = TAILQ_NEXT(t, link);
		if (pass_lost(t))
			serve_drop(t);
	}
	if (TAILQ_EMPTY(&u->broken))
		uv_timer_stop(timer);
}

void
serve_broken(struct tunnel *t)
{
	if (TAILQ_EMPTY(&t->up->broken))
		uv_timer_start(&t->up->look, on_look, 0, LOOK_MS);
	TAILQ_INSERT_TAIL(&t->up->broken, t, link);
}

static void
tunnel_free(struct tunnel *t)
{
	for (size_t i = 0; i < t->n_tls; i++)
		tls_free(t->tls[i]);
	if (t->net.fd != -1)
		close(t->net.fd);
	if (t->local.fd != -1)
		close(t->local.fd);
	buf_free(&t->out);
	buf_free(&t->in);
	free(t->name);
	t->up->n--;
	free(t);
}

static struct tunnel *
tunnel_new(struct upstream *u, uint64_t id, const struct msg_tunnel *want, const char *name, size_t len)
{
	struct tunnel *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->talk = calloc(1, sizeof(*t->talk))) == NULL ||
	    (len > 0 && (t->name = strndup(name, len)) == NULL)) {
		if (t != NULL)
			free(t->talk);
		free(t);
		return NULL;
	}
	t->up = u;
	t->id = id;
	t->want = *want;
	t->net = (struct end){ .tunnel = t, .fd = -1 };
	t->local = (struct end){ .tunnel = t, .fd = -1 };
	t->deadline = uv_now(&u->loop) + u->hops.timeout_ms;
	u->n++;
	LIST_INSERT_HEAD(&u->by_id[id % BUCKETS], t, by_id);
	return t;
}

/* ---- time ---- */

static void
on_tick(uv_timer_t *timer)
{
	struct upstream *u = timer->data;
	struct tunnel *t;
	char why[64];

	while ((t = TAILQ_FIRST(&u->talking)) != NULL && t->deadline <= uv_now(&u->loop)) {
		snprintf(why, sizeof(why), "no answer within %g s (--proxy-timeout)",
		    u->hops.timeout_ms / 1000.0);
		tunnel_fail(t, tunnel_step(t), why, EHOSTUNREACH, false);
	}
}

static void
on_linger(uv_timer_t *timer)
{
	struct upstream *u = timer->data;

	uv_stop(&u->loop);
}

/* ---- what the dialler asks ---- */

static void
on_tunnel(struct chan *c, const struct frame *f, int fd)
{
	struct upstream *u = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_tunnel want;
	struct tunnel *t = NULL;
	const char *why = NULL, *name;
	size_t len;

	if (!msg_tunnel_get(&r, &want) || f->flow == 0 || fd == -1)
		why = "bad TUNNEL";
	else if (find(u, f->flow) != NULL)
		why = "TUNNEL with a number that is in use";
	len = rd_left(&r);
	name = (const char *)rd_take(&r, len);
	if (why == NULL && len > 0 && !hop_name_fits(name, len))
		why = "TUNNEL to what is no name";
	if (why == NULL && (t = tunnel_new(u, f->flow, &want, name, len)) == NULL)
		why = "out of memory";
	if (t == NULL) {
		chan_fail(c, why);
		if (fd != -1)
			close(fd);
		return;
	}
	t->net.fd = fd;
	if (TAILQ_EMPTY(&u->talking))
		uv_timer_start(&u->tick, on_tick, TICK_MS, TICK_MS);
	TAILQ_INSERT_TAIL(&u->talking, t, link);
	tunnel_begin(t);
}

static void
on_untunnel(struct chan *c, const struct frame *f, int fd)
{
	struct tunnel *t = find(chan_arg(c), f->flow);

	(void)fd;
	if (t == NULL || t->talk == NULL)
		return;			/* it crossed with the answer */
	t->told = true;
	serve_drop(t);
}

static const struct chan_handler handlers[] = {
	{ MSG_TUNNEL, on_tunnel }, { MSG_UNTUNNEL, on_untunnel }, { 0 }
};

/* ---- the loop ---- */

static void
end_ready(struct end *e, uint32_t events)
{
	struct tunnel *t = e->tunnel;

	if (t->dead)
		return;
	if (t->step == STEP_PASS)
		pass_ready(t, e, events);
	else
		tunnel_ready(t, events);
}

static void
on_ready(uv_poll_t *h, int status, int events)
{
	struct upstream *u = h->data;
	struct epoll_event ev[EVENTS_A_WAIT];
	int n = EVENTS_A_WAIT;

	(void)status, (void)events;
	for (int i = 0; i < WAITS_A_TURN && n == EVENTS_A_WAIT; i++) {
		n = epoll_wait(u->epoll_fd, ev, EVENTS_A_WAIT, 0);
		for (int k = 0; k < n; k++)
			end_ready(ev[k].data.ptr, ev[k].events);
	}
}

static void
on_turn(uv_check_t *h)
{
	struct upstream *u = h->data;
	struct tunnel *t;

	while ((t = TAILQ_FIRST(&u->dead)) != NULL) {
		TAILQ_REMOVE(&u->dead, t, link);
		tunnel_free(t);
	}
	if (u->ending && u->n == 0)
		uv_stop(&u->loop);
}

/* The run is over.  What is on its way to a proxy still goes there. */
static void
on_end(struct chan *c, const char *why)
{
	struct upstream *u = chan_arg(c);
	struct tunnel *t;

	if (why != NULL) {
		log_warnx("%s sent garbage: %s", role_name(R_DIAL), why);
		u->status = 1;
		uv_stop(&u->loop);
		return;
	}
	u->ending = true;
	while ((t = TAILQ_FIRST(&u->talking)) != NULL) {
		t->told = true;
		serve_drop(t);
	}
	uv_timer_start(&u->tick, on_linger, LINGER_MS, 0);
}

/* ---- beginning ---- */

/* The list is a secret, so it is wiped from where it came. */
static void
proxies_read(struct upstream *u, int fd)
{
	struct stat st;
	struct rd r;
	uint8_t *bytes;

	if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > (off_t)HOPS_BYTES_MAX ||
	    (bytes = malloc((size_t)st.st_size)) == NULL ||
	    pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
		fatal("cannot read the proxies on descriptor %d", fd);
	r = rd_over(bytes, (size_t)st.st_size);
	if (!hops_get(&r, &u->hops))
		fatalx("what is on descriptor %d is no list of proxies (cf-spawn makes it)", fd);
	tls_open(&u->hops);
	explicit_bzero(bytes, (size_t)st.st_size);
	if (pwrite(fd, bytes, (size_t)st.st_size, 0) != st.st_size || ftruncate(fd, 0) != 0)
		log_warn("cannot wipe the list of proxies");
	u->hops.ca = NULL;
	free(bytes);
	close(fd);
}

void
serve_open(struct upstream *u, int proxies_fd, int rfd, int wfd)
{
	proxies_read(u, proxies_fd);
	TAILQ_INIT(&u->talking);
	TAILQ_INIT(&u->broken);
	TAILQ_INIT(&u->dead);
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_INIT(&u->by_id[i]);
	if (uv_loop_init(&u->loop) != 0 ||
	    (u->chan = chan_new(rfd, wfd, R_UPSTREAM, R_DIAL, u)) == NULL ||
	    chan_uv_start(&u->loop, u->chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_DIAL));
	chan_handlers(u->chan, handlers);
	u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll_fd == -1 || uv_poll_init(&u->loop, &u->poll, u->epoll_fd) != 0)
		fatal("cannot start");
	u->poll.data = u;
	uv_poll_start(&u->poll, UV_READABLE, on_ready);
	uv_timer_init(&u->loop, &u->tick);
	uv_timer_init(&u->loop, &u->look);
	u->tick.data = u->look.data = u;
}

int
serve_run(struct upstream *u)
{
	static uv_check_t each_turn;

	uv_check_init(&u->loop, &each_turn);
	each_turn.data = u;
	uv_check_start(&each_turn, on_turn);
	chan_hello(u->chan, MSG_CAP_FD);
	uv_run(&u->loop, UV_RUN_DEFAULT);
	explicit_bzero(&u->hops, sizeof(u->hops));
	return u->status;
}

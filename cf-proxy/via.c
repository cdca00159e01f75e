/*
 * via.c - flows by the upstream proxy: a connection to it, which cf-upstream makes a tunnel.
 *
 *	OPEN -> a socket to the proxy -> TUNNEL -> cf-upstream
 *	     <- OPENED, with it     <- TUNNELLED
 *	     <- REFUSED             <- UNTUNNELLED		(or: once more, another connection)
 *
 * Where we connect to is what the options say, and nothing else: neither the tree nor the proxy
 * has a say in it.  What the proxy answers is read by cf-upstream, which can connect nothing.
 *
 * What must stay true: a flow has its wish until it is open or refused; its socket is here
 * while it connects, and at cf-upstream then.  What fails is told in one line on standard
 * error, that names the proxy and the step, and not for each flow again.
 *
 * UDP goes by an association: see assoc.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <unistd.h>

#include "dial.h"
#include "info.h"
#include "log.h"

#define TICK_MS		100		/* how exactly --connect-timeout is kept */
#define TRIES_MAX	3		/* connections for one flow, one after the other */
#define TOLD_MAX	16		/* different lines on standard error */

struct wish {
	TAILQ_ENTRY(wish) link;		/* of those that connect, oldest first */
	struct flow	*flow;
	bool		 waiting;	/* in that list */
	uint64_t	 deadline;
	uint64_t	 number;	/* at cf-upstream; 0: not there */
	struct msg_open	 open;
	struct addr	 local;
	size_t		 at;		/* which address of the proxy */
	unsigned	 tries;
	size_t		 len;
	char		 name[];
};
TAILQ_HEAD(wishes, wish);

struct via {
	uv_loop_t	*loop;
	const struct proxy_conf *conf;
	struct chan	*chan;
	uv_timer_t	 tick;
	struct wishes	 connecting;
	struct idmap	 by_number;	/* wishes */
	struct idmap	 standing;	/* flows whose socket stands for a session at cf-upstream */
	uint64_t	 last;
	void		(*ready)(void *);
	void		*ready_arg;
	int		 status;
	uint32_t	 told[TOLD_MAX];	/* hashes of lines */
	size_t		 n_told;
};

static void	connect_next(struct flow *);

/* ---- what is told ---- */

static uint32_t
hash(const char *text)
{
	uint32_t h = 2166136261u;	/* FNV-1a: nobody gains by a collision but silence */

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}

static void
tell(struct via *v, const char *text)
{
	uint32_t h = hash(text);
	char shown[4 * MSG_TEXT_MAX + 1];

	for (size_t i = 0; i < v->n_told; i++)
		if (v->told[i] == h)
			return;
	if (v->n_told == TOLD_MAX)
		return;
	v->told[v->n_told++] = h;
	log_warnx("upstream proxy %s (said once)", log_escape(shown, sizeof(shown), text));
}

static void
refuse(struct flow *fl, const struct msg_refused *no, const char *text)
{
	tell(client_via(fl->client), text);
	proxy_refuse(fl->client->chan, fl->id, no, text);
	flow_free(fl, false);
}

/* The proxy cannot be reached. */
static void
refuse_connect(struct flow *fl, int err, const char *why)
{
	const struct via *v = client_via(fl->client);
	const struct msg_refused no = { .why = REFUSED_ERRNO, .err = ENETUNREACH };
	struct msg_refused ours;
	char text[MSG_TEXT_MAX + 1], at[ADDR_STRLEN];

	direct_refusal(err, &ours);
	snprintf(text, sizeof(text), "%.150s: connect to %s: %s", v->conf->upstream_name,
	    addr_str(&v->conf->upstream_at[fl->wish->at - 1], at), why);
	refuse(fl, ours.why == REFUSED_LIMIT ? &ours : &no, text);
}

/* ---- connecting ---- */

static void
on_tick(uv_timer_t *timer)
{
	struct via *v = timer->data;
	struct wish *w;
	char why[80];

	while ((w = TAILQ_FIRST(&v->connecting)) != NULL && w->deadline <= uv_now(v->loop)) {
		struct flow *fl = w->flow;

		if (w->at < v->conf->n_upstream_at) {
			connect_next(fl);
			continue;
		}
		snprintf(why, sizeof(why), "no answer within %g s (--connect-timeout)",
		    (double)v->conf->connect_timeout / 1000.0);
		refuse_connect(fl, ETIMEDOUT, why);
	}
}

static void
waiting_set(struct wish *w, bool waiting)
{
	struct via *v = client_via(w->flow->client);

	if (w->waiting)
		TAILQ_REMOVE(&v->connecting, w, link);
	w->waiting = waiting;
	if (waiting) {
		if (TAILQ_EMPTY(&v->connecting))
			uv_timer_start(&v->tick, on_tick, TICK_MS, TICK_MS);
		w->deadline = uv_now(v->loop) + (uint64_t)v->conf->connect_timeout;
		TAILQ_INSERT_TAIL(&v->connecting, w, link);
	} else if (TAILQ_EMPTY(&v->connecting)) {
		uv_timer_stop(&v->tick);
	}
}

static void
socket_drop(struct flow *fl)
{
	if (fl->fd == -1)
		return;
	flow_arm(fl, 0);
	close(fl->fd);
	fl->fd = -1;
}

/* Connected: cf-upstream has it now. */
static void
hand_over(struct flow *fl)
{
	struct via *v = client_via(fl->client);
	struct wish *w = fl->wish;
	uint8_t body[MSG_TUNNEL_LEN];
	struct wr wr = wr_over(body, sizeof(body));
	int fd = fl->fd;

	waiting_set(w, false);
	flow_arm(fl, 0);
	fl->fd = -1;
	w->local = flow_local(fd);
	w->number = ++v->last;
	if (!idmap_put(&v->by_number, w->number, w)) {
		w->number = 0;
		close(fd);
		refuse_connect(fl, ENOMEM, "out of memory");
		return;
	}
	msg_tunnel_put(&wr, &(struct msg_tunnel){ .proto = w->open.proto, .dst = w->open.dst });
	chan_send(v->chan, MSG_TUNNEL, w->number, body, sizeof(body), w->name,
	    w->open.proto == IPPROTO_UDP ? 0 : w->len, fd);
}

/* Try the next address of the proxy; at the last one's failure the flow is refused. */
static void
connect_next(struct flow *fl)
{
	const struct via *v = client_via(fl->client);
	struct wish *w = fl->wish;
	struct msg_open o = { .proto = IPPROTO_TCP };
	struct msg_refused no = { .err = 0 };
	bool done;

	socket_drop(fl);
	while (w->at < v->conf->n_upstream_at) {
		o.dst = v->conf->upstream_at[w->at++];
		if ((fl->fd = direct_open(&o, 0, false, &done, &no)) == -1)
			continue;
		info_socket(fl->id, fl->client->resolving, &o, fl->fd);
		if (done) {
			hand_over(fl);
			return;
		}
		if (flow_arm(fl, EPOLLOUT)) {
			waiting_set(w, true);
			return;
		}
		socket_drop(fl);
		no.err = ENOMEM;
	}
	waiting_set(w, false);
	refuse_connect(fl, (int)no.err, strerror((int)no.err));
}

void
via_connected(struct flow *fl, uint32_t events)
{
	const struct via *v = client_via(fl->client);
	int err = events & (EPOLLERR | EPOLLHUP) ? direct_result(fl->fd) : 0;

	if (err == 0)
		hand_over(fl);
	else if (fl->wish->at < v->conf->n_upstream_at)
		connect_next(fl);
	else
		refuse_connect(fl, err, strerror(err));
}

bool
via_takes(const struct via *v, const struct client *cl, const struct msg_open *o)
{
	return v != NULL && (cl->resolving ? !v->conf->dns_direct : (o->flags & OPEN_DIRECT) == 0);
}

void
via_open(struct client *cl, uint64_t id, const struct msg_open *o, const char *name, size_t len)
{
	static const struct msg_refused none = { .why = REFUSED_POLICY, .err = EACCES };
	static const struct msg_refused memory = { .why = REFUSED_LIMIT, .err = ENOMEM };
	const struct via *v = client_via(cl);
	struct flow *fl;

	if (o->proto != IPPROTO_TCP &&
	    (o->proto != IPPROTO_UDP || !v->conf->upstream_udp || cl->resolving)) {
		proxy_refuse(cl->chan, id, &none, "the upstream proxy does not carry this protocol");
		return;
	}
	if ((fl = flow_new(cl, id, o, -1, NULL)) == NULL ||
	    (fl->wish = calloc(1, sizeof(*fl->wish) + len + 1)) == NULL) {
		if (fl != NULL)
			flow_free(fl, false);
		proxy_refuse(cl->chan, id, &memory, "out of memory");
		return;
	}
	fl->family = o->dst.family;
	fl->connecting = true;
	fl->wish->flow = fl;
	fl->wish->open = *o;
	fl->wish->len = len;
	memcpy(fl->wish->name, name, len);
	connect_next(fl);
}

void
via_forget(struct flow *fl)
{
	struct wish *w = fl->wish;
	struct via *v = client_via(fl->client);

	if (fl->tunnel != 0)
		idmap_take(&v->standing, fl->tunnel);
	fl->tunnel = 0;
	if (w == NULL)
		return;
	waiting_set(w, false);
	if (w->number != 0) {
		idmap_take(&v->by_number, w->number);
		chan_send(v->chan, MSG_UNTUNNEL, w->number, NULL, 0, NULL, 0, -1);
	}
	fl->wish = NULL;
	free(w);
}

/* ---- what cf-upstream answers ---- */

/* Whose number this is; it is not used any more.  NULL: it has been given up. */
static struct flow *
answered(struct via *v, uint64_t number)
{
	struct wish *w = idmap_take(&v->by_number, number);

	if (w == NULL)
		return NULL;
	w->number = 0;
	return w->flow;
}

/* Its datagrams go to the proxy's address, whatever the proxy says.  -1: the flow is refused. */
static int
associate(struct via *v, struct flow *fl, int control_fd, uint16_t port)
{
	const struct wish *w = fl->wish;
	struct addr proxy = v->conf->upstream_at[w->at - 1];
	int fd;

	proxy.port = port;
	fd = assoc_open(fl, control_fd, &proxy, &w->open.dst, w->name, w->len);
	if (fd == -1)
		refuse_connect(fl, ENOBUFS, "no socket for its datagrams");
	return fd;
}

static void
on_tunnelled(struct chan *c, const struct frame *f, int fd)
{
	struct via *v = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_tunnelled m;
	struct flow *fl = NULL;
	struct addr local;

	if (!msg_tunnelled_get(&r, &m) || fd == -1)
		chan_fail(c, "bad TUNNELLED");
	else
		fl = answered(v, f->flow);
	if (fl == NULL) {
		if (fd != -1)
			close(fd);
		return;
	}
	local = fl->wish->local;
	if (fl->proto == IPPROTO_UDP && (fd = associate(v, fl, fd, m.port)) == -1)
		return;
	fl->fd = fd;
	via_forget(fl);
	if ((m.flags & TUNNELLED_STANDS) != 0 && idmap_put(&v->standing, f->flow, fl))
		fl->tunnel = f->flow;
	flow_opened(fl, &local);
}

/* It broke off behind cf-upstream, and all that came before has been read. */
static void
lost(struct via *v, uint64_t number, int err)
{
	struct flow *fl = idmap_get(&v->standing, number);

	if (fl != NULL)			/* else it has been given up */
		relay_broken(fl, err);
}

static void
on_untunnelled(struct chan *c, const struct frame *f, int fd)
{
	struct via *v = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_untunnelled m;
	char text[MSG_TEXT_MAX + 1] = "";
	struct flow *fl;

	(void)fd;
	if (!msg_untunnelled_get(&r, &m)) {
		chan_fail(c, "bad UNTUNNELLED");
		return;
	}
	if ((fl = answered(v, f->flow)) == NULL) {
		lost(v, f->flow, (int)m.no.err);
		return;
	}
	memcpy(text, r.p, rd_left(&r));
	if ((m.flags & UNTUNNELLED_AGAIN) != 0 && ++fl->wish->tries < TRIES_MAX) {
		fl->wish->at = 0;
		connect_next(fl);
		return;
	}
	refuse(fl, &m.no, text);
}

static const struct chan_handler handlers[] = {
	{ MSG_TUNNELLED, on_tunnelled }, { MSG_UNTUNNELLED, on_untunnelled }, { 0 }
};

/* ---- beginning and end ---- */

static void
on_hello(struct chan *c)
{
	struct via *v = chan_arg(c);

	v->ready(v->ready_arg);
}

/* Without it there is no network any more. */
static void
on_end(struct chan *c, const char *why)
{
	struct via *v = chan_arg(c);

	if (why != NULL)
		proxy_garbage(c, R_UPSTREAM, why);
	else
		log_info("cf-upstream has gone, and the network with it");
	v->status = why != NULL ? 1 : CHAN_FOLLOWED;
	uv_stop(v->loop);
}

struct via *
via_new(uv_loop_t *loop, const struct proxy_conf *conf, void (*ready)(void *), void *arg)
{
	static struct via v;

	if (conf->upstream_fd == -1)
		return NULL;
	v = (struct via){ .loop = loop, .conf = conf, .ready = ready, .ready_arg = arg };
	TAILQ_INIT(&v.connecting);
	uv_timer_init(loop, &v.tick);
	v.tick.data = &v;
	v.chan = chan_new(conf->upstream_fd, conf->upstream_fd, R_DIAL, R_UPSTREAM, &v);
	if (v.chan == NULL || !idmap_init(&v.by_number) || !idmap_init(&v.standing) ||
	    chan_uv_start(loop, v.chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_UPSTREAM));
	if (conf->upstream_udp)
		assoc_init(loop);
	chan_handlers(v.chan, handlers);
	chan_on_hello(v.chan, on_hello);
	return &v;
}

void
via_hello(struct via *v)
{
	chan_hello(v->chan, MSG_CAP_FD);
}

int
via_status(const struct via *v)
{
	return v == NULL ? 0 : v->status;
}

/*
 * dial.c - the dialler: the only process that may make sockets and connect them.
 *
 * Clients are the policy stage (or cf-netstack, where somebody runs it so), and cf-dns by
 * --dns-fd, which may reach name servers and nothing else; at the far end of a pipe cf-dns may be
 * the only one.  They hold what the tree sent, so nothing of it is parsed here: an OPEN has a
 * fixed size, and its address is judged a second time.
 *
 *   OPEN -> connecting ---> OPENED with the descriptor: the flow is the client's
 *              |       \--> OPENED without (OPEN_RELAY, or pipes): relay.c has it until CLOSE
 *              |---------> REFUSED: the kernel's errno, a rule, no descriptors
 *              \- CLOSE -> given up, nothing is answered
 *
 * Any number of connects may be under way, as far as descriptors reach.  One that ends at
 * once costs no table entry and no epoll call.
 *
 * What must stay true: a descriptor is in flow->fd, or with chan_send(), or closed; a flow in
 * a client's table is freed by flow_free() only; no frame is sent for a flow after
 * its REFUSED, RESET or hand-over.
 *
 * Not done here: names, time limits of connects (the client sends CLOSE), bytes of payload
 * where the descriptor could be passed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "info.h"
#include "inside.h"
#include "log.h"
#include "rulesfd.h"

#define EVENTS_A_WAIT	16		/* few, so that all have their turn: see on_ready */
#define WAITS_A_TURN	32
#define BACKLOG_HIGH	524288		/* 512 KiB: the client does not keep up: leave the sockets alone */
#define LINGER_MS	5000		/* for payload that clients left to be delivered */

struct dialler {
	uv_loop_t	 loop;
	uv_check_t	 each_turn;
	uv_timer_t	 linger;
	struct judge	*judge;
	struct control	*control;
	struct portmap	*ports;
	struct via	*via;		/* NULL: there is no upstream proxy */
	struct client	 clients[2];
	size_t		 n_clients;
	const struct proxy_conf	*conf;
	int		 status;
};

static const struct sandbox_row dial_rows[] = {
	ALLOW(getsockname, "the address that OPENED tells"),
	ALLOW_ARG2(setsockopt, 1, SOL_SOCKET, 2, SO_LINGER, "a reset of the tree goes on as one"),
	{ 0 }
};

const struct sandbox_row *const dial_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, dial_rows, direct_rows, relay_rows, rulesfd_rows,
	assoc_rows,
	NULL
};

/* ---- flows ---- */

/* Does its payload go in frames? */
static bool
is_relayed(const struct client *cl, const struct msg_open *o)
{
	return (chan_caps(cl->chan) & MSG_CAP_FD) == 0 || (o->flags & OPEN_RELAY) != 0;
}

bool
flow_arm(struct flow *fl, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = fl };
	int op = fl->armed == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (events == fl->armed)
		return true;
	if (epoll_ctl(fl->client->epoll_fd, op, fl->fd, &ev) != 0)
		return false;
	fl->armed = events;
	return true;
}

void
flow_free(struct flow *fl, bool abort)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	via_forget(fl);
	assoc_free(fl);
	if (fl->leaving)
		fl->client->leaving--;
	else
		idmap_take(&fl->client->flows, fl->id);
	if (fl->fd != -1) {
		if (abort && fl->proto == IPPROTO_TCP)
			(void)setsockopt(fl->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fl->fd);
	}
	portmap_drop(fl->client->dialler->ports, fl->mapping);
	relay_free(fl->relay);
	free(fl);
}

struct flow *
flow_new(struct client *cl, uint64_t id, const struct msg_open *o, int fd, struct mapping *mapping)
{
	struct flow *fl = malloc(sizeof(*fl));

	if (fl == NULL)
		return NULL;
	*fl = (struct flow){ .client = cl, .id = id, .fd = fd, .proto = o->proto,
	    .relayed = is_relayed(cl, o), .mapping = mapping };
	if (!idmap_put(&cl->flows, id, fl)) {
		free(fl);
		return NULL;
	}
	return fl;
}

/* ---- answers ---- */

static void
refuse(struct client *cl, uint64_t id, int err)
{
	struct msg_refused no;

	direct_refusal(err, &no);
	proxy_refuse(cl->chan, id, &no, NULL);
}

struct via *
client_via(const struct client *cl)
{
	return cl->dialler->via;
}

struct addr
flow_local(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a = { 0 };

	if (getsockname(fd, (struct sockaddr *)&ss, &len) == 0)
		addr_from_sockaddr(&ss, &a);
	return a;
}

/* fd: -1, or the descriptor that goes with it. */
static void
opened_send(struct client *cl, uint64_t id, const struct addr *local, int fd)
{
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_opened_put(&w, &(struct msg_opened){ .local = *local });
	chan_send(cl->chan, MSG_OPENED, id, body, sizeof(body), NULL, 0, fd);
}

void
flow_opened(struct flow *fl, const struct addr *local)
{
	struct client *cl = fl->client;
	int fd = fl->fd;

	fl->connecting = false;
	if (fl->relayed) {
		if (relay_start(fl)) {
			opened_send(cl, fl->id, local, -1);
		} else {
			refuse(cl, fl->id, ENOMEM);
			flow_free(fl, true);
		}
		return;
	}
	flow_arm(fl, 0);	/* the client will hold what epoll would go on watching */
	fl->fd = -1;
	opened_send(cl, fl->id, local, fd);
	if (fl->mapping == NULL && fl->assoc == NULL && fl->tunnel == 0)
		flow_free(fl, false);
}

static void
on_connected(struct flow *fl, uint32_t events)
{
	int err = events & (EPOLLERR | EPOLLHUP) ? direct_result(fl->fd) : 0;
	struct msg_refused no;
	struct addr local;

	if (err == 0) {
		if (fl->traces)
			direct_trace_end(fl->fd, fl->family);
		local = flow_local(fl->fd);
		flow_opened(fl, &local);
	} else {
		direct_failure(fl->fd, fl->family, err, &no);
		proxy_refuse(fl->client->chan, fl->id, &no, NULL);
		flow_free(fl, false);
	}
}

/* ---- what a client may ask ---- */

/*
 * A resolver that the command line or cf-spawn names may be anywhere, also on loopback and where the rules
 * let nothing else go; but with --offline there is none.
 */
static bool
may_open(const struct client *cl, const struct msg_open *o, const char *name, size_t len,
    struct rules_words *why)
{
	const struct proxy_conf *conf = cl->dialler->conf;
	const struct judge *judge = cl->dialler->judge;
	bool has_port = o->proto == IPPROTO_UDP || o->proto == IPPROTO_TCP;
	char buf[ADDR_STRLEN];

	if (!cl->resolving && len > 0)
		return judge_named(judge, o, name, why) || judge_permits(judge, why);
	if (!cl->resolving || judge_offline(judge))
		return judge_dial(judge, o, why);
	if (has_port && control_is_resolver(cl->dialler->control, &o->dst))
		return true;
	if (has_port && !conf->resolvers_only && o->dst.port == INSIDE_DNS_PORT)
		return judge_dial(judge, o, why);
	snprintf(why->text, sizeof(why->text), "blocked: %.60s is not a name server%s",
	    addr_str(&o->dst, buf), conf->resolvers_only ? " of this run" : "");
	return false;
}

/* The tree's datagrams have one port for one socket; cf-dns wants one that nobody can guess. */
static bool
keeps_port(const struct client *cl, const struct msg_open *o)
{
	return o->proto == IPPROTO_UDP && chan_peer(cl->chan) != R_DNS;
}

/*
 * Connected at once, and all that is left to do is to remember the port of a datagram flow.
 * Returns false when there was no memory.
 */
static bool
connected(struct client *cl, uint64_t id, const struct msg_open *o, int fd,
    struct mapping *mapping)
{
	struct portmap *ports = cl->dialler->ports;
	struct addr local = flow_local(fd);
	struct flow *fl;

	if (direct_traces(o))
		direct_trace_end(fd, o->dst.family);
	if (mapping != NULL && mapping_port(mapping) != local.port) {
		portmap_drop(ports, mapping);		/* the port was taken */
		mapping = NULL;
	} else if (mapping == NULL && keeps_port(cl, o) && direct_share_port(fd)) {
		mapping = portmap_add(ports, &o->src, local.port);
	}
	if (mapping == NULL && !is_relayed(cl, o)) {
		opened_send(cl, id, &local, fd);
		return true;
	}
	if ((fl = flow_new(cl, id, o, fd, mapping)) == NULL) {
		portmap_drop(ports, mapping);
		return false;
	}
	flow_opened(fl, &local);
	return true;
}

static bool
connecting(struct client *cl, uint64_t id, const struct msg_open *o, int fd)
{
	struct flow *fl = flow_new(cl, id, o, fd, NULL);

	if (fl == NULL)
		return false;
	fl->connecting = true;
	fl->traces = direct_traces(o);
	fl->family = o->dst.family;
	if (flow_arm(fl, EPOLLOUT))
		return true;
	fl->fd = -1;			/* the caller closes it */
	flow_free(fl, false);
	return false;
}

static void
dial(struct client *cl, uint64_t id, const struct msg_open *o)
{
	struct portmap *ports = cl->dialler->ports;
	struct mapping *mapping = NULL;
	struct msg_refused no;
	uint16_t port = 0;
	bool done;
	int fd;

	if (keeps_port(cl, o)) {
		mapping = portmap_hold(ports, &o->src);
		port = mapping != NULL ? mapping_port(mapping) : portmap_hint(ports, &o->src);
	}
	fd = direct_open(o, port, !is_relayed(cl, o), &done, &no);
	if (fd != -1)
		info_socket(id, cl->resolving, o, fd);
	if (fd == -1) {
		portmap_drop(ports, mapping);
		proxy_refuse(cl->chan, id, &no, NULL);
	} else if (!(done ? connected(cl, id, o, fd, mapping) : connecting(cl, id, o, fd))) {
		close(fd);
		refuse(cl, id, ENOMEM);
	}
}

static void
on_open(struct chan *c, const struct frame *f, int fd)
{
	static const struct msg_refused by_policy = { .why = REFUSED_POLICY, .err = EACCES };
	struct client *cl = chan_arg(c);
	struct rules_words why;
	struct msg_open o;
	char name[MSG_NAME_MAX + 1] = "";
	const char *tail;
	size_t len;

	(void)fd;
	if (!proxy_open_get(f, &o, &tail, &len) ||
	    (len > 0 && (cl->dialler->via == NULL || cl->resolving)))
		chan_fail(c, "bad OPEN");
	else if (idmap_get(&cl->flows, f->flow) != NULL)
		chan_fail(c, "OPEN with a flow number that is in use");
	else if (!may_open(cl, &o, memcpy(name, tail, len), len, &why))
		proxy_refuse(c, f->flow, &by_policy, why.text);
	else if (via_takes(cl->dialler->via, cl, &o))
		via_open(cl, f->flow, &o, name, len);
	else
		dial(cl, f->flow, &o);
}

static void
on_close(struct chan *c, const struct frame *f, int fd)
{
	struct client *cl = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_close m;
	struct flow *fl;

	(void)fd;
	if (!msg_close_get(&r, &m)) {
		chan_fail(c, "bad CLOSE");
		return;
	}
	info_socket_ended(f->flow, cl->resolving);
	if ((fl = idmap_get(&cl->flows, f->flow)) == NULL)
		return;			/* handed over or refused long ago */
	else if (fl->relay != NULL)
		relay_close(fl, m.reason);
	else
		flow_free(fl, false);
}

/* The flow of a payload frame; NULL when it has ended here and the client does not know yet. */
static struct flow *
relayed(struct chan *c, const struct frame *f)
{
	struct client *cl = chan_arg(c);
	struct flow *fl = idmap_get(&cl->flows, f->flow);

	if (fl != NULL && fl->connecting)
		chan_fail(c, "payload before OPENED");
	return fl != NULL && fl->relay != NULL ? fl : NULL;
}

static void
on_data(struct chan *c, const struct frame *f, int fd)
{
	struct flow *fl = relayed(c, f);

	(void)fd;
	if (fl != NULL)
		relay_data(fl, f);
}

static void
on_window(struct chan *c, const struct frame *f, int fd)
{
	struct flow *fl = relayed(c, f);

	(void)fd;
	if (fl != NULL)
		relay_window(fl, f);
}

static void
on_eof(struct chan *c, const struct frame *f, int fd)
{
	struct flow *fl = relayed(c, f);

	(void)fd;
	if (fl != NULL)
		relay_eof(fl);
}

static void
on_reset(struct chan *c, const struct frame *f, int fd)
{
	struct flow *fl = relayed(c, f);

	(void)fd;
	if (fl != NULL)
		flow_free(fl, true);
}

static const struct chan_handler handlers[] = {
	{ MSG_OPEN, on_open }, { MSG_CLOSE, on_close },
	{ MSG_DATA, on_data }, { MSG_WINDOW, on_window }, { MSG_EOF, on_eof },
	{ MSG_RESET, on_reset }, { 0 }
};

/* ---- the loop ---- */

static void
flow_ready(struct flow *fl, uint32_t events)
{
	if (fl->wish != NULL)
		via_connected(fl, events);
	else if (fl->connecting)
		on_connected(fl, events);
	else
		relay_ready(fl, events);
}

static bool
has_room(const struct client *cl)
{
	return cl->gone || chan_backlog(cl->chan) < BACKLOG_HIGH;
}

/*
 * The kernel puts what it told of behind the others, so asking for a few at a time and
 * stopping when the client has enough is fair to all.
 */
static void
on_ready(uv_poll_t *h, int status, int events)
{
	struct client *cl = h->data;
	struct epoll_event ev[EVENTS_A_WAIT];
	int n = EVENTS_A_WAIT;

	(void)status, (void)events;
	for (int i = 0; i < WAITS_A_TURN && n == EVENTS_A_WAIT && has_room(cl); i++) {
		n = epoll_wait(cl->epoll_fd, ev, EVENTS_A_WAIT, 0);
		for (int k = 0; k < n; k++)	/* each flow is there once, and frees no other */
			flow_ready(ev[k].data.ptr, ev[k].events);
	}
}

/* Sockets are left alone while the client has much to read yet. */
static void
polling_set(struct client *cl)
{
	bool want = has_room(cl);

	if (want == cl->polling)
		return;
	cl->polling = want;
	if (want)
		uv_poll_start(&cl->poll, UV_READABLE, on_ready);
	else
		uv_poll_stop(&cl->poll);
}

static void
on_flush(struct chan *c)
{
	polling_set(chan_arg(c));
}

static void
on_turn(uv_check_t *h)
{
	struct dialler *d = h->data;
	bool wanted = false;

	for (size_t i = 0; i < d->n_clients; i++)
		wanted = wanted || !d->clients[i].gone || d->clients[i].leaving > 0;
	if (!wanted)
		uv_stop(&d->loop);
}

static void
on_linger_timeout(uv_timer_t *t)
{
	struct dialler *d = t->data;

	log_warnx("a destination did not take the last of the data");
	d->status = 1;
	uv_stop(&d->loop);
}

static void
flows_drop(struct client *cl)
{
	struct flow *fl;
	size_t at = 0;

	while ((fl = idmap_pop(&cl->flows, &at)) != NULL)
		flow_free(fl, false);
}

static void
on_end(struct chan *c, const char *why)
{
	struct client *cl = chan_arg(c);
	struct dialler *d = cl->dialler;

	if (why != NULL) {
		proxy_garbage(c, cl->expected, why);
		d->status = 1;
		uv_stop(&d->loop);
		return;
	}
	cl->gone = true;
	polling_set(cl);
	flows_drop(cl);
	for (size_t i = 0; i < d->n_clients; i++)
		if (!d->clients[i].gone)
			return;
	uv_timer_start(&d->linger, on_linger_timeout, LINGER_MS, 0);
}

static void
client_open(struct dialler *d, int rfd, int wfd, bool resolving)
{
	struct client *cl = &d->clients[d->n_clients++];

	*cl = (struct client){ .dialler = d, .resolving = resolving, .polling = true,
	    .expected = resolving ? R_DNS : R_PROXY };
	cl->chan = chan_new(rfd, wfd, R_DIAL, resolving ? R_DNS : R_PROXY | R_STACK | R_DNS, cl);
	if (cl->chan == NULL)
		fatal("cannot use the channel to %s", role_name(cl->expected));
	chan_handlers(cl->chan, handlers);
	if ((cl->chan_uv = chan_uv_start(&d->loop, cl->chan, on_end)) == NULL)
		fatal("cannot watch the channel to %s", role_name(cl->expected));
	chan_uv_on_flush(cl->chan_uv, on_flush);
	cl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (cl->epoll_fd == -1 || !idmap_init(&cl->flows) ||
	    uv_poll_init(&d->loop, &cl->poll, cl->epoll_fd) != 0)
		fatal("cannot start");
	cl->poll.data = cl;
	uv_poll_start(&cl->poll, UV_READABLE, on_ready);
}

static void
clients_hello(void *arg)
{
	struct dialler *d = arg;

	for (size_t i = 0; i < d->n_clients; i++)
		chan_hello(d->clients[i].chan, MSG_CAP_FD);
}

/* All that this needs is there, but who records it may not be. */
static void
on_via_ready(void *arg)
{
	info_when_ready(clients_hello, arg);
}

static void *
dial_open(const struct proxy_conf *conf, int rfd, int wfd)
{
	static struct dialler d;

	d.conf = conf;
	d.judge = judge_new(conf->rules_fd, conf->encdns, &conf->host);
	d.ports = portmap_new();
	if (uv_loop_init(&d.loop) != 0 || d.ports == NULL)
		fatal("cannot start");
	d.control = control_new(&d.loop, conf, d.judge);
	if ((d.via = via_new(&d.loop, conf, on_via_ready, &d)) != NULL)
		judge_upstream(d.judge);
	client_open(&d, rfd, wfd, false);
	if (conf->dns_fd != -1)
		client_open(&d, conf->dns_fd, conf->dns_fd, true);
	info_open(&d.loop, conf->info_fd, R_DIAL);
	uv_timer_init(&d.loop, &d.linger);
	uv_check_init(&d.loop, &d.each_turn);
	d.linger.data = d.each_turn.data = &d;
	uv_check_start(&d.each_turn, on_turn);
	return &d;
}

static void
dial_hello(void *arg)
{
	struct dialler *d = arg;

	control_hello(d->control);
	info_hello();
	if (d->via != NULL)
		via_hello(d->via);
	else
		on_via_ready(d);
}

static int
dial_run(void *arg)
{
	struct dialler *d = arg;

	uv_run(&d->loop, UV_RUN_DEFAULT);
	if (control_failed(d->control) || info_failed())
		return 1;
	return via_status(d->via) != 0 ? via_status(d->via) : d->status;
}

const struct stage dial_stage = {
	.role = R_DIAL, .sandbox = { .name = "cf-proxy (dialler)",
	    .does = "makes the connections, and has no other part", .tables = dial_sandbox,
	    .leaves = SANDBOX_APART, .stays = "in the network, as nobody else is" },
	.open = dial_open, .hello = dial_hello, .run = dial_run,
};

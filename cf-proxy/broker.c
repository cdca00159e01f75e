/*
 * broker.c - the policy stage: what the tree may ask for, and what became of it.
 *
 * cf-netstack is the client and is assumed to have fallen to the tree: it may send any
 * frame.  The dialler is the server.  Per flow:
 *
 *   cf-netstack        here                               dialler
 *     OPEN ----------> judged
 *          <- REFUSED  no: policy_violation
 *                      yes: connect_attempt    OPEN ----->
 *          <- OPENED   connect_result     <--- OPENED (with the descriptor)
 *          <- REFUSED  connect_result     <--- REFUSED
 *     CLOSE ---------> flow_end                CLOSE ---->
 *     LIMIT ---------> limit_reached
 *
 * An event is written before the frame that makes its effect visible goes on.  Where
 * descriptors cannot be passed, DATA, WINDOW, EOF and RESET of open flows go through
 * unread and unchanged; the two ends keep the credit.
 *
 * What must stay true: a flow is in the table from its OPEN until REFUSED or CLOSE; no
 * socket is made here and no descriptor kept; a descriptor goes on to its flow or is closed.
 * The kernel drops descriptors that come where no number is free, and which flows lost theirs
 * cannot be told.  So no more are asked for than there is room: fds_max.
 * If the dialler goes first the run has lost its network: we end, which ends the run.
 *
 * HELLO: cf-netstack's comes first and says if it can take descriptors; ours to the dialler
 * asks for no more than that; when the dialler's has come, ours to cf-netstack promises
 * what the dialler can.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chan_uv.h"
#include "denial.h"
#include "event.h"
#include "idmap.h"
#include "log.h"
#include "proxy.h"

#define FLOWS_MAX	65536		/* about 10 MiB of table */
#define LATE_MAX	64
#define BACKLOG_HIGH	32768		/* then its writer waits: some 900 OPENED */
#define BACKLOG_LOW	8192
#define DRAIN_MS	5000
#define SPARE_FDS	(CHAN_FDS_A_READ + 24)	/* come for flows that were given up; what is open here */

struct flow {
	TAILQ_ENTRY(flow) all;
	uint64_t	 id;
	uint64_t	 since;		/* ms, when it was asked for */
	bool		 opened;
	struct msg_open	 open;
};
TAILQ_HEAD(flow_list, flow);

struct late_close {
	uint64_t	 flow;
	uint8_t		 body[MSG_CLOSE_LEN];
};

struct broker {
	uv_loop_t	 loop;
	uv_timer_t	 drain;
	struct judge	*judge;
	struct chan	*client, *dialler;
	struct chan_uv	*client_uv, *dialler_uv;
	bool		 client_paused, dialler_paused;
	bool		 passes_fds;
	bool		 ending;
	int		 status;

	struct idmap	 by_id;
	struct flow_list flows;		/* oldest first */
	uint64_t	 last_id;
	size_t		 n_opening;	/* flows that the dialler has not answered for */
	size_t		 fds_max;	/* descriptors to come or to go on */
	/*
	 * The dialler has nothing to do for the CLOSE of a flow whose descriptor it has given
	 * away, so it is not woken for it: such CLOSEs wait for the next OPEN.
	 */
	struct late_close late[LATE_MAX];
	size_t		 n_late;
};

static const struct msg_refused	refused_by_policy = { .why = REFUSED_POLICY, .err = EACCES };
static const struct msg_refused	refused_by_limit = { .why = REFUSED_LIMIT, .err = EMFILE };

const struct sandbox_row *const broker_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, NULL
};

/* ---- flows ---- */

static struct flow *
flow_new(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct flow *fl;

	if (b->by_id.n >= FLOWS_MAX || (fl = malloc(sizeof(*fl))) == NULL)
		return NULL;
	*fl = (struct flow){ .id = id, .since = uv_now(&b->loop), .open = *o };
	if (!idmap_put(&b->by_id, id, fl)) {
		free(fl);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&b->flows, fl, all);
	b->n_opening++;
	return fl;
}

static void
flow_free(struct broker *b, struct flow *fl)
{
	if (!fl->opened)
		b->n_opening--;
	idmap_take(&b->by_id, fl->id);
	TAILQ_REMOVE(&b->flows, fl, all);
	free(fl);
}

/* The flow is over for the tree: write down how it ended, and forget it. */
static void
flow_end(struct broker *b, struct flow *fl, const struct msg_close *m)
{
	static const char given_up[] = "given up before it was open";

	if (fl->opened)
		record_end(fl->id, &fl->open, m, uv_now(&b->loop) - fl->since);
	else
		record_result(&fl->open, given_up, sizeof(given_up) - 1);
	flow_free(b, fl);
}

static void
flows_end(struct broker *b)
{
	static const struct msg_close m = { .reason = CLOSE_END };
	struct flow *fl;

	while ((fl = TAILQ_FIRST(&b->flows)) != NULL)
		flow_end(b, fl, &m);
	record_limits_end();
	denial_end();
}

static void
pass_on(struct chan *to, const struct frame *f, int fd)
{
	chan_send(to, (enum msg_type)f->type, f->flow, f->body, f->len, NULL, 0, fd);
}

/* ---- what cf-netstack may ask ---- */

static void
late_send(struct broker *b)
{
	for (size_t i = 0; i < b->n_late; i++)
		chan_send(b->dialler, MSG_CLOSE, b->late[i].flow, b->late[i].body, MSG_CLOSE_LEN,
		    NULL, 0, -1);
	b->n_late = 0;
}

/* Is there a descriptor to be had for one more, and to take it on? */
static bool
fds_reach(const struct broker *b)
{
	return !b->passes_fds || b->n_opening + chan_fds_queued(b->client) < b->fds_max;
}

/* Not for what it is, but for how many there are. */
static void
turn_away(struct broker *b, uint64_t id, const struct msg_open *o, enum limit which, uint64_t most,
    const char *why)
{
	record_attempt(o);
	record_result(o, why, strlen(why));
	record_limit(which, most, 1, uv_now(&b->loop));
	proxy_refuse(b->client, id, &refused_by_limit, why);
}

/* The rules' answer; where it is no, it has been given. */
static bool
may_leave(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct rules_words why;

	if (judge_flow(b->judge, o, NULL, 0, &why))
		return true;
	record_violation(o, &why, NULL);
	proxy_refuse(b->client, id, &refused_by_policy, why.text);
	return false;
}

static void
on_open(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct msg_open o;

	(void)fd;
	if (!proxy_open_get(f, &o)) {
		chan_fail(c, "bad OPEN");
		return;
	}
	if (f->flow <= b->last_id) {
		chan_fail(c, "OPEN with a flow number that was used");
		return;
	}
	b->last_id = f->flow;
	if (!may_leave(b, f->flow, &o))
		return;
	if (!fds_reach(b)) {
		turn_away(b, f->flow, &o, LIMIT_HOST, 0, "too many connections are being opened");
		return;
	}
	if (flow_new(b, f->flow, &o) == NULL) {
		turn_away(b, f->flow, &o, LIMIT_POLICY_FLOWS, FLOWS_MAX, "too many flows");
		return;
	}
	record_attempt(&o);
	late_send(b);
	pass_on(b->dialler, f, -1);
}

static void
on_close(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_close m;
	struct flow *fl;
	bool can_wait;

	(void)fd;
	if (!msg_close_get(&r, &m)) {
		chan_fail(c, "bad CLOSE");
		return;
	}
	if ((fl = idmap_get(&b->by_id, f->flow)) == NULL)
		return;				/* it crossed with REFUSED */
	can_wait = fl->opened && b->passes_fds;
	flow_end(b, fl, &m);
	if (!can_wait) {
		pass_on(b->dialler, f, -1);
		return;
	}
	if (b->n_late == LATE_MAX)
		late_send(b);
	b->late[b->n_late].flow = f->flow;
	memcpy(b->late[b->n_late++].body, f->body, MSG_CLOSE_LEN);
}

static void
on_limit(struct chan *c, const struct frame *f, int fd)
{
	const struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_limit m;

	(void)fd;
	if (msg_limit_get(&r, &m))
		record_limit(m.which, m.most, m.times, uv_now(&b->loop));
	else
		chan_fail(c, "bad LIMIT");
}

/* DATA, WINDOW, EOF and RESET, either way. */
static void
on_payload(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	const struct flow *fl = idmap_get(&b->by_id, f->flow);

	(void)fd;
	if (fl != NULL && fl->opened)
		pass_on(c == b->client ? b->dialler : b->client, f, -1);
}

/* ---- what the dialler may say ---- */

static void
on_opened(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;
	struct flow *fl = idmap_get(&b->by_id, f->flow);
	const char *why = NULL;

	if (!msg_opened_get(&r, &m))
		why = "bad OPENED";
	else if ((fd != -1) != b->passes_fds)
		why = fd == -1 ? "OPENED without its descriptor" : "unexpected descriptor";
	else if (fl != NULL && fl->opened)
		why = "OPENED a second time";
	if (why != NULL)
		chan_fail(c, why);
	if (why != NULL || fl == NULL) {	/* no flow: it crossed with CLOSE */
		if (fd != -1)
			close(fd);
		return;
	}
	fl->opened = true;
	b->n_opening--;
	record_result(&fl->open, NULL, 0);
	pass_on(b->client, f, fd);
}

/* The dialler ran out of something.  A host without addresses of a family is no such thing. */
static bool
is_exhausted(const struct msg_refused *m)
{
	return m->why == REFUSED_LIMIT && m->err != EADDRNOTAVAIL;
}

static void
on_refused(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_refused m;
	struct flow *fl = idmap_get(&b->by_id, f->flow);
	const char *text;
	size_t len;

	(void)fd;
	if (!msg_refused_get(&r, &m) || (fl != NULL && fl->opened)) {
		chan_fail(c, "bad REFUSED");
		return;
	}
	if (fl == NULL)
		return;
	len = rd_left(&r);
	text = (const char *)rd_take(&r, len);
	if (len == 0) {
		text = strerror((int)m.err);
		len = strlen(text);
	}
	record_result(&fl->open, text, len);
	if (is_exhausted(&m))
		record_limit(LIMIT_HOST, 0, 1, uv_now(&b->loop));
	pass_on(b->client, f, -1);
	flow_free(b, fl);
}

#define PAYLOAD								\
	{ MSG_DATA, on_payload }, { MSG_WINDOW, on_payload },		\
	{ MSG_EOF, on_payload }, { MSG_RESET, on_payload }

static const struct chan_handler client_handlers[] = {
	{ MSG_OPEN, on_open }, { MSG_CLOSE, on_close }, { MSG_LIMIT, on_limit }, { 0 }
};
static const struct chan_handler client_handlers_data[] = {
	{ MSG_OPEN, on_open }, { MSG_CLOSE, on_close }, { MSG_LIMIT, on_limit }, PAYLOAD, { 0 }
};
static const struct chan_handler dialler_handlers[] = {
	{ MSG_OPENED, on_opened }, { MSG_REFUSED, on_refused }, { 0 }
};
static const struct chan_handler dialler_handlers_data[] = {
	{ MSG_OPENED, on_opened }, { MSG_REFUSED, on_refused }, PAYLOAD, { 0 }
};

/* ---- beginning and end ---- */

static void
on_dialler_hello(struct chan *c)
{
	struct broker *b = chan_arg(c);

	if (chan_peer(b->client) == 0)
		return;			/* on_client_hello comes back */
	b->passes_fds = (chan_caps(b->dialler) & MSG_CAP_FD) != 0;
	chan_handlers(b->client, b->passes_fds ? client_handlers : client_handlers_data);
	chan_handlers(b->dialler, b->passes_fds ? dialler_handlers : dialler_handlers_data);
	chan_hello(b->client, chan_caps(b->dialler) & MSG_CAP_FD);
}

static void
on_client_hello(struct chan *c)
{
	struct broker *b = chan_arg(c);

	chan_hello(b->dialler, chan_offer(c) & MSG_CAP_FD);
	if (chan_peer(b->dialler) != 0)
		on_dialler_hello(b->dialler);
}

static void
on_drain_timeout(uv_timer_t *t)
{
	struct broker *b = t->data;

	log_warnx("the dialler did not take the end of the run's data");
	b->status = 1;
	uv_stop(&b->loop);
}

/* What was queued for the dialler still goes out: it may be payload. */
static void
on_client_end(struct chan *c, const char *why)
{
	struct broker *b = chan_arg(c);

	if (why != NULL) {
		proxy_garbage(c, R_STACK, why);
		b->status = 1;
	}
	flows_end(b);
	b->ending = true;
	if (why != NULL || chan_flush(b->dialler) != 1)
		uv_stop(&b->loop);
	else
		uv_timer_start(&b->drain, on_drain_timeout, DRAIN_MS, 0);
}

static void
on_dialler_end(struct chan *c, const char *why)
{
	struct broker *b = chan_arg(c);

	if (why != NULL)
		proxy_garbage(c, R_DIAL, why);
	else if (!b->ending)
		log_info("the dialler has gone, and the network with it");
	if (why != NULL)
		b->status = 1;
	flows_end(b);
	uv_stop(&b->loop);
}

/*
 * Let the writer of a channel wait while the reader of the other does not keep up.  Decided
 * after a write, when what is left waits for the reader and not for us: its next read wakes us.
 */
static bool
throttle(struct chan_uv *writer, const struct chan *reader, bool paused)
{
	bool pause = chan_backlog(reader) > (paused ? BACKLOG_LOW : BACKLOG_HIGH);

	if (pause != paused)
		chan_uv_pause(writer, pause);
	return pause;
}

static void
on_client_flush(struct chan *c)
{
	struct broker *b = chan_arg(c);

	b->dialler_paused = throttle(b->dialler_uv, c, b->dialler_paused);
}

static void
on_dialler_flush(struct chan *c)
{
	struct broker *b = chan_arg(c);

	if (b->ending && chan_backlog(c) == 0)
		uv_stop(&b->loop);
	b->client_paused = throttle(b->client_uv, c, b->client_paused);
}

static size_t
fds_max(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > SPARE_FDS ?
	    r.rlim_cur - SPARE_FDS : 0;
}

static void *
broker_open(const struct proxy_conf *conf, int rfd, int wfd)
{
	static struct broker b;

	event_init(conf->log_fd);
	denial_init(conf->violations_fd);
	b.judge = judge_new(conf->rules_fd);
	TAILQ_INIT(&b.flows);
	b.fds_max = fds_max();
	if (uv_loop_init(&b.loop) != 0 || !idmap_init(&b.by_id))
		fatal("cannot start");
	b.client = chan_new(rfd, wfd, R_PROXY, R_STACK, &b);
	b.dialler = chan_new(conf->dial_fd, conf->dial_fd, R_PROXY, R_DIAL, &b);
	if (b.client == NULL || b.dialler == NULL)
		fatal("cannot use the channel to %s", role_name(b.client == NULL ? R_STACK : R_DIAL));
	chan_on_hello(b.client, on_client_hello);
	chan_on_hello(b.dialler, on_dialler_hello);
	b.client_uv = chan_uv_start(&b.loop, b.client, on_client_end);
	b.dialler_uv = chan_uv_start(&b.loop, b.dialler, on_dialler_end);
	if (b.client_uv == NULL || b.dialler_uv == NULL)
		fatal("cannot watch the channel to %s",
		    role_name(b.client_uv == NULL ? R_STACK : R_DIAL));
	uv_timer_init(&b.loop, &b.drain);
	b.drain.data = &b;
	chan_uv_on_flush(b.client_uv, on_client_flush);
	chan_uv_on_flush(b.dialler_uv, on_dialler_flush);
	return &b;
}

/* Nothing yet: the first HELLO is cf-netstack's. */
static void
broker_hello(void *arg)
{
	(void)arg;
}

static int
broker_run(void *arg)
{
	struct broker *b = arg;

	uv_run(&b->loop, UV_RUN_DEFAULT);
	return b->status != 0 || event_lost() ? 1 : 0;
}

const struct stage broker_stage = {
	.role = R_PROXY, .sandbox = broker_sandbox,
	.open = broker_open, .hello = broker_hello, .run = broker_run,
};

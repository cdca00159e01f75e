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
 *     FIRST ---------> where a rule is about names: first.c
 *          <- GO
 *          <- REFUSED  connect_result     <--- REFUSED
 *     CLOSE ---------> flow_end                CLOSE ---->
 *     LIMIT ---------> limit_reached
 *
 * Where events want to know it, cf-spawn's watcher is asked first whose an OPEN is (who.h).
 *
 * An event is written before the frame that makes its effect visible goes on.  Payload comes
 * through here only where descriptors cannot be passed, or where a quota counts it (payload.c).
 *
 * What must stay true: no socket is made here, and none kept but for a first flight (first.c) or as
 * a copy (reload.c); a descriptor goes on to its flow or is closed.  If the dialler goes first the
 * run has lost its network: we end, which ends the run.
 *
 * Names: cf-dns has written which name gave an address before the tree learned it, and all that it
 * has written is read before an OPEN is judged.
 *
 * Elsewhere: the table of flows and what is recorded of them (asked.c); with --synthetic, addresses
 * that stand for a name (alias.c); the judgement itself (judge.c); new rules (reload.c).
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker.h"
#include "denial.h"
#include "event.h"
#include "first.h"
#include "info.h"
#include "live.h"
#include "log.h"
#include "pins.h"
#include "rulesfd.h"
#include "synthetic.h"

#define BACKLOG_HIGH	32768		/* then its writer waits: some 900 OPENED */
#define BACKLOG_LOW	8192
#define DRAIN_MS	5000
#define SETTLE_END_MS	1000		/* for what was cut; a run ends in less than three times that */
#define HOSTS_MAX	(4 << 20)	/* bytes */
#define SPARE_FDS	(CHAN_FDS_A_READ + 24)	/* come for flows that were given up; what is open here */

const struct sandbox_row *const broker_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, first_rows, rulesfd_rows, reload_rows, NULL
};

static void
pass_on(struct chan *to, const struct frame *f, int fd)
{
	chan_send(to, (enum msg_type)f->type, f->flow, f->body, f->len, NULL, 0, fd);
}

/* ---- what cf-netstack may ask ---- */

/* Before an OPEN goes to the dialler: the CLOSEs that waited for it. */
static void
late_send(struct broker *b)
{
	for (size_t i = 0; i < b->n_late; i++)
		chan_send(b->dialler, MSG_CLOSE, b->late[i].flow, b->late[i].body, MSG_CLOSE_LEN,
		    NULL, 0, -1);
	b->n_late = 0;
}

/* With a descriptor nobody could count what it carries, so a flow that is counted has none. */
bool
broker_dial(struct broker *b, struct asked *fl, struct rules_words *why)
{
	struct record_names names = asked_names(fl);
	struct rules_flow flow = judge_as(&fl->open, names.name, names.n);
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	struct msg_open out;
	const char *name;

	if (!quota_take(b->quotas, &fl->quota, &flow, why)) {
		if (!judge_permits(b->judge, why))
			return false;
		record_permitted(&fl->open, why, &names);
	}
	if (quota_counts(fl->quota))
		fl->open.flags |= OPEN_RELAY;
	fl->relayed = !b->passes_fds || (fl->open.flags & OPEN_RELAY) != 0;
	asked_rule(b, fl);
	names = asked_names(fl);
	record_attempt(&fl->open, &names);
	if (info_wanted()) {
		out = fl->open;
		out.dst = fl->dst;
		info_allowed(&out, &names, fl->rule, record_upstream_of(&fl->open));
	}
	late_send(b);
	out = fl->open;
	if (hostports_is_inside(&out.dst))	/* it stands for the host's loopback */
		out.dst = hostports_outside(&out.dst);
	if (out.src.family != out.dst.family)		/* by a name, from a made-up address (alias.c) */
		out.src = (struct addr){ .family = out.dst.family, .port = out.src.port };
	msg_open_put(&w, &out);
	name = asked_name_for_proxy(b, fl);
	chan_send(b->dialler, MSG_OPEN, fl->id, body, sizeof(body), name,
	    name != NULL ? strlen(name) : 0, -1);
	return true;
}

/* It is known whose it is, or that this is not known. */
static void
open_go_on(void *arg, uint64_t flow, const struct msg_open *asked_for, const struct who *who)
{
	struct broker *b = arg;
	struct msg_open o[1] = { *asked_for };
	struct record_names names;
	struct rules_words why;
	struct asked *fl;

	b->opening.flow = flow;
	b->opening.who = who;
	if (b->synthetic && synthetic_is(&o->dst)) {
		alias_open(b, flow, o);
		return;
	}
	names = asked_names_at(b, &o->dst);
	if (!asked_may_leave(b, o, &names, &why)) {
		asked_deny(b, flow, o, &names, &why);
		return;
	}
	if ((fl = asked_admit(b, flow, o)) == NULL || broker_dial(b, fl, &why))
		return;
	asked_deny(b, flow, o, &names, &why);
	asked_free(b, fl);
}

static void
on_open(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct msg_open o;
	const char *tail;
	size_t len;

	(void)fd;
	if (!proxy_open_get(f, &o, &tail, &len) || len > 0) {
		chan_fail(c, "bad OPEN");
		return;
	}
	if (f->flow <= b->last_id) {
		chan_fail(c, "OPEN with a flow number that was used");
		return;
	}
	b->last_id = f->flow;
	o.flags &= OPEN_DF | OPEN_RELAY;
	if (b->whochan != NULL)
		whochan_ask(b->whochan, f->flow, &o);
	else
		open_go_on(b, f->flow, &o, NULL);
}

/* The tree gave it up before it was known whose it is. */
static void
given_up_early(struct broker *b, uint64_t flow, const struct msg_open *o)
{
	static const char given_up[] = "given up before it was open";
	struct record_names names;

	b->opening.flow = flow;
	b->opening.who = NULL;
	names = asked_names_at(b, &o->dst);
	record_attempt(o, &names);
	record_result(o, &names, given_up, sizeof(given_up) - 1);
}

static void
on_close(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_close m;
	struct msg_open o;
	struct asked *fl;
	bool can_wait, is_told;

	(void)fd;
	if (!msg_close_get(&r, &m)) {
		chan_fail(c, "bad CLOSE");
		return;
	}
	if (b->whochan != NULL && whochan_drop(b->whochan, f->flow, &o)) {
		given_up_early(b, f->flow, &o);
		return;
	}
	if ((fl = idmap_get(&b->by_id, f->flow)) == NULL)
		return;				/* it crossed with REFUSED */
	can_wait = fl->opened && !fl->relayed;		/* also where it was ended: reload.c */
	is_told = fl->cut;
	asked_end(b, fl, &m);
	if (is_told)
		return;
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

static void
on_counts(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct asked *fl = idmap_get(&b->by_id, f->flow);
	struct rd r = rd_over(f->body, f->len);
	struct record_names names;
	struct msg_counts m;

	(void)fd;
	if (!msg_counts_get(&r, &m) || (fl != NULL && !fl->opened && fl->first == NULL)) {
		chan_fail(c, "bad COUNTS");
		return;
	}
	if (fl == NULL)
		return;
	if (fl->opened && quota_counts(fl->quota)) {
		m.up_bytes = quota_passed(fl->quota, true);
		m.down_bytes = quota_passed(fl->quota, false);
	}
	totals_bytes(fl, m.up_bytes, m.down_bytes);
	names = asked_names(fl);
	record_update(&fl->open, &names, &m);
}

static void
on_first(struct chan *c, const struct frame *f, int fd)
{
	(void)fd;
	first_hear(chan_arg(c), f);
}

/* ---- what the dialler may say ---- */

static void
on_opened(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_opened m;
	struct asked *fl = idmap_get(&b->by_id, f->flow);
	struct record_names names;
	const char *why = NULL;

	if (!msg_opened_get(&r, &m))
		why = "bad OPENED";
	else if (fl != NULL ? (fd == -1) != fl->relayed : fd != -1 && !b->passes_fds)
		why = fd == -1 ? "OPENED without its descriptor" : "unexpected descriptor";
	else if (fl != NULL && fl->opened && !first_has_ended(fl))
		why = "OPENED a second time";
	if (why != NULL)
		chan_fail(c, why);
	if (why != NULL || fl == NULL || fl->opened) {	/* it crossed with CLOSE */
		if (fd != -1)
			close(fd);
		return;
	}
	fl->opened = true;
	totals_flow(fl);
	quota_opened(fl->quota);
	fl->local = m.local;
	b->n_opening--;
	names = asked_names(fl);
	record_result(&fl->open, &names, NULL, 0);
	info_result(f->flow, &fl->open, &m.local);
	if (fl->first != NULL) {
		first_redialled(b, fl, fd);
	} else if (!first_begin(b, fl, &m, fd)) {
		reload_keep(b, fl, fd);
		pass_on(b->client, f, fd);
	}
}

/* The dialler ran out of something.  A host without addresses of a family is no such thing. */
static bool
is_exhausted(const struct msg_refused *m)
{
	return m->why == REFUSED_LIMIT && m->err != EADDRNOTAVAIL;
}

/* This address does not answer; another one may. */
static bool
is_of_address(const struct msg_refused *m)
{
	return m->why == REFUSED_ERRNO || m->why == REFUSED_ICMP;
}

static void
on_refused(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	struct msg_refused m;
	struct asked *fl = idmap_get(&b->by_id, f->flow);
	struct record_names names;
	struct rules_words why;
	const char *text;
	size_t len;

	(void)fd;
	if (!msg_refused_get(&r, &m) || (fl != NULL && fl->opened && !first_has_ended(fl))) {
		chan_fail(c, "bad REFUSED");
		return;
	}
	if (fl == NULL || fl->opened)		/* it crossed with CLOSE */
		return;
	len = rd_left(&r);
	text = (const char *)rd_take(&r, len);
	if (len == 0) {
		text = strerror((int)m.err);
		len = strlen(text);
	}
	names = asked_names(fl);
	record_result(&fl->open, &names, text, len);
	if (is_exhausted(&m))
		record_limit(LIMIT_HOST, 0, 1, uv_now(&b->loop));
	if (fl->alias != NULL && is_of_address(&m) && alias_next(b, fl, &why))
		return;
	if (fl->first != NULL) {
		first_unreachable(b, fl, m.err, NULL);
		return;
	}
	info_result(f->flow, &fl->open, NULL);
	pass_on(b->client, f, -1);
	asked_free(b, fl);
}

#define PAYLOAD								\
	{ MSG_DATA, payload_frame }, { MSG_WINDOW, payload_frame },	\
	{ MSG_EOF, payload_frame }, { MSG_RESET, payload_frame }

static const struct chan_handler client_handlers[] = {
	{ MSG_OPEN, on_open }, { MSG_FIRST, on_first }, { MSG_CLOSE, on_close },
	{ MSG_LIMIT, on_limit }, { MSG_COUNTS, on_counts }, PAYLOAD, { 0 }
};
static const struct chan_handler dialler_handlers[] = {
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
	chan_handlers(b->client, client_handlers);
	chan_handlers(b->dialler, dialler_handlers);
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

/* All flows are over, also those that wait. */
static void
end_all(struct broker *b)
{
	struct msg_open o;
	uint64_t flow;

	while (b->whochan != NULL && whochan_drop_any(b->whochan, &flow, &o))
		given_up_early(b, flow, &o);
	asked_end_all(b);
	event_flush();
}

static void
on_drain_timeout(uv_timer_t *t)
{
	struct broker *b = t->data;

	log_warnx("the dialler did not take the end of the run's data");
	b->status = 1;
	uv_stop(&b->loop);
}

/* All is written.  A dialler behind a pipe is the user's, and may still say something. */
static void
dialler_leave(struct broker *b)
{
	if ((chan_caps(b->dialler) & MSG_CAP_FD) != 0 || chan_peer(b->dialler) == 0) {
		uv_stop(&b->loop);
	} else if (!b->left) {
		b->left = true;
		uv_timer_stop(&b->drain);
		chan_uv_leave(b->dialler_uv);
	}
}

/* What was queued for the dialler still goes out: it may be payload. */
void
broker_finish(struct broker *b)
{
	payload_end(b);
	if (chan_flush(b->dialler) != 1)
		dialler_leave(b);
	else
		uv_timer_start(&b->drain, on_drain_timeout, DRAIN_MS, 0);
}

static void
on_settle_timeout(uv_timer_t *t)
{
	broker_finish(t->data);
}

static void
on_client_end(struct chan *c, const char *why)
{
	struct broker *b = chan_arg(c);

	if (why != NULL) {
		proxy_garbage(c, R_STACK, why);
		b->status = 1;
	}
	end_all(b);
	b->ending = true;
	if (why != NULL)
		uv_stop(&b->loop);
	else if (payload_settles(b))
		uv_timer_start(&b->drain, on_settle_timeout, SETTLE_END_MS, 0);
	else
		broker_finish(b);
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
	else if (!b->ending)
		b->status = CHAN_FOLLOWED;
	end_all(b);
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

	if (b->ending && chan_backlog(c) == 0 && !payload_settles(b))
		dialler_leave(b);
	b->client_paused = throttle(b->client_uv, c, b->client_paused);
}

static size_t
fds_max(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > SPARE_FDS ?
	    r.rlim_cur - SPARE_FDS : 0;
}

static void
on_names_failed(void *arg)
{
	struct broker *b = arg;

	b->status = 1;
	end_all(b);
	uv_stop(&b->loop);
}

/* The hosts file on a memfd, whose offset is anywhere. */
static void
pins_read(struct broker *b, int fd)
{
	struct stat st;
	size_t lost;
	char *text;

	if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > HOSTS_MAX ||
	    (text = malloc((size_t)st.st_size + 1)) == NULL ||
	    pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		fatal("cannot read the hosts file on descriptor %d", fd);
	if ((lost = pins_add(b->names, text, (size_t)st.st_size)) > 0)
		log_warnx("%zu names of the hosts file do not count for rules: there are too many "
		    "(give a smaller one with --hosts-file)", lost);
	free(text);
	close(fd);
}

/* The table of names, and what fills it. */
static void
names_open(struct broker *b, const struct proxy_conf *conf)
{
	if (conf->names_fd == -1 && conf->hosts_fd == -1)
		return;
	if ((b->names = names_new()) == NULL)
		fatal("cannot start");
	if (conf->hosts_fd != -1)
		pins_read(b, conf->hosts_fd);
	if (conf->names_fd != -1)
		b->namechan = namechan_open(&b->loop, conf->names_fd, b->names, b, alias_resolved,
		    on_names_failed);
	b->synthetic = conf->synthetic;
}

/* Where there is no quota nothing is looked up. */
static void
quotas_open(struct broker *b, const struct proxy_conf *conf)
{
	const struct rules *rules = judge_rules(b->judge);

	if (conf->quotas_fd == -1 && (rules == NULL || quotas_count(rules) == 0))
		return;
	if ((b->quotas = quotas_new(conf->quotas_fd)) == NULL)
		fatalx("cannot count by the quotas (is descriptor %d what cf-spawn makes?)",
		    conf->quotas_fd);
	if (!quotas_set(b->quotas, rules))
		fatalx("cannot count by the quotas: out of memory");
}

/* Lines are gathered; this is run before any frame leaves, and before we sleep. */
static void
events_out(struct chan *c)
{
	(void)c;
	event_flush();
}

static void
on_sleep(uv_prepare_t *h)
{
	(void)h;
	event_flush();
}

static void
events_open(struct broker *b, const struct proxy_conf *conf)
{
	event_init(-1);
	for (size_t i = 0; i < EVENT_FDS; i++)
		if (conf->log_fd[i] != -1)
			(conf->log_reader[i] ? event_add_reader : event_add)(conf->log_fd[i]);
	event_gather();
	live_init(conf->color);
	uv_prepare_init(&b->loop, &b->sleep);
	uv_prepare_start(&b->sleep, on_sleep);
	uv_unref((uv_handle_t *)&b->sleep);
	if (conf->who_fd != -1)
		b->whochan = whochan_open(&b->loop, conf->who_fd, b, open_go_on);
}

static void *
broker_open(const struct proxy_conf *conf, int rfd, int wfd)
{
	static struct broker b;

	denial_init(conf->violations_fd);
	totals_open(conf->totals_fd);
	b.judge = judge_new(conf->rules_fd, conf->encdns, &conf->host);
	quotas_open(&b, conf);
	if ((b.way = way_new(conf)) != NULL) {
		judge_upstream(b.judge);
		record_upstream(conf->upstream_name);
	}
	TAILQ_INIT(&b.flows);
	b.fds_max = fds_max();
	if (uv_loop_init(&b.loop) != 0 || !idmap_init(&b.by_id) || !payload_open(&b))
		fatal("cannot start");
	events_open(&b, conf);
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
	names_open(&b, conf);
	b.firsts = firsts_new(&b, conf->quic);
	b.reload = reload_open(&b, conf);
	info_open(&b.loop, conf->info_fd, R_PROXY);
	uv_timer_init(&b.loop, &b.drain);
	b.drain.data = &b;
	chan_uv_before_flush(b.client_uv, events_out);
	chan_uv_before_flush(b.dialler_uv, events_out);
	chan_uv_on_flush(b.client_uv, on_client_flush);
	chan_uv_on_flush(b.dialler_uv, on_dialler_flush);
	return &b;
}

/* To cf-dns, who waits for it; on the other channels the first HELLO is cf-netstack's. */
static void
broker_hello(void *arg)
{
	const struct broker *b = arg;

	info_hello();
	if (b->namechan != NULL)
		namechan_hello(b->namechan);
	reload_hello(b->reload);
	if (b->whochan != NULL)
		whochan_hello(b->whochan);
}

static int
broker_run(void *arg)
{
	struct broker *b = arg;

	uv_run(&b->loop, UV_RUN_DEFAULT);
	event_flush();
	return info_failed() ? 1 : b->status != 0 ? b->status : event_lost() ? EVENT_LOST : 0;
}

const struct stage broker_stage = {
	.role = R_PROXY, .sandbox = { .name = "cf-proxy (policy)",
	    .does = "judges every flow and writes the record", .tables = broker_sandbox,
	    .leaves = SANDBOX_NO_NET },
	.open = broker_open, .hello = broker_hello, .run = broker_run,
};

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
 * Names: cf-dns has written which name gave an address before the tree learned it, and all that it
 * has written is read before an OPEN is judged.  A flow holds the names that it went by.
 * With --synthetic an address may stand for a name: cf-dns is asked for its real ones, and
 * each is judged and tried in its turn, until one opens.  Where nobody has the address, nobody
 * is there.
 *
 * HELLO: cf-netstack's comes first and says if it can take descriptors; ours to the dialler
 * asks for no more than that; when the dialler's has come, ours to cf-netstack promises
 * what the dialler can.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chan_uv.h"
#include "denial.h"
#include "event.h"
#include "idmap.h"
#include "log.h"
#include "namechan.h"
#include "pins.h"
#include "proxy.h"
#include "synthetic.h"

#define FLOWS_MAX	65536		/* about 10 MiB of table */
#define LATE_MAX	64
#define BACKLOG_HIGH	32768		/* then its writer waits: some 900 OPENED */
#define BACKLOG_LOW	8192
#define DRAIN_MS	5000
#define HOSTS_MAX	(4 << 20)	/* bytes */
#define SPARE_FDS	(CHAN_FDS_A_READ + 24)	/* come for flows that were given up; what is open here */

#define ALIAS_ADDRS	8		/* real addresses that are tried */

/* The name that a flow's address stood for, and where it may be. */
struct alias {
	const char	*name;
	bool		 resolved;
	size_t		 n, next;	/* addresses, and which is to be tried next */
	size_t		 tried;		/* how many the dialler was asked for */
	struct addr	 addrs[ALIAS_ADDRS];
};

struct flow {
	TAILQ_ENTRY(flow) all;
	uint64_t	 id;
	uint64_t	 since;		/* ms, when it was asked for */
	bool		 opened;
	struct msg_open	 open;		/* dst: the address that is tried */
	struct alias	*alias;		/* NULL: the tree named the address itself */
	size_t		 n_names;
	struct name_at	*names[];	/* held */
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
	struct names	*names;		/* NULL: nobody wants to know them */
	struct namechan	*namechan;	/* NULL: there are only those of the hosts file, if any */
	bool		 synthetic;
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
static const struct msg_refused	unreachable = { .why = REFUSED_ERRNO, .err = EHOSTUNREACH };
static const struct msg_refused	refused_by_limit = { .why = REFUSED_LIMIT, .err = EMFILE };

const struct sandbox_row *const broker_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan, NULL
};

/* ---- names ---- */

static struct record_names
flow_names(const struct flow *fl)
{
	struct record_names out = { .n = 0 };

	if (fl->alias != NULL)
		out.name[out.n++] = fl->alias->name;
	else
		while (out.n < fl->n_names) {
			out.name[out.n] = names_text(fl->names[out.n]);
			out.n++;
		}
	return out;
}

/* Of an address that no flow goes to yet, by all that cf-dns has said. */
static struct record_names
addr_names(struct broker *b, const struct addr *a)
{
	struct record_names out = { .n = 0 };

	if (b->names == NULL)
		return out;
	names_clock(b->names, uv_now(&b->loop));
	if (b->namechan != NULL)
		namechan_drain(b->namechan);
	out.n = names_of(b->names, a, out.name, NAMES_A_FLOW);
	return out;
}

/* ---- flows ---- */

static void
names_let_go(struct broker *b, struct name_at *const *held, size_t n)
{
	for (size_t i = 0; i < n; i++)
		names_release(b->names, held[i]);
}

static struct flow *
flow_new(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct name_at *held[NAMES_A_FLOW];
	struct flow *fl;
	size_t n = 0;

	if (b->by_id.n >= FLOWS_MAX)
		return NULL;
	if (b->names != NULL)
		n = names_hold(b->names, &o->dst, held, NAMES_A_FLOW);
	fl = malloc(offsetof(struct flow, names[n]));
	if (fl == NULL || !idmap_put(&b->by_id, id, fl)) {
		names_let_go(b, held, n);
		free(fl);
		return NULL;
	}
	*fl = (struct flow){ .id = id, .since = uv_now(&b->loop), .open = *o, .n_names = n };
	for (size_t i = 0; i < n; i++)
		fl->names[i] = held[i];
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
	names_let_go(b, fl->names, fl->n_names);
	free(fl->alias);
	free(fl);
}

/* The flow is over for the tree: write down how it ended, and forget it. */
static void
flow_end(struct broker *b, struct flow *fl, const struct msg_close *m)
{
	static const char given_up[] = "given up before it was open";
	struct record_names names = flow_names(fl);

	if (fl->alias != NULL && fl->alias->tried == 0)
		record_attempt(&fl->open, &names);
	if (fl->opened)
		record_end(fl->id, &fl->open, &names, m, uv_now(&b->loop) - fl->since);
	else
		record_result(&fl->open, &names, given_up, sizeof(given_up) - 1);
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
	struct record_names names = addr_names(b, &o->dst);

	record_attempt(o, &names);
	record_result(o, &names, why, strlen(why));
	record_limit(which, most, 1, uv_now(&b->loop));
	proxy_refuse(b->client, id, &refused_by_limit, why);
}

static void
deny(struct broker *b, uint64_t id, const struct msg_open *o, const struct record_names *names,
    const struct rules_words *why)
{
	record_violation(o, why, names->n > 0 ? names->name[0] : NULL);
	proxy_refuse(b->client, id, &refused_by_policy, why->text);
}

/* A flow of the table, if there is room for one more; else it has been refused. */
static struct flow *
admit(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct flow *fl = NULL;

	if (!fds_reach(b))
		turn_away(b, id, o, LIMIT_HOST, 0, "too many connections are being opened");
	else if ((fl = flow_new(b, id, o)) == NULL)
		turn_away(b, id, o, LIMIT_POLICY_FLOWS, FLOWS_MAX, "too many flows");
	return fl;
}

/* ---- addresses that stand for a name ---- */

/* It has no address where it could be tried. */
static void
nowhere(struct broker *b, uint64_t id, const struct msg_open *o, const struct record_names *names,
    const char *why)
{
	record_attempt(o, names);
	record_result(o, names, why, strlen(why));
	proxy_refuse(b->client, id, &unreachable, why);
}

/* Ask the dialler for the next address that the rules allow; false: none is left. */
static bool
alias_next(struct broker *b, struct flow *fl, struct rules_words *why)
{
	struct alias *a = fl->alias;
	struct record_names names = flow_names(fl);
	uint8_t body[MSG_OPEN_LEN];
	struct wr w = wr_over(body, sizeof(body));
	uint16_t port = fl->open.dst.port;

	while (a->next < a->n) {
		fl->open.dst = a->addrs[a->next++];
		fl->open.dst.port = port;
		if (!judge_flow(b->judge, &fl->open, names.name, names.n, why))
			continue;
		a->tried++;
		record_attempt(&fl->open, &names);
		late_send(b);
		msg_open_put(&w, &fl->open);
		chan_send(b->dialler, MSG_OPEN, fl->id, body, sizeof(body), NULL, 0, -1);
		return true;
	}
	return false;
}

static void
on_resolved(void *arg, uint64_t question, const struct addr *addrs, size_t n)
{
	struct broker *b = arg;
	struct flow *fl = idmap_get(&b->by_id, question);
	struct record_names names;
	struct rules_words why;
	struct alias *a;

	if (fl == NULL || (a = fl->alias) == NULL || a->resolved)
		return;			/* it crossed with CLOSE */
	a->resolved = true;
	for (size_t i = 0; i < n && a->n < ALIAS_ADDRS; i++)
		if (addrs[i].family == fl->open.dst.family)
			a->addrs[a->n++] = addrs[i];
	if (alias_next(b, fl, &why))
		return;
	names = flow_names(fl);
	if (a->n > 0)
		deny(b, fl->id, &fl->open, &names, &why);
	else
		nowhere(b, fl->id, &fl->open, &names, "the name has no address any more");
	flow_free(b, fl);
}

static void
alias_open(struct broker *b, uint64_t id, const struct msg_open *o)
{
	static const struct record_names none;
	uint32_t number = synthetic_number(&o->dst);
	const char *name;
	struct flow *fl;

	if (b->namechan != NULL)
		namechan_drain(b->namechan);
	if ((name = names_made_up(b->names, number)) == NULL) {
		nowhere(b, id, o, &none, "no name was given this address");
		return;
	}
	if ((fl = admit(b, id, o)) == NULL)
		return;
	fl->alias = calloc(1, sizeof(*fl->alias));
	if (fl->alias != NULL)
		fl->alias->name = name;
	if (fl->alias == NULL || !namechan_resolve(b->namechan, id, o->dst.family, name)) {
		nowhere(b, id, o, &none, "cf-dns cannot be asked");
		flow_free(b, fl);
	}
}

static void
on_open(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct record_names names;
	struct rules_words why;
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
	if (b->synthetic && synthetic_is(&o.dst)) {
		alias_open(b, f->flow, &o);
		return;
	}
	names = addr_names(b, &o.dst);
	if (!judge_flow(b->judge, &o, names.name, names.n, &why)) {
		deny(b, f->flow, &o, &names, &why);
		return;
	}
	if (admit(b, f->flow, &o) == NULL)
		return;
	record_attempt(&o, &names);
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
	struct record_names names;
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
	names = flow_names(fl);
	record_result(&fl->open, &names, NULL, 0);
	pass_on(b->client, f, fd);
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
	struct flow *fl = idmap_get(&b->by_id, f->flow);
	struct record_names names;
	struct rules_words why;
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
	names = flow_names(fl);
	record_result(&fl->open, &names, text, len);
	if (is_exhausted(&m))
		record_limit(LIMIT_HOST, 0, 1, uv_now(&b->loop));
	if (fl->alias != NULL && is_of_address(&m) && alias_next(b, fl, &why))
		return;
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

static void
on_names_failed(void *arg)
{
	struct broker *b = arg;

	b->status = 1;
	flows_end(b);
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
		b->namechan = namechan_open(&b->loop, conf->names_fd, b->names, b, on_resolved,
		    on_names_failed);
	b->synthetic = conf->synthetic;
}

static void *
broker_open(const struct proxy_conf *conf, int rfd, int wfd)
{
	static struct broker b;

	event_init(conf->log_fd);
	denial_init(conf->violations_fd);
	b.judge = judge_new(conf->rules_fd, conf->encdns);
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
	names_open(&b, conf);
	uv_timer_init(&b.loop, &b.drain);
	b.drain.data = &b;
	chan_uv_on_flush(b.client_uv, on_client_flush);
	chan_uv_on_flush(b.dialler_uv, on_dialler_flush);
	return &b;
}

/* To cf-dns, who waits for it; on the other channels the first HELLO is cf-netstack's. */
static void
broker_hello(void *arg)
{
	const struct broker *b = arg;

	if (b->namechan != NULL)
		namechan_hello(b->namechan);
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

/*
 * run.c - the life of `cf-capture --frames`: open, seal, HELLO, frames until the channel ends.
 *
 * The channel is standard input and output; cf-netstack is its client.  The files are
 * opened before the seal and are the only things that can be written after it.
 *
 * A capture that can no longer be written is said at once, not at the end of the run: who asked
 * for a record learns that there is none while the command still runs.  What comes after
 * that is read and forgotten, so that the command does not wait for us, and the exit
 * status is STATUS_LOST; cf-spawn makes it the status of the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <pcap/dlt.h>
#include <signal.h>
#include <unistd.h>

#include "capture.h"
#include "chan_uv.h"
#include "keys.h"
#include "log.h"
#include "views.h"

#define TICK_MS		50	/* how exactly a file ends after its seconds */

const struct sandbox_row *const capture_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, out_rows, capture_rows, NULL
};
const struct sandbox_role capture_role = {
	.name = "cf-capture", .does = "writes the packets of a run to a file",
	.tables = capture_sandbox, .leaves = SANDBOX_NO_NET,
};

struct run {
	struct views	 views;		/* first: the channels' argument points to it */
	uv_loop_t	 loop;
	uv_prepare_t	 idle;
	uv_timer_t	 tick;
	uv_poll_t	 keys;
	int		 keys_fd;
	struct chan	*chan, *info;	/* of cf-netstack, of cf-proxy (NULL: none) */
	bool		 info_ended;
	const char	*where;		/* what the file is called in messages */
	int		 status;
};

static void
write_failed(struct run *r)
{
	if (r->status != STATUS_LOST)
		log_warn("cannot write %s, the capture ends here", r->where);
	r->status = STATUS_LOST;
}

/* Both views in turn. */
static struct capture *
view(struct run *r, int i)
{
	return i == 0 ? (r->views.has_child ? &r->views.child : NULL) :
	    r->views.has_egress ? &r->views.egress : NULL;
}

/* Before the loop sleeps, all that has come is in the file. */
static void
on_idle(uv_prepare_t *h)
{
	struct run *r = h->data;

	views_turn(&r->views);
	for (int i = 0; i < 2; i++)
		if (view(r, i) != NULL && !out_flush(&view(r, i)->out))
			write_failed(r);
}

static void
on_tick(uv_timer_t *t)
{
	struct run *r = t->data;

	for (int i = 0; i < 2; i++)
		if (view(r, i) != NULL)
			capture_tick(view(r, i));
}

static void
said_garbage(struct run *r, const struct chan *chan, const char *why)
{
	log_warnx("%s sent garbage: %s",
	    chan_peer(chan) != 0 ? role_name(chan_peer(chan)) : "the other end", why);
	r->status = 1;
}

/* The packets have ended.  What has been said of their flows before is there to be read. */
static void
on_end(struct chan *chan, const char *why)
{
	struct run *r = chan_arg(chan);

	if (why != NULL)
		said_garbage(r, chan, why);
	if (r->info != NULL && !r->info_ended)
		(void)chan_drain(r->info);
	uv_stop(&r->loop);
}

static void
on_info_end(struct chan *chan, const char *why)
{
	struct run *r = chan_arg(chan);

	r->info_ended = true;
	if (why == NULL)
		return;
	said_garbage(r, chan, why);
	uv_stop(&r->loop);
}

/* ---- secrets ---- */

static void
on_line(void *arg, const char *line, size_t len)
{
	views_secrets(arg, line, len);
}

static void
on_keys(uv_poll_t *h, int status, int events)
{
	struct run *r = h->data;
	char bytes[4096];
	ssize_t n;

	(void)status, (void)events;
	while ((n = read(r->keys_fd, bytes, sizeof(bytes))) > 0)
		keys_take(bytes, (size_t)n, on_line, &r->views);
}

/* ---- start ---- */

static void
info_open(struct run *r, const struct capture_conf *conf)
{
	if (conf->info_fd == -1)
		return;
	if ((r->views.known = known_new()) == NULL)
		fatal("cannot start");
	r->info = chan_new(conf->info_fd, conf->info_fd, R_CAPTURE, R_PROXY, &r->views);
	if (r->info == NULL || chan_uv_start(&r->loop, r->info, on_info_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_PROXY));
	chan_handlers(r->info, info_handlers);
}

static void
keys_open(struct run *r, const struct capture_conf *conf)
{
	if (conf->keys_fd == -1)
		return;
	r->views.has_keys = true;
	r->keys_fd = conf->keys_fd;
	r->keys.data = r;
	if (fcntl(r->keys_fd, F_SETFL, O_NONBLOCK) == -1 ||
	    uv_poll_init(&r->loop, &r->keys, r->keys_fd) != 0 ||
	    uv_poll_start(&r->keys, UV_READABLE, on_keys) != 0)
		fatal("cannot watch descriptor %d for secrets", conf->keys_fd);
}

static void
loop_open(struct run *r, const struct capture_conf *conf, int rfd, int wfd)
{
	if ((r->chan = chan_new(rfd, wfd, R_CAPTURE, R_STACK, &r->views)) == NULL ||
	    uv_loop_init(&r->loop) != 0 || uv_prepare_init(&r->loop, &r->idle) != 0 ||
	    uv_timer_init(&r->loop, &r->tick) != 0)
		fatal("cannot start");
	chan_handlers(r->chan, capture_handlers);
	r->idle.data = r->tick.data = r;
	uv_prepare_start(&r->idle, on_idle);
	info_open(r, conf);
	keys_open(r, conf);
	/* It also wakes on_idle(), for packets that have waited long enough. */
	if (conf->want.rotate_ns > 0 || r->info != NULL || conf->keys_fd != -1)
		uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	if (chan_uv_start(&r->loop, r->chan, on_end) == NULL)
		fatal("cannot watch the channel");
}

static void
capture_start(struct capture *c, const struct capture_conf *conf, const int *fds, size_t n)
{
	const char *why = capture_init(c, &conf->want, fds, n, DLT_RAW);

	if (why != NULL)
		fatalx("cannot use the filter \"%s\": %s (see pcap-filter(7))",
		    conf->want.filter != NULL ? conf->want.filter : "", why);
}

static void
views_open(struct run *r, const struct capture_conf *conf, const int *fds, size_t n)
{
	struct views *v = &r->views;
	size_t n_child = n - conf->n_egress;

	views_init(v);
	v->has_child = n_child > 0;
	v->has_egress = conf->n_egress > 0;
	v->backend = conf->backend;
	v->egress_name = conf->egress_name;
	v->egress4 = conf->egress4;
	v->egress6 = conf->egress6;
	if (v->has_child)
		capture_start(&v->child, conf, fds, n_child);
	if (v->has_egress)
		capture_start(&v->egress, conf, fds + n_child, conf->n_egress);
}

static void
run_open(struct run *r, const struct capture_conf *conf)
{
	int fds[FILES_MAX], keep[FILES_MAX + 3], rfd, wfd;
	size_t n, kept = 0;

	r->where = files_name(conf);
	n = files_open(conf, fds);
	for (size_t i = 0; i < n; i++)
		keep[kept++] = fds[i];
	if (conf->info_fd != -1)
		keep[kept++] = conf->info_fd;
	if (conf->keys_fd != -1)
		keep[kept++] = conf->keys_fd;
	keep[kept] = -1;
	sandbox_prepare(&rfd, &wfd, keep);
	signal(SIGXFSZ, SIG_IGN);	/* a file size limit is a full disk: an error, no kill */
	views_open(r, conf, fds, n);
	loop_open(r, conf, rfd, wfd);
}

static void
loss_tell(const struct views *v)
{
	uint64_t n = capture_lost(views_any(v));

	if (n > 0)
		log_warnx("%llu packets are not in the capture, which could not keep up (where all "
		    "are needed: --capture-overflow block)", (unsigned long long)n);
}

int
capture_run(const struct capture_conf *conf)
{
	static struct run r;

	run_open(&r, conf);
	sandbox_enter(&capture_role);
	chan_hello(r.chan, 0);
	if (r.info != NULL)
		chan_hello(r.info, 0);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	views_flush(&r.views);
	loss_tell(&r.views);
	for (int i = 0; i < 2; i++)
		if (view(&r, i) != NULL && !capture_done(view(&r, i)))
			write_failed(&r);
	return r.status;
}

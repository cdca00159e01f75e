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
#include <pcap/dlt.h>
#include <signal.h>
#include <unistd.h>

#include "capture.h"
#include "chan_uv.h"
#include "log.h"

#define TICK_MS		100	/* how exactly a file ends after its seconds */

const struct sandbox_row *const capture_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, out_rows, capture_rows, NULL
};

struct run {
	struct capture	 capture;	/* first: the channel's argument points to it */
	uv_loop_t	 loop;
	uv_prepare_t	 idle;
	uv_timer_t	 tick;
	struct chan	*chan;
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

/* Before the loop sleeps, all that has come is in the file. */
static void
on_idle(uv_prepare_t *h)
{
	struct run *r = h->data;

	if (!out_flush(&r->capture.out))
		write_failed(r);
}

static void
on_tick(uv_timer_t *t)
{
	struct run *r = t->data;

	capture_tick(&r->capture);
}

static void
on_end(struct chan *chan, const char *why)
{
	struct run *r = chan_arg(chan);

	if (why != NULL) {
		log_warnx("%s sent garbage: %s",
		    chan_peer(chan) != 0 ? role_name(chan_peer(chan)) : "the other end", why);
		r->status = 1;
	}
	uv_stop(&r->loop);
}

static void
loop_open(struct run *r, int rfd, int wfd)
{
	if ((r->chan = chan_new(rfd, wfd, R_CAPTURE, R_STACK, &r->capture)) == NULL ||
	    uv_loop_init(&r->loop) != 0 || uv_prepare_init(&r->loop, &r->idle) != 0 ||
	    uv_timer_init(&r->loop, &r->tick) != 0)
		fatal("cannot start");
	chan_handlers(r->chan, capture_handlers);
	r->idle.data = r->tick.data = r;
	uv_prepare_start(&r->idle, on_idle);
	if (r->capture.want.rotate_ns > 0)
		uv_timer_start(&r->tick, on_tick, TICK_MS, TICK_MS);
	if (chan_uv_start(&r->loop, r->chan, on_end) == NULL)
		fatal("cannot watch the channel");
}

static void
run_open(struct run *r, const struct capture_conf *conf)
{
	int fds[FILES_MAX], keep[FILES_MAX + 1], rfd, wfd;
	const char *why;
	size_t n;

	r->where = files_name(conf);
	n = files_open(conf, fds);
	for (size_t i = 0; i < n; i++)
		keep[i] = fds[i];
	keep[n] = -1;
	sandbox_prepare(&rfd, &wfd, keep);
	signal(SIGXFSZ, SIG_IGN);	/* a file size limit is a full disk: an error, no kill */
	if ((why = capture_init(&r->capture, &conf->want, fds, n, DLT_RAW)) != NULL)
		fatalx("cannot use the filter \"%s\": %s (see pcap-filter(7))",
		    conf->want.filter != NULL ? conf->want.filter : "", why);
	loop_open(r, rfd, wfd);
}

int
capture_run(const struct capture_conf *conf)
{
	static struct run r;

	run_open(&r, conf);
	sandbox_seal(capture_sandbox);
	chan_hello(r.chan, 0);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	if (capture_lost(&r.capture) > 0)
		log_warnx("%llu packets are not in the capture, which could not keep up (where all "
		    "are needed: --capture-overflow block)",
		    (unsigned long long)capture_lost(&r.capture));
	if (!capture_done(&r.capture))
		write_failed(&r);
	return r.status;
}

/*
 * run.c - the life of cf-capture: open, seal, HELLO, frames until the channel ends.
 *
 * The channel is standard input and output; cf-netstack is its client.  The file is
 * opened before the seal and is the only thing that can be written after it.
 *
 * A capture that can no longer be written ends the program with status 1 at once, not
 * at the end of the run: who asked for a record learns that there is none while the
 * command still runs, and cf-spawn decides what that means.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "capture.h"
#include "chan_uv.h"
#include "log.h"

const struct sandbox_row *const capture_sandbox[] = {
	sandbox_base, sandbox_loop, sandbox_chan_plain, out_rows, NULL
};

struct run {
	struct capture	 capture;	/* first: the channel's argument points to it */
	uv_loop_t	 loop;
	uv_prepare_t	 idle;
	struct chan	*chan;
	const char	*where;		/* what the file is called in messages */
	int		 status;
};

/* The output at OUT_FD: a file that only its owner may read, or what was inherited. */
static void
output_open(const struct capture_conf *conf, const char *where)
{
	int fd = conf->fd, flags;

	if (conf->path != NULL)
		fd = open(conf->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd == -1)
		fatal("cannot write %s", where);
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || (flags & O_ACCMODE) == O_RDONLY) {
		errno = EBADF;
		fatal("cannot write %s", where);
	}
	if (fd == OUT_FD)
		return;
	if (dup3(fd, OUT_FD, O_CLOEXEC) == -1)
		fatal("cannot write %s", where);
	close(fd);
}

static void
write_failed(struct run *r)
{
	if (r->status == 0)
		log_warn("cannot write %s, the capture ends here", r->where);
	r->status = 1;
	uv_stop(&r->loop);
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
run_open(struct run *r, const struct capture_conf *conf)
{
	static const int keep[] = { OUT_FD, -1 };
	int rfd, wfd;

	r->where = conf->path != NULL ? conf->path : "the capture";
	output_open(conf, r->where);
	sandbox_prepare(&rfd, &wfd, keep);
	signal(SIGXFSZ, SIG_IGN);	/* a file size limit is a full disk: an error, no kill */
	if (!capture_init(&r->capture, OUT_FD) ||
	    (r->chan = chan_new(rfd, wfd, R_CAPTURE, R_STACK, &r->capture)) == NULL ||
	    uv_loop_init(&r->loop) != 0 || uv_prepare_init(&r->loop, &r->idle) != 0)
		fatal("cannot start");
	chan_handlers(r->chan, capture_handlers);
	r->idle.data = r;
	uv_prepare_start(&r->idle, on_idle);
	if (chan_uv_start(&r->loop, r->chan, on_end) == NULL)
		fatal("cannot watch the channel");
}

int
capture_run(const struct capture_conf *conf)
{
	static struct run r;

	run_open(&r, conf);
	sandbox_seal(capture_sandbox);
	chan_hello(r.chan, 0);
	uv_run(&r.loop, UV_RUN_DEFAULT);
	if (!capture_done(&r.capture))
		write_failed(&r);
	return r.status;
}

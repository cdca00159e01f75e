/*
 * info.c - see info.h.
 *
 * cf-capture is on the other side, and only reads.  Nothing here waits for it: with too much
 * under way for it the rest is left out, and the record has a packet without its comment.  Nor is
 * its end ours; cf-spawn sees to that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "info.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "chan_uv.h"
#include "log.h"
#include "who.h"

#define BACKLOG_MAX	(4 << 20)

static struct chan *chan;
static uv_loop_t *loop;
static bool	 failed;

static void
on_end(struct chan *c, const char *why)
{
	chan = NULL;
	if (why == NULL)
		return;
	proxy_garbage(c, R_CAPTURE, why);
	failed = true;
	uv_stop(loop);
}

bool
info_failed(void)
{
	return failed;
}

static const struct chan_handler handlers[] = { { 0 } };

void
info_open(uv_loop_t *on, int fd, enum role me)
{
	if (fd == -1)
		return;
	loop = on;
	chan = chan_new(fd, fd, me, R_CAPTURE, NULL);
	if (chan == NULL || chan_uv_start(loop, chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_CAPTURE));
	chan_handlers(chan, handlers);
}

void
info_hello(void)
{
	if (chan != NULL)
		chan_hello(chan, 0);
}

static void	(*on_ready)(void *);
static void	*on_ready_arg;

static void
on_hello(struct chan *c)
{
	(void)c;
	on_ready(on_ready_arg);
}

void
info_when_ready(void (*fn)(void *), void *arg)
{
	if (chan == NULL) {
		fn(arg);
		return;
	}
	on_ready = fn;
	on_ready_arg = arg;
	chan_on_hello(chan, on_hello);
}

static bool
can_tell(void)
{
	return chan != NULL && chan_backlog(chan) < BACKLOG_MAX;
}

/* ---- the policy stage ---- */

static void
flow_send(uint64_t flow, const struct msg_flow *m, const char *words)
{
	uint8_t body[MSG_FLOW_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_flow_put(&w, m);
	chan_send(chan, MSG_FLOW, flow, body, sizeof(body), words, strnlen(words, MSG_FLOW_TAIL), -1);
}

bool
info_wanted(void)
{
	return chan != NULL;
}

/* The tail is the process's name, then words; each has its place in a line of key=value. */
static void
judged_send(const struct msg_open *o, const struct record_names *names, enum flow_state state,
    const char *more)
{
	struct msg_flow m = { .state = state, .proto = o->proto, .src = o->src, .dst = o->dst };
	const struct who *who = names->who;
	char words[MSG_FLOW_TAIL], process[96] = "";

	if (who != NULL) {
		m.pid = who->ids.pid;
		m.comm_len = (uint16_t)strnlen(who->comm, MSG_COMM_MAX);
		snprintf(process, sizeof(process), " pid=%u comm=%.64s", m.pid, who->comm);
	}
	snprintf(words, sizeof(words), "%.*schildflow flow=%llu%s verdict=%s%s%.255s%s",
	    (int)m.comm_len, who != NULL ? who->comm : "", (unsigned long long)names->flow, process,
	    state == FLOW_IS_REFUSED ? "deny" : "allow", names->n > 0 ? " name=" : "",
	    names->n > 0 ? names->name[0] : "", more);
	flow_send(names->flow, &m, words);
}

void
info_allowed(const struct msg_open *o, const struct record_names *names, const char *rule,
    const char *upstream)
{
	char more[640];

	if (!can_tell())
		return;
	snprintf(more, sizeof(more), "%s%.200s%s%.400s", upstream != NULL ? " upstream=" : "",
	    upstream != NULL ? upstream : "", rule != NULL ? " rule=" : "", rule != NULL ? rule : "");
	judged_send(o, names, FLOW_IS_ALLOWED, more);
}

void
info_refused(const struct msg_open *o, const struct record_names *names, const struct rules_words *why)
{
	char more[640];

	if (!can_tell())
		return;
	snprintf(more, sizeof(more), " reason=%.40s: %.580s", why->reason_code, why->text);
	judged_send(o, names, FLOW_IS_REFUSED, more);
}

void
info_result(uint64_t flow, const struct msg_open *o, const struct addr *local)
{
	struct msg_flow m = { .state = FLOW_IS_REFUSED, .proto = o->proto };

	if (!can_tell())
		return;
	if (local != NULL) {
		m.state = FLOW_IS_OPEN;
		m.local = *local;
	}
	flow_send(flow, &m, "");
}

void
info_name(const struct frame *f)
{
	if (can_tell())
		chan_send(chan, MSG_NAME, 0, f->body, f->len, NULL, 0, -1);
}

/* ---- the dialler ---- */

static void
tuple_send(uint64_t flow, const struct msg_tuple *m)
{
	uint8_t body[MSG_TUPLE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_tuple_put(&w, m);
	chan_send(chan, MSG_TUPLE, flow, body, sizeof(body), NULL, 0, -1);
}

void
info_socket(uint64_t flow, bool of_dns, const struct msg_open *o, int fd)
{
	struct msg_tuple m = { .proto = o->proto, .flags = of_dns ? TUPLE_OF_DNS : 0,
	    .remote = o->dst };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (can_tell() && getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    addr_from_sockaddr(&ss, &m.local))
		tuple_send(flow, &m);
}

void
info_socket_ended(uint64_t flow, bool of_dns)
{
	if (can_tell())
		tuple_send(flow, &(struct msg_tuple){ .flags = TUPLE_ENDED | (of_dns ? TUPLE_OF_DNS : 0) });
}

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

#define BACKLOG_MAX	(4 << 20)

static struct chan *chan;

static void
on_end(struct chan *c, const char *why)
{
	if (why != NULL)
		proxy_garbage(c, R_CAPTURE, why);
	chan = NULL;
}

static const struct chan_handler handlers[] = { { 0 } };

void
info_open(uv_loop_t *loop, int fd, enum role me)
{
	if (fd == -1)
		return;
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

void
info_judged(uint64_t flow, const struct msg_open *o, const struct record_names *names,
    const struct rules_words *why, const struct who *who)
{
	struct msg_flow m = { .state = why == NULL ? FLOW_IS_ALLOWED : FLOW_IS_REFUSED,
	    .proto = o->proto, .src = o->src, .dst = o->dst };
	char words[MSG_FLOW_TAIL];
	const char *name = names->n > 0 ? names->name[0] : "";

	if (!can_tell())
		return;
	if (who != NULL) {
		m.pid = who->ids.pid;
		m.comm_len = (uint16_t)strnlen(who->comm, MSG_COMM_MAX);
	}
	snprintf(words, sizeof(words), "%.*schildflow flow=%llu verdict=%s%s%.255s%s%.40s%s%.600s",
	    (int)m.comm_len, who != NULL ? who->comm : "", (unsigned long long)flow, why == NULL ? "allow" : "deny",
	    names->n > 0 ? " name=" : "", name,
	    why == NULL ? "" : " reason=", why == NULL ? "" : why->reason_code,
	    why == NULL ? "" : ": ", why == NULL ? "" : why->text);
	flow_send(flow, &m, words);
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

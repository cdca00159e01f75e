/*
 * payload.c - payload that passes the policy stage in frames: counted, and stopped at a limit.
 *
 * cf-netstack is on one side and the dialler on the other; they keep the credit of a flow
 * (cf-protocol(7)), and frames go on unread.  A flow that a quota covers is counted on its
 * way.  What still fits is passed on, and then the flow ends:
 *
 *   up      cf-netstack            here                   dialler
 *             DATA --------------> the rest of the limit -> DATA
 *                  <- RESET 13                              EOF ->   all is still delivered
 *             CLOSE ------------>                        <- EOF      (or after SETTLE_MS; at the
 *                                                           CLOSE ->   end of the run 1 s)
 *   down           <- DATA         the rest of the limit <- DATA
 *                  <- RESET 13                              CLOSE -> reset: nothing more is wanted
 *             CLOSE ------------>
 *
 * RESET 13 (EACCES) is the policy's: cf-netstack delivers what came before it.  A datagram that
 * does not fit is not passed, and ends its flow too.
 *
 * What must stay true: after RESET nothing goes to cf-netstack for the flow, and after CLOSE
 * nothing to the dialler; what cf-netstack sends of a flow that was cut goes nowhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "broker.h"
#include "first.h"

#define SETTLE_MS	10000		/* a destination that has taken nothing for so long */
#define SETTLE_LOOK_MS	500

/* Cut flows whose last bytes the dialler has to deliver yet. */
struct settling_flow {
	TAILQ_ENTRY(settling_flow) all;
	uint64_t	 id, until;
};
struct settling {
	uv_timer_t	 timer;
	struct idmap	 by_id;
	TAILQ_HEAD(settling_list, settling_flow) flows;	/* the one that is due first, first */
};

/* ---- what only the dialler has yet ---- */

static void
settle_end(struct broker *b, struct settling_flow *sf)
{
	proxy_close(b->dialler, sf->id, CLOSE_END);
	idmap_take(&b->settling->by_id, sf->id);
	TAILQ_REMOVE(&b->settling->flows, sf, all);
	free(sf);
}

static void
on_look(uv_timer_t *t)
{
	struct broker *b = t->data;
	struct settling_flow *sf;

	while ((sf = TAILQ_FIRST(&b->settling->flows)) != NULL && sf->until <= uv_now(&b->loop))
		settle_end(b, sf);
	if (!payload_settles(b))
		uv_timer_stop(t);
}

static void
settle_start(struct broker *b, uint64_t id)
{
	struct settling *s = b->settling;
	struct settling_flow *sf = malloc(sizeof(*sf));

	if (sf == NULL || !idmap_put(&s->by_id, id, sf)) {
		free(sf);
		proxy_close(b->dialler, id, CLOSE_END);
		return;
	}
	*sf = (struct settling_flow){ .id = id, .until = uv_now(&b->loop) + SETTLE_MS };
	chan_send(b->dialler, MSG_EOF, id, NULL, 0, NULL, 0, -1);
	TAILQ_INSERT_TAIL(&s->flows, sf, all);
	if (!uv_is_active((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_look, SETTLE_LOOK_MS, SETTLE_LOOK_MS);
}

/* A frame of the dialler for a flow that is cut.  Its data is nobody's. */
static void
settle_frame(struct broker *b, const struct frame *f)
{
	struct settling_flow *sf = idmap_get(&b->settling->by_id, f->flow);

	if (sf == NULL || (f->type != MSG_EOF && f->type != MSG_RESET))
		return;
	settle_end(b, sf);
	if (b->ending && !payload_settles(b))
		broker_finish(b);
}

bool
payload_open(struct broker *b)
{
	struct settling *s = calloc(1, sizeof(*s));

	if (s == NULL || !idmap_init(&s->by_id)) {
		free(s);
		return false;
	}
	TAILQ_INIT(&s->flows);
	uv_timer_init(&b->loop, &s->timer);
	s->timer.data = b;
	b->settling = s;
	return true;
}

bool
payload_settles(const struct broker *b)
{
	return !TAILQ_EMPTY(&b->settling->flows);
}

void
payload_end(struct broker *b)
{
	struct settling_flow *sf;

	while ((sf = TAILQ_FIRST(&b->settling->flows)) != NULL)
		settle_end(b, sf);
}

/* ---- counting ---- */

/* A quota has ended the flow; what fitted was passed on. */
static void
cut(struct broker *b, struct asked *fl, bool up)
{
	struct record_names names = asked_names(fl);
	struct rules_words why;

	fl->cut = true;
	fl->over = "quota_bytes";
	quota_words(fl->quota, &why);
	record_violation(&fl->open, &why, &names);
	proxy_reset(b->client, fl->id, EACCES);
	if (fl->open.proto != IPPROTO_TCP)
		proxy_close(b->dialler, fl->id, CLOSE_END);
	else if (up)
		settle_start(b, fl->id);
	else
		proxy_close(b->dialler, fl->id, CLOSE_RESET);
}

/* --permissive: told once, and from here on the flow is not counted. */
static bool
may_go_on(struct broker *b, struct asked *fl)
{
	struct record_names names = asked_names(fl);
	struct rules_words why;

	quota_words(fl->quota, &why);
	if (!judge_permits(b->judge, &why))
		return false;
	record_permitted(&fl->open, &why, &names);
	quota_release(fl->quota);
	fl->quota = NULL;
	return true;
}

bool
payload_pass(struct broker *b, struct asked *fl, bool up, const uint8_t *data, size_t len)
{
	bool datagram = fl->open.proto != IPPROTO_TCP;
	size_t n = len;

	if (fl->cut)			/* by the piece before this one */
		return false;
	if (quota_counts(fl->quota))
		n = quota_pass(fl->quota, up, (uint32_t)len, datagram);
	if (n < len && may_go_on(b, fl))
		n = len;
	if (n > 0 || len == 0)
		chan_send(up ? b->dialler : b->client, MSG_DATA, fl->id, NULL, 0, data, n, -1);
	if (n < len)
		cut(b, fl, up);
	return n == len;
}

void
payload_frame(struct chan *c, const struct frame *f, int fd)
{
	struct broker *b = chan_arg(c);
	struct asked *fl = idmap_get(&b->by_id, f->flow);
	bool up = c == b->client;

	(void)fd;
	if (!up && (fl == NULL || fl->cut)) {
		settle_frame(b, f);
	} else if (fl != NULL && fl->opened && !fl->cut && fl->over == NULL) {
		if (!fl->relayed)
			chan_fail(c, "a frame for a flow that has a descriptor");
		else if (fl->first != NULL && !first_passes(b, fl, f, up))
			return;
		else if (f->type == MSG_DATA)
			(void)payload_pass(b, fl, up, f->body, f->len);
		else
			chan_send(up ? b->dialler : b->client, (enum msg_type)f->type, f->flow, f->body,
			    f->len, NULL, 0, -1);
	}
}

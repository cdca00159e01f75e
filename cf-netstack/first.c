/*
 * first.c - the host end of a flow that owes its first flight.
 *
 * Where a rule is about names, cf-proxy has to see what the tree says first.  It keeps the socket,
 * which is connected, and what comes from the child goes up to it:
 *
 *      child              us (HOST_FIRST)                     cf-proxy
 *        |                   |      <--- OPENED, OPENED_FIRST -- |
 *        | --- bytes ------> | ------------ FIRST -------------> | more is needed
 *        |                   | <--------- GO, GO_MORE ---------- |
 *        | --- bytes ------> | ------------ FIRST -------------> | allowed: it writes all
 *        |                   | <------- GO + descriptor -------- |
 *        | ================= | HOST_FD (or HOST_FRAMES) ======== destination
 *
 * or a RESET instead of the GO, which the child sees as one.  GO_ASK comes where the other end has
 * spoken: what the child has said by now is told, be it nothing, so that the GO has something that
 * it answers and no byte crosses it.
 *
 * What must stay true: one FIRST is under way at a time, and what it gave is not kept here: the
 * bytes that cf-proxy has judged are those that it writes, and the first that this process can
 * write itself come after them.  An end of file of the child is told when it is all that there is
 * to tell, and passed on when the descriptor has come.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "flow.h"
#include "host.h"

#define PIECE	16384		/* of a stream; more says nothing of its name */

bool
first_waits(const struct flow *f)
{
	return f->host_mode == HOST_FIRST && f->queue->first_out;
}

static void
say(struct flow *f, uint32_t flags, const void *data, size_t len)
{
	uint8_t body[MSG_FIRST_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_first_put(&w, &(struct msg_first){ .flags = flags });
	chan_send(f->stack->proxy, MSG_FIRST, f->id, body, sizeof(body), data, len, -1);
	f->queue->first_out = true;
	f->writable = false;
}

ssize_t
first_send(struct flow *f, const void *data, size_t len, int *err)
{
	struct host_queue *q = f->queue;
	bool stream = f->proto == PROTO_TCP;

	if (q->err != 0) {
		*err = q->err;
		return HOST_ERROR;
	}
	if (q->first_out) {
		f->writable = false;
		return stream ? 0 : HOST_AGAIN;
	}
	if (stream && len > PIECE)
		len = PIECE;
	if (len > q->credit_out)
		return stream ? 0 : HOST_AGAIN;	/* it never asks for so much */
	q->credit_out -= (uint32_t)len;		/* where DATA follows, the same bytes count */
	say(f, 0, data, len);
	return (ssize_t)len;
}

void
first_shutdown(struct flow *f)
{
	if (!f->queue->first_out)
		say(f, FIRST_END, NULL, 0);
}

/* It may send the next piece; or that it has ended, where this could not be told before. */
static void
go_on(struct flow *f)
{
	f->queue->first_out = false;
	if (f->queue->eof_out) {
		first_shutdown(f);
		return;
	}
	f->writable = true;
	f->kind->writable(f);
}

/* From here on it is a flow as any other. */
static void
begin(struct flow *f, int fd)
{
	struct host_queue *q = f->queue;
	bool eof = q->eof_out;

	if (fd == -1) {
		f->host_mode = HOST_FRAMES;
		q->eof_out = q->first_out = false;
	} else if (host_attach(f, fd)) {
		f->queue = NULL;
		free(q);		/* nothing comes in DATA where descriptors do */
	} else {
		host_fail(f, ENFILE);
		return;
	}
	if (eof)
		host_shutdown(f);
	f->writable = true;
	f->kind->writable(f);
}

void
first_on_go(struct stack *s, uint64_t id, uint32_t flags, int fd)
{
	struct flow *f = flow_by_id(s, id);
	const char *why = NULL;

	if (f == NULL) {			/* it crossed with CLOSE */
		if (fd != -1)
			close(fd);
		return;
	}
	if (f->host_mode != HOST_FIRST)
		why = "GO for a flow that owes nothing";
	else if (flags != GO_ASK && !f->queue->first_out)
		why = "GO without a FIRST";
	else if (fd != -1 && (flags != 0 || !STAILQ_EMPTY(&f->queue->chunks)))
		why = "unexpected descriptor";
	if (why != NULL) {
		if (fd != -1)
			close(fd);
		chan_fail(s->proxy, why);
	} else if (flags == GO_MORE) {
		go_on(f);
	} else if (flags == 0) {
		begin(f, fd);
	} else if (!f->queue->first_out) {
		say(f, f->queue->eof_out ? FIRST_END : 0, NULL, 0);
	}
}

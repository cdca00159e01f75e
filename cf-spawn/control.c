/*
 * control.c - what the run's helpers are told while it goes on: that the resolvers are others.
 *
 * The dialler has to let cf-dns reach a resolver before cf-dns may ask it, and what cf-dns
 * still asks must stay good.  So one change is made at a time, and the dialler hears of it first:
 *
 *   idle ── RESOLVERS to the dialler ──> at_dialler ── TAKEN, RESOLVERS to cf-dns ──> at_dns ── TAKEN ──> idle
 *
 * What changes meanwhile waits, and only the last of it counts.  The end of a helper is not
 * noticed here, but by its death (signals.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "chan.h"
#include "log.h"
#include "spawn.h"

static const enum role peers[CONTROL_CHANNELS] = {
	[CONTROL_DIALLER] = R_DIAL, [CONTROL_DNS] = R_DNS
};

static void
tell(struct control *ct, int which)
{
	uint8_t body[MSG_LIST_MAX];
	struct wr w = wr_over(body, sizeof(body));

	msg_list_put(&w, ct->telling.at, ct->telling.n);
	if (ct->chan[which] != NULL)
		chan_send(ct->chan[which], MSG_RESOLVERS, 0, body, (size_t)(w.p - body), NULL, 0, -1);
}

static void
begin(struct control *ct)
{
	ct->state = CONTROL_AT_DIALLER;
	ct->telling = ct->wanted;
	ct->waiting = false;
	tell(ct, CONTROL_DIALLER);
}

static void
on_taken(struct chan *c, const struct frame *f, int fd)
{
	struct control *ct = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);

	(void)fd;
	if (rd_le32(&r) != MSG_RESOLVERS) {
		chan_fail(c, "TAKEN of what was not sent");
	} else if (ct->state == CONTROL_AT_DIALLER && c == ct->chan[CONTROL_DIALLER]) {
		ct->state = CONTROL_AT_DNS;
		tell(ct, CONTROL_DNS);
	} else if (ct->state == CONTROL_AT_DNS && c == ct->chan[CONTROL_DNS]) {
		ct->state = CONTROL_IDLE;
		if (ct->waiting)
			begin(ct);
	} else {
		chan_fail(c, "TAKEN of what was not sent");
	}
}

static const struct chan_handler handlers[] = {
	{ MSG_TAKEN, on_taken },
	{ 0, NULL }
};

void
control_open(struct control *ct, const int fd[CONTROL_CHANNELS])
{
	for (int i = 0; i < CONTROL_CHANNELS; i++) {
		if (fd[i] == -1)
			continue;
		ct->chan[i] = chan_new(fd[i], fd[i], R_SPAWN, peers[i], ct);
		if (ct->chan[i] == NULL)
			fatal("cannot talk to %s", role_name(peers[i]));
		chan_handlers(ct->chan[i], handlers);
		chan_hello(ct->chan[i], 0);
	}
	control_flush(ct);
}

void
control_resolvers(struct control *ct, const struct resolvers *list)
{
	ct->wanted = *list;
	ct->waiting = true;
	if (ct->state == CONTROL_IDLE)
		begin(ct);
	control_flush(ct);
}

static void
drop(struct control *ct, int i)
{
	if (chan_why(ct->chan[i]) != NULL)
		log_warnx("%s sent garbage: %s", role_name(peers[i]), chan_why(ct->chan[i]));
	chan_free(ct->chan[i]);
	ct->chan[i] = NULL;
}

/* What is sent is a few hundred bytes in a run: the peer's buffer has room. */
void
control_flush(struct control *ct)
{
	for (int i = 0; i < CONTROL_CHANNELS; i++)
		if (ct->chan[i] != NULL && chan_flush(ct->chan[i]) < 0)
			drop(ct, i);
}

int
control_fd(const struct control *ct, int which)
{
	return ct->chan[which] != NULL ? chan_rfd(ct->chan[which]) : -1;
}

void
control_read(struct control *ct, int which)
{
	if (ct->chan[which] != NULL && chan_read(ct->chan[which]) <= 0)
		drop(ct, which);
	control_flush(ct);
}

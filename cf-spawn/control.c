/*
 * control.c - what the run's helpers are told while it goes on: that the resolvers are others, or
 * the rules.
 *
 * A change is made by one helper after the other, and one change at a time.  For resolvers:
 * the dialler has to let cf-dns reach one before cf-dns may ask it.  For rules any order would
 * be safe, since a flow has to please the dialler and the policy stage, and for the time between
 * two TAKENs it pleases the old rules and the new ones; this order also never answers a name by new
 * rules that the old ones would then not let it use:
 *
 *   idle ── to the dialler ── TAKEN ──> [rules: to the policy stage ── TAKEN ──>]
 *        ── to cf-dns ── TAKEN ──> idle
 *
 * What changes meanwhile waits, and only the last of each kind counts.  The end of a helper is not
 * noticed here, but by its death (signals.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "chan.h"
#include "log.h"
#include "spawn.h"

static const enum role peers[CONTROL_CHANNELS] = {
	[CONTROL_DIALLER] = R_DIAL, [CONTROL_POLICY] = R_PROXY, [CONTROL_DNS] = R_DNS
};

static void	tell_resolvers(struct control *, int which);
static void	tell_rules(struct control *, int which);

static const struct {
	enum msg_type	type;
	void		(*tell)(struct control *, int which);
	int		order[CONTROL_CHANNELS];
	int		n;
} changes[CHANGES] = {
	[CHANGE_RESOLVERS] = { MSG_RESOLVERS, tell_resolvers, { CONTROL_DIALLER, CONTROL_DNS }, 2 },
	[CHANGE_RULES] = { MSG_RULES, tell_rules,
	    { CONTROL_DIALLER, CONTROL_POLICY, CONTROL_DNS }, 3 },
};

static void
tell_resolvers(struct control *ct, int which)
{
	uint8_t body[MSG_LIST_MAX];
	struct wr w = wr_over(body, sizeof(body));

	msg_list_put(&w, ct->resolvers.at, ct->resolvers.n);
	chan_send(ct->chan[which], MSG_RESOLVERS, 0, body, (size_t)(w.p - body), NULL, 0, -1);
}

static void
tell_rules(struct control *ct, int which)
{
	uint8_t body[MSG_RULES_LEN];
	struct wr w = wr_over(body, sizeof(body));
	int fd = fcntl(ct->rules.fd, F_DUPFD_CLOEXEC, 0);

	if (fd == -1)
		fatal("cannot hand the rules to %s", role_name(peers[which]));
	wr_le32(&w, ct->rules.generation);
	chan_send(ct->chan[which], MSG_RULES, 0, body, sizeof(body), NULL, 0, fd);
}

static void	change_end(struct control *);

/* The next of them; a run may have no dialler of ours (pipes.h). */
static void
step_tell(struct control *ct)
{
	int which;

	while (ct->step < changes[ct->change].n && ct->absent[changes[ct->change].order[ct->step]])
		ct->step++;
	if (ct->step == changes[ct->change].n) {
		change_end(ct);
		return;
	}
	which = changes[ct->change].order[ct->step];
	if (ct->chan[which] != NULL)
		changes[ct->change].tell(ct, which);
}

/* The next change that waits, if there is none on its way. */
static void
begin(struct control *ct)
{
	if (ct->busy)
		return;
	if (ct->new_resolvers) {
		ct->change = CHANGE_RESOLVERS;
		ct->resolvers = ct->next_resolvers;
		ct->new_resolvers = false;
	} else if (ct->next_rules.fd != -1) {
		ct->change = CHANGE_RULES;
		ct->rules = ct->next_rules;
		ct->next_rules.fd = -1;
	} else {
		return;
	}
	ct->busy = true;
	ct->step = 0;
	step_tell(ct);
}

static void
change_end(struct control *ct)
{
	ct->busy = false;
	if (ct->change == CHANGE_RULES) {
		close(ct->rules.fd);
		ct->rules.fd = -1;
		ct->on_rules(ct->arg, &ct->rules);
	}
	begin(ct);
}

static void
on_taken(struct chan *c, const struct frame *f, int fd)
{
	struct control *ct = chan_arg(c);
	struct rd r = rd_over(f->body, f->len);
	uint32_t type = rd_le32(&r);

	(void)fd;
	if (!ct->busy || type != changes[ct->change].type ||
	    c != ct->chan[changes[ct->change].order[ct->step]]) {
		chan_fail(c, "TAKEN of what was not sent");
		return;
	}
	ct->step++;
	step_tell(ct);
}

static const struct chan_handler handlers[] = {
	{ MSG_TAKEN, on_taken },
	{ 0, NULL }
};

void
control_open(struct control *ct, const int fd[CONTROL_CHANNELS],
    void (*on_rules)(void *arg, const struct generation *), void *arg)
{
	ct->on_rules = on_rules;
	ct->arg = arg;
	ct->rules.fd = ct->next_rules.fd = -1;
	for (int i = 0; i < CONTROL_CHANNELS; i++) {
		if ((ct->absent[i] = fd[i] == -1))
			continue;
		ct->chan[i] = chan_new(fd[i], fd[i], R_SPAWN, peers[i], ct);
		if (ct->chan[i] == NULL)
			fatal("cannot talk to %s", role_name(peers[i]));
		chan_handlers(ct->chan[i], handlers);
		chan_hello(ct->chan[i], MSG_CAP_FD);
	}
	control_flush(ct);
}

void
control_resolvers(struct control *ct, const struct resolvers *list)
{
	ct->next_resolvers = *list;
	ct->new_resolvers = true;
	begin(ct);
	control_flush(ct);
}

void
control_rules(struct control *ct, const struct generation *rules)
{
	if (ct->next_rules.fd != -1)
		close(ct->next_rules.fd);
	ct->next_rules = *rules;
	begin(ct);
	control_flush(ct);
}

static void
drop(struct control *ct, int i)
{
	if (chan_why(ct->chan[i]) != NULL && ct->why == NULL) {
		ct->who = role_name(peers[i]);
		ct->why = chan_why(ct->chan[i]);
	}
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

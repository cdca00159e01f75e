/*
 * reload.c - new rules while the run goes on: what they forbid ends.
 *
 * cf-spawn is on the other side of the channel, and is believed.  It sends a generation of the
 * rules that is whole; the dialler has it already, so between its RULES and ours a flow has
 * to please both.
 *
 *   cf-spawn               here                      cf-netstack         dialler
 *     RULES -------------> the judge takes them
 *                          each flow is judged again:
 *                            being opened:  REFUSED --> the tree          CLOSE -->
 *                            open:          shut down
 *                                           RESET ---> reset              RESET --> (frames)
 *           <------ TAKEN                   <--- CLOSE with the totals
 *
 * What must stay true: an open flow that is forbidden ends even where cf-netstack does not obey.
 * It holds the socket, so somebody else has to have a hand on it: with --keep-flows a copy of
 * each descriptor stays here and is shut down when the flow has to go.  From then on the kernel
 * neither sends nor takes anything on it, whoever holds it: to undo that takes
 * connect(2), which neither of us may call.  cf-spawn asks for it only where there
 * are files of rules, as it costs a descriptor for each open flow and two calls for each connection.
 *
 * Nothing leaves from the moment on.  What comes in is cut off with the CLOSE, or after OBEY_MS: at
 * once, cf-netstack might see the end of file before the RESET, and the tree would take
 * half an answer for a whole one.
 *
 * Not done: SOCK_DESTROY, which takes CAP_NET_ADMIN outside.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker.h"
#include "first.h"
#include "log.h"

#define OBEY_MS		250

struct reload {
	uv_timer_t	 cut;
	struct broker	*broker;
	struct chan	*chan;
};

const struct sandbox_row reload_rows[] = {
	ALLOW_ARG(fcntl, 1, F_DUPFD_CLOEXEC, "a hand on each flow, to end it"),
	ALLOW(shutdown,	"end it; tell a dialler of the user's that this was all"),
	{ 0 }
};

/* ---- flows ---- */

void
reload_keep(struct broker *b, struct asked *fl, int fd)
{
	static bool said;

	if (!b->keeps || fd == -1)
		return;
	/* fds_reach() saw to it that there is room. */
	if ((fl->kept_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) != -1) {
		b->n_kept++;
	} else if (!said) {
		log_warn("a flow could not be kept in hand: new rules will end it only as long as "
		    "cf-netstack obeys");
		said = true;
	}
}

void
reload_let_go(struct broker *b, struct asked *fl)
{
	if (fl->kept_fd == -1)
		return;
	if (fl->over != NULL)		/* its CLOSE may be a lie */
		(void)shutdown(fl->kept_fd, SHUT_RDWR);
	close(fl->kept_fd);
	fl->kept_fd = -1;
	b->n_kept--;
}

/* Those whose CLOSE has not come. */
static void
on_cut(uv_timer_t *t)
{
	struct broker *b = t->data;
	struct asked *fl;

	TAILQ_FOREACH(fl, &b->flows, all)
		if (fl->over != NULL)
			reload_let_go(b, fl);
}

void
reload_end(struct broker *b, struct asked *fl, const char *reason)
{
	if ((!fl->opened && fl->first == NULL) || fl->over != NULL)
		return;
	fl->over = reason;
	if (fl->first != NULL) {
		first_cut(b, fl);
		return;
	}
	if (fl->relayed)
		proxy_reset(b->dialler, fl->id, EACCES);
	proxy_reset(b->client, fl->id, EACCES);
	(void)chan_flush(b->client);	/* first; a failure is seen at the end of the turn */
	if (fl->kept_fd != -1) {
		(void)shutdown(fl->kept_fd, SHUT_WR);	/* ENOTCONN: it has ended by itself */
		if (!uv_is_active((uv_handle_t *)&b->reload->cut))
			uv_timer_start(&b->reload->cut, on_cut, OBEY_MS, 0);
	}
}

/* One that the dialler still works on: for the tree it is refused as any other. */
static void
opening_end(struct broker *b, struct asked *fl, const struct rules_words *why)
{
	struct record_names names = asked_names(fl);

	proxy_close(b->dialler, fl->id, CLOSE_CANCEL);
	record_result(&fl->open, &names, why->text, strlen(why->text));
	asked_deny(b, fl->id, &fl->open, &names, why);
	asked_free(b, fl);
}

/* Does it still have no address that could be judged?  The next one will be. */
static bool
is_resolving(const struct asked *fl)
{
	return fl->alias != NULL && fl->first == NULL && !alias_was_tried(fl->alias);
}

static void
judge_again(struct broker *b)
{
	struct record_names names;
	struct rules_words why;
	struct asked *fl, *next;
	size_t ended = 0;

	for (fl = TAILQ_FIRST(&b->flows); fl != NULL; fl = next) {
		next = TAILQ_NEXT(fl, all);
		if (fl->over != NULL || is_resolving(fl) || first_has_ended(fl))
			continue;
		names = asked_names(fl);
		if (asked_judge(b, fl, names.name, names.n, &why) || judge_permits(b->judge, &why)) {
			first_judge_again(b, fl);
			continue;
		}
		ended++;
		if (!fl->opened && fl->first == NULL) {
			opening_end(b, fl, &why);
			continue;
		}
		record_withdrawn(&fl->open, &why, &names);
		reload_end(b, fl, "policy_reload");
	}
	if (ended > 0)
		log_debug("%zu flows are not allowed any more", ended);
}

/* ---- the channel ---- */

static void
on_rules(struct chan *c, const struct frame *f, int fd)
{
	struct reload *rl = chan_arg(c);
	struct broker *b = rl->broker;

	if (proxy_rules_take(c, f, fd, b->judge) == 0)
		return;
	if (b->quotas != NULL && !quotas_set(b->quotas, judge_rules(b->judge)))
		chan_fail(c, "more quotas than can be counted");
	else
		judge_again(b);
}

static const struct chan_handler handlers[] = {
	{ MSG_RULES, on_rules }, { 0 }
};

/* That cf-spawn has gone is no reason to stop: the client's end is. */
static void
on_end(struct chan *c, const char *why)
{
	struct reload *rl = chan_arg(c);

	if (why == NULL)
		return;
	proxy_garbage(c, R_SPAWN, why);
	rl->broker->status = 1;
	asked_end_all(rl->broker);
	uv_stop(&rl->broker->loop);
}

struct reload *
reload_open(struct broker *b, const struct proxy_conf *conf)
{
	static struct reload rl;

	b->keeps = conf->keep_flows;
	if (conf->control_fd == -1)
		return NULL;
	rl.broker = b;
	uv_timer_init(&b->loop, &rl.cut);
	rl.cut.data = b;
	rl.chan = chan_new(conf->control_fd, conf->control_fd, R_PROXY, R_SPAWN, &rl);
	if (rl.chan == NULL || chan_uv_start(&b->loop, rl.chan, on_end) == NULL)
		fatal("cannot use the channel to %s", role_name(R_SPAWN));
	chan_handlers(rl.chan, handlers);
	return &rl;
}

void
reload_hello(struct reload *rl)
{
	if (rl != NULL)
		chan_hello(rl->chan, MSG_CAP_FD);
}

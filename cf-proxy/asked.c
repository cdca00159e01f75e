/*
 * asked.c - the flows that cf-netstack has asked for, from their OPEN to the end.
 *
 * cf-netstack chose their numbers and when they end, so it is believed in neither: broker.c
 * lets no number come twice, and the table has an end.
 *
 * What must stay true: a flow is in the table from when it was let in until it is refused or
 * closed; it goes by the names that its address had when it was let in, and holds them
 * (names.h).  What is refused is recorded before cf-netstack is told.
 *
 * The kernel drops descriptors that come where no number is free, and which flows lost theirs
 * cannot be told.  So no more are asked for than there is room: fds_max.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "denial.h"
#include "info.h"
#include "event.h"
#include "first.h"
#include "synthetic.h"

#define FLOWS_MAX	65536		/* about 10 MiB of table */

/* ---- names ---- */

struct record_names
asked_names(const struct asked *fl)
{
	struct record_names out = { .flow = fl->id, .who = fl->who, .rule = fl->rule,
	    .server_name = fl->server_name, .local = fl->opened ? &fl->local : NULL };

	if (fl->alias != NULL)
		out.name[out.n++] = alias_name(fl->alias);
	else
		while (out.n < fl->n_names) {
			out.name[out.n] = names_text(fl->names[out.n]);
			out.n++;
		}
	return out;
}

struct record_names
asked_names_at(struct broker *b, const struct addr *a)
{
	struct record_names out = { .flow = b->opening.flow, .who = b->opening.who };

	if (b->names == NULL)
		return out;
	names_clock(b->names, uv_now(&b->loop));
	if (b->namechan != NULL)
		namechan_drain(b->namechan);
	out.n = names_of(b->names, a, out.name, NAMES_A_FLOW);
	return out;
}

/* ---- refused ---- */

static const struct msg_refused	refused_by_policy = { .why = REFUSED_POLICY, .err = EACCES };
static const struct msg_refused	unreachable = { .why = REFUSED_ERRNO, .err = EHOSTUNREACH };
static const struct msg_refused	refused_by_limit = { .why = REFUSED_LIMIT, .err = EMFILE };

/* Not for what it is, but for how many there are. */
static void
turn_away(struct broker *b, uint64_t id, const struct msg_open *o, enum limit which, uint64_t most,
    const char *why)
{
	struct record_names names = asked_names_at(b, &o->dst);

	record_attempt(o, &names);
	record_result(o, &names, why, strlen(why));
	record_limit(which, most, 1, uv_now(&b->loop));
	proxy_refuse(b->client, id, &refused_by_limit, why);
}

bool
asked_is_told(const struct broker *b, const struct msg_open *o)
{
	return b->synthetic && synthetic_is(&o->dst) && way_tells(b->way, o);
}

bool
asked_judge(const struct broker *b, const struct asked *fl, const char *const *names, size_t n,
    struct rules_words *why)
{
	if (fl->alias != NULL && alias_is_told(fl->alias))
		return n > 0 && judge_named(b->judge, &fl->open, names[0], why);
	return judge_flow(b->judge, &fl->open, names, n, why);
}

bool
asked_may_leave(struct broker *b, struct msg_open *o, const struct record_names *names,
    struct rules_words *why)
{
	if (!way_choose(b->way, o, names, why))
		return false;
	if ((asked_is_told(b, o) ? judge_named(b->judge, o, names->name[0], why) :
	    judge_flow(b->judge, o, names->name, names->n, why)) &&
	    !first_is_refused(b, o, names, why))
		return true;
	if (!judge_permits(b->judge, why))
		return false;
	record_permitted(o, why, names);
	return true;
}

void
asked_deny(struct broker *b, uint64_t id, const struct msg_open *o,
    const struct record_names *names, const struct rules_words *why)
{
	record_violation(o, why, names);
	info_refused(o, names, why);
	proxy_refuse(b->client, id, &refused_by_policy, why->text);
}

void
asked_nowhere(struct broker *b, uint64_t id, const struct msg_open *o,
    const struct record_names *names, const char *why)
{
	record_attempt(o, names);
	record_result(o, names, why, strlen(why));
	proxy_refuse(b->client, id, &unreachable, why);
}

/* ---- the table ---- */

/* A copy to keep; NULL where there is none, or no memory: then it is not known. */
static struct who *
who_keep(const struct who *w)
{
	struct who *copy = w != NULL ? malloc(sizeof(*copy)) : NULL;

	if (copy != NULL)
		*copy = *w;
	return copy;
}

static void
names_let_go(struct broker *b, struct name_at *const *held, size_t n)
{
	for (size_t i = 0; i < n; i++)
		names_release(b->names, held[i]);
}

static struct asked *
add(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct name_at *held[NAMES_A_FLOW];
	struct asked *fl;
	size_t n = 0;

	if (b->by_id.n >= FLOWS_MAX)
		return NULL;
	if (b->names != NULL)
		n = names_hold(b->names, &o->dst, held, NAMES_A_FLOW);
	fl = malloc(offsetof(struct asked, names[n]));
	if (fl == NULL || !idmap_put(&b->by_id, id, fl)) {
		names_let_go(b, held, n);
		free(fl);
		return NULL;
	}
	*fl = (struct asked){ .id = id, .since = uv_now(&b->loop), .open = *o, .dst = o->dst,
	    .n_names = n, .kept_fd = -1, .who = who_keep(b->opening.who) };
	for (size_t i = 0; i < n; i++)
		fl->names[i] = held[i];
	TAILQ_INSERT_TAIL(&b->flows, fl, all);
	b->n_opening++;
	return fl;
}

/* Is there a descriptor to be had for one more, and to take it on? */
static bool
fds_reach(const struct broker *b)
{
	size_t each = b->keeps ? 2 : 1;		/* with the copy that stays */

	return !b->passes_fds ||
	    each * (b->n_opening + firsts_held(b->firsts)) + b->n_kept +
	    chan_fds_queued(b->client) < b->fds_max;
}

struct asked *
asked_admit(struct broker *b, uint64_t id, const struct msg_open *o)
{
	struct asked *fl = NULL;

	if (!fds_reach(b))
		turn_away(b, id, o, LIMIT_HOST, 0, "too many connections are being opened");
	else if ((fl = add(b, id, o)) == NULL)
		turn_away(b, id, o, LIMIT_POLICY_FLOWS, FLOWS_MAX, "too many flows");
	return fl;
}

const char *
asked_name_for_proxy(struct broker *b, const struct asked *fl)
{
	struct record_names names = asked_names(fl);

	if (fl->alias != NULL)
		return alias_is_told(fl->alias) ? alias_name(fl->alias) : NULL;
	return way_name(b->way, &fl->open, &names,
	    b->names != NULL && names_pinned(b->names, &fl->open.dst));
}

void
asked_free(struct broker *b, struct asked *fl)
{
	if (!fl->opened)
		b->n_opening--;
	reload_let_go(b, fl);
	idmap_take(&b->by_id, fl->id);
	TAILQ_REMOVE(&b->flows, fl, all);
	names_let_go(b, fl->names, fl->n_names);
	alias_free(fl->alias);
	first_free(b, fl);
	quota_release(fl->quota);
	free(fl->who);
	free(fl->rule);
	free(fl->server_name);
	free(fl);
}

void
asked_rule(struct broker *b, struct asked *fl)
{
	struct record_names names = asked_names(fl);
	struct msg_open as = fl->open;
	struct rules_words words;

	if (fl->alias != NULL && alias_is_told(fl->alias))
		as.dst = (struct addr){ .port = as.dst.port };
	if ((event_logged() || info_wanted()) && judge_allowed(b->judge, &as, names.name, names.n, &words)) {
		free(fl->rule);
		fl->rule = strdup(words.text);
	}
}

void
record_server_name(struct asked *fl, const char *name)
{
	free(fl->server_name);
	fl->server_name = event_logged() ? strdup(name) : NULL;
}

void
asked_end(struct broker *b, struct asked *fl, const struct msg_close *m)
{
	static const char given_up[] = "given up before it was open";
	struct record_names names = asked_names(fl);
	struct msg_close counted = *m;

	if (fl->alias != NULL && !alias_was_tried(fl->alias))
		record_attempt(&fl->open, &names);
	if (fl->opened && quota_counts(fl->quota)) {
		counted.up_bytes = quota_passed(fl->quota, true);
		counted.down_bytes = quota_passed(fl->quota, false);
	}
	totals_bytes(fl, counted.up_bytes, counted.down_bytes);
	totals_end(fl);
	if (fl->opened || fl->first != NULL)
		record_end(&fl->open, &names, &counted, fl->over, uv_now(&b->loop) - fl->since);
	else
		record_result(&fl->open, &names, given_up, sizeof(given_up) - 1);
	asked_free(b, fl);
}

void
asked_end_all(struct broker *b)
{
	static const struct msg_close m = { .reason = CLOSE_END };
	struct asked *fl;

	while ((fl = TAILQ_FIRST(&b->flows)) != NULL)
		asked_end(b, fl, &m);
	if (b->quotas != NULL)
		quotas_record(b->quotas);
	record_limits_end();
	denial_end();
}

/*
 * judge.c - may a flow leave: the rules of this run, or the floor where there are none.
 *
 * Asked by both stages, each with a mapping of its own, so that neither has to trust the
 * other.  The policy stage knows the names of an address, and judges by all rules.  The
 * dialler knows none, and refuses what no name could make right: all ranks of rules.h that
 * look at addresses and ports, and where no rule allows by name also the default.
 *
 * The generation comes from cf-spawn on a sealed memfd (rulesfd.h), which is mapped before the
 * seal, and later ones by RULES; without one there is the floor that every run has (policy.h), and
 * nothing else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hops.h"
#include "inside.h"
#include "log.h"
#include "name.h"
#include "proxy.h"
#include "rulesfd.h"

struct judge {
	struct policy	*floor;
	struct rules	 rules;
	bool		 has_rules;
	enum encdns_choice encdns;
	bool		 no_encdns;	/* encdns.h */
	struct hostports host;		/* of the host's loopback, that are open */
	bool		 upstream;	/* there is a proxy behind us */
};

struct judge *
judge_new(int rules_fd, enum encdns_choice encdns, const struct hostports *host)
{
	static struct judge only, *j = &only;
	const char *why;

	if ((j->floor = policy_new()) == NULL)
		fatal("cannot start");
	j->encdns = encdns;
	j->host = *host;
	if (rules_fd == -1) {
		j->no_encdns = encdns_blocked(encdns, NULL);
		return j;
	}
	if ((why = rulesfd_load(rules_fd, &j->rules)) != NULL)
		fatalx("cannot use the rules on descriptor %d: %s (cf-spawn makes them)", rules_fd,
		    why);
	close(rules_fd);
	j->has_rules = true;
	j->no_encdns = encdns_blocked(encdns, &j->rules);
	return j;
}

const char *
judge_swap(struct judge *j, int rules_fd)
{
	const char *why = rulesfd_swap(rules_fd, &j->rules);

	if (why != NULL)
		return why;
	j->has_rules = true;
	j->no_encdns = encdns_blocked(j->encdns, &j->rules);
	return NULL;
}

bool
judge_permits(const struct judge *j, const struct rules_words *why)
{
	return j->has_rules && (rules_flags(&j->rules) & RULES_PERMISSIVE) != 0 && !why->never;
}

static enum rule_proto
proto_of(const struct msg_open *o)
{
	return o->proto == IPPROTO_TCP ? RULE_TCP : o->proto == IPPROTO_UDP ? RULE_UDP : RULE_ICMP;
}

/* The same words for what the floor refuses. */
static bool
floor_judge(const struct judge *j, const struct msg_open *o, struct rules_words *out)
{
	struct policy_verdict v;

	if (policy_judge(j->floor, &o->dst, &v))
		return true;
	*out = (struct rules_words){ .reason_code = v.reason_code, .control = v.control,
	    .matched_cidr = v.matched_cidr, .never = true };
	snprintf(out->text, sizeof(out->text), "%s", v.text);
	if (strcmp(v.reason_code, "loopback") == 0 && proto_of(o) != RULE_ICMP)
		snprintf(out->hint, sizeof(out->hint), "--host-port %u opens this port of the host at %s",
		    o->dst.port, o->dst.family == 4 ? INSIDE_HOST4 : INSIDE_HOST6);
	else
		snprintf(out->hint, sizeof(out->hint), "no option allows it");
	return false;
}

static bool
rules_ask(const struct judge *j, const struct rules_flow *flow,
    bool (*ask)(const struct rules *, const struct rules_flow *, struct rules_verdict *),
    struct rules_words *out)
{
	struct rules_verdict v;

	if (ask(&j->rules, flow, &v))
		return true;
	rules_explain(&j->rules, &v, flow, NULL, out);
	return false;
}

/* Names that were asked for where cf-dns does not see it would pass by every rule about names. */
static bool
encdns_judge(const struct judge *j, const struct msg_open *o, struct rules_words *out)
{
	const char *what;

	if (!j->no_encdns || proto_of(o) == RULE_ICMP || (what = encdns_flow(&o->dst)) == NULL)
		return true;
	encdns_words(what, out);
	return false;
}

/*
 * The host's own loopback: --host-port says which ports, and is a permission of its own.  What
 * refuses whatever the address is (--offline, --deny '*:PORT') holds here as well.
 */
static bool
host_judge(const struct judge *j, const struct msg_open *o, struct rules_words *out)
{
	struct rules_flow flow = { .dst = o->dst, .proto = proto_of(o) };
	struct rules_verdict v;

	if (proto_of(o) == RULE_ICMP || !hostports_have(&j->host, o->dst.port)) {
		*out = (struct rules_words){ .reason_code = "loopback", .control = "--host-port",
		    .never = true };
		snprintf(out->text, sizeof(out->text), "blocked: this port of the host's loopback is "
		    "not open");
		snprintf(out->hint, sizeof(out->hint), "--host-port opens ports by TCP and UDP");
		return false;
	}
	if (!j->has_rules || rules_judge_nowhere(&j->rules, &flow, &v) || v.why == RULES_WHY_DEFAULT)
		return true;
	rules_explain(&j->rules, &v, &flow, NULL, out);
	return false;
}

struct rules_flow
judge_as(const struct msg_open *o, const char *const *names, size_t n)
{
	return (struct rules_flow){ .dst = o->dst, .proto = proto_of(o), .names = names,
	    .n_names = n };
}

const struct rules *
judge_rules(const struct judge *j)
{
	return j->has_rules ? &j->rules : NULL;
}

static bool
is_proxied(const struct judge *j, const struct msg_open *o)
{
	return j->upstream && (o->flags & OPEN_DIRECT) == 0;
}

void
judge_upstream(struct judge *j)
{
	j->upstream = true;
}

/*
 * What every resolver takes for its own machine (RFC 6761 6.3), or a proxy for an address that was
 * never judged.
 */
static bool
name_ok(const char *name, struct rules_words *out)
{
	size_t len = strlen(name);
	bool local = strcmp(name, "localhost") == 0 ||
	    (len > 10 && strcmp(name + len - 10, ".localhost") == 0);

	if (!local && !name_is_number(name) && hop_name_fits(name, len))
		return true;
	*out = (struct rules_words){ .reason_code = local ? "loopback" : "unspecified",
	    .control = "built-in", .never = true };
	snprintf(out->text, sizeof(out->text), "blocked: %s is %s", name,
	    local ? "a name of the proxy's own machine" : "no name that a proxy can be told");
	snprintf(out->hint, sizeof(out->hint), "no option allows it");
	return false;
}

bool
judge_named(const struct judge *j, const struct msg_open *o, const char *name,
    struct rules_words *out)
{
	const struct addr nowhere = { .port = o->dst.port };
	struct rules_flow flow = { .dst = nowhere, .proto = proto_of(o), .names = &name, .n_names = 1,
	    .proxied = is_proxied(j, o) };
	struct msg_open bare = *o;

	bare.dst = nowhere;
	return name_ok(name, out) && (!j->has_rules || rules_ask(j, &flow, rules_judge, out)) &&
	    encdns_judge(j, &bare, out);
}

bool
judge_flow(const struct judge *j, const struct msg_open *o, const char *const *names, size_t n,
    struct rules_words *out)
{
	struct rules_flow flow = judge_as(o, names, n);

	flow.proxied = is_proxied(j, o);
	if (j->host.n > 0 && hostports_is_inside(&o->dst))
		return host_judge(j, o, out);
	return (j->has_rules ? rules_ask(j, &flow, rules_judge, out) : floor_judge(j, o, out)) &&
	    encdns_judge(j, o, out);
}

bool
judge_allowed(const struct judge *j, const struct msg_open *o, const char *const *names, size_t n,
    struct rules_words *out)
{
	struct rules_flow flow = { .dst = o->dst, .proto = proto_of(o), .names = names, .n_names = n,
	    .proxied = is_proxied(j, o) };
	struct rules_verdict v;

	if (!j->has_rules || !rules_judge(&j->rules, &flow, &v))
		return false;
	rules_explain(&j->rules, &v, &flow, NULL, out);
	return true;
}

bool
judge_dial(const struct judge *j, const struct msg_open *o, struct rules_words *out)
{
	struct rules_flow flow = { .dst = o->dst, .proto = proto_of(o),
	    .proxied = is_proxied(j, o) };

	if (j->host.n > 0 && hostports_is_loopback(&o->dst))
		return host_judge(j, o, out) || judge_permits(j, out);
	return ((j->has_rules ? rules_ask(j, &flow, rules_judge_unnamed, out) :
	    floor_judge(j, o, out)) && encdns_judge(j, o, out)) || judge_permits(j, out);
}

enum judge_need
judge_first(const struct judge *j, const struct msg_open *o, const char *const *names, size_t n,
    bool *at_port)
{
	struct rules_flow flow = { .dst = o->dst, .proto = proto_of(o), .names = names, .n_names = n,
	    .proxied = is_proxied(j, o) };
	unsigned flags = j->has_rules ? rules_flags(&j->rules) : 0;
	unsigned denied = RULES_HAS_DENY_NAMES | (flow.proto == RULE_TCP ? RULES_BLOCK_METADATA : 0);
	struct rules_verdict v;

	/* A UDP flow to port 0 only hears. */
	if (flow.proto == RULE_ICMP || o->dst.port == 0 ||
	    (j->host.n > 0 && hostports_is_inside(&o->dst)) || (flags & (RULES_HAS_ALLOW_NAMES | denied)) == 0)
		return JUDGE_NOTHING;
	if (rules_judge(&j->rules, &flow, &v) && v.by == RULES_BY_NAME) {
		*at_port = v.at_port;
		return JUDGE_STRICT;
	}
	return (flags & denied) != 0 ? JUDGE_LENIENT : JUDGE_NOTHING;
}

void
judge_explain(const struct judge *j, const struct msg_open *o, const char *const *names, size_t n,
    struct rules_words *out)
{
	struct rules_flow flow = { .dst = o->dst, .proto = proto_of(o), .names = names, .n_names = n,
	    .proxied = is_proxied(j, o) };
	struct rules_verdict v;

	rules_judge(&j->rules, &flow, &v);
	rules_explain(&j->rules, &v, &flow, NULL, out);
}

bool
judge_offline(const struct judge *j)
{
	return j->has_rules && (rules_flags(&j->rules) & (RULES_OFFLINE | RULES_PERMISSIVE)) ==
	    RULES_OFFLINE;
}

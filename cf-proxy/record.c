/*
 * record.c - what the policy stage saw, as events (event.h).
 *
 * Every OPEN of the tree gives either policy_violation, which a person is told too (denial.h),
 * or connect_attempt and then one connect_result; a flow that opened ends in flow_end.  The totals in flow_end
 * are what cf-netstack said; what came over is from a process that parses hostile
 * packets, so they are a claim about the tree's traffic, not a measurement.  A limit that
 * the tree runs into is limit_reached, a few lines however often it happens (limit.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "denial.h"
#include "event.h"
#include "live.h"
#include "log.h"
#include "proxy.h"
#include "who.h"

#define TEXT_LEN	512
#define WHAT_LEN	(ADDR_STRLEN + NAME_TEXT_MAX + 32)
#define RULE_ROOM	320		/* bytes of a line that texts of others may take */
#define ERROR_ROOM	320
#define EXE_ROOM	640
#define COMM_ROOM	96
#define NAMES_LEAST	1700		/* what the fields behind the names may need */

static bool
has_ports(const struct msg_open *o)
{
	return o->proto == IPPROTO_TCP || o->proto == IPPROTO_UDP;
}

/* "1.2.3.4:80", and for echo, which has no ports, "1.2.3.4". */
static const char *
remote_str(const struct msg_open *o, char *buf)
{
	return has_ports(o) ? addr_str(&o->dst, buf) : addr_ip_str(&o->dst, buf);
}

static void
put_text(struct jline *l, const char *key, const char *text, size_t room)
{
	if (text == NULL || *text == '\0')
		jline_null(l, key);
	else
		jline_strn(l, key, text, strlen(text), room);
}

static void
put_remote(struct jline *l, const struct msg_open *o, const char *key)
{
	char buf[ADDR_STRLEN];

	jline_str(l, key, remote_str(o, buf));
	jline_str(l, "remote_ip", addr_ip_str(&o->dst, buf));
	if (has_ports(o))
		jline_int(l, "remote_port", o->dst.port);
	else
		jline_null(l, "remote_port");
}

static void
put_names(struct jline *l, const struct record_names *names)
{
	jline_list(l, "names");
	for (size_t i = 0; i < names->n && jline_room(l) > NAMES_LEAST + 2 * MSG_NAME_MAX; i++)
		jline_list_str(l, names->name[i]);
	jline_list_end(l);
}

static void
put_process(struct jline *l, const struct who *w)
{
	put_text(l, "comm", w != NULL ? w->comm : NULL, COMM_ROOM);
	put_text(l, "exe", w != NULL ? w->exe : NULL, EXE_ROOM);
	if (w != NULL)
		jline_int(l, "pid", w->ids.pid);
	else
		jline_null(l, "pid");
	jline_list(l, "ppids");
	for (size_t i = 0; w != NULL && i < MSG_PARENTS_MAX && w->ids.parent[i] != 0; i++)
		jline_list_int(l, w->ids.parent[i]);
	jline_list_end(l);
}

/* What all events of a flow have in common. */
static void
put_flow(struct jline *l, const struct msg_open *o, const struct record_names *names)
{
	char buf[ADDR_STRLEN];

	jline_int(l, "flow", names->flow);
	put_names(l, names);
	jline_str(l, "protocol", proxy_proto_name(o->proto));
	jline_str(l, "src_addr", addr_ip_str(&o->src, buf));
	jline_int(l, "src_port", o->src.port);
	put_process(l, names->who);
}

static bool		 upstream;
static const char	*upstream_name;

void
record_upstream(const char *name)
{
	upstream = true;
	upstream_name = name;
}

static bool
is_proxied(const struct msg_open *o)
{
	return upstream && (o->flags & OPEN_DIRECT) == 0;
}

const char *
record_upstream_of(const struct msg_open *o)
{
	return is_proxied(o) ? upstream_name : NULL;
}

/* What connect_attempt, connect_result and flow_end have in common. */
static void
put_connection(struct jline *l, const struct msg_open *o, const struct record_names *names)
{
	char buf[ADDR_STRLEN];

	put_flow(l, o, names);
	put_remote(l, o, "remote_addr");
	jline_str(l, "host_addr", names->local != NULL ? addr_str(names->local, buf) : NULL);
	put_text(l, "rule", names->rule, RULE_ROOM);
	put_text(l, "server_name", names->server_name, RULE_ROOM);
	put_text(l, "upstream", is_proxied(o) ? upstream_name : NULL, RULE_ROOM);
	jline_bool(l, "via_proxy", is_proxied(o));
}

/* ---- the same for who watches ---- */

static const char *
kind_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "TCP" : proto == IPPROTO_UDP ? "UDP" : "ICMP";
}

/* "1.2.3.4:80 (www.example)", and detail with the process behind it. */
static void
watch(enum live_verdict verdict, const char *word, const struct msg_open *o,
    const struct record_names *names, const char *detail)
{
	char what[WHAT_LEN], more[TEXT_LEN], remote[ADDR_STRLEN];
	const struct who *w = names->who;

	if (!live_wanted())
		return;
	snprintf(what, sizeof(what), "%s (%s)", remote_str(o, remote),
	    names->n > 0 ? names->name[0] : "unknown");
	if (w != NULL)
		snprintf(more, sizeof(more), "%s[%u]%s%s", w->comm, (unsigned)w->ids.pid,
		    *detail != '\0' ? ": " : "", detail);
	else
		snprintf(more, sizeof(more), "%s", detail);
	live_say(verdict, kind_name(o->proto), word, what, more);
}

/* ---- events ---- */

void
record_attempt(const struct msg_open *o, const struct record_names *names)
{
	struct jline l;

	watch(LIVE_GOOD, "ALLOWED", o, names, "");
	if (!event_logged())
		return;
	jline_init(&l);
	put_connection(&l, o, names);
	event_line("connect_attempt", &l);
}

void
record_result(const struct msg_open *o, const struct record_names *names, const char *error,
    size_t len)
{
	char text[MSG_TEXT_MAX + 1];
	struct jline l;

	if (error != NULL) {
		snprintf(text, sizeof(text), "%.*s", (int)len, error);
		watch(LIVE_FAILED, "FAILED", o, names, text);
	} else if (log_verbose() >= 2) {
		watch(LIVE_PLAIN, "OPEN", o, names, "");
	}
	if (!event_logged())
		return;
	jline_init(&l);
	put_connection(&l, o, names);
	jline_str(&l, "status", error == NULL ? "ok" : "error");
	if (error == NULL)
		jline_null(&l, "error");
	else
		jline_strn(&l, "error", error, len, ERROR_ROOM);
	event_line("connect_result", &l);
}

/* "tcp 1.2.3.4:80 (www.example)" */
static const char *
what_str(const struct msg_open *o, const struct record_names *names, char out[WHAT_LEN])
{
	const char *name = names->n > 0 ? names->name[0] : NULL;
	char buf[ADDR_STRLEN];

	snprintf(out, WHAT_LEN, "%s %s%s%s%s", proxy_proto_name(o->proto), remote_str(o, buf),
	    name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "");
	return out;
}

static void
put_quota(struct jline *l, const struct rules_words *w)
{
	if (w->quota.rule == NULL)
		return;
	put_text(l, "rule", w->quota.rule, RULE_ROOM);
	jline_str(l, "quota", w->quota.limit);
	jline_int(l, "used", w->quota.used);
}

static void
violation(const struct msg_open *o, const struct rules_words *w, const struct record_names *names,
    bool permitted)
{
	char what[WHAT_LEN];
	struct jline l;
	bool said;

	said = (permitted ? denial_permit : denial_tell)(what_str(o, names, what), w->text, w->hint);
	watch(LIVE_BAD, permitted ? "WOULD BE BLOCKED" : "BLOCKED", o, names, said ? "" : w->text);
	if (!event_logged())
		return;
	jline_init(&l);
	put_flow(&l, o, names);
	put_remote(&l, o, "remote");
	jline_str(&l, "action", permitted ? "permit" : "deny");
	if (permitted)
		jline_bool(&l, "permissive", true);
	put_quota(&l, w);
	jline_str(&l, "control", w->control);
	put_text(&l, "matched_cidr", w->matched_cidr, RULE_ROOM);
	put_text(&l, "matched_domain", w->matched_domain, 2 * MSG_NAME_MAX);
	put_text(&l, "reason", w->text, RULE_ROOM);
	jline_str(&l, "reason_code", w->reason_code);
	put_text(&l, "rule_file", w->file, RULE_ROOM);
	if (w->file != NULL)
		jline_int(&l, "rule_line", w->line);
	else
		jline_null(&l, "rule_line");
	event_line("policy_violation", &l);
}

void
record_violation(const struct msg_open *o, const struct rules_words *w,
    const struct record_names *names)
{
	violation(o, w, names, false);
}

void
record_permitted(const struct msg_open *o, const struct rules_words *w,
    const struct record_names *names)
{
	violation(o, w, names, true);
}

void
record_withdrawn(const struct msg_open *o, const struct rules_words *w,
    const struct record_names *names)
{
	char what[WHAT_LEN], text[sizeof(w->text) + 32];

	snprintf(text, sizeof(text), "ended by new rules: %s", w->text);
	denial_mention(what_str(o, names, what), text, w->hint);
}

static const char *
reason_name(enum close_reason reason)
{
	static const char *const name[] = {
		[CLOSE_EOF] = "eof", [CLOSE_RESET] = "reset", [CLOSE_PEER] = "peer",
		[CLOSE_IDLE] = "idle", [CLOSE_END] = "end", [CLOSE_CANCEL] = "cancel",
	};

	return name[reason];		/* msg_close_get() let no other pass */
}

/* A total of the wire as JSON has integers: up to 2^63-1. */
static json_t *
total(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

void
record_update(const struct msg_open *o, const struct record_names *names,
    const struct msg_counts *m)
{
	struct jline l;

	if (!event_logged())
		return;
	jline_init(&l);
	put_connection(&l, o, names);
	jline_int(&l, "bytes_up", m->up_bytes);
	jline_int(&l, "bytes_down", m->down_bytes);
	event_line("flow_update", &l);
}

void
record_end(const struct msg_open *o, const struct record_names *names, const struct msg_close *m,
    const char *reason, uint64_t duration_ms)
{
	char text[128];
	struct jline l;

	if (reason == NULL)
		reason = reason_name(m->reason);
	if (log_verbose() >= 2) {
		snprintf(text, sizeof(text), "(%s) %llu bytes up, %llu down", reason,
		    (unsigned long long)m->up_bytes, (unsigned long long)m->down_bytes);
		watch(LIVE_PLAIN, "CLOSED", o, names, text);
	}
	if (!event_logged())
		return;
	jline_init(&l);
	put_connection(&l, o, names);
	jline_int(&l, "bytes_up", m->up_bytes);
	jline_int(&l, "bytes_down", m->down_bytes);
	jline_int(&l, "packets_up", m->up_packets);
	jline_int(&l, "packets_down", m->down_packets);
	jline_int(&l, "duration_ms", duration_ms);
	jline_str(&l, "close_reason", reason);
	event_line("flow_end", &l);
}

/* ---- limits ---- */

static struct {
	struct limit_count count;
	uint64_t	 most;
} limits[LIMIT_COUNT];

static void
limit_tell(enum limit which, uint64_t times)
{
	char text[TEXT_LEN];
	uint64_t most = limits[which].most;
	json_t *f;

	snprintf(text, sizeof(text), "limit reached: %s (%llu times)", limit_text(which),
	    (unsigned long long)times);
	f = json_object();
	json_object_set_new(f, "which", json_string(limit_name(which)));
	json_object_set_new(f, "limit", most > 0 ? total(most) : json_null());
	json_object_set_new(f, "times", total(times));
	event_emit("limit_reached", f, text);
}

/* Without a record somebody should still know, once. */
static void
limit_warn(enum limit which)
{
	char most[32] = "";

	if (limits[which].most > 0)
		snprintf(most, sizeof(most), " (%llu)", (unsigned long long)limits[which].most);
	log_warnx("limit reached: %s%s; %s (said once)", limit_text(which), most,
	    limit_then(which));
}

void
record_limit(enum limit which, uint64_t most, uint64_t times, uint64_t now_ms)
{
	bool first = !limits[which].count.told;

	limits[which].most = most;
	if ((times = limit_count(&limits[which].count, now_ms, times)) == 0)
		return;
	if (first)
		limit_warn(which);
	if (event_wanted())
		limit_tell(which, times);
}

void
record_limits_end(void)
{
	uint64_t times;

	for (int i = LIMIT_FLOWS; i < LIMIT_COUNT; i++)
		if ((times = limit_rest(&limits[i].count)) > 0 && event_wanted())
			limit_tell((enum limit)i, times);
}

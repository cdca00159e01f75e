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
#include "log.h"
#include "proxy.h"

#define TEXT_LEN	(2 * ADDR_STRLEN + MSG_NAME_MAX + MSG_TEXT_MAX + 64)
#define WHERE_LEN	(ADDR_STRLEN + MSG_NAME_MAX + 4)
#define WHAT_LEN	(ADDR_STRLEN + NAME_TEXT_MAX + 32)

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

static json_t *
remote_port(const struct msg_open *o)
{
	return has_ports(o) ? json_integer(o->dst.port) : json_null();
}

/* The same for people, with the name that it probably goes by: "1.2.3.4:80 (www.example)". */
static const char *
where_str(const struct msg_open *o, const struct record_names *names, char *buf)
{
	char remote[ADDR_STRLEN];

	if (names->n == 0)
		snprintf(buf, WHERE_LEN, "%s", remote_str(o, remote));
	else
		snprintf(buf, WHERE_LEN, "%s (%s)", remote_str(o, remote), names->name[0]);
	return buf;
}

static json_t *
names_json(const struct record_names *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(list, json_string(names->name[i]));
	return list;
}

/* What connect_attempt, connect_result and flow_end have in common. */
static json_t *
fields_of(const struct msg_open *o, const struct record_names *names)
{
	char buf[ADDR_STRLEN];
	json_t *f = json_object();

	json_object_set_new(f, "protocol", json_string(proxy_proto_name(o->proto)));
	json_object_set_new(f, "remote_addr", json_string(remote_str(o, buf)));
	json_object_set_new(f, "remote_ip", json_string(addr_ip_str(&o->dst, buf)));
	json_object_set_new(f, "remote_port", remote_port(o));
	json_object_set_new(f, "names", names_json(names));
	return f;
}

static bool	upstream;

void
record_upstream(void)
{
	upstream = true;
}

static json_t *
via_proxy(const struct msg_open *o)
{
	return json_boolean(upstream && (o->flags & OPEN_DIRECT) == 0);
}

void
record_attempt(const struct msg_open *o, const struct record_names *names)
{
	char text[TEXT_LEN], buf[WHERE_LEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: connecting", proxy_proto_name(o->proto),
	    where_str(o, names, buf));
	f = fields_of(o, names);
	json_object_set_new(f, "via_proxy", via_proxy(o));
	event_emit("connect_attempt", f, text);
}

void
record_result(const struct msg_open *o, const struct record_names *names, const char *error,
    size_t len)
{
	char text[TEXT_LEN], buf[WHERE_LEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: %.*s", proxy_proto_name(o->proto),
	    where_str(o, names, buf), error != NULL ? (int)len : 4, error != NULL ? error : "open");
	f = fields_of(o, names);
	json_object_set_new(f, "via_proxy", via_proxy(o));
	json_object_set_new(f, "status", json_string(error == NULL ? "ok" : "error"));
	json_object_set_new(f, "error", error == NULL ? json_null() : event_text(error, len));
	event_emit("connect_result", f, text);
}

static json_t *
string_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *
violation_fields(const struct msg_open *o, const struct rules_words *w)
{
	char buf[ADDR_STRLEN];
	json_t *f = json_object();

	json_object_set_new(f, "protocol", json_string(proxy_proto_name(o->proto)));
	json_object_set_new(f, "remote", json_string(remote_str(o, buf)));
	json_object_set_new(f, "remote_ip", json_string(addr_ip_str(&o->dst, buf)));
	json_object_set_new(f, "remote_port", remote_port(o));
	json_object_set_new(f, "action", json_string("deny"));
	json_object_set_new(f, "reason_code", json_string(w->reason_code));
	json_object_set_new(f, "control", json_string(w->control));
	json_object_set_new(f, "matched_cidr", string_or_null(w->matched_cidr));
	json_object_set_new(f, "matched_domain", string_or_null(w->matched_domain));
	json_object_set_new(f, "reason", event_text(w->text, strlen(w->text)));
	if (w->file != NULL) {
		json_object_set_new(f, "rule_file", event_text(w->file, strlen(w->file)));
		json_object_set_new(f, "rule_line", json_integer(w->line));
	}
	return f;
}

void
record_violation(const struct msg_open *o, const struct rules_words *w, const char *name)
{
	char what[WHAT_LEN], text[WHAT_LEN + sizeof(w->text) + 2], buf[ADDR_STRLEN];
	bool said;

	snprintf(what, sizeof(what), "%s %s%s%s%s", proxy_proto_name(o->proto), remote_str(o, buf),
	    name != NULL ? " (" : "", name != NULL ? name : "", name != NULL ? ")" : "");
	said = denial_tell(what, w->text, w->hint);
	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s: %s", what, w->text);
	event_emit("policy_violation", violation_fields(o, w), said ? NULL : text);
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
record_end(uint64_t flow, const struct msg_open *o, const struct record_names *names,
    const struct msg_close *m, uint64_t duration_ms)
{
	char text[TEXT_LEN], buf[WHERE_LEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: closed (%s), %llu bytes up, %llu down",
	    proxy_proto_name(o->proto), where_str(o, names, buf), reason_name(m->reason),
	    (unsigned long long)m->up_bytes, (unsigned long long)m->down_bytes);
	f = fields_of(o, names);
	json_object_set_new(f, "flow", total(flow));
	json_object_set_new(f, "src_port", json_integer(o->src.port));
	json_object_set_new(f, "bytes_up", total(m->up_bytes));
	json_object_set_new(f, "bytes_down", total(m->down_bytes));
	json_object_set_new(f, "packets_up", total(m->up_packets));
	json_object_set_new(f, "packets_down", total(m->down_packets));
	json_object_set_new(f, "duration_ms", total(duration_ms));
	json_object_set_new(f, "close_reason", json_string(reason_name(m->reason)));
	event_emit("flow_end", f, text);
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

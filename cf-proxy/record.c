/*
 * record.c - what the policy stage saw, as events (event.h).
 *
 * Every OPEN of the tree gives either policy_violation, or connect_attempt and
 * then one connect_result; a flow that opened ends in flow_end.  The totals in flow_end
 * are what cf-netstack said; what came over is from a process that parses hostile
 * packets, so they are a claim about the tree's traffic, not a measurement.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "proxy.h"

#define TEXT_LEN	(2 * ADDR_STRLEN + MSG_TEXT_MAX + 64)

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

/* What connect_attempt, connect_result and flow_end have in common. */
static json_t *
fields_of(const struct msg_open *o)
{
	char buf[ADDR_STRLEN];
	json_t *f = json_object();

	json_object_set_new(f, "protocol", json_string(proxy_proto_name(o->proto)));
	json_object_set_new(f, "remote_addr", json_string(remote_str(o, buf)));
	json_object_set_new(f, "remote_ip", json_string(addr_ip_str(&o->dst, buf)));
	json_object_set_new(f, "remote_port", remote_port(o));
	return f;
}

void
record_attempt(const struct msg_open *o)
{
	char text[TEXT_LEN], buf[ADDR_STRLEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: connecting", proxy_proto_name(o->proto),
	    remote_str(o, buf));
	f = fields_of(o);
	json_object_set_new(f, "via_proxy", json_false());
	event_emit("connect_attempt", f, text);
}

void
record_result(const struct msg_open *o, const char *error, size_t len)
{
	char text[TEXT_LEN], buf[ADDR_STRLEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: %.*s", proxy_proto_name(o->proto),
	    remote_str(o, buf), error != NULL ? (int)len : 4, error != NULL ? error : "open");
	f = fields_of(o);
	json_object_set_new(f, "via_proxy", json_false());
	json_object_set_new(f, "status", json_string(error == NULL ? "ok" : "error"));
	json_object_set_new(f, "error", error == NULL ? json_null() : event_text(error, len));
	event_emit("connect_result", f, text);
}

void
record_violation(const struct msg_open *o, const struct policy_verdict *v)
{
	char text[TEXT_LEN], buf[ADDR_STRLEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: %s (%s)", proxy_proto_name(o->proto),
	    remote_str(o, buf), v->text, v->control);
	f = json_object();
	json_object_set_new(f, "protocol", json_string(proxy_proto_name(o->proto)));
	json_object_set_new(f, "remote", json_string(remote_str(o, buf)));
	json_object_set_new(f, "remote_ip", json_string(addr_ip_str(&o->dst, buf)));
	json_object_set_new(f, "remote_port", remote_port(o));
	json_object_set_new(f, "action", json_string("deny"));
	json_object_set_new(f, "reason_code", json_string(v->reason_code));
	json_object_set_new(f, "control", json_string(v->control));
	json_object_set_new(f, "matched_cidr",
	    v->matched_cidr != NULL ? json_string(v->matched_cidr) : json_null());
	json_object_set_new(f, "matched_domain", json_null());
	json_object_set_new(f, "reason", json_string(v->text));
	event_emit("policy_violation", f, text);
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
record_end(uint64_t flow, const struct msg_open *o, const struct msg_close *m,
    uint64_t duration_ms)
{
	char text[TEXT_LEN], buf[ADDR_STRLEN];
	json_t *f;

	if (!event_wanted())
		return;
	snprintf(text, sizeof(text), "%s %s: closed (%s), %llu bytes up, %llu down",
	    proxy_proto_name(o->proto), remote_str(o, buf), reason_name(m->reason),
	    (unsigned long long)m->up_bytes, (unsigned long long)m->down_bytes);
	f = fields_of(o);
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

/*
 * note.c - what was asked and answered: event lines, and with -v a line on stderr.
 *
 * Names here come from the tree, so they leave as text that does nothing: \DDD for what
 * is no printable ASCII, in lower case.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "denial.h"
#include "dns.h"
#include "event.h"
#include "log.h"

#define SHOWN		4	/* addresses in a line for people */

static const char *
qtype_class(const struct wire_query *w)
{
	if (!w->question)
		return "unknown";
	return w->qtype == WIRE_A ? "A" : w->qtype == WIRE_AAAA ? "AAAA" : "other";
}

/* What both events have.  server: who was asked, or answered, in the end. */
static json_t *
fields_new(const struct query *q, const struct addr *server)
{
	json_t *o = json_object();
	char text[ADDR_STRLEN], name[WIRE_NAME_STRLEN];

	wire_qname(q->msg, &q->wire, name);
	json_object_set_new(o, "protocol",
	    json_string(q->asked.transport == IPPROTO_TCP ? "tcp" : "udp"));
	json_object_set_new(o, "server", json_string(addr_str(server, text)));
	json_object_set_new(o, "server_ip", json_string(addr_ip_str(server, text)));
	json_object_set_new(o, "server_port", json_integer(server->port));
	json_object_set_new(o, "qname", name[0] != '\0' ? json_string(name) : json_null());
	json_object_set_new(o, "qtype", json_string(qtype_class(&q->wire)));
	return o;
}

void
note_query(struct query *q, bool here)
{
	const struct dns *dns = q->dns;

	if (!q->noted && event_wanted())
		event_emit("dns_query", fields_new(q, !here && q->via == &dns->listed ?
		    &q->servers->at[0].addr : &q->asked.server), NULL);
	q->noted = true;
}

static json_t *
addrs_json(const struct wire_answer *a)
{
	json_t *list = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < a->naddrs && i < WIRE_ADDRS; i++)
		json_array_append_new(list, json_string(addr_ip_str(&a->addrs[i], text)));
	return list;
}

struct line {
	char	text[WIRE_NAME_STRLEN + 512];
	size_t	len;
};

__attribute__((format(printf, 2, 3)))
static void
line_add(struct line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, room, fmt, ap);
	va_end(ap);
	l->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void
line_outcome(struct line *l, const struct wire_answer *a)
{
	char text[ADDR_STRLEN], rcode[WIRE_LABEL_LEN];

	for (size_t i = 0; i < a->naddrs && i < SHOWN; i++)
		line_add(l, "%s%s", i > 0 ? ", " : "", addr_ip_str(&a->addrs[i], text));
	if (a->naddrs > SHOWN)
		line_add(l, " and %zu more", a->naddrs - SHOWN);
	if (a->naddrs == 0)
		line_add(l, "%s", wire_rcode_name(a->rcode, rcode));
	if (a->naddrs == 0 && a->rcode == WIRE_NOERROR)
		line_add(l, ", %u record%s", a->records, a->records == 1 ? "" : "s");
	if (a->truncated)
		line_add(l, ", truncated");
}

/* "dns  www.example.test A -> 203.0.113.10" */
static const char *
line_make(struct line *l, const struct query *q, const struct wire_answer *a, const char *why)
{
	char name[WIRE_NAME_STRLEN], type[WIRE_LABEL_LEN];

	l->len = 0;
	wire_qname(q->msg, &q->wire, name);
	line_add(l, "dns  %s %s -> ", name[0] != '\0' ? name : "-",
	    q->wire.question ? wire_type_name(q->wire.qtype, type) : "-");
	line_outcome(l, a);
	if (why != NULL)
		line_add(l, " (%s)", why);
	return l->text;
}

void
note_answer(const struct query *q, const uint8_t *msg, size_t len, bool made, const char *why)
{
	struct wire_answer a;
	struct line line;
	char rcode[WIRE_LABEL_LEN];
	json_t *o;

	if (!event_wanted())
		return;
	wire_answer(msg, len, &a);
	o = fields_new(q, made ? &q->asked.server : &q->answered_by);
	json_object_set_new(o, "mode", json_string(q->aliased ? "synthetic" :
	    made ? "synthetic_empty" : "relayed"));
	if (q->kept && !made)
		json_object_set_new(o, "cached", json_true());
	json_object_set_new(o, "bytes", json_integer((json_int_t)len));
	json_object_set_new(o, "answer_ips", addrs_json(&a));
	json_object_set_new(o, "rcode", json_string(wire_rcode_name(a.rcode, rcode)));
	event_emit("dns_answer", o, line_make(&line, q, &a, why));
}

/* ---- denials ---- */

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static void
violation_emit(const struct violation *v, const char *name, const char *text)
{
	char ip[ADDR_STRLEN];
	json_t *o;

	if (!event_wanted())
		return;
	o = json_object();
	json_object_set_new(o, "protocol", json_string("dns"));
	json_object_set_new(o, "remote", json_string(name));
	json_object_set_new(o, "remote_ip",
	    text_or_null(v->addr != NULL ? addr_ip_str(v->addr, ip) : NULL));
	json_object_set_new(o, "remote_port", json_null());
	json_object_set_new(o, "action", json_string(v->permitted ? "permit" : "deny"));
	if (v->permitted)
		json_object_set_new(o, "permissive", json_true());
	json_object_set_new(o, "reason_code", json_string(v->code));
	json_object_set_new(o, "control", json_string(v->control));
	json_object_set_new(o, "matched_cidr", text_or_null(v->cidr));
	json_object_set_new(o, "matched_domain", text_or_null(v->domain));
	json_object_set_new(o, "reason", event_text(v->text, strlen(v->text)));
	if (v->file != NULL) {
		json_object_set_new(o, "rule_file", event_text(v->file, strlen(v->file)));
		json_object_set_new(o, "rule_line", json_integer(v->line));
	}
	event_emit("policy_violation", o, text);
}

void
note_violation(const struct query *q, const struct violation *v)
{
	char name[WIRE_NAME_STRLEN], ip[ADDR_STRLEN];
	char what[WIRE_NAME_STRLEN + ADDR_STRLEN + 16];
	char text[sizeof(what) + 160];
	bool said;

	wire_qname(q->msg, &q->wire, name);
	if (v->addr == NULL)
		snprintf(what, sizeof(what), "dns %s", name);
	else
		snprintf(what, sizeof(what), "dns %s -> %s", name, addr_ip_str(v->addr, ip));
	snprintf(text, sizeof(text), "%s: %s%.140s", what, v->permitted ? "would be " : "", v->text);
	said = (v->permitted ? denial_permit : denial_tell)(what, v->text, v->hint);
	violation_emit(v, name, said ? NULL : text);
}

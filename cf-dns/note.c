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
#include "live.h"
#include "log.h"

#define SHOWN		4	/* addresses in a line for people */
#define REASON_ROOM	320
#define RECORD_TEXT	64
#define RECORDS_LEAST	700	/* what the fields behind the records, and a record, may need */

static const char *
qtype_class(const struct wire_query *w)
{
	if (!w->question)
		return "unknown";
	return w->qtype == WIRE_A ? "A" : w->qtype == WIRE_AAAA ? "AAAA" : "other";
}

/* What both events have.  server: who was asked, or answered, in the end. */
static void
put_query(struct jline *l, const struct query *q, const struct addr *server)
{
	char text[ADDR_STRLEN], name[WIRE_NAME_STRLEN], type[WIRE_LABEL_LEN];

	wire_qname(q->msg, &q->wire, name);
	jline_int(l, "flow", q->flow);
	jline_str(l, "protocol", q->asked.transport == IPPROTO_TCP ? "tcp" : "udp");
	jline_str(l, "qname", name[0] != '\0' ? name : NULL);
	jline_str(l, "qtype", qtype_class(&q->wire));
	jline_str(l, "qtype_name", q->wire.question ? wire_type_name(q->wire.qtype, type) : NULL);
	jline_str(l, "server", addr_str(server, text));
	jline_str(l, "server_ip", addr_ip_str(server, text));
	jline_int(l, "server_port", server->port);
	jline_str(l, "src_addr", addr_ip_str(&q->asked.src, text));
	jline_int(l, "src_port", q->asked.src.port);
}

void
note_query(struct query *q, bool here)
{
	const struct dns *dns = q->dns;
	struct jline l;

	if (!q->noted && event_logged()) {
		jline_init(&l);
		put_query(&l, q, !here && q->via == &dns->listed ? &q->servers->at[0].addr :
		    &q->asked.server);
		event_line("dns_query", &l);
	}
	q->noted = true;
}

/* Addresses that the answer has; of very many, the first. */
static void
put_addrs(struct jline *l, const struct wire_answer *a)
{
	char text[ADDR_STRLEN];

	jline_list(l, "answer_ips");
	for (size_t i = 0; i < a->naddrs && i < WIRE_ADDRS; i++)
		jline_list_str(l, addr_ip_str(&a->addrs[i], text));
	jline_list_end(l);
}

/* One record of the answer for people: "CNAME www.example.test", "TXT" (what is not shown). */
static void
put_record(struct jline *l, const uint8_t *msg, size_t len, const struct wire_record *rec)
{
	char text[RECORD_TEXT], type[WIRE_LABEL_LEN], ip[ADDR_STRLEN];
	struct addr a = { .family = rec->type == WIRE_A ? 4 : 6 };

	(void)msg, (void)len;
	snprintf(text, sizeof(text), "%s", wire_type_name(rec->type, type));
	if ((rec->type == WIRE_A || rec->type == WIRE_AAAA) && rec->len == addr_iplen(&a)) {
		memcpy(a.ip, rec->data, rec->len);
		snprintf(text, sizeof(text), "%s %s", type, addr_ip_str(&a, ip));
	}
	jline_list_str(l, text);
}

static void
put_records(struct jline *l, const uint8_t *msg, size_t len)
{
	struct wire_record rec;
	struct wire_walk w;

	wire_walk(&w, msg, len);
	jline_list(l, "answers");
	while (wire_next(&w, &rec) && rec.section == 1 && jline_room(l) > RECORDS_LEAST)
		put_record(l, msg, len, &rec);
	jline_list_end(l);
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

/* "www.example.test A", "-> 203.0.113.10" */
static void
watch_answer(const struct query *q, const struct wire_answer *a, const char *why)
{
	char name[WIRE_NAME_STRLEN], type[WIRE_LABEL_LEN], what[WIRE_NAME_STRLEN + WIRE_LABEL_LEN];
	struct line l = { .len = 0 };

	if (!live_wanted())
		return;
	wire_qname(q->msg, &q->wire, name);
	snprintf(what, sizeof(what), "%s %s", name[0] != '\0' ? name : "-",
	    q->wire.question ? wire_type_name(q->wire.qtype, type) : "-");
	line_add(&l, "-> ");
	line_outcome(&l, a);
	if (why != NULL)
		line_add(&l, " (%s)", why);
	live_say(a->rcode == WIRE_NOERROR ? LIVE_GOOD : LIVE_FAILED, "DNS",
	    a->rcode == WIRE_NOERROR ? "ALLOWED" : "FAILED", what, l.text);
}

void
note_answer(const struct query *q, const uint8_t *msg, size_t len, bool made, const char *why)
{
	struct wire_answer a;
	struct jline l;
	char rcode[WIRE_LABEL_LEN];

	if (!event_wanted())
		return;
	wire_answer(msg, len, &a);
	watch_answer(q, &a, why);
	if (!event_logged())
		return;
	jline_init(&l);
	put_addrs(&l, &a);
	put_query(&l, q, made ? &q->asked.server : &q->answered_by);
	jline_str(&l, "mode", q->aliased ? "synthetic" : made ? "synthetic_empty" : "relayed");
	jline_int(&l, "bytes", len);
	jline_bool(&l, "cached", q->kept && !made);
	jline_int(&l, "answer_count", a.records);
	jline_str(&l, "rcode", wire_rcode_name(a.rcode, rcode));
	jline_bool(&l, "truncated", a.truncated);
	put_records(&l, msg, len);
	event_line("dns_answer", &l);
}

/* ---- denials ---- */

static void
violation_emit(const struct query *q, const struct violation *v, const char *name)
{
	char ip[ADDR_STRLEN];
	struct jline l;

	if (!event_logged())
		return;
	jline_init(&l);
	jline_str(&l, "protocol", "dns");
	jline_int(&l, "flow", q->flow);
	jline_str(&l, "remote", name);
	jline_str(&l, "remote_ip", v->addr != NULL ? addr_ip_str(v->addr, ip) : NULL);
	jline_null(&l, "remote_port");
	jline_str(&l, "src_addr", addr_ip_str(&q->asked.src, ip));
	jline_int(&l, "src_port", q->asked.src.port);
	jline_str(&l, "action", v->permitted ? "permit" : "deny");
	if (v->permitted)
		jline_bool(&l, "permissive", true);
	jline_str(&l, "reason_code", v->code);
	jline_str(&l, "control", v->control);
	jline_str(&l, "matched_cidr", v->cidr);
	jline_str(&l, "matched_domain", v->domain);
	jline_strn(&l, "reason", v->text, strlen(v->text), REASON_ROOM);
	jline_null(&l, "pid");
	jline_null(&l, "comm");
	jline_null(&l, "exe");
	jline_list(&l, "ppids");
	jline_list_end(&l);
	jline_list(&l, "names");
	jline_list_end(&l);
	if (v->file != NULL) {
		jline_strn(&l, "rule_file", v->file, strlen(v->file), REASON_ROOM);
		jline_int(&l, "rule_line", v->line);
	} else {
		jline_null(&l, "rule_file");
		jline_null(&l, "rule_line");
	}
	event_line("policy_violation", &l);
}

void
note_violation(const struct query *q, const struct violation *v)
{
	char name[WIRE_NAME_STRLEN], ip[ADDR_STRLEN];
	char what[WIRE_NAME_STRLEN + ADDR_STRLEN + 16];
	bool said;

	wire_qname(q->msg, &q->wire, name);
	if (v->addr == NULL)
		snprintf(what, sizeof(what), "dns %s", name);
	else
		snprintf(what, sizeof(what), "dns %s -> %s", name, addr_ip_str(v->addr, ip));
	said = (v->permitted ? denial_permit : denial_tell)(what, v->text, v->hint);
	live_say(LIVE_BAD, "DNS", v->permitted ? "WOULD BE BLOCKED" : "BLOCKED",
	    what + strlen("dns "), said ? "" : v->text);
	violation_emit(q, v, name);
}

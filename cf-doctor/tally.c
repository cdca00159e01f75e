/*
 * tally.c - see summary.h.  Pure: bytes in, counts out.
 *
 * The lines come from several programs through one pipe; each is one write of at most
 * EVENT_LINE_MAX bytes, so lines are whole unless a writer was killed or is not ours.
 * A field that is missing or of another type counts as missing, never as an error:
 * fields may be added to the schema, and readers ignore what they do not know.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "summary.h"

const char *const event_names[EV_COUNT] = {
	"dns_query", "dns_answer", "connect_attempt", "connect_result", "policy_violation",
	"flow_end", "runtime_failure", "unknown_event", "limit_reached", "quota"
};
const char *const list_names[LIST_COUNT] = {
	"policy_violations", "policy_controls", "policy_matched_domains", "connect_errors",
	"runtime_failures", "runtime_failure_phases", "denied", "permitted"
};
const char *const flow_names[FLOW_COUNT] = { "tcp", "udp", "icmp" };

struct tally *
tally_new(void)
{
	struct tally *t = calloc(1, sizeof(*t));
	bool ok;

	if (t == NULL)
		return NULL;
	ok = keys_init(&t->name_keys, NAMES_MAX) && keys_init(&t->target_keys, TARGETS_MAX) &&
	    keys_init(&t->ip_keys, IPS_MAX) && keys_init(&t->limit_keys, LIMITS_MAX) &&
	    keys_init(&t->quota_keys, QUOTAS_TOLD);
	for (int i = 0; ok && i < LIST_COUNT; i++)
		ok = keys_init(&t->list_keys[i], LIST_MAX);
	if (ok)
		return t;
	tally_free(t);
	return NULL;
}

void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	keys_done(&t->name_keys);
	keys_done(&t->target_keys);
	keys_done(&t->ip_keys);
	keys_done(&t->limit_keys);
	keys_done(&t->quota_keys);
	for (int i = 0; i < LIST_COUNT; i++)
		keys_done(&t->list_keys[i]);
	free(t);
}

/* Cut buf to at most max bytes, between two characters: half of one is no UTF-8. */
static void
cut(char *buf, size_t max)
{
	if (strlen(buf) <= max)
		return;
	while (max > 0 && ((uint8_t)buf[max] & 0xc0) == 0x80)
		max--;
	buf[max] = '\0';
}

/* A string as a key: cut, and without zeroes inside.  NULL when it is no string. */
static const char *
key_of(const json_t *value, char buf[KEY_MAX + 1])
{
	char whole[EVENT_LINE_MAX];
	size_t len = json_string_length(value);

	if (!json_is_string(value) || len >= sizeof(whole))
		return NULL;		/* no string of a line is as long as the line */
	memcpy(whole, json_string_value(value), len);
	whole[len] = '\0';
	for (char *p; (p = memchr(whole, '\0', len)) != NULL; )
		*p = '?';
	cut(whole, KEY_MAX);
	return strcpy(buf, whole);
}

static const char *
field(const json_t *event, const char *name, char buf[KEY_MAX + 1])
{
	return key_of(json_object_get(event, name), buf);
}

static int
list_add(struct tally *t, enum list_kind list, const char *key)
{
	int at = key != NULL ? keys_add(&t->list_keys[list], key) : -1;

	if (at >= 0)
		t->list[list][at]++;
	return at;
}

/* A count of bytes; what is no such number is nothing. */
static uint64_t
amount(const json_t *event, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(event, name));

	return v > 0 ? (uint64_t)v : 0;
}

static void
add_amount(uint64_t *sum, uint64_t v)
{
	*sum = *sum + v < *sum ? UINT64_MAX : *sum + v;
}

/* ---- names ---- */

static struct name *
name_of(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1];
	const char *qname = field(event, "qname", buf);
	int at = qname != NULL ? keys_add(&t->name_keys, qname) : -1;

	return at >= 0 ? &t->name[at] : NULL;
}

static void
name_ip_add(struct tally *t, struct name *n, const char *text)
{
	int ip = keys_add(&t->ip_keys, text);

	if (ip < 0)
		return;
	for (size_t i = 0; i < n->nips; i++)
		if (n->ip[i] == ip)
			return;
	if (n->nips == NAME_IPS)
		n->more_ips = true;
	else
		n->ip[n->nips++] = (uint16_t)ip;
}

static void
on_dns_query(struct tally *t, const json_t *event)
{
	struct name *n = name_of(t, event);

	if (n != NULL)
		n->queries++;
}

static void
on_dns_answer(struct tally *t, const json_t *event)
{
	struct name *n = name_of(t, event);
	const json_t *ips = json_object_get(event, "answer_ips"), *ip;
	char buf[KEY_MAX + 1];
	size_t i;

	if (n == NULL)
		return;
	n->answers++;
	json_array_foreach(ips, i, ip)
		if (key_of(ip, buf) != NULL)
			name_ip_add(t, n, buf);
}

/* ---- flows ---- */

static enum flow_kind
flow_kind(const json_t *event)
{
	char buf[KEY_MAX + 1];
	const char *protocol = field(event, "protocol", buf);

	if (protocol != NULL && strcmp(protocol, "udp") == 0)
		return FLOW_UDP;
	if (protocol != NULL && strncmp(protocol, "icmp", 4) == 0)
		return FLOW_ICMP;
	return FLOW_TCP;	/* childflow's connect events are all about TCP */
}

/* The remote address alone, from its own field or out of remote_addr; -1 when there is none. */
static int
remote_ip(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1], text[ADDR_STRLEN];
	const char *ip = field(event, "remote_ip", buf);
	struct addr a;

	if (ip == NULL && field(event, "remote_addr", buf) != NULL && addr_parse(buf, 0, &a))
		ip = addr_ip_str(&a, text);
	return ip != NULL ? keys_add(&t->ip_keys, ip) : -1;
}

/* What an event is about: ADDR:PORT as childflow has it for TCP; ADDR:PORT/udp, ADDR/icmp. */
static struct target *
target_of(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1];
	enum flow_kind kind = flow_kind(event);
	const char *text = kind == FLOW_ICMP ? field(event, "remote_ip", buf) : NULL;
	int at;

	if (text == NULL && (text = field(event, "remote_addr", buf)) == NULL)
		return NULL;
	if (kind != FLOW_TCP) {
		cut(buf, KEY_MAX - sizeof("/icmp"));
		strcat(strcat(buf, "/"), flow_names[kind]);
	}
	if ((at = keys_add(&t->target_keys, text)) < 0)
		return NULL;
	if (t->target[at].attempts + t->target[at].ok + t->target[at].error +
	    t->target[at].end == 0)
		t->target[at].ip = remote_ip(t, event);
	return &t->target[at];
}

static void
on_connect_attempt(struct tally *t, const json_t *event)
{
	struct target *target = target_of(t, event);

	if (target != NULL)
		target->attempts++;
}

static void
on_connect_result(struct tally *t, const json_t *event)
{
	struct target *target = target_of(t, event);
	char buf[KEY_MAX + 1];
	const char *status = field(event, "status", buf);
	bool ok = status != NULL && strcmp(status, "ok") == 0;

	if (ok)
		t->flows[flow_kind(event)]++;
	else
		list_add(t, LIST_ERRORS,
		    field(event, "error", buf) != NULL ? buf : "unknown");
	if (target != NULL && ok)
		target->ok++;
	else if (target != NULL)
		target->error++;
}

static void
on_flow_end(struct tally *t, const json_t *event)
{
	struct target *target = target_of(t, event);

	add_amount(&t->up_bytes, amount(event, "bytes_up"));
	add_amount(&t->down_bytes, amount(event, "bytes_down"));
	if (target != NULL)
		target->end++;
}

/* ---- rules and failures ---- */

static void
ip_domain_add(struct ip *ip, uint8_t domain)
{
	for (size_t i = 0; i < ip->ndomains; i++)
		if (ip->domain[i] == domain) {
			ip->count[i]++;
			return;
		}
	if (ip->ndomains == IP_DOMAINS)
		return;
	ip->domain[ip->ndomains] = domain;
	ip->count[ip->ndomains++] = 1;
}

/* "tcp 203.0.113.1:80": what was refused. */
static void
denied_add(struct tally *t, const json_t *event)
{
	char what[KEY_MAX + 1], remote[KEY_MAX + 1], key[2 * KEY_MAX + 2], action[KEY_MAX + 1];
	bool permitted = field(event, "action", action) != NULL && strcmp(action, "permit") == 0;

	if (field(event, "protocol", what) == NULL || field(event, "remote", remote) == NULL)
		return;
	snprintf(key, sizeof(key), "%s %s", what, remote);
	cut(key, KEY_MAX);
	list_add(t, permitted ? LIST_PERMITTED : LIST_DENIED, key);
}

static void
on_policy_violation(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1];
	int domain, ip;

	list_add(t, LIST_VIOLATIONS, field(event, "reason_code", buf));
	list_add(t, LIST_CONTROLS, field(event, "control", buf));
	denied_add(t, event);
	domain = list_add(t, LIST_DOMAINS, field(event, "matched_domain", buf));
	if (domain >= 0 && (ip = remote_ip(t, event)) >= 0)
		ip_domain_add(&t->ip[ip], (uint8_t)domain);
}

static void
on_runtime_failure(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1];

	list_add(t, LIST_FAILURES, field(event, "reason_code", buf));
	list_add(t, LIST_PHASES, field(event, "phase", buf));
}

static void
on_limit_reached(struct tally *t, const json_t *event)
{
	char buf[KEY_MAX + 1];
	const char *which = field(event, "which", buf);
	int at = which != NULL ? keys_add(&t->limit_keys, which) : -1;

	if (at >= 0)
		add_amount(&t->limit[at], amount(event, "times"));
}

/* Said once for each limit, at the end; where it is said again the last counts. */
static void
on_quota(struct tally *t, const json_t *event)
{
	char target[KEY_MAX + 1], limit[KEY_MAX + 1], key[2 * KEY_MAX + 2];
	int at;

	if (field(event, "target", target) == NULL || field(event, "limit", limit) == NULL)
		return;
	snprintf(key, sizeof(key), "%s=%s", target, limit);
	cut(key, KEY_MAX);
	if ((at = keys_add(&t->quota_keys, key)) >= 0)
		t->quota[at] = (struct quota){ .used = amount(event, "used"),
		    .max = amount(event, "max"), .flows = amount(event, "flows") };
}

static void (*const on_event[EV_COUNT])(struct tally *, const json_t *) = {
	on_dns_query, on_dns_answer, on_connect_attempt, on_connect_result,
	on_policy_violation, on_flow_end, on_runtime_failure, NULL, on_limit_reached,
	on_quota
};

/* ---- lines ---- */

static void
line_take(struct tally *t, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	char buf[KEY_MAX + 1];
	const char *name = field(event, "event", buf);
	int kind = 0;

	if (name == NULL) {
		t->malformed++;
	} else {
		while (kind < EV_COUNT && strcmp(event_names[kind], name) != 0)
			kind++;
		if (kind == EV_COUNT)
			kind = EV_UNKNOWN;
		t->total++;
		t->events[kind]++;
		if (on_event[kind] != NULL)
			on_event[kind](t, event);
	}
	json_decref(event);
}

/* A line, or a part of one, has ended: what was gathered is all there is of it. */
static void
line_end(struct tally *t)
{
	if (t->skipping)
		t->too_long++;
	else
		line_take(t, t->line, t->len);
	t->len = 0;
	t->skipping = false;
}

void
tally_feed(struct tally *t, const char *bytes, size_t len)
{
	const char *nl;
	size_t part;

	while (len > 0) {
		nl = memchr(bytes, '\n', len);
		part = nl != NULL ? (size_t)(nl - bytes) : len;
		if (part > sizeof(t->line) - t->len)
			t->skipping = true;
		if (!t->skipping) {
			memcpy(t->line + t->len, bytes, part);
			t->len += part;
		}
		if (nl == NULL)
			return;
		line_end(t);
		bytes += part + 1;
		len -= part + 1;
	}
}

void
tally_end(struct tally *t)
{
	if (t->len > 0 || t->skipping)
		line_end(t);
}

/*
 * count.c - what each event counts for; see summary.h.  Pure.
 *
 * A field that is missing or of another type counts as missing, never as an error:
 * fields may be added to the schema, and readers ignore what they do not know.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "summary.h"

const char *const event_names[EV_COUNT] = {
	"dns_query", "dns_answer", "connect_attempt", "connect_result", "policy_violation",
	"flow_end", "runtime_failure", "unknown_event", "limit_reached", "quota",
	"flow_update"
};
const char *const list_names[LIST_COUNT] = {
	"policy_violations", "policy_controls", "policy_matched_domains", "connect_errors",
	"runtime_failures", "runtime_failure_phases", "denied", "permitted", "protocols"
};
const char *const flow_names[FLOW_COUNT] = { "tcp", "udp", "icmp" };

/* ---- fields ---- */

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

/* A string as a key: cut, and without zeroes inside. */
static const char *
key_of(struct evtext *s)
{
	for (char *p; (p = memchr(s->text, '\0', s->len)) != NULL; )
		*p = '?';
	if (s->len > KEY_MAX) {
		cut(s->text, KEY_MAX);
		s->len = strlen(s->text);
	}
	return s->text;
}

const char *
evline_text(struct evline *e, enum evline_field f)
{
	return e->field[f].type == VAL_STRING ? key_of(&e->field[f].string) : NULL;
}

const char *
evline_item(struct evline *e, size_t item)
{
	return key_of(&e->item[item]);
}

/* The first string of an array that has something in it; NULL: there is none. */
static const char *
first_of(struct evline *e, enum evline_field f)
{
	struct evvalue *v = &e->field[f];
	const char *text;

	for (size_t i = 0; v->type == VAL_ARRAY && i < v->n; i++)
		if (*(text = key_of(&e->item[v->first + i])) != '\0')
			return text;
	return NULL;
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
amount(const struct evline *e, enum evline_field f)
{
	const struct evvalue *v = &e->field[f];

	return v->type == VAL_INTEGER && v->integer > 0 ? (uint64_t)v->integer : 0;
}

static void
add_amount(uint64_t *sum, uint64_t v)
{
	*sum = *sum + v < *sum ? UINT64_MAX : *sum + v;
}

/* ---- names ---- */

static struct name *
name_of(struct tally *t, struct evline *e)
{
	const char *qname = evline_text(e, F_QNAME);
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
		if (n->ip[i] == (uint32_t)ip)
			return;
	if (n->nips == NAME_IPS)
		n->more_ips = true;
	else
		n->ip[n->nips++] = (uint32_t)ip;
}

static void
on_dns_query(struct tally *t, struct evline *e)
{
	struct name *n = name_of(t, e);

	if (n != NULL)
		n->queries++;
}

static void
on_dns_answer(struct tally *t, struct evline *e)
{
	struct name *n = name_of(t, e);
	const struct evvalue *ips = &e->field[F_ANSWER_IPS];

	if (n == NULL)
		return;
	n->answers++;
	for (size_t i = 0; ips->type == VAL_ARRAY && i < ips->n; i++)
		name_ip_add(t, n, key_of(&e->item[ips->first + i]));
}

/* ---- who, and to whom ---- */

static enum flow_kind
flow_kind(struct evline *e)
{
	const char *protocol = evline_text(e, F_PROTOCOL);

	if (protocol != NULL && strcmp(protocol, "udp") == 0)
		return FLOW_UDP;
	if (protocol != NULL && strncmp(protocol, "icmp", 4) == 0)
		return FLOW_ICMP;
	return FLOW_TCP;	/* childflow's connect events are all about TCP */
}

/* What it calls itself can be anything, so its file stands beside it. */
void
tally_process(struct evline *e, char out[KEY_MAX + 1])
{
	const char *comm = evline_text(e, F_COMM), *exe = evline_text(e, F_EXE);
	char text[2 * KEY_MAX + 8];

	if (comm != NULL && exe != NULL)
		snprintf(text, sizeof(text), "%s (%s)", comm, exe);
	else
		snprintf(text, sizeof(text), "%s", comm != NULL ? comm : exe != NULL ? exe : "unknown");
	for (char *p; (p = strchr(text, '\n')) != NULL; )
		*p = '?';		/* it ends the process in the key of a talk */
	cut(text, KEY_MAX);
	memcpy(out, text, strlen(text) + 1);
}

/* "www.example.com:443/tcp", "192.0.2.1/icmp": by name where one is known. */
static void
peer_of(struct evline *e, char out[KEY_MAX + 1])
{
	const char *protocol = evline_text(e, F_PROTOCOL), *name = evline_text(e, F_SERVER_NAME),
	    *ip = evline_text(e, F_REMOTE_IP), *remote = evline_text(e, F_REMOTE);
	const struct evvalue *port = &e->field[F_REMOTE_PORT];
	char text[2 * KEY_MAX + 40], number[24] = "";

	if (name == NULL && (name = first_of(e, F_NAMES)) == NULL)
		name = ip != NULL && remote == NULL ? ip : remote != NULL ? remote :
		    evline_text(e, F_REMOTE_ADDR);
	if (name == NULL)
		name = "unknown";
	else if (name != remote && port->type == VAL_INTEGER && flow_kind(e) != FLOW_ICMP)
		snprintf(number, sizeof(number), ":%lld", (long long)port->integer);
	snprintf(text, sizeof(text), strchr(name, ':') != NULL && *number != '\0' ? "[%s]%s/%.16s" :
	    "%s%s/%.16s", name, number, protocol != NULL ? protocol : "tcp");
	cut(text, KEY_MAX);
	memcpy(out, text, strlen(text) + 1);
}

static struct talk *
talk_of(struct tally *t, struct evline *e, struct flow *f)
{
	char key[2 * KEY_MAX + 2];
	int at;

	tally_process(e, f->process);
	peer_of(e, f->peer);
	snprintf(key, sizeof(key), "%s\n%s", f->process, f->peer);
	at = keys_add(&t->talk_keys, key);
	return at >= 0 ? &t->talk[at] : NULL;
}

/* ---- flows ---- */

/* The remote address alone, from its own field or out of remote_addr; -1 when there is none. */
static int
remote_ip(struct tally *t, struct evline *e)
{
	char text[ADDR_STRLEN];
	const char *ip = evline_text(e, F_REMOTE_IP), *remote = evline_text(e, F_REMOTE_ADDR);
	struct addr a;

	if (ip == NULL && remote != NULL && addr_parse(remote, 0, &a))
		ip = addr_ip_str(&a, text);
	return ip != NULL ? keys_add(&t->ip_keys, ip) : -1;
}

/* What an event is about: ADDR:PORT as childflow has it for TCP; ADDR:PORT/udp, ADDR/icmp. */
static struct target *
target_of(struct tally *t, struct evline *e)
{
	enum flow_kind kind = flow_kind(e);
	const char *text = kind == FLOW_ICMP ? evline_text(e, F_REMOTE_IP) : NULL;
	char buf[KEY_MAX + 1];
	struct target *target;
	int at;

	if (text == NULL && (text = evline_text(e, F_REMOTE_ADDR)) == NULL)
		return NULL;
	if (kind != FLOW_TCP) {
		memcpy(buf, text, strlen(text) + 1);
		cut(buf, KEY_MAX - sizeof("/icmp"));
		text = strcat(strcat(buf, "/"), flow_names[kind]);
	}
	if ((at = keys_add(&t->target_keys, text)) < 0)
		return NULL;
	target = &t->target[at];
	if (target->attempts + target->ok + target->error + target->end == 0)
		target->ip = remote_ip(t, e);
	return target;
}

static void
on_connect_attempt(struct tally *t, struct evline *e)
{
	struct target *target = target_of(t, e);

	t->verdict[flow_kind(e)][VERDICT_ATTEMPTS]++;
	if (e->field[F_VIA_PROXY].type == VAL_TRUE)
		t->proxied++;
	else
		t->direct++;
	if (target != NULL)
		target->attempts++;
}

static void
on_connect_result(struct tally *t, struct evline *e)
{
	struct target *target = target_of(t, e);
	const char *status = evline_text(e, F_STATUS), *error = evline_text(e, F_ERROR);
	enum flow_kind kind = flow_kind(e);
	bool ok = status != NULL && strcmp(status, "ok") == 0;

	t->verdict[kind][ok ? VERDICT_OK : VERDICT_ERROR]++;
	if (ok)
		t->flows[kind]++;
	else
		list_add(t, LIST_ERRORS, error != NULL ? error : "unknown");
	if (target != NULL && ok)
		target->ok++;
	else if (target != NULL)
		target->error++;
}

static void
on_flow_end(struct tally *t, struct evline *e)
{
	struct target *target = target_of(t, e);
	const struct evvalue *ts = &e->field[F_TS];
	struct flow flow = { .up = amount(e, F_BYTES_UP), .down = amount(e, F_BYTES_DOWN) };
	struct talk *talk = talk_of(t, e, &flow);
	uint64_t ms = amount(e, F_DURATION);

	add_amount(&t->up_bytes, flow.up);
	add_amount(&t->down_bytes, flow.down);
	if (target != NULL) {
		target->end++;
		add_amount(&target->up, flow.up);
		add_amount(&target->down, flow.down);
	}
	if (talk != NULL) {
		talk->flows++;
		add_amount(&talk->up, flow.up);
		add_amount(&talk->down, flow.down);
	}
	if (ts->type != VAL_INTEGER || ts->integer < 0)
		return;
	flow.end = ts->integer;
	flow.start = ms < (uint64_t)flow.end ? flow.end - (int64_t)ms : 0;
	when_flow(t, &flow);
}

/* ---- rules and failures ---- */

static void
ip_domain_add(struct ip *ip, uint16_t domain)
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
denied_add(struct tally *t, struct evline *e, enum list_kind list)
{
	const char *protocol = evline_text(e, F_PROTOCOL), *remote = evline_text(e, F_REMOTE);
	char key[2 * KEY_MAX + 2];

	if (protocol == NULL || remote == NULL)
		return;
	snprintf(key, sizeof(key), "%s %s", protocol, remote);
	cut(key, KEY_MAX);
	list_add(t, list, key);
}

static bool
only_permitted(struct evline *e)
{
	const char *action = evline_text(e, F_ACTION);

	return e->field[F_PERMISSIVE].type == VAL_TRUE ||
	    (action != NULL && strcmp(action, "deny") != 0);
}

static void
on_policy_violation(struct tally *t, struct evline *e)
{
	const char *protocol = evline_text(e, F_PROTOCOL);
	size_t row = protocol != NULL && strcmp(protocol, "dns") == 0 ? VERDICT_DNS : flow_kind(e);
	const struct evvalue *ts = &e->field[F_TS];
	struct flow who;
	struct talk *talk;
	int domain, ip;

	list_add(t, LIST_VIOLATIONS, evline_text(e, F_REASON_CODE));
	list_add(t, LIST_CONTROLS, evline_text(e, F_CONTROL));
	domain = list_add(t, LIST_DOMAINS, evline_text(e, F_MATCHED_DOMAIN));
	if (domain >= 0 && (ip = remote_ip(t, e)) >= 0)
		ip_domain_add(&t->ip[ip], (uint16_t)domain);
	if (only_permitted(e)) {
		t->verdict[row][VERDICT_PERMITTED]++;
		denied_add(t, e, LIST_PERMITTED);
		return;
	}
	t->verdict[row][VERDICT_DENIED]++;
	denied_add(t, e, LIST_DENIED);
	if ((talk = talk_of(t, e, &who)) != NULL)
		talk->denied++;
	if (ts->type == VAL_INTEGER && ts->integer >= 0)
		when_denied(t, ts->integer);
}

static void
on_runtime_failure(struct tally *t, struct evline *e)
{
	list_add(t, LIST_FAILURES, evline_text(e, F_REASON_CODE));
	list_add(t, LIST_PHASES, evline_text(e, F_PHASE));
}

static void
on_limit_reached(struct tally *t, struct evline *e)
{
	const char *which = evline_text(e, F_WHICH);
	int at = which != NULL ? keys_add(&t->limit_keys, which) : -1;

	if (at >= 0)
		add_amount(&t->limit[at], amount(e, F_TIMES));
}

/* Said once for each limit, at the end; where it is said again the last counts. */
static void
on_quota(struct tally *t, struct evline *e)
{
	const char *target = evline_text(e, F_TARGET), *limit = evline_text(e, F_LIMIT);
	char key[2 * KEY_MAX + 2];
	int at;

	if (target == NULL || limit == NULL)
		return;
	snprintf(key, sizeof(key), "%s=%s", target, limit);
	cut(key, KEY_MAX);
	if ((at = keys_add(&t->quota_keys, key)) >= 0)
		t->quota[at] = (struct quota){ .used = amount(e, F_USED), .max = amount(e, F_MAX),
		    .flows = amount(e, F_FLOWS) };
}

static void (*const on_event[EV_COUNT])(struct tally *, struct evline *) = {
	on_dns_query, on_dns_answer, on_connect_attempt, on_connect_result,
	on_policy_violation, on_flow_end, on_runtime_failure, NULL, on_limit_reached,
	on_quota, NULL
};

/* ---- any event ---- */

static void
version_add(struct tally *t, int64_t version)
{
	size_t at = 0;

	while (at < t->nversions && t->version[at] < version)
		at++;
	if ((at < t->nversions && t->version[at] == version) || t->nversions == VERSIONS_MAX)
		return;
	memmove(t->version + at + 1, t->version + at, (t->nversions - at) * sizeof(*t->version));
	t->version[at] = version;
	t->nversions++;
}

void
count_event(struct tally *t, struct evline *e, const char *name)
{
	const struct evvalue *ts = &e->field[F_TS], *version = &e->field[F_SCHEMA];
	int kind = 0;

	while (kind < EV_COUNT && strcmp(event_names[kind], name) != 0)
		kind++;
	if (kind == EV_COUNT)
		kind = EV_UNKNOWN;
	t->total++;
	t->events[kind]++;
	if (t->watch != NULL)
		t->watch(t->watcher, (enum event_kind)kind, e);
	list_add(t, LIST_PROTOCOLS, evline_text(e, F_PROTOCOL));
	if (version->type == VAL_INTEGER)
		version_add(t, version->integer);
	if (ts->type == VAL_INTEGER && ts->integer >= 0)
		when_note(t, ts->integer);
	if (on_event[kind] != NULL)
		on_event[kind](t, e);
}

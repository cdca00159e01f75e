/*
 * leakjudge.c - what came of each way; see leaks.h.
 *
 * An address is open where something arrived, or answered, and
 *	- it is the host's own loopback, or reaches many, and no --host-port says so; or
 *	- the flow log has no word of it: it went past the sandbox; or
 *	- the options refuse it.
 * What goes through the sandbox, is allowed and noted, is what the sandbox is for: closed.
 *
 * Any other way is open where it worked, but for sockets that are of use in a network of one's
 * own.  What neither works outside cannot be told: not testable.
 *
 * Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evline.h"
#include "leaks.h"

const char *const leak_outcomes[] = { [LEAK_CLOSED] = "closed", [LEAK_OPEN] = "open",
    [LEAK_UNTESTED] = "not testable" };

/* ---- the probe's report ---- */

bool
leak_report_line(struct leak_report *r, const char *line)
{
	const char *tab = strchr(line, '\t'), *detail = tab != NULL ? strchr(tab + 1, '\t') : NULL;
	unsigned long n, result;

	if (detail == NULL)
		return false;
	result = strtoul(tab + 1, NULL, 10);
	if (strncmp(line, "begin\t", 6) == 0) {
		r->same_netns = result != 0;
		return true;
	}
	if (strncmp(line, "end\t", 4) == 0)
		return r->finished = true;
	n = strtoul(line, NULL, 10);
	if (line[0] < '0' || line[0] > '9' || n >= LEAK_ROWS || result > LEAK_WORKED)
		return false;
	r->result[n] = (enum leak_result)result;
	snprintf(r->detail[n], LEAK_DETAIL, "%s", detail + 1);
	return true;
}

/* ---- the flow log ---- */

static bool
is_of(const struct leak_target *t, const char *proto, const char *ip, int64_t port)
{
	static const char *const protos[] = { [LEAK_TCP] = "tcp", [LEAK_UDP] = "udp", [LEAK_PING] = "icmp" };
	struct addr a, is, want;

	if (strncmp(proto, protos[t->proto], strlen(protos[t->proto])) != 0 || !addr_parse(ip, 0, &a))
		return false;
	is = addr_canonical(&a);
	want = addr_canonical(&t->addr);
	is.port = want.port = 0;
	return (addr_equal(&is, &want) || (addr_iplen(&a) == addr_iplen(&t->addr) &&
	    memcmp(a.ip, t->addr.ip, addr_iplen(&a)) == 0)) &&
	    (t->proto == LEAK_PING || port == t->addr.port);
}

static void
log_line(struct leak_log *log, const struct leak_target *t, size_t n, const struct evline *e)
{
	const struct evvalue *f = e->field;
	bool attempt, refused;

	if (f[F_EVENT].type != VAL_STRING || f[F_PROTOCOL].type != VAL_STRING ||
	    f[F_REMOTE_IP].type != VAL_STRING)
		return;
	attempt = strcmp(f[F_EVENT].string.text, "connect_attempt") == 0;
	refused = strcmp(f[F_EVENT].string.text, "policy_violation") == 0;
	for (size_t i = 0; i < n && (attempt || refused); i++)
		if (is_of(&t[i], f[F_PROTOCOL].string.text, f[F_REMOTE_IP].string.text,
		    f[F_REMOTE_PORT].type == VAL_INTEGER ? f[F_REMOTE_PORT].integer : 0)) {
			log->noted[i] = true;
			log->refused[i] = log->refused[i] || refused;
		}
}

void
leak_log_read(struct leak_log *log, const struct leak_target *t, size_t n, char *text, size_t len)
{
	static struct evline e;
	char *end = text + len, *nl;

	/* A last line without its end is none. */
	for (; (nl = memchr(text, '\n', (size_t)(end - text))) != NULL; text = nl + 1) {
		*nl = '\0';
		if (evline_parse(&e, text, (size_t)(nl - text)) == NULL)
			log_line(log, t, n, &e);
	}
}

/* ---- the policy ---- */

bool
leak_policy_allows(const struct leak_policy *p, const struct leak_target *t)
{
	static const enum rule_proto protos[] = { [LEAK_TCP] = RULE_TCP, [LEAK_UDP] = RULE_UDP,
	    [LEAK_PING] = RULE_ICMP };
	struct rules_flow flow = { .dst = t->addr, .proto = protos[t->proto] };
	struct rules_verdict v;

	if ((rules_flags(&p->rules) & RULES_PERMISSIVE) != 0)
		return true;
	if (!rules_judge(&p->rules, &flow, &v))
		return false;
	return t->proto == LEAK_PING || !encdns_blocked(p->made.encdns, &p->rules) ||
	    encdns_flow(&t->addr) == NULL;
}

/* ---- outcomes ---- */

static void
decide(struct leak_row *row, enum leak_outcome outcome, const char *why, const char *detail)
{
	row->outcome = outcome;
	snprintf(row->why, sizeof(row->why), "%s%s%s%s", why, detail[0] != '\0' ? " (" : "", detail,
	    detail[0] != '\0' ? ")" : "");
}

static bool
got_through(const struct leak_target *t, const struct leak_report *r, size_t i)
{
	return t->ours ? r->arrived[i] : r->result[i] == LEAK_WORKED;
}

static bool
host_port_says_so(const struct leak_case *c)
{
	return c->policy != NULL && hostports_have(&c->policy->made.host, c->world->port);
}

static void
judge_target(const struct leak_case *c, const struct leak_target *t, size_t i, struct leak_row *row)
{
	const char *detail = c->inside->detail[i];

	if (c->inside->result[i] == LEAK_MISSING)
		decide(row, LEAK_UNTESTED, "the probe did not come to it", "");
	else if (!got_through(t, c->inside, i) && c->log != NULL && c->log->refused[i])
		decide(row, LEAK_CLOSED, "refused by the policy", "");
	else if (!got_through(t, c->inside, i) && got_through(t, c->outside, i))
		decide(row, LEAK_CLOSED, "nothing arrived", detail);
	else if (!got_through(t, c->inside, i))
		decide(row, LEAK_UNTESTED, "it does not work outside either", detail);
	else if (t->never && !host_port_says_so(c))
		decide(row, LEAK_OPEN, "it arrived at the host", "");
	else if (c->log == NULL || !c->log->noted[i])
		decide(row, LEAK_OPEN, c->log == NULL ? "it arrived" :
		    "it arrived, and the flow log does not know of it", "");
	else if (c->policy != NULL && !t->never && !leak_policy_allows(c->policy, t))
		decide(row, LEAK_OPEN, "the options refuse it, and it arrived", "");
	else
		decide(row, LEAK_CLOSED, "it went through the sandbox, which allows and notes it", "");
}

static void
judge_way(const struct leak_case *c, const struct leak_way *way, size_t n, struct leak_row *row)
{
	enum leak_result in = c->inside->result[n], out = c->outside->result[n];
	const char *detail = c->inside->detail[n];

	if (in == LEAK_MISSING)
		decide(row, LEAK_UNTESTED, "the probe did not come to it", "");
	else if (in == LEAK_WORKED && way->own_net && !c->inside->same_netns)
		decide(row, LEAK_CLOSED, "it is of the tree's own network", detail);
	else if (in == LEAK_WORKED)
		decide(row, LEAK_OPEN, "it worked", detail);
	else if (in == LEAK_REFUSED || out == LEAK_WORKED || out == LEAK_REFUSED)
		decide(row, LEAK_CLOSED, in == LEAK_REFUSED ? "refused" : "it is not there inside", detail);
	else
		decide(row, LEAK_UNTESTED, "it is not there outside either", detail);
}

size_t
leak_judge(const struct leak_case *c, struct leak_row out[LEAK_ROWS])
{
	static struct leak_target target[LEAK_TARGETS];
	size_t n = leak_targets(c->world, target), rows = 0;

	for (size_t i = 0; i < n; i++, rows++) {
		out[rows] = (struct leak_row){ .way = target[i].kind };
		leak_target_str(&target[i], out[rows].tried);
		judge_target(c, &target[i], i, &out[rows]);
	}
	for (size_t i = 0; leak_ways[i].name != NULL; i++, rows++) {
		out[rows] = (struct leak_row){ .way = leak_ways[i].name };
		snprintf(out[rows].tried, LEAK_DETAIL, "%s", leak_ways[i].what);
		judge_way(c, &leak_ways[i], LEAK_TARGETS + i, &out[rows]);
		/* By what was lent out something may arrive though its number was not seen. */
		if (c->inside->fd_arrived && strcmp(leak_ways[i].name, "inherited descriptors") == 0)
			decide(&out[rows], LEAK_OPEN, "what was sent by one arrived outside",
			    c->inside->detail[LEAK_TARGETS + i]);
		if (out[rows].outcome == LEAK_OPEN)
			out[rows].hint = leak_ways[i].closes;
	}
	return rows;
}

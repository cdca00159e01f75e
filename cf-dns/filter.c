/*
 * filter.c - names that the tree may not ask for: refused before any resolver is asked.
 *
 * A name is judged in the normal form of name.h, whatever its type and class, so nothing
 * about the spelling of a query matters.  What has no single name to judge is refused while
 * there are rules: a message of another kind (UPDATE, NOTIFY, ...) carries bytes of the tree's
 * choice just as well as a name does.
 *
 * Names by which programs find encrypted DNS are answered here too (encdns.h).  Where such a
 * name only asks whether it may be used, the answer is no denial: nobody has tried anything.
 *
 * Whose name an address is (PTR) is asked by ping, ssh, tracers and loggers of whatever they have
 * to do with, and not because somebody wants to go there.  Where no rule is about it, but the
 * default is to refuse, it is refused as any name, as it could carry 16 bytes away; it is no
 * violation, or none of these programs could be run under --fail-on-leak.
 *
 * Not looked at: what an answer calls a name (CNAME).  The name that was asked counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "dns.h"
#include "log.h"
#include "name.h"
#include "rulesfd.h"

#define OPCODE_QUERY	0

void
filter_open(struct dns *dns, int rules_fd)
{
	struct filter *f = &dns->filter;
	const char *why;

	if (rules_fd != -1) {
		if ((why = rulesfd_load(rules_fd, &f->rules)) != NULL)
			fatalx("cannot use the rules of descriptor %d: %s", rules_fd, why);
		f->has_rules = true;
	}
	f->no_encdns = encdns_blocked(f->encdns, f->has_rules ? &f->rules : NULL);
}

const char *
filter_swap(struct dns *dns, int rules_fd)
{
	struct filter *f = &dns->filter;
	const char *why = rulesfd_swap(rules_fd, &f->rules);

	if (why != NULL)
		return why;
	f->has_rules = true;
	f->generation++;
	f->no_encdns = encdns_blocked(f->encdns, &f->rules);
	return NULL;
}

bool
filter_permits(const struct filter *f)
{
	return f->has_rules && (rules_flags(&f->rules) & RULES_PERMISSIVE) != 0;
}

static enum hook
answer(struct query *q, struct made *out, enum wire_rcode rcode, enum wire_ede ede,
    const char *text, const char *why)
{
	static uint8_t msg[WIRE_DENIAL_MAX];

	out->msg = msg;
	out->len = wire_denial(msg, q->msg, &q->wire, rcode, ede, text);
	out->why = why;
	return HOOK_MADE;
}

static enum wire_rcode
denied_rcode(const struct query *q)
{
	static const enum wire_rcode rcodes[] = {
		[DENY_EMPTY] = WIRE_NOERROR, [DENY_NXDOMAIN] = WIRE_NXDOMAIN,
		[DENY_REFUSED] = WIRE_REFUSED
	};

	return rcodes[q->dns->filter.deny_answer];
}

static enum hook
deny(struct query *q, struct made *out, enum wire_ede ede, const struct violation *v)
{
	char text[WIRE_EDE_TEXT + 1];

	if (filter_permits(&q->dns->filter)) {
		struct violation told = *v;

		told.permitted = true;
		note_violation(q, &told);
		return HOOK_PASS;
	}
	/* The tree learns which option it was, not what the rule says or where it stands. */
	snprintf(text, sizeof(text), "blocked by %s", v->control);
	note_query(q, true);
	note_violation(q, v);
	return answer(q, out, denied_rcode(q), ede, text, "blocked");
}

static enum hook
deny_by_rule(struct query *q, struct made *out, const struct rules_verdict *verdict,
    const char *name)
{
	struct rules_words words;
	struct violation v;

	rules_explain(&q->dns->filter.rules, verdict, NULL, name, &words);
	v = (struct violation){ .code = words.reason_code, .control = words.control,
	    .cidr = words.matched_cidr, .domain = words.matched_domain, .file = words.file,
	    .line = words.line, .text = words.text, .hint = words.hint };
	return deny(q, out, WIRE_EDE_BLOCKED, &v);
}

/* Does it ask for the name of one address? */
static bool
asks_reverse(const struct query *q, const char *name)
{
	struct addr a;

	return q->wire.qtype == WIRE_PTR && synth_reverse_addr(name, &a);
}

static enum hook
by_rules(struct query *q, struct made *out, const char *name)
{
	struct rules_verdict verdict;

	if (!q->dns->filter.has_rules ||
	    rules_judge_name(&q->dns->filter.rules, name, q->dns->filter.proxied, &verdict))
		return HOOK_PASS;
	if (verdict.why == RULES_WHY_DEFAULT && asks_reverse(q, name))
		return filter_permits(&q->dns->filter) ? HOOK_PASS : answer(q, out, denied_rcode(q),
		    WIRE_EDE_BLOCKED, "blocked by --default-policy",
		    "whose name an address is may not be asked");
	return deny_by_rule(q, out, &verdict, name);
}

/* Names that ask whether encrypted DNS may be used, and names of its servers. */
static enum hook
by_encdns(struct query *q, struct made *out, const char *name, bool servers)
{
	static const struct violation v = { .code = "encrypted_dns",
	    .control = "--block-encrypted-dns",
	    .text = "blocked by `--block-encrypted-dns` (a server of encrypted DNS)",
	    .hint = "--allow-encrypted-dns would allow it" };
	const struct encdns_name *known = q->dns->filter.no_encdns ? encdns_name(name) : NULL;

	if (known == NULL || (known->answer == ENCDNS_REFUSE) != servers)
		return HOOK_PASS;
	if (known->answer == ENCDNS_REFUSE)
		return deny(q, out, WIRE_EDE_FILTERED, &v);
	return answer(q, out, known->answer == ENCDNS_EMPTY ? WIRE_NOERROR : WIRE_NXDOMAIN,
	    WIRE_EDE_FILTERED, "encrypted DNS is not used here", known->what);
}

enum hook
filter_query(struct query *q, struct made *out)
{
	const struct filter *f = &q->dns->filter;
	bool enforced = f->has_rules && !filter_permits(f);
	char name[NAME_STRLEN];
	size_t at = WIRE_HEADER_LEN;
	enum hook h;

	if (!f->has_rules && !f->no_encdns)
		return HOOK_PASS;
	if (enforced && q->wire.opcode != OPCODE_QUERY)
		return answer(q, out, WIRE_NOTIMP, WIRE_EDE_BLOCKED, "only queries are passed on",
		    "no query, and there are rules");
	if (!q->wire.question ||
	    name_from_message(q->msg, q->wire.head_len, &at, name) != NULL)
		return enforced ? answer(q, out, WIRE_FORMERR, WIRE_EDE_NONE, "",
		    "no name to judge") : HOOK_PASS;
	if ((h = by_encdns(q, out, name, false)) == HOOK_PASS &&
	    (h = by_rules(q, out, name)) == HOOK_PASS)
		h = by_encdns(q, out, name, true);
	return h;
}

const char *
filter_answer(struct query *q)
{
	struct made out;

	if (q->rules == q->dns->filter.generation)
		return NULL;
	q->rules = q->dns->filter.generation;
	return filter_query(q, &out) == HOOK_PASS ? NULL : "it is refused since";
}

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

static enum hook
deny(struct query *q, struct made *out, enum wire_ede ede, const struct violation *v)
{
	static const enum wire_rcode rcodes[] = {
		[DENY_EMPTY] = WIRE_NOERROR, [DENY_NXDOMAIN] = WIRE_NXDOMAIN,
		[DENY_REFUSED] = WIRE_REFUSED
	};
	char text[WIRE_EDE_TEXT + 1];

	/* The tree learns which option it was, not what the rule says or where it stands. */
	snprintf(text, sizeof(text), "blocked by %s", v->control);
	note_query(q, true);
	note_violation(q, v);
	return answer(q, out, rcodes[q->dns->filter.deny_answer], ede, text, "blocked");
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

static enum hook
by_rules(struct query *q, struct made *out, const char *name)
{
	struct rules_verdict verdict;

	if (!q->dns->filter.has_rules ||
	    rules_judge_name(&q->dns->filter.rules, name, q->dns->filter.proxied, &verdict))
		return HOOK_PASS;
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
	char name[NAME_STRLEN];
	size_t at = WIRE_HEADER_LEN;
	enum hook h;

	if (!f->has_rules && !f->no_encdns)
		return HOOK_PASS;
	if (f->has_rules && q->wire.opcode != OPCODE_QUERY)
		return answer(q, out, WIRE_NOTIMP, WIRE_EDE_BLOCKED, "only queries are passed on",
		    "no query, and there are rules");
	if (!q->wire.question ||
	    name_from_message(q->msg, q->wire.head_len, &at, name) != NULL)
		return f->has_rules ? answer(q, out, WIRE_FORMERR, WIRE_EDE_NONE, "",
		    "no name to judge") : HOOK_PASS;
	if ((h = by_encdns(q, out, name, false)) == HOOK_PASS &&
	    (h = by_rules(q, out, name)) == HOOK_PASS)
		h = by_encdns(q, out, name, true);
	return h;
}

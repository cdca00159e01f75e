/*
 * rules_words.c - what a verdict of rules.h is called, for events and for people.
 *
 * The texts of childflow's own options are childflow's, to the letter: other programs read
 * them.  All that is put in is in normal form already, so it holds no control characters.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inside.h"
#include "known.h"
#include "rules.h"
#include "rules_flat.h"

/* What a switch is called when it decided. */
static const struct {
	const char	*code, *control, *text, *hint;
} switches[] = {
	[RULES_WHY_ALLOWED] = { "allowed", "--default-policy", "allowed by `--default-policy allow`",
	    "" },
	[RULES_WHY_OFFLINE] = { "offline", "--offline", "blocked by `--offline`",
	    "run it without --offline" },
	[RULES_WHY_RULE] = { "deny_rule", "--deny", "blocked by a rule", "" },
	[RULES_WHY_PROXY_ONLY] = { "proxy_only", "--proxy-only", "blocked by `--proxy-only`",
	    "run it without --proxy-only" },
	[RULES_WHY_DEFAULT] = { "default_deny", "--default-policy",
	    "blocked by `--default-policy deny`", NULL },
};

static const char *
string_at(const struct rules *r, uint32_t at)
{
	return (const char *)r->base + r->head->strings.off + at;
}

static const char *
string_or_null(const struct rules *r, uint32_t at)
{
	return at == 0 ? NULL : string_at(r, at);
}

static const struct flat_rule *
rule_at(const struct rules *r, uint32_t rule)
{
	return (const struct flat_rule *)(const void *)(r->base + r->head->rules.off) + rule;
}

__attribute__((format(printf, 2, 3))) static void
say(char out[1200], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, 1200, fmt, ap);
	va_end(ap);
}

/* The option that would let this very thing through, and nothing more. */
static void
hint_default(const struct rules_flow *flow, const char *name, char out[1200])
{
	static const char *const protos[RULE_PROTOS] = { "tcp", "udp", "icmp" };
	char ip[ADDR_STRLEN], port[8] = "";
	bool v6;

	if (flow == NULL) {
		say(out, "--allow %s would allow it", name);
		return;
	}
	v6 = flow->dst.family == 6;
	addr_ip_str(&flow->dst, ip);
	if (flow->proto != RULE_ICMP)
		snprintf(port, sizeof(port), ":%u", flow->dst.port);
	if (flow->n_names > 0)
		say(out, "--allow %s%s/%s would allow it", flow->names[0], port,
		    protos[flow->proto]);
	else
		say(out, "--allow %s%s%s%s/%s would allow it", v6 ? "[" : "", ip, v6 ? "]" : "",
		    port, protos[flow->proto]);
}

/* The address in the form that the rule knows, where that is not how it was written. */
static void
say_known(const struct rules_verdict *v, const struct rules_flow *flow, const char *what,
    struct rules_words *out)
{
	char dst[ADDR_STRLEN], form[ADDR_STRLEN];

	addr_ip_str(flow != NULL ? &flow->dst : &v->form, dst);
	addr_ip_str(&v->form, form);
	if (strcmp(dst, form) == 0)
		snprintf(out->text, sizeof(out->text), "blocked: %s is %s", dst, what);
	else
		snprintf(out->text, sizeof(out->text), "blocked: %s stands for %s, %s", dst, form, what);
	if (flow != NULL && flow->dst.port != 0 && strstr(what, "loopback") != NULL)
		say(out->hint, "--host-port %u opens this port of the host at %s", flow->dst.port,
		    flow->dst.family == 4 ? INSIDE_HOST4 : INSIDE_HOST6);
	else
		say(out->hint, "no option allows it");
}

/* A row of known.c decided. */
static void
explain_known(const struct flat_rule *rule, const struct rules_verdict *v,
    const struct rules_flow *flow, struct rules_words *out)
{
	const struct known *row = &known_rows[rule->known < known_nrows ? rule->known : 0];

	out->reason_code = row->code;
	if (rule->class == CLASS_NEVER) {
		out->never = true;
		say_known(v, flow, row->what, out);
		return;
	}
	out->control = rule->class == CLASS_METADATA ? "--block-metadata" : "--block-private";
	snprintf(out->text, sizeof(out->text), "blocked by `%s`", out->control);
	say(out->hint, "run it without %s (this is %s)", out->control, row->what);
}

static void
explain_rule(const struct rules *r, const struct flat_rule *rule, bool allowed,
    struct rules_words *out)
{
	const char *verb = allowed ? "allowed" : "blocked", *shown = string_at(r, rule->shown);

	if (out->file == NULL)
		snprintf(out->text, sizeof(out->text), "%s by `%s %s`", verb, out->control, shown);
	else
		snprintf(out->text, sizeof(out->text), "%s by `%s %s`, line %u: `%s`", verb,
		    out->control, out->file, out->line, shown);
	if (!allowed)
		say(out->hint, "a rule that refuses beats those that allow: take it away");
}

void
rules_explain(const struct rules *r, const struct rules_verdict *v, const struct rules_flow *flow,
    const char *name, struct rules_words *out)
{
	const struct flat_rule *rule;

	memset(out, 0, sizeof(*out));
	if (v->rule >= r->head->rules.n) {
		out->reason_code = switches[v->why].code;
		out->control = switches[v->why].control;
		snprintf(out->text, sizeof(out->text), "%s", switches[v->why].text);
		if (switches[v->why].hint != NULL)
			say(out->hint, "%s", switches[v->why].hint);
		else
			hint_default(flow, name != NULL ? name : "NAME", out->hint);
		return;
	}
	rule = rule_at(r, v->rule);
	out->control = rules_sources[rule->source].option;
	out->reason_code = v->allowed ? "allowed" : rules_sources[rule->source].code;
	out->matched_cidr = string_or_null(r, rule->cidr);
	out->matched_domain = string_or_null(r, rule->domain);
	out->file = string_or_null(r, rule->file);
	out->line = rule->line;
	if (rule->class <= CLASS_PRIVATE)
		explain_known(rule, v, flow, out);
	else
		explain_rule(r, rule, v->allowed, out);
}

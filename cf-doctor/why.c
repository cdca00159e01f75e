/*
 * why.c - see why.h.
 *
 * The policy is given by the options that cf-spawn takes, and is compiled and judged by the same
 * code.  Nothing is sent: which address a name has is not looked up, but can be given.
 *
 * A name is asked for before anything goes to it, so two judgements count for it; the first that
 * refuses decides.
 *
 * Exit: 0 allowed, 1 denied, 2 wrong command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "why.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "encdns.h"
#include "forms.h"
#include "hostports.h"
#include "log.h"
#include "ruleopts.h"

struct options {
	struct ruleopts	 rules;		/* first: ruleopts.h */
	enum encdns_choice encdns;
	struct hostports host;
	struct addr	 at;		/* --at; family 0: not given */
	bool		 json;
};

struct judged {
	bool		 allowed;	/* by the rules */
	bool		 passes;	/* it leaves; also by --permissive */
	bool		 query;		/* it is the name that may not be asked for */
	struct addr	 form;		/* that decided; family 0: none did */
	struct rules_words words;
};

static const struct cli cli;

/* ---- options ---- */

CLI_SET(options, json, cli_text_or_json)

static bool
set_at(void *conf, const char *arg, char *why)
{
	if (addr_parse(arg, 1, &((struct options *)conf)->at))
		return true;
	snprintf(why, CLI_WHY_LEN, "not an address");
	return false;
}

static bool
set_block_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->encdns = ENCDNS_BLOCK;
	return true;
}

static bool
set_allow_encdns(void *conf, const char *arg, char *why)
{
	(void)arg, (void)why;
	((struct options *)conf)->encdns = ENCDNS_ALLOW;
	return true;
}

static bool
set_host_port(void *conf, const char *arg, char *why)
{
	return hostports_add(&((struct options *)conf)->host, arg, why, CLI_WHY_LEN);
}

static bool
set_help(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	cli_help(&cli);
	exit(fflush(stdout) == 0 ? 0 : 1);
}

static const struct cli_option options[] = {
	{ 0,   "at",	   "ADDR", set_at,	   "the name has this address" },
	{ 0,   "format",   "FORM", set_json,	   "text (the default) or json" },
	RULEOPTS_ROWS,
	{ 0,   "block-encrypted-dns", NULL, set_block_encdns,
	  "refuse encrypted DNS (with rules about names it always is)" },
	{ 0,   "allow-encrypted-dns", NULL, set_allow_encdns,
	  "let encrypted DNS pass by the rules about names" },
	{ 0,   "host-port", "PORTS", set_host_port, "open ports of the host's own loopback" },
	{ 'h', "help",	   NULL,   set_help,	   "print this" },
	{ 0,   NULL,	   NULL,   NULL,	   NULL }
};

static const struct cli_group groups[] = {
	{ NULL, "what is used most", "at format allow deny block-private host-port" },
	RULEOPTS_GROUP,
	{ "why", "the destination, and all else", NULL },
	{ 0 }
};

static const struct cli cli = {
	"cf-doctor why", "[options of a policy] DEST",
	"Say whether the policy that the options make would let DEST be reached, by which\n"
	"rule, and what would change it.  DEST: NAME or ADDRESS, with :PORT and /PROTOCOL, or a URL.",
	options, .groups = groups
};

/* ---- judging ---- */

/* Encrypted DNS, which is refused beside the rules. */
static bool
encdns_ok(const struct whydest *d, const struct rules_flow *flow, struct rules_words *out)
{
	const struct encdns_name *known = d->is_name ? encdns_name(d->name) : NULL;
	const char *what = known != NULL && known->answer == ENCDNS_REFUSE ? known->what :
	    flow->proto == RULE_ICMP || flow->dst.family == 0 ? NULL : encdns_flow(&flow->dst);

	if (what == NULL)
		return true;
	encdns_words(what, out);
	return false;
}

/* The host's loopback, by --host-port; false: it is not that, or some other rule refuses it. */
static bool
host_ok(const struct rules *rules, const struct options *o, const struct rules_flow *flow,
    struct rules_words *out)
{
	struct rules_verdict v;

	if (flow->dst.family == 0 || flow->proto == RULE_ICMP || !hostports_is_inside(&flow->dst) ||
	    !hostports_have(&o->host, flow->dst.port) ||
	    (!rules_judge_nowhere(rules, flow, &v) && v.why != RULES_WHY_DEFAULT))
		return false;
	*out = (struct rules_words){ .reason_code = "allowed", .control = "--host-port",
	    .text = "allowed by `--host-port`" };
	return true;
}

static void
judge(const struct rules *rules, const struct options *o, const struct whydest *d,
    struct judged *out)
{
	const char *name = d->name;
	struct rules_flow flow = { .dst = d->addr, .proto = d->proto, .names = &name,
	    .n_names = d->is_name };
	struct rules_verdict v;

	if (d->is_name && o->at.family != 0) {
		flow.dst = o->at;
		flow.dst.port = d->addr.port;
	}
	*out = (struct judged){ 0 };
	if (d->is_name && !rules_judge_name(rules, name, false, &v)) {
		out->query = true;
		/* Where it takes a permission, that should be for this port. */
		rules_explain(rules, &v, v.why == RULES_WHY_DEFAULT ? &flow : NULL, name, &out->words);
	} else {
		out->allowed = flow.dst.family != 0 ? rules_judge(rules, &flow, &v) :
		    rules_judge_nowhere(rules, &flow, &v);
		rules_explain(rules, &v, &flow, name, &out->words);
	}
	if (!d->is_name && host_ok(rules, o, &flow, &out->words))
		out->allowed = true;
	if (v.rule != RULES_NONE && out->words.matched_cidr != NULL)
		out->form = v.form;
	if (out->allowed && encdns_blocked(o->encdns, rules))
		out->allowed = encdns_ok(d, &flow, &out->words);
	out->passes = out->allowed ||
	    ((rules_flags(rules) & RULES_PERMISSIVE) != 0 && !out->words.never);
}

/* ---- saying ---- */

static const char *const protos[RULE_PROTOS] = { "tcp", "udp", "icmp" };

static const char *
verdict_word(const struct judged *j)
{
	return j->allowed ? "allowed" : j->passes ? "permitted" : "denied";
}

static size_t
forms_get(const struct options *o, const struct whydest *d, struct addr out[FORMS_MAX])
{
	const struct addr *a = d->is_name ? &o->at : &d->addr;

	return a->family != 0 ? forms_of(a, out) : 0;
}

static const char *
safe(const char *text)
{
	static char shown[4096];

	return log_escape(shown, sizeof(shown), text);
}

static void
say_text(const struct options *o, const struct whydest *d, const struct judged *j)
{
	struct addr forms[FORMS_MAX];
	size_t n = forms_get(o, d, forms);
	char text[ADDR_STRLEN];

	printf("%s: %s %s", verdict_word(j), protos[d->proto],
	    d->is_name ? d->name : addr_ip_str(&d->addr, text));
	if (d->proto != RULE_ICMP)
		printf(" port %u%s", d->addr.port, d->assumed ? " (no port was given)" : "");
	printf("\n  %s%s\n", j->query ? "the name may not be asked for: " : "",
	    safe(j->words.text));
	if (j->words.file != NULL)
		printf("  the rule stands in %s, line %u\n", safe(j->words.file), j->words.line);
	for (size_t i = 0; n > 1 && i < n; i++)
		printf("%s%s%s", i == 0 ? "  forms of the address: " : ", ",
		    addr_ip_str(&forms[i], text), i + 1 == n ? "\n" : "");
	if (j->form.family != 0 && n > 1)
		printf("  the rule is about %s\n", addr_ip_str(&j->form, text));
	if (j->words.hint[0] != '\0')
		printf("  %s\n", j->words.hint);
	if (j->passes && !j->allowed)
		printf("  --permissive lets it pass\n");
	if (d->is_name && o->at.family == 0)
		printf("  rules about addresses were not looked at (--at ADDR gives the name one)\n");
	if (d->proto != RULE_ICMP && d->addr.port == 53)
		printf("  what goes to port 53 is judged by the name that it asks for\n");
}

static json_t *
text_or_null(const char *text)
{
	return text != NULL && *text != '\0' ? json_string(text) : json_null();
}

static int
say_json(const struct options *o, const struct whydest *d, const struct judged *j)
{
	struct addr forms[FORMS_MAX];
	size_t n = forms_get(o, d, forms);
	json_t *list = json_array(), *out = json_object();
	char text[ADDR_STRLEN];
	int rc;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(addr_ip_str(&forms[i], text)));
	json_object_set_new(out, "verdict", json_string(verdict_word(j)));
	json_object_set_new(out, "protocol", json_string(protos[d->proto]));
	json_object_set_new(out, "name", text_or_null(d->name));
	json_object_set_new(out, "address", n > 0 ? json_string(addr_ip_str(&forms[0], text)) :
	    json_null());
	json_object_set_new(out, "port", d->proto == RULE_ICMP ? json_null() :
	    json_integer(d->addr.port));
	json_object_set_new(out, "forms", list);
	json_object_set_new(out, "matched_form", j->form.family == 0 ? json_null() :
	    json_string(addr_ip_str(&j->form, text)));
	json_object_set_new(out, "stage", json_string(j->query ? "dns" : "connection"));
	json_object_set_new(out, "reason_code", json_string(j->words.reason_code));
	json_object_set_new(out, "control", json_string(j->words.control));
	json_object_set_new(out, "matched_cidr", text_or_null(j->words.matched_cidr));
	json_object_set_new(out, "matched_domain", text_or_null(j->words.matched_domain));
	json_object_set_new(out, "rule_file", text_or_null(j->words.file));
	json_object_set_new(out, "rule_line", j->words.file == NULL ? json_null() :
	    json_integer(j->words.line));
	json_object_set_new(out, "reason", text_or_null(j->words.text));
	json_object_set_new(out, "hint", text_or_null(j->words.hint));
	rc = json_dumpf(out, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(out);
	return rc;
}

int
why_main(int argc, char **argv)
{
	struct options o = { 0 };
	char why[RULEOPTS_WHY], bad[RULETEXT_WHY];
	struct rules rules;
	struct whydest d;
	struct judged j;
	void *flat;
	size_t len;
	int at = cli_parse(&cli, &o, argc, argv, 2);

	log_fatal_status(2);
	if (at + 1 != argc)
		fatalx("one destination is needed (try: cf-doctor why --deny '*:25' example.com:25)");
	if (!whydest_parse(argv[at], &d, bad))
		fatalx("%s: %s (write NAME:PORT, ADDRESS:PORT or a URL)", argv[at], bad);
	if (!d.is_name && o.at.family != 0)
		fatalx("--at is for a name, and %s is an address", argv[at]);
	if ((flat = ruleopts_compile(&o.rules, &len, why)) == NULL)
		fatalx("%s", why);
	if (rules_load(flat, len, &rules) != NULL)
		fatalx("the rules were compiled and cannot be loaded");
	judge(&rules, &o, &d, &j);
	if (o.json && say_json(&o, &d, &j) != 0)
		fatalx("out of memory");
	if (!o.json)
		say_text(&o, &d, &j);
	free(flat);
	ruleopts_done(&o.rules);
	if (fflush(stdout) != 0)
		fatal("cannot write");
	return j.passes ? 0 : 1;
}

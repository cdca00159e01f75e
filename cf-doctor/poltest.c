/*
 * poltest.c - judge what a recorded run asked for by other rules; see poltest.h.
 *
 * The rules are those of a run (rules.h), and so are the words.  A name is judged as cf-dns
 * judges a query, a flow as cf-proxy judges an OPEN with the names that its address was given
 * for.  What a run would have asked for instead, had it been refused something, nobody can know.
 *
 * SPDX-License-Identifier: MIT
 */
#include "poltest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encdns.h"
#include "flowlog.h"
#include "log.h"

#define REFUSALS_MAX	4096		/* different ones; the rarest are let go */
#define SHOWN_MAX	200

struct refusal {
	uint64_t	count;
	bool		refused_then;	/* by the policy of that run already, each time */
	char		code[40], control[40], text[400], hint[400], file[256], process[KEY_MAX + 1];
	unsigned	line;
};

struct poltest {
	const struct rules *rules;
	struct recorder	*recorder;
	bool		 no_encdns;
	struct keys	 keys;
	struct refusal	 refusal[REFUSALS_MAX];
	uint64_t	 judged_flows, judged_names, refused_flows, refused_names;
};

static void
dropped(void *poltest, const struct keys *k)
{
	struct poltest *p = poltest;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			p->refusal[i].count = 0;
}

struct poltest *
poltest_new(const struct rules *rules)
{
	struct poltest *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->rules = rules;
	p->no_encdns = encdns_blocked(ENCDNS_BY_RULES, rules);
	if ((p->recorder = recorder_new()) == NULL || !keys_init(&p->keys, REFUSALS_MAX)) {
		poltest_free(p);
		return NULL;
	}
	p->keys.owner = p;
	p->keys.on_drop = dropped;
	return p;
}

void
poltest_free(struct poltest *p)
{
	if (p == NULL)
		return;
	recorder_free(p->recorder);
	keys_done(&p->keys);
	free(p);
}

unsigned long long
poltest_refused(const struct poltest *p)
{
	return p->refused_flows + p->refused_names;
}

/* ---- judging ---- */

static bool
flow_allowed(const struct poltest *p, const struct recorded *r, struct rules_words *out)
{
	struct rules_flow flow = { .dst = r->dst, .proto = r->proto, .names = r->name,
	    .n_names = r->n_names, .proxied = r->proxied };
	struct rules_verdict v;
	const char *what;

	if (!rules_judge(p->rules, &flow, &v)) {
		rules_explain(p->rules, &v, &flow, NULL, out);
		return false;
	}
	if (!p->no_encdns || r->proto == RULE_ICMP || (what = encdns_flow(&r->dst)) == NULL)
		return true;
	*out = (struct rules_words){ .reason_code = "encrypted_dns",
	    .control = "--block-encrypted-dns" };
	snprintf(out->text, sizeof(out->text), "blocked by `--block-encrypted-dns` (%s)", what);
	snprintf(out->hint, sizeof(out->hint), "--allow-encrypted-dns would allow it");
	return false;
}

static bool
name_allowed(const struct poltest *p, const struct recorded *r, struct rules_words *out)
{
	struct rules_verdict v;

	if (rules_judge_name(p->rules, r->name[0], r->proxied, &v))
		return true;
	rules_explain(p->rules, &v, NULL, r->name[0], out);
	return false;
}

/* "tcp 192.0.2.1:443 (www.example.com)", "dns www.example.com" */
static void
what_str(const struct recorded *r, char *buf, size_t size)
{
	static const char *const protos[] = { [RULE_TCP] = "tcp", [RULE_UDP] = "udp",
	    [RULE_ICMP] = "icmp" };
	char text[ADDR_STRLEN];

	if (r->kind == RECORDED_NAME)
		snprintf(buf, size, "dns %s", r->name[0]);
	else
		snprintf(buf, size, "%s %s%s%s%s", protos[r->proto],
		    r->proto == RULE_ICMP ? addr_ip_str(&r->dst, text) : addr_str(&r->dst, text),
		    r->n_names > 0 ? " (" : "", r->n_names > 0 ? r->name[0] : "",
		    r->n_names > 0 ? ")" : "");
}

static void
refusal_keep(struct poltest *p, const struct recorded *r, const struct rules_words *w)
{
	char key[NAME_STRLEN + ADDR_STRLEN + 32];
	struct refusal *f;
	int at;

	what_str(r, key, sizeof(key));
	if ((at = keys_add(&p->keys, key)) < 0)
		return;
	f = &p->refusal[at];
	if (f->count++ > 0) {
		f->refused_then = f->refused_then && r->refused;
		return;
	}
	*f = (struct refusal){ .count = 1, .refused_then = r->refused, .line = w->line };
	snprintf(f->code, sizeof(f->code), "%.39s", w->reason_code);
	snprintf(f->control, sizeof(f->control), "%.39s", w->control);
	snprintf(f->text, sizeof(f->text), "%.399s", w->text);
	snprintf(f->hint, sizeof(f->hint), "%.399s", w->hint);
	snprintf(f->file, sizeof(f->file), "%.255s", w->file != NULL ? w->file : "");
	memcpy(f->process, r->process, sizeof(f->process));
}

void
poltest_event(void *poltest, enum event_kind kind, struct evline *e)
{
	static struct recorded r;
	static struct rules_words words;
	struct poltest *p = poltest;
	bool allowed;

	if (recorded_get(p->recorder, kind, e, &r) == RECORDED_NOTHING)
		return;
	if (r.kind == RECORDED_NAME) {
		p->judged_names++;
		allowed = name_allowed(p, &r, &words);
		p->refused_names += !allowed;
	} else {
		p->judged_flows++;
		allowed = flow_allowed(p, &r, &words);
		p->refused_flows += !allowed;
	}
	if (!allowed)
		refusal_keep(p, &r, &words);
}

/* ---- telling ---- */

static int
order(const void *a, const void *b, void *poltest)
{
	const struct poltest *p = poltest;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (p->refusal[x].count != p->refusal[y].count)
		return p->refusal[x].count > p->refusal[y].count ? -1 : 1;
	return strcmp(p->keys.text[x], p->keys.text[y]);
}

static json_t *
text_or_null(const char *text)
{
	return *text != '\0' ? event_text(text, strlen(text)) : json_null();
}

static json_t *
refusal_json(const struct refusal *f, const char *what)
{
	json_t *o = json_object();

	json_object_set_new(o, "what", event_text(what, strlen(what)));
	json_object_set_new(o, "count", piece_number(f->count));
	json_object_set_new(o, "process", text_or_null(f->process));
	json_object_set_new(o, "reason_code", json_string(f->code));
	json_object_set_new(o, "control", json_string(f->control));
	json_object_set_new(o, "reason", text_or_null(f->text));
	json_object_set_new(o, "rule_file", text_or_null(f->file));
	json_object_set_new(o, "rule_line", *f->file != '\0' ? json_integer(f->line) : json_null());
	json_object_set_new(o, "hint", text_or_null(f->hint));
	json_object_set_new(o, "refused_then", json_boolean(f->refused_then));
	return o;
}

static json_t *
refusals_json(const struct poltest *p)
{
	size_t *all = calloc(REFUSALS_MAX, sizeof(*all)), n = 0;
	json_t *a = json_array();

	if (all == NULL)
		return a;
	for (size_t i = 0; i < p->keys.n; i++)
		if (p->keys.text[i] != NULL)
			all[n++] = i;
	qsort_r(all, n, sizeof(*all), order, (void *)p);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, refusal_json(&p->refusal[all[i]], p->keys.text[all[i]]));
	free(all);
	return a;
}

json_t *
poltest_model(const struct poltest *p, const struct tally *t, const char *path)
{
	json_t *o = json_object();

	json_object_set_new(o, "flow_log", event_text(path, strlen(path)));
	json_object_set_new(o, "events", piece_number(t->total));
	json_object_set_new(o, "judged_flows", piece_number(p->judged_flows));
	json_object_set_new(o, "judged_names", piece_number(p->judged_names));
	json_object_set_new(o, "refused_flows", piece_number(p->refused_flows));
	json_object_set_new(o, "refused_names", piece_number(p->refused_names));
	json_object_set_new(o, "refusals", refusals_json(p));
	json_object_set_new(o, "inexact_by", piece_number(p->keys.floor));
	json_object_set_new(o, "truncated_last_line", json_boolean(t->cut_short));
	return o;
}

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
refusal_text(FILE *f, const json_t *o)
{
	const char *hint = json_string_value(json_object_get(o, "hint")),
	    *file = json_string_value(json_object_get(o, "rule_file")),
	    *process = json_string_value(json_object_get(o, "process"));
	json_int_t count = number(o, "count");

	say_text(f, json_string_value(json_object_get(o, "what")));
	fputs(": ", f);
	say_text(f, json_string_value(json_object_get(o, "reason")));
	if (file != NULL) {
		fputs(", ", f);
		say_text(f, file);
		fprintf(f, ":%" JSON_INTEGER_FORMAT, number(o, "rule_line"));
	}
	fprintf(f, "\n  %" JSON_INTEGER_FORMAT " time%s", count, count == 1 ? "" : "s");
	if (process != NULL && strcmp(process, "unknown") != 0) {
		fputs(", first by ", f);
		say_text(f, process);
	}
	if (json_is_true(json_object_get(o, "refused_then")))
		fputs("; was refused in that run too", f);
	fputc('\n', f);
	if (hint != NULL) {
		fputs("  ", f);
		say_text(f, hint);
		fputc('\n', f);
	}
}

char *
poltest_text(const json_t *m)
{
	const json_t *refusals = json_object_get(m, "refusals");
	char *out = NULL;
	size_t len, i;
	FILE *f = open_memstream(&out, &len);
	json_t *v;

	if (f == NULL)
		return NULL;
	json_array_foreach(refusals, i, v) {
		if (i == SHOWN_MAX) {
			fprintf(f, "... and %zu more\n", json_array_size(refusals) - i);
			break;
		}
		refusal_text(f, v);
	}
	fprintf(f, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " flows and %"
	    JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " names would be refused\n",
	    number(m, "refused_flows"), number(m, "judged_flows"), number(m, "refused_names"),
	    number(m, "judged_names"));
	return fclose(f) == 0 ? out : NULL;
}

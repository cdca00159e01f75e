/*
 * model.c - the summary as one JSON object; see summary.h.
 *
 * Keys and their order are those of childflow's `--summary-format json`.  Ours stand
 * after them: reason, duration_ms, flows, bytes, limits_reached, quotas, unreadable_lines,
 * beyond_limits, warnings.  A list that is longer than its bound is cut, and beyond_limits says how
 * many events went uncounted in which.
 *
 * facts come from cf-spawn and are trusted to be honest, not to be well-formed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "summary.h"

#define TOP_COUNTS	3		/* childflow shows as many, */
#define TOP_TARGETS	3
#define TOP_ROWS	10

static struct top
top_of(size_t max)
{
	return (struct top){ .max = max };
}

static json_t *
count_new(const char *key, uint64_t n)
{
	return json_pack("{s:s, s:I}", "key", key, "count", (json_int_t)n);
}

/* ---- pieces of the flow log's part ---- */

static json_t *
list_json(const struct tally *t, enum list_kind list)
{
	struct top top = top_of(TOP_COUNTS);
	json_t *a = json_array();

	rank_list(t, list, &top);
	for (size_t i = 0; i < top.n; i++)
		json_array_append_new(a, count_new(t->list_keys[list].text[top.item[i]],
		    t->list[list][top.item[i]]));
	return a;
}

static json_t *
domains_json(const struct tally *t, const struct domain_counts *counts)
{
	struct top top = top_of(TOP_COUNTS);
	json_t *a = json_array();

	rank_domains(t, counts, &top);
	for (size_t i = 0; i < top.n; i++)
		json_array_append_new(a, count_new(t->list_keys[LIST_DOMAINS].text[top.item[i]],
		    counts->n[top.item[i]]));
	return a;
}

static json_t *
ip_domains_json(const struct tally *t, int ip)
{
	struct domain_counts counts = { 0 };

	domains_of_ip(t, ip, &counts);
	return domains_json(t, &counts);
}

static json_t *
name_domains_json(const struct tally *t, size_t name)
{
	struct domain_counts counts = { 0 };

	domains_of_name(t, name, &counts);
	return domains_json(t, &counts);
}

static json_t *
ips_json(const struct tally *t, size_t name)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->name[name].nips; i++)
		json_array_append_new(a, json_string(t->ip_keys.text[t->name[name].ip[i]]));
	return a;
}

static void
target_counts(json_t *o, const struct target *target)
{
	json_object_set_new(o, "connect_attempts", json_integer((json_int_t)target->attempts));
	json_object_set_new(o, "connect_ok", json_integer((json_int_t)target->ok));
	json_object_set_new(o, "connect_error", json_integer((json_int_t)target->error));
	json_object_set_new(o, "flow_end", json_integer((json_int_t)target->end));
}

static json_t *
targets_json(const struct tally *t, size_t name)
{
	struct top top = top_of(TOP_TARGETS);
	json_t *a = json_array(), *o;

	rank_targets_of_name(t, name, &top);
	for (size_t i = 0; i < top.n; i++) {
		o = json_pack("{s:s}", "target", t->target_keys.text[top.item[i]]);
		target_counts(o, &t->target[top.item[i]]);
		json_object_set_new(o, "matched_domains",
		    ip_domains_json(t, t->target[top.item[i]].ip));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *
name_head(const struct tally *t, size_t name)
{
	return json_pack("{s:s, s:I, s:I, s:o, s:b}", "qname", t->name_keys.text[name],
	    "queries", (json_int_t)t->name[name].queries,
	    "answers", (json_int_t)t->name[name].answers, "answer_ips", ips_json(t, name),
	    "more_answer_ips", t->name[name].more_ips);
}

static json_t *
top_name_json(const struct tally *t, bool correlated)
{
	struct top top = top_of(1);
	json_t *o;

	rank_names(t, &top, correlated);
	if (top.n == 0)
		return json_null();
	o = name_head(t, top.item[0]);
	if (correlated)
		json_object_set_new(o, "matched_domains", name_domains_json(t, top.item[0]));
	json_object_set_new(o, "targets", targets_json(t, top.item[0]));
	return o;
}

static json_t *
row_json(const struct tally *t, uint64_t row)
{
	static const struct target none = { .ip = -1 };
	size_t at = row % ROW_NAME;
	const struct target *target = at > 0 ? &t->target[at - 1] : &none;
	json_t *o = name_head(t, row / ROW_NAME);

	json_object_set_new(o, "target",
	    at > 0 ? json_string(t->target_keys.text[at - 1]) : json_null());
	json_object_set_new(o, "target_ip",
	    target->ip >= 0 ? json_string(t->ip_keys.text[target->ip]) : json_null());
	target_counts(o, target);
	json_object_set_new(o, "matched_domains", at > 0 ? ip_domains_json(t, target->ip) :
	    name_domains_json(t, row / ROW_NAME));
	return o;
}

static json_t *
rows_json(const struct tally *t)
{
	struct top top = top_of(TOP_ROWS);
	json_t *a = json_array();

	rank_rows(t, &top);
	for (size_t i = 0; i < top.n; i++)
		json_array_append_new(a, row_json(t, top.item[i]));
	return a;
}

static json_t *
top_target_json(const struct tally *t)
{
	struct top top = top_of(1), names = top_of(TOP_TARGETS);
	json_t *o, *a = json_array();

	rank_targets(t, &top);
	if (top.n == 0) {
		json_decref(a);
		return json_null();
	}
	o = json_pack("{s:s}", "target", t->target_keys.text[top.item[0]]);
	target_counts(o, &t->target[top.item[0]]);
	rank_names_of_target(t, top.item[0], &names);
	for (size_t i = 0; i < names.n; i++)
		json_array_append_new(a, json_string(t->name_keys.text[names.item[i]]));
	json_object_set_new(o, "dns_names", a);
	json_object_set_new(o, "matched_domains", ip_domains_json(t, t->target[top.item[0]].ip));
	return o;
}

static json_t *
events_json(const struct tally *t)
{
	json_t *o = json_pack("{s:I}", "total", (json_int_t)t->total);

	for (int i = 0; i < EV_COUNT; i++)
		if (i <= EV_UNKNOWN || t->events[i] > 0)	/* childflow's always, ours at need */
			json_object_set_new(o, event_names[i],
			    json_integer((json_int_t)t->events[i]));
	return o;
}

static json_t *
flow_log_json(const struct tally *t, const json_t *path)
{
	json_t *o = json_pack("{s:s}", "status", json_is_string(path) ? "available" : "disabled");

	json_object_set_new(o, "path",
	    json_is_string(path) ? json_string(json_string_value(path)) : json_null());
	json_object_set_new(o, "event_counts", events_json(t));
	json_object_set_new(o, "top_dns_name", top_name_json(t, false));
	json_object_set_new(o, "dns_policy_rows", rows_json(t));
	json_object_set_new(o, "top_dns_policy_correlation", top_name_json(t, true));
	json_object_set_new(o, "top_target", top_target_json(t));
	for (int i = 0; i < LIST_COUNT; i++)
		json_object_set_new(o, list_names[i], list_json(t, (enum list_kind)i));
	return o;
}

/* ---- ours ---- */

static void
limit_add(json_t *o, const char *name, const struct keys *k)
{
	if (k->other > 0)
		json_object_set_new(o, name, json_integer((json_int_t)k->other));
}

static json_t *
limits_json(const struct tally *t)
{
	json_t *o = json_object();

	limit_add(o, "dns_names", &t->name_keys);
	limit_add(o, "targets", &t->target_keys);
	limit_add(o, "addresses", &t->ip_keys);
	limit_add(o, "limits_reached", &t->limit_keys);
	limit_add(o, "quotas", &t->quota_keys);
	for (int i = 0; i < LIST_COUNT; i++)
		limit_add(o, list_names[i], &t->list_keys[i]);
	return o;
}

static json_t *
reached_json(const struct tally *t)
{
	json_t *o = json_object();

	for (size_t i = 0; i < t->limit_keys.n; i++)
		json_object_set_new(o, t->limit_keys.text[i], json_integer(
		    t->limit[i] > INT64_MAX ? INT64_MAX : (json_int_t)t->limit[i]));
	return o;
}

static json_t *
quotas_json(const struct tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->quota_keys.n; i++)
		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I}", "quota",
		    t->quota_keys.text[i], "used", (json_int_t)t->quota[i].used,
		    "max", (json_int_t)t->quota[i].max, "flows", (json_int_t)t->quota[i].flows));
	return list;
}

static json_t *
flows_json(const struct tally *t)
{
	json_t *o = json_object();

	for (int i = 0; i < FLOW_COUNT; i++)
		json_object_set_new(o, flow_names[i], json_integer((json_int_t)t->flows[i]));
	return o;
}

/* ---- what cf-spawn knows ---- */

static const struct {
	const char	*key;
	json_type	 type;
	bool		 needed;
	const char	*why;
} fact_types[] = {
	{ "backend",		JSON_STRING,	true,	"no backend" },
	{ "command",		JSON_ARRAY,	true,	"no command" },
	{ "exit_code",		JSON_INTEGER,	true,	"no exit_code" },
	{ "sandbox_controls",	JSON_ARRAY,	false,	"sandbox_controls is no array" },
	{ "warnings",		JSON_ARRAY,	false,	"warnings is no array" },
	{ "capture",		JSON_OBJECT,	false,	"capture is no object" },
	{ "flow_log",		JSON_STRING,	false,	"flow_log is no string" },
	{ "reason",		JSON_STRING,	false,	"reason is no string" },
	{ "duration_ms",	JSON_INTEGER,	false,	"duration_ms is no integer" },
	{ "tcp_path",		JSON_STRING,	false,	"tcp_path is no string" },
	{ "tcp_path_why",	JSON_STRING,	false,	"tcp_path_why is no string" },
};

json_t *
facts_parse(const char *bytes, size_t len, const char **why)
{
	json_t *facts = json_loadb(bytes, len, 0, NULL), *v;

	*why = len == 0 ? "there are none" : facts == NULL ? "they are no JSON" :
	    !json_is_object(facts) ? "they are no object" : NULL;
	for (size_t i = 0; *why == NULL && i < sizeof(fact_types) / sizeof(fact_types[0]); i++) {
		v = json_object_get(facts, fact_types[i].key);
		if (v == NULL || json_is_null(v))
			*why = fact_types[i].needed ? fact_types[i].why : NULL;
		else if (json_typeof(v) != fact_types[i].type)
			*why = fact_types[i].why;
	}
	if (*why == NULL)
		return facts;
	json_decref(facts);
	return NULL;
}

/* A word as a shell would take it back. */
static void
quote(FILE *f, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789@%_+=:,./-";

	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		fputs(word, f);
		return;
	}
	fputc('\'', f);
	for (; *word != '\0'; word++)
		if (*word == '\'')
			fputs("'\\''", f);
		else
			fputc(*word, f);
	fputc('\'', f);
}

static json_t *
command_json(const json_t *words)
{
	char *text = NULL;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);
	json_t *word, *out;

	if (f == NULL)
		return json_null();
	json_array_foreach(words, i, word) {
		if (i > 0)
			fputc(' ', f);
		quote(f, json_is_string(word) ? json_string_value(word) : "?");
	}
	fclose(f);
	out = json_string(text);
	free(text);
	return out;
}

/* Only the strings of an array; empty when there is none. */
static json_t *
strings_json(const json_t *array)
{
	json_t *out = json_array(), *v;
	size_t i;

	json_array_foreach(array, i, v)
		if (json_is_string(v))
			json_array_append_new(out, json_string(json_string_value(v)));
	return out;
}

static json_t *
capture_json(const json_t *capture)
{
	static const char *const keys[] = {
		"requested", "effective", "output", "child_output", "egress_output"
	};
	bool on = json_is_object(capture);
	json_t *o = json_object(), *v;

	v = json_object_get(capture, "status");
	if (json_is_string(v))
		on = strcmp(json_string_value(v), "disabled") != 0;
	json_object_set_new(o, "status", json_string(on ? "enabled" : "disabled"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		v = json_object_get(capture, keys[i]);
		json_object_set_new(o, keys[i],
		    json_is_string(v) ? json_string(json_string_value(v)) : json_null());
	}
	return o;
}

static void
copy(json_t *out, const json_t *facts, const char *key)
{
	json_t *v = json_object_get(facts, key);

	json_object_set_new(out, key, v != NULL ? json_deep_copy(v) : json_null());
}

json_t *
model_new(const struct tally *t, const json_t *facts)
{
	json_t *m = json_object();

	copy(m, facts, "backend");
	json_object_set_new(m, "command",
	    facts != NULL ? command_json(json_object_get(facts, "command")) : json_null());
	copy(m, facts, "exit_code");
	json_object_set_new(m, "sandbox_controls",
	    strings_json(json_object_get(facts, "sandbox_controls")));
	json_object_set_new(m, "capture", capture_json(json_object_get(facts, "capture")));
	json_object_set_new(m, "flow_log", flow_log_json(t, json_object_get(facts, "flow_log")));
	copy(m, facts, "reason");
	copy(m, facts, "duration_ms");
	copy(m, facts, "tcp_path");
	copy(m, facts, "tcp_path_why");
	json_object_set_new(m, "flows", flows_json(t));
	json_object_set_new(m, "bytes", json_pack("{s:I, s:I}", "up", (json_int_t)t->up_bytes,
	    "down", (json_int_t)t->down_bytes));
	json_object_set_new(m, "limits_reached", reached_json(t));
	json_object_set_new(m, "quotas", quotas_json(t));
	json_object_set_new(m, "unreadable_lines", json_pack("{s:I, s:I}",
	    "malformed", (json_int_t)t->malformed, "too_long", (json_int_t)t->too_long));
	json_object_set_new(m, "beyond_limits", limits_json(t));
	json_object_set_new(m, "warnings", strings_json(json_object_get(facts, "warnings")));
	return m;
}

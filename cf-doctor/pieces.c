/*
 * pieces.c - parts of the JSON objects that the summary (model.c) and the report (logmodel.c)
 * share: names, targets, rows and counts, with childflow's keys in childflow's order.
 *
 * Ours stand behind those of childflow, and only where there is something to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "summary.h"

#define TOP_TARGETS	3

static struct top
top_of(size_t max)
{
	return (struct top){ .max = max };
}

json_t *
piece_number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *
count_new(const char *key, uint64_t n)
{
	json_t *o = json_pack("{s:s}", "key", key);

	json_object_set_new(o, "count", piece_number(n));
	return o;
}

json_t *
piece_list(const struct tally *t, enum list_kind list, size_t most)
{
	struct top top = top_of(most < TOP_MAX ? most : TOP_MAX);
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
	struct top top = top_of(t->size->shown);
	json_t *a = json_array();

	rank_domains(t, counts, &top);
	for (size_t i = 0; i < top.n; i++)
		json_array_append_new(a, count_new(
		    t->list_keys[LIST_DOMAINS].text[counts->at[top.item[i]].domain],
		    counts->at[top.item[i]].count));
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
	json_object_set_new(o, "connect_attempts", piece_number(target->attempts));
	json_object_set_new(o, "connect_ok", piece_number(target->ok));
	json_object_set_new(o, "connect_error", piece_number(target->error));
	json_object_set_new(o, "flow_end", piece_number(target->end));
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
	json_t *o = json_pack("{s:s}", "qname", t->name_keys.text[name]);

	json_object_set_new(o, "queries", piece_number(t->name[name].queries));
	json_object_set_new(o, "answers", piece_number(t->name[name].answers));
	json_object_set_new(o, "answer_ips", ips_json(t, name));
	return o;
}

static void
name_tail(const struct tally *t, size_t name, json_t *o)
{
	if (t->name[name].more_ips)
		json_object_set_new(o, "more_answer_ips", json_true());
}

json_t *
piece_names(const struct tally *t, enum names_wanted wanted, size_t most, bool targets)
{
	struct top top = top_of(most);
	json_t *a = json_array(), *o;

	rank_names(t, &top, wanted);
	for (size_t i = 0; i < top.n; i++) {
		o = name_head(t, top.item[i]);
		if (wanted == NAMES_CORRELATED)
			json_object_set_new(o, "matched_domains", name_domains_json(t, top.item[i]));
		if (targets)
			json_object_set_new(o, "targets", targets_json(t, top.item[i]));
		name_tail(t, top.item[i], o);
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *
row_json(const struct tally *t, uint64_t row)
{
	static const struct target none = { .ip = -1 };
	size_t at = ROW_TARGET(row), name = ROW_NAME(row);
	const struct target *target = at > 0 ? &t->target[at - 1] : &none;
	json_t *o = name_head(t, name);

	json_object_set_new(o, "target",
	    at > 0 ? json_string(t->target_keys.text[at - 1]) : json_null());
	json_object_set_new(o, "target_ip",
	    target->ip >= 0 ? json_string(t->ip_keys.text[target->ip]) : json_null());
	target_counts(o, target);
	json_object_set_new(o, "matched_domains", at > 0 ? ip_domains_json(t, target->ip) :
	    name_domains_json(t, name));
	name_tail(t, name, o);
	return o;
}

json_t *
piece_rows(const struct tally *t, size_t most)
{
	struct top top = top_of(most);
	json_t *a = json_array();

	rank_rows(t, &top);
	for (size_t i = 0; i < top.n; i++)
		json_array_append_new(a, row_json(t, top.item[i]));
	return a;
}

static json_t *
names_of_target(const struct tally *t, size_t target)
{
	struct top names = top_of(t->size->shown);
	json_t *a = json_array();

	rank_names_of_target(t, target, &names);
	for (size_t i = 0; i < names.n; i++)
		json_array_append_new(a, json_string(t->name_keys.text[names.item[i]]));
	return a;
}

json_t *
piece_targets(const struct tally *t, size_t most, bool bytes)
{
	struct top top = top_of(most);
	json_t *a = json_array(), *o;

	rank_targets(t, &top);
	for (size_t i = 0; i < top.n; i++) {
		const struct target *target = &t->target[top.item[i]];

		o = json_pack("{s:s}", "target", t->target_keys.text[top.item[i]]);
		target_counts(o, target);
		json_object_set_new(o, "dns_names", names_of_target(t, top.item[i]));
		json_object_set_new(o, "matched_domains", ip_domains_json(t, target->ip));
		if (bytes) {
			json_object_set_new(o, "bytes_up", piece_number(target->up));
			json_object_set_new(o, "bytes_down", piece_number(target->down));
		}
		json_array_append_new(a, o);
	}
	return a;
}

json_t *
piece_events(const struct tally *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "total", piece_number(t->total));
	for (int i = 0; i < EV_COUNT; i++)
		if (i <= EV_UNKNOWN || t->events[i] > 0)	/* childflow's always, ours at need */
			json_object_set_new(o, event_names[i], piece_number(t->events[i]));
	return o;
}

/* ---- ours ---- */

/* name: how much of each table; other or floor of its keys. */
static json_t *
tables_json(const struct tally *t, bool floors)
{
	const struct { const char *name; const struct keys *keys; } tables[] = {
		{ "dns_names", &t->name_keys }, { "targets", &t->target_keys },
		{ "addresses", &t->ip_keys }, { "limits_reached", &t->limit_keys },
		{ "quotas", &t->quota_keys }, { "talks", &t->talk_keys },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) + LIST_COUNT; i++) {
		size_t list = i - sizeof(tables) / sizeof(tables[0]);
		bool is_list = i >= sizeof(tables) / sizeof(tables[0]);
		const struct keys *k = is_list ? &t->list_keys[list] : tables[i].keys;
		uint64_t n = floors ? k->floor : k->other;

		if (n > 0)
			json_object_set_new(o, is_list ? list_names[list] : tables[i].name,
			    piece_number(n));
	}
	return o;
}

/* Events whose name, target, ... was let go. */
json_t *
piece_beyond(const struct tally *t)
{
	return tables_json(t, false);
}

/* By how much a count may be too low. */
json_t *
piece_inexact(const struct tally *t)
{
	return tables_json(t, true);
}

json_t *
piece_limits(const struct tally *t)
{
	json_t *o = json_object();

	for (size_t i = 0; i < t->limit_keys.n; i++)
		if (t->limit_keys.text[i] != NULL)
			json_object_set_new(o, t->limit_keys.text[i], piece_number(t->limit[i]));
	return o;
}

json_t *
piece_quotas(const struct tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->quota_keys.n; i++)
		if (t->quota_keys.text[i] != NULL)
			json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "quota",
			    t->quota_keys.text[i], "used", piece_number(t->quota[i].used),
			    "max", piece_number(t->quota[i].max),
			    "flows", piece_number(t->quota[i].flows)));
	return list;
}

json_t *
piece_flows(const struct tally *t)
{
	json_t *o = json_object();

	for (int i = 0; i < FLOW_COUNT; i++)
		json_object_set_new(o, flow_names[i], piece_number(t->flows[i]));
	return o;
}

json_t *
piece_bytes(const struct tally *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "up", piece_number(t->up_bytes));
	json_object_set_new(o, "down", piece_number(t->down_bytes));
	return o;
}

json_t *
piece_unreadable(const struct tally *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "malformed", piece_number(t->malformed));
	json_object_set_new(o, "too_long", piece_number(t->too_long));
	return o;
}

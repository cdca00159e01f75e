/*
 * logmodel.c - the report as one JSON object; see flowlog.h.
 *
 * Keys and their order are those of childflow's `--report --report-format json`.  Behind them
 * stand ours: bytes, flows, verdicts, talks, processes, timeline, lines that were no event, and by
 * how much counts may be too low where a log has more names than are kept apart.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"

#define TOP_NAMES	10		/* childflow shows as many */
#define TOP_ROWS	100
#define TOP_TALKS	200
#define TOP_PROCESSES	50

/* Which lists are there as a map and as a ranked array, in childflow's order. */
static const enum list_kind paired[] = {
	LIST_VIOLATIONS, LIST_CONTROLS, LIST_DOMAINS, LIST_ERRORS, LIST_FAILURES, LIST_PHASES
};

static json_t *
map_of(const json_t *counts)
{
	json_t *o = json_object(), *v;
	size_t i;

	json_array_foreach(counts, i, v) {
		json_object_set(o, json_string_value(json_object_get(v, "key")),
		    json_object_get(v, "count"));
	}
	return o;
}

/* name: the map; sorted_name: the array. */
static void
pair_set(json_t *m, const struct tally *t, enum list_kind list)
{
	json_t *counts = piece_list(t, list, TOP_MAX);
	char sorted[64];

	snprintf(sorted, sizeof(sorted), "sorted_%s", list_names[list]);
	json_object_set_new(m, list_names[list], map_of(counts));
	json_object_set_new(m, sorted, counts);
}

static json_t *
versions_json(const struct tally *t)
{
	json_t *a = json_array();

	for (size_t i = 0; i < t->nversions; i++)
		json_array_append_new(a, json_integer(t->version[i]));
	return a;
}

static json_t *
proxy_json(const struct tally *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "proxied_connect_attempts", piece_number(t->proxied));
	json_object_set_new(o, "direct_connect_attempts", piece_number(t->direct));
	return o;
}

/* ---- ours ---- */

static json_t *
verdicts_json(const struct tally *t)
{
	static const char *const rows[VERDICT_ROWS] = { "tcp", "udp", "icmp", "dns" };
	static const char *const columns[VERDICT_COUNT] = {
		"attempts", "ok", "error", "denied", "permitted"
	};
	json_t *o = json_object(), *row;

	for (size_t i = 0; i < VERDICT_ROWS; i++) {
		row = json_object();
		for (size_t j = 0; j < VERDICT_COUNT; j++)
			json_object_set_new(row, columns[j], piece_number(t->verdict[i][j]));
		json_object_set_new(o, rows[i], row);
	}
	return o;
}

static void
talk_counts(json_t *o, const struct talk *talk)
{
	json_object_set_new(o, "flows", piece_number(talk->flows));
	json_object_set_new(o, "denied", piece_number(talk->denied));
	json_object_set_new(o, "bytes_up", piece_number(talk->up));
	json_object_set_new(o, "bytes_down", piece_number(talk->down));
}

static void
talk_add(struct talk *sum, const struct talk *talk)
{
	sum->flows += talk->flows;
	sum->denied += talk->denied;
	sum->up += talk->up;
	sum->down += talk->down;
}

static json_t *
process_name(const char *key)
{
	return json_stringn(key, strcspn(key, "\n"));
}

/* The rest as one row, so that the sums of a table are those of the log. */
static void
others_append(json_t *a, const struct talk *rest, size_t n, json_t *o)
{
	if (n == 0) {
		json_decref(o);
		return;
	}
	talk_counts(o, rest);
	json_object_set_new(o, "others", piece_number(n));
	json_array_append_new(a, o);
}

static json_t *
talks_json(const struct tally *t)
{
	static struct top top;
	struct talk rest = { 0 };
	json_t *a = json_array(), *o;

	top = (struct top){ .max = TOP_TALKS };
	rank_talks(t, &top);
	for (size_t i = 0; i < t->talk_keys.n; i++)
		if (t->talk_keys.text[i] != NULL)
			talk_add(&rest, &t->talk[i]);
	for (size_t i = 0; i < top.n; i++) {
		const char *key = t->talk_keys.text[top.item[i]];
		const struct talk *talk = &t->talk[top.item[i]];

		o = json_object();
		json_object_set_new(o, "process", process_name(key));
		json_object_set_new(o, "peer", json_string(key + strcspn(key, "\n") + 1));
		talk_counts(o, talk);
		json_array_append_new(a, o);
		rest.flows -= talk->flows;
		rest.denied -= talk->denied;
		rest.up -= talk->up;
		rest.down -= talk->down;
	}
	others_append(a, &rest, t->talk_keys.n - t->talk_keys.nvacant - top.n,
	    json_pack("{s:s, s:s}", "process", "others", "peer", "others"));
	return a;
}

/* ---- processes: the talks of each, added up ---- */

struct process {
	const char	*key;		/* up to its newline */
	struct talk	 sum;
	size_t		 peers;
};

static int
process_compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t m = strcspn(x, "\n"), n = strcspn(y, "\n");
	int order = memcmp(x, y, m < n ? m : n);

	return order != 0 ? order : (m > n) - (m < n);
}

static int
talk_index_compare(const void *a, const void *b, void *tally)
{
	const struct tally *t = tally;

	return process_compare(&t->talk_keys.text[*(const uint32_t *)a],
	    &t->talk_keys.text[*(const uint32_t *)b]);
}

static int
bytes_compare(const void *a, const void *b)
{
	const struct process *x = a, *y = b;
	double p = (double)x->sum.up + (double)x->sum.down, q = (double)y->sum.up + (double)y->sum.down;

	if (p != q)
		return p > q ? -1 : 1;
	if (x->sum.denied != y->sum.denied)
		return x->sum.denied > y->sum.denied ? -1 : 1;
	return process_compare(&x->key, &y->key);
}

/* Returns how many; out has room for as many as there are talks. */
static size_t
processes_gather(const struct tally *t, uint32_t *order, struct process *out)
{
	size_t n = 0, found = 0;

	for (size_t i = 0; i < t->talk_keys.n; i++)
		if (t->talk_keys.text[i] != NULL)
			order[n++] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), talk_index_compare, (void *)t);
	for (size_t i = 0; i < n; i++) {
		const char *key = t->talk_keys.text[order[i]];

		if (found == 0 || process_compare(&out[found - 1].key, &key) != 0)
			out[found++] = (struct process){ .key = key };
		talk_add(&out[found - 1].sum, &t->talk[order[i]]);
		out[found - 1].peers++;
	}
	qsort(out, found, sizeof(*out), bytes_compare);
	return found;
}

static json_t *
processes_json(const struct tally *t)
{
	size_t most = t->talk_keys.n + 1, n = 0, i;
	uint32_t *order = calloc(most, sizeof(*order));
	struct process *p = calloc(most, sizeof(*p));
	struct talk rest = { 0 };
	json_t *a = json_array(), *o;

	if (order != NULL && p != NULL)
		n = processes_gather(t, order, p);
	for (i = 0; i < n && i < TOP_PROCESSES; i++) {
		o = json_object();
		json_object_set_new(o, "process", process_name(p[i].key));
		json_object_set_new(o, "peers", piece_number(p[i].peers));
		talk_counts(o, &p[i].sum);
		json_array_append_new(a, o);
	}
	for (size_t j = i; j < n; j++)
		talk_add(&rest, &p[j].sum);
	others_append(a, &rest, n - i, json_pack("{s:s, s:i}", "process", "others", "peers", 0));
	free(order);
	free(p);
	return a;
}

/* ---- time ---- */

static int
start_compare(const void *a, const void *b)
{
	const struct flow *x = *(struct flow *const *)a, *y = *(struct flow *const *)b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return strcmp(x->peer, y->peer);
}

static json_t *
flows_json(const struct tally *t)
{
	const struct flow *order[FLOWS_MAX];
	json_t *a = json_array(), *o;

	for (size_t i = 0; i < t->nflows; i++)
		order[i] = &t->flow[i];
	qsort(order, t->nflows, sizeof(struct flow *), start_compare);
	for (size_t i = 0; i < t->nflows; i++) {
		o = json_pack("{s:I, s:I, s:s, s:s}", "start_ms", (json_int_t)order[i]->start,
		    "end_ms", (json_int_t)order[i]->end, "process", order[i]->process,
		    "peer", order[i]->peer);
		json_object_set_new(o, "bytes_up", piece_number(order[i]->up));
		json_object_set_new(o, "bytes_down", piece_number(order[i]->down));
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *
slices_json(const struct tally *t)
{
	json_t *a = json_array(), *o;

	for (size_t i = 0; i < SLICES; i++) {
		const struct slice *s = &t->slice[i];

		if (s->flows + s->denied == 0)
			continue;
		o = json_pack("{s:I}", "slice", (json_int_t)i);
		talk_counts(o, &(struct talk){ s->flows, s->denied, s->up, s->down });
		json_array_append_new(a, o);
	}
	return a;
}

static json_t *
timeline_json(const struct tally *t)
{
	json_t *o = json_object(), *others = json_object();

	json_object_set_new(o, "first_ms", t->timed ? json_integer(t->first_ms) : json_null());
	json_object_set_new(o, "last_ms", t->timed ? json_integer(t->last_ms) : json_null());
	json_object_set_new(o, "slice_start_ms", json_integer(t->slice_start));
	json_object_set_new(o, "slice_ms", json_integer(t->slice_ms));
	json_object_set_new(o, "slices", slices_json(t));
	json_object_set_new(o, "largest_flows", flows_json(t));
	json_object_set_new(others, "flows", piece_number(t->n_other_flows));
	json_object_set_new(others, "bytes_up", piece_number(t->other_flows.up));
	json_object_set_new(others, "bytes_down", piece_number(t->other_flows.down));
	json_object_set_new(o, "other_flows", others);
	return o;
}

static void
ours_set(json_t *m, const struct tally *t)
{
	json_object_set_new(m, "flows", piece_flows(t));
	json_object_set_new(m, "bytes", piece_bytes(t));
	json_object_set_new(m, "verdicts", verdicts_json(t));
	json_object_set_new(m, "processes", processes_json(t));
	json_object_set_new(m, "talks", talks_json(t));
	json_object_set_new(m, "denied", piece_list(t, LIST_DENIED, TOP_MAX));
	json_object_set_new(m, "limits_reached", piece_limits(t));
	json_object_set_new(m, "timeline", timeline_json(t));
	json_object_set_new(m, "lines", piece_number(t->number));
	json_object_set_new(m, "truncated_last_line", json_boolean(t->cut_short));
	json_object_set_new(m, "unreadable_lines", piece_unreadable(t));
	json_object_set_new(m, "beyond_limits", piece_beyond(t));
	json_object_set_new(m, "inexact_by", piece_inexact(t));
}

/* A path is any bytes; JSON has only text. */
static json_t *
path_json(const char *path)
{
	return event_text(path, strlen(path));
}

json_t *
logmodel_new(const struct tally *t, const char *path)
{
	json_t *m = json_object(), *protocols = piece_list(t, LIST_PROTOCOLS, TOP_MAX);

	json_object_set_new(m, "flow_log", path_json(path));
	json_object_set_new(m, "schema_versions", versions_json(t));
	json_object_set_new(m, "event_counts", piece_events(t));
	json_object_set_new(m, "protocols", map_of(protocols));
	json_object_set_new(m, "sorted_protocols", protocols);
	json_object_set_new(m, "top_dns_names", piece_names(t, NAMES_ALL, TOP_NAMES, false));
	json_object_set_new(m, "dns_target_correlations",
	    piece_names(t, NAMES_WITH_TARGET, TOP_NAMES, true));
	json_object_set_new(m, "dns_policy_correlations",
	    piece_names(t, NAMES_CORRELATED, TOP_NAMES, true));
	json_object_set_new(m, "dns_policy_rows", piece_rows(t, TOP_ROWS));
	json_object_set_new(m, "proxy_usage", proxy_json(t));
	for (size_t i = 0; i < sizeof(paired) / sizeof(paired[0]); i++)
		pair_set(m, t, paired[i]);
	json_object_set_new(m, "top_connection_targets", piece_targets(t, TOP_NAMES, true));
	ours_set(m, t);
	return m;
}

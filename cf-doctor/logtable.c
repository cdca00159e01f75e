/*
 * logtable.c - the parts of a report as tables: which there are, their columns and their cells.
 *
 * Markdown and HTML differ in what stands around a cell and in how a string is made harmless;
 * all else is said here once.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "flowlog.h"

#define ATTEMPTS								\
	{ "Attempts", "connect_attempts", CELL_NUMBER },			\
	{ "OK", "connect_ok", CELL_NUMBER }, { "Errors", "connect_error", CELL_NUMBER }
#define COUNTS(what)	{ { what, "key", CELL_TEXT }, { "Count", "count", CELL_NUMBER } }
#define NAME									\
	{ "Name", "qname", CELL_TEXT }, { "Queries", "queries", CELL_NUMBER },	\
	{ "Answers", "answers", CELL_NUMBER }, { "Addresses", "answer_ips", CELL_TEXTS }
#define TALK									\
	{ "Flows", "flows", CELL_NUMBER }, { "Denied", "denied", CELL_NUMBER },	\
	{ "Bytes up", "bytes_up", CELL_BYTES }, { "Bytes down", "bytes_down", CELL_BYTES }

const struct table tables[] = {
	{ NULL, "Event counts", "event_counts", COUNTS("Event") },
	{ "Traffic overview", "Processes", "processes",
	  { { "Process", "process", CELL_TEXT }, { "Peers", "peers", CELL_NUMBER }, TALK } },
	{ "Traffic overview", "Who talked to whom", "talks",
	  { { "Process", "process", CELL_TEXT }, { "Peer", "peer", CELL_TEXT }, TALK } },
	{ "Traffic overview", "Protocols", "sorted_protocols", COUNTS("Protocol") },
	{ "DNS overview", "Top DNS names", "top_dns_names", { NAME } },
	{ "DNS overview", "DNS target correlations", "dns_target_correlations",
	  { NAME, { "Targets", "targets", CELL_TARGETS } } },
	{ "DNS overview", "DNS policy correlations", "dns_policy_correlations",
	  { NAME, { "Matched domains", "matched_domains", CELL_COUNTS },
	    { "Targets", "targets", CELL_TARGETS } } },
	{ "DNS overview", "DNS policy rows", "dns_policy_rows",
	  { { "Name", "qname", CELL_TEXT }, { "Target", "target", CELL_TEXT },
	    { "Addresses", "answer_ips", CELL_TEXTS }, ATTEMPTS,
	    { "Matched domains", "matched_domains", CELL_COUNTS } } },
	{ "Policy overview", "Denied", "denied", COUNTS("What") },
	{ "Policy overview", "Policy violations", "sorted_policy_violations", COUNTS("Reason") },
	{ "Policy overview", "Policy controls", "sorted_policy_controls", COUNTS("Control") },
	{ "Policy overview", "Policy matched domains", "sorted_policy_matched_domains",
	  COUNTS("Domain") },
	{ "Runtime overview", "Top connection targets", "top_connection_targets",
	  { { "Target", "target", CELL_TEXT }, { "Names", "dns_names", CELL_TEXTS }, ATTEMPTS,
	    { "Bytes up", "bytes_up", CELL_BYTES }, { "Bytes down", "bytes_down", CELL_BYTES } } },
	{ "Runtime overview", "Proxy usage", "proxy_usage", COUNTS("Way") },
	{ "Runtime overview", "Connect errors", "sorted_connect_errors", COUNTS("Error") },
	{ "Runtime overview", "Runtime failures", "sorted_runtime_failures", COUNTS("Failure") },
	{ "Runtime overview", "Runtime failure phases", "sorted_runtime_failure_phases",
	  COUNTS("Phase") },
	{ .title = NULL }
};

json_t *
table_rows(const json_t *model, const struct table *table)
{
	json_t *value = json_object_get(model, table->key), *rows, *n;
	const char *key;

	if (!json_is_object(value))
		return json_incref(value);
	rows = json_array();
	json_object_foreach(value, key, n) {
		json_array_append_new(rows, json_pack("{s:s, s:O}", "key", key, "count", n));
	}
	return rows;
}

void
table_bytes(FILE *f, json_int_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < sizeof(units) / sizeof(units[0]); i++)
		v /= 1024;
	fprintf(f, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
}

static void
texts(FILE *f, const json_t *array, void (*say)(FILE *, const char *))
{
	json_t *v;
	size_t i;

	if (json_array_size(array) == 0)
		fputs("none", f);
	json_array_foreach(array, i, v) {
		fputs(i > 0 ? ", " : "", f);
		say(f, json_string_value(v));
	}
}

/* Of {key: string, count: n}. */
static void
counts(FILE *f, const json_t *array, const char *key, const char *count,
    void (*say)(FILE *, const char *))
{
	json_t *v;
	size_t i;

	if (json_array_size(array) == 0)
		fputs("none", f);
	json_array_foreach(array, i, v) {
		fputs(i > 0 ? ", " : "", f);
		say(f, json_string_value(json_object_get(v, key)));
		fprintf(f, " (%" JSON_INTEGER_FORMAT ")", json_integer_value(json_object_get(v, count)));
	}
}

void
table_cell(FILE *f, const json_t *row, const struct column *column,
    void (*say)(FILE *, const char *))
{
	const json_t *v = json_object_get(row, column->key);

	switch (column->cell) {
	case CELL_NUMBER:
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case CELL_BYTES:
		table_bytes(f, json_integer_value(v));
		break;
	case CELL_TEXTS:
		texts(f, v, say);
		if (json_is_true(json_object_get(row, "more_answer_ips")) &&
		    strcmp(column->key, "answer_ips") == 0)
			fputs(", ...", f);
		break;
	case CELL_COUNTS:
		counts(f, v, "key", "count", say);
		break;
	case CELL_TARGETS:
		counts(f, v, "target", "connect_attempts", say);
		break;
	case CELL_TEXT:
		say(f, json_is_string(v) ? json_string_value(v) : "none");
		if (json_is_integer(json_object_get(row, "others")) && v ==
		    json_object_get(row, "process"))
			fprintf(f, " (%" JSON_INTEGER_FORMAT ")",
			    json_integer_value(json_object_get(row, "others")));
		break;
	}
}

/* ---- highlights ---- */

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void
first_count(const json_t *model, const char *key, const char *label, FILE *f,
    void (*say)(FILE *, const char *))
{
	const json_t *first = json_array_get(json_object_get(model, key), 0);

	if (first == NULL)
		return;
	fprintf(f, ", most often %s", label);
	say(f, json_string_value(json_object_get(first, "key")));
	fprintf(f, " (%" JSON_INTEGER_FORMAT ")", number(first, "count"));
}

static void
policy_sentence(const json_t *model, FILE *f, void (*say)(FILE *, const char *))
{
	const char *protocol;
	json_int_t n = 0;
	json_t *row;

	json_object_foreach(json_object_get(model, "verdicts"), protocol, row) {
		n += number(row, "denied");
	}
	if (n == 0) {
		fputs("Nothing was refused by the policy", f);
		return;
	}
	fprintf(f, "%" JSON_INTEGER_FORMAT " refused by the policy", n);
	first_count(model, "denied", "", f, say);
}

static void
flows_sentence(const json_t *model, FILE *f)
{
	const json_t *flows = json_object_get(model, "flows"), *bytes = json_object_get(model, "bytes");

	fprintf(f, "%" JSON_INTEGER_FORMAT " flows opened, ", number(flows, "tcp") +
	    number(flows, "udp") + number(flows, "icmp"));
	table_bytes(f, number(bytes, "up"));
	fputs(" up, ", f);
	table_bytes(f, number(bytes, "down"));
	fputs(" down", f);
}

static void
doubt_sentence(const json_t *model, FILE *f)
{
	const json_t *bad = json_object_get(model, "unreadable_lines");
	json_int_t n = number(bad, "malformed") + number(bad, "too_long");

	fprintf(f, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " lines %s no event", n,
	    number(model, "lines"), n == 1 ? "is" : "are");
	if (json_is_true(json_object_get(model, "truncated_last_line")))
		fputs(" (the last one has no end)", f);
}

void
table_highlights(const json_t *model, FILE *f, void (*say)(FILE *, const char *),
    const char *before, const char *after)
{
	const json_t *events = json_object_get(model, "event_counts"), *bad =
	    json_object_get(model, "unreadable_lines");

	fprintf(f, "%s%" JSON_INTEGER_FORMAT " events%s", before, number(events, "total"), after);
	fputs(before, f);
	flows_sentence(model, f);
	fprintf(f, "%s%s", after, before);
	policy_sentence(model, f, say);
	fputs(after, f);
	if (json_array_size(json_object_get(model, "sorted_connect_errors")) > 0) {
		fprintf(f, "%sConnections failed", before);
		first_count(model, "sorted_connect_errors", "with ", f, say);
		fputs(after, f);
	}
	if (number(bad, "malformed") + number(bad, "too_long") > 0) {
		fputs(before, f);
		doubt_sentence(model, f);
		fputs(after, f);
	}
	if (json_object_size(json_object_get(model, "inexact_by")) > 0)
		fprintf(f, "%sThere were more different names or addresses than are kept apart: "
		    "rare ones are missing, and some counts are too low (see inexact_by)%s", before, after);
}

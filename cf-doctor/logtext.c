/*
 * logtext.c - the report as lines for a person; see flowlog.h.
 *
 * Sections, their order and the form of their lines are childflow's; ours stand behind them.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"
#include "sayjson.h"

/* ---- a line of each kind ---- */

static void
line_count(FILE *f, const json_t *o)
{
	put(f, o, "key");
	fprintf(f, ": %" JSON_INTEGER_FORMAT, number(o, "count"));
}

static void
name_start(FILE *f, const json_t *o)
{
	put(f, o, "qname");
	fprintf(f, ": queries=%" JSON_INTEGER_FORMAT ", answers=%" JSON_INTEGER_FORMAT ", answer_ips=",
	    number(o, "queries"), number(o, "answers"));
	put_list(f, json_object_get(o, "answer_ips"));
	if (json_is_true(json_object_get(o, "more_answer_ips")))
		fputs(", ...", f);
}

static void
put_target(FILE *f, const json_t *target)
{
	put(f, target, "target");
	fputs(" (", f);
	put_attempts(f, target);
	fputc(')', f);
}

static void
put_targets(FILE *f, const json_t *o)
{
	fputs(", targets=", f);
	put_each(f, json_object_get(o, "targets"), put_target);
}

static void
line_name(FILE *f, const json_t *o)
{
	name_start(f, o);
}

static void
line_correlation(FILE *f, const json_t *o)
{
	name_start(f, o);
	put_targets(f, o);
}

static void
line_policy(FILE *f, const json_t *o)
{
	name_start(f, o);
	fputs(", matched_domains=", f);
	put_counts(f, json_object_get(o, "matched_domains"));
	put_targets(f, o);
}

static void
line_target(FILE *f, const json_t *o)
{
	put(f, o, "target");
	fputs(": ", f);
	put_attempts(f, o);
	fputs(", dns_names=", f);
	put_list(f, json_object_get(o, "dns_names"));
	fputs(", matched_domains=", f);
	put_counts(f, json_object_get(o, "matched_domains"));
}

static void
put_talk(FILE *f, const json_t *o)
{
	fprintf(f, ": flows=%" JSON_INTEGER_FORMAT ", denied=%" JSON_INTEGER_FORMAT ", bytes_up=%"
	    JSON_INTEGER_FORMAT ", bytes_down=%" JSON_INTEGER_FORMAT, number(o, "flows"),
	    number(o, "denied"), number(o, "bytes_up"), number(o, "bytes_down"));
}

static void
line_process(FILE *f, const json_t *o)
{
	put(f, o, "process");
	put_talk(f, o);
}

static void
line_talk(FILE *f, const json_t *o)
{
	put(f, o, "process");
	fputs(" -> ", f);
	put(f, o, "peer");
	put_talk(f, o);
}

/* ---- sections ---- */

static const struct section {
	const char	*label, *key;
	void		(*line)(FILE *, const json_t *);
	size_t		 most;		/* lines */
} lists[] = {
	{ "protocols",			"sorted_protocols",		line_count,	100 },
	{ "top-dns-names",		"top_dns_names",		line_name,	100 },
	{ "dns-target-correlations",	"dns_target_correlations",	line_correlation, 100 },
	{ "dns-policy-correlations",	"dns_policy_correlations",	line_policy,	100 },
	{ "proxy-usage",		"proxy_usage",			NULL,		0 },
	{ "policy-violations",		"sorted_policy_violations",	line_count,	100 },
	{ "policy-controls",		"sorted_policy_controls",	line_count,	100 },
	{ "policy-matched-domains",	"sorted_policy_matched_domains", line_count,	100 },
	{ "connect-errors",		"sorted_connect_errors",	line_count,	100 },
	{ "runtime-failures",		"sorted_runtime_failures",	line_count,	100 },
	{ "runtime-failure-phases",	"sorted_runtime_failure_phases", line_count,	100 },
	{ "top-connection-targets",	"top_connection_targets",	line_target,	100 },
	{ "flows",			"flows",			NULL,		0 },
	{ "bytes",			"bytes",			NULL,		0 },
	{ "verdicts",			"verdicts",			NULL,		0 },
	{ "processes",			"processes",			line_process,	20 },
	{ "who-talked-to-whom",		"talks",			line_talk,	30 },
	{ "denied",			"denied",			line_count,	30 },
};

/* "  k: n" of {k: n}, "  k: a=n, b=n" of {k: {a: n, b: n}}. */
static void
put_object(FILE *f, const json_t *o)
{
	const char *key, *inner, *sep;
	json_t *v, *w;

	json_object_foreach((json_t *)o, key, v) {
		fputs("  ", f);
		say_text(f, key);
		sep = ": ";
		if (json_is_integer(v))
			fprintf(f, ": %" JSON_INTEGER_FORMAT, json_integer_value(v));
		else
			json_object_foreach(v, inner, w) {
				fprintf(f, "%s%s=%" JSON_INTEGER_FORMAT, sep, inner, json_integer_value(w));
				sep = ", ";
			}
		fputc('\n', f);
	}
}

static void
put_section(FILE *f, const struct section *s, const json_t *value)
{
	json_t *v;
	size_t i;

	fprintf(f, "%s:\n", s->label);
	if (s->line == NULL) {
		put_object(f, value);
		return;
	}
	if (json_array_size(value) == 0)
		fputs("  <none>\n", f);
	json_array_foreach(value, i, v) {
		if (i == s->most) {
			fprintf(f, "  ... and %zu more\n", json_array_size(value) - i);
			break;
		}
		fputs("  ", f);
		s->line(f, v);
		fputc('\n', f);
	}
}

static void
put_versions(FILE *f, const json_t *versions)
{
	json_t *v;
	size_t i;

	fputs("schema-version: ", f);
	if (json_array_size(versions) == 0)
		fputs("unknown", f);
	json_array_foreach(versions, i, v) {
		fprintf(f, "%s%" JSON_INTEGER_FORMAT, i > 0 ? ", " : "", json_integer_value(v));
	}
	fputc('\n', f);
}

/* What keeps the counts from being the whole truth; nothing where nothing does. */
static void
put_doubts(FILE *f, const json_t *model)
{
	const json_t *bad = json_object_get(model, "unreadable_lines");
	static const struct { const char *label, *key; } objects[] = {
		{ "limits-reached", "limits_reached" }, { "beyond-limits", "beyond_limits" },
		{ "counts-may-be-too-low-by", "inexact_by" },
	};

	if (json_is_true(json_object_get(model, "truncated_last_line")))
		fprintf(f, "truncated-last-line: line %" JSON_INTEGER_FORMAT " has no end and is not "
		    "counted\n", number(model, "lines"));
	if (number(bad, "malformed") + number(bad, "too_long") >
	    json_is_true(json_object_get(model, "truncated_last_line"))) {
		fputs("unreadable-lines:\n", f);
		put_object(f, bad);
	}
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (json_object_size(json_object_get(model, objects[i].key)) > 0) {
			fprintf(f, "%s:\n", objects[i].label);
			put_object(f, json_object_get(model, objects[i].key));
		}
}

char *
logtext_render(const json_t *model)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (f == NULL)
		return NULL;
	fputs("childflow report\nflow-log: ", f);
	put(f, model, "flow_log");
	fputc('\n', f);
	put_versions(f, json_object_get(model, "schema_versions"));
	fputs("events:\n", f);
	put_object(f, json_object_get(model, "event_counts"));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		put_section(f, &lists[i], json_object_get(model, lists[i].key));
	put_doubts(f, model);
	return fclose(f) == 0 ? out : NULL;
}

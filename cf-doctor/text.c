/*
 * text.c - the summary as lines for a person; see summary.h.
 *
 * One table: a label and how its value is said.  Line names, order and values up to
 * `exit:` are childflow's, so what reads its summary reads ours.  Every string goes
 * through say_text(), because a name may be an escape sequence.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"
#include "log.h"
#include "sayjson.h"
#include "summary.h"

#define TOP_ROWS	3

static void
put_ips(FILE *f, const json_t *name)
{
	put_list(f, json_object_get(name, "answer_ips"));
	if (json_is_true(json_object_get(name, "more_answer_ips")))
		fputs(", ...", f);
}

/* "k=n, k=n" of {k: n}. */
static void
put_numbers(FILE *f, const json_t *object)
{
	const char *key, *sep = "";
	char out[4 * KEY_MAX + 8];
	json_t *v;

	json_object_foreach((json_t *)object, key, v) {
		fprintf(f, "%s%s=%" JSON_INTEGER_FORMAT, sep, log_escape(out, sizeof(out), key),
		    json_integer_value(v));
		sep = ", ";
	}
}

static void
put_target(FILE *f, const json_t *target)
{
	put(f, target, "target");
	fputs(" (", f);
	put_attempts(f, target);
	fputs(", matched_domains=", f);
	put_counts(f, json_object_get(target, "matched_domains"));
	fputc(')', f);
}

static void
put_targets(FILE *f, const json_t *array)
{
	put_each(f, array, put_target);
}

/* ---- the values of the lines ---- */

typedef void	(*say)(FILE *, const json_t *value);

static void
say_string(FILE *f, const json_t *v)
{
	say_text(f, json_string_value(v));
}

static void
say_capture(FILE *f, const json_t *c)
{
	static const struct { const char *key, *label; } outputs[] = {
		{ "output", "output" }, { "child_output", "child" }, { "egress_output", "egress" }
	};

	if (strcmp(json_string_value(json_object_get(c, "status")), "disabled") == 0) {
		fputs("disabled", f);
		return;
	}
	fputs("requested=", f);
	put(f, c, "requested");
	fputs(", effective=", f);
	put(f, c, "effective");
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++)
		if (json_is_string(json_object_get(c, outputs[i].key))) {
			fprintf(f, ", %s=", outputs[i].label);
			put(f, c, outputs[i].key);
		}
}

static void
say_path(FILE *f, const json_t *path)
{
	if (json_is_string(path))
		say_string(f, path);
	else
		fputs("disabled", f);
}

static void
say_name(FILE *f, const json_t *n)
{
	if (!json_is_object(n)) {
		fputs("none", f);
		return;
	}
	put(f, n, "qname");
	fprintf(f, " (queries=%" JSON_INTEGER_FORMAT ", answers=%" JSON_INTEGER_FORMAT
	    ", answer_ips=", number(n, "queries"), number(n, "answers"));
	put_ips(f, n);
	fputs(", targets=", f);
	put_targets(f, json_object_get(n, "targets"));
	fputc(')', f);
}

static void
say_rows(FILE *f, const json_t *rows)
{
	json_t *row, *target;
	size_t i;

	if (json_array_size(rows) == 0)
		fputs("none", f);
	json_array_foreach(rows, i, row) {
		if (i == TOP_ROWS)
			break;
		target = json_object_get(row, "target");
		fputs(i > 0 ? ", " : "", f);
		put(f, row, "qname");
		fputs(" -> ", f);
		if (json_is_string(target))
			say_string(f, target);
		else
			fputs("no-target", f);
		fputs(" (answer_ips=", f);
		put_ips(f, row);
		fputs(", matched_domains=", f);
		put_counts(f, json_object_get(row, "matched_domains"));
		if (json_is_string(target)) {
			fputs(", ", f);
			put_attempts(f, row);
		}
		fputc(')', f);
	}
}

static void
say_correlation(FILE *f, const json_t *n)
{
	if (!json_is_object(n)) {
		fputs("none", f);
		return;
	}
	put(f, n, "qname");
	fputs(" (answer_ips=", f);
	put_ips(f, n);
	fputs(", matched_domains=", f);
	put_counts(f, json_object_get(n, "matched_domains"));
	fputs(", targets=", f);
	put_targets(f, json_object_get(n, "targets"));
	fputc(')', f);
}

static void
say_target(FILE *f, const json_t *t)
{
	if (!json_is_object(t)) {
		fputs("none", f);
		return;
	}
	put(f, t, "target");
	fputs(" (", f);
	put_attempts(f, t);
	fputs(", dns_names=", f);
	put_list(f, json_object_get(t, "dns_names"));
	fputs(", matched_domains=", f);
	put_counts(f, json_object_get(t, "matched_domains"));
	fputc(')', f);
}

static void
say_exit(FILE *f, const json_t *code)
{
	if (json_is_integer(code))
		fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(code));
	else
		fputs("unavailable", f);
}

static void
say_duration(FILE *f, const json_t *ms)
{
	fprintf(f, "%.3f s", (double)json_integer_value(ms) / 1000);
}

/* "*=10MB/up (used=10000000, max=10000000, flows=3), ..." */
static void
say_quotas(FILE *f, const json_t *quotas)
{
	json_t *v;
	size_t i;

	json_array_foreach(quotas, i, v) {
		fputs(i > 0 ? ", " : "", f);
		put(f, v, "quota");
		fprintf(f, " (used=%" JSON_INTEGER_FORMAT ", max=%" JSON_INTEGER_FORMAT
		    ", flows=%" JSON_INTEGER_FORMAT ")", number(v, "used"), number(v, "max"),
		    number(v, "flows"));
	}
}

static const struct line {
	const char	*label, *part, *key;	/* part: the object inside the model, or NULL */
	say		 say;
	bool		 always;		/* or only where there is something to say */
} lines[] = {
	{ "backend",				NULL, "backend",		say_string,	true },
	{ "command",				NULL, "command",		say_string,	true },
	{ "sandbox controls",			NULL, "sandbox_controls",	put_list,	true },
	{ "capture",				NULL, "capture",		say_capture,	true },
	{ "flow-log",			"flow_log", "path",			say_path,	true },
	{ "flow-log events",		"flow_log", "event_counts",		put_numbers,	true },
	{ "flow-log dns names",		"flow_log", "top_dns_name",		say_name,	true },
	{ "flow-log dns policy rows",	"flow_log", "dns_policy_rows",		say_rows,	true },
	{ "flow-log top dns policy correlation",
					"flow_log", "top_dns_policy_correlation", say_correlation, true },
	{ "flow-log top target",	"flow_log", "top_target",		say_target,	true },
	{ "flow-log policy violations",	"flow_log", "policy_violations",	put_counts,	true },
	{ "flow-log policy controls",	"flow_log", "policy_controls",		put_counts,	true },
	{ "flow-log policy matched domains",
					"flow_log", "policy_matched_domains",	put_counts,	true },
	{ "flow-log connect errors",	"flow_log", "connect_errors",		put_counts,	true },
	{ "flow-log runtime failures",	"flow_log", "runtime_failures",		put_counts,	true },
	{ "flow-log runtime failure phases",
					"flow_log", "runtime_failure_phases",	put_counts,	true },
	{ "exit",				NULL, "exit_code",		say_exit,	true },
	{ "reason",				NULL, "reason",			say_string,	false },
	{ "duration",				NULL, "duration_ms",		say_duration,	false },
	{ "tcp path",				NULL, "tcp_path",		say_string,	false },
	{ "tcp path why",			NULL, "tcp_path_why",		say_string,	false },
	{ "flows",				NULL, "flows",			put_numbers,	true },
	{ "bytes",				NULL, "bytes",			put_numbers,	true },
	{ "denied",			"flow_log", "denied",			put_counts,	false },
	{ "permitted, would be denied",	"flow_log", "permitted",		put_counts,	false },
	{ "limits reached (times)",		NULL, "limits_reached",		put_numbers,	false },
	{ "quotas",				NULL, "quotas",			say_quotas,	false },
	{ "beyond limits (events)",		NULL, "beyond_limits",		put_numbers,	false },
	{ "counts may be too low by",		NULL, "inexact_by",		put_numbers,	false },
};

static bool
is_empty(const json_t *v)
{
	return v == NULL || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0) ||
	    (json_is_array(v) && json_array_size(v) == 0) ||
	    (json_is_string(v) && json_string_length(v) == 0);
}

static void
put_warnings(FILE *f, const json_t *model)
{
	const json_t *bad = json_object_get(model, "unreadable_lines");
	json_t *v;
	size_t i;

	if (number(bad, "malformed") + number(bad, "too_long") > 0) {
		fputs("unreadable event lines: ", f);
		put_numbers(f, bad);
		fputc('\n', f);
	}
	json_array_foreach(json_object_get(model, "warnings"), i, v) {
		fputs("warning: ", f);
		say_string(f, v);
		fputc('\n', f);
	}
}

char *
text_render(const json_t *model)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	const json_t *v;

	if (f == NULL)
		return NULL;
	fputs("childflow summary\n", f);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const struct line *l = &lines[i];

		v = l->part != NULL ? json_object_get(model, l->part) : model;
		v = json_object_get(v, l->key);
		if (!l->always && is_empty(v))
			continue;
		fprintf(f, "%s: ", l->label);
		l->say(f, v);
		fputc('\n', f);
	}
	put_warnings(f, model);
	return fclose(f) == 0 ? out : NULL;
}

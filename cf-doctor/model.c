/*
 * model.c - the summary as one JSON object; see summary.h.
 *
 * Keys and their order are those of childflow's `--summary-format json`.  Ours stand
 * after them: reason, duration_ms, flows, bytes, limits_reached, quotas, unreadable_lines,
 * beyond_limits, inexact_by, warnings.  Where there were more names, targets, ... than are kept
 * apart, beyond_limits says how many events were about those that were let go, and inexact_by by
 * how much a count may therefore be too low.
 *
 * facts come from cf-spawn and are trusted to be honest, not to be well-formed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "summary.h"

#define TOP_COUNTS	3		/* childflow shows as many */
#define TOP_ROWS	10

/* The first of an array, which is taken over; null where it is empty. */
static json_t *
first_of(json_t *array)
{
	json_t *first = json_array_size(array) > 0 ? json_incref(json_array_get(array, 0)) : json_null();

	json_decref(array);
	return first;
}

static json_t *
flow_log_json(const struct tally *t, const json_t *path)
{
	json_t *o = json_pack("{s:s}", "status", json_is_string(path) ? "available" : "disabled");

	json_object_set_new(o, "path",
	    json_is_string(path) ? json_string(json_string_value(path)) : json_null());
	json_object_set_new(o, "event_counts", piece_events(t));
	json_object_set_new(o, "top_dns_name", first_of(piece_names(t, NAMES_ALL, 1, true)));
	json_object_set_new(o, "dns_policy_rows", piece_rows(t, TOP_ROWS));
	json_object_set_new(o, "top_dns_policy_correlation",
	    first_of(piece_names(t, NAMES_CORRELATED, 1, true)));
	json_object_set_new(o, "top_target", first_of(piece_targets(t, 1, false)));
	for (int i = 0; i <= LIST_PERMITTED; i++)
		json_object_set_new(o, list_names[i], piece_list(t, (enum list_kind)i, TOP_COUNTS));
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
	json_object_set_new(m, "flows", piece_flows(t));
	json_object_set_new(m, "bytes", piece_bytes(t));
	json_object_set_new(m, "limits_reached", piece_limits(t));
	json_object_set_new(m, "quotas", piece_quotas(t));
	json_object_set_new(m, "unreadable_lines", piece_unreadable(t));
	json_object_set_new(m, "beyond_limits", piece_beyond(t));
	json_object_set_new(m, "inexact_by", piece_inexact(t));
	json_object_set_new(m, "warnings", strings_json(json_object_get(facts, "warnings")));
	return m;
}

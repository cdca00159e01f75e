/*
 * pcaptell.c - what a capture holds, as JSON and in words; see pcap.h.
 *
 * Names, comments and processes are whatever the file has: they leave by log_escape() only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "pcap.h"

#define SHOWN	200		/* flows in words, those with the most bytes */

/* "" is null. */
static json_t *
string(const char *text)
{
	char out[4 * PCAP_COMMENT + 4096];

	return text == NULL || *text == '\0' ? json_null() :
	    json_string(log_escape(out, sizeof(out), text));
}

static double
seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static json_t *
integer(uint64_t n)
{
	return json_integer((json_int_t)(n & INT64_MAX));
}

/* ---- flows ---- */

static const char *
proto_word(const struct pcap_flow *f)
{
	return f->proto == IPPROTO_TCP ? "tcp" : f->proto == IPPROTO_UDP ? "udp" :
	    f->from.family == 4 ? "icmpv4" : "icmpv6";
}

/* How it ended; NULL: it has no end to be seen. */
static const char *
end_word(const struct pcap_flow *f)
{
	if (f->proto != IPPROTO_TCP)
		return NULL;
	if ((f->ends & PCAP_RST_UP) != 0)
		return "reset by the first";
	if ((f->ends & PCAP_RST_DOWN) != 0)
		return (f->ends & PCAP_SYNACK) == 0 && f->down.payload == 0 ? "refused" :
		    "reset by the other";
	if ((f->ends & (PCAP_FIN_UP | PCAP_FIN_DOWN)) == (PCAP_FIN_UP | PCAP_FIN_DOWN))
		return "closed";
	if ((f->ends & (PCAP_FIN_UP | PCAP_FIN_DOWN)) != 0)
		return "half closed";
	return (f->ends & PCAP_SYN) != 0 && f->down.packets == 0 ? "not answered" : "open";
}

static const char *
name_of(const struct pcap *p, const struct addr *a)
{
	for (size_t i = p->n_names; i > 0; i--) {
		const struct pcap_name *n = &p->name[i - 1];

		if (n->addr.family == a->family && memcmp(n->addr.ip, a->ip, addr_iplen(a)) == 0)
			return n->name;
	}
	return NULL;
}

static json_t *
way_json(const struct pcap_way *w)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "packets", integer(w->packets), "bytes",
	    integer(w->bytes), "payload", integer(w->payload), "missing", integer(w->missing),
	    "repeated", integer(w->repeated));
}

static json_t *
flow_json(const struct pcap *p, const struct pcap_flow *f)
{
	bool known = f->process > 0 && f->process <= p->n_processes;
	char from[ADDR_STRLEN], to[ADDR_STRLEN];
	const char *end = end_word(f);

	return json_pack("{s:s, s:s, s:s, s:o, s:f, s:f, s:o, s:o, s:o, s:b, s:o, s:o, s:o}",
	    "protocol", proto_word(f), "from", addr_str(&f->from, from), "to", addr_str(&f->to, to),
	    "name", string(name_of(p, &f->to)),
	    "start", seconds(f->first), "duration", seconds(f->last > f->first ? f->last - f->first : 0),
	    "up", way_json(&f->up), "down", way_json(&f->down),
	    "end", end != NULL ? json_string(end) : json_null(),
	    "begun_before", f->proto == IPPROTO_TCP && (f->ends & PCAP_SYN) == 0,
	    "pid", known ? json_integer(p->process[f->process - 1].pid) : json_null(),
	    "process", known ? string(p->process[f->process - 1].name) : json_null(),
	    "comment", string(f->comment));
}

static uint64_t
flow_bytes(const struct pcap_flow *f)
{
	return f->up.bytes + f->down.bytes;
}

static int
flow_order(const void *a, const void *b)
{
	const struct pcap_flow *x = *(struct pcap_flow *const *)a, *y = *(struct pcap_flow *const *)b;

	if (flow_bytes(x) != flow_bytes(y))
		return flow_bytes(x) < flow_bytes(y) ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static json_t *
flows_json(const struct pcap *p)
{
	const struct pcap_flow **sorted = calloc(p->flows.n + 1, sizeof(struct pcap_flow *));
	json_t *out = json_array();
	size_t n = 0;

	for (size_t i = 0; sorted != NULL && i < p->flows.slots; i++)
		if (p->flows.at[i].proto != 0)
			sorted[n++] = &p->flows.at[i];
	if (n > 0)
		qsort(sorted, n, sizeof(struct pcap_flow *), flow_order);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(out, flow_json(p, sorted[i]));
	free(sorted);
	return out;
}

/* ---- the file ---- */

static json_t *
interfaces_json(const struct pcap *p)
{
	json_t *out = json_array();

	for (size_t k = 0; k < p->n_interfaces; k++) {
		const struct pcap_interface *i = &p->interface[k];

		json_array_append_new(out, json_pack(
		    "{s:o, s:i, s:o, s:o, s:o, s:o, s:f, s:f, s:o, s:o, s:o}",
		    "name", string(i->name), "linktype", (int)i->linktype, "snaplen", integer(i->snaplen),
		    "packets", integer(i->packets), "bytes", integer(i->bytes),
		    "cut_packets", integer(i->cut), "first", seconds(i->first), "last", seconds(i->last),
		    "backwards", integer(i->backwards),
		    "received", i->has_statistics ? integer(i->received) : json_null(),
		    "dropped", i->has_statistics ? integer(i->dropped) : json_null()));
	}
	return out;
}

static json_t *
errors_json(const struct pcap *p)
{
	json_t *out = json_array();

	for (size_t i = 0; i < p->n_errors && i < PCAP_ERRORS; i++)
		json_array_append_new(out, json_pack("{s:o, s:s}", "offset", integer(p->error[i].offset),
		    "what", p->error[i].what));
	return out;
}

json_t *
pcap_model(const struct pcap *p, const char *path)
{
	json_t *blocks = json_object();

	for (int i = 0; i < PCAP_KINDS; i++)
		json_object_set_new(blocks, pcap_kinds[i], integer(p->blocks[i]));
	return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
	    "file", string(path), "sound", p->n_errors == 0, "error_count", integer(p->n_errors),
	    "errors", errors_json(p), "application", string(p->application), "blocks", blocks,
	    "comments", integer(p->comments), "interfaces", interfaces_json(p), "drops",
	    integer(p->drops), "not_ip", integer(p->flows.not_ip), "no_flow", integer(p->flows.other),
	    "beyond_limits", integer(p->flows.beyond), "flows", flows_json(p));
}

/* ---- in words ---- */

static long long
number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *
word(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "unknown";
}

static void
say_way(FILE *f, const char *which, const json_t *way)
{
	fprintf(f, "  %s: %lld packets, %lld bytes, %lld of them payload", which, number(way, "packets"),
	    number(way, "bytes"), number(way, "payload"));
	if (number(way, "missing") > 0)
		fprintf(f, ", %lld missing", number(way, "missing"));
	if (number(way, "repeated") > 0)
		fprintf(f, ", %lld repeated", number(way, "repeated"));
	fputc('\n', f);
}

static void
say_flow(FILE *f, const json_t *flow)
{
	fprintf(f, "%s %s -> %s", word(flow, "protocol"), word(flow, "from"), word(flow, "to"));
	if (json_is_string(json_object_get(flow, "name")))
		fprintf(f, " (%s)", word(flow, "name"));
	if (json_is_string(json_object_get(flow, "end")))
		fprintf(f, ", %s", word(flow, "end"));
	fprintf(f, ", %.3f s%s\n", json_real_value(json_object_get(flow, "duration")),
	    json_is_true(json_object_get(flow, "begun_before")) ? ", begun before" : "");
	say_way(f, "up", json_object_get(flow, "up"));
	say_way(f, "down", json_object_get(flow, "down"));
	if (json_is_integer(json_object_get(flow, "pid")))
		fprintf(f, "  process: %s (%lld)\n", word(flow, "process"), number(flow, "pid"));
	if (json_is_string(json_object_get(flow, "comment")))
		fprintf(f, "  comment: %s\n", word(flow, "comment"));
}

static void
say_interface(FILE *f, size_t n, const json_t *i)
{
	fprintf(f, "interface %zu (%s): %lld packets, %lld bytes", n, word(i, "name"),
	    number(i, "packets"), number(i, "bytes"));
	if (number(i, "cut_packets") > 0)
		fprintf(f, ", %lld cut", number(i, "cut_packets"));
	if (number(i, "backwards") > 0)
		fprintf(f, ", %lld older than the one before", number(i, "backwards"));
	if (json_is_integer(json_object_get(i, "dropped")))
		fprintf(f, "; of %lld received %lld were dropped", number(i, "received"),
		    number(i, "dropped"));
	fputc('\n', f);
}

static void
say_counts(FILE *f, const json_t *model)
{
	static const struct { const char *key, *what; } rest[] = {
		{ "drops", "packets are not here, as others say" },
		{ "not_ip", "packets are not IP" },
		{ "no_flow", "packets are of no flow (fragments, errors, other protocols)" },
		{ "beyond_limits", "packets are of flows for which there was no room" },
	};
	const char *key, *sep = "blocks: ";
	json_t *v;

	json_object_foreach(json_object_get(model, "blocks"), key, v) {
		fprintf(f, "%s%lld %s", sep, (long long)json_integer_value(v), key);
		sep = ", ";
	}
	fprintf(f, "\ncomments: %lld\n", number(model, "comments"));
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (number(model, rest[i].key) > 0)
			fprintf(f, "%lld %s\n", number(model, rest[i].key), rest[i].what);
}

char *
pcap_text(const json_t *model)
{
	char *out = NULL;
	size_t len, i;
	FILE *f = open_memstream(&out, &len);
	json_t *v;

	if (f == NULL)
		return NULL;
	fprintf(f, "childflow capture\nfile: %s\nwritten by: %s\nstatus: %s\n", word(model, "file"),
	    word(model, "application"), json_is_true(json_object_get(model, "sound")) ? "sound" :
	    "not sound");
	json_array_foreach(json_object_get(model, "errors"), i, v) {
		fprintf(f, "  at byte %lld: %s\n", number(v, "offset"), word(v, "what"));
	}
	if (number(model, "error_count") > (long long)json_array_size(json_object_get(model, "errors")))
		fprintf(f, "  and more: %lld in all\n", number(model, "error_count"));
	say_counts(f, model);
	json_array_foreach(json_object_get(model, "interfaces"), i, v) {
		say_interface(f, i, v);
	}
	fprintf(f, "\nflows: %zu\n", json_array_size(json_object_get(model, "flows")));
	json_array_foreach(json_object_get(model, "flows"), i, v) {
		if (i == SHOWN) {
			fprintf(f, "and more, which --format json has\n");
			break;
		}
		say_flow(f, v);
	}
	return fclose(f) == 0 ? out : NULL;
}

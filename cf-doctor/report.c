/*
 * report.c - run the checks and tell, in the words of childflow's doctor.
 *
 * Capabilities are what a run can have, preflight is what it needs: the same findings
 * from two sides.  A hint stands where something can be done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor.h"
#include "log.h"

#define BACKEND	"rootless-internal"
#define MOST	64			/* checks; the table has fewer */

struct report {
	const struct check	*check[MOST];
	struct finding		 finding[MOST];
	size_t			 n;
	bool			 blocked, warned;
};

/* A check's result in the four words it has: text and JSON, preflight and capability. */
struct words {
	const char	*mark, *preflight, *capability_mark, *capability;
};

static const struct words *
words_for(const struct report *r, size_t i)
{
	static const struct words ok = { "OK", "ok", "AVAILABLE", "available" },
	    warn = { "WARN", "warning", "LIMITED", "limited" },
	    fatal = { "FATAL", "fatal", "UNAVAILABLE", "unavailable" };

	return r->finding[i].ok ? &ok :
	    r->check[i]->fatal && !r->finding[i].lesser ? &fatal : &warn;
}

static const char *
status(const struct report *r)
{
	return r->blocked ? "blocked" : r->warned ? "ready with warnings" : "ready";
}

static void
gather(struct report *r, const bool *picked)
{
	for (size_t i = 0; checks[i].name != NULL && r->n < MOST; i++) {
		if (!picked[i])
			continue;
		r->check[r->n] = &checks[i];
		checks[i].run(&r->finding[r->n]);
		if (!r->finding[r->n].ok && checks[i].fatal && !r->finding[r->n].lesser)
			r->blocked = true;
		else if (!r->finding[r->n].ok)
			r->warned = true;
		r->n++;
	}
}

/* A file may have said part of a detail. */
static void
put(const char *before, const char *text)
{
	char out[4 * sizeof(((struct finding *)0)->detail) + 8];

	printf("%s%s\n", before, log_escape(out, sizeof(out), text));
}

static void
text(const struct report *r)
{
	printf("childflow doctor\nbackend: %s\nuser: uid %u / euid %u\nstatus: %s\n\n",
	    BACKEND, getuid(), geteuid(), status(r));
	puts("capabilities");
	for (size_t i = 0; i < r->n; i++) {
		printf("[%s] %s\n", words_for(r, i)->capability_mark, r->check[i]->ability);
		put("  ", r->finding[i].detail);
	}
	puts("\npreflight");
	for (size_t i = 0; i < r->n; i++) {
		printf("[%s] %s\n", words_for(r, i)->mark, r->check[i]->label);
		put("  ", r->finding[i].detail);
		if (r->finding[i].hint[0] != '\0') {
			put("  hint: ", r->finding[i].hint);
			put("  why: ", r->check[i]->why);
		}
	}
}

/* JSON is UTF-8, and a label or a path may be anything. */
static json_t *
clean(const char *text)
{
	char out[4 * sizeof(((struct finding *)0)->detail) + 8];

	return text[0] == '\0' ? json_null() : json_string(log_escape(out, sizeof(out), text));
}

static void
json(const struct report *r)
{
	json_t *capabilities = json_array(), *preflight = json_array(), *all;

	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->finding[i];

		json_array_append_new(capabilities, json_pack("{s:s, s:s, s:s, s:o}",
		    "key", r->check[i]->key, "label", r->check[i]->ability,
		    "status", words_for(r, i)->capability, "detail", clean(f->detail)));
		json_array_append_new(preflight, json_pack("{s:s, s:s, s:o, s:o, s:s, s:s}",
		    "label", r->check[i]->label, "status", words_for(r, i)->preflight,
		    "detail", clean(f->detail), "hint", clean(f->hint),
		    "check", r->check[i]->name, "why", r->check[i]->why));
	}
	all = json_pack("{s:s, s:i, s:i, s:s, s:o, s:o}", "backend", BACKEND,
	    "uid", (int)getuid(), "euid", (int)geteuid(), "status", status(r),
	    "capabilities", capabilities, "preflight", preflight);
	if (all == NULL)
		fatalx("out of memory");
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(all);
}

int
report_run(const bool *picked, enum report_form form)
{
	static struct report r;

	gather(&r, picked);
	if (form == REPORT_JSON)
		json(&r);
	else
		text(&r);
	if (fflush(stdout) != 0)
		fatal("cannot write the report");
	return r.blocked ? 1 : 0;
}

/*
 * leaktell.c - what came of each way, as a table or as JSON; see leaks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "leaks.h"
#include "log.h"

struct counts {
	size_t	of[LEAK_UNTESTED + 1], accepted;
};

static struct counts
count(const struct leak_row *row, size_t n)
{
	struct counts c = { { 0 }, 0 };

	for (size_t i = 0; i < n; i++) {
		c.of[row[i].outcome]++;
		c.accepted += row[i].outcome == LEAK_OPEN && row[i].accepted;
	}
	return c;
}

static void
text(const struct leak_row *row, size_t n, const struct counts *c, const char *command)
{
	char why[4 * sizeof(row->why)], tried[4 * LEAK_DETAIL], all[4096];

	printf("childflow leaks\nin: %s\n\n", log_escape(all, sizeof(all), command));
	for (size_t i = 0; i < n; i++) {
		printf("[%s%s] %s: %s\n  %s\n", leak_outcomes[row[i].outcome],
		    row[i].accepted && row[i].outcome == LEAK_OPEN ? ", accepted" : "", row[i].way,
		    log_escape(tried, sizeof(tried), row[i].tried),
		    log_escape(why, sizeof(why), row[i].why));
		if (row[i].hint != NULL)
			printf("  hint: %s\n", row[i].hint);
	}
	printf("\n%zu closed, %zu open", c->of[LEAK_CLOSED], c->of[LEAK_OPEN]);
	if (c->accepted > 0)
		printf(" (%zu accepted)", c->accepted);
	printf(", %zu not testable on this host\n", c->of[LEAK_UNTESTED]);
}

/* Strings from outside may be no UTF-8. */
static json_t *
string(const char *s)
{
	char out[4096];

	return json_string(log_escape(out, sizeof(out), s));
}

static void
json(const struct leak_row *row, size_t n, const struct counts *c, const char *command)
{
	json_t *ways = json_array(), *all;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(ways, json_pack("{s:s, s:o, s:s, s:o, s:s?, s:b}", "way", row[i].way,
		    "tried", string(row[i].tried), "outcome", leak_outcomes[row[i].outcome],
		    "why", string(row[i].why), "hint", row[i].hint, "accepted", row[i].accepted));
	all = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:o}",
	    "status", c->of[LEAK_OPEN] > c->accepted ? "open" : "closed", "command", string(command),
	    "closed", (json_int_t)c->of[LEAK_CLOSED], "open", (json_int_t)c->of[LEAK_OPEN],
	    "accepted", (json_int_t)c->accepted, "not_testable", (json_int_t)c->of[LEAK_UNTESTED],
	    "ways", ways);
	if (all == NULL)
		fatalx("out of memory");
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(all);
}

int
leak_tell(const struct leak_row *row, size_t n, const char *command, bool as_json)
{
	struct counts c = count(row, n);

	(as_json ? json : text)(row, n, &c, command);
	if (fflush(stdout) != 0)
		fatal("cannot write the table");
	return c.of[LEAK_OPEN] > c.accepted ? 1 : 0;
}

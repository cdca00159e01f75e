/*
 * loghtml.c - the report as one page that needs nothing else; see flowlog.h.
 *
 * The page asks no network: its policy (CSP) allows no source at all, one inline style sheet, and
 * one inline script by its hash.  The script only sorts tables; without it they stand as they
 * are.  The timeline is SVG that is drawn here: a row for each process and peer, a bar for each
 * of the flows with the most bytes, and below it the bytes and denials of all, by time.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowlog.h"

/*
 * The script and the hash of its bytes belong together: `tests/net/report.sh` holds them against
 * each other, and prints the hash where they differ.
 */
#define SCRIPT_HASH	"sha256-S4KUyghs2xwD783Exbs5uxCRf7zvEDL+ujJiXGnVn9M="
static const char script[] =
    "\n'use strict';\n"
    "// A click on a column's head sorts by it: numbers by their data-n, texts by their text.\n"
    "for (const table of document.querySelectorAll('table')) {\n"
    "  const body = table.tBodies[0];\n"
    "  [...table.tHead.rows[0].cells].forEach((head, column) => {\n"
    "    const key = row => row.cells[column].dataset.n === undefined ?\n"
    "      row.cells[column].textContent : Number(row.cells[column].dataset.n);\n"
    "    const order = (a, b) => typeof a === 'number' ? a - b : a.localeCompare(b);\n"
    "    const sort = () => {\n"
    "      const down = head.getAttribute('aria-sort') !== 'descending';\n"
    "      const rows = [...body.rows].sort((a, b) => order(key(a), key(b)));\n"
    "      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');\n"
    "      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');\n"
    "      body.append(...(down ? rows.reverse() : rows));\n"
    "    };\n"
    "    head.tabIndex = 0;\n"
    "    head.addEventListener('click', sort);\n"
    "    head.addEventListener('keydown', event => { if (event.key === 'Enter') sort(); });\n"
    "  });\n"
    "}\n";

static const char style[] =
    "\n:root { color-scheme: light dark; --line: #8884; --up: #2a78d6; --down: #1a9c74;\n"
    "  --no: #d03b3b; }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem;\n"
    "  padding: 0 1rem; }\n"
    "h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }\n"
    "table { border-collapse: collapse; font-size: .87rem; width: 100%; }\n"
    "th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left;\n"
    "  vertical-align: top; overflow-wrap: anywhere; }\n"
    "th { cursor: pointer; white-space: nowrap; } td.n, th.n { text-align: right;\n"
    "  font-variant-numeric: tabular-nums; white-space: nowrap; }\n"
    "th[aria-sort=descending]::after { content: ' \\25be'; }\n"
    "th[aria-sort=ascending]::after { content: ' \\25b4'; }\n"
    "td.no { color: var(--no); font-weight: 600; } .none, .note { opacity: .7; }\n"
    "svg { width: 100%; height: auto; }\n"
    "svg text { fill: currentColor; font: 11px system-ui, sans-serif; }\n"
    "svg .who { font-weight: 600; } svg line { stroke: var(--line); }\n"
    "svg rect[rx] { fill-opacity: .8; }\n"
    "svg .up { fill: var(--up); } svg .down { fill: var(--down); } svg .no { fill: var(--no); }\n"
    ".scroll { overflow-x: auto; } .up { color: var(--up); } .down { color: var(--down); }\n"
    ".no { color: var(--no); }\n";

/* ---- tables ---- */

static bool
is_number(const struct column *c)
{
	return c->cell == CELL_NUMBER || c->cell == CELL_BYTES;
}

static void
put_cell(FILE *f, const json_t *row, const struct column *c)
{
	json_int_t n = json_integer_value(json_object_get(row, c->key));

	if (is_number(c))
		fprintf(f, "<td class=\"n%s\" data-n=\"%" JSON_INTEGER_FORMAT "\">",
		    n > 0 && strcmp(c->key, "denied") == 0 ? " no" : "", n);
	else
		fputs("<td>", f);
	table_cell(f, row, c, say_html);
	fputs("</td>", f);
}

static void
put_table(FILE *f, const json_t *model, const struct table *t)
{
	json_t *rows = table_rows(model, t), *row;
	size_t i;

	fprintf(f, "<%s>%s</%s>\n", t->chapter != NULL ? "h3" : "h2", t->title,
	    t->chapter != NULL ? "h3" : "h2");
	if (json_array_size(rows) == 0) {
		fputs("<p class=\"none\">none</p>\n", f);
		json_decref(rows);
		return;
	}
	fputs("<div class=\"scroll\"><table><thead><tr>", f);
	for (const struct column *c = t->column; c->head != NULL; c++)
		fprintf(f, "<th%s>%s</th>", is_number(c) ? " class=\"n\"" : "", c->head);
	fputs("</tr></thead><tbody>\n", f);
	json_array_foreach(rows, i, row) {
		fputs("<tr>", f);
		for (const struct column *c = t->column; c->head != NULL; c++)
			put_cell(f, row, c);
		fputs("</tr>\n", f);
	}
	fputs("</tbody></table></div>\n", f);
	json_decref(rows);
}

/* ---- the timeline ---- */

#define LANES_MAX	60
#define LABEL_WIDTH	330.0		/* of 1200 */
#define CHART_WIDTH	850.0
#define LANE_HEIGHT	16.0
#define BARS_HEIGHT	60.0
#define LABEL_CHARS	52

struct lane {
	const char	*process, *peer;
	double		 bytes;
	json_int_t	 start;
};
struct chart {
	struct lane	 lane[FLOWS_MAX];
	size_t		 nlanes, ndrawn;
	json_int_t	 first;
	double		 span;		/* ms, more than 0 */
};

static json_int_t
number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static struct lane *
lane_of(struct chart *c, const json_t *flow)
{
	const char *process = text(flow, "process"), *peer = text(flow, "peer");

	for (size_t i = 0; i < c->nlanes; i++)
		if (strcmp(c->lane[i].process, process) == 0 && strcmp(c->lane[i].peer, peer) == 0)
			return &c->lane[i];
	return NULL;
}

static int
lane_more(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static int
lane_order(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;
	int order = strcmp(x->process, y->process);

	return order != 0 ? order : (x->start > y->start) - (x->start < y->start);
}

/* The lanes with the most bytes, by process and time. */
static void
chart_lanes(struct chart *c, const json_t *flows)
{
	struct lane *lane;
	json_t *flow;
	size_t i;

	json_array_foreach(flows, i, flow) {
		if ((lane = lane_of(c, flow)) == NULL && c->nlanes < FLOWS_MAX) {
			lane = &c->lane[c->nlanes++];
			*lane = (struct lane){ text(flow, "process"), text(flow, "peer"), 0,
			    number(flow, "start_ms") };
		}
		if (lane != NULL)
			lane->bytes += (double)number(flow, "bytes_up") +
			    (double)number(flow, "bytes_down");
	}
	qsort(c->lane, c->nlanes, sizeof(c->lane[0]), lane_more);
	if (c->nlanes > LANES_MAX)
		c->nlanes = LANES_MAX;
	qsort(c->lane, c->nlanes, sizeof(c->lane[0]), lane_order);
}

static double
place(const struct chart *c, json_int_t ms)
{
	double x = (double)(ms - c->first) / c->span;

	return LABEL_WIDTH + CHART_WIDTH * (x < 0 ? 0 : x > 1 ? 1 : x);
}

/* No longer than its column, with an ellipsis; the whole text is in the title. */
static void
put_label(FILE *f, const char *class, double x, double y, const char *label)
{
	char cut[LABEL_CHARS + 8];
	size_t len = strlen(label), n = len < LABEL_CHARS ? len : LABEL_CHARS;

	while (n < len && n > 0 && ((unsigned char)label[n] & 0xc0) == 0x80)
		n--;			/* not within a character */
	snprintf(cut, sizeof(cut), "%.*s%s", (int)n, label, n < len ? "..." : "");
	fprintf(f, "<text class=\"%s\" x=\"%.0f\" y=\"%.1f\">", class, x, y);
	say_html(f, cut);
	fputs("<title>", f);
	say_html(f, label);
	fputs("</title></text>\n", f);
}

static void
put_flow(FILE *f, const struct chart *c, const json_t *flow, double y)
{
	double x = place(c, number(flow, "start_ms")), to = place(c, number(flow, "end_ms"));
	json_int_t up = number(flow, "bytes_up"), down = number(flow, "bytes_down");

	fprintf(f, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"9\" "
	    "rx=\"1.5\"><title>", up > down ? "up" : "down", x, y, to - x > 2 ? to - x : 2.0);
	say_html(f, text(flow, "process"));
	fputs(" - ", f);
	say_html(f, text(flow, "peer"));
	fprintf(f, ": %.3f s, ", (double)(number(flow, "end_ms") - number(flow, "start_ms")) / 1000);
	table_bytes(f, up);
	fputs(" up, ", f);
	table_bytes(f, down);
	fputs(" down</title></rect>\n", f);
}

static double
put_lanes(FILE *f, struct chart *c, const json_t *flows, double y)
{
	const char *process = NULL;
	json_t *flow;
	size_t i;

	for (size_t l = 0; l < c->nlanes; l++) {
		if (process == NULL || strcmp(process, c->lane[l].process) != 0) {
			process = c->lane[l].process;
			put_label(f, "who", 0, y + 12, process);
			y += LANE_HEIGHT;
		}
		put_label(f, "peer", 12, y + 11, c->lane[l].peer);
		fprintf(f, "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LABEL_WIDTH,
		    LABEL_WIDTH + CHART_WIDTH, y + 15, y + 15);
		json_array_foreach(flows, i, flow)
			if (lane_of(c, flow) == &c->lane[l]) {
				put_flow(f, c, flow, y + 3);
				c->ndrawn++;
			}
		y += LANE_HEIGHT;
	}
	return y;
}

static double
most_bytes(const json_t *slices)
{
	double most = 1, sum;
	json_t *s;
	size_t i;

	json_array_foreach(slices, i, s) {
		sum = (double)number(s, "bytes_up") + (double)number(s, "bytes_down");
		most = sum > most ? sum : most;
	}
	return most;
}

static void
put_slice(FILE *f, const json_t *s, double x, double width, double bottom, double most)
{
	double up = BARS_HEIGHT * (double)number(s, "bytes_up") / most,
	    down = BARS_HEIGHT * (double)number(s, "bytes_down") / most;

	fputs("<g><title>", f);
	fprintf(f, "%" JSON_INTEGER_FORMAT " flows ended, %" JSON_INTEGER_FORMAT " denied, ",
	    number(s, "flows"), number(s, "denied"));
	table_bytes(f, number(s, "bytes_up"));
	fputs(" up, ", f);
	table_bytes(f, number(s, "bytes_down"));
	fputs(" down</title>", f);
	fprintf(f, "<rect class=\"down\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>"
	    "<rect class=\"up\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", x,
	    bottom - down, width, down, x, bottom - down - up, width, up);
	if (number(s, "denied") > 0)
		fprintf(f, "<rect class=\"no\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"6\"/>", x,
		    bottom + 3, width > 3 ? width : 3.0);
	fputs("</g>\n", f);
}

/* Bytes by when their flows ended, and denials by when they happened. */
static double
put_bars(FILE *f, const struct chart *c, const json_t *timeline, double y)
{
	const json_t *slices = json_object_get(timeline, "slices");
	json_int_t start = number(timeline, "slice_start_ms"), ms = number(timeline, "slice_ms");
	double most = most_bytes(slices), bottom = y + 10 + BARS_HEIGHT;
	json_t *s;
	size_t i;

	put_label(f, "who", 0, bottom - 4, "bytes, when flows ended");
	put_label(f, "no", 0, bottom + 10, "denied");
	json_array_foreach(slices, i, s) {
		double x = place(c, start + number(s, "slice") * ms),
		    to = place(c, start + (number(s, "slice") + 1) * ms);

		put_slice(f, s, x, to - x > 1.5 ? to - x - 0.5 : 1.0, bottom, most);
	}
	fprintf(f, "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LABEL_WIDTH,
	    LABEL_WIDTH + CHART_WIDTH, bottom + 1, bottom + 1);
	return bottom + 14;
}

static void
put_axis(FILE *f, const struct chart *c, double y)
{
	for (int i = 0; i <= 4; i++) {
		fprintf(f, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"%s\">+%.3g s</text>\n",
		    LABEL_WIDTH + CHART_WIDTH * i / 4, y + 12, i == 0 ? "start" : i == 4 ? "end" : "middle",
		    c->span * i / 4 / 1000);
	}
}

static void
put_others(FILE *f, const struct chart *c, const json_t *timeline, size_t listed)
{
	const json_t *others = json_object_get(timeline, "other_flows");
	json_int_t left = number(others, "flows") + (json_int_t)(listed - c->ndrawn);

	fputs("<p class=\"note\">Bars are flows: <span class=\"down\">more down than up</span>, "
	    "<span class=\"up\">more up than down</span>", f);
	if (left > 0)
		fprintf(f, "; others: %" JSON_INTEGER_FORMAT " smaller flows are not drawn as bars, but "
		    "are in the bytes below them and in the tables", left);
	fputs(".</p>\n", f);
}

static void
put_timeline(FILE *f, const json_t *model)
{
	static struct chart c;
	const json_t *timeline = json_object_get(model, "timeline"),
	    *flows = json_object_get(timeline, "largest_flows");
	json_int_t last = number(timeline, "last_ms");
	size_t processes = 0;
	double height;

	fputs("<h2>Timeline</h2>\n", f);
	c = (struct chart){ .first = number(timeline, "first_ms") };
	chart_lanes(&c, flows);
	if (c.nlanes == 0 && json_array_size(json_object_get(timeline, "slices")) == 0) {
		fputs("<p class=\"none\">none</p>\n", f);
		return;
	}
	/* A flow is told when it ends; it may have begun before the first event of the log. */
	if (json_array_size(flows) > 0 && number(json_array_get(flows, 0), "start_ms") < c.first)
		c.first = number(json_array_get(flows, 0), "start_ms");
	c.span = last > c.first ? (double)last - (double)c.first : 1;
	for (size_t i = 0; i < c.nlanes; i++)
		processes += i == 0 || strcmp(c.lane[i].process, c.lane[i - 1].process) != 0;
	height = LANE_HEIGHT * (double)(c.nlanes + processes) + BARS_HEIGHT + 44;
	fprintf(f, "<svg viewBox=\"0 0 1200 %.0f\" role=\"img\" aria-label=\"Flows by process and "
	    "peer over time\">\n", height);
	put_axis(f, &c, put_bars(f, &c, timeline, put_lanes(f, &c, flows, 4)));
	fputs("</svg>\n", f);
	put_others(f, &c, timeline, json_array_size(flows));
}

/* ---- the page ---- */

/*
 * A day since 1970 as a date of the Gregorian calendar.  gmtime(3) would read files, which is not
 * possible behind the seal.
 */
static void
put_date(FILE *f, long long day)
{
	long long era, of_era, year_of_era, of_year, month;

	day += 719468;			/* since 0000-03-01: a leap day ends a year */
	era = day / 146097;
	of_era = day % 146097;
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * of_year + 2) / 153;
	fprintf(f, "%04lld-%02lld-%02lld", year_of_era + era * 400 + (month >= 10),
	    month < 10 ? month + 3 : month - 9, of_year - (153 * month + 2) / 5 + 1);
}

static void
put_when(FILE *f, const json_t *model)
{
	const json_t *timeline = json_object_get(model, "timeline");
	long long s = number(timeline, "first_ms") / 1000;

	if (!json_is_integer(json_object_get(timeline, "first_ms")))
		return;
	fputs("<p class=\"note\">", f);
	put_date(f, s / 86400);
	fprintf(f, " %02lld:%02lld:%02lld UTC, %.3f s</p>\n", s / 3600 % 24, s / 60 % 60, s % 60,
	    ((double)number(timeline, "last_ms") - (double)number(timeline, "first_ms")) / 1000);
}

static void
put_head(FILE *f, const json_t *model)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	    "style-src 'unsafe-inline'; script-src '" SCRIPT_HASH "'; base-uri 'none'; "
	    "form-action 'none'\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<meta name=\"referrer\" content=\"no-referrer\">\n<title>childflow report: ", f);
	say_html(f, text(model, "flow_log"));
	fprintf(f, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>childflow report</h1>\n<p>", style);
	say_html(f, text(model, "flow_log"));
	fputs("</p>\n", f);
	put_when(f, model);
	fputs("<ul>\n", f);
	table_highlights(model, f, say_html, "<li>", "</li>\n");
	fputs("</ul>\n", f);
}

char *
loghtml_render(const json_t *model)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	const char *chapter = NULL;

	if (f == NULL)
		return NULL;
	put_head(f, model);
	put_timeline(f, model);
	for (const struct table *t = tables; t->title != NULL; t++) {
		if (t->chapter != NULL && (chapter == NULL || strcmp(chapter, t->chapter) != 0))
			fprintf(f, "<h2>%s</h2>\n", t->chapter);
		chapter = t->chapter;
		put_table(f, model, t);
	}
	fprintf(f, "<script>%s</script>\n</body>\n</html>\n", script);
	return fclose(f) == 0 ? out : NULL;
}

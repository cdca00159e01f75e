/*
 * logmark.c - the report in Markdown; see flowlog.h.
 *
 * Chapters and tables are childflow's, with ours among them (logtable.c).  An empty table is
 * "_none_".
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "flowlog.h"

static void
put_versions(FILE *f, const json_t *versions)
{
	json_t *v;
	size_t i;

	if (json_array_size(versions) == 0)
		fputs("unknown", f);
	json_array_foreach(versions, i, v) {
		fprintf(f, "%s%" JSON_INTEGER_FORMAT, i > 0 ? ", " : "", json_integer_value(v));
	}
}

static void
put_head(FILE *f, const struct table *t)
{
	for (size_t i = 0; t->column[i].head != NULL; i++)
		fprintf(f, "| %s ", t->column[i].head);
	fputs("|\n", f);
	for (size_t i = 0; t->column[i].head != NULL; i++)
		fputs(t->column[i].cell == CELL_NUMBER || t->column[i].cell == CELL_BYTES ?
		    "| ---: " : "| --- ", f);
	fputs("|\n", f);
}

static void
put_table(FILE *f, const json_t *model, const struct table *t)
{
	json_t *rows = table_rows(model, t), *row;
	size_t i;

	if (json_array_size(rows) == 0) {
		fputs("_none_\n", f);
		json_decref(rows);
		return;
	}
	put_head(f, t);
	json_array_foreach(rows, i, row) {
		for (size_t c = 0; t->column[c].head != NULL; c++) {
			fputs("| ", f);
			table_cell(f, row, &t->column[c], say_mark);
			fputc(' ', f);
		}
		fputs("|\n", f);
	}
	json_decref(rows);
}

char *
logmark_render(const json_t *model)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);
	const char *chapter = NULL;

	if (f == NULL)
		return NULL;
	fputs("# childflow report\n\n- flow-log: ", f);
	say_mark(f, json_string_value(json_object_get(model, "flow_log")));
	fputs("\n- schema-version: ", f);
	put_versions(f, json_object_get(model, "schema_versions"));
	fputs("\n\n## Highlights\n\n", f);
	table_highlights(model, f, say_mark, "- ", "\n");
	for (const struct table *t = tables; t->title != NULL; t++) {
		if (t->chapter != NULL && (chapter == NULL || strcmp(chapter, t->chapter) != 0))
			fprintf(f, "\n## %s\n", t->chapter);
		chapter = t->chapter;
		fprintf(f, "\n%s %s\n\n", t->chapter == NULL ? "##" : "###", t->title);
		put_table(f, model, t);
	}
	return fclose(f) == 0 ? out : NULL;
}

/*
 * settings.c - see settings.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

const struct cli_option	settings_command = { .name = "command", .value = "ARG", .flags = CLI_LIST };

bool
settings_init(struct settings *s, const struct cli_option *rows)
{
	*s = (struct settings){ .rows = rows };
	while (rows[s->nrows].name != NULL)
		s->nrows++;
	if ((s->at = calloc(s->nrows + 1, sizeof(*s->at))) == NULL)
		return false;
	for (size_t i = 0; i < s->nrows; i++)
		s->at[i].row = &rows[i];
	s->at[s->nrows].row = &settings_command;
	return true;
}

static void
empty(struct setting *one)
{
	for (size_t i = 0; i < one->n; i++)
		free(one->value[i].text);
	one->n = 0;
}

void
settings_done(struct settings *s)
{
	for (size_t i = 0; s->at != NULL && i <= s->nrows; i++) {
		empty(&s->at[i]);
		free(s->at[i].value);
	}
	free(s->at);
	*s = (struct settings){ 0 };
}

void
settings_layer(struct settings *s)
{
	s->layer++;
}

struct setting *
settings_find(const struct settings *s, const struct cli_option *row)
{
	return row == &settings_command ? &s->at[s->nrows] : &s->at[row - s->rows];
}

struct setting *
settings_find_name(const struct settings *s, const char *name)
{
	for (size_t i = 0; i <= s->nrows; i++)
		if (strcmp(s->at[i].row->name, name) == 0)
			return &s->at[i];
	return NULL;
}

bool
settings_add(struct settings *s, const struct cli_option *row, const char *text,
    const struct origin *origin)
{
	struct setting *one = settings_find(s, row);
	size_t room = one->room == 0 ? 1 : 2 * one->room;
	struct setting_value *more;
	char *copy = NULL;

	if (one->n == one->room) {
		if ((more = reallocarray(one->value, room, sizeof(*more))) == NULL)
			return false;
		one->value = more;
		one->room = room;
	}
	if (text != NULL && s->normal != NULL && origin->from != FROM_COMMAND_LINE)
		copy = s->normal(row, text);
	if (text != NULL && copy == NULL && (copy = strdup(text)) == NULL)
		return false;
	one->value[one->n++] = (struct setting_value){ .text = copy, .origin = *origin,
	    .order = ++s->order };
	if (one->layer != s->layer)
		one->origin = *origin;
	one->layer = s->layer;
	return true;
}

bool
settings_put(struct settings *s, const struct cli_option *row, const char *text,
    const struct origin *origin)
{
	struct setting *one = settings_find(s, row);

	if (one->layer != s->layer || (row->flags & (CLI_LIST | CLI_COUNT)) == 0)
		empty(one);
	return settings_add(s, row, text, origin);
}

void
settings_clear(struct settings *s, const struct cli_option *row, const struct origin *origin)
{
	struct setting *one = settings_find(s, row);

	empty(one);
	one->layer = s->layer;
	one->origin = *origin;
}

const char *
settings_origin(const struct cli_option *row, const struct origin *origin, char *buf, size_t len)
{
	char name[CLI_NAME_LEN];

	switch (origin->from) {
	case FROM_PROFILE:
		snprintf(buf, len, "%s:%u", origin->file, origin->line);
		break;
	case FROM_ENVIRONMENT:
		snprintf(buf, len, "%s", cli_variable(row, name));
		break;
	default:
		snprintf(buf, len, "command line");
		break;
	}
	return buf;
}

/* A value and where it stands, as its source writes it. */
static void
refused(const struct cli_option *row, const struct setting_value *v, const char *reason, char *why)
{
	const char *text = v->text == NULL ? "" : (row->flags & CLI_SECRET) != 0 ? "***" : v->text;
	char name[CLI_NAME_LEN];

	switch (v->origin.from) {
	case FROM_PROFILE:
		snprintf(why, SETTINGS_WHY, "%s:%u:%u: %s%s%.400s: %s", v->origin.file, v->origin.line,
		    v->origin.column, cli_key(row, name), *text != '\0' ? " " : "", text, reason);
		break;
	case FROM_ENVIRONMENT:
		snprintf(why, SETTINGS_WHY, "%s%s%.400s: %s", cli_variable(row, name),
		    *text != '\0' ? "=" : "", text, reason);
		break;
	default:
		snprintf(why, SETTINGS_WHY, "--%s%s%.400s: %s", row->name, v->text != NULL ? " " : "",
		    text, reason);
		break;
	}
}

struct placed {
	const struct cli_option *row;
	const struct setting_value *value;
};

static int
by_order(const void *a, const void *b)
{
	unsigned x = ((const struct placed *)a)->value->order;
	unsigned y = ((const struct placed *)b)->value->order;

	return x < y ? -1 : x > y;
}

/* All values of options in the order in which they were put; NULL: none, or no memory. */
static struct placed *
in_order(const struct settings *s, size_t *n)
{
	struct placed *all;
	size_t sum = 0;

	for (size_t i = 0; i < s->nrows; i++)
		sum += s->at[i].n;
	*n = 0;
	if (sum == 0 || (all = calloc(sum, sizeof(*all))) == NULL) {
		*n = sum;
		return NULL;
	}
	for (size_t i = 0; i < s->nrows; i++)
		for (size_t k = 0; k < s->at[i].n; k++)
			all[(*n)++] = (struct placed){ s->at[i].row, &s->at[i].value[k] };
	qsort(all, *n, sizeof(*all), by_order);
	return all;
}

bool
settings_apply(const struct settings *s, void *conf, char *why)
{
	char reason[CLI_WHY_LEN] = "";
	struct placed *all;
	bool ok = true;
	size_t n;

	all = in_order(s, &n);
	if (all == NULL && n > 0) {
		snprintf(why, SETTINGS_WHY, "out of memory");
		return false;
	}
	for (size_t i = 0; i < n && ok; i++) {
		const struct setting_value *v = all[i].value;

		ok = all[i].row->set(conf, v->text, reason) &&
		    (s->check == NULL || v->text == NULL || v->origin.from == FROM_COMMAND_LINE ||
		    s->check(all[i].row, v->text, reason));
		if (!ok)
			refused(all[i].row, v, reason, why);
	}
	free(all);
	return ok;
}

/*
 * sources.c - see sources.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sources.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "profile.h"

#define COUNTER_MAX	100
#define BLANKS		" \t\n"

/* ---- the environment ---- */

static bool
no_memory(char *why)
{
	snprintf(why, CLI_WHY_LEN, "out of memory");
	return false;
}

/*
 * A list is parted by blanks; where the text has a line end, by line ends only, so that a
 * path may have blanks in it.
 */
static bool
put_list(struct settings *s, const struct cli_option *row, const char *text,
    const struct origin *origin)
{
	const char *parts = strchr(text, '\n') != NULL ? "\n" : BLANKS;
	char *copy = strdup(text), *rest = copy, *one;
	bool ok = copy != NULL;

	while (ok && (one = strsep(&rest, parts)) != NULL)
		ok = *one == '\0' || settings_put(s, row, one, origin);
	free(copy);
	return ok;
}

static bool
put_switch(struct settings *s, const struct cli_option *row, const char *text,
    const struct origin *origin, char *why)
{
	char reason[CLI_WHY_LEN], name[CLI_NAME_LEN];
	bool on;

	if (!cli_boolean(text, &on, reason)) {
		snprintf(why, SETTINGS_WHY, "%s=%.200s: %s", cli_variable(row, name), text, reason);
		return false;
	}
	if (!on)
		settings_clear(s, row, origin);
	else if (!settings_put(s, row, NULL, origin))
		return no_memory(why);
	return true;
}

static bool
put_counter(struct settings *s, const struct cli_option *row, const char *text,
    const struct origin *origin, char *why)
{
	char reason[CLI_WHY_LEN], name[CLI_NAME_LEN];
	long n;

	if (!cli_number(text, 0, COUNTER_MAX, &n, reason)) {
		snprintf(why, SETTINGS_WHY, "%s=%.200s: %s", cli_variable(row, name), text, reason);
		return false;
	}
	settings_clear(s, row, origin);
	while (n-- > 0)
		if (!settings_put(s, row, NULL, origin))
			return no_memory(why);
	return true;
}

static bool
put_variable(struct settings *s, const struct cli_option *row, const char *text, char *why)
{
	static const struct origin origin = { .from = FROM_ENVIRONMENT };

	if ((row->flags & CLI_LIST) != 0)
		return put_list(s, row, text, &origin) || no_memory(why);
	switch (cli_kind(row)) {
	case CLI_SWITCH:	return put_switch(s, row, text, &origin, why);
	case CLI_COUNTER:	return put_counter(s, row, text, &origin, why);
	default:		return settings_put(s, row, text, &origin) || no_memory(why);
	}
}

bool
sources_environment(struct settings *s, char *why)
{
	char name[CLI_NAME_LEN];
	const char *text;

	settings_layer(s);
	for (const struct cli_option *row = s->rows; row->name != NULL; row++) {
		if (!cli_has_variable(row) ||
		    (text = getenv(cli_variable(row, name))) == NULL || *text == '\0')
			continue;
		if (!put_variable(s, row, text, why))
			return false;
	}
	return true;
}

void
sources_forget(const struct cli_option *rows)
{
	char name[CLI_NAME_LEN], *text;

	for (; rows->name != NULL; rows++) {
		if ((rows->flags & CLI_SECRET) == 0)
			continue;
		if ((text = getenv(cli_variable(rows, name))) != NULL)
			explicit_bzero(text, strlen(text));
		unsetenv(name);
	}
}

/* ---- the command line ---- */

struct given {
	const struct cli_option *row;
	const char	*text;		/* of argv, or a copy of a secret */
	bool		 negated;
};

struct command_line {
	void		*conf;
	struct given	*at;
	size_t		 n, room;
	char		**command;
};

/* Others can read our argv: take the secret out, and say that it was there. */
static const char *
secret_take(const struct cli_option *row, char *arg)
{
	char name[CLI_NAME_LEN], *copy = strdup(arg);

	if (copy == NULL)
		fatal("cannot take --%s", row->name);
	memset(arg, '*', strlen(arg));
	log_warnx("--%s: others could read it on the command line until now (use %s, or a profile "
	    "that only you can read)", row->name, cli_variable(row, name));
	return copy;
}

static bool
collect(void *ctx, const struct cli_option *row, const char *arg, bool negated, char *why)
{
	struct command_line *c = ctx;
	size_t room = c->room == 0 ? 32 : 2 * c->room;
	struct given *more;

	if ((row->flags & CLI_NOW) != 0)
		return row->set(c->conf, arg, why);
	if (c->n == c->room) {
		if ((more = reallocarray(c->at, room, sizeof(*more))) == NULL)
			return no_memory(why);
		c->at = more;
		c->room = room;
	}
	if ((row->flags & CLI_SECRET) != 0 && arg != NULL)
		arg = secret_take(row, (char *)arg);
	c->at[c->n++] = (struct given){ row, arg, negated };
	return true;
}

static bool
put_command_line(struct settings *s, const struct command_line *c, char *why)
{
	static const struct origin origin = { .from = FROM_COMMAND_LINE };

	settings_layer(s);
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].negated)
			settings_clear(s, c->at[i].row, &origin);
		else if (!((c->at[i].row->flags & CLI_ADD) != 0 ? settings_add : settings_put)
		    (s, c->at[i].row, c->at[i].text, &origin))
			return no_memory(why);
	for (char **arg = c->command; *arg != NULL; arg++)
		if (!settings_put(s, &settings_command, *arg, &origin))
			return no_memory(why);
	return true;
}

/* ---- all of them ---- */

/* Which profiles there are is said by the two sources that are no profile. */
static bool
merge(struct settings *s, struct settings *first, const struct command_line *c, char *why)
{
	const struct setting *named, *local;
	struct settings theirs;
	bool untrusted = false, ok;

	if (!sources_environment(first, why) || !put_command_line(first, c, why))
		return false;
	named = settings_find_name(first, "profile");
	local = settings_find_name(first, "profile-local");
	for (size_t i = 0; i < named->n; i++)
		if (!profile_load(s, named->value[i].text, why))
			return false;
	if (!settings_init(&theirs, s->rows))
		return no_memory(why);
	theirs.normal = s->normal;
	ok = (local->n == 0 || profile_load_local(s, &theirs, &untrusted, why)) &&
	    sources_environment(s, why) && put_command_line(s, c, why) &&
	    (!untrusted || settings_tighten(s, &theirs, why));
	settings_done(&theirs);
	return ok;
}

void
sources_read(struct settings *s, const struct cli *cli, void *conf, int argc, char **argv,
    int status)
{
	struct command_line c = { .conf = conf };
	struct settings first;
	char why[SETTINGS_WHY] = "";

	c.command = argv + cli_walk(cli, collect, &c, argc, argv, status);
	log_fatal_status(status);
	if (!settings_init(&first, cli->options))
		fatal("cannot read the options");
	if (!merge(s, &first, &c, why))
		fatalx("%s", why);
	settings_done(&first);
	free(c.at);
	sources_forget(cli->options);
}

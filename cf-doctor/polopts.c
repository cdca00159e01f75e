/*
 * polopts.c - see polopts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "polopts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cf-spawn/profile.h"
#include "../cf-spawn/spawn.h"
#include "log.h"

/* Those of cf-spawn's options that make a policy; of the others only the keys are looked at. */
static const struct cli_option policy_rows[] = {
	POLOPTS_ROWS,
	{ 0, NULL, NULL, NULL, NULL }
};

static const char profile_row[] = "profile";

bool
polopts_none(void *conf, const char *arg, char *why)
{
	(void)conf, (void)arg, (void)why;
	return true;
}

static bool
is_policy(const char *name)
{
	for (const struct cli_option *row = policy_rows; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return true;
	return false;
}

/* ---- what is given ---- */

static struct polopts_given *
given_new(struct polopts *p)
{
	size_t room = p->room == 0 ? 16 : 2 * p->room;
	struct polopts_given *more;

	if (p->n == p->room) {
		if ((more = reallocarray(p->given, room, sizeof(*more))) == NULL)
			fatalx("out of memory");
		p->given = more;
		p->room = room;
	}
	return &p->given[p->n++];
}

struct walk {
	struct polopts	*polopts;
	void		*conf;
};

static bool
take(void *ctx, const struct cli_option *row, const char *arg, bool negated, char *why)
{
	struct walk *w = ctx;

	(void)negated;
	if (!is_policy(row->name))
		return row->set(w->conf, arg, why);
	*given_new(w->polopts) = (struct polopts_given){ row->name, arg };
	return true;
}

int
polopts_walk(struct polopts *p, const struct cli *cli, void *conf, int argc, char **argv)
{
	struct walk w = { p, conf };

	return cli_walk(cli, take, &w, argc, argv, 2);
}

bool
polopts_add(struct polopts *p, const char *name, const char *text, bool negated)
{
	size_t kept = 0;

	if (!is_policy(name))
		return false;
	for (size_t i = 0; negated && i < p->n; i++)
		if (strcmp(p->given[i].name, name) != 0)
			p->given[kept++] = p->given[i];
	if (negated)
		p->n = kept;
	else
		*given_new(p) = (struct polopts_given){ name, text };
	return true;
}

void
polopts_profile(struct polopts *p, const char *word)
{
	given_new(p);
	memmove(p->given + 1, p->given, (p->n - 1) * sizeof(*p->given));
	p->given[0] = (struct polopts_given){ profile_row, word };
}

void
polopts_done(struct polopts *p)
{
	free(p->given);
	*p = (struct polopts){ 0 };
}

/* ---- what it makes ---- */

/* Profiles first, whereever on the command line they stand. */
static void
merge(struct settings *s, const struct polopts *p)
{
	static const struct origin origin = { .from = FROM_COMMAND_LINE };
	char why[PROFILE_WHY];

	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->given[i].name, profile_row) == 0 &&
		    !profile_load(s, p->given[i].text, why))
			fatalx("%s", why);
	settings_layer(s);
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->given[i].name, profile_row) != 0 && !settings_put(s,
		    settings_find_name(s, p->given[i].name)->row, p->given[i].text, &origin))
			fatalx("out of memory");
}

/* Of what else a profile sets nothing is to be done: no file of it opened, no host looked at. */
static void
leave_policy(struct settings *s)
{
	static const struct origin origin = { .from = FROM_COMMAND_LINE };

	for (size_t i = 0; i < s->nrows; i++)
		if (!is_policy(s->at[i].row->name))
			settings_clear(s, s->at[i].row, &origin);
}

void
polopts_make(const struct polopts *p, struct policy_made *out)
{
	static struct conf conf;
	struct settings s;		/* its texts are the policy's: it stays */
	char why[SETTINGS_WHY];

	conf = (struct conf){ 0 };
	if (!options_settings(&s))
		fatalx("out of memory");
	merge(&s, p);
	leave_policy(&s);
	if (!settings_apply(&s, &conf, why))
		fatalx("%s", why);
	*out = (struct policy_made){ conf.rules, conf.encdns, conf.host_ports };
}

void *
policy_made_load(const struct policy_made *made, struct rules *out)
{
	char why[RULEOPTS_WHY];
	const char *bad;
	size_t len;
	void *flat = ruleopts_compile(&made->rules, &len, why);

	if (flat == NULL)
		fatalx("%s", why);
	if ((bad = rules_load(flat, len, out)) != NULL)
		fatalx("cannot use the rules: %s", bad);
	return flat;
}

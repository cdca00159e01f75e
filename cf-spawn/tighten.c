/*
 * tighten.c - what a profile that nobody trusted may have its way in.
 *
 * It has its word last, after the command line, and can only take away: whatever leaves
 * with it would have left without it.  Each row of the table says how, in its column
 * `tightens`; a row that says nothing is refused, so a new option is closed to untrusted
 * profiles until somebody has thought about it.
 *
 *	to on, to off	a switch that refuses more goes on, one that opens goes off
 *	to deny		the default policy
 *	to more		a list of what is refused grows; what stands in it stays
 *	to fewer	a list of what is allowed loses all entries that are not named again,
 *			also where only another list is left that allows.  Where what no rule
 *			names is allowed, such a list opens nothing, since all refusals beat
 *			it (cf-policy(7)), and may be made.
 *
 * That a list has become empty must not make it no list: the default, once "deny", is
 * then said.  Entries are compared as text: a narrower network is no entry of the list.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "settings.h"

/* --allow and --allow-file turn the default around by being there: ruleopts.h. */
static const char *const turning[] = { "allow", "allow-file" };

bool
settings_default_deny(const struct settings *s)
{
	const struct setting *one = settings_find_name(s, "default-policy");

	if (one != NULL && one->n > 0)
		return strcmp(one->value[one->n - 1].text, "deny") == 0;
	for (size_t i = 0; i < sizeof(turning) / sizeof(turning[0]); i++)
		if ((one = settings_find_name(s, turning[i])) != NULL && one->n > 0)
			return true;
	return false;
}

static bool
has(const struct setting *one, const char *text)
{
	for (size_t i = 0; i < one->n; i++)
		if (strcmp(one->value[i].text, text) == 0)
			return true;
	return false;
}

/* What a way has to know, and its answer. */
struct try {
	struct settings	*s;
	bool		 deny;		/* by default, before anything was tightened */
	const char	*reason;	/* why not */
};

static bool
out_of_memory(struct try *t)
{
	t->reason = "out of memory";
	return false;
}

static bool
switch_set(struct try *t, const struct setting *theirs, bool to)
{
	struct setting *ours = settings_find(t->s, theirs->row);

	if ((theirs->n > 0) != to) {
		t->reason = to ? "it can only be switched on" : "it can only be switched off";
		return (ours->n > 0) != to;	/* nothing changes */
	}
	if (!to)
		settings_clear(t->s, theirs->row, &theirs->origin);
	else if (!settings_put(t->s, theirs->row, NULL, &theirs->origin))
		return out_of_memory(t);
	return true;
}

static bool
to_on(struct try *t, const struct setting *theirs)
{
	return switch_set(t, theirs, true);
}

static bool
to_off(struct try *t, const struct setting *theirs)
{
	return switch_set(t, theirs, false);
}

static bool
to_deny(struct try *t, const struct setting *theirs)
{
	if (theirs->n == 0 || strcmp(theirs->value[0].text, "deny") != 0) {
		t->reason = "it can only be deny";
		return false;
	}
	return settings_put(t->s, theirs->row, "deny", &theirs->origin) || out_of_memory(t);
}

static bool
to_more(struct try *t, const struct setting *theirs)
{
	for (size_t i = 0; i < theirs->n; i++)
		if (!has(settings_find(t->s, theirs->row), theirs->value[i].text) &&
		    !settings_add(t->s, theirs->row, theirs->value[i].text, &theirs->value[i].origin))
			return out_of_memory(t);
	return true;
}

static bool
to_fewer(struct try *t, const struct setting *theirs)
{
	const struct setting *ours = settings_find(t->s, theirs->row);

	for (size_t i = 0; i < theirs->n; i++)
		if ((ours->n > 0 || t->deny) && !has(ours, theirs->value[i].text)) {
			t->reason = ours->n > 0 ? "the list can only lose entries" :
			    "it would allow what is refused";
			return false;
		}
	settings_clear(t->s, theirs->row, &theirs->origin);
	for (size_t i = 0; i < theirs->n; i++)
		if (!settings_put(t->s, theirs->row, theirs->value[i].text, &theirs->value[i].origin))
			return out_of_memory(t);
	return true;
}

static bool
never(struct try *t, const struct setting *theirs)
{
	(void)theirs;
	t->reason = "it does not make the policy tighter";
	return false;
}

static bool	(*const ways[])(struct try *, const struct setting *) = {
	[CLI_NEVER] = never, [CLI_TO_ON] = to_on, [CLI_TO_OFF] = to_off, [CLI_TO_DENY] = to_deny,
	[CLI_TO_MORE] = to_more, [CLI_TO_FEWER] = to_fewer
};

static bool
one_way(struct try *t, const struct setting *theirs, char *why)
{
	char key[CLI_NAME_LEN];

	if (ways[theirs->row->tightens](t, theirs))
		return true;
	snprintf(why, SETTINGS_WHY, "%s:%u:%u: %s: %s, and this profile is not trusted (read it, "
	    "then: cf-spawn --trust %s)", theirs->origin.file, theirs->origin.line,
	    theirs->origin.column, cli_key(theirs->row, key), t->reason, theirs->origin.file);
	return false;
}

bool
settings_tighten(struct settings *s, const struct settings *untrusted, char *why)
{
	const struct setting *policy = settings_find_name(s, "default-policy");
	struct try t = { .s = s, .deny = settings_default_deny(s) };
	struct origin origin = { 0 };

	settings_layer(s);
	for (size_t i = 0; i <= untrusted->nrows; i++) {
		const struct setting *theirs = &untrusted->at[i];

		if (theirs->layer == 0)
			continue;
		if (!one_way(&t, theirs, why))
			return false;
		origin = theirs->origin;
	}
	if (t.deny && !settings_default_deny(s) && policy != NULL && origin.file != NULL &&
	    !settings_put(s, policy->row, "deny", &origin)) {
		snprintf(why, SETTINGS_WHY, "out of memory");
		return false;
	}
	return true;
}

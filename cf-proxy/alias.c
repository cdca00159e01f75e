/*
 * alias.c - flows to made-up addresses (synthetic.h), which stand for a name.
 *
 *   cf-netstack        here                 cf-dns         dialler
 *     OPEN ----------> whose is it?
 *                      RESOLVE -----------> looks it up
 *                      each address <------ RESOLVED
 *                      judged; OPEN ---------------------> tries it
 *          <- OPENED   <---------------------------------- OPENED
 *                      the next one <--------------------- REFUSED, of this address
 *          <- REFUSED  none is left
 *
 * What must stay true: an address is judged, by the flow's own name, before it is tried, and
 * recorded as an attempt of its own.  cf-netstack hears of one end only.  An answer of
 * cf-dns may cross with CLOSE, so the flow is looked up by its number.
 * Where nobody has the address, nobody is there: the same error as on a real network.
 *
 * By the same way a flow goes whose first flight (first.c) names somebody who is elsewhere.
 *
 * Deliberately not done: trying two addresses at once; the tree has chosen the family.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "first.h"
#include "synthetic.h"

#define ALIAS_ADDRS	8		/* real addresses that are tried */

/* The name that a flow's address stood for, and where it may be. */
struct alias {
	const char	*name;		/* of the table, which keeps it; or own */
	char		*own;
	bool		 resolved;
	bool		 told;		/* to the upstream proxy, which finds it */
	size_t		 n, next;	/* addresses, and which is to be tried next */
	size_t		 tried;		/* how many the dialler was asked for */
	struct addr	 addrs[ALIAS_ADDRS];
};

const char *
alias_name(const struct alias *a)
{
	return a->name;
}

bool
alias_was_tried(const struct alias *a)
{
	return a->tried > 0;
}

void
alias_free(struct alias *a)
{
	if (a != NULL)
		free(a->own);
	free(a);
}

bool
alias_next(struct broker *b, struct asked *fl, struct rules_words *why)
{
	struct alias *a = fl->alias;
	struct record_names names = asked_names(fl);
	uint16_t port = fl->open.dst.port;

	while (a->next < a->n) {
		fl->open.dst = a->addrs[a->next++];
		fl->open.dst.port = port;
		if (!asked_may_leave(b, &fl->open, &names, why) || !broker_dial(b, fl, why))
			continue;
		a->tried++;
		return true;
	}
	return false;
}

void
alias_resolved(void *arg, uint64_t question, const struct addr *addrs, size_t n)
{
	struct broker *b = arg;
	struct asked *fl = idmap_get(&b->by_id, question);
	struct record_names names;
	static const char nowhere[] = "the name has no address any more";
	struct rules_words why;
	struct alias *a;

	if (fl == NULL || (a = fl->alias) == NULL || a->resolved || first_has_ended(fl))
		return;			/* it crossed with CLOSE, or with new rules */
	a->resolved = true;
	for (size_t i = 0; i < n && a->n < ALIAS_ADDRS; i++)
		if (addrs[i].family == fl->open.dst.family)
			a->addrs[a->n++] = addrs[i];
	if (alias_next(b, fl, &why))
		return;
	names = asked_names(fl);
	if (fl->first != NULL) {
		if (a->n == 0)
			record_result(&fl->open, &names, nowhere, sizeof(nowhere) - 1);
		first_unreachable(b, fl, EHOSTUNREACH, a->n > 0 ? &why : NULL);
		return;
	}
	if (a->n > 0)
		asked_deny(b, fl->id, &fl->open, &names, &why);
	else
		asked_nowhere(b, fl->id, &fl->open, &names, nowhere);
	asked_free(b, fl);
}

/*
 * The upstream proxy finds the name.  So nobody here knows an address: it is judged by its name, and
 * the address of the OPEN goes on only for the port.
 */
static void
tell(struct alias *a)
{
	a->told = a->resolved = true;
	a->tried = 1;
}

bool
alias_is_told(const struct alias *a)
{
	return a->told;
}

void
alias_open(struct broker *b, uint64_t id, const struct msg_open *asked_for)
{
	const struct record_names none = { .flow = id, .who = b->opening.who };
	struct record_names names = { .n = 1, .flow = id, .who = b->opening.who };
	struct msg_open o[1] = { *asked_for };
	struct rules_words why;
	uint32_t number = synthetic_number(&o->dst);
	const char *name;
	struct asked *fl;

	if (b->namechan != NULL)
		namechan_drain(b->namechan);
	if ((name = names_made_up(b->names, number)) == NULL) {
		asked_nowhere(b, id, o, &none, "no name was given this address");
		return;
	}
	names.name[0] = name;
	if (!way_choose(b->way, o, &names, &why) ||
	    (asked_is_told(b, o) && !asked_may_leave(b, o, &names, &why))) {
		asked_deny(b, id, o, &names, &why);
		return;
	}
	if ((fl = asked_admit(b, id, o)) == NULL)
		return;
	if ((fl->alias = calloc(1, sizeof(*fl->alias))) != NULL)
		fl->alias->name = name;
	if (fl->alias != NULL && asked_is_told(b, o)) {
		tell(fl->alias);
		if (broker_dial(b, fl, &why))
			return;
		asked_deny(b, id, o, &names, &why);
		asked_free(b, fl);
	} else if (fl->alias == NULL || !namechan_resolve(b->namechan, id, o->dst.family, name)) {
		asked_nowhere(b, id, o, &none, "cf-dns cannot be asked");
		asked_free(b, fl);
	}
}

/* The flow goes by another name now, and perhaps another way. */
bool
alias_redial(struct broker *b, struct asked *fl, const char *name)
{
	const struct record_names names = { .name = { name }, .n = 1 };
	struct alias *a = calloc(1, sizeof(*a));
	struct rules_words why;

	if (a == NULL || (a->own = strdup(name)) == NULL ||
	    !way_choose(b->way, &fl->open, &names, &why)) {
		alias_free(a);
		return false;
	}
	if (way_tells(b->way, &fl->open)) {
		tell(a);
	} else if (b->namechan == NULL ||
	    !namechan_resolve(b->namechan, fl->id, fl->open.dst.family, name)) {
		alias_free(a);
		return false;
	}
	a->name = a->own;
	alias_free(fl->alias);
	fl->alias = a;
	return true;
}

/*
 * polopts.h - a policy out of profiles and options, as cf-spawn would make it of the same.
 *
 * Profiles are read by cf-spawn's own code, every key of theirs is looked at, and those that make
 * a policy are used.  An option given here replaces what profiles say about it.  Variables of the
 * environment are not looked at: a test is to say the same for everybody.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_POLOPTS_H
#define CF_POLOPTS_H

#include "encdns.h"
#include "hostports.h"
#include "ruleopts.h"

/* What is given on a command line, not looked at yet. */
struct polopts {
	struct polopts_given {
		const char *name;	/* of the row */
		const char *text;	/* NULL: of a switch */
	}		*given;
	size_t		 n, room;
};

/* What it makes; the texts are the process's. */
struct policy_made {
	struct ruleopts	 rules;
	enum encdns_choice encdns;
	struct hostports host;
};

#define POLOPTS_PROFILE_ROW							\
	{ 0, "profile", "FILE|NAME", polopts_none,				\
	  "take the policy of a profile (repeatable)", CLI_LIST }

#define POLOPTS_ROWS								\
	POLOPTS_PROFILE_ROW,							\
	RULEOPTS_ROWS,								\
	{ 0, "proxy-only", NULL, polopts_none,					\
	  "refuse what does not go through a proxy" },				\
	{ 0, "host-port", "PORTS", polopts_none,				\
	  "open ports of the host's own loopback", CLI_LIST },			\
	{ 0, "block-encrypted-dns", NULL, polopts_none,				\
	  "refuse encrypted DNS (with rules about names it always is)" },	\
	{ 0, "allow-encrypted-dns", NULL, polopts_none,				\
	  "let encrypted DNS pass by the rules about names" }

/* Rows of a policy need no function: polopts_walk() takes them. */
bool	polopts_none(void *, const char *, char *);

/* cli_parse() with rows of a policy, which go to p; the others go to conf. */
int	polopts_walk(struct polopts *p, const struct cli *, void *conf, int argc, char **argv);
/* One option of cf-spawn, or that it is taken back; false: it makes no policy. */
bool	polopts_add(struct polopts *, const char *name, const char *text, bool negated);
/* One more --profile, below those that are given. */
void	polopts_profile(struct polopts *, const char *word);
/* Ends the process where a profile or a value is wrong. */
void	polopts_make(const struct polopts *, struct policy_made *);
void	polopts_done(struct polopts *);
/* The rules, loaded; what they lie in, from malloc().  Ends the process where one is wrong. */
void	*policy_made_load(const struct policy_made *, struct rules *out);

#endif

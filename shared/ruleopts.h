/*
 * ruleopts.h - the options that make a policy, for every program that takes them.
 *
 * A program puts RULEOPTS_ROWS into its table of options (cli.h) and a struct ruleopts
 * first into the struct that the table fills: the rows find it there.  What is given is
 * kept as it stands; only ruleopts_compile() opens files, with the rights that
 * the program has then, and holds every rule against the grammar.
 *
 * --allow and --allow-file are lists of what may leave: with them the default is to
 * refuse, unless --default-policy says otherwise.  The options that childflow has had
 * (--allow-cidr, --allow-domain, --allow-domain-exact) leave the default as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_RULEOPTS_H
#define CF_RULEOPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "rulebook.h"

#define RULEOPTS_FILE_MAX	(64 << 20)	/* bytes of one file of rules */
#define RULEOPTS_WHY		1024

struct ruleopts_given {
	enum rules_source source;
	const char	*text;		/* a rule, or the path of a file; of argv */
};

struct ruleopts {
	unsigned	 switches;	/* of rules.h */
	bool		 default_said;	/* --default-policy was given */
	struct ruleopts_given *given;	/* in the order of the command line */
	size_t		 n, room;
};

/* For those who count what passes. */
#define RULEOPTS_QUOTA_ROW								\
	{ 0, "quota",		 "TARGET=LIMIT", ruleopts_quota,			\
	  "at most 10MB/up, 1GB/down, 500MB, 20conn, 5dest (several: by commas)", CLI_LIST,	\
	  CLI_TO_MORE }

/* The page of --help that has them. */
#define RULEOPTS_GROUP									\
	{ "rules", "what may leave, see cf-policy(7)",					\
	  "offline block-private block-metadata default-policy allow-cidr deny-cidr "	\
	  "allow-domain allow-domain-exact deny-domain deny-domain-exact allow deny "	\
	  "allow-file deny-file permissive" }

#define RULEOPTS_ROWS									\
	{ 0, "offline",		 NULL,		ruleopts_offline,			\
	  "refuse everything", 0, CLI_TO_ON },						\
	{ 0, "block-private",	 NULL,		ruleopts_block_private,			\
	  "refuse private, link-local and reserved addresses", 0, CLI_TO_ON },		\
	{ 0, "block-metadata",	 NULL,		ruleopts_block_metadata,		\
	  "refuse the metadata services of clouds", 0, CLI_TO_ON },			\
	{ 0, "default-policy",	 "allow|deny",	ruleopts_default_policy,		\
	  "what happens to what no rule names (allow)", 0, CLI_TO_DENY },		\
	{ 0, "allow-cidr",	 "NETWORK",	ruleopts_allow_cidr,			\
	  "allow an address or a network", CLI_LIST, CLI_TO_FEWER, "allow_cidrs" },	\
	{ 0, "deny-cidr",	 "NETWORK",	ruleopts_deny_cidr,			\
	  "refuse an address or a network", CLI_LIST, CLI_TO_MORE, "deny_cidrs" },	\
	{ 0, "allow-domain",	 "NAME",	ruleopts_allow_domain,			\
	  "allow a name and all below it", CLI_LIST, CLI_TO_FEWER, "allow_domains" },	\
	{ 0, "allow-domain-exact", "NAME",	ruleopts_allow_domain_exact,		\
	  "allow a name", CLI_LIST, CLI_TO_FEWER, "allow_domains_exact" },		\
	{ 0, "deny-domain",	 "NAME",	ruleopts_deny_domain,			\
	  "refuse a name and all below it", CLI_LIST, CLI_TO_MORE, "deny_domains" },	\
	{ 0, "deny-domain-exact", "NAME",	ruleopts_deny_domain_exact,		\
	  "refuse a name", CLI_LIST, CLI_TO_MORE, "deny_domains_exact" },		\
	{ 0, "allow",		 "RULE",	ruleopts_allow,				\
	  "allow TARGET[:PORTS][/PROTOCOL], refuse the rest", CLI_LIST, CLI_TO_FEWER },\
	{ 0, "deny",		 "RULE",	ruleopts_deny,				\
	  "refuse TARGET[:PORTS][/PROTOCOL]", CLI_LIST, CLI_TO_MORE },			\
	{ 0, "allow-file",	 "FILE",	ruleopts_allow_file,			\
	  "as --allow, one rule a line", CLI_LIST },					\
	{ 0, "deny-file",	 "FILE",	ruleopts_deny_file,			\
	  "as --deny, one rule a line", CLI_LIST },					\
	{ 0, "permissive",	 NULL,		ruleopts_permissive,			\
	  "only tell what the rules would refuse, and let it pass", 0, CLI_TO_OFF }

bool	ruleopts_offline(void *, const char *, char *);
bool	ruleopts_block_private(void *, const char *, char *);
bool	ruleopts_block_metadata(void *, const char *, char *);
bool	ruleopts_default_policy(void *, const char *, char *);
bool	ruleopts_allow_cidr(void *, const char *, char *);
bool	ruleopts_deny_cidr(void *, const char *, char *);
bool	ruleopts_allow_domain(void *, const char *, char *);
bool	ruleopts_allow_domain_exact(void *, const char *, char *);
bool	ruleopts_deny_domain(void *, const char *, char *);
bool	ruleopts_deny_domain_exact(void *, const char *, char *);
bool	ruleopts_allow(void *, const char *, char *);
bool	ruleopts_deny(void *, const char *, char *);
bool	ruleopts_allow_file(void *, const char *, char *);
bool	ruleopts_deny_file(void *, const char *, char *);
bool	ruleopts_permissive(void *, const char *, char *);
bool	ruleopts_quota(void *, const char *, char *);

/* Is there anything to judge by?  If not, nothing needs to be compiled. */
bool		 ruleopts_any(const struct ruleopts *);
/* The switches as they are in force, --default-policy worked out. */
unsigned	 ruleopts_switches(const struct ruleopts *);
/*
 * Read the files and compile all of it: a generation from malloc(), for rules_load().
 * NULL: why says which rule is wrong, where it stands, and what was perhaps meant.
 */
void		*ruleopts_compile(const struct ruleopts *, size_t *out_len,
		    char why[RULEOPTS_WHY]);
/* The same as a sealed memfd (rulesfd.h), or -1 where there are none; ends the process if one is wrong. */
int		 ruleopts_fd(const struct ruleopts *);
void		 ruleopts_done(struct ruleopts *);

#endif

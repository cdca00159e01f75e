/*
 * dryrun.c - --dry-run: what would be in force, and what each helper would get; nothing is started.
 *
 * For a person to read.  The rules are shown out of their compiled form, each with where it comes
 * from, and the helpers by the command lines that they would be started with, so that what
 * is shown is what would be done and not another telling of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "inside.h"
#include "log.h"
#include "rulesfd.h"
#include "ruleshow.h"
#include "spawn.h"

#define SHOWN	4096

static const char *
safe(const char *text)
{
	static char shown[SHOWN];

	return log_escape(shown, sizeof(shown), text);
}

/* ---- the policy ---- */

static void
print_rule(void *arg, const struct ruleshow_row *row)
{
	(void)arg;
	printf("    %-6s  %s ", row->allow ? "allow" : "refuse", row->option);
	if (row->file != NULL)
		printf("%s:%u: ", safe(row->file), row->line);
	printf("%s\n", safe(row->shown));
}

static void
print_never(void *arg, const struct ruleshow_row *row)
{
	(void)arg;
	printf("    %-22s  %s\n", row->cidr, row->what);
}

static void
print_control(void *arg, const char *control)
{
	const char *equals = strchr(control, '=');

	(void)arg;
	if (equals == NULL)		/* what has a value is a rule, or told elsewhere */
		printf(" --%s", safe(control));
}

static void
print_default(const struct ruleopts *o, unsigned switches)
{
	if (switches & RULES_OFFLINE)
		printf("policy: nothing may leave (--offline)\n");
	else if ((switches & RULES_DEFAULT_DENY) == 0)
		printf("policy: what no rule names is allowed (--default-policy allow)\n");
	else
		printf("policy: what no rule names is refused (--default-policy deny%s)\n",
		    o->default_said ? "" : ", as there is a list of what is allowed");
	if (switches & RULES_PERMISSIVE)
		printf("  --permissive: what is refused is only told, and passes\n");
}

static void
print_host_ports(const struct conf *conf)
{
	for (size_t i = 0; i < conf->host_ports.n; i++)
		printf("%s%u-%u%s", i == 0 ? "  ports of the host's loopback, at " INSIDE_HOST4 " and "
		    INSIDE_HOST6 ": " : ", ", conf->host_ports.at[i].lo, conf->host_ports.at[i].hi,
		    i + 1 == conf->host_ports.n ? "\n" : "");
}

static void
print_encdns(const struct conf *conf, const struct rules *rules)
{
	bool blocked = encdns_blocked(conf->encdns, rules);

	printf("  encrypted DNS: %s%s\n", blocked ? "refused" : "as any other destination",
	    conf->encdns == ENCDNS_BLOCK ? " (--block-encrypted-dns)" :
	    conf->encdns == ENCDNS_ALLOW ? " (--allow-encrypted-dns)" :
	    blocked ? " (there are rules about names)" : "");
}

/* The rules in force; where there are none, those that every run has. */
static void
rules_get(const struct conf *conf, struct rules *out)
{
	static const struct ruleopts none;
	char why[RULEOPTS_WHY];
	const char *bad;
	void *flat;
	size_t len;

	if (conf->rules_fd != -1) {
		if ((bad = rulesfd_load(conf->rules_fd, out)) != NULL)
			fatalx("cannot read the rules again: %s", bad);
		return;
	}
	if ((flat = ruleopts_compile(&none, &len, why)) == NULL)
		fatalx("%s", why);
	if ((bad = rules_load(flat, len, out)) != NULL)
		fatalx("cannot read the rules again: %s", bad);
}

static void
print_policy(const struct conf *conf)
{
	struct rules rules;
	size_t n;

	rules_get(conf, &rules);
	print_default(&conf->rules, ruleopts_switches(&conf->rules));
	printf("  switches:");
	policy_controls(conf, print_control, NULL);
	n = ruleshow_given(&rules);
	printf("\n  rules: %zu%s\n", n, n > 1 ? "; one that refuses beats those that allow" : "");
	ruleshow_each(&rules, true, print_rule, NULL);
	printf("  refused whatever the rules are (built in):\n");
	ruleshow_each(&rules, false, print_never, NULL);
	print_host_ports(conf);
	print_encdns(conf, conf->rules_fd != -1 ? &rules : NULL);
}

/* ---- the rest ---- */

static void
print_names(const struct conf *conf, const struct texts *texts)
{
	char text[ADDR_STRLEN];

	printf("names: asked at");
	for (size_t i = 0; i < texts->resolvers.n; i++)
		printf("%s %s", i > 0 ? "," : "", addr_str(&texts->resolvers.at[i], text));
	if (texts->resolvers.n == 0)
		printf(" the server that the tree asks");
	printf("%s\n", conf->ndns > 0 ? " (-d)" : texts->resolvers.n > 0 ? " (" RESOLV_CONF ")" : "");
	if (conf->hosts_file != NULL)
		printf("  hosts file: %s\n", safe(conf->hosts_file));
}

static void
print_helper(void *arg, const char *name, bool jailed, char *const *argv)
{
	(void)arg;
	printf("  %-20s in %s\n   ", name, jailed ? "an empty network namespace" :
	    "the host's network");
	for (; *argv != NULL; argv++)
		printf(" %s", safe(*argv));
	putchar('\n');
}

int
dryrun(const struct conf *conf, const struct identity *id, const struct texts *texts)
{
	if (conf->command[0] != NULL) {
		printf("command:");
		for (char **arg = conf->command; *arg != NULL; arg++)
			printf(" %s", safe(*arg));
		printf("\n  user %u, group %u\n", (unsigned)id->uid, (unsigned)id->gid);
	}
	print_policy(conf);
	print_names(conf, texts);
	printf("helpers: in %s; -n of each prints what the kernel will let it do\n", paths_libexec);
	helpers_each(conf, texts, print_helper, NULL);
	return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}

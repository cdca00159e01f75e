/*
 * policy.c - see policy.h.
 *
 * The built-in rules: destinations that mean something else outside than they mean
 * inside, so that no option could make them right.  Loopback outside is the host's own;
 * link-local and multicast belong to a link that the tree is not on.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "policy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inside.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char	*net;
	unsigned	 bits;
	const char	*reason_code;
	const char	*what;
} builtin[] = {
	{ "0.0.0.0",	   8, "unspecified", "an unspecified address" },	/* RFC 6890 2.2.2 */
	{ "::",		 128, "unspecified", "the unspecified address" },	/* RFC 4291 2.5.2 */
	{ "127.0.0.0",	   8, "loopback",    "a loopback address" },		/* RFC 1122 3.2.1.3 */
	{ "::1",	 128, "loopback",    "the loopback address" },		/* RFC 4291 2.5.3 */
	{ "224.0.0.0",	   4, "multicast",   "a multicast address" },		/* RFC 5771 */
	{ "ff00::",	   8, "multicast",   "a multicast address" },		/* RFC 4291 2.7 */
	{ "255.255.255.255", 32, "broadcast", "the broadcast address" },	/* RFC 919 7 */
	{ "fe80::",	  10, "link_local",  "a link-local address" },		/* RFC 4291 2.5.6 */
	{ INSIDE_PREFIX4, INSIDE_PREFIX4_LEN, "inside", "the tree's own network" },
	{ INSIDE_PREFIX6, INSIDE_PREFIX6_LEN, "inside", "the tree's own network" },
};

struct rule {
	struct addr	 net;
	unsigned	 bits;
	char		 cidr[ADDR_STRLEN + 4];
	const char	*reason_code, *what;
};

struct policy {
	struct rule	 never[COUNT(builtin)];
};

struct policy *
policy_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	for (size_t i = 0; i < COUNT(builtin); i++) {
		struct rule *rule = &p->never[i];
		bool ok = addr_parse(builtin[i].net, 0, &rule->net);

		assert(ok);
		(void)ok;
		rule->bits = builtin[i].bits;
		rule->reason_code = builtin[i].reason_code;
		rule->what = builtin[i].what;
		snprintf(rule->cidr, sizeof(rule->cidr), "%s/%u", builtin[i].net, rule->bits);
	}
	return p;
}

void
policy_free(struct policy *p)
{
	free(p);
}

static bool
rule_covers(const struct rule *rule, const struct addr *a)
{
	size_t whole = rule->bits / 8;
	uint8_t rest = (uint8_t)(0xff00 >> rule->bits % 8);

	if (a->family != rule->net.family || memcmp(a->ip, rule->net.ip, whole) != 0)
		return false;
	return rest == 0 || (a->ip[whole] & rest) == rule->net.ip[whole];
}

static const struct rule *
rule_find(const struct policy *p, const struct addr *a)
{
	for (size_t i = 0; i < COUNT(p->never); i++)
		if (rule_covers(&p->never[i], a))
			return &p->never[i];
	return NULL;
}

bool
policy_judge(const struct policy *p, const struct addr *dst, struct policy_verdict *out)
{
	struct addr real = addr_canonical(dst);
	const struct rule *rule = rule_find(p, dst);
	char ip[ADDR_STRLEN];

	if (rule == NULL)
		rule = rule_find(p, &real);
	out->allowed = rule == NULL;
	if (rule == NULL)
		return true;
	out->reason_code = rule->reason_code;
	out->control = "built-in";
	out->matched_cidr = rule->cidr;
	snprintf(out->text, sizeof(out->text), "blocked: %.46s is %.40s",
	    addr_ip_str(dst, ip), rule->what);
	return false;
}

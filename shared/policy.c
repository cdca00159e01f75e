/*
 * policy.c - see policy.h.
 *
 * The rows of known.c that are refused always.  They are few: a scan is enough.
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

#include "forms.h"
#include "known.h"

struct rule {
	struct addr	 net;
	unsigned	 bits;
	char		 cidr[ADDR_STRLEN + 4];
	const char	*reason_code, *what;
};

struct policy {
	size_t		 n;
	struct rule	 never[];
};

static void
rule_make(struct rule *rule, const struct known *row)
{
	bool ok = addr_parse(row->net, 0, &rule->net);

	assert(ok);
	(void)ok;
	rule->bits = row->bits;
	rule->reason_code = row->code;
	rule->what = row->what;
	snprintf(rule->cidr, sizeof(rule->cidr), "%s/%u", row->net, rule->bits);
}

struct policy *
policy_new(void)
{
	struct policy *p = calloc(1, sizeof(*p) + known_nrows * sizeof(struct rule));

	if (p == NULL)
		return NULL;
	for (size_t i = 0; i < known_nrows; i++)
		if (known_rows[i].group == KNOWN_NEVER)
			rule_make(&p->never[p->n++], &known_rows[i]);
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
	for (size_t i = 0; i < p->n; i++)
		if (rule_covers(&p->never[i], a))
			return &p->never[i];
	return NULL;
}

bool
policy_judge(const struct policy *p, const struct addr *dst, struct policy_verdict *out)
{
	const struct rule *rule = NULL;
	struct addr forms[FORMS_MAX];
	size_t n = forms_of(dst, forms);
	char ip[ADDR_STRLEN];

	for (size_t i = 0; i < n && rule == NULL; i++)
		rule = rule_find(p, &forms[i]);
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

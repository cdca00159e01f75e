/*
 * quotas.c - see quotas.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quotas.h"

#include <stdio.h>
#include <string.h>

#include "cidr.h"
#include "forms.h"
#include "rules_flat.h"

/* The largest first, decimal before binary. */
const struct quota_unit quota_units[QUOTA_UNITS] = {
	{ "TB", 1000000000000u }, { "GB", 1000000000u }, { "MB", 1000000u }, { "KB", 1000u },
	{ "TiB", (uint64_t)1 << 40 }, { "GiB", 1u << 30 }, { "MiB", 1u << 20 }, { "KiB", 1u << 10 },
	{ "B", 1 },
};

static const struct flat_quota *
quota_at(const struct rules *r, size_t i)
{
	return (const struct flat_quota *)(const void *)(r->base + r->head->quotas.off) + i;
}

static const char *
string_at(const struct rules *r, uint32_t at)
{
	return (const char *)r->base + r->head->strings.off + at;
}

bool
quotas_ok(const struct rules *r)
{
	const struct rules_head *h = r->head;

	for (uint32_t i = 0; i < h->quotas.n; i++) {
		const struct flat_quota *q = quota_at(r, i);

		if (q->shown >= h->strings.n || q->cidr >= h->strings.n || q->domain >= h->strings.n ||
		    q->name >= h->strings.n || q->target > RULETEXT_NAME ||
		    q->range > h->quota_ranges.n || q->n_ranges > h->quota_ranges.n - q->range ||
		    q->bits > 128 || (q->net.family != 4 && q->bits > 0 && q->net.family != 6))
			return false;
	}
	return h->quotas.n <= QUOTAS_MAX;
}

size_t
quotas_count(const struct rules *r)
{
	return r->head->quotas.n;
}

struct quota_rule
quotas_get(const struct rules *r, size_t i)
{
	const struct flat_quota *q = quota_at(r, i);

	return (struct quota_rule){ .target = string_at(r, q->shown), .limit = q->limit,
	    .cidr = q->cidr != 0 ? string_at(r, q->cidr) : NULL,
	    .domain = q->domain != 0 ? string_at(r, q->domain) : NULL };
}

/* ---- what covers what ---- */

/* A UDP flow to port 0 hears every port (cf-protocol(7)), so each range of UDP is about it. */
static bool
port_covered(const struct rules *r, const struct flat_quota *q, const struct rules_flow *flow)
{
	const struct rule_range *range =
	    (const struct rule_range *)(const void *)(r->base + r->head->quota_ranges.off) + q->range;
	uint32_t port = flow->proto == RULE_ICMP ? 0 : flow->dst.port;
	uint32_t lo = RULE_SELECTOR(flow->proto, port), hi = lo;

	if (flow->proto == RULE_UDP && port == 0)
		hi = RULE_SELECTOR(RULE_UDP, 0xffff);
	for (uint32_t i = 0; i < q->n_ranges; i++)
		if (range[i].lo <= hi && lo <= range[i].hi)
			return true;
	return false;
}

static bool
net_covers(const struct flat_quota *q, const struct addr *forms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct addr a = forms[i];

		if (a.family != q->net.family)
			continue;
		(void)cidr_mask(&a, q->bits);
		if (memcmp(a.ip, q->net.ip, addr_iplen(&a)) == 0)
			return true;
	}
	return false;
}

static bool
name_covers(const struct rules *r, const struct flat_quota *q, const char *name)
{
	const char *mine = string_at(r, q->name);
	size_t len = strlen(name), tail = strlen(mine);

	if (len < tail || strcmp(name + len - tail, mine) != 0)
		return false;
	return len == tail ? q->self != 0 : q->below != 0 && name[len - tail - 1] == '.';
}

static bool
covers(const struct rules *r, const struct flat_quota *q, const struct rules_flow *flow,
    const struct addr *forms, size_t n_forms)
{
	if (!port_covered(r, q, flow))
		return false;
	if (q->target == RULETEXT_ANY)
		return true;
	if (q->target == RULETEXT_NET)
		return net_covers(q, forms, n_forms);
	for (size_t i = 0; i < flow->n_names; i++)
		if (name_covers(r, q, flow->names[i]))
			return true;
	return false;
}

size_t
quotas_of(const struct rules *r, const struct rules_flow *flow, uint16_t out[QUOTAS_MAX])
{
	struct addr forms[FORMS_MAX];
	size_t n = 0, n_forms = forms_of(&flow->dst, forms);

	for (uint32_t i = 0; i < r->head->quotas.n; i++)
		if (covers(r, quota_at(r, i), flow, forms, n_forms))
			out[n++] = (uint16_t)i;
	return n;
}

/* ---- words ---- */

const char *
quotas_limit_str(enum quota_kind kind, uint64_t limit, char buf[QUOTAS_LIMIT_LEN])
{
	static const char *const behind[QUOTA_KINDS] = { [QUOTA_UP] = "/up", [QUOTA_DOWN] = "/down",
	    [QUOTA_BYTES] = "", [QUOTA_CONN] = "conn", [QUOTA_DEST] = "dest" };
	size_t i = 0;

	if (kind == QUOTA_CONN || kind == QUOTA_DEST) {
		snprintf(buf, QUOTAS_LIMIT_LEN, "%llu%s", (unsigned long long)limit, behind[kind]);
		return buf;
	}
	while (limit % quota_units[i].size != 0)
		i++;
	snprintf(buf, QUOTAS_LIMIT_LEN, "%llu%s%s", (unsigned long long)(limit / quota_units[i].size),
	    quota_units[i].word, behind[kind]);
	return buf;
}

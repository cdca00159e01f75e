/*
 * whydest.c - a destination as a person writes it: what a rule could name, or a URL.
 *
 * The grammar is that of rules (ruletext.h), so that a destination can be copied into one.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "why.h"

#define PORT_ASSUMED	443

static const struct {
	const char	*scheme;
	unsigned	 port;
} schemes[] = {
	{ "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 }, { "ftp", 21 },
	{ "ssh", 22 }, { "sftp", 22 }, { "git", 9418 }, { "ldap", 389 }, { "ldaps", 636 },
	{ "mysql", 3306 }, { "postgres", 5432 }, { "postgresql", 5432 }, { "redis", 6379 },
	{ "amqp", 5672 }, { "mongodb", 27017 }, { "rsync", 873 },
};

static unsigned
port_of(const char *scheme, size_t len)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i].scheme) == len &&
		    strncasecmp(schemes[i].scheme, scheme, len) == 0)
			return schemes[i].port;
	return 0;
}

static bool
has_port(const char *host, size_t len)
{
	const char *colon = memrchr(host, ':', len), *bracket = memrchr(host, ']', len);

	return colon != NULL && (bracket == NULL || colon > bracket);
}

/* "https://user@host:port/path" as "host:port/tcp". */
static bool
url_cut(const char *text, const char *host, char out[RULETEXT_MAX], char why[RULETEXT_WHY])
{
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);
	unsigned port = port_of(text, (size_t)(host - text) - 3);
	char number[16] = "";

	if (at != NULL) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (host - text == 3 || (!has_port(host, len) && port == 0)) {
		snprintf(why, RULETEXT_WHY, "the port of this kind of URL is not known: write it behind "
		    "the host");
		return false;
	}
	if (!has_port(host, len))
		snprintf(number, sizeof(number), ":%u", port);
	if (len + 32 > RULETEXT_MAX) {
		snprintf(why, RULETEXT_WHY, "it is too long");
		return false;
	}
	snprintf(out, RULETEXT_MAX, "%.*s%s/tcp", (int)len, host, number);
	return true;
}

/* One port and protocol out of the ranges of a rule; false: there are more. */
static bool
selector_take(const struct ruletext *t, struct whydest *out)
{
	const struct rule_range *r = &t->range[0];
	bool both = t->n_ranges == 2 && t->range[1].lo == r->lo + RULE_SELECTOR(RULE_UDP, 0) &&
	    t->range[1].hi == r->hi + RULE_SELECTOR(RULE_UDP, 0);
	uint32_t proto = r->lo >> 16;

	if (t->n_ranges > 1 && !both)
		return false;
	out->proto = (enum rule_proto)proto;
	out->addr.port = 0;
	if (out->proto == RULE_ICMP)
		return true;
	if (r->lo == r->hi) {
		out->addr.port = (uint16_t)r->lo;
		return true;
	}
	out->assumed = true;
	out->addr.port = PORT_ASSUMED;
	return (r->lo & 0xffff) == 0 && (r->hi & 0xffff) == 0xffff;
}

bool
whydest_parse(const char *text, struct whydest *out, char why[RULETEXT_WHY])
{
	const char *slashes = strstr(text, "://");
	char cut[RULETEXT_MAX];
	struct ruletext t;
	struct ruletext_error err;

	*out = (struct whydest){ 0 };
	if (slashes != NULL) {
		if (!url_cut(text, slashes + 3, cut, why))
			return false;
		text = cut;
	}
	if (!ruletext_parse(RULETEXT_FULL, text, strlen(text), &t, &err)) {
		snprintf(why, RULETEXT_WHY, "%s", err.why);
		return false;
	}
	snprintf(why, RULETEXT_WHY, "it has to be one name or one address, and one port");
	if (t.target == RULETEXT_ANY || (t.target == RULETEXT_NAME && t.below) ||
	    (t.target == RULETEXT_NET && t.bits != (t.net.family == 4 ? 32u : 128u)))
		return false;
	out->is_name = t.target == RULETEXT_NAME;
	if (out->is_name)
		snprintf(out->name, sizeof(out->name), "%s", t.name);
	else
		out->addr = t.net;
	return selector_take(&t, out);
}

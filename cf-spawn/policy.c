/*
 * policy.c - the rules of a run: compiled once here, judged by the helpers.
 *
 * The helpers get them as a sealed memfd.  Where nothing is asked for there is none, and
 * no option: a run without rules is the run that it was before there were any.
 *
 * The counter of --fail-on-leak and --list is an eventfd that those which refuse add to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "rulesfd.h"
#include "spawn.h"

void
policy_make(struct conf *conf)
{
	char why[RULEOPTS_WHY];
	void *flat;
	size_t len;

	conf->rules_fd = conf->violations_fd = conf->quotas_fd = -1;
	if ((conf->violations_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		fatal("cannot make the counter of what is refused");
	if (!ruleopts_any(&conf->rules))
		return;
	if ((flat = ruleopts_compile(&conf->rules, &len, why)) == NULL)
		fatalx("%s", why);
	if ((conf->rules_fd = rulesfd_make(flat, len)) == -1)
		fatal("cannot hand the rules to the helpers");
	quotas_know(flat, len);
	conf->quotas_fd = quotas_fd_make();
	free(flat);
}

unsigned long long
policy_violations(const struct conf *conf)
{
	static unsigned long long sum;
	uint64_t n;

	/* Reading takes it down to zero. */
	if (conf->violations_fd != -1 && read(conf->violations_fd, &n, sizeof(n)) == sizeof(n))
		sum += n;
	return sum;
}

/* ---- in words ---- */

/* In the order in which a flow is judged, as childflow lists them. */
static const struct {
	unsigned	 bit;
	const char	*text;
} switches[] = {
	{ RULES_OFFLINE,	"offline" },
	{ RULES_BLOCK_PRIVATE,	"block-private" },
	{ RULES_BLOCK_METADATA,	"block-metadata" },
	{ RULES_DEFAULT_DENY,	"default-policy=deny" },
	{ RULES_PERMISSIVE,	"permissive" },
	{ RULES_PROXY_ONLY,	"proxy-only" },
};
static const enum rules_source order[] = {
	RULES_ALLOW_CIDR, RULES_DENY_CIDR, RULES_ALLOW_DOMAIN_EXACT, RULES_ALLOW_DOMAIN,
	RULES_DENY_DOMAIN_EXACT, RULES_DENY_DOMAIN, RULES_ALLOW, RULES_DENY, RULES_ALLOW_FILE,
	RULES_DENY_FILE, RULES_QUOTA
};
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

void
policy_controls(const struct conf *conf, void (*say)(void *arg, const char *control), void *arg)
{
	const struct ruleopts *o = &conf->rules;
	unsigned on = ruleopts_switches(o);
	char buf[512];

	for (size_t k = 0; k < COUNT(switches); k++)
		if ((on & switches[k].bit) != 0)
			say(arg, switches[k].text);
	for (size_t s = 0; s < COUNT(order); s++)
		for (size_t k = 0; k < o->n; k++) {
			if (o->given[k].source != order[s])
				continue;
			snprintf(buf, sizeof(buf), "%s=%s", rules_sources[order[s]].option + 2,
			    o->given[k].text);
			say(arg, buf);
		}
	for (size_t k = 0; k < conf->host_ports.n; k++) {
		int n = snprintf(buf, sizeof(buf), "host-port=%u", conf->host_ports.at[k].lo);

		if (conf->host_ports.at[k].hi != conf->host_ports.at[k].lo)
			snprintf(buf + n, sizeof(buf) - (size_t)n, "-%u", conf->host_ports.at[k].hi);
		say(arg, buf);
	}
	if (conf->encdns != ENCDNS_BY_RULES)
		say(arg, conf->encdns == ENCDNS_BLOCK ? "block-encrypted-dns" :
		    "allow-encrypted-dns");
	if (conf->quic != NULL) {
		snprintf(buf, sizeof(buf), "quic=%s", conf->quic);
		say(arg, buf);
	}
	if (conf->fail_on_leak)
		say(arg, "fail-on-leak");
	if (conf->runs.attach != NULL) {
		snprintf(buf, sizeof(buf), "attach=%s", conf->runs.attach);
		say(arg, buf);
	}
	seal_controls(conf, say, arg);
}

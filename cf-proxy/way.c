/*
 * way.c - which way a flow goes where there is an upstream proxy: by it, directly, or not at all.
 *
 * Nothing goes around the proxy that the user has not let: what it cannot carry is refused
 * (no_upstream), unless --udp-direct or --icmp-direct says that it may go directly, or
 * --no-proxy names its destination.  The rules are asked in any case, and after this: a flow
 * that would go directly is no proxied one to --proxy-only.
 *
 * --no-proxy is a list of networks and of names, which mean themselves and all below them.  A
 * name counts that the address was given for.  A made-up address has no real one yet, so a
 * network says nothing of it where the proxy is told the name.
 *
 * Names: the proxy is told one where it is known what the tree meant: always for a made-up
 * address, and for another where it has one name only and no hosts file is behind it; with
 * --proxy-names always, the newest of several.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "cidr.h"
#include "hops.h"
#include "log.h"
#include "name.h"
#include "synthetic.h"

#define DIRECT_NAMES_MAX	256

struct way {
	const struct proxy_conf *conf;
	struct cidr_tree nets;
	char		*names[DIRECT_NAMES_MAX];
	size_t		 n_names;
};

/* ---- --no-proxy ---- */

static bool
net_add(struct way *w, const char *item)
{
	char text[ADDR_STRLEN], *slash;
	struct addr net;
	unsigned long bits;
	uint32_t *key;
	char *end = NULL;

	if (strlen(item) >= sizeof(text))
		return false;
	strcpy(text, item);
	if ((slash = strchr(text, '/')) != NULL)
		*slash = '\0';
	if (!addr_parse(text, 0, &net) || net.port != 0)
		return false;
	bits = slash != NULL ? strtoul(slash + 1, &end, 10) : addr_iplen(&net) * 8;
	if ((slash != NULL && (slash[1] == '\0' || *end != '\0')) || bits > addr_iplen(&net) * 8)
		return false;
	(void)cidr_mask(&net, (unsigned)bits);
	if ((key = cidr_add(&w->nets, &net, (unsigned)bits)) != NULL) {
		*key = 0;
		return true;
	}
	fatal("cannot start");
}

/* ".example", "*.example" and "example" are the same here. */
static bool
name_add(struct way *w, const char *item)
{
	char name[NAME_STRLEN];
	struct name_error err;

	item += strncmp(item, "*.", 2) == 0 ? 2 : *item == '.';
	if (w->n_names == DIRECT_NAMES_MAX || !name_from_ascii(item, strlen(item), name, &err) ||
	    (w->names[w->n_names] = strdup(name)) == NULL)
		return false;
	w->n_names++;
	return true;
}

static void
list_add(struct way *w, const char *list)
{
	char *copy = strdup(list), *at = copy, *item;

	if (copy == NULL)
		fatal("cannot start");
	while ((item = strsep(&at, ", \t")) != NULL)
		if (*item != '\0' && !net_add(w, item) && !name_add(w, item))
			fatalx("--no-proxy: %s is no network and no name", item);
	free(copy);
}

static bool
is_below(const char *name, const char *of)
{
	for (; name != NULL; name = name_parent(name))
		if (strcmp(name, of) == 0)
			return true;
	return false;
}

static bool
is_listed(const struct way *w, const struct msg_open *o, const struct record_names *names)
{
	uint32_t keys[CIDR_DEPTH];

	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < w->n_names; k++)
			if (is_below(names->name[i], w->names[k]))
				return true;
	return !synthetic_is(&o->dst) && cidr_find(w->nets.nodes, w->nets.root, &o->dst, keys) > 0;
}

/* ---- the way ---- */

struct way *
way_new(const struct proxy_conf *conf)
{
	static struct way w;

	if (!conf->upstream)
		return NULL;
	w.conf = conf;
	cidr_init(&w.nets);
	for (size_t i = 0; i < conf->n_no_proxy; i++)
		list_add(&w, conf->no_proxy[i]);
	return &w;
}

static bool
carries(const struct way *w, const struct msg_open *o)
{
	return o->proto == IPPROTO_TCP || (o->proto == IPPROTO_UDP && w->conf->upstream_udp &&
	    !w->conf->udp_direct);
}

bool
way_choose(const struct way *w, struct msg_open *o, const struct record_names *names,
    struct rules_words *why)
{
	bool udp = o->proto == IPPROTO_UDP, direct;

	o->flags &= (uint8_t)~OPEN_DIRECT;
	if (w == NULL)
		return true;
	direct = is_listed(w, o, names) || (o->proto != IPPROTO_TCP &&
	    (udp ? w->conf->udp_direct : w->conf->icmp_direct));
	if (direct)
		o->flags |= OPEN_DIRECT;
	if (direct || carries(w, o))
		return true;
	*why = (struct rules_words){ .reason_code = "no_upstream", .control = "--proxy",
	    .never = true };
	snprintf(why->text, sizeof(why->text), "blocked by `--proxy`: it does not carry %s",
	    udp ? "UDP" : "ICMP");
	snprintf(why->hint, sizeof(why->hint), "%s-direct would let it go directly%s",
	    udp ? "--udp" : "--icmp", udp ? ", a socks5:// proxy would carry it" : "");
	return false;
}

bool
way_tells(const struct way *w, const struct msg_open *o)
{
	return w != NULL && (o->flags & OPEN_DIRECT) == 0 && w->conf->proxy_names != WAY_NAMES_NEVER;
}

const char *
way_name(const struct way *w, const struct msg_open *o, const struct record_names *names,
    bool pinned)
{
	bool known = names->n == 1 || (names->n > 1 && w != NULL &&
	    w->conf->proxy_names == WAY_NAMES_ALWAYS);

	if (!known || pinned || !way_tells(w, o) ||
	    !hop_name_fits(names->name[0], strlen(names->name[0])))
		return NULL;
	return names->name[0];
}

/*
 * hostports.c - see hostports.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hostports.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "inside.h"

/* A number of 1 to 65535; *p moves behind it. */
static bool
port_take(const char **p, uint16_t *out)
{
	unsigned long v = 0;
	const char *start = *p;

	for (; isdigit((unsigned char)**p) && *p - start < 6; (*p)++)
		v = v * 10 + (unsigned long)(**p - '0');
	*out = (uint16_t)v;
	return *p > start && v >= 1 && v <= UINT16_MAX;
}

bool
hostports_add(struct hostports *h, const char *text, char *why, size_t len)
{
	uint16_t lo, hi;

	for (const char *p = text;; p++) {
		if (h->n == HOSTPORTS_MAX) {
			snprintf(why, len, "at most %d ports and ranges", HOSTPORTS_MAX);
			return false;
		}
		if (!port_take(&p, &lo))
			break;
		hi = lo;
		if (*p == '-' && (p++, !port_take(&p, &hi)))
			break;
		if (hi < lo || (*p != ',' && *p != '\0'))
			break;
		h->at[h->n].lo = lo;
		h->at[h->n++].hi = hi;
		if (*p == '\0')
			return true;
	}
	snprintf(why, len, "ports are numbers and ranges of 1 to 65535, like 5432,8000-8099");
	return false;
}

bool
hostports_have(const struct hostports *h, uint16_t port)
{
	for (size_t i = 0; i < h->n; i++)
		if (port >= h->at[i].lo && port <= h->at[i].hi)
			return true;
	return false;
}

bool
hostports_is_inside(const struct addr *a)
{
	static struct addr host[2];		/* asked of each connection: parsed once */
	const struct addr *h = &host[a->family == 6];

	if (h->family == 0)
		(void)addr_parse(a->family == 6 ? INSIDE_HOST6 : INSIDE_HOST4, 1, &host[a->family == 6]);
	return memcmp(a->ip, h->ip, addr_iplen(a)) == 0;
}

struct addr
hostports_outside(const struct addr *inside)
{
	struct addr a = { .family = inside->family, .port = inside->port };

	if (a.family == 4) {
		a.ip[0] = 127;
		a.ip[3] = 1;
	} else {
		a.ip[15] = 1;
	}
	return a;
}

bool
hostports_is_loopback(const struct addr *a)
{
	struct addr b = hostports_outside(a);

	return memcmp(a->ip, b.ip, addr_iplen(a)) == 0;
}

/*
 * leakworld.c - what the probe is told, and the addresses that are tried; see leaks.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* ---- words ---- */

size_t
leak_words(const struct leak_world *w, char *out[LEAK_WORDS_MAX])
{
	char text[ADDR_STRLEN];
	size_t n = 0;
	bool ok = asprintf(&out[n++], "nonce=%s", w->nonce) > 0 &&
	    asprintf(&out[n++], "pid=%d", w->pid) > 0 &&
	    asprintf(&out[n++], "started=%" PRIu64, w->started) > 0 &&
	    asprintf(&out[n++], "netns=%" PRIu64, w->netns) > 0 &&
	    asprintf(&out[n++], "port=%u", w->port) > 0 &&
	    asprintf(&out[n++], "fd=%d", w->fd) > 0 &&
	    asprintf(&out[n++], "dir=%s", w->dir) > 0;

	for (size_t i = 0; ok && i < w->n_own; i++)
		ok = asprintf(&out[n++], "own=%s", addr_ip_str(&w->own[i], text)) > 0;
	for (size_t i = 0; ok && i < w->n_paths; i++)
		ok = asprintf(&out[n++], "path=%s", w->path[i]) > 0;
	return ok ? n : 0;
}

bool
leak_word(struct leak_world *w, const char *word)
{
	const char *value = strchr(word, '=');
	size_t len = value != NULL ? (size_t)(value++ - word) : 0;
	unsigned long long number = value != NULL ? strtoull(value, NULL, 10) : 0;

#define IS(key)	(len == sizeof(key) - 1 && memcmp(word, key, len) == 0)
	if (IS("nonce"))
		snprintf(w->nonce, sizeof(w->nonce), "%s", value);
	else if (IS("pid"))
		w->pid = (pid_t)number;
	else if (IS("started"))
		w->started = number;
	else if (IS("netns"))
		w->netns = number;
	else if (IS("port"))
		w->port = (uint16_t)number;
	else if (IS("fd"))
		w->fd = (int)number;
	else if (IS("dir"))
		snprintf(w->dir, sizeof(w->dir), "%s", value);
	else if (IS("own") && w->n_own < LEAK_OWN_MAX && addr_parse(value, 0, &w->own[w->n_own]))
		w->n_own++;
	else if (IS("path") && w->n_paths < LEAK_PATHS_MAX)
		snprintf(w->path[w->n_paths++], LEAK_PATH_LEN, "%s", value);
	else
		return false;
#undef IS
	return true;
}

/* ---- targets ---- */

enum { TO_LOOPBACK, TO_GROUP, TO_STRANGER };

/* port 0: that of cf-doctor. */
static const struct {
	const char	*kind, *ip;
	enum leak_proto	 proto;
	int		 sort;
	uint16_t	 port;
} fixed[] = {
	{ "loopback of the host",	"127.0.0.1",		LEAK_TCP, TO_LOOPBACK, 0 },
	{ "loopback of the host",	"127.0.0.1",		LEAK_UDP, TO_LOOPBACK, 0 },
	{ "loopback of the host",	"::1",			LEAK_TCP, TO_LOOPBACK, 0 },
	{ "loopback, mapped",		"::ffff:127.0.0.1",	LEAK_TCP, TO_LOOPBACK, 0 },
	{ "loopback, translated",	"64:ff9b::7f00:1",	LEAK_TCP, TO_LOOPBACK, 0 },
	{ "loopback, 6to4",		"2002:7f00:1::1",	LEAK_TCP, TO_LOOPBACK, 0 },
	{ "unspecified",		"0.0.0.0",		LEAK_TCP, TO_LOOPBACK, 0 },
	{ "unspecified",		"::",			LEAK_TCP, TO_LOOPBACK, 0 },
	{ "the host, as seen inside",	"192.0.0.3",		LEAK_TCP, TO_LOOPBACK, 0 },
	{ "the host, as seen inside",	"192.0.0.3",		LEAK_UDP, TO_LOOPBACK, 0 },
	{ "the host, as seen inside",	"2001:2:0:cf::3",	LEAK_TCP, TO_LOOPBACK, 0 },
	{ "gateway inside",		"192.0.0.1",		LEAK_TCP, TO_LOOPBACK, 0 },
	{ "multicast",			"239.255.67.70",	LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, mDNS",		"224.0.0.251",		LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, LLMNR",		"224.0.0.252",		LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, SSDP",		"239.255.255.250",	LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, mDNS",		"ff02::fb",		LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, LLMNR",		"ff02::1:3",		LEAK_UDP, TO_GROUP, 0 },
	{ "multicast, SSDP",		"ff02::c",		LEAK_UDP, TO_GROUP, 0 },
	{ "broadcast",			"255.255.255.255",	LEAK_UDP, TO_GROUP, 0 },
	{ "metadata of a cloud",	"169.254.169.254",	LEAK_TCP, TO_STRANGER, 80 },
	{ "metadata of a cloud",	"fd00:ec2::254",	LEAK_TCP, TO_STRANGER, 80 },
	{ "private",			"10.0.0.1",		LEAK_TCP, TO_STRANGER, 80 },
	{ "private",			"192.168.1.1",		LEAK_TCP, TO_STRANGER, 80 },
	{ "DNS over TLS",		"1.1.1.1",		LEAK_TCP, TO_STRANGER, 853 },
	{ "DNS over TLS",		"2606:4700:4700::1111",	LEAK_TCP, TO_STRANGER, 853 },
	{ "DNS over HTTPS",		"1.1.1.1",		LEAK_TCP, TO_STRANGER, 443 },
	{ "DNS over HTTPS",		"8.8.8.8",		LEAK_TCP, TO_STRANGER, 443 },
	{ "DNS over HTTPS",		"2606:4700:4700::1111",	LEAK_TCP, TO_STRANGER, 443 },
};

static const char *
own_kind(const struct addr *a)
{
	static const struct { uint8_t family, first, second, mask; const char *kind; } known[] = {
		{ 4, 10, 0, 0, "private address of the host" },
		{ 4, 172, 16, 0xf0, "private address of the host" },
		{ 4, 192, 168, 0xff, "private address of the host" },
		{ 4, 169, 254, 0xff, "link-local address of the host" },
		{ 6, 0xfe, 0x80, 0xc0, "link-local address of the host" },
		{ 6, 0xfd, 0, 0, "private address of the host" },
	};

	for (size_t i = 0; i < COUNT(known); i++)
		if (a->family == known[i].family && a->ip[0] == known[i].first &&
		    (a->ip[1] & known[i].mask) == known[i].second)
			return known[i].kind;
	return "address of the host";
}

size_t
leak_targets(const struct leak_world *w, struct leak_target out[LEAK_TARGETS])
{
	size_t n = 0;

	for (size_t i = 0; i < COUNT(fixed); i++, n++) {
		out[n] = (struct leak_target){ fixed[i].kind, fixed[i].proto,
		    .ours = fixed[i].sort != TO_STRANGER, .never = fixed[i].sort != TO_STRANGER };
		if (!addr_parse(fixed[i].ip, fixed[i].port, &out[n].addr))
			abort();
		if (fixed[i].port == 0)
			out[n].addr.port = w->port;
	}
	for (size_t i = 0; i < w->n_own; i++)
		for (int p = LEAK_TCP; p <= LEAK_PING; p++, n++) {
			out[n] = (struct leak_target){ own_kind(&w->own[i]), (enum leak_proto)p,
			    w->own[i], p != LEAK_PING, false };
			out[n].addr.port = p != LEAK_PING ? w->port : 0;
		}
	return n;
}

const char *
leak_target_str(const struct leak_target *t, char *buf)
{
	static const char *const protos[] = { "tcp", "udp", "ping" };
	char text[ADDR_STRLEN];

	snprintf(buf, LEAK_DETAIL, "%s %s", protos[t->proto], t->proto == LEAK_PING ?
	    addr_ip_str(&t->addr, text) : addr_str(&t->addr, text));
	return buf;
}

size_t
leak_token(const struct leak_world *w, size_t n, char buf[LEAK_TOKEN_MAX])
{
	return (size_t)snprintf(buf, LEAK_TOKEN_MAX, "cf-leak %s %zu\n", w->nonce, n);
}

int
leak_token_read(const char *nonce, const char *buf, size_t len)
{
	char text[LEAK_TOKEN_MAX], word[LEAK_TOKEN_MAX];
	int n;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, buf, len);
	text[len] = '\0';
	return sscanf(text, "cf-leak %32s %d\n", word, &n) == 2 && strcmp(word, nonce) == 0 &&
	    n >= 0 ? n : -1;
}

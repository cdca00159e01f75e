/*
 * addr.c - addresses as values: text, kernel form, canonical form.
 *
 * Pure; nothing here looks a name up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
addr_iplen(const struct addr *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

bool
addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && a->port == b->port &&
	    memcmp(a->ip, b->ip, addr_iplen(a)) == 0;
}

/* Events have a dozen of them a connection, which is too many for printf(3). */
static char *
number_put(char *p, unsigned v)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

/* Returns where it ends. */
static char *
ip_put(char *p, const struct addr *a)
{
	if (a->family == 4) {
		for (int i = 0; i < 4; i++) {
			p = number_put(p, a->ip[i]);
			*p++ = '.';
		}
		*--p = '\0';
		return p;
	}
	if (a->family == 0 || inet_ntop(AF_INET6, a->ip, p, INET6_ADDRSTRLEN) == NULL)
		strcpy(p, "-");
	return p + strlen(p);
}

const char *
addr_ip_str(const struct addr *a, char *buf)
{
	ip_put(buf, a);
	return buf;
}

const char *
addr_str(const struct addr *a, char *buf)
{
	char *p = buf;

	if (a->family == 6)
		*p++ = '[';
	p = ip_put(p, a);
	if (a->family == 6)
		*p++ = ']';
	*p++ = ':';
	*number_put(p, a->port) = '\0';
	return buf;
}

static bool
port_parse(const char *text, uint16_t *out)
{
	char *end;
	unsigned long v;

	if (*text < '0' || *text > '9')
		return false;
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v == 0 || v > 65535)
		return false;
	*out = (uint16_t)v;
	return true;
}

bool
addr_parse(const char *text, uint16_t default_port, struct addr *out)
{
	char host[ADDR_STRLEN];
	struct addr a = { .port = default_port };
	const char *port = NULL, *close;
	size_t len = strlen(text);
	bool bracket = *text == '[';

	if (bracket) {					/* [v6] or [v6]:port */
		close = strchr(text, ']');
		if (close == NULL || (close[1] != '\0' && close[1] != ':'))
			return false;
		port = close[1] == ':' ? close + 2 : NULL;
		text++;
		len = (size_t)(close - text);
	} else if (strchr(text, ':') != NULL && strchr(text, ':') == strrchr(text, ':')) {
		port = strchr(text, ':') + 1;		/* one colon: v4:port */
		len = (size_t)(port - 1 - text);
	}
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (port != NULL && !port_parse(port, &a.port))
		return false;
	if (!bracket && inet_pton(AF_INET, host, a.ip) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, host, a.ip) == 1)
		a.family = 6;
	else
		return false;
	*out = a;
	return true;
}

socklen_t
addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	switch (a->family) {
	case 4:
		in->sin_family = AF_INET;
		in->sin_port = htons(a->port);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	case 6:
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->ip, 16);
		return sizeof(*in6);
	default:
		return 0;
	}
}

bool
addr_from_sockaddr(const struct sockaddr_storage *ss, struct addr *out)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	memset(out, 0, sizeof(*out));
	switch (ss->ss_family) {
	case AF_INET:
		out->family = 4;
		out->port = ntohs(in->sin_port);
		memcpy(out->ip, &in->sin_addr, 4);
		return true;
	case AF_INET6:
		out->family = 6;
		out->port = ntohs(in6->sin6_port);
		memcpy(out->ip, &in6->sin6_addr, 16);
		return true;
	default:
		return false;
	}
}

bool
addr_is_loopback(const struct addr *a)
{
	static const uint8_t six[16] = { [15] = 1 };

	return a->family == 4 ? a->ip[0] == 127 : a->family == 6 && memcmp(a->ip, six, 16) == 0;
}

struct addr
addr_canonical(const struct addr *a)
{
	static const struct {
		uint8_t	prefix[12];
		uint8_t	len;		/* of the prefix in bytes; */
		uint8_t	at;		/* where the IPv4 address stands */
	} forms[] = {
		{ { 0,0, 0,0, 0,0, 0,0, 0,0, 0xff,0xff }, 12, 12 },	/* ::ffff:0:0/96 */
		{ { 0,0x64, 0xff,0x9b }, 12, 12 },			/* 64:ff9b::/96 */
		{ { 0x20,0x02 }, 2, 2 },				/* 2002::/16 */
		{ { 0 }, 12, 12 },					/* ::/96 */
	};
	static const uint8_t loopback_or_any[15];
	struct addr out = { .family = 4, .port = a->port };

	if (a->family != 6)
		return *a;
	if (memcmp(a->ip, loopback_or_any, sizeof(loopback_or_any)) == 0 && a->ip[15] <= 1)
		return *a;		/* :: and ::1 are themselves, not ::/96 */
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (memcmp(a->ip, forms[i].prefix, forms[i].len) == 0) {
			memcpy(out.ip, a->ip + forms[i].at, 4);
			return out;
		}
	return *a;
}

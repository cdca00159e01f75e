/*
 * hops.c - see hops.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hops.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "name.h"

#define HOPS_MAGIC	0x31504f48u	/* "HOP1" */

static const struct {
	const char	*prefix;
	enum hop_scheme	 scheme;
	bool		 names;
} schemes[] = {
	{ "http://",	HOP_HTTP,	false },
	{ "https://",	HOP_HTTPS,	false },
	{ "socks5://",	HOP_SOCKS5,	false },
	{ "socks5h://",	HOP_SOCKS5,	true },
};
#define N_SCHEMES	(sizeof(schemes) / sizeof(schemes[0]))

static const char *
host_take(const char *text, struct hop *out)
{
	struct name_host host;
	size_t len = strlen(text);
	const char *why;

	if (len > 0 && text[len - 1] == '/')		/* as browsers show it */
		len--;
	if (memchr(text, '@', len) != NULL)
		return "user and password do not belong here, where all can read them: use -U and "
		    "--proxy-password-file";
	if (strcspn(text, "/?#") < len)
		return "there is no path in the address of a proxy";
	if ((why = name_from_host(text, len, &host)) != NULL)
		return why;
	if (host.port == 0)
		return "the port is missing (write http://proxy.example:3128)";
	if (!host.is_addr && strlen(host.name) > HOP_NAME_MAX)
		return "the name is too long";
	if (!host.is_addr)
		snprintf(out->name, sizeof(out->name), "%.*s", HOP_NAME_MAX, host.name);
	else
		out->addr = host.addr;
	out->addr.port = host.port;
	return NULL;
}

const char *
hop_parse(const char *text, struct hop *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < N_SCHEMES; i++) {
		size_t len = strlen(schemes[i].prefix);

		if (strncasecmp(text, schemes[i].prefix, len) != 0)
			continue;
		out->scheme = schemes[i].scheme;
		out->names = schemes[i].names;
		return host_take(text + len, out);
	}
	return "it begins with none of http://, https://, socks5:// and socks5h://";
}

bool
hop_name_fits(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] == '\0' ||
		    strchr("abcdefghijklmnopqrstuvwxyz0123456789-_.", name[i]) == NULL)
			return false;
	return len > 0 && len <= HOP_NAME_MAX;
}

const char *
hop_str(const struct hop *h, char *buf)
{
	char addr[ADDR_STRLEN];
	const char *prefix = "";

	for (size_t i = 0; i < N_SCHEMES; i++)
		if (schemes[i].scheme == h->scheme && schemes[i].names == h->names)
			prefix = schemes[i].prefix;
	if (h->name[0] != '\0')
		snprintf(buf, HOP_STRLEN, "%s%s:%u", prefix, h->name, h->addr.port);
	else
		snprintf(buf, HOP_STRLEN, "%s%s", prefix, addr_str(&h->addr, addr));
	return buf;
}

bool
hops_tls(const struct hops *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->hop[i].scheme == HOP_HTTPS)
			return true;
	return false;
}

bool
hops_udp(const struct hops *l)
{
	return l->n == 1 && l->hop[0].scheme == HOP_SOCKS5;
}

/* ---- as bytes ---- */

static void
text_put(struct wr *w, const char *text)
{
	size_t len = strlen(text);

	wr_u8(w, (uint8_t)len);
	wr_bytes(w, text, len);
}

static bool
text_get(struct rd *r, char *out, size_t size)
{
	size_t len = rd_u8(r);

	if (len >= size)
		return false;
	rd_bytes(r, out, len);
	out[len] = '\0';
	return !r->bad && strlen(out) == len;
}

void
hops_put(struct wr *w, const struct hops *l)
{
	wr_le32(w, HOPS_MAGIC);
	wr_le32(w, l->timeout_ms);
	wr_u8(w, l->insecure);
	wr_u8(w, (uint8_t)l->n);
	for (size_t i = 0; i < l->n; i++) {
		const struct hop *h = &l->hop[i];

		wr_u8(w, (uint8_t)h->scheme);
		wr_u8(w, h->names);
		wr_u8(w, h->has_auth);
		wr_u8(w, h->addr.family);
		wr_le16(w, h->addr.port);
		wr_bytes(w, h->addr.ip, sizeof(h->addr.ip));
		text_put(w, h->name);
		text_put(w, h->user);
		text_put(w, h->pass);
	}
	wr_le32(w, (uint32_t)l->ca_len);
	wr_bytes(w, l->ca, l->ca_len);
}

static bool
hop_get(struct rd *r, struct hop *h)
{
	h->scheme = (enum hop_scheme)rd_u8(r);
	h->names = rd_u8(r) != 0;
	h->has_auth = rd_u8(r) != 0;
	h->addr.family = rd_u8(r);
	h->addr.port = rd_le16(r);
	rd_bytes(r, h->addr.ip, sizeof(h->addr.ip));
	return text_get(r, h->name, sizeof(h->name)) && text_get(r, h->user, sizeof(h->user)) &&
	    text_get(r, h->pass, sizeof(h->pass)) && h->scheme < HOP_SCHEMES && h->addr.port != 0 &&
	    (h->name[0] != '\0' ? h->addr.family == 0 :
	    h->addr.family == 4 || h->addr.family == 6);
}

bool
hops_get(struct rd *r, struct hops *l)
{
	memset(l, 0, sizeof(*l));
	if (rd_le32(r) != HOPS_MAGIC)
		return false;
	l->timeout_ms = rd_le32(r);
	l->insecure = rd_u8(r) != 0;
	l->n = rd_u8(r);
	if (l->n == 0 || l->n > HOPS_MAX)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (!hop_get(r, &l->hop[i]))
			return false;
	l->ca_len = rd_le32(r);
	l->ca = rd_take(r, l->ca_len);
	if (l->ca_len == 0)
		l->ca = NULL;
	return !r->bad && rd_left(r) == 0;
}

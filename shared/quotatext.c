/*
 * quotatext.c - see quotatext.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "quotatext.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/* One limit that is being read. */
struct at {
	const char	*text;		/* of the whole quota */
	const char	*p, *end;	/* of this limit */
	struct ruletext_error *err;
};

static const struct {
	const char	*word;
	enum quota_kind	 kind;
} ways[] = { { "up", QUOTA_UP }, { "down", QUOTA_DOWN } };

/* What people write, and what they mean. */
static const struct {
	const char	*word, *meant;
} near_units[] = {
	{ "K", "KB (1000) or KiB (1024)" }, { "M", "MB (1000000) or MiB (1048576)" },
	{ "G", "GB (10^9) or GiB (2^30)" }, { "T", "TB (10^12) or TiB (2^40)" },
	{ "bytes", "B" }, { "byte", "B" }, { "mbyte", "MB" }, { "mbytes", "MB" }, { "gbyte", "GB" },
	{ "kbit", "KB (bytes: a quota is not in bits)" }, { "mbit", "MB (bytes: a quota is not in bits)" },
	{ "gbit", "GB (bytes: a quota is not in bits)" },
	{ "conns", "conn" }, { "connection", "conn" }, { "connections", "conn" }, { "flows", "conn" },
	{ "flow", "conn" }, { "dests", "dest" }, { "destination", "dest" }, { "destinations", "dest" },
	{ "hosts", "dest" }, { "host", "dest" },
}, near_ways[] = {
	{ "upload", "/up" }, { "uploads", "/up" }, { "out", "/up" }, { "tx", "/up" }, { "sent", "/up" },
	{ "download", "/down" }, { "downloads", "/down" }, { "in", "/down" }, { "rx", "/down" },
	{ "received", "/down" },
}, near_rates[] = {
	{ "s", "" }, { "sec", "" }, { "second", "" }, { "m", "" }, { "min", "" }, { "minute", "" },
	{ "h", "" }, { "hour", "" }, { "d", "" }, { "day", "" },
};

__attribute__((format(printf, 3, 4))) static bool
bad(struct at *at, const char *where, const char *fmt, ...)
{
	va_list ap;

	at->err->column = (size_t)(where - at->text) + 1;
	va_start(ap, fmt);
	vsnprintf(at->err->why, sizeof(at->err->why), fmt, ap);
	va_end(ap);
	return false;
}

static bool
is(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* The digits in front; what they say beyond most is most + 1. */
static bool
number_read(struct at *at, uint64_t *out)
{
	const char *from = at->p;
	char quoted[RULETEXT_QUOTED];

	*out = 0;
	for (; at->p < at->end && *at->p >= '0' && *at->p <= '9'; at->p++)
		*out = *out > QUOTA_BYTES_MOST ? *out : *out * 10 + (uint64_t)(*at->p - '0');
	if (at->p < at->end && *at->p == '.')
		return bad(at, at->p, "a limit is a whole number: write it in a smaller unit, as 1500MB");
	if (at->p == from)
		return bad(at, from, at->p == at->end ? "a limit is missing: write one like 10MB/up, "
		    "500MB, 20conn or 5dest" : "%s is not a limit: write one like 10MB/up, 500MB, "
		    "20conn or 5dest", ruletext_quote(from, (size_t)(at->end - from), quoted));
	if (*out == 0)
		return bad(at, from, "a limit of 0 lets nothing through: write --deny for that");
	return true;
}

static bool
unit_bad(struct at *at, size_t len)
{
	char quoted[RULETEXT_QUOTED];

	ruletext_quote(at->p, len, quoted);
	if (len == 0)
		return bad(at, at->p, "a unit is missing: write one like 10MB, 20conn or 5dest");
	for (size_t i = 0; i < COUNT(near_units); i++)
		if (is(at->p, len, near_units[i].word))
			return bad(at, at->p, "%s is not a unit: did you mean %s?", quoted,
			    near_units[i].meant);
	return bad(at, at->p, "%s is not a unit: write B, KB, MB, GB, TB, KiB, MiB, GiB, TiB, conn or "
	    "dest", quoted);
}

static bool
way_read(struct at *at, enum quota_kind *out)
{
	size_t len = (size_t)(at->end - at->p);
	char quoted[RULETEXT_QUOTED];

	ruletext_quote(at->p, len, quoted);
	for (size_t i = 0; i < COUNT(ways); i++)
		if (is(at->p, len, ways[i].word)) {
			*out = ways[i].kind;
			return true;
		}
	for (size_t i = 0; i < COUNT(near_ways); i++)
		if (is(at->p, len, near_ways[i].word))
			return bad(at, at->p, "%s is not a way: did you mean '%s'?", quoted,
			    near_ways[i].meant);
	for (size_t i = 0; i < COUNT(near_rates); i++)
		if (is(at->p, len, near_rates[i].word))
			return bad(at, at->p, "a quota is an amount of the whole run, not a rate: leave "
			    "out the '/' and %s", quoted);
	return bad(at, at->p, "%s is not a way: write /up or /down, or leave it out for both together",
	    quoted);
}

static bool
limit_set(struct at *at, struct quotatext *out, enum quota_kind kind, uint64_t v, uint64_t most)
{
	if (v > most)
		return bad(at, at->p, "this limit is too large: it can be %llu",
		    (unsigned long long)most);
	if (out->limit[kind] != 0)
		return bad(at, at->p, "a limit of this kind was given before");
	out->limit[kind] = v;
	return true;
}

/* at->p is behind the number. */
static bool
bytes_read(struct at *at, struct quotatext *out, const char *from, uint64_t v, uint64_t size)
{
	const char *slash = memchr(at->p, '/', (size_t)(at->end - at->p));
	enum quota_kind kind = QUOTA_BYTES;

	if (slash != NULL) {
		at->p = slash + 1;
		if (!way_read(at, &kind))
			return false;
	}
	at->p = from;
	return limit_set(at, out, kind, v > QUOTA_BYTES_MOST / size ? QUOTA_BYTES_MOST + 1 : v * size,
	    QUOTA_BYTES_MOST);
}

static bool
limit_read(struct at *at, struct quotatext *out)
{
	const char *from = at->p, *slash;
	uint64_t v;
	size_t len;

	if (!number_read(at, &v))
		return false;
	slash = memchr(at->p, '/', (size_t)(at->end - at->p));
	len = (size_t)((slash != NULL ? slash : at->end) - at->p);
	for (size_t i = 0; i < QUOTA_UNITS; i++)
		if (is(at->p, len, quota_units[i].word))
			return bytes_read(at, out, from, v, quota_units[i].size);
	if (!is(at->p, len, "conn") && !is(at->p, len, "dest"))
		return unit_bad(at, len);
	if (slash != NULL)
		return bad(at, slash, "only bytes have a way: leave out the '/'");
	if (is(at->p, len, "conn")) {
		at->p = from;
		return limit_set(at, out, QUOTA_CONN, v, QUOTA_COUNT_MOST);
	}
	at->p = from;
	return limit_set(at, out, QUOTA_DEST, v, QUOTA_DEST_MOST);
}

bool
quotatext_parse(const char *text, size_t len, struct quotatext *out, struct ruletext_error *err)
{
	const char *equals = len == 0 ? NULL : memchr(text, '=', len), *end = text + len, *comma;
	struct at at = { .text = text, .err = err };

	memset(out, 0, sizeof(*out));
	if (equals == NULL)
		return bad(&at, end, "there is no '=': write TARGET=LIMIT, as example.com=10MB/up or "
		    "'*=500MB'");
	out->target_len = (size_t)(equals - text);
	if (!ruletext_parse(RULETEXT_FULL, text, out->target_len, &out->target, err))
		return false;
	while (end > equals + 1 && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (at.p = equals + 1;; at.p = comma + 1) {
		comma = memchr(at.p, ',', (size_t)(end - at.p));
		at.end = comma != NULL ? comma : end;
		if (!limit_read(&at, out))
			return false;
		if (comma == NULL)
			return true;
	}
}

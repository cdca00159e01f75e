/*
 * digest.c - see digest.h.
 *
 * A list of challenges and a challenge's list of parameters are both parted by commas (RFC 9110
 * 11.6.1): a word that is followed by '=' is a parameter, any other begins a challenge.
 *
 * SPDX-License-Identifier: MIT
 */
#include "digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX	32

struct param {
	char	name[WORD_MAX];
	char	value[DIGEST_TEXT_MAX];
	bool	fits;
};

static bool
is_token(char c)
{
	return c > ' ' && c < 0x7f && strchr("()<>@,;:\\\"/[]?={}", c) == NULL;
}

static const char *
blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Up to `size` of a word; longer ones are cut, and are then no word that is known. */
static const char *
word(const char *p, char *out, size_t size)
{
	size_t n = 0;

	for (; is_token(*p); p++)
		if (n + 1 < size)
			out[n++] = *p;
	out[n] = '\0';
	return p;
}

/* A quoted text stays as it is written between the quotes, so that it can be said again. */
static const char *
quoted(const char *p, struct param *out)
{
	size_t n = 0;

	for (p++; *p != '\0' && *p != '"'; p++) {
		bool pair = *p == '\\' && p[1] != '\0';

		for (int i = 0; i <= pair; i++) {
			if ((unsigned char)p[i] < ' ' || p[i] == 0x7f || n + 1 >= sizeof(out->value))
				out->fits = false;
			else
				out->value[n++] = p[i];
		}
		p += pair;
	}
	out->value[n] = '\0';
	if (*p != '"')
		out->fits = false;
	return *p == '"' ? p + 1 : p;
}

static const char *
value(const char *p, struct param *out)
{
	const char *end;

	out->fits = true;
	p = blanks(p);
	if (*p == '"')
		return quoted(p, out);
	end = word(p, out->value, sizeof(out->value));
	out->fits = (size_t)(end - p) < sizeof(out->value);
	return end;
}

/* "auth" in a list of words. */
static bool
has_auth(const char *list)
{
	char one[WORD_MAX];

	while (*list != '\0') {
		const char *end = word(list, one, sizeof(one));

		if (strcasecmp(one, "auth") == 0)
			return true;
		list = end == list ? list + 1 : end;
	}
	return false;
}

static void
algorithm_take(struct digest *d, const char *name)
{
	static const struct {
		const char	*name;
		enum digest_algorithm algorithm;
		bool		 sess;
	} known[] = {
		{ "MD5", DIGEST_MD5, false }, { "MD5-sess", DIGEST_MD5, true },
		{ "SHA-256", DIGEST_SHA256, false }, { "SHA-256-sess", DIGEST_SHA256, true },
	};

	d->algorithm = DIGEST_NONE;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(name, known[i].name) == 0) {
			d->algorithm = known[i].algorithm;
			d->sess = known[i].sess;
		}
}

/* What a challenge has said by now. */
struct building {
	struct digest	 d;
	bool		 digest;	/* it is one */
	bool		 broken;
	bool		 asks_int;	/* there is a qop, and it is not auth */
};

static void
param_take(struct building *b, const struct param *p)
{
	struct { const char *name; char *to; } texts[] = {
		{ "realm", b->d.realm }, { "nonce", b->d.nonce }, { "opaque", b->d.opaque },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcasecmp(p->name, texts[i].name) == 0) {
			memcpy(texts[i].to, p->value, sizeof(p->value));
			b->broken = b->broken || !p->fits;
		}
	if (strcasecmp(p->name, "opaque") == 0)
		b->d.has_opaque = true;
	else if (strcasecmp(p->name, "stale") == 0)
		b->d.stale = strcasecmp(p->value, "true") == 0;
	else if (strcasecmp(p->name, "algorithm") == 0)
		algorithm_take(&b->d, p->value);
	else if (strcasecmp(p->name, "qop") == 0) {
		b->d.qop = has_auth(p->value);
		b->asks_int = !b->d.qop;
	}
}

/* A challenge is whole: is it the best so far? */
static void
challenge_end(const struct building *b, struct digest *best)
{
	if (b->digest && !b->broken && !b->asks_int && b->d.nonce[0] != '\0' &&
	    b->d.algorithm > best->algorithm)
		*best = b->d;
}

void
digest_challenges(const char *p, struct digest *best, bool *basic)
{
	struct building b = { 0 };
	struct param param;
	const char *next;

	while (*(p = blanks(p)) != '\0') {
		next = word(p, param.name, sizeof(param.name));
		if (next == p) {		/* a comma, or what has no place here */
			p++;
			continue;
		}
		p = blanks(next);
		if (*p == '=') {
			p = value(p + 1, &param);
			param_take(&b, &param);
			continue;
		}
		challenge_end(&b, best);
		memset(&b, 0, sizeof(b));
		b.d.algorithm = DIGEST_MD5;	/* where it says none (RFC 7616 3.3) */
		b.digest = strcasecmp(param.name, "Digest") == 0;
		*basic = *basic || strcasecmp(param.name, "Basic") == 0;
	}
	challenge_end(&b, best);
}

/* ---- the answer ---- */

#define HASH(d, out, ...) do {								\
	const char *const texts[] = { __VA_ARGS__ };					\
	hash_hex((d)->algorithm, texts, sizeof(texts) / sizeof(texts[0]), (out));	\
} while (0)

/* For a quoted string: a quote and a backslash get a backslash. */
static bool
escaped(const char *text, char *out, size_t size)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (n + 3 > size)
			return false;
		if (*text == '"' || *text == '\\')
			out[n++] = '\\';
		out[n++] = *text;
	}
	out[n] = '\0';
	return true;
}

size_t
digest_answer(const struct digest *d, const char *user, const char *pass, const char *uri,
    const char *cnonce, uint32_t count, char out[DIGEST_ANSWER_MAX])
{
	char a1[HASH_HEX], a2[HASH_HEX], response[HASH_HEX], nc[9], name[DIGEST_TEXT_MAX];
	int n;

	if (!escaped(user, name, sizeof(name)))
		return 0;
	snprintf(nc, sizeof(nc), "%08x", (unsigned)count);
	HASH(d, a1, user, d->realm, pass);
	if (d->sess)
		HASH(d, a1, a1, d->nonce, cnonce);
	HASH(d, a2, "CONNECT", uri);
	if (d->qop)
		HASH(d, response, a1, d->nonce, nc, cnonce, "auth", a2);
	else
		HASH(d, response, a1, d->nonce, a2);
	explicit_bzero(a1, sizeof(a1));
	n = snprintf(out, DIGEST_ANSWER_MAX,
	    "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", algorithm=%s%s, "
	    "response=\"%s\"%s%s%s", name, d->realm, d->nonce, uri,
	    d->algorithm == DIGEST_SHA256 ? "SHA-256" : "MD5", d->sess ? "-sess" : "", response,
	    d->has_opaque ? ", opaque=\"" : "", d->has_opaque ? d->opaque : "",
	    d->has_opaque ? "\"" : "");
	if (n > 0 && n < DIGEST_ANSWER_MAX && (d->qop || d->sess))
		n += snprintf(out + n, DIGEST_ANSWER_MAX - (size_t)n, ", qop=auth, nc=%s, cnonce=\"%s\"",
		    nc, cnonce);
	return n > 0 && n < DIGEST_ANSWER_MAX ? (size_t)n : 0;
}

/*
 * answer.c - what resolvers say, before the tree hears it.
 *
 * Rebinding: a name outside may point to where the tree must not go, or to its own loopback.
 * Such addresses are taken out, in whatever section and record they stand (A, AAAA, hints of
 * SVCB and HTTPS); where none is left the answer is an empty one.
 *
 * ech: where flows are held against names, the server name of a TLS hello must be readable, so
 * the key to encrypt it (RFC 9848) is taken out of SVCB and HTTPS.
 *
 * An answer that cannot be read to its end is not passed on then: others may read more of it
 * than we do.  A record set that was changed has no valid signature any more, so its RRSIG and
 * the AD bit go too: a validating client in the tree sees a set without one, and refuses it.
 *
 * Names of the tree's hosts file do not come here; what they point to is its owner's wish.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "log.h"
#include "rewrite.h"
#include "svcb.h"

#define AD		0x20u	/* of the second byte of flags (RFC 4035 3.2.3) */
#define TYPES_MAX	128	/* types that are edited are all below */

struct edit {
	struct query	*q;
	bool		 changed;
	bool		 again;			/* the second pass: all has been noted */
	bool		 edited[TYPES_MAX];	/* types of which a record was */
	bool		 told;
};

static const char *
replace(struct query *q, const uint8_t *msg, size_t len)
{
	uint8_t *p = realloc(q->answer, len);

	if (p == NULL)
		return "out of memory";
	memcpy(p, msg, len);
	q->answer = p;
	q->answer_len = len;
	return NULL;
}

/* The first pass finds what goes; the second knows it, for signatures that came before. */
static const char *
edit(struct query *q, rewrite_fn *fn)
{
	static uint8_t out[65535];
	struct edit e = { .q = q };
	size_t len = rewrite(out, sizeof(out), q->answer, q->answer_len, fn, &e);

	if (len > 0 && !e.changed)
		return NULL;
	e.again = true;
	if (len > 0)
		len = rewrite(out, sizeof(out), q->answer, q->answer_len, fn, &e);
	if (len == 0)
		return "the answer cannot be read to its end";
	out[3] &= (uint8_t)~AD;
	return replace(q, out, len);
}

static void
edited(struct edit *e, uint16_t type)
{
	e->changed = e->edited[type] = true;
}

static bool
is_svcb(const struct rewrite_record *rec)
{
	return rec->type == WIRE_SVCB || rec->type == WIRE_HTTPS;
}

/* A signature of a set that is not what was signed (the type covered: RFC 4034 3.1.1). */
static bool
is_void_signature(const struct edit *e, const struct rewrite_record *rec)
{
	unsigned covered = rec->len < 2 ? 0 : (unsigned)(rec->data[0] << 8 | rec->data[1]);

	return rec->type == WIRE_RRSIG && covered < TYPES_MAX && e->edited[covered];
}

static bool
svcb_keep(struct edit *e, struct rewrite_record *rec, svcb_fn *fn)
{
	size_t len = svcb_edit(rec->data, rec->len, fn, e);

	if (len != rec->len)
		edited(e, rec->type);
	rec->len = len;
	return len != SVCB_GONE;
}

/* ---- rebinding ---- */

static void
tell(struct edit *e, const struct rules_words *words, const struct addr *a, bool permitted)
{
	const struct violation v = { .code = words->reason_code, .control = words->control,
	    .cidr = words->matched_cidr, .domain = words->matched_domain, .file = words->file,
	    .line = words->line, .text = words->text, .hint = words->hint, .addr = a,
	    .permitted = permitted };

	note_violation(e->q, &v);
}

/* "There is none", as resolvers with blocklists say it; nobody is being led anywhere. */
static bool
is_nowhere(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, addr_iplen(a)) == 0;
}

/* One line and event for each answer, however many addresses it has. */
static bool
is_withheld(struct edit *e, uint8_t family, const uint8_t *ip)
{
	const struct filter *filter = &e->q->dns->filter;
	struct rules_flow flow = { .dst = { .family = family } };
	struct rules_verdict verdict;
	struct rules_words words;
	bool permitted;

	memcpy(flow.dst.ip, ip, addr_iplen(&flow.dst));
	if (rules_judge_answer(&filter->rules, &flow.dst, &verdict))
		return false;
	rules_explain(&filter->rules, &verdict, &flow, NULL, &words);
	permitted = filter_permits(filter) && !words.never;
	if (!e->again && !e->told && !is_nowhere(&flow.dst)) {
		tell(e, &words, &flow.dst, permitted);
		e->told = true;
	}
	return !permitted;
}

static size_t
hint_edit(void *arg, uint16_t key, uint8_t *value, size_t len)
{
	uint8_t family = key == SVCB_IPV4HINT ? 4 : 6;
	size_t size = family == 4 ? 4 : 16, left = 0;

	if (key != SVCB_IPV4HINT && key != SVCB_IPV6HINT)
		return len;
	for (size_t i = 0; i + size <= len; i += size)
		if (!is_withheld(arg, family, value + i)) {
			memmove(value + left, value + i, size);
			left += size;
		}
	return left == 0 ? SVCB_GONE : left;
}

/* The asker may want to know why there is so little (RFC 8914 2: in any answer with OPT). */
static void
opt_edit(struct edit *e, struct rewrite_record *rec)
{
	if (!e->again || !e->q->wire.edns || rec->section != SECTION_ADDITIONAL ||
	    rec->len > REWRITE_DATA_MAX - WIRE_EDE_MAX)
		return;
	rec->len += wire_ede(rec->data + rec->len, WIRE_EDE_BLOCKED, "an address is withheld");
}

static bool
rebinding_keep(void *arg, struct rewrite_record *rec)
{
	struct edit *e = arg;
	uint8_t family = rec->type == WIRE_A ? 4 : 6;

	if (rec->type == WIRE_OPT)
		opt_edit(e, rec);
	if (is_svcb(rec))
		return svcb_keep(e, rec, hint_edit);
	if (rec->type != WIRE_A && rec->type != WIRE_AAAA)
		return !is_void_signature(e, rec);
	/* One of another length is read in who knows what way. */
	if (rec->len == (family == 4 ? 4 : 16) && !is_withheld(e, family, rec->data))
		return true;
	edited(e, rec->type);
	return false;
}

const char *
answer_rebinding(struct query *q)
{
	return q->dns->filter.has_rules ? edit(q, rebinding_keep) : NULL;
}

/* ---- ech ---- */

static size_t
ech_edit(void *arg, uint16_t key, uint8_t *value, size_t len)
{
	(void)arg, (void)value;
	return key == SVCB_ECH ? SVCB_GONE : len;
}

static bool
ech_keep(void *arg, struct rewrite_record *rec)
{
	return is_svcb(rec) ? svcb_keep(arg, rec, ech_edit) : !is_void_signature(arg, rec);
}

const char *
answer_ech(struct query *q)
{
	const struct filter *f = &q->dns->filter;

	return f->has_rules && rules_hold_names(&f->rules) ? edit(q, ech_keep) : NULL;
}

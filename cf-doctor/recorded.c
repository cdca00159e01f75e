/*
 * recorded.c - see recorded.h.  Pure but for memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "recorded.h"

#include <stdlib.h>
#include <string.h>

#define NAMES		8192		/* that answers had; the rarest are let go */
#define ADDRESSES	16384
#define GIVEN		4		/* names kept for an address */

struct given {
	uint32_t	name[GIVEN];
	uint8_t		n;
};

struct recorder {
	struct keys	 names, addresses;
	struct given	 given[ADDRESSES];
	char		 text[RECORDED_NAMES][NAME_STRLEN];
};

static void
names_dropped(void *recorder, const struct keys *k)
{
	struct recorder *r = recorder;

	for (size_t i = 0; i < r->addresses.n; i++) {
		struct given *g = &r->given[i];
		uint8_t left = 0;

		for (uint8_t j = 0; j < g->n; j++)
			if (!k->gone[g->name[j]])
				g->name[left++] = g->name[j];
		g->n = left;
	}
}

static void
addresses_dropped(void *recorder, const struct keys *k)
{
	struct recorder *r = recorder;

	for (size_t i = 0; i < k->max; i++)
		if (k->gone[i])
			r->given[i].n = 0;
}

struct recorder *
recorder_new(void)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	if (!keys_init(&r->names, NAMES) || !keys_init(&r->addresses, ADDRESSES)) {
		recorder_free(r);
		return NULL;
	}
	r->names.owner = r->addresses.owner = r;
	r->names.on_drop = names_dropped;
	r->addresses.on_drop = addresses_dropped;
	return r;
}

void
recorder_free(struct recorder *r)
{
	if (r == NULL)
		return;
	keys_done(&r->names);
	keys_done(&r->addresses);
	free(r);
}

/* ---- parts of events ---- */

/* NULL: no name, or one that no rule can be about. */
static const char *
name_of(struct recorder *r, size_t at, const char *text)
{
	struct name_error err;

	return text != NULL && name_from_ascii(text, strlen(text), r->text[at], &err) &&
	    !name_is_number(r->text[at]) ? r->text[at] : NULL;
}

static void
name_append(struct recorder *r, struct recorded *out, const char *text)
{
	const char *name = out->n_names < RECORDED_NAMES ? name_of(r, out->n_names, text) : NULL;

	if (name == NULL)
		return;
	for (size_t i = 0; i < out->n_names; i++)
		if (strcmp(out->name[i], name) == 0)
			return;
	out->name[out->n_names++] = name;
}

/* What the flow said itself comes first, but only where its address was given for that. */
static void
said_first(struct evline *e, struct recorded *out)
{
	const char *said = evline_text(e, F_SERVER_NAME), *first = out->name[0];
	char name[NAME_STRLEN];
	struct name_error err;

	if (said == NULL || !name_from_ascii(said, strlen(said), name, &err))
		return;
	for (size_t i = 1; i < out->n_names; i++)
		if (strcmp(out->name[i], name) == 0) {
			out->name[0] = out->name[i];
			out->name[i] = first;
			return;
		}
}

/* By which names the flow goes. */
static void
names_of_flow(struct recorder *r, struct evline *e, const char *ip, struct recorded *out)
{
	struct evvalue *names = &e->field[F_NAMES];
	int at;

	for (size_t i = 0; names->type == VAL_ARRAY && i < names->n; i++)
		name_append(r, out, evline_item(e, names->first + i));
	if (names->type == VAL_ARRAY || ip == NULL || (at = keys_find(&r->addresses, ip)) < 0)
		return;
	for (uint8_t i = 0; i < r->given[at].n; i++)
		name_append(r, out, r->names.text[r->given[at].name[i]]);
}

static bool
address_of(struct evline *e, const char *ip, struct recorded *out)
{
	const char *protocol = evline_text(e, F_PROTOCOL);
	const struct evvalue *port = &e->field[F_REMOTE_PORT];

	out->proto = protocol != NULL && strcmp(protocol, "udp") == 0 ? RULE_UDP :
	    protocol != NULL && strncmp(protocol, "icmp", 4) == 0 ? RULE_ICMP : RULE_TCP;
	if (ip == NULL || !addr_parse(ip, 0, &out->dst))
		return false;
	if (out->proto == RULE_ICMP)
		return true;
	if (port->type != VAL_INTEGER || port->integer < 1 || port->integer > 65535)
		return false;
	out->dst.port = (uint16_t)port->integer;
	return true;
}

static void
answer_keep(struct recorder *r, struct evline *e)
{
	struct evvalue *ips = &e->field[F_ANSWER_IPS];
	const char *name = name_of(r, 0, evline_text(e, F_QNAME));
	int n, at;

	for (size_t i = 0; name != NULL && ips->type == VAL_ARRAY && i < ips->n; i++) {
		struct given *g;
		bool known = false;

		if ((n = keys_add(&r->names, name)) < 0 ||
		    (at = keys_add(&r->addresses, evline_item(e, ips->first + i))) < 0)
			return;
		g = &r->given[at];
		for (uint8_t j = 0; j < g->n; j++)
			known = known || g->name[j] == (uint32_t)n;
		if (!known && g->n < GIVEN)
			g->name[g->n++] = (uint32_t)n;
	}
}

enum recorded_kind
recorded_get(struct recorder *r, enum event_kind kind, struct evline *e, struct recorded *out)
{
	const char *ip = evline_text(e, F_REMOTE_IP), *protocol = evline_text(e, F_PROTOCOL);

	*out = (struct recorded){ .refused = kind == EV_POLICY_VIOLATION };
	tally_process(e, out->process);
	if (kind == EV_DNS_ANSWER)
		answer_keep(r, e);
	if (kind == EV_DNS_QUERY) {
		name_append(r, out, evline_text(e, F_QNAME));
		out->kind = out->n_names > 0 ? RECORDED_NAME : RECORDED_NOTHING;
	} else if (kind == EV_CONNECT_ATTEMPT || (kind == EV_POLICY_VIOLATION &&
	    e->field[F_PERMISSIVE].type != VAL_TRUE && protocol != NULL &&
	    strcmp(protocol, "dns") != 0)) {
		out->proxied = e->field[F_VIA_PROXY].type == VAL_TRUE;
		names_of_flow(r, e, ip, out);
		said_first(e, out);
		out->kind = address_of(e, ip, out) ? RECORDED_FLOW : RECORDED_NOTHING;
	}
	return out->kind;
}

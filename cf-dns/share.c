/*
 * share.c - see share.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ruletext.h"
#include "siphash.h"

bool
shares_init(struct shares *s, size_t queries, size_t conns)
{
	*s = (struct shares){ .most = { [SHARE_QUERIES] = queries, [SHARE_CONNS] = conns } };
	for (size_t i = 0; i < SHARE_BUCKETS; i++)
		LIST_INIT(&s->bucket[i]);
	return siphash_key(s->key);
}

static bool
same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, addr_iplen(a)) == 0;
}

/* Clients choose their addresses: the hash is keyed. */
static struct share_bucket *
bucket_of(struct shares *s, const struct addr *client)
{
	uint64_t words[3] = { client->family };

	memcpy(&words[1], client->ip, addr_iplen(client));
	return &s->bucket[siphash_words(s->key, words, 3) % SHARE_BUCKETS];
}

static struct share *
share_find(struct share_bucket *b, const struct addr *client)
{
	struct share *sh;

	LIST_FOREACH(sh, b, link)
		if (same_ip(&sh->client, client))
			return sh;
	return NULL;
}

static struct share *
share_new(struct share_bucket *b, const struct addr *client)
{
	struct share *sh = calloc(1, sizeof(*sh));

	if (sh == NULL)
		return NULL;
	sh->client = *client;
	sh->client.port = 0;
	LIST_INSERT_HEAD(b, sh, link);
	return sh;
}

struct share *
share_take(struct shares *s, const struct addr *client, enum share_kind kind)
{
	struct share_bucket *b = bucket_of(s, client);
	struct share *sh = share_find(b, client);
	size_t has = sh != NULL ? sh->n[kind] : 0;

	if (has >= s->most[kind] - s->total[kind])
		return NULL;
	if (sh == NULL && (sh = share_new(b, client)) == NULL)
		return NULL;
	sh->n[kind]++;
	s->total[kind]++;
	return sh;
}

void
share_give(struct shares *s, struct share *sh, enum share_kind kind)
{
	sh->n[kind]--;
	s->total[kind]--;
	for (int k = 0; k < SHARE_KINDS; k++)
		if (sh->n[k] > 0)
			return;
	LIST_REMOVE(sh, link);
	free(sh);
}

bool
clients_add(struct cidr_tree *t, const char *text, char why[CLIENTS_WHY])
{
	struct ruletext_error err;
	struct ruletext net;
	uint32_t *key;

	if (!ruletext_parse(RULETEXT_CIDR, text, strlen(text), &net, &err)) {
		snprintf(why, CLIENTS_WHY, "%.*s", CLIENTS_WHY - 1, err.why);
		return false;
	}
	if ((key = cidr_add(t, &net.net, net.bits)) == NULL) {
		snprintf(why, CLIENTS_WHY, "out of memory");
		return false;
	}
	*key = 0;
	return true;
}

bool
clients_have(const struct cidr_tree *t, const struct addr *client)
{
	uint32_t keys[CIDR_DEPTH];

	return cidr_find(t->nodes, t->root, client, keys) > 0;
}

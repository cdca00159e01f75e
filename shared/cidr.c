/*
 * cidr.c - see cidr.h.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cidr.h"

#include <stdlib.h>
#include <string.h>

static unsigned
bit_at(const uint8_t *ip, unsigned i)
{
	return ip[i / 8] >> (7 - i % 8) & 1;
}

/* How many bits two addresses share from the front, at most `most`. */
static unsigned
bits_shared(const uint8_t *a, const uint8_t *b, unsigned most)
{
	unsigned i = 0;

	while (i + 8 <= most && a[i / 8] == b[i / 8])
		i += 8;
	while (i < most && bit_at(a, i) == bit_at(b, i))
		i++;
	return i;
}

bool
cidr_mask(struct addr *a, unsigned bits)
{
	bool cut = false;

	for (unsigned i = 0; i < addr_iplen(a); i++) {
		unsigned keep = bits <= i * 8 ? 0 : bits - i * 8;
		unsigned mask = keep >= 8 ? 0xff : 0xff00u >> keep & 0xff;

		cut = cut || (a->ip[i] & ~mask) != 0;
		a->ip[i] = (uint8_t)(a->ip[i] & mask);
	}
	return cut;
}

/* ---- building ---- */

void
cidr_init(struct cidr_tree *t)
{
	memset(t, 0, sizeof(*t));
	t->n = 1;
}

void
cidr_done(struct cidr_tree *t)
{
	free(t->nodes);
	memset(t, 0, sizeof(*t));
}

/* Room for two more: one network needs a leaf and perhaps a fork. */
static bool
room_make(struct cidr_tree *t)
{
	uint32_t room = t->room == 0 ? 64 : t->room * 2;
	struct cidr_node *nodes;

	if (t->n + 2 <= t->room)
		return true;
	if ((nodes = reallocarray(t->nodes, room, sizeof(*nodes))) == NULL)
		return false;
	memset(nodes + t->room, 0, (room - t->room) * sizeof(*nodes));
	t->nodes = nodes;
	t->room = room;
	return true;
}

static uint32_t
node_new(struct cidr_tree *t, const uint8_t *ip, unsigned bits)
{
	struct addr net = { .family = 6 };

	memcpy(net.ip, ip, sizeof(net.ip));
	cidr_mask(&net, bits);
	t->nodes[t->n].key = CIDR_NO_KEY;
	t->nodes[t->n].bits = bits;
	memcpy(t->nodes[t->n].ip, net.ip, sizeof(net.ip));
	return t->n++;
}

/* Put a new node for ip/bits between *link and the node it leads to. */
static uint32_t
node_split(struct cidr_tree *t, uint32_t *link, const uint8_t *ip, unsigned bits, unsigned shared)
{
	uint32_t old = *link, leaf = node_new(t, ip, bits), fork = leaf;

	if (shared < bits) {
		fork = node_new(t, ip, shared);
		t->nodes[fork].child[bit_at(ip, shared)] = leaf;
	}
	t->nodes[fork].child[bit_at(t->nodes[old].ip, shared)] = old;
	*link = fork;
	return leaf;
}

uint32_t *
cidr_add(struct cidr_tree *t, const struct addr *net, unsigned bits)
{
	uint8_t ip[16] = { 0 };
	uint32_t *link = &t->root[net->family == 6];

	if (!room_make(t))
		return NULL;
	memcpy(ip, net->ip, addr_iplen(net));
	while (*link != 0) {
		struct cidr_node *node = &t->nodes[*link];
		unsigned most = node->bits < bits ? node->bits : bits;
		unsigned shared = bits_shared(node->ip, ip, most);

		if (shared < node->bits)
			return &t->nodes[node_split(t, link, ip, bits, shared)].key;
		if (shared == bits)
			return &node->key;
		link = &node->child[bit_at(ip, shared)];
	}
	*link = node_new(t, ip, bits);
	return &t->nodes[*link].key;
}

/* ---- looking up ---- */

bool
cidr_ok(const struct cidr_node *nodes, uint32_t n, uint32_t n_keys)
{
	for (uint32_t i = 1; i < n; i++) {
		if (nodes[i].bits > 128 || (nodes[i].key != CIDR_NO_KEY && nodes[i].key >= n_keys))
			return false;
		for (int side = 0; side < 2; side++) {
			uint32_t c = nodes[i].child[side];

			if (c >= n || (c != 0 && nodes[c].bits <= nodes[i].bits))
				return false;
		}
	}
	return true;
}

size_t
cidr_find(const struct cidr_node *nodes, const uint32_t root[2], const struct addr *a,
    uint32_t keys[CIDR_DEPTH])
{
	unsigned width = (unsigned)addr_iplen(a) * 8;
	uint32_t at = root[a->family == 6];
	size_t n = 0;

	while (at != 0) {
		const struct cidr_node *node = &nodes[at];

		if (node->bits > width || bits_shared(node->ip, a->ip, node->bits) < node->bits)
			break;
		if (node->key != CIDR_NO_KEY)
			keys[n++] = node->key;
		if (node->bits == width)
			break;
		at = node->child[bit_at(a->ip, node->bits)];
	}
	return n;
}

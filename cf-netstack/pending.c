/*
 * pending.c - see pending.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pending.h"

#include <stdlib.h>

static size_t total;		/* bytes held for all flows of this process */

void
pending_add(struct pending *q, const struct dattr *attr, const uint8_t *data, size_t len,
    size_t gso_size)
{
	struct pending_item *item;

	if (q->n >= PENDING_ITEMS || q->bytes + len > PENDING_BYTES || total + len > PENDING_TOTAL)
		return;
	if ((item = malloc(sizeof(*item) + len)) == NULL)
		return;
	*item = (struct pending_item){ .attr = *attr, .len = len, .gso_size = gso_size };
	memcpy(item->data, data, len);
	if (q->first == NULL)
		q->first = item;
	else
		q->last->next = item;
	q->last = item;
	q->n++;
	q->bytes += len;
	total += len;
}

struct pending_item *
pending_take(struct pending *q)
{
	struct pending_item *item = q->first;

	if (item == NULL)
		return NULL;
	q->first = item->next;
	q->n--;
	q->bytes -= item->len;
	total -= item->len;
	return item;
}

struct pending_item *
pending_take_one(struct pending *q)
{
	struct pending_item *item = q->first, *one;
	size_t len;

	if (item == NULL || item->gso_size == 0 || item->len <= item->gso_size)
		return pending_take(q);
	len = item->gso_size;
	if ((one = malloc(sizeof(*one) + len)) == NULL)
		return NULL;
	*one = (struct pending_item){ .attr = item->attr, .len = len };
	memcpy(one->data, item->data, len);
	item->len -= len;
	memmove(item->data, item->data + len, item->len);
	q->bytes -= len;
	total -= len;
	return one;
}

void
pending_done(struct pending *q)
{
	struct pending_item *item;

	while ((item = pending_take(q)) != NULL)
		free(item);
}

/*
 * compose.h - DNS messages that are made here: answers with one record, and questions.
 *
 * Pure.  Names are in the form of name.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_DNS_COMPOSE_H
#define CF_DNS_COMPOSE_H

#include "wire.h"

#define COMPOSE_DATA_MAX	WIRE_NAME_MAX
#define COMPOSE_REPLY_MAX	(WIRE_REPLY_MAX + 12 + COMPOSE_DATA_MAX)

/*
 * A reply to msg as wire_reply() makes it, with one record of the asked name, type and class.
 * out has room for COMPOSE_REPLY_MAX; returns the length.
 */
size_t		 compose_reply(uint8_t *out, const uint8_t *msg, const struct wire_query *,
		    uint32_t ttl, const void *data, size_t len);
/*
 * A question of class IN that wants recursion, without EDNS.  out has room for WIRE_HEAD_MAX;
 * returns the length, 0 when that is no name.
 */
size_t		 compose_query(uint8_t *out, const char *name, uint16_t qtype);
/* A name as labels; out has room for WIRE_NAME_MAX; returns the length, 0 likewise. */
size_t		 compose_labels(uint8_t *out, const char *name);

#endif

/*
 * keys.c - see keys.h.
 *
 *	ClientHello (its random: 32 bytes)  -->  remembered by the addresses and ports
 *	ServerHello                         -->  waits for lines that name this random
 *
 * TLS 1.3 (RFC 8446 7.1) has five lines or so for a connection, of which the reader needs two for
 * the handshake and two for what follows; older versions have one (CLIENT_RANDOM).  The form
 * of a line is checked, as any program of the tree may write here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "keys.h"

#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include "tuple.h"

#define RANDOM_LEN	32
#define SLOTS		1024		/* connections whose hello has come, by their random */
#define LINE_MAX	512
#define TLS_HANDSHAKE	22
#define CLIENT_HELLO	1
#define SERVER_HELLO	2
#define HELLO_RANDOM	11		/* record 5, handshake 4, version 2 */
#define ALL_OF_13	15u

/* What a line gives; 16: all that is needed. */
static const struct { const char *label; unsigned bit; } labels[] = {
	{ "CLIENT_RANDOM ", 16 },
	{ "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", 1 }, { "SERVER_HANDSHAKE_TRAFFIC_SECRET ", 2 },
	{ "CLIENT_TRAFFIC_SECRET_0 ", 4 }, { "SERVER_TRAFFIC_SECRET_0 ", 8 },
	{ "CLIENT_EARLY_TRAFFIC_SECRET ", 0 }, { "EARLY_EXPORTER_SECRET ", 0 },
	{ "EXPORTER_SECRET ", 0 }, { "EARLY_EXPORTER_MASTER_SECRET ", 0 },
};

struct hello {
	struct tuple	 tuple;
	uint8_t		 random[RANDOM_LEN];
};
struct have {
	uint8_t		 random[RANDOM_LEN];
	unsigned	 bits;
};
static struct hello hellos[SLOTS];
static struct have haves[SLOTS];
static char	 line[LINE_MAX];
static size_t	 line_len;
static bool	 line_is_long;

static struct hello *
hello_slot(const struct tuple *t)
{
	return &hellos[(t->src.port * 31u + t->dst.port * 7u + t->dst.ip[3]) % SLOTS];
}

static struct have *
have_slot(const uint8_t *random)
{
	return &haves[(random[0] | (unsigned)random[1] << 8) % SLOTS];
}

/* The payload of a TCP packet that begins with this kind of hello; NULL: another. */
static const uint8_t *
hello_of(const uint8_t *p, size_t len, uint8_t kind)
{
	size_t ip = len > 0 && p[0] >> 4 == 4 ? (size_t)(p[0] & 15) * 4 : 40, head;

	if (len < ip + 20 || p[p[0] >> 4 == 4 ? 9 : 6] != IPPROTO_TCP)
		return NULL;
	head = ip + (size_t)(p[ip + 12] >> 4) * 4;
	if (len < head + HELLO_RANDOM + RANDOM_LEN || p[head] != TLS_HANDSHAKE ||
	    p[head + 1] != 3 || p[head + 5] != kind)
		return NULL;
	return p + head;
}

void
keys_see(const uint8_t *packet, size_t len)
{
	const uint8_t *hello = hello_of(packet, len, CLIENT_HELLO);
	struct tuple t;

	if (hello == NULL || !tuple_of(packet, len, true, &t))
		return;
	hello_slot(&t)->tuple = t;
	memcpy(hello_slot(&t)->random, hello + HELLO_RANDOM, RANDOM_LEN);
}

bool
keys_are_there(const uint8_t *packet, size_t len)
{
	const struct hello *h;
	const struct have *k;
	struct tuple t;

	if (hello_of(packet, len, SERVER_HELLO) == NULL || !tuple_of(packet, len, false, &t))
		return true;
	h = hello_slot(&t);
	if (!tuple_equal(&h->tuple, &t))
		return true;		/* its ClientHello was not seen */
	k = have_slot(h->random);
	return memcmp(k->random, h->random, RANDOM_LEN) == 0 &&
	    ((k->bits & 16) != 0 || (k->bits & ALL_OF_13) == ALL_OF_13);
}

/* ---- lines ---- */

static int
hex(char c)
{
	const char *at = strchr("0123456789abcdef", tolower((unsigned char)c));

	return c != '\0' && at != NULL ? (int)(at - "0123456789abcdef") : -1;
}

/* The random of a line, and that the rest of it is hexadecimal, too. */
static bool
random_of(const char *text, size_t len, uint8_t *random)
{
	if (len < 2 * RANDOM_LEN + 2 || text[2 * RANDOM_LEN] != ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (i != 2 * RANDOM_LEN && hex(text[i]) == -1)
			return false;
	for (size_t i = 0; i < RANDOM_LEN; i++)
		random[i] = (uint8_t)(hex(text[2 * i]) << 4 | hex(text[2 * i + 1]));
	return true;
}

static bool
line_counts(const char *text, size_t len)
{
	uint8_t random[RANDOM_LEN];
	struct have *k;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		size_t label = strlen(labels[i].label);

		if (len <= label || memcmp(text, labels[i].label, label) != 0)
			continue;
		if (!random_of(text + label, len - label, random))
			return false;
		k = have_slot(random);
		if (memcmp(k->random, random, RANDOM_LEN) != 0)
			k->bits = 0;
		memcpy(k->random, random, RANDOM_LEN);
		k->bits |= labels[i].bit;
		return true;
	}
	return false;
}

void
keys_take(const char *bytes, size_t len, void (*each)(void *, const char *, size_t), void *arg)
{
	for (size_t i = 0; i < len; i++) {
		if (line_len < sizeof(line))
			line[line_len++] = bytes[i];
		else
			line_is_long = true;
		if (bytes[i] != '\n')
			continue;
		if (!line_is_long && line_counts(line, line_len - 1))
			each(arg, line, line_len);
		line_len = 0;
		line_is_long = false;
	}
}

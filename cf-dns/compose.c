/*
 * compose.c - see compose.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "compose.h"

#include <string.h>

#include "rd.h"

#define POINTER		0xc000u		/* RFC 1035 4.1.4 */
#define RD		0x0100u
#define LABEL_MAX	63

size_t
compose_reply(uint8_t *out, const uint8_t *msg, const struct wire_query *q, uint32_t ttl,
    const void *data, size_t len)
{
	uint8_t empty[WIRE_REPLY_MAX];
	size_t n = wire_reply(empty, msg, q, WIRE_NOERROR);
	struct wr w = wr_over(out, COMPOSE_REPLY_MAX);

	wr_bytes(&w, empty, q->head_len);
	wr_be16(&w, POINTER | WIRE_HEADER_LEN);
	wr_be16(&w, q->qtype);
	wr_be16(&w, q->qclass);
	wr_be32(&w, ttl);
	wr_be16(&w, (uint16_t)len);
	wr_bytes(&w, data, len);
	wr_bytes(&w, empty + q->head_len, n - q->head_len);	/* OPT */
	out[6] = 0;			/* one answer */
	out[7] = 1;
	return (size_t)(w.p - out);
}

/* One byte of a label.  1: it is there, 0: the label has ended, -1: this is no such form. */
static int
label_byte(const char **p, uint8_t *out)
{
	unsigned v = 0;

	if (**p == '\0' || **p == '.')
		return 0;
	if (**p != '\\') {
		*out = (uint8_t)*(*p)++;
		return 1;
	}
	for (int i = 1; i <= 3; i++) {
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return -1;
		v = v * 10 + (unsigned)((*p)[i] - '0');
	}
	*p += 4;
	*out = (uint8_t)v;
	return v <= 255 ? 1 : -1;
}

/* One label; false when it is none, or does not fit before the last byte of out. */
static bool
label(const char **p, uint8_t *out, size_t *n)
{
	size_t start = (*n)++;
	uint8_t c;
	int rc;

	while ((rc = label_byte(p, &c)) == 1) {
		if (*n == WIRE_NAME_MAX - 1 || *n - start > LABEL_MAX)
			return false;
		out[(*n)++] = c;
	}
	out[start] = (uint8_t)(*n - start - 1);
	return rc == 0 && out[start] > 0;
}

size_t
compose_labels(uint8_t *out, const char *name)
{
	size_t n = 0;

	if (strcmp(name, ".") == 0)
		name++;
	while (*name != '\0') {
		if (n >= WIRE_NAME_MAX - 2 || !label(&name, out, &n))
			return 0;
		if (*name == '.' && *++name == '\0')
			return 0;
	}
	out[n++] = 0;
	return n;
}

size_t
compose_query(uint8_t *out, const char *name, uint16_t qtype)
{
	struct wr w = wr_over(out, WIRE_HEAD_MAX);
	uint8_t labels[WIRE_NAME_MAX];
	size_t len = compose_labels(labels, name);

	if (len == 0)
		return 0;
	wr_be16(&w, 0);
	wr_be16(&w, RD);
	wr_be16(&w, 1);
	wr_be(&w, 0, 6);
	wr_bytes(&w, labels, len);
	wr_be16(&w, qtype);
	wr_be16(&w, WIRE_IN);
	return (size_t)(w.p - out);
}

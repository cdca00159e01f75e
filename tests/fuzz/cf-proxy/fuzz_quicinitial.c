/*
 * fuzz_quicinitial.c - any datagrams, and any frames in packets that open, as the first of a QUIC
 * client.  An input is a row of pieces, each with its length (two bytes) in front.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../../unit/cf-proxy/quic_seal.h"
#include "flight_check.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
feed(struct flight_quic *q, const uint8_t *bytes, size_t n, enum flight_state *said)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum flight_state state;
	struct flight f;

	assert(copy != NULL);
	memcpy(copy, bytes, n);
	state = flight_quic_datagram(q, copy, n, &f);
	assert(state == FLIGHT_MORE || state == FLIGHT_BAD || f.kind == FLIGHT_OTHER ||
	    flight_is_quic(copy, n) || n < 1200);
	free(copy);
	flight_check_names(&f);
	assert(state != FLIGHT_NAMED || (f.n_names == 1 && f.kind == FLIGHT_QUIC));
	if (*said == FLIGHT_MORE)
		*said = state;
}

static void
pieces_feed(const uint8_t *data, size_t len, const struct quic_keys *keys)
{
	static uint8_t packet[2 * FLIGHT_MAX];
	struct rd r = rd_over(data, len);
	struct flight_quic *q = flight_quic_new();
	struct quic_shape shape = { .keys = keys };
	enum flight_state said = FLIGHT_MORE;

	assert(q != NULL);
	for (; said == FLIGHT_MORE && rd_left(&r) > 2; shape.pn++) {
		size_t n = rd_be16(&r);
		const uint8_t *piece;

		n = n < rd_left(&r) ? n : rd_left(&r);
		piece = rd_take(&r, n);
		if (keys == NULL)
			feed(q, piece, n, &said);
		else if (n >= 4 && n < FLIGHT_MAX - 64) {
			n = quic_seal(packet, sizeof(packet), 0, &shape, piece, n);
			feed(q, packet, n, &said);
		}
	}
	flight_quic_free(q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	pieces_feed(data, len, NULL);
	pieces_feed(data, len, &quic_keys[0]);
	pieces_feed(data, len, &quic_keys[1]);
	return 0;
}

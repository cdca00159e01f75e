/*
 * fuzz_tlshello.c - any bytes as the first of a TLS client, in its own records; and any bytes as a
 * hello in records of ours, of a size that the first byte says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flight_check.h"
#include "rd.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t records[8 * FLIGHT_MAX];
	struct wr w = wr_over(records, sizeof(records));

	flight_check_stream(data, len);
	if (len < 6 || len > FLIGHT_MAX)
		return 0;
	for (size_t at = 5, cut = data[1] + 1u; at < len; at += cut) {
		size_t n = len - at < cut ? len - at : cut;

		wr_be(&w, 0x160301, 3);
		wr_be16(&w, (uint16_t)n);
		wr_bytes(&w, data + at, n);
	}
	if (!w.bad)
		flight_check_stream(records, (size_t)(w.p - records));
	return 0;
}

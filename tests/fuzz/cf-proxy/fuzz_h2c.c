/*
 * fuzz_h2c.c - any frames, and any header block, behind the preface of HTTP/2.
 *
 * SPDX-License-Identifier: MIT
 */
#include "flight_check.h"
#include "rd.h"

#define PREFACE		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define PREFACE_LEN	(sizeof(PREFACE) - 1)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t stream[2 * FLIGHT_MAX];
	struct wr w;

	flight_check_stream(data, len);
	if (len > FLIGHT_MAX)
		return 0;
	w = wr_over(stream, sizeof(stream));
	wr_bytes(&w, PREFACE, PREFACE_LEN);
	wr_bytes(&w, data, len);
	flight_check_stream(stream, (size_t)(w.p - stream));

	w.p = stream + PREFACE_LEN;
	wr_bytes(&w, "\0\0\0\4\0\0\0\0\0", 9);		/* SETTINGS */
	wr_be(&w, len, 3);
	wr_bytes(&w, "\1\4\0\0\0\1", 6);			/* HEADERS of stream 1 */
	wr_bytes(&w, data, len);
	flight_check_stream(stream, (size_t)(w.p - stream));
	return 0;
}

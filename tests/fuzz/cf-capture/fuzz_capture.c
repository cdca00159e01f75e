/*
 * fuzz_capture.c - any bytes from the stack, after its HELLO.
 *
 * What must hold whatever comes: the file is whole blocks by blocks.h's reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcap/dlt.h>

#include "inputs.h"
#include "capture.h"
#include "views.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct views views = { .has_child = true };
	static const struct capture_want wants[] = { { 0 }, { .segment = true },
	    { .filter = "tcp or udp port 53", .snaplen = 60 } };
	int file = memfd_create("file", MFD_CLOEXEC), out = dup(file);
	struct chan *c;

	views_init(&views);
	if (capture_init(&views.child, &wants[len % 3], &out, 1, DLT_RAW) != NULL)
		abort();
	c = chan_new(input_fd(R_STACK, data, len), dup(file), R_CAPTURE, R_STACK, &views);
	if (c == NULL)
		abort();
	chan_handlers(c, capture_handlers);
	while (chan_read(c) == 1)
		;
	chan_free(c);
	if (!capture_done(&views.child))
		abort();
	file_check(file);
	return 0;
}

/*
 * fuzz_info.c - any bytes from cf-proxy, after its HELLO, then packets of any bytes, seen both ways.
 *
 * What must hold whatever comes: each file is whole blocks by blocks.h's reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcap/dlt.h>

#include "inputs.h"
#include "keys.h"
#include "views.h"

static void
start(struct capture *c, int fd)
{
	static const struct capture_want want;
	int out = dup(fd);

	if (capture_init(c, &want, &out, 1, DLT_RAW) != NULL)
		abort();
}

static void
on_line(void *arg, const char *line, size_t len)
{
	views_secrets(arg, line, len);
}

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct views v;
	int child = memfd_create("child", MFD_CLOEXEC), egress = memfd_create("egress", MFD_CLOEXEC);
	struct chan *c;

	if (len > MSG_PACKET_MAX)
		return 0;
	v = (struct views){ .has_child = true, .has_egress = true, .has_keys = true,
	    .egress4 = { .family = 4, .ip = { 198, 51, 100, 2 } } };
	views_init(&v);
	start(&v.child, child);
	start(&v.egress, egress);
	if ((v.known = known_new()) == NULL ||
	    (c = chan_new(input_fd(R_PROXY, data, len), dup(child), R_CAPTURE, R_PROXY, &v)) == NULL)
		abort();
	chan_handlers(c, info_handlers);
	views_interface(&v, &(struct capture_interface){ .linktype = 101, .name = "tun0" });
	while (chan_read(c) == 1)
		;
	for (uint32_t direction = 1; direction <= 2; direction++)
		for (size_t at = 0; at < len && at < 64; at += 4)
			views_packet(&v, &(struct captured){ .data = data + at, .len = len - at,
			    .orig_len = (uint32_t)(len - at), .direction = direction });
	keys_take((const char *)data, len, on_line, &v);
	views_flush(&v);
	chan_free(c);
	known_free(v.known);
	if (!capture_done(&v.child) || !capture_done(&v.egress))
		abort();
	file_check(child);
	file_check(egress);
	return 0;
}

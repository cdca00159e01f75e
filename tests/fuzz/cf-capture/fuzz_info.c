/*
 * fuzz_info.c - any bytes from cf-proxy, after its HELLO, then packets of any bytes, seen both ways.
 *
 * What must hold whatever comes: each file is whole blocks by blocks.h's reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcap/dlt.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../unit/cf-capture/blocks.h"
#include "keys.h"
#include "views.h"

static int
input_fd(const uint8_t *data, size_t len)
{
	uint8_t hello[MSG_HEADER_LEN + MSG_HELLO_LEN];
	struct wr w = wr_over(hello + MSG_HEADER_LEN, MSG_HELLO_LEN);
	int fd = memfd_create("frames", MFD_CLOEXEC);

	frame_header(hello, MSG_HELLO, 0, 0, MSG_HELLO_LEN);
	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = R_PROXY });
	if (fd == -1 || write(fd, hello, sizeof(hello)) != (ssize_t)sizeof(hello) ||
	    write(fd, data, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static void
file_check(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	void *p = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (len <= 0 || p == MAP_FAILED || blocks_count(p, (size_t)len, 0x0a0d0d0a) != 1)
		abort();
	munmap(p, (size_t)len);
	close(fd);
}

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
	    (c = chan_new(input_fd(data, len), dup(child), R_CAPTURE, R_PROXY, &v)) == NULL)
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

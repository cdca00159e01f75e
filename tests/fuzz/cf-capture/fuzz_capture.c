/*
 * fuzz_capture.c - any bytes from the stack, after its HELLO.
 *
 * What must hold whatever comes: the file is whole blocks by blocks.h's reading.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pcap/dlt.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../unit/cf-capture/blocks.h"
#include "capture.h"
#include "views.h"

static int
input_fd(const uint8_t *data, size_t len)
{
	uint8_t hello[MSG_HEADER_LEN + MSG_HELLO_LEN];
	struct wr w = wr_over(hello + MSG_HEADER_LEN, MSG_HELLO_LEN);
	int fd = memfd_create("frames", MFD_CLOEXEC);

	frame_header(hello, MSG_HELLO, 0, 0, MSG_HELLO_LEN);
	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = R_STACK });
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
}

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
	c = chan_new(input_fd(data, len), dup(file), R_CAPTURE, R_STACK, &views);
	if (c == NULL)
		abort();
	chan_handlers(c, capture_handlers);
	while (chan_read(c) == 1)
		;
	chan_free(c);
	if (!capture_done(&views.child))
		abort();
	file_check(file);
	close(file);
	return 0;
}

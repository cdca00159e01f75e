/*
 * inputs.h - what the fuzz targets of cf-capture give it, and what they hold its files against.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_FUZZ_CAPTURE_INPUTS_H
#define CF_FUZZ_CAPTURE_INPUTS_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../unit/cf-capture/blocks.h"
#include "frame.h"

/* A HELLO of this role and then these bytes. */
static int
input_fd(enum role from, const uint8_t *data, size_t len)
{
	uint8_t hello[MSG_HEADER_LEN + MSG_HELLO_LEN];
	struct wr w = wr_over(hello + MSG_HEADER_LEN, MSG_HELLO_LEN);
	int fd = memfd_create("frames", MFD_CLOEXEC);

	frame_header(hello, MSG_HELLO, 0, 0, MSG_HELLO_LEN);
	msg_hello_put(&w, &(struct msg_hello){ .version = MSG_VERSION, .role = from });
	if (fd == -1 || write(fd, hello, sizeof(hello)) != (ssize_t)sizeof(hello) ||
	    write(fd, data, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Whole blocks, and one section; closes it. */
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

#endif

/*
 * out.c - a file that is whole blocks at any moment that somebody looks.
 *
 * What must stay true: the buffer holds whole blocks only, and each flush starts at
 * the end of one.  So SIGKILL costs the blocks in the buffer, which the loop flushes
 * before it sleeps, and never leaves half a block behind a whole one.  A disk that
 * fills up does leave half a block: it is cut off again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALLOW_OUT(call, why)	{ .name = #call, .nr = SYS_##call, .nargs = 1,		\
    .arg = { { 0, OUT_FD_MASK, OUT_FD, "an output" } }, .reason = (why) }

const struct sandbox_row out_rows[] = {
	ALLOW(ppoll,		"wait for a slow reader of the output pipe"),
	ALLOW_OUT(ftruncate,	"cut half a block off when the disk is full, empty the next file"),
	ALLOW_OUT(lseek,	"to the start of the next file"),
	{ 0 }
};

/* Where the next byte goes, or -1 where there is no such thing (a pipe, a terminal). */
static off_t
position(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	return (flags & O_APPEND) != 0 ? st.st_size : lseek(fd, 0, SEEK_CUR);
}

bool
out_init(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd, .end = position(fd), .buf = malloc(OUT_BUFFER) };
	return o->buf != NULL;
}

struct wr
out_room(struct out *o, size_t most)
{
	if (OUT_BUFFER - o->len < most)
		out_flush(o);
	return wr_over(o->buf + o->len, OUT_BUFFER - o->len);
}

void
out_block(struct out *o, const struct wr *w)
{
	if (!w->bad && o->err == 0)
		o->len = (size_t)(w->p - o->buf);
}

static ssize_t
write_some(int fd, const uint8_t *p, size_t len)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while ((n = write(fd, p, len)) == -1) {
		if (errno == EAGAIN)
			ppoll(&wait, 1, NULL, NULL);
		else if (errno != EINTR)
			return -1;
	}
	return n;
}

/* How many of the first n bytes of the buffer are whole blocks. */
static size_t
whole_blocks(const struct out *o, size_t n)
{
	size_t at = 0;
	uint32_t len;

	while (at + 8 <= n) {
		memcpy(&len, o->buf + at + 4, sizeof(len));
		if (len > n - at)
			break;
		at += len;
	}
	return at;
}

bool
out_flush(struct out *o)
{
	size_t done = 0;
	ssize_t n;

	while (o->err == 0 && done < o->len) {
		n = write_some(o->fd, o->buf + done, o->len - done);
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		o->err = errno;
		if (o->end != -1 && ftruncate(o->fd, o->end + (off_t)whole_blocks(o, done)) != 0)
			o->err = errno;
	}
	if (o->end != -1)
		o->end += (off_t)done;
	o->total += done;
	o->len = 0;
	errno = o->err;
	return o->err == 0;
}

bool
out_next(struct out *o, int fd)
{
	if (!out_flush(o))
		return false;
	o->fd = fd;
	o->total = 0;
	if (lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) == 0)
		o->end = 0;
	else if (errno != ESPIPE)	/* a pipe has no start to go to */
		o->err = errno;
	errno = o->err;
	return o->err == 0;
}

bool
out_done(struct out *o)
{
	out_flush(o);
	/* A file system over a network may say only now that it is full. */
	if (close(o->fd) != 0 && o->err == 0)
		o->err = errno;
	free(o->buf);
	o->buf = NULL;
	errno = o->err;
	return o->err == 0;
}

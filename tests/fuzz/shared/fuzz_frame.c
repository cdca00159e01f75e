/*
 * fuzz_frame.c - a hostile peer's bytes through a channel, in pieces of any size.
 *
 * The first byte says who reads (its role, and over a socket or a pipe) and how the rest is cut.
 * Every frame that a handler gets must fit its row; a channel that has failed must say why
 * and hand nothing out any more.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chan.h"

#define ROLES	6

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static enum role	me;
static bool		over;		/* the channel has failed or ended */

static void
on_frame(struct chan *c, const struct frame *f, int fd)
{
	const struct msg_rule *rule = msg_rule(f->type);
	volatile uint8_t sum = 0;

	assert(!over && rule != NULL && f->nfds <= rule->fds);
	assert(f->len >= rule->min && f->len <= rule->max);
	assert((rule->to & (uint32_t)me) != 0 && (rule->from & (uint32_t)chan_peer(c)) != 0);
	assert(fd == -1 || f->nfds == 1);
	for (uint32_t i = 0; i < f->len; i++)	/* all of it is there to be read */
		sum = (uint8_t)(sum + f->body[i]);
	if (fd != -1)
		close(fd);
}

static struct chan_handler	handlers[64];

/* The stream in pieces, for frame_next() alone: the same frames however it is cut. */
static void
cut_freely(const uint8_t *data, size_t len)
{
	size_t at = 0, used = 0;
	const char *why = NULL;
	struct frame f;

	while (at < len) {
		uint8_t *exact = malloc(len - at);	/* a sanitizer sees a read beyond */
		int rc;

		memcpy(exact, data + at, len - at);
		rc = frame_next(exact, len - at, R_ANY, me, &f, &used, &why);
		assert(rc != -1 || why != NULL);
		assert(rc != 1 || (used >= MSG_HEADER_LEN && used <= len - at));
		free(exact);
		if (rc != 1)
			return;
		at += used;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd[2], rc = 1;
	struct chan *c;
	size_t step, at = 1;

	if (len < 2 || len > 65536)
		return 0;
	if (handlers[0].fn == NULL)
		for (size_t i = 0; i < msg_nrules; i++)
			handlers[i] = (struct chan_handler){
			    (enum msg_type)msg_rules[i].type, on_frame };
	me = (enum role)(1 << data[0] % ROLES);
	step = data[0] & 0x80 ? len : 1u + (data[0] >> 3 & 15) * 7u;
	cut_freely(data + 1, len - 1);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
		return 0;
	over = false;
	c = chan_new(fd[0], fd[0], me, R_ANY, NULL);
	assert(c != NULL);
	chan_handlers(c, handlers);
	while (at < len && rc == 1) {
		size_t n = len - at < step ? len - at : step;
		ssize_t wrote = write(fd[1], data + at, n);

		assert(wrote > 0);
		at += (size_t)wrote;
		rc = chan_read(c);
	}
	close(fd[1]);
	while (rc == 1)
		rc = chan_read(c);
	over = true;
	assert(rc == (chan_why(c) == NULL ? 0 : -1));
	if (rc == -1)
		assert(chan_read(c) == -1);
	chan_free(c);
	return 0;
}

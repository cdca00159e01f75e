/*
 * batch.c - see batch.h.
 *
 * The kernel is on the other side.  Lost answers count as failure: a request without an
 * acknowledgement is not known to be done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "batch.h"

#define ANSWER_SIZE	8192	/* an error carries the request with it */

struct nlmsghdr *
batch_request(struct batch *b, const char *what, bool optional, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(b->buf + b->len);
	uint32_t bit = 1u << b->n;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	b->what[b->n] = what;
	b->acked |= flags & NLM_F_ACK ? bit : 0;
	b->optional |= optional ? bit : 0;
	nlh->nlmsg_seq = ++b->n;
	return nlh;
}

void
batch_request_end(struct batch *b, const struct nlmsghdr *nlh)
{
	b->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

/* One answer; the bits of those still awaited in *wait.  -1: a request has failed. */
static int
answer_take(struct batch *b, const struct nlmsghdr *nlh, uint32_t *wait, const char **what)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	uint32_t bit;

	if (nlh->nlmsg_type != NLMSG_ERROR || nlh->nlmsg_seq == 0 || nlh->nlmsg_seq > b->n ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return 0;
	bit = 1u << (nlh->nlmsg_seq - 1);
	*wait &= ~bit;
	if (err->error == 0)
		return 0;
	if (b->optional & bit) {
		b->refused |= bit;
		return 0;
	}
	*what = b->what[nlh->nlmsg_seq - 1];
	errno = -err->error;
	return -1;
}

static int
answers_read(struct batch *b, int fd, const char **what)
{
	char buf[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t wait = b->acked;
	ssize_t got;
	int len;

	while (wait != 0) {
		*what = "read the kernel's answer";
		if ((got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) <= 0)
			return -1;
		len = (int)got;
		for (const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		    mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
			if (answer_take(b, nlh, &wait, what) != 0)
				return -1;
	}
	return 0;
}

int
batch_run(struct batch *b, int protocol, const char **what)
{
	int fd, rc = -1, saved;

	*what = "open a netlink socket";
	if ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) == -1)
		return -1;
	*what = "configure the network";
	if (send(fd, b->buf, b->len, 0) == (ssize_t)b->len)
		rc = answers_read(b, fd, what);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/*
 * proxy.c - the few things that both stages say in the same words.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proxy.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

bool
proxy_open_get(const struct frame *f, struct msg_open *out, const char **name, size_t *len)
{
	struct rd r = rd_over(f->body, f->len);
	bool ok = f->flow != 0 && msg_open_get(&r, out);

	*len = rd_left(&r);
	*name = (const char *)rd_take(&r, *len);
	return ok && (out->proto != IPPROTO_ICMP || out->dst.family == 4) &&
	    (out->proto != IPPROTO_ICMPV6 || out->dst.family == 6);
}

void
proxy_refuse(struct chan *c, uint64_t flow, const struct msg_refused *no, const char *text)
{
	uint8_t body[MSG_REFUSED_LEN];
	struct wr w = wr_over(body, sizeof(body));
	size_t len = text != NULL ? strnlen(text, MSG_TEXT_MAX) : 0;

	msg_refused_put(&w, no);
	chan_send(c, MSG_REFUSED, flow, body, sizeof(body), text, len, -1);
}

void
proxy_reset(struct chan *c, uint64_t flow, uint32_t err)
{
	uint8_t body[MSG_RESET_LEN];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, err);
	chan_send(c, MSG_RESET, flow, body, sizeof(body), NULL, 0, -1);
}

void
proxy_close(struct chan *c, uint64_t flow, enum close_reason reason)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_close_put(&w, &(struct msg_close){ .reason = reason });
	chan_send(c, MSG_CLOSE, flow, body, sizeof(body), NULL, 0, -1);
}

void
proxy_garbage(const struct chan *c, enum role peer, const char *why)
{
	if (chan_peer(c) != 0)
		peer = chan_peer(c);
	log_warnx("%s sent garbage: %s", role_name(peer), why);
}

void
proxy_taken(struct chan *c, enum msg_type type)
{
	uint8_t body[4];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, type);
	chan_send(c, MSG_TAKEN, 0, body, sizeof(body), NULL, 0, -1);
}

uint32_t
proxy_rules_take(struct chan *c, const struct frame *f, int fd, struct judge *judge)
{
	struct rd r = rd_over(f->body, f->len);
	uint32_t generation = rd_le32(&r);
	const char *why;

	if (fd == -1 || generation == 0) {
		if (fd != -1)
			close(fd);
		chan_fail(c, "bad RULES");
		return 0;
	}
	if ((why = judge_swap(judge, fd)) != NULL) {
		chan_fail(c, why);
		return 0;
	}
	log_debug("rules of generation %u are in force", generation);
	proxy_taken(c, MSG_RULES);
	return generation;
}

const char *
proxy_proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:	return "tcp";
	case IPPROTO_UDP:	return "udp";
	case IPPROTO_ICMP:	return "icmpv4";
	default:		return "icmpv6";
	}
}

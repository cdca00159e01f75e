/*
 * fuzz_msg.c - every get function on any bytes: it refuses them, or gives a body that
 * put() turns back into bytes which mean the same.
 *
 * The first byte picks the message; the rest is the body, of whatever length.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "msg.h"
#include "policy.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define ROUND_TRIP(name, length)						\
static void									\
name##_fuzz(const uint8_t *data, size_t len)					\
{										\
	struct rd r = rd_over(data, len);					\
	struct msg_##name body, again;						\
	uint8_t a[length], b[length];						\
	struct wr w;								\
										\
	if (!msg_##name##_get(&r, &body) || r.bad)				\
		return;								\
	assert(len >= (length) && rd_left(&r) == len - (length));		\
	w = wr_over(a, sizeof(a));						\
	msg_##name##_put(&w, &body);						\
	assert(!w.bad && w.p == w.end);						\
	r = rd_over(a, sizeof(a));						\
	assert(msg_##name##_get(&r, &again) && rd_left(&r) == 0);		\
	w = wr_over(b, sizeof(b));						\
	msg_##name##_put(&w, &again);						\
	assert(memcmp(a, b, sizeof(a)) == 0);					\
}
ROUND_TRIP(hello, MSG_HELLO_LEN)
ROUND_TRIP(query, MSG_QUERY_LEN)
ROUND_TRIP(proceed, MSG_PROCEED_LEN)
ROUND_TRIP(open, MSG_OPEN_LEN)
ROUND_TRIP(opened, MSG_OPENED_LEN)
ROUND_TRIP(refused, MSG_REFUSED_LEN)
ROUND_TRIP(close, MSG_CLOSE_LEN)
ROUND_TRIP(name, MSG_NAME_LEN)
ROUND_TRIP(resolve, MSG_RESOLVE_LEN)
ROUND_TRIP(resolved, MSG_RESOLVED_LEN)
ROUND_TRIP(tun, MSG_TUN_LEN)
ROUND_TRIP(listen, MSG_LISTEN_LEN)
ROUND_TRIP(interface, MSG_INTERFACE_LEN)
ROUND_TRIP(packet, MSG_PACKET_LEN)

/* An address as text must come back as the same address, and be judged without trouble. */
static void
addr_fuzz(const uint8_t *data, size_t len)
{
	static struct policy *policy;
	struct policy_verdict verdict;
	char *text = malloc(len + 1), shown[ADDR_STRLEN];
	struct addr a, b;

	memcpy(text, data, len);
	text[len] = '\0';
	if (policy == NULL)
		policy = policy_new();
	if (addr_parse(text, 53, &a)) {
		assert(addr_parse(addr_str(&a, shown), 1, &b) && addr_equal(&a, &b));
		b = addr_canonical(&a);
		assert(policy_judge(policy, &a, &verdict) <= policy_judge(policy, &b, &verdict));
	}
	free(text);
}

static void	(*const targets[])(const uint8_t *, size_t) = {
	hello_fuzz, query_fuzz, open_fuzz, opened_fuzz, refused_fuzz, close_fuzz, tun_fuzz,
	interface_fuzz, packet_fuzz, addr_fuzz, listen_fuzz, name_fuzz, resolve_fuzz,
	resolved_fuzz, proceed_fuzz
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *exact;

	if (len < 1 || len > 4096)
		return 0;
	exact = malloc(len);			/* a sanitizer sees a read beyond */
	memcpy(exact, data + 1, len - 1);
	targets[data[0] % (sizeof(targets) / sizeof(targets[0]))](exact, len - 1);
	free(exact);
	return 0;
}

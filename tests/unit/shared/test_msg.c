/*
 * test_msg.c - every row of the message table, and every body as bytes and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "frame.h"

#define ROLES	7

/* A whole frame of this row, `len` long, as frame_next() sees it. */
static int
feed(const struct msg_rule *row, uint32_t len, unsigned nfds, enum role from, enum role to,
    const char **why)
{
	static uint8_t buf[MSG_HEADER_LEN + MSG_BODY_MAX + 1];
	struct frame f = { 0 };
	size_t used = 0;
	int rc;

	frame_header(buf, (enum msg_type)row->type, nfds, 7, len);
	rc = frame_next(buf, MSG_HEADER_LEN + len, from, to, &f, &used, why);
	if (rc == 1) {
		ck_assert_uint_eq(used, MSG_HEADER_LEN + len);
		ck_assert_uint_eq(f.type, row->type);
		ck_assert_uint_eq(f.nfds, nfds);
		ck_assert_uint_eq(f.flow, 7);
		ck_assert_uint_eq(f.len, len);
		ck_assert_ptr_eq(f.body, buf + MSG_HEADER_LEN);
	}
	return rc;
}

static enum role
one_of(uint32_t roles)
{
	return (enum role)(roles & -roles);
}

START_TEST(row_takes_its_lengths_and_no_others)
{
	const struct msg_rule *row = &msg_rules[_i];
	enum role from = one_of(row->from), to = one_of(row->to);
	const char *why = NULL;

	ck_assert_uint_le(row->max, MSG_BODY_MAX);
	ck_assert_int_eq(feed(row, row->min, 0, from, to, &why), 1);
	ck_assert_int_eq(feed(row, row->max, 0, from, to, &why), 1);
	ck_assert_int_eq(feed(row, row->max + 1, 0, from, to, &why), -1);
	ck_assert_str_eq(why, "bad length");
	if (row->min == 0)
		return;
	ck_assert_int_eq(feed(row, row->min - 1, 0, from, to, &why), -1);
	ck_assert_str_eq(why, "bad length");
}
END_TEST

START_TEST(row_takes_its_descriptors_and_no_more)
{
	const struct msg_rule *row = &msg_rules[_i];
	enum role from = one_of(row->from), to = one_of(row->to);
	const char *why = NULL;

	ck_assert_uint_le(row->fds, 1);
	ck_assert_int_eq(feed(row, row->min, row->fds, from, to, &why), 1);
	ck_assert_int_eq(feed(row, row->min, row->fds + 1u, from, to, &why), -1);
	ck_assert_str_eq(why, "unexpected descriptor");
	ck_assert_int_eq(feed(row, row->min, 0xffff, from, to, &why), -1);
}
END_TEST

START_TEST(row_refuses_the_wrong_direction)
{
	const struct msg_rule *row = &msg_rules[_i];
	const char *why = NULL;

	for (int from = 0; from < ROLES; from++)
		for (int to = 0; to < ROLES; to++) {
			bool may = (row->from & 1u << from) && (row->to & 1u << to);
			int rc = feed(row, row->min, 0, (enum role)(1 << from),
			    (enum role)(1 << to), &why);

			ck_assert_int_eq(rc, may ? 1 : -1);
			if (!may)
				ck_assert_str_eq(why, "wrong direction");
		}
}
END_TEST

START_TEST(row_has_a_name_and_number_of_its_own)
{
	const struct msg_rule *row = &msg_rules[_i];

	ck_assert_ptr_eq(msg_rule(row->type), row);
	for (size_t i = 0; i < msg_nrules; i++)
		if (i != (size_t)_i)
			ck_assert_str_ne(msg_rules[i].name, row->name);
}
END_TEST

START_TEST(numbers_without_a_row_are_unknown)
{
	const char *why;
	size_t known = 0;

	for (uint32_t type = 0; type <= 0xffff; type++) {
		why = msg_check(type, 0, 0, R_ANY, R_ANY);
		if (msg_rule(type) != NULL)
			known++;
		else
			ck_assert_str_eq(why, "unknown message type");
	}
	ck_assert_uint_eq(known, msg_nrules);
}
END_TEST

START_TEST(roles_have_names)
{
	for (int i = 0; i < ROLES; i++)
		ck_assert_int_eq(strncmp(role_name((enum role)(1 << i)), "cf-", 3), 0);
	ck_assert_str_eq(role_name((enum role)0), "an unknown role");
}
END_TEST

/* ---- bodies ---- */

#define V4(p)	{ .family = 4, .port = (p), .ip = { 192, 0, 2, 1 } }
#define V6(p)	{ .family = 6, .port = (p), .ip = { 0x20, 1, 0xd, 0xb8, [15] = 9 } }

static uint8_t	bytes[256];

/*
 * put() writes exactly `length` bytes and stops where there is less room; get() of them
 * gives the same again, and of fewer gives false.
 */
#define ROUND_TRIP(name, length, ...) do {					\
	const struct msg_##name in = { __VA_ARGS__ };				\
	struct msg_##name out;							\
	struct wr w = wr_over(bytes, sizeof(bytes));				\
	struct rd r;								\
	uint8_t again[sizeof(bytes)];						\
										\
	msg_##name##_put(&w, &in);						\
	ck_assert(!w.bad);							\
	ck_assert_int_eq(w.p - bytes, (length));				\
	memset(&out, 0xa5, sizeof(out));					\
	r = rd_over(bytes, (length));						\
	ck_assert_msg(msg_##name##_get(&r, &out), #name);			\
	ck_assert_uint_eq(rd_left(&r), 0);					\
	w = wr_over(again, sizeof(again));					\
	msg_##name##_put(&w, &out);						\
	ck_assert_int_eq(memcmp(bytes, again, (length)), 0);			\
	for (size_t cut = 0; cut < (length); cut++) {				\
		uint8_t *part = malloc(cut + 1);				\
										\
		memcpy(part, bytes, cut);					\
		r = rd_over(part, cut);						\
		ck_assert_msg(!msg_##name##_get(&r, &out) || r.bad, #name);	\
		w = wr_over(part, cut);						\
		msg_##name##_put(&w, &in);					\
		ck_assert(w.bad);						\
		free(part);							\
	}									\
} while (0)

START_TEST(bodies_survive_the_wire)
{
	ROUND_TRIP(hello, MSG_HELLO_LEN, .version = 0x1234, .role = R_DIAL, .caps = 0xdeadbeef);
	ROUND_TRIP(query, MSG_QUERY_LEN, .transport = IPPROTO_UDP, .src = V4(1), .server = V4(53));
	ROUND_TRIP(query, MSG_QUERY_LEN, .transport = IPPROTO_TCP, .server = V6(53));
	ROUND_TRIP(proceed, MSG_PROCEED_LEN, .flags = PROCEED_ON);
	ROUND_TRIP(proceed, MSG_PROCEED_LEN, .flags = 0);
	ROUND_TRIP(open, MSG_OPEN_LEN, .proto = IPPROTO_TCP, .hop_limit = 64, .tclass = 0xff,
	    .flags = OPEN_DF | OPEN_RELAY | OPEN_DIRECT, .src = V4(0xffff), .dst = V4(80));
	ROUND_TRIP(open, MSG_OPEN_LEN, .proto = IPPROTO_ICMPV6, .src = V6(3), .dst = V6(0));
	ROUND_TRIP(opened, MSG_OPENED_LEN, .local = V6(0xabcd));
	ROUND_TRIP(opened, MSG_OPENED_LEN, .local = { 0 }, .flags = OPENED_FIRST);
	ROUND_TRIP(first, MSG_FIRST_LEN, .flags = FIRST_END);
	ROUND_TRIP(go, MSG_GO_LEN, .flags = GO_MORE);
	ROUND_TRIP(go, MSG_GO_LEN, .flags = GO_ASK);
	ROUND_TRIP(refused, MSG_REFUSED_LEN, .why = REFUSED_ICMP, .icmp_type = 3, .icmp_code = 4,
	    .err = 90, .mtu = 1280, .offender = V4(0));
	ROUND_TRIP(refused, MSG_REFUSED_LEN, .why = REFUSED_POLICY, .err = 13);
	ROUND_TRIP(close, MSG_CLOSE_LEN, .reason = CLOSE_CANCEL, .up_bytes = UINT64_MAX,
	    .down_bytes = 1, .up_packets = 2, .down_packets = UINT64_MAX - 1);
	ROUND_TRIP(limit, MSG_LIMIT_LEN, .which = LIMIT_DATAGRAM_OPENING, .most = UINT32_MAX,
	    .times = UINT64_MAX);
	ROUND_TRIP(tuple, MSG_TUPLE_LEN, .proto = 17, .flags = TUPLE_OF_DNS, .local = V4(1),
	    .remote = V4(2));
	ROUND_TRIP(flow, MSG_FLOW_LEN, .state = FLOW_IS_OPEN, .proto = 6, .pid = 4242, .src = V6(1),
	    .dst = V6(2), .local = V6(3));
	ROUND_TRIP(name, MSG_NAME_LEN, .addr = V6(0), .ttl = UINT32_MAX,
	    .flags = MSG_NAME_SYNTHETIC | MSG_NAME_PINNED);
	ROUND_TRIP(resolve, MSG_RESOLVE_LEN, .family = 6);
	ROUND_TRIP(resolved, MSG_RESOLVED_LEN, .count = MSG_ADDRS_MAX);
	ROUND_TRIP(tun, MSG_TUN_LEN, .mtu = 1500, .offloads = 0xffffffff);
	ROUND_TRIP(tunnel, MSG_TUNNEL_LEN, .proto = IPPROTO_UDP, .dst = V6(443));
	ROUND_TRIP(tunnelled, MSG_TUNNELLED_LEN, .port = 0xfedc, .flags = TUNNELLED_STANDS);
	ROUND_TRIP(untunnelled, MSG_UNTUNNELLED_LEN, .flags = UNTUNNELLED_AGAIN,
	    .no = { .why = REFUSED_ERRNO, .err = 113 });
	ROUND_TRIP(listen, MSG_LISTEN_LEN, .family = 6, .port = 0xabcd);
	ROUND_TRIP(interface, MSG_INTERFACE_LEN, .linktype = 101, .snaplen = 65535, .mtu = 1500);
	ROUND_TRIP(who, MSG_WHO_LEN, .proto = IPPROTO_UDP, .src = V6(0xabcd), .dst = V6(80));
	ROUND_TRIP(whose, MSG_WHOSE_LEN, .pid = UINT32_MAX, .parent = { 1, 2, [7] = UINT32_MAX });
	ROUND_TRIP(packet, MSG_PACKET_LEN, .time = UINT64_MAX, .orig_len = 70000, .direction = 2);
}
END_TEST

#define GOOD_OPEN	{ .proto = IPPROTO_TCP, .src = V4(1), .dst = V4(2) }

#define ACCEPTED(name, ...) __extension__ ({					\
	const struct msg_##name in = __VA_ARGS__;				\
	struct msg_##name out;							\
	struct wr w = wr_over(bytes, sizeof(bytes));				\
	struct rd r;								\
										\
	msg_##name##_put(&w, &in);						\
	r = rd_over(bytes, (size_t)(w.p - bytes));				\
	msg_##name##_get(&r, &out);						\
})

START_TEST(values_that_do_not_exist_are_refused)
{
	ck_assert(ACCEPTED(open, GOOD_OPEN));
	ck_assert(!ACCEPTED(open, { .proto = 0, .src = V4(1), .dst = V4(2) }));
	ck_assert(!ACCEPTED(open, { .proto = IPPROTO_RAW, .src = V4(1), .dst = V4(2) }));
	ck_assert(!ACCEPTED(open, { .proto = IPPROTO_TCP, .src = V4(1), .dst = V6(2) }));
	ck_assert(!ACCEPTED(open, { .proto = IPPROTO_TCP, .src = V4(1), .dst = { .family = 5 } }));
	ck_assert(!ACCEPTED(open, { .proto = IPPROTO_TCP }));
	ck_assert(!ACCEPTED(opened, { .local = { .family = 1 } }));
	ck_assert(!ACCEPTED(query, { .transport = IPPROTO_ICMP, .server = V4(53) }));
	ck_assert(!ACCEPTED(query, { .transport = IPPROTO_UDP }));
	ck_assert(!ACCEPTED(query, { .transport = IPPROTO_UDP, .server = { .family = 9 } }));
	for (uint32_t flags = 0; flags < 300; flags++)
		ck_assert_int_eq(ACCEPTED(proceed, { .flags = flags }), flags <= PROCEED_ON);
	for (uint32_t flags = 0; flags < 300; flags++) {
		ck_assert_int_eq(ACCEPTED(opened, { .flags = flags }), flags <= OPENED_FIRST);
		ck_assert_int_eq(ACCEPTED(first, { .flags = flags }), flags <= FIRST_END);
		ck_assert_int_eq(ACCEPTED(go, { .flags = flags }), flags <= GO_ASK);
	}
	for (int why = 0; why < 256; why++)
		ck_assert_int_eq(ACCEPTED(refused, { .why = (enum refusal)why }),
		    why >= REFUSED_POLICY && why <= REFUSED_LIMIT);
	ck_assert(!ACCEPTED(refused, { .why = REFUSED_ICMP, .offender = { .family = 7 } }));
	for (int reason = -1; reason < 300; reason++)
		ck_assert_int_eq(ACCEPTED(close, { .reason = (enum close_reason)reason }),
		    reason >= CLOSE_EOF && reason <= CLOSE_CANCEL);
	for (int which = -1; which < 300; which++)	/* the others are not cf-netstack's to say */
		ck_assert_int_eq(ACCEPTED(limit, { .which = (enum limit)which, .times = 1 }),
		    which >= LIMIT_FLOWS && which <= LIMIT_DATAGRAM_OPENING);
	ck_assert(!ACCEPTED(limit, { .which = LIMIT_FLOWS }));
	ck_assert(!ACCEPTED(name, { .ttl = 1 }));
	ck_assert(!ACCEPTED(name, { .addr = { .family = 5 } }));
	ck_assert(!ACCEPTED(name, { .addr = V4(0), .flags = 4 }));
	for (int family = 0; family < 256; family++)
		ck_assert_int_eq(ACCEPTED(resolve, { .family = (uint8_t)family }),
		    family == 0 || family == 4 || family == 6);
	ck_assert(!ACCEPTED(resolved, { .count = MSG_ADDRS_MAX + 1 }));
	ck_assert(!ACCEPTED(tun, { .mtu = 1279 }));
	ck_assert(!ACCEPTED(tunnel, { .proto = IPPROTO_TCP }));
	ck_assert(!ACCEPTED(tunnel, { .proto = IPPROTO_ICMP, .dst = V4(0) }));
	ck_assert(!ACCEPTED(tunnelled, { .flags = 2 }));
	ck_assert(!ACCEPTED(untunnelled, { .flags = 2, .no = { .why = REFUSED_ERRNO } }));
	ck_assert(!ACCEPTED(untunnelled, { .no = { .why = 0 } }));
	ck_assert(ACCEPTED(tun, { .mtu = 1280 }));
	ck_assert(!ACCEPTED(tun, { .mtu = 65536 }));
	for (int family = 0; family < 256; family++)
		ck_assert_int_eq(ACCEPTED(listen, { .family = (uint8_t)family }),
		    family == 4 || family == 6);
	ck_assert(!ACCEPTED(interface, { .linktype = 65536 }));
	ck_assert(!ACCEPTED(tuple, { .proto = 6 }));
	ck_assert(ACCEPTED(tuple, { .proto = 6, .flags = TUPLE_ENDED }));
	ck_assert(!ACCEPTED(tuple, { .proto = 6, .flags = TUPLE_ENDED | 4 }));
	ck_assert(!ACCEPTED(flow, { .state = FLOW_IS_ALLOWED, .comm_len = 1 }));
	for (int state = 0; state < 6; state++)
		ck_assert_int_eq(ACCEPTED(flow, { .state = (enum flow_state)state }),
		    state >= 1 && state <= 3);
	for (uint32_t direction = 0; direction < 5; direction++)
		ck_assert_int_eq(ACCEPTED(packet, { .direction = (uint16_t)direction }),
		    direction == 1 || direction == 2);
}
END_TEST

START_TEST(a_list_of_addresses_survives_the_wire_whole_or_not_at_all)
{
	const struct addr in[] = { V4(53), V6(53), V4(5353) };
	struct addr out[3];
	struct wr w = wr_over(bytes, sizeof(bytes));
	struct rd r;
	size_t n = 99, len;

	msg_list_put(&w, in, 3);
	len = (size_t)(w.p - bytes);
	ck_assert_uint_eq(len, 4 + 3 * MSG_ADDR_LEN);
	r = rd_over(bytes, len);
	ck_assert(msg_list_get(&r, out, 3, &n));
	ck_assert_uint_eq(n, 3);
	for (int i = 0; i < 3; i++)
		ck_assert(addr_equal(&in[i], &out[i]));
	r = rd_over(bytes, len);
	ck_assert(!msg_list_get(&r, out, 2, &n));		/* no room */
	for (size_t cut = 0; cut < len; cut++) {
		r = rd_over(bytes, cut);
		ck_assert(!msg_list_get(&r, out, 3, &n));
	}
	r = rd_over(bytes, len + 1);
	ck_assert(!msg_list_get(&r, out, 3, &n));
	bytes[4] = 0;						/* no family */
	r = rd_over(bytes, len);
	ck_assert(!msg_list_get(&r, out, 3, &n));
	w = wr_over(bytes, sizeof(bytes));
	msg_list_put(&w, NULL, 0);
	r = rd_over(bytes, 4);
	ck_assert(msg_list_get(&r, out, 3, &n) && n == 0);
}
END_TEST

/* flags has three bits; others would be the same flow under another name. */
START_TEST(open_is_one_byte_string_per_meaning)
{
	const struct msg_open in = GOOD_OPEN;
	struct msg_open out;
	struct wr w = wr_over(bytes, sizeof(bytes));
	struct rd r;

	msg_open_put(&w, &in);
	bytes[3] = 8;
	r = rd_over(bytes, MSG_OPEN_LEN);
	ck_assert(!msg_open_get(&r, &out));
	bytes[3] = 1;
	bytes[4 + 4 + 15] = 0xee;	/* behind the IPv4 address of src */
	r = rd_over(bytes, MSG_OPEN_LEN);
	ck_assert(msg_open_get(&r, &out));
	ck_assert_uint_eq(out.src.ip[15], 0);
}
END_TEST

/* Numbers that helpers of others rely on. */
START_TEST(the_wire_does_not_change)
{
	static const uint8_t want[MSG_HEADER_LEN + MSG_OPEN_LEN] = {
		44,0,0,0, 32,0, 0,0, 0x88,0x77,0x66,0x55,0x44,0x33,0x22,0x11,
		6, 64, 0, 1,
		4,0, 0x39,0x30, 192,0,2,1, 0,0,0,0,0,0,0,0,0,0,0,0,
		4,0, 80,0, 192,0,2,1, 0,0,0,0,0,0,0,0,0,0,0,0,
	};
	static const struct msg_open o = { .proto = 6, .hop_limit = 64, .flags = OPEN_DF,
	    .src = V4(12345), .dst = V4(80) };
	struct wr w = wr_over(bytes + MSG_HEADER_LEN, MSG_OPEN_LEN);

	frame_header(bytes, MSG_OPEN, 0, 0x1122334455667788, MSG_OPEN_LEN);
	msg_open_put(&w, &o);
	ck_assert_int_eq(memcmp(bytes, want, sizeof(want)), 0);
}
END_TEST

/* ---- frames ---- */

START_TEST(frame_waits_for_its_last_byte)
{
	uint8_t buf[MSG_HEADER_LEN + MSG_WINDOW_LEN + 1] = { 0 };
	struct frame f;
	size_t used = 99;
	const char *why;

	frame_header(buf, MSG_WINDOW, 0, 1, MSG_WINDOW_LEN);
	for (size_t len = 0; len < sizeof(buf) - 1; len++)
		ck_assert_int_eq(frame_next(buf, len, R_STACK, R_PROXY, &f, &used, &why), 0);
	ck_assert_int_eq(frame_next(buf, sizeof(buf), R_STACK, R_PROXY, &f, &used, &why), 1);
	ck_assert_uint_eq(used, sizeof(buf) - 1);
}
END_TEST

START_TEST(bad_header_is_found_before_its_body)
{
	uint8_t buf[MSG_HEADER_LEN];
	struct frame f;
	size_t used;
	const char *why;

	frame_header(buf, MSG_DATA, 0, 1, 0xffffffff);
	ck_assert_int_eq(frame_next(buf, sizeof(buf), R_STACK, R_PROXY, &f, &used, &why), -1);
	ck_assert_str_eq(why, "bad length");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("msg");
	int rows = (int)msg_nrules;

	tcase_add_loop_test(tc, row_takes_its_lengths_and_no_others, 0, rows);
	tcase_add_loop_test(tc, row_takes_its_descriptors_and_no_more, 0, rows);
	tcase_add_loop_test(tc, row_refuses_the_wrong_direction, 0, rows);
	tcase_add_loop_test(tc, row_has_a_name_and_number_of_its_own, 0, rows);
	tcase_add_test(tc, numbers_without_a_row_are_unknown);
	tcase_add_test(tc, roles_have_names);
	tcase_add_test(tc, a_list_of_addresses_survives_the_wire_whole_or_not_at_all);
	tcase_add_test(tc, bodies_survive_the_wire);
	tcase_add_test(tc, values_that_do_not_exist_are_refused);
	tcase_add_test(tc, open_is_one_byte_string_per_meaning);
	tcase_add_test(tc, the_wire_does_not_change);
	tcase_add_test(tc, frame_waits_for_its_last_byte);
	tcase_add_test(tc, bad_header_is_found_before_its_body);
	return unit_run("msg", tc);
}

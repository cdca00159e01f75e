/*
 * test_views.c - packets wait for what is known of their flow, and say it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <netinet/in.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../main.h"
#include "blocks.h"
#include "views.h"

static const uint8_t udp[] = {
	0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0x8e, 0xaf, 192, 0, 0, 2, 203, 0, 113, 10,
	0x30, 0x39, 0x00, 0x07, 0, 12, 0, 0, 't', 'e', 's', 't'
};
static const struct msg_flow flow = { .state = FLOW_IS_ALLOWED, .proto = IPPROTO_UDP,
    .pid = 4242, .comm_len = 4, .src = { 4, 12345, { 192, 0, 0, 2 } },
    .dst = { 4, 7, { 203, 0, 113, 10 } } };
static const struct captured packet = { .data = udp, .len = sizeof(udp), .orig_len = sizeof(udp),
    .direction = 2 };

static struct views	 v;
static FILE		*file;
static uint8_t		 bytes[65536];

static void
begin(void)
{
	static const struct capture_want want;
	int out;

	ck_assert_ptr_nonnull(file = tmpfile());
	out = dup(fileno(file));
	v = (struct views){ .has_child = true };
	views_init(&v);
	ck_assert_ptr_null(capture_init(&v.child, &want, &out, 1, DLT_RAW));
	ck_assert(views_interface(&v, &(struct capture_interface){ .linktype = 101, .name = "tun0" }));
	ck_assert_ptr_nonnull(v.known = known_new());
}

static void
end(void)
{
	known_free(v.known);
	fclose(file);
}

static size_t
written(void)
{
	ck_assert(capture_done(&v.child));
	return (size_t)pread(fileno(file), bytes, sizeof(bytes), 0);
}

/* The n-th block of a type. */
static struct block
find(size_t len, uint32_t type, int n)
{
	const uint8_t *p = bytes;
	struct block b = { 0 };

	do
		ck_assert_int_eq(block_next(&p, bytes + len, &b), 1);
	while (b.type != type || n-- > 0);
	return b;
}

START_TEST(packet_waits_for_its_flow_and_names_its_process)
{
	const size_t options = 20 + sizeof(udp);
	struct block b;
	size_t len;

	views_packet(&v, &packet);
	ck_assert_uint_eq(v.n_held, 1);
	known_tell(v.known, 1, &flow, "curl" "why", 7);
	views_turn(&v);
	ck_assert_uint_eq(v.n_held, 0);
	views_packet(&v, &packet);
	len = written();
	b = find(len, 0x80000001, 0);
	ck_assert_uint_eq(word_at(b.body), 4242);
	ck_assert(block_option_is(&b, 4, 2, "curl", 4));
	ck_assert_int_eq(blocks_count(bytes, len, 0x80000001), 1);
	b = find(len, 6, 0);
	ck_assert(block_option_is(&b, options, 1, "why", 3));
	ck_assert(block_option_is(&b, options, 0x8001, "\0\0\0", 4));
	ck_assert(block_option_is(&b, options, 0x8005, "\1\0\0", 4));
	b = find(len, 6, 1);
	ck_assert(!block_option_is(&b, options, 1, "why", 3));
	ck_assert(block_option_is(&b, options, 0x8001, "\0\0\0", 4));
}
END_TEST

START_TEST(nothing_waits_at_the_end_or_for_names)
{
	uint8_t query[sizeof(udp)];
	struct captured p = packet;

	memcpy(query, udp, sizeof(query));
	query[23] = 53;
	p.data = query;
	views_packet(&v, &p);
	ck_assert_uint_eq(v.n_held, 0);
	views_packet(&v, &packet);
	views_packet(&v, &p);
	ck_assert_uint_eq(v.n_held, 2);		/* in order, so it waits behind the other */
	views_flush(&v);
	ck_assert_int_eq(blocks_count(bytes, written(), 6), 3);
}
END_TEST

START_TEST(flows_are_bounded_and_forgotten_when_they_end)
{
	struct tuple t = { flow.proto, flow.src, flow.dst };
	struct msg_flow m = flow;

	for (uint32_t i = 0; i < KNOWN_MAX + 100; i++) {
		m.src.port = (uint16_t)i;
		known_tell(v.known, i, &m, "curl", 4);
	}
	t.src.port = 50;
	ck_assert_ptr_null(known_find(v.known, &t));
	t.src.port = 200;
	ck_assert_ptr_nonnull(known_find(v.known, &t));
	known_end(v.known, 200, 1000);
	known_expire(v.known, 999);
	ck_assert_ptr_nonnull(known_find(v.known, &t));
	known_expire(v.known, 1000);
	ck_assert_ptr_null(known_find(v.known, &t));
	ck_assert(capture_done(&v.child));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("views");

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, packet_waits_for_its_flow_and_names_its_process);
	tcase_add_test(tc, nothing_waits_at_the_end_or_for_names);
	tcase_add_test(tc, flows_are_bounded_and_forgotten_when_they_end);
	return unit_run("views", tc);
}

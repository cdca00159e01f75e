/*
 * test_pcap.c - captures that are made here, sound ones and others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "pcap.h"
#include "rd.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static uint8_t		 file[1 << 16];
static struct wr	 w;
static struct pcap	*p;
static bool		 big;		/* the file's byte order */

static void
put16(unsigned v)
{
	if (big)
		wr_be16(&w, (uint16_t)v);
	else
		wr_le16(&w, (uint16_t)v);
}

static void
put32(uint32_t v)
{
	if (big)
		wr_be32(&w, v);
	else
		wr_le32(&w, v);
}

static void
block(uint32_t type, const void *body, size_t len)
{
	uint32_t whole = 12 + (uint32_t)(len + 3) / 4 * 4;

	put32(type);
	put32(whole);
	wr_bytes(&w, body, len);
	wr_bytes(&w, "\0\0\0", (4 - len % 4) % 4);
	put32(whole);
}

/* A body is written with the same functions, elsewhere. */
static uint8_t	 body[4096];
static struct wr kept;

static void
body_begin(void)
{
	kept = w;
	w = wr_over(body, sizeof(body));
}

static void
body_end(uint32_t type)
{
	size_t len = (size_t)(w.p - body);

	w = kept;
	block(type, body, len);
}

static void
put_section(void)
{
	body_begin();
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	body_end(0x0a0d0d0a);
}

static void
put_interface(uint8_t resolution)
{
	body_begin();
	put16(101);
	put16(0);
	put32(100);
	put16(9);
	put16(1);
	wr_bytes(&w, (uint8_t[4]){ resolution }, 4);
	put32(0);
	body_end(1);
}

/* TCP from port 1000 of 192.0.2.1 to port 80 of .2, or back. */
static void
put_tcp(bool up, uint32_t seq, uint8_t flags, size_t payload, uint32_t time)
{
	uint8_t ip[128] = { 0 };
	struct wr i = wr_over(ip, sizeof(ip));

	wr_be16(&i, 0x4500);
	wr_be16(&i, (uint16_t)(40 + payload));
	wr_be32(&i, 0);
	wr_be16(&i, 0x4006);
	wr_be16(&i, 0);
	wr_be32(&i, up ? 0xc0000201 : 0xc0000202);
	wr_be32(&i, up ? 0xc0000202 : 0xc0000201);
	wr_be16(&i, up ? 1000 : 80);
	wr_be16(&i, up ? 80 : 1000);
	wr_be32(&i, seq);
	wr_be32(&i, 0);
	wr_be16(&i, (uint16_t)(0x5000 | flags));
	body_begin();
	put32(0);
	put32(0);
	put32(time);
	put32(40);
	put32((uint32_t)(40 + payload));
	wr_bytes(&w, ip, 40);
	put16(1);
	put16(5);
	wr_bytes(&w, "h\x1b[31\0\0\0", 8);
	put32(0);
	body_end(6);
}

static void
setup(void)
{
	big = false;
	w = wr_over(file, sizeof(file));
	ck_assert_ptr_nonnull(p = pcap_new(1, 2));
}

static void
teardown(void)
{
	pcap_free(p);
}

static void
feed(void)
{
	ck_assert(!w.bad);
	pcap_feed(p, file, (size_t)(w.p - file));
	pcap_end(p);
}

static const struct pcap_flow *
only_flow(void)
{
	ck_assert_uint_eq(p->flows.n, 1);
	for (size_t i = 0;; i++)
		if (p->flows.at[i].proto != 0)
			return &p->flows.at[i];
}

START_TEST(flow_is_followed_in_either_byte_order)
{
	const struct pcap_flow *f;
	json_t *model;
	char *text;

	big = _i != 0;
	put_section();
	put_interface(9);
	put_tcp(true, 100, 2, 0, 1000);
	put_tcp(false, 500, 0x12, 0, 1001);
	put_tcp(true, 101, 0x10, 10, 1002);
	put_tcp(true, 121, 0x10, 10, 1003);	/* 10 are missing */
	put_tcp(false, 501, 0x11, 5, 1004);
	put_tcp(true, 131, 0x11, 0, 1005);
	feed();
	ck_assert_msg(p->n_errors == 0, "%s", p->error[0].what);
	f = only_flow();
	ck_assert_uint_eq(f->up.packets, 4);
	ck_assert_uint_eq(f->up.payload, 20);
	ck_assert_uint_eq(f->up.missing, 10);
	ck_assert_uint_eq(f->down.bytes, 85);
	ck_assert_uint_eq(f->ends, PCAP_SYN | PCAP_SYNACK | PCAP_FIN_UP | PCAP_FIN_DOWN);
	ck_assert_uint_eq(f->last - f->first, 5);
	ck_assert_uint_eq(p->comments, 6);
	ck_assert_ptr_nonnull(model = pcap_model(p, "x"));
	text = pcap_text(model);
	ck_assert_ptr_nonnull(strstr(text, "tcp 192.0.2.1:1000 -> 192.0.2.2:80, closed"));
	ck_assert_ptr_nonnull(strstr(text, "comment: h\\x1b[31"));
	free(text);
	json_decref(model);
}
END_TEST

START_TEST(what_comes_late_is_not_missing)
{
	put_section();
	put_interface(9);
	put_tcp(true, 100, 0x10, 10, 1);
	put_tcp(true, 120, 0x10, 10, 2);
	put_tcp(true, 110, 0x10, 10, 3);
	put_tcp(true, 120, 0x10, 10, 4);
	feed();
	ck_assert_uint_eq(only_flow()->up.missing, 0);
	ck_assert_uint_eq(only_flow()->up.repeated, 10);
	ck_assert_uint_eq(only_flow()->ends, 0);
}
END_TEST

static const struct { uint8_t resolution; uint32_t t; uint64_t ns; } times[] = {
	{ 9, 5, 5 }, { 6, 5, 5000 }, { 3, 5, 5000000 }, { 12, 5000, 5 }, { 0x80, 2, 2000000000 },
	{ 0x81, 1, 500000000 }, { 0xff, 1, 0 }, { 0x7f, 1, 0 },
};

START_TEST(time_has_its_resolution)
{
	put_section();
	put_interface(times[_i].resolution);
	put_tcp(true, 1, 2, 0, times[_i].t);
	feed();
	ck_assert_uint_eq(only_flow()->first, times[_i].ns);
}
END_TEST

START_TEST(times_that_go_back_are_counted)
{
	put_section();
	put_interface(9);
	put_tcp(true, 1, 2, 0, 10);
	put_tcp(true, 1, 2, 0, 9);
	put_tcp(true, 1, 2, 0, 9);
	feed();
	ck_assert_uint_eq(p->interface[0].backwards, 1);
	ck_assert_uint_eq(p->n_errors, 0);
}
END_TEST

/* A sound file in which 32 bits are changed. */
static const struct { size_t at; uint32_t value; const char *what; } broken[] = {
	{ 0, 0xa1b2c3d4, "this is pcap, and not pcapng (editcap -F pcapng OLD NEW)" },
	{ 0, 1, "this is no pcapng file" },
	{ 4, 29, "a block has an impossible length" },
	{ 4, 8, "a block has an impossible length" },
	{ 8, 0, "a section has no byte order" },
	{ 12, 2, "a version that is not known" },
	{ 24, 0, "the two lengths of a block differ" },
	{ 32, 0x7ffffffc, "a block is too long, and passed over" },
	{ 44, 0xfff00009, "an option is longer than its block" },
	{ 68, 7, "a packet is of an interface that was not told of" },
	{ 80, 1000, "a packet is longer than its block" },
	{ 84, 3, "more of a packet was kept than there was" },
};

START_TEST(what_is_wrong_is_said)
{
	put_section();
	put_interface(9);
	put_tcp(true, 1, 2, 0, 10);
	memcpy(file + broken[_i].at, &broken[_i].value, 4);
	feed();
	ck_assert_uint_gt(p->n_errors, 0);
	ck_assert_str_eq(p->error[0].what, broken[_i].what);
}
END_TEST

START_TEST(file_that_is_cut_is_not_sound)
{
	put_section();
	put_interface(9);
	put_tcp(true, 1, 2, 0, 10);
	w.p -= 4;
	feed();
	ck_assert_uint_eq(p->n_errors, 1);
	ck_assert_str_eq(p->error[0].what, "the last block is cut");
}
END_TEST

START_TEST(flows_are_bounded)
{
	put_section();
	put_interface(9);
	for (uint8_t port = 1; port < 6; port++) {
		put_tcp(true, 1, 2, 0, 10);
		w.p[-39] = port;	/* the source, in the TCP header */
	}
	feed();
	ck_assert_uint_eq(p->flows.n, 2);
	ck_assert_uint_eq(p->flows.beyond, 3);
}
END_TEST

START_TEST(nothing_is_not_sound)
{
	feed();
	ck_assert_str_eq(p->error[0].what, "the file is empty");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pcap");
	TCase *tc = tcase_create("pcap");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, flow_is_followed_in_either_byte_order, 0, 2);
	tcase_add_test(tc, what_comes_late_is_not_missing);
	tcase_add_loop_test(tc, time_has_its_resolution, 0, (int)LEN(times));
	tcase_add_test(tc, times_that_go_back_are_counted);
	tcase_add_loop_test(tc, what_is_wrong_is_said, 0, (int)LEN(broken));
	tcase_add_test(tc, file_that_is_cut_is_not_sound);
	tcase_add_test(tc, flows_are_bounded);
	tcase_add_test(tc, nothing_is_not_sound);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

/*
 * test_pcapng.c - what pcapng.c writes, read back by blocks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>

#include "blocks.h"
#include "pcapng.h"

static uint8_t		 buf[70000];
static struct block	 b;

/* The one block that was written. */
static void
read_back(const struct wr *w)
{
	const uint8_t *p = buf;

	ck_assert(!w->bad);
	ck_assert_int_eq(block_next(&p, w->p, &b), 1);
	ck_assert_ptr_eq(p, w->p);
}

START_TEST(section_says_who_wrote_it)
{
	struct wr w = wr_over(buf, sizeof(buf));
	uint16_t version[2];

	pcapng_section_put(&w, &(struct pcapng_section){ .hardware = "x86_64",
	    .os = "Linux 6.1", .application = "cf-capture 1" });
	read_back(&w);
	ck_assert_uint_eq(b.type, 0x0a0d0d0a);
	ck_assert_uint_eq(word_at(b.body), 0x1a2b3c4d);
	memcpy(version, b.body + 4, 4);
	ck_assert_uint_eq(version[0], 1);
	ck_assert_uint_eq(version[1], 0);
	ck_assert_uint_eq(word_at(b.body + 8), UINT32_MAX);
	ck_assert_uint_eq(word_at(b.body + 12), UINT32_MAX);
	ck_assert(block_option_is(&b, 16, 2, "x86_64", 6));
	ck_assert(block_option_is(&b, 16, 3, "Linux 6.1", 9));
	ck_assert(block_option_is(&b, 16, 4, "cf-capture 1", 12));
}
END_TEST

START_TEST(texts_that_are_not_known_are_left_out)
{
	struct wr w = wr_over(buf, sizeof(buf));
	size_t len;

	pcapng_section_put(&w, &(struct pcapng_section){ .application = "a" });
	read_back(&w);
	ck_assert_ptr_null(block_option(&b, 16, 2, &len));
	ck_assert_ptr_null(block_option(&b, 16, 3, &len));
	ck_assert(block_option_is(&b, 16, 4, "a", 1));
}
END_TEST

START_TEST(interface_has_its_name_and_nanoseconds)
{
	struct wr w = wr_over(buf, sizeof(buf));
	uint16_t linktype;

	pcapng_interface_put(&w, &(struct pcapng_interface){ .linktype = 101,
	    .snaplen = 65535, .name = "tun0" });
	read_back(&w);
	ck_assert_uint_eq(b.type, 1);
	memcpy(&linktype, b.body, 2);
	ck_assert_uint_eq(linktype, 101);
	ck_assert_uint_eq(word_at(b.body + 4), 65535);
	ck_assert(block_option_is(&b, 8, 2, "tun0", 4));
	ck_assert(block_option_is(&b, 8, 9, "\x09", 1));
}
END_TEST

START_TEST(long_text_is_cut_and_the_block_stays_whole)
{
	struct wr w = wr_over(buf, sizeof(buf));
	char name[3 * PCAPNG_TEXT_MAX];
	size_t len = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	pcapng_interface_put(&w, &(struct pcapng_interface){ .linktype = 101, .name = name });
	read_back(&w);
	ck_assert_ptr_nonnull(block_option(&b, 8, 2, &len));
	ck_assert_uint_eq(len, PCAPNG_TEXT_MAX);
	ck_assert(block_option_is(&b, 8, 9, "\x09", 1));
}
END_TEST

static const size_t	lengths[] = { 0, 1, 2, 3, 4, 5, 20, 1500, 65535, 65551 };

START_TEST(packet_of_any_length_comes_back)
{
	static uint8_t data[65551];
	struct wr w = wr_over(buf, sizeof(buf));
	size_t len = lengths[_i], padded = (len + 3) / 4 * 4;
	uint64_t time = 1700000000123456789u;
	uint32_t flags = 2;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7);
	pcapng_packet_put(&w, &(struct pcapng_packet){ .interface = 3, .time = time,
	    .orig_len = (uint32_t)len + 9, .flags = flags, .data = data, .len = len });
	read_back(&w);
	ck_assert_uint_eq(b.type, 6);
	ck_assert_uint_eq(word_at(b.body), 3);
	ck_assert_uint_eq(word_at(b.body + 4), time >> 32);
	ck_assert_uint_eq(word_at(b.body + 8), (uint32_t)time);
	ck_assert_uint_eq(word_at(b.body + 12), len);
	ck_assert_uint_eq(word_at(b.body + 16), len + 9);
	ck_assert_mem_eq(b.body + 20, data, len);
	for (size_t i = len; i < padded; i++)
		ck_assert_uint_eq(b.body[20 + i], 0);
	ck_assert(block_option_is(&b, 20 + padded, 2, &flags, 4));
	ck_assert_uint_le((size_t)(w.p - buf), len + PCAPNG_PACKET_EXTRA);
}
END_TEST

START_TEST(statistics_count_what_was_received)
{
	struct wr w = wr_over(buf, sizeof(buf));
	uint64_t start = 1700000000000000001u, end = 1700000009000000002u, n = 12345;
	uint32_t first[2] = { (uint32_t)(start >> 32), (uint32_t)start };
	uint32_t last[2] = { (uint32_t)(end >> 32), (uint32_t)end };

	pcapng_statistics_put(&w, &(struct pcapng_statistics){ .interface = 1,
	    .start = start, .end = end, .received = n });
	read_back(&w);
	ck_assert_uint_eq(b.type, 5);
	ck_assert_uint_eq(word_at(b.body), 1);
	ck_assert_mem_eq(b.body + 4, last, 8);
	ck_assert(block_option_is(&b, 12, 2, first, 8));
	ck_assert(block_option_is(&b, 12, 3, last, 8));
	ck_assert(block_option_is(&b, 12, 4, &n, 8));
}
END_TEST

START_TEST(block_that_does_not_fit_says_so)
{
	static const uint8_t data[100];
	struct wr w = wr_over(buf, (size_t)_i);

	pcapng_packet_put(&w, &(struct pcapng_packet){ .data = data, .len = sizeof(data) });
	ck_assert(w.bad);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pcapng");
	TCase *tc = tcase_create("pcapng");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, section_says_who_wrote_it);
	tcase_add_test(tc, texts_that_are_not_known_are_left_out);
	tcase_add_test(tc, interface_has_its_name_and_nanoseconds);
	tcase_add_test(tc, long_text_is_cut_and_the_block_stays_whole);
	tcase_add_loop_test(tc, packet_of_any_length_comes_back, 0,
	    (int)(sizeof(lengths) / sizeof(lengths[0])));
	tcase_add_test(tc, statistics_count_what_was_received);
	tcase_add_loop_test(tc, block_that_does_not_fit_says_so, 0, 136);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

/*
 * test_capture.c - what happens to a packet on its way: filter, snap length, segments, files in turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <pcap/dlt.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blocks.h"
#include "capture.h"

#define FILES	3

static struct capture	 c;
static int		 file[FILES];
static uint8_t		 bytes[1 << 20];
static const uint8_t	 udp[] = {
	0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 0, 2, 203, 0, 113, 10,
	0x30, 0x39, 0, 53, 0, 12, 0, 0, 't', 'e', 's', 't'
};

static void
begin(const struct capture_want *want, size_t n)
{
	static const struct capture_interface tun = { .linktype = 101, .name = "tun0",
	    .description = "d" };
	int fds[FILES];

	for (size_t i = 0; i < n; i++) {
		ck_assert_int_ge(file[i] = memfd_create("file", MFD_CLOEXEC), 0);
		ck_assert_int_ge(fds[i] = dup(file[i]), 0);
	}
	ck_assert_ptr_null(capture_init(&c, want, fds, n, DLT_RAW));
	ck_assert(capture_interface(&c, &tun));
}

static void
packet(uint32_t dropped)
{
	capture_packet(&c, &(struct captured){ .time = 1700000000000000000u, .orig_len = sizeof(udp),
	    .direction = 2, .dropped = dropped, .data = udp, .len = sizeof(udp) });
}

static size_t
read_file(size_t i)
{
	ssize_t n = pread(file[i], bytes, sizeof(bytes), 0);

	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static struct block
block_of(size_t i, uint32_t type)
{
	const uint8_t *p = bytes, *end = bytes + read_file(i);
	struct block b;

	while (block_next(&p, end, &b) == 1)
		if (b.type == type)
			return b;
	ck_abort_msg("no block %u", type);
	return b;
}

static int
count(size_t i, uint32_t type)
{
	return (int)blocks_count(bytes, read_file(i), type);
}

START_TEST(filter_lets_pass_what_it_names)
{
	static const struct { const char *filter; int n; } rows[] = {
		{ "udp", 1 }, { "tcp", 0 }, { "udp port 53 and host 203.0.113.10", 1 }, { "ip6", 0 },
	};
	struct block b;
	uint64_t n[3];
	size_t len;

	begin(&(struct capture_want){ .filter = rows[_i].filter }, 1);
	packet(2);
	ck_assert(capture_done(&c));
	ck_assert_int_eq(count(0, 6), rows[_i].n);
	b = block_of(0, 1);
	ck_assert_mem_eq(block_option(&b, 8, 11, &len) + 1, rows[_i].filter, strlen(rows[_i].filter));
	ck_assert_uint_eq(len, 1 + strlen(rows[_i].filter));
	b = block_of(0, 5);
	for (uint16_t k = 0; k < 3; k++)
		memcpy(&n[k], block_option(&b, 12, (uint16_t)(4 + k), &len), 8);
	ck_assert_uint_eq(n[0], 3);		/* received */
	ck_assert_uint_eq(n[1], 2);		/* dropped */
	ck_assert_uint_eq(n[2], (uint64_t)rows[_i].n);
}
END_TEST

START_TEST(filter_that_is_none_is_said)
{
	int fd = dup(2);

	ck_assert_ptr_nonnull(capture_init(&c, &(struct capture_want){ .filter = "no such word" }, &fd, 1,
	    DLT_RAW));
	close(fd);
}
END_TEST

START_TEST(snaplen_cuts_and_tells_the_whole_length)
{
	struct block b;

	begin(&(struct capture_want){ .snaplen = 20 }, 1);
	packet(0);
	ck_assert(capture_done(&c));
	b = block_of(0, 6);
	ck_assert_uint_eq(word_at(b.body + 12), 20);
	ck_assert_uint_eq(word_at(b.body + 16), sizeof(udp));
	b = block_of(0, 1);
	ck_assert_uint_eq(word_at(b.body + 4), 20);
}
END_TEST

START_TEST(drops_are_told_with_the_packet_after_them)
{
	struct block b;
	uint64_t n;
	size_t len;

	begin(&(struct capture_want){ 0 }, 1);
	packet(5);
	ck_assert(capture_done(&c));
	b = block_of(0, 6);
	memcpy(&n, block_option(&b, 20 + sizeof(udp), 4, &len), 8);
	ck_assert_uint_eq(n, 5);
}
END_TEST

START_TEST(files_are_written_in_turns_and_each_is_whole)
{
	begin(&(struct capture_want){ .rotate_bytes = 4096 }, FILES);
	for (int i = 0; i < 500; i++)
		packet(0);
	ck_assert(capture_done(&c));
	ck_assert_uint_gt(c.number, 2 * FILES);
	for (size_t i = 0; i < FILES; i++) {
		ck_assert_int_eq(count(i, 0x0a0d0d0a), 1);
		ck_assert_int_eq(count(i, 1), 1);
		ck_assert_int_eq(count(i, 5), 1);
		ck_assert_int_gt(count(i, 6), 0);
		ck_assert_uint_lt(read_file(i), 4096 + 512);
	}
}
END_TEST

START_TEST(file_whose_turn_never_came_is_empty_and_valid)
{
	begin(&(struct capture_want){ .rotate_bytes = 1 << 20 }, FILES);
	packet(0);
	ck_assert(capture_done(&c));
	ck_assert_int_eq(count(0, 6), 1);
	for (size_t i = 1; i < FILES; i++) {
		ck_assert_int_eq(count(i, 0x0a0d0d0a), 1);
		ck_assert_int_eq(count(i, 6), 0);
	}
}
END_TEST

START_TEST(file_ends_after_its_time)
{
	begin(&(struct capture_want){ .rotate_ns = 1 }, 2);
	packet(0);
	capture_tick(&c);
	packet(0);
	ck_assert(capture_done(&c));
	ck_assert_int_eq(count(0, 6), 1);
	ck_assert_int_eq(count(1, 6), 1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("capture");

	tcase_add_loop_test(tc, filter_lets_pass_what_it_names, 0, 4);
	tcase_add_test(tc, filter_that_is_none_is_said);
	tcase_add_test(tc, snaplen_cuts_and_tells_the_whole_length);
	tcase_add_test(tc, drops_are_told_with_the_packet_after_them);
	tcase_add_test(tc, files_are_written_in_turns_and_each_is_whole);
	tcase_add_test(tc, file_whose_turn_never_came_is_empty_and_valid);
	tcase_add_test(tc, file_ends_after_its_time);
	return unit_run("capture", tc);
}

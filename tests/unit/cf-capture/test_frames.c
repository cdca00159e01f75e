/*
 * test_frames.c - a stack on one end of a channel, cf-capture's handlers on the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/dlt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blocks.h"
#include "capture.h"
#include "views.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static struct views	 views = { .has_child = true };
#define cap	views.child
static struct chan	*stack, *server;
static FILE		*file;
static uint8_t		 bytes[1 << 20];

static struct capture_want want;

static void
begin(void)
{
	int sv[2], out;

	views_init(&views);
	file = tmpfile();
	ck_assert_ptr_nonnull(file);
	out = dup(fileno(file));
	ck_assert_ptr_null(capture_init(&cap, &want, &out, 1, DLT_RAW));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	stack = chan_new(sv[0], sv[0], R_STACK, R_CAPTURE, NULL);
	server = chan_new(sv[1], sv[1], R_CAPTURE, R_STACK, &views);
	chan_handlers(server, capture_handlers);
	chan_hello(stack, 0);
}

static void
end(void)
{
	chan_free(stack);
	chan_free(server);
	fclose(file);
}

static size_t
contents(void)
{
	ssize_t n = pread(fileno(file), bytes, sizeof(bytes), 0);

	ck_assert_int_ge(n, 0);
	return (size_t)n;
}

static void
send_interface(uint64_t number, uint32_t linktype, uint32_t snaplen, const char *name, size_t len)
{
	uint8_t body[MSG_INTERFACE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_interface_put(&w, &(struct msg_interface){ linktype, snaplen, 1500 });
	chan_send(stack, MSG_INTERFACE, number, body, sizeof(body), name, len, -1);
}

static void
send_packet(uint64_t interface, uint32_t orig_len, uint32_t direction, size_t len)
{
	static uint8_t data[MSG_PACKET_MAX];
	uint8_t body[MSG_PACKET_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_packet_put(&w, &(struct msg_packet){ .time = 1700000000000000000u, .orig_len = orig_len,
	    .direction = (uint16_t)direction });
	chan_send(stack, MSG_PACKET, interface, body, sizeof(body), data, len, -1);
}

/* All that was sent is handled; what chan_read says at the end. */
static int
deliver(void)
{
	int rc;

	do {
		rc = chan_flush(stack);
		ck_assert_int_ge(rc, 0);
		if (chan_read(server) < 0)
			return -1;
	} while (rc == 1);
	return chan_read(server);
}

START_TEST(conversation_becomes_a_file)
{
	send_interface(0, 101, 65535, "tun0", 4);
	for (int i = 0; i < 1000; i++)
		send_packet(0, 1500, 1 + (uint32_t)i % 2, (size_t)i);
	send_interface(1, 101, 65535, "egress", 6);
	send_packet(1, 40, 2, 40);
	ck_assert_int_eq(deliver(), 1);
	ck_assert(capture_done(&cap));
	ck_assert_int_eq(blocks_count(bytes, contents(), 0x0a0d0d0a), 1);
	ck_assert_int_eq(blocks_count(bytes, contents(), 1), 2);
	ck_assert_int_eq(blocks_count(bytes, contents(), 6), 1001);
	ck_assert_int_eq(blocks_count(bytes, contents(), 5), 2);
}
END_TEST

START_TEST(file_is_whole_blocks_after_each_write)
{
	int packets = 0;

	send_interface(0, 101, 65535, "tun0", 4);
	for (int i = 0; i < 15; i++) {
		send_packet(0, 60000, 1, 59990 + (size_t)i % 7);
		ck_assert_int_eq(deliver(), 1);
		packets = blocks_count(bytes, contents(), 6);
		ck_assert_int_ge(packets, 0);
		ck_assert_int_le(packets, i + 1);
	}
	ck_assert_int_gt(packets, 0);		/* a full buffer was written by itself */
	ck_assert(out_flush(&cap.out));
	ck_assert_int_eq(blocks_count(bytes, contents(), 6), 15);
	ck_assert(capture_done(&cap));
}
END_TEST

START_TEST(snaplen_cuts_the_bytes_and_keeps_the_length)
{
	const uint8_t *p = bytes, *stop;
	struct block b = { 0 };

	send_interface(0, 101, 96, "tun0", 4);
	send_packet(0, 1500, 1, 1500);
	ck_assert_int_eq(deliver(), 1);
	ck_assert(capture_done(&cap));
	stop = bytes + contents();
	while (block_next(&p, stop, &b) == 1 && b.type != 6)
		;
	ck_assert_uint_eq(b.type, 6);
	ck_assert_uint_eq(word_at(b.body + 12), 96);
	ck_assert_uint_eq(word_at(b.body + 16), 1500);
}
END_TEST

START_TEST(hostile_name_is_escaped)
{
	const uint8_t *p = bytes, *stop;
	struct block b = { 0 };
	char name[MSG_TEXT_MAX];
	size_t len = 0;

	memset(name, '\x1b', sizeof(name));
	send_interface(0, 101, 0, name, sizeof(name));
	ck_assert_int_eq(deliver(), 1);
	ck_assert(capture_done(&cap));
	stop = bytes + contents();
	while (block_next(&p, stop, &b) == 1 && b.type != 1)
		;
	ck_assert_ptr_nonnull(block_option(&b, 8, 2, &len));
	ck_assert_uint_gt(len, 0);
	ck_assert_ptr_null(memchr(b.body, '\x1b', b.len));
	ck_assert(block_option_is(&b, 8, 9, "\x09", 1));
}
END_TEST

/* What no honest stack sends, and the words for it. */
static const struct {
	uint64_t	 interface;
	uint32_t	 orig_len, direction;
	size_t		 len;
	const char	*why;
} bad_packets[] = {
	{ 1, 40, 1, 40, "PACKET of an interface that was not announced" },
	{ UINT64_MAX, 40, 1, 40, "PACKET of an interface that was not announced" },
	{ 0, 39, 1, 40, "bad PACKET" },
	{ 0, 40, 0, 40, "bad PACKET" },
	{ 0, 40, 3, 40, "bad PACKET" },
};

START_TEST(bad_packet_ends_the_channel)
{
	send_interface(0, 101, 65535, "tun0", 4);
	send_packet(bad_packets[_i].interface, bad_packets[_i].orig_len,
	    bad_packets[_i].direction, bad_packets[_i].len);
	ck_assert_int_eq(deliver(), -1);
	ck_assert_str_eq(chan_why(server), bad_packets[_i].why);
	ck_assert(capture_done(&cap));
	ck_assert_int_eq(blocks_count(bytes, contents(), 6), 0);
}
END_TEST

static const struct { uint64_t number; uint32_t linktype; } bad_interfaces[] = {
	{ 1, 101 }, { UINT64_MAX, 101 }, { 0, 65536 },
};

START_TEST(bad_interface_ends_the_channel)
{
	send_interface(bad_interfaces[_i].number, bad_interfaces[_i].linktype, 0, "x", 1);
	ck_assert_int_eq(deliver(), -1);
	ck_assert_str_eq(chan_why(server), "bad INTERFACE");
	ck_assert(capture_done(&cap));
}
END_TEST

START_TEST(interfaces_are_bounded)
{
	for (uint64_t i = 0; i <= INTERFACES_MAX; i++)
		send_interface(i, 101, 0, "x", 1);
	ck_assert_int_eq(deliver(), -1);
	ck_assert_str_eq(chan_why(server), "too many interfaces");
	ck_assert(capture_done(&cap));
	ck_assert_int_eq(blocks_count(bytes, contents(), 1), INTERFACES_MAX);
}
END_TEST

/*
 * A limit of the file size acts as a full disk does: part of a write, then an error.
 * Check writes notes to a file at each assertion, so there is none under the limit.
 */
START_TEST(full_disk_leaves_whole_blocks)
{
	struct rlimit small = { (rlim_t)(300 + 37 * _i), RLIM_INFINITY };
	struct rlimit normal;
	int err;
	bool done;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &normal), 0);
	ck_assert(out_flush(&cap.out));
	send_interface(0, 101, 65535, "tun0", 4);
	for (int i = 0; i < 30; i++)
		send_packet(0, 100, 1, 100);
	ck_assert_int_eq(deliver(), 1);
	setrlimit(RLIMIT_FSIZE, &small);
	done = capture_done(&cap);
	err = errno;
	setrlimit(RLIMIT_FSIZE, &normal);
	ck_assert(!done);
	ck_assert_int_eq(err, EFBIG);
	ck_assert_int_ge(blocks_count(bytes, contents(), 6), 0);
	ck_assert_int_eq(blocks_count(bytes, contents(), 0x0a0d0d0a), 1);
	ck_assert_uint_le(contents(), small.rlim_cur);
	ck_assert_uint_gt(contents() + 200, small.rlim_cur);
}
END_TEST

START_TEST(full_device_is_an_error)
{
	struct out o;
	struct wr w;
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_ne(fd, -1);
	ck_assert(out_init(&o, fd));
	w = out_room(&o, 100);
	pcapng_section_put(&w, &(struct pcapng_section){ 0 });
	out_block(&o, &w);
	ck_assert(!out_flush(&o));
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert(!out_flush(&o));
	ck_assert(!out_done(&o));
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("frames");
	TCase *tc = tcase_create("frames");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, conversation_becomes_a_file);
	tcase_add_test(tc, file_is_whole_blocks_after_each_write);
	tcase_add_test(tc, snaplen_cuts_the_bytes_and_keeps_the_length);
	tcase_add_test(tc, hostile_name_is_escaped);
	tcase_add_loop_test(tc, bad_packet_ends_the_channel, 0, (int)LEN(bad_packets));
	tcase_add_loop_test(tc, bad_interface_ends_the_channel, 0, (int)LEN(bad_interfaces));
	tcase_add_test(tc, interfaces_are_bounded);
	tcase_add_loop_test(tc, full_disk_leaves_whole_blocks, 0, 20);
	tcase_add_test(tc, full_device_is_an_error);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

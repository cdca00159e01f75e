/*
 * test_quicinitial.c - Initials of the two versions: the packets that the RFCs print, those of a
 * real client, and such as only a hostile one sends.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "flight.h"
#include "quic_seal.h"
#include "rd.h"

static struct flight_quic *q;
static struct flight f;

static void
setup(void)
{
	ck_assert_ptr_nonnull(q = flight_quic_new());
}

static void
teardown(void)
{
	flight_quic_free(q);
}

static void
anew(void)
{
	teardown();
	setup();
}

static enum flight_state
give(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	enum flight_state state;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, n);
	state = flight_quic_datagram(q, copy, n, &f);
	free(copy);
	return state;
}

/* ---- frames ---- */

static uint8_t packet[FLIGHT_MAX], frames[8192];
static struct wr fw;

static void
frames_begin(void)
{
	fw = wr_over(frames, sizeof(frames));
}

static void
crypto(size_t offset, const uint8_t *data, size_t len)
{
	wr_u8(&fw, 6);
	wr_be32(&fw, (uint32_t)(0x80000000 | offset));
	wr_be16(&fw, (uint16_t)(0x4000 | len));
	wr_bytes(&fw, data, len);
}

static void
raw(const void *bytes, size_t len)
{
	wr_bytes(&fw, bytes, len);
}

/* Frames are padded to 40 bytes, so that there is something to sample. */
static size_t
frames_seal(size_t at, const struct quic_shape *s)
{
	while (fw.p - frames < 40)
		wr_u8(&fw, 0);
	ck_assert(!fw.bad);
	return quic_seal(packet, sizeof(packet), at, s, frames, (size_t)(fw.p - frames));
}

/* The hello of RFC 9001 A.2 up to its server name, and a key share of `share` bytes. */
static uint8_t hello[4096];

static size_t
hello_make(const char *name, size_t share)
{
	struct wr w = wr_over(hello, sizeof(hello));
	size_t len = strlen(name);

	wr_be(&w, 0x01000000 | (2 + 32 + 1 + 4 + 2 + 2 + 9 + len + 4 + share), 4);
	wr_be16(&w, 0x0303);
	wr_bytes(&w, (uint8_t[33]){ 5 }, 33);
	wr_be(&w, 0x00021301, 4);
	wr_be16(&w, 0x0100);
	wr_be16(&w, (uint16_t)(9 + len + 4 + share));
	wr_be16(&w, 51);
	wr_be16(&w, (uint16_t)share);
	for (size_t i = 0; i < share; i++)
		wr_u8(&w, (uint8_t)i);
	wr_be16(&w, 0);
	wr_be16(&w, (uint16_t)(len + 5));
	wr_be16(&w, (uint16_t)(len + 3));
	wr_u8(&w, 0);
	wr_be16(&w, (uint16_t)len);
	wr_bytes(&w, name, len);
	ck_assert(!w.bad);
	return (size_t)(w.p - hello);
}

static const struct quic_shape plain;

/* A datagram with the whole hello of that name. */
static size_t
datagram_make(const char *name, const struct quic_shape *s)
{
	frames_begin();
	crypto(0, hello, hello_make(name, 32));
	return frames_seal(0, s);
}

/* ---- what real ones look like ---- */

static const struct recording {
	const char		*file, *name;
	enum flight_state	 state;
} recordings[] = {
	{ "rfc9001_a2", "example.com", FLIGHT_NAMED },
	{ "rfc9369_a2", "example.com", FLIGHT_NAMED },
	{ "ngtcp2_v1", "localhost", FLIGHT_NAMED },
	{ "ngtcp2_draft", NULL, FLIGHT_NAMELESS },		/* a draft of version 2 */
};

/* The first datagram of a recording; the corpus has a length in front of each. */
static size_t
load(const char *file, uint8_t *out, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/quicinitial/%s", file);
	ck_assert_msg((fd = open(path, O_RDONLY)) != -1, "%s", path);
	ck_assert_int_gt(n = read(fd, out, size), 2);
	close(fd);
	n = out[0] << 8 | out[1];
	memmove(out, out + 2, (size_t)n);
	return (size_t)n;
}

START_TEST(published_and_recorded_datagrams)
{
	const struct recording *r = &recordings[_i];
	uint8_t bytes[4096];
	size_t n = load(r->file, bytes, sizeof(bytes));

	ck_assert(flight_is_quic(bytes, n));
	ck_assert_int_eq(give(bytes, n), r->state);
	ck_assert_int_eq(f.kind, FLIGHT_QUIC);
	ck_assert_uint_eq(f.n_names, r->name != NULL);
	if (r->name != NULL)
		ck_assert_str_eq(f.name[0], r->name);
}
END_TEST

/* One byte turned anywhere: it does not open, or it is no Initial of these versions any more. */
START_TEST(turned_byte_never_names)
{
	uint8_t bytes[4096];
	size_t n = load(recordings[_i].file, bytes, sizeof(bytes));

	for (size_t i = 0; i < n; i++) {
		enum flight_state state;

		anew();
		bytes[i] ^= 0x21;
		state = give(bytes, n);
		ck_assert_msg(state != FLIGHT_NAMED, "byte %zu", i);
		bytes[i] ^= 0x21;
	}
}
END_TEST

START_TEST(cut_datagram_is_bad)
{
	uint8_t bytes[4096];
	size_t n = load(recordings[0].file, bytes, sizeof(bytes));

	for (size_t i = 1; i < n; i++) {
		anew();
		ck_assert_int_eq(give(bytes, i), FLIGHT_BAD);
	}
}
END_TEST

/* ---- a hello in pieces ---- */

START_TEST(hello_comes_in_any_order_over_packets_and_datagrams)
{
	const struct quic_keys *k = &quic_keys[_i];
	size_t len = hello_make("pq.example.test", 1216 + 36), at = 0;
	struct quic_shape s = { .keys = k, .pn_len = 1 };

	/* Last part first, two packets in one datagram, zeroes behind them. */
	frames_begin();
	crypto(900, hello + 900, len - 900);
	crypto(300, hello + 300, 100);
	at = frames_seal(0, &s);
	s.pn = 1;
	frames_begin();
	raw("\1\0\0", 3);				/* PING, PADDING */
	crypto(350, hello + 350, 200);			/* said again in part */
	at = frames_seal(at, &s);
	memset(packet + at, 0, 100);
	ck_assert_int_eq(give(packet, at + 100), FLIGHT_MORE);
	ck_assert_int_eq(f.kind, FLIGHT_QUIC);

	s.pn = 2;
	frames_begin();
	crypto(0, hello, 300);
	ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_MORE);
	s.pn = 3;
	frames_begin();
	crypto(550, hello + 550, 350);
	ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_NAMED);
	ck_assert_str_eq(f.name[0], "pq.example.test");
}
END_TEST

START_TEST(every_split_of_a_hello_names_it_with_the_second_half)
{
	size_t len = hello_make("a.test", 32);

	for (size_t i = 0; i <= len; i++) {
		struct quic_shape s = { .pn = 7, .pn_len = 1 + i % 4 };

		anew();
		frames_begin();
		crypto(i, hello + i, len - i);
		ck_assert_int_eq(give(packet, frames_seal(0, &s)), i == 0 ? FLIGHT_NAMED :
		    FLIGHT_MORE);
		s.pn++;
		frames_begin();
		crypto(0, hello, i);
		ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_NAMED);
		ck_assert_str_eq(f.name[0], "a.test");
	}
}
END_TEST

START_TEST(packet_numbers_are_decoded_from_few_bits)
{
	size_t len = hello_make("a.test", 32);
	struct quic_shape s = { .pn = 100, .pn_len = 1 };

	frames_begin();
	crypto(0, hello, 10);
	ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_MORE);
	for (s.pn = 200; s.pn <= 400; s.pn += 100) {	/* one byte of each is on the wire */
		frames_begin();
		raw("\1", 1);
		ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_MORE);
	}
	s.pn = 300;					/* out of order */
	frames_begin();
	crypto(0, hello, len);
	ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_NAMED);
}
END_TEST

START_TEST(token_and_acks_are_stepped_over)
{
	struct quic_shape s = { .token_len = 70, .scid_len = 20 };

	frames_begin();
	raw("\2\5\0\1\0\0\0", 7);			/* ACK with one more range */
	raw("\3\5\0\0\0\1\1\1", 8);			/* ACK with ECN */
	crypto(0, hello, hello_make("a.test", 32));
	ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_NAMED);
}
END_TEST

/* ---- another attempt in the same flow ---- */

static const struct quic_shape first = { .scid_len = 4 };
static const struct quic_shape others[] = {
	{ .scid_len = 4, .pn = 1, .cid_xor = 1 },
	{ .scid_len = 5, .pn = 1 },
	{ .scid_len = 4, .pn = 1, .scid = 1 },
	{ .scid_len = 4, .pn = 1, .keys = &quic_keys[1] },
};

START_TEST(initial_of_another_attempt_is_bad)
{
	frames_begin();
	raw("\1", 1);				/* no byte of a hello yet that could differ */
	ck_assert_int_eq(give(packet, frames_seal(0, &first)), FLIGHT_MORE);
	ck_assert_int_eq(give(packet, datagram_make("a.test", &others[_i])), FLIGHT_BAD);
}
END_TEST

START_TEST(second_packet_of_the_datagram_has_to_fit_too)
{
	size_t at;

	frames_begin();
	crypto(0, hello, hello_make("a.test", 32));
	at = frames_seal(0, &first);
	frames_begin();
	crypto(0, hello, hello_make("a.test", 32));
	at = frames_seal(at, &others[_i]);
	ck_assert_int_eq(give(packet, at), FLIGHT_BAD);
}
END_TEST

START_TEST(bytes_said_twice_and_differently_are_bad)
{
	size_t len = hello_make("aa.test", 32);

	frames_begin();
	crypto(0, hello, len - 1);
	hello_make("bb.test", 32);
	crypto(len - 10, hello + len - 10, 10);
	ck_assert_int_eq(give(packet, frames_seal(0, &plain)), FLIGHT_BAD);
}
END_TEST

/* ---- what no client sends ---- */

static const struct frame_case {
	const char	*bytes;
	size_t		 len;
} bad_frames[] = {
	{ "\x08", 1 },				/* STREAM */
	{ "\x1c\0\0\0", 4 },			/* CONNECTION_CLOSE */
	{ "\x1e", 1 },				/* HANDSHAKE_DONE */
	{ "\x40\x40", 2 },
	{ "\xff\xff\xff\xff\xff\xff\xff\xff", 8 },
	{ "\6\x80\0\x40\0\1x", 7 },		/* CRYPTO behind the bound */
	{ "\6\x7f\xfe\5abcde", 9 },		/* across it */
	{ "\6\xff\xff\xff\xff\xff\xff\xff\xff\1x", 11 },
	{ "\6\0\xff\xff\xff\xff\xff\xff\xff\xff", 10 },
	{ "\6\0\1\2", 4 },			/* not a ClientHello */
	{ "\6\0\4\1\0\x40\1", 7 },		/* one that is too long */
	{ "\2\5\0\xff\xff\xff\xff\xff\xff\xff\xff\0", 12 },
};

START_TEST(frames_that_do_not_belong_are_bad)
{
	frames_begin();
	raw(bad_frames[_i].bytes, bad_frames[_i].len);
	ck_assert_int_eq(give(packet, frames_seal(0, &plain)), FLIGHT_BAD);
}
END_TEST

START_TEST(reserved_bits_and_a_clear_fixed_bit_are_bad)
{
	struct quic_shape s = { .bits = 0x04 };
	size_t len = datagram_make("a.test", &s);

	ck_assert_int_eq(give(packet, len), FLIGHT_BAD);
	anew();
	len = datagram_make("a.test", &plain);
	packet[0] &= (uint8_t)~0x40;
	ck_assert(flight_is_quic(packet, len));
	ck_assert_int_eq(give(packet, len), FLIGHT_BAD);
}
END_TEST

static const struct datagram_case {
	const char		*bytes;
	size_t			 len;
	bool			 is_quic, long_is_quic;	/* as it is; filled up to 1200 bytes */
	enum flight_state	 state;
	enum flight_kind	 kind;
} datagrams[] = {
	{ "", 0, false, false, FLIGHT_NAMELESS, FLIGHT_OTHER },
	{ "\x40" "abcdefgh", 9, false, false, FLIGHT_NAMELESS, FLIGHT_OTHER },	/* short header */
	{ "\x12\x34\1\0\0\1\0\0\0\0\0\0", 12, false, false, FLIGHT_NAMELESS, FLIGHT_OTHER },
	{ "\xc0\0\0\0\0\1a\1b\0\0\0\1", 13, false, false,
	    FLIGHT_BAD, FLIGHT_QUIC },	/* negotiation */
	{ "\xf0\0\0\0\1\1a\1b0123456789abcdef", 25, true, true,
	    FLIGHT_BAD, FLIGHT_QUIC },	/* Retry */
	{ "\xc0\x6b\x33\x43\xcf\1a\1b0123456789abcdef", 25, true, true, FLIGHT_BAD, FLIGHT_QUIC },
	{ "\xf0\0\0\0\1\1a\1b\2xy", 12, true, true, FLIGHT_BAD, FLIGHT_QUIC },	/* so is this */
	{ "\x90\0\0\0\1\1a\1b\2xy", 12, true, true, FLIGHT_BAD, FLIGHT_QUIC },	/* fixed bit */
	{ "\xd0\0\0\0\1\1a\1b\2xy", 12, true, true, FLIGHT_MORE, FLIGHT_QUIC },	/* 0-RTT */
	{ "\xe0\0\0\0\1\1a\1b\2xy", 12, true, true, FLIGHT_MORE, FLIGHT_QUIC },	/* Handshake */
	{ "\xc0\x0a\x1a\x2a\x3a\1a\1b", 9, false, true, FLIGHT_NAMELESS, FLIGHT_QUIC },	/* grease */
	{ "\xff\0\0\x1d\1\1a\1b", 9, false, true, FLIGHT_NAMELESS, FLIGHT_QUIC },
	{ "\xc0\0\0\0\1\x15", 6, false, false, FLIGHT_BAD, FLIGHT_QUIC },	/* an id too long */
	{ "\xc0\0\0\0\1\1a\1b\0\x10xyz", 14, true, true, FLIGHT_BAD, FLIGHT_QUIC },	/* cut */
	{ "\xc0\0\0\0\1\1a\1b\0\x10" "0123456789abcdef", 27, true, true, FLIGHT_BAD,
	    FLIGHT_QUIC },			/* too short for a sample */
};

START_TEST(other_datagrams)
{
	const struct datagram_case *c = &datagrams[_i];
	uint8_t filled[1200] = { 0 };

	memcpy(filled, c->bytes, c->len);
	ck_assert_int_eq(give(c->bytes, c->len), c->state);
	ck_assert_int_eq(f.kind, c->kind);
	ck_assert_int_eq(flight_is_quic((const uint8_t *)c->bytes, c->len), c->is_quic);
	ck_assert_int_eq(flight_is_quic(filled, sizeof(filled)), c->long_is_quic);
}
END_TEST

START_TEST(client_that_never_says_its_hello_is_bad_in_the_end)
{
	struct quic_shape s = plain;

	for (; s.pn < 32; s.pn++) {
		frames_begin();
		raw("\1", 1);
		ck_assert_int_eq(give(packet, frames_seal(0, &s)), FLIGHT_MORE);
	}
	ck_assert_int_eq(give(packet, datagram_make("a.test", &s)), FLIGHT_BAD);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("quicinitial");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, published_and_recorded_datagrams, 0, COUNT(recordings));
	tcase_add_loop_test(tc, turned_byte_never_names, 0, COUNT(recordings));
	tcase_add_test(tc, cut_datagram_is_bad);
	tcase_add_loop_test(tc, hello_comes_in_any_order_over_packets_and_datagrams, 0,
	    COUNT(quic_keys));
	tcase_add_test(tc, every_split_of_a_hello_names_it_with_the_second_half);
	tcase_add_test(tc, packet_numbers_are_decoded_from_few_bits);
	tcase_add_test(tc, token_and_acks_are_stepped_over);
	tcase_add_loop_test(tc, initial_of_another_attempt_is_bad, 0, COUNT(others));
	tcase_add_loop_test(tc, second_packet_of_the_datagram_has_to_fit_too, 0, COUNT(others));
	tcase_add_test(tc, bytes_said_twice_and_differently_are_bad);
	tcase_add_loop_test(tc, frames_that_do_not_belong_are_bad, 0, COUNT(bad_frames));
	tcase_add_test(tc, reserved_bits_and_a_clear_fixed_bit_are_bad);
	tcase_add_loop_test(tc, other_datagrams, 0, COUNT(datagrams));
	tcase_add_test(tc, client_that_never_says_its_hello_is_bad_in_the_end);
	return unit_run("quicinitial", tc);
}

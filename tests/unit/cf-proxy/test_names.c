/*
 * test_names.c - the table of names at addresses: what it knows, what it forgets and when,
 * and what a tree that asks without end can do to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "../main.h"
#include "names.h"
#include "pins.h"
#include "synthetic.h"

static struct names *n;

static void
setup(void)
{
	n = names_new();
	ck_assert_ptr_nonnull(n);
	names_clock(n, 1000);
}

static void
teardown(void)
{
	names_free(n);
}

static struct addr
at(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(text, 0, &a), "%s", text);
	return a;
}

static struct addr
nth(uint32_t i)
{
	return (struct addr){ .family = 4, .ip = { 100, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
	    (uint8_t)i } };
}

static bool
add(const char *addr, const char *name, uint64_t until)
{
	struct addr a = at(addr);

	return names_add(n, &a, name, strlen(name), until);
}

/* "newest older oldest" */
static const char *
all(const char *addr)
{
	static char text[1024];
	const char *out[NAMES_A_FLOW];
	struct addr a = at(addr);
	size_t count = names_of(n, &a, out, NAMES_A_FLOW);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "",
		    out[i]);
	return text;
}

START_TEST(names_of_an_address_are_told_newest_first)
{
	ck_assert(add("192.0.2.1", "a.test", 2000));
	ck_assert(add("192.0.2.1", "b.test", 2000));
	ck_assert(add("192.0.2.2", "c.test", 2000));
	ck_assert(add("2001:db8::1", "d.test", 2000));
	ck_assert_str_eq(all("192.0.2.1"), "b.test a.test");
	ck_assert_str_eq(all("192.0.2.2"), "c.test");
	ck_assert_str_eq(all("2001:db8::1"), "d.test");
	ck_assert_str_eq(all("192.0.2.3"), "");
	ck_assert(add("192.0.2.1", "a.test", 2000));
	ck_assert_str_eq(all("192.0.2.1"), "a.test b.test");
	ck_assert_uint_eq(names_count(n), 4);
}
END_TEST

START_TEST(port_of_an_address_does_not_count)
{
	struct addr a = at("192.0.2.1");

	a.port = 443;
	ck_assert(names_add(n, &a, "a.test", 6, 2000));
	ck_assert_str_eq(all("192.0.2.1"), "a.test");
}
END_TEST

/* Families do not mix, though the bytes be the same. */
START_TEST(same_bytes_of_another_family_are_another_address)
{
	ck_assert(add("32.1.13.184", "four.test", 2000));
	ck_assert(add("2001:db8::", "six.test", 2000));
	ck_assert_str_eq(all("32.1.13.184"), "four.test");
	ck_assert_str_eq(all("2001:db8::"), "six.test");
}
END_TEST

START_TEST(name_counts_until_its_time_and_never_shorter_than_was_said)
{
	struct addr a = at("192.0.2.1");

	ck_assert(add("192.0.2.1", "a.test", 2000));
	ck_assert(add("192.0.2.1", "a.test", 1500));
	names_clock(n, 1999);
	ck_assert_str_eq(all("192.0.2.1"), "a.test");
	ck_assert(names_have(n, &a, "a.test"));
	names_clock(n, 2000);
	ck_assert_str_eq(all("192.0.2.1"), "");
	ck_assert(!names_have(n, &a, "a.test"));
	ck_assert(add("192.0.2.1", "a.test", 3000));
	ck_assert_str_eq(all("192.0.2.1"), "a.test");
}
END_TEST

START_TEST(name_that_a_flow_holds_does_not_expire)
{
	struct addr a = at("192.0.2.1");
	struct name_at *held[NAMES_A_FLOW], *again[NAMES_A_FLOW];

	ck_assert(add("192.0.2.1", "a.test", 2000));
	ck_assert_uint_eq(names_hold(n, &a, held, NAMES_A_FLOW), 1);
	ck_assert_str_eq(names_text(held[0]), "a.test");
	names_clock(n, 5000);
	ck_assert_str_eq(all("192.0.2.1"), "a.test");
	ck_assert_uint_eq(names_hold(n, &a, again, NAMES_A_FLOW), 1);
	names_release(n, held[0]);
	ck_assert_str_eq(all("192.0.2.1"), "a.test");
	names_release(n, again[0]);
	ck_assert_str_eq(all("192.0.2.1"), "");
}
END_TEST

START_TEST(no_more_names_are_told_and_held_than_asked_for)
{
	struct name_at *held[2];
	const char *out[3];
	struct addr a = at("192.0.2.1");

	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.test", i);
		ck_assert(add("192.0.2.1", name, 2000));
	}
	ck_assert_uint_eq(names_of(n, &a, out, 3), 3);
	ck_assert_str_eq(out[0], "n19.test");
	ck_assert_uint_eq(names_hold(n, &a, held, 2), 2);
	ck_assert_str_eq(names_text(held[1]), "n18.test");
	ck_assert(names_have(n, &a, "n0.test"));
	ck_assert(!names_have(n, &a, "n20.test"));
	ck_assert_uint_eq(names_of(n, &a, out, 0), 0);
}
END_TEST

/* ---- a tree that asks without end ---- */

#define MILLION	1000000u

static void
flood(bool one_address)
{
	struct addr a = at("203.0.113.1"), live = at("192.0.2.1");
	struct name_at *held[NAMES_A_FLOW];
	char name[32];

	ck_assert(add("192.0.2.1", "live.test", 2000));
	ck_assert(add("203.0.113.1", "live-too.test", 2000));
	ck_assert_uint_eq(names_hold(n, &live, held, NAMES_A_FLOW), 1);
	ck_assert_uint_eq(names_hold(n, &a, held + 1, 1), 1);
	for (uint32_t i = 0; i < MILLION; i++) {
		if (!one_address)
			a = nth(i);
		snprintf(name, sizeof(name), "%u.flood.test", i);
		ck_assert(names_add(n, &a, name, strlen(name), 100000));
	}
	ck_assert_uint_le(names_count(n), one_address ? NAMES_AT + 2 : NAMES_MAX);
	ck_assert_uint_le(names_bytes(n), NAMES_BYTES);
	ck_assert_str_eq(all("192.0.2.1"), "live.test");
	a = at("203.0.113.1");
	ck_assert(names_have(n, &a, "live-too.test"));
	ck_assert(one_address == names_have(n, &a, name));	/* the last */
	names_release(n, held[0]);
	names_release(n, held[1]);
}

START_TEST(million_names_grow_nothing_and_push_out_no_live_one)
{
	flood(false);
}
END_TEST

START_TEST(million_names_at_one_address_are_bounded_too)
{
	flood(true);
}
END_TEST

START_TEST(long_names_are_bounded_by_bytes)
{
	char name[256];

	memset(name, 'x', sizeof(name));
	for (uint32_t i = 0; i < NAMES_MAX; i++) {
		struct addr a = nth(i);

		ck_assert(names_add(n, &a, name, 255, 2000));
	}
	ck_assert_uint_le(names_bytes(n), NAMES_BYTES);
	ck_assert_uint_gt(names_bytes(n), NAMES_BYTES - 1024);
	ck_assert_uint_lt(names_count(n), NAMES_MAX);
}
END_TEST

START_TEST(expired_ones_go_before_older_ones)
{
	struct addr a;

	a = nth(0);
	ck_assert(names_add(n, &a, "old.test", 8, 9000));
	a = nth(1);
	ck_assert(names_add(n, &a, "short.test", 10, 1500));
	for (uint32_t i = 2; i < NAMES_MAX; i++) {
		a = nth(i);
		ck_assert(names_add(n, &a, "x.test", 6, 9000));
	}
	names_clock(n, 2000);
	a = nth(NAMES_MAX);
	while (names_count(n) < NAMES_MAX && names_bytes(n) < NAMES_BYTES - 256) {
		ck_assert(names_add(n, &a, "x.test", 6, 9000));
		a.ip[3]++;
	}
	a = at("192.0.2.1");
	ck_assert(names_add(n, &a, "new.test", 8, 9000));
	a = nth(0);
	ck_assert(names_have(n, &a, "old.test"));
}
END_TEST

/* Nothing may go, so the newcomer does not come; it comes again when something may. */
START_TEST(table_that_is_held_takes_no_more)
{
	struct name_at *held[NAMES_AT];
	struct addr a = at("192.0.2.1");
	char name[32];

	for (int i = 0; i < NAMES_AT; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		ck_assert(add("192.0.2.1", name, 2000));
	}
	ck_assert_uint_eq(names_hold(n, &a, held, NAMES_AT), NAMES_AT);
	ck_assert(!add("192.0.2.1", "more.test", 2000));
	ck_assert(add("192.0.2.2", "more.test", 2000));
	names_release(n, held[3]);
	ck_assert(add("192.0.2.1", "more.test", 2000));
	for (int i = 0; i < NAMES_AT; i++)
		if (i != 3)
			names_release(n, held[i]);
}
END_TEST

/* ---- pins ---- */

static const char hosts[] =
    "127.0.0.1 localhost\n"
    "::1 localhost ip6-localhost\n"
    "# 192.0.2.9 comment.test\n"
    "192.0.2.1\tA.Test  b.test. # c.test\n"
    "  2001:db8::1 six.test\r\n"
    "0.0.0.0 blocked.test\n"
    "192.0.2.2\n"
    "not-an-address d.test\n"
    "192.0.2.3:80 e.test\n"
    "fe80::1%eth0 f.test\n"
    "192.0.2.4 bad/name good.test\n"
    "192.0.2.5 last.test";

START_TEST(hosts_file_gives_pins)
{
	ck_assert_uint_eq(pins_add(n, hosts, sizeof(hosts) - 1), 0);
	ck_assert_str_eq(all("192.0.2.1"), "a.test b.test");
	ck_assert_str_eq(all("2001:db8::1"), "six.test");
	ck_assert_str_eq(all("192.0.2.4"), "good.test");
	ck_assert_str_eq(all("192.0.2.5"), "last.test");
	ck_assert_uint_eq(names_count(n), 5);
}
END_TEST

START_TEST(pins_never_go_and_never_expire)
{
	struct addr a = at("203.0.113.1");
	struct name_at *held[1];

	ck_assert(add("203.0.113.1", "pin.test", NAMES_EVER));
	ck_assert(add("203.0.113.1", "pin.test", 1500));
	ck_assert_uint_eq(names_hold(n, &a, held, 1), 1);
	names_release(n, held[0]);
	names_clock(n, UINT64_MAX - 1);
	ck_assert_str_eq(all("203.0.113.1"), "pin.test");
	names_clock(n, 1000);
	flood(true);
	ck_assert(names_have(n, &a, "pin.test"));
	flood(false);
	ck_assert(names_have(n, &a, "pin.test"));
}
END_TEST

START_TEST(pins_leave_half_of_the_room)
{
	char name[256];
	uint32_t i = 0;
	struct addr a;

	memset(name, 'p', sizeof(name));
	do {
		a = nth(i);
	} while (names_add(n, &a, name, 255, NAMES_EVER) && ++i < NAMES_MAX);
	ck_assert_uint_gt(i, 1000);
	ck_assert_uint_le(names_bytes(n), NAMES_BYTES / 2);
	a = at("192.0.2.1");
	ck_assert(names_add(n, &a, "a.test", 6, 2000));
}
END_TEST

/* ---- made-up addresses ---- */

START_TEST(made_up_address_keeps_its_name)
{
	ck_assert_ptr_null(names_made_up(n, 1));
	ck_assert(names_make_up(n, 1, "a.test", 6));
	ck_assert(names_make_up(n, SYNTHETIC_MAX, "b.test", 6));
	ck_assert(names_make_up(n, 1, "a.test", 6));
	ck_assert(!names_make_up(n, 1, "b.test", 6));
	ck_assert(!names_make_up(n, 0, "c.test", 6));
	ck_assert(!names_make_up(n, SYNTHETIC_MAX + 1, "c.test", 6));
	ck_assert_str_eq(names_made_up(n, 1), "a.test");
	ck_assert_str_eq(names_made_up(n, SYNTHETIC_MAX), "b.test");
	ck_assert_ptr_null(names_made_up(n, 2));
	ck_assert_ptr_null(names_made_up(n, UINT32_MAX));
}
END_TEST

START_TEST(made_up_names_are_bounded_by_bytes)
{
	char name[256];
	uint32_t i = 0;

	memset(name, 'm', sizeof(name));
	while (i < SYNTHETIC_MAX && names_make_up(n, i + 1, name, 255))
		i++;
	ck_assert_uint_eq(i, NAMES_MADE_UP_BYTES / 256);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("names");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names_of_an_address_are_told_newest_first);
	tcase_add_test(tc, port_of_an_address_does_not_count);
	tcase_add_test(tc, same_bytes_of_another_family_are_another_address);
	tcase_add_test(tc, name_counts_until_its_time_and_never_shorter_than_was_said);
	tcase_add_test(tc, name_that_a_flow_holds_does_not_expire);
	tcase_add_test(tc, no_more_names_are_told_and_held_than_asked_for);
	tcase_add_test(tc, million_names_grow_nothing_and_push_out_no_live_one);
	tcase_add_test(tc, million_names_at_one_address_are_bounded_too);
	tcase_add_test(tc, long_names_are_bounded_by_bytes);
	tcase_add_test(tc, expired_ones_go_before_older_ones);
	tcase_add_test(tc, table_that_is_held_takes_no_more);
	tcase_add_test(tc, hosts_file_gives_pins);
	tcase_add_test(tc, pins_never_go_and_never_expire);
	tcase_add_test(tc, pins_leave_half_of_the_room);
	tcase_add_test(tc, made_up_address_keeps_its_name);
	tcase_add_test(tc, made_up_names_are_bounded_by_bytes);
	return unit_run("names", tc);
}

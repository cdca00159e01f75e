/*
 * test_jline.c - whatever goes in, a line is one JSON object, sorted, and no longer than it may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../main.h"
#include "jline.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static char out[JLINE_MAX + 1];

static size_t
put(const struct jline *l)
{
	size_t len = jline_put(l, out);

	out[len] = '\0';
	return len;
}

START_TEST(fields_leave_in_the_order_of_their_keys)
{
	struct jline l;

	jline_init(&l);
	jline_int(&l, "zebra", 0);
	jline_str(&l, "b", "text");
	jline_null(&l, "a");
	jline_list(&l, "list");
	jline_list_int(&l, 1);
	jline_list_str(&l, "x");
	jline_list_end(&l);
	jline_bool(&l, "bool", true);
	jline_str(&l, "ab", NULL);
	jline_int(&l, "big", UINT64_MAX);
	ck_assert_uint_gt(put(&l), 0);
	ck_assert_str_eq(out, "{\"a\":null,\"ab\":null,\"b\":\"text\",\"big\":9223372036854775807,"
	    "\"bool\":true,\"list\":[1,\"x\"],\"zebra\":0}\n");
}
END_TEST

static const struct { const char *in; size_t len; const char *shown; } texts[] = {
	{ "plain", 5, "plain" }, { "", 0, "" },
	{ "a\"b\\c", 5, "a\\\"b\\\\c" },
	{ "\n\r\t\b\f\x01\x1f", 7, "\\n\\r\\t\\b\\f\\u0001\\u001F" },
	{ "a\0b", 3, "a\\u0000b" },
	{ "\x7f/", 2, "\x7f/" },
	{ "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "\xff", 1, "\xef\xbf\xbd" },
	{ "\xc3", 1, "\xef\xbf\xbd" },					/* cut */
	{ "\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd" },			/* over-long */
	{ "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },	/* a surrogate */
	{ "\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
};

START_TEST(any_text_is_a_string_of_json)
{
	struct jline l;
	char wanted[128];
	json_t *back;

	jline_init(&l);
	jline_strn(&l, "t", texts[_i].in, texts[_i].len, 1000);
	ck_assert_uint_gt(put(&l), 0);
	snprintf(wanted, sizeof(wanted), "{\"t\":\"%s\"}\n", texts[_i].shown);
	ck_assert_str_eq(out, wanted);
	back = json_loads(out, JSON_ALLOW_NUL, NULL);
	ck_assert_ptr_nonnull(back);
	json_decref(back);
}
END_TEST

START_TEST(a_text_takes_no_more_room_than_it_is_given)
{
	static char long_text[JLINE_MAX * 2];
	struct jline l;
	json_t *back;

	for (size_t i = 0; i < sizeof(long_text); i++)
		long_text[i] = (char)rand();
	for (size_t room = 32; room < 600; room += 37) {
		jline_init(&l);
		jline_strn(&l, "t", long_text, sizeof(long_text), room);
		ck_assert_uint_le(l.len, room);
		ck_assert_uint_gt(put(&l), 0);
		ck_assert_ptr_nonnull(strstr(out, "...\"}\n"));
		back = json_loads(out, JSON_ALLOW_NUL, NULL);
		ck_assert_ptr_nonnull(back);
		json_decref(back);
	}
}
END_TEST

START_TEST(what_does_not_fit_is_no_line)
{
	struct jline l;

	jline_init(&l);
	for (int i = 0; i < 100; i++)
		jline_str(&l, "key", "0123456789012345678901234567890123456789");
	ck_assert_uint_eq(put(&l), 0);
	ck_assert_uint_eq(jline_room(&l), 0);
	jline_init(&l);
	jline_list(&l, "key");
	for (int i = 0; i < 1000; i++)
		jline_list_str(&l, "0123456789");
	jline_list_end(&l);
	ck_assert_uint_eq(put(&l), 0);
	/* The values fit, the keys do not. */
	jline_init(&l);
	for (int i = 0; i < 40; i++)
		jline_strn(&l, "a_key_of_some_length", "01234567890123456789012345678901234567890123456789"
		    "01234567890123456789012345678901234567890", 91, 200);
	ck_assert(!l.over);
	ck_assert_uint_eq(put(&l), 0);
}
END_TEST

/* An order that was found for some keys is for these and no others, however many kinds there are. */
START_TEST(lines_of_many_kinds_do_not_mix)
{
	static const char *const keys[] = { "m", "c", "x", "a", "q", "k", "z", "b", "t", "e", "h" };
	char wanted[64];
	struct jline l;

	for (size_t i = 0; i < 3 * COUNT(keys); i++) {
		const char *one = keys[i % COUNT(keys)], *other = keys[(i + 1) % COUNT(keys)];
		bool swap = strcmp(one, other) > 0;

		jline_init(&l);
		jline_int(&l, one, 1);
		jline_int(&l, other, 2);
		ck_assert_uint_gt(put(&l), 0);
		snprintf(wanted, sizeof(wanted), "{\"%s\":%d,\"%s\":%d}\n", swap ? other : one,
		    swap ? 2 : 1, swap ? one : other, swap ? 1 : 2);
		ck_assert_str_eq(out, wanted);
	}
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("jline");

	tcase_add_test(tc, fields_leave_in_the_order_of_their_keys);
	tcase_add_loop_test(tc, any_text_is_a_string_of_json, 0, (int)COUNT(texts));
	tcase_add_test(tc, a_text_takes_no_more_room_than_it_is_given);
	tcase_add_test(tc, what_does_not_fit_is_no_line);
	tcase_add_test(tc, lines_of_many_kinds_do_not_mix);
	return unit_run("jline", tc);
}

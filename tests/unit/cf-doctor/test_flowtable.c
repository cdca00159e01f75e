/*
 * test_flowtable.c - events become rows: joined, counted, bounded, and harmless on a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable.h"

static struct flowtable	*t;
static const struct row	*list[FLOWTABLE_MAX];

static void
setup(void)
{
	ck_assert_ptr_nonnull(t = flowtable_new());
}

static void
teardown(void)
{
	flowtable_free(t);
}

static void
event(const char *line)
{
	flowtable_line(t, line, strlen(line));
}

#define ATTEMPT(flow, addr, ms) "{\"event\":\"connect_attempt\",\"flow\":" #flow		\
	",\"protocol\":\"tcp\",\"remote_addr\":\"" addr "\",\"names\":[\"www.example\"],"	\
	"\"pid\":7,\"comm\":\"curl\",\"ts_ms\":" #ms "}"
#define RESULT(flow, status) "{\"event\":\"connect_result\",\"flow\":" #flow			\
	",\"protocol\":\"tcp\",\"status\":\"" status "\",\"ts_ms\":1100}"
#define BYTES(event, flow, up, down, ms) "{\"event\":\"" event "\",\"flow\":" #flow		\
	",\"bytes_up\":" #up ",\"bytes_down\":" #down ",\"ts_ms\":" #ms ",\"close_reason\":\"eof\"}"
#define DENIED(what, ms) "{\"event\":\"policy_violation\",\"protocol\":\"tcp\",\"remote\":\""	\
	what "\",\"reason\":\"blocked\",\"ts_ms\":" #ms "}"

START_TEST(flow_is_one_row_from_attempt_to_end)
{
	event(ATTEMPT(1, "203.0.113.1:80", 1000));
	ck_assert_uint_eq(flowtable_list(t, BY_TIME, "", list), 1);
	ck_assert_int_eq(list[0]->state, ROW_OPENING);
	event(RESULT(1, "ok"));
	ck_assert_uint_eq(t->open, 1);
	event(BYTES("flow_update", 1, 100, 2000, 2100));
	ck_assert_double_eq(list[0]->up_rate, 100);
	ck_assert_double_eq(list[0]->down_rate, 2000);
	event(BYTES("flow_end", 1, 150, 3000, 3100));
	ck_assert_uint_eq(flowtable_list(t, BY_TIME, "", list), 1);
	ck_assert_int_eq(list[0]->state, ROW_ENDED);
	ck_assert_str_eq(list[0]->remote, "203.0.113.1:80");
	ck_assert_str_eq(list[0]->name, "www.example");
	ck_assert_str_eq(list[0]->process, "curl[7]");
	ck_assert_str_eq(list[0]->why, "eof");
	ck_assert_double_eq(list[0]->down_rate, 0);
	ck_assert_uint_eq(t->open, 0);
	ck_assert_uint_eq(t->up, 150);
	ck_assert_uint_eq(t->down, 3000);
}
END_TEST

START_TEST(flows_without_numbers_are_told_apart_by_address)
{
	event("{\"event\":\"connect_attempt\",\"protocol\":\"tcp\",\"remote_addr\":\"192.0.2.1:1\"}");
	event("{\"event\":\"connect_attempt\",\"protocol\":\"tcp\",\"remote_addr\":\"192.0.2.2:1\"}");
	event("{\"event\":\"connect_result\",\"protocol\":\"tcp\",\"remote_addr\":\"192.0.2.2:1\","
	    "\"status\":\"error\",\"error\":\"Connection refused\"}");
	ck_assert_uint_eq(flowtable_list(t, BY_STATE, "", list), 2);
	ck_assert_int_eq(list[0]->state, ROW_FAILED);
	ck_assert_str_eq(list[0]->why, "Connection refused");
	ck_assert_str_eq(list[1]->remote, "192.0.2.1:1");
}
END_TEST

START_TEST(denial_that_is_repeated_is_counted)
{
	event(DENIED("192.0.2.1:25", 1));
	event(DENIED("192.0.2.1:25", 2));
	event(DENIED("192.0.2.2:25", 3));
	ck_assert_uint_eq(flowtable_list(t, BY_TIME, "192.0.2.1", list), 1);
	ck_assert_uint_eq(list[0]->times, 2);
	ck_assert_uint_eq(t->denied, 3);
}
END_TEST

START_TEST(text_cannot_drive_a_terminal)
{
	event("{\"event\":\"policy_violation\",\"protocol\":\"\\u001b[2J\",\"remote\":"
	    "\"a\\u0000b\\u007f\\u00e9\\n\",\"comm\":\"\\u001b]0;x\",\"pid\":1,\"reason\":\"\\u009b1m\"}");
	ck_assert_uint_eq(flowtable_list(t, BY_TIME, "", list), 1);
	for (const char *p = (const char *)list[0]->proto; p < list[0]->why + sizeof(list[0]->why); p++) {
		if (p >= (const char *)&list[0]->began_ms)
			break;
		ck_assert(*p == '\0' || (*p >= ' ' && *p <= '~'));
	}
	ck_assert_str_eq(list[0]->remote, "a?b????");
}
END_TEST

START_TEST(table_is_bounded_and_open_flows_stay_longest)
{
	char line[256];

	event(ATTEMPT(1, "203.0.113.1:80", 1));
	event(RESULT(1, "ok"));
	for (int i = 2; i < 3 * FLOWTABLE_MAX; i++) {
		snprintf(line, sizeof(line), "{\"event\":\"connect_result\",\"flow\":%d,\"status\":\"error\","
		    "\"protocol\":\"tcp\",\"remote_addr\":\"192.0.2.1:%d\",\"ts_ms\":%d}", i, i, i);
		event(line);
	}
	ck_assert_uint_eq(t->n, FLOWTABLE_MAX);
	ck_assert_uint_eq(flowtable_list(t, BY_TIME, "www.example", list), 1);
	ck_assert_uint_eq(t->gone, 2 * FLOWTABLE_MAX - 1);
}
END_TEST

START_TEST(nonsense_is_counted_and_changes_nothing)
{
	static const char *const bad[] = { "", "{", "[]", "1", "{\"event\":1}", "{\"event\":null}",
	    "{\"event\":\"flow_end\"} x" };
	static const char *const odd[] = { "{\"event\":\"flow_end\",\"flow\":-1}",
	    "{\"event\":\"flow_update\",\"flow\":\"1\",\"bytes_up\":1}", "{\"event\":\"new_kind\"}",
	    "{\"event\":\"flow_end\",\"flow\":99,\"bytes_up\":1e99}" };

	for (size_t i = 0; i < COUNT(bad); i++)
		event(bad[i]);
	ck_assert_uint_eq(t->malformed, COUNT(bad));
	for (size_t i = 0; i < COUNT(odd); i++)
		event(odd[i]);
	ck_assert_uint_eq(t->malformed, COUNT(bad));
	ck_assert_uint_eq(t->n, 0);
	ck_assert_uint_eq(t->up, 0);
}
END_TEST

START_TEST(orders_put_first_what_they_name)
{
	event(ATTEMPT(1, "192.0.2.1:1", 1000));
	event(RESULT(1, "ok"));
	event(BYTES("flow_update", 1, 9000, 0, 2000));
	event(ATTEMPT(2, "192.0.2.2:1", 2000));
	event(RESULT(2, "ok"));
	event(BYTES("flow_update", 2, 500, 0, 2201));
	flowtable_list(t, BY_TIME, "", list);
	ck_assert_str_eq(list[0]->remote, "192.0.2.2:1");
	flowtable_list(t, BY_BYTES, "", list);
	ck_assert_str_eq(list[0]->remote, "192.0.2.1:1");
	flowtable_list(t, BY_RATE, "", list);
	ck_assert_str_eq(list[0]->remote, "192.0.2.1:1");
	event(BYTES("flow_end", 1, 9000, 0, 3000));
	flowtable_list(t, BY_RATE, "", list);
	ck_assert_str_eq(list[0]->remote, "192.0.2.2:1");
}
END_TEST

static const struct { double bytes; const char *text; } sizes[] = {
	{ 0, "0" }, { 999, "999" }, { 1000, "1.0K" }, { 9949, "9.9K" }, { 9951, "10K" },
	{ 999499, "999K" }, { 999500, "1.0M" }, { 5e9, "5.0G" }, { 1.8e19, "18E" },
};

START_TEST(size_fits_its_column)
{
	char buf[SIZE_LEN];

	ck_assert_str_eq(size_text(sizes[_i].bytes, buf), sizes[_i].text);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("flowtable");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, flow_is_one_row_from_attempt_to_end);
	tcase_add_test(tc, flows_without_numbers_are_told_apart_by_address);
	tcase_add_test(tc, denial_that_is_repeated_is_counted);
	tcase_add_test(tc, text_cannot_drive_a_terminal);
	tcase_add_test(tc, table_is_bounded_and_open_flows_stay_longest);
	tcase_add_test(tc, nonsense_is_counted_and_changes_nothing);
	tcase_add_test(tc, orders_put_first_what_they_name);
	tcase_add_loop_test(tc, size_fits_its_column, 0, COUNT(sizes));
	return unit_run("flowtable", tc);
}

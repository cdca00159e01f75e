/*
 * test_event.c - one whole, valid JSON line an event, whatever bytes it is about.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../main.h"
#include "event.h"
#include "log.h"

#define FFFD	"\xef\xbf\xbd"

static const struct {
	const char	*in;
	size_t		 len;
	const char	*out;
} texts[] = {
	{ "example.com", 11, "example.com" },
	{ "", 0, "" },
	{ "na\xc3\xafve", 6, "na\xc3\xafve" },
	{ "a\xff" "b", 3, "a" FFFD "b" },
	{ "\xc3", 1, FFFD },
	{ "cut", 2, "cu" },
};

START_TEST(text_is_always_utf8)
{
	json_t *s = event_text(texts[_i].in, texts[_i].len);

	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(json_string_value(s), texts[_i].out);
	json_decref(s);
}
END_TEST

START_TEST(long_text_of_no_utf8_is_cut_not_lost)
{
	char bytes[4096];
	json_t *s;

	memset(bytes, 0xff, sizeof(bytes));
	s = event_text(bytes, sizeof(bytes));
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_gt(json_string_length(s), 0);
	ck_assert_uint_le(json_string_length(s), 3 * 512);
	json_decref(s);
}
END_TEST

static char	line[2 * EVENT_LINE_MAX];
static int	pipe_fd[2];

static size_t
line_read(void)
{
	ssize_t n = read(pipe_fd[0], line, sizeof(line) - 1);

	line[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void
setup(void)
{
	ck_assert_int_eq(pipe2(pipe_fd, O_NONBLOCK), 0);
	event_init(pipe_fd[1]);
}

START_TEST(line_is_compact_sorted_and_stamped)
{
	json_t *f = json_object(), *back;
	struct addr a = { .family = 6, .port = 80, .ip = { 0x20, 1, [15] = 1 } };

	ck_assert(event_wanted());
	json_object_set_new(f, "zebra", json_integer(1));
	json_object_set_new(f, "name", event_text("a\nb\x1b", 4));
	event_set_remote(f, &a);
	event_emit("connect_attempt", f, NULL);
	ck_assert_uint_gt(line_read(), 0);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	ck_assert_int_eq(strncmp(line, "{\"event\":\"connect_attempt\",\"name\":\"a\\nb\\u001B\"", 46), 0);
	ck_assert_ptr_nonnull(strstr(line, "\"remote_addr\":\"[2001::1]:80\""));
	ck_assert_ptr_nonnull(strstr(line, "\"schema_version\":1"));
	back = json_loads(line, 0, NULL);
	ck_assert_int_gt(json_integer_value(json_object_get(back, "ts_ms")), 1000000000000);
	ck_assert(!event_lost());
	json_decref(back);
}
END_TEST

START_TEST(line_that_cannot_be_written_is_remembered)
{
	json_t *f = json_object();
	char *big = malloc(EVENT_LINE_MAX + 1);

	close(STDERR_FILENO);
	memset(big, 'x', EVENT_LINE_MAX);
	big[EVENT_LINE_MAX] = '\0';
	if (_i == 0) {
		json_object_set_new(f, "long", json_string(big));
	} else {
		close(pipe_fd[1]);
		event_init(pipe_fd[0]);		/* not for writing */
	}
	event_emit("connect_attempt", f, NULL);
	ck_assert(event_lost());
	if (_i == 0)
		ck_assert_uint_eq(line_read(), 0);
	free(big);
}
END_TEST

/* Who started it sees its end; the log is whole. */
START_TEST(helper_that_has_gone_loses_nothing)
{
	int to_helper[2];

	ck_assert_int_eq(pipe(to_helper), 0);
	signal(SIGPIPE, SIG_IGN);
	close(to_helper[0]);
	ck_assert(_i == 0 ? event_add_reader(to_helper[1]) : event_add(to_helper[1]));
	close(STDERR_FILENO);
	event_emit("connect_attempt", json_object(), NULL);
	ck_assert_int_eq(event_lost(), _i == 1);
	ck_assert_uint_gt(line_read(), 0);
}
END_TEST

START_TEST(nobody_interested_costs_nothing)
{
	log_init("cf-test", 0);
	event_init(-1);
	ck_assert(!event_wanted());
	event_emit("connect_attempt", NULL, NULL);
	ck_assert(!event_lost());
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("event");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, text_is_always_utf8, 0, (int)COUNT(texts));
	tcase_add_test(tc, long_text_of_no_utf8_is_cut_not_lost);
	tcase_add_test(tc, line_is_compact_sorted_and_stamped);
	tcase_add_loop_test(tc, line_that_cannot_be_written_is_remembered, 0, 2);
	tcase_add_loop_test(tc, helper_that_has_gone_loses_nothing, 0, 2);
	tcase_add_test(tc, nobody_interested_costs_nothing);
	return unit_run("event", tc);
}

/*
 * test_summary.c - event lines in, the words of the summary out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "summary.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static const char	facts_text[] =
    "{\"backend\":\"rootless-internal\",\"command\":[\"curl\",\"https://example.com\"],"
    "\"sandbox_controls\":[],\"capture\":null,\"exit_code\":7}";

static struct tally	*t;
static json_t		*model;
static char		*text;

static void
begin(void)
{
	t = tally_new(&tally_small);
	ck_assert_ptr_nonnull(t);
	model = NULL;
	text = NULL;
}

static void
end(void)
{
	json_decref(model);
	free(text);
	tally_free(t);
}

static void
feed(const char *lines)
{
	tally_feed(t, lines, strlen(lines));
}

static void
render_with(const char *facts)
{
	const char *why;
	json_t *f = facts != NULL ? facts_parse(facts, strlen(facts), &why) : NULL;

	tally_end(t);
	model = model_new(t, f);
	json_decref(f);
	text = text_render(model);
	ck_assert_ptr_nonnull(text);
}

/* The text has exactly this line. */
static void
has_line(const char *line)
{
	const char *p = text, *nl;

	for (; (nl = strchr(p, '\n')) != NULL; p = nl + 1)
		if ((size_t)(nl - p) == strlen(line) && memcmp(p, line, strlen(line)) == 0)
			return;
	ck_abort_msg("no line \"%s\" in:\n%s", line, text);
}

static const char	one_of_each[] =
    "{\"event\":\"dns_query\",\"qname\":\"example.com\",\"ts_ms\":0}\n"
    "{\"event\":\"dns_answer\",\"qname\":\"example.com\",\"answer_ips\":[\"198.51.100.7\"]}\n"
    "{\"event\":\"connect_attempt\",\"ts_ms\":1}\n"
    "{\"event\":\"connect_result\",\"status\":\"error\",\"error\":\"connection refused\","
    "\"remote_addr\":\"198.51.100.7:443\"}\n"
    "{\"event\":\"policy_violation\",\"reason_code\":\"deny_cidr\",\"control\":\"--deny-cidr\","
    "\"matched_domain\":\"blocked.test\"}\n"
    "{\"event\":\"flow_end\",\"remote_addr\":\"198.51.100.7:443\"}\n"
    "{\"event\":\"runtime_failure\",\"reason_code\":\"tap_create_blocked\","
    "\"phase\":\"child_bootstrap\"}\n";

static const char *const	lines_of_each[] = {
	"childflow summary",
	"backend: rootless-internal",
	"command: curl https://example.com",
	"sandbox controls: none",
	"capture: disabled",
	"flow-log: disabled",
	"flow-log events: total=7, dns_query=1, dns_answer=1, connect_attempt=1, "
	    "connect_result=1, policy_violation=1, flow_end=1, runtime_failure=1, unknown_event=0",
	"flow-log dns names: example.com (queries=1, answers=1, answer_ips=198.51.100.7, "
	    "targets=198.51.100.7:443 (attempts=0, ok=0, error=1, flow_end=1, "
	    "matched_domains=none))",
	"flow-log dns policy rows: example.com -> 198.51.100.7:443 (answer_ips=198.51.100.7, "
	    "matched_domains=none, attempts=0, ok=0, error=1, flow_end=1)",
	"flow-log top dns policy correlation: example.com (answer_ips=198.51.100.7, "
	    "matched_domains=none, targets=198.51.100.7:443 (attempts=0, ok=0, error=1, "
	    "flow_end=1, matched_domains=none))",
	"flow-log top target: 198.51.100.7:443 (attempts=0, ok=0, error=1, flow_end=1, "
	    "dns_names=example.com, matched_domains=none)",
	"flow-log policy violations: deny_cidr=1",
	"flow-log policy controls: --deny-cidr=1",
	"flow-log policy matched domains: blocked.test=1",
	"flow-log connect errors: connection refused=1",
	"flow-log runtime failures: tap_create_blocked=1",
	"flow-log runtime failure phases: child_bootstrap=1",
	"exit: 7",
};

START_TEST(lines_are_childflows)
{
	feed(one_of_each);
	render_with(facts_text);
	has_line(lines_of_each[_i]);
}
END_TEST

START_TEST(lines_are_in_childflows_order)
{
	const char *p, *last;

	feed(one_of_each);
	render_with(facts_text);
	last = text;
	for (size_t i = 0; i < LEN(lines_of_each); i++) {
		p = strstr(last, lines_of_each[i]);
		ck_assert_msg(p != NULL, "%s", lines_of_each[i]);
		last = p;
	}
}
END_TEST

START_TEST(stream_may_be_cut_anywhere)
{
	char *whole;

	tally_feed(t, one_of_each, (size_t)_i);
	tally_feed(t, one_of_each + _i, strlen(one_of_each) - (size_t)_i);
	render_with(facts_text);
	whole = text;
	tally_free(t);
	t = tally_new(&tally_small);
	for (const char *p = one_of_each; *p != '\0'; p++)
		tally_feed(t, p, 1);
	json_decref(model);
	render_with(facts_text);
	ck_assert_str_eq(text, whole);
	free(whole);
}
END_TEST

START_TEST(limits_that_were_reached_are_added_up)
{
	const char *events =
	    "{\"event\":\"limit_reached\",\"which\":\"flows\",\"limit\":32768,\"times\":1}\n"
	    "{\"event\":\"limit_reached\",\"which\":\"host\",\"limit\":null,\"times\":2}\n"
	    "{\"event\":\"limit_reached\",\"which\":\"flows\",\"limit\":32768,\"times\":40}\n"
	    "{\"event\":\"limit_reached\",\"which\":\"a\\u001b[31m\",\"times\":-7}\n"
	    "{\"event\":\"limit_reached\",\"times\":9}\n";

	feed(events);
	render_with(facts_text);
	has_line("limits reached (times): flows=41, host=2, a\\x1b[31m=0");
	ck_assert_ptr_nonnull(strstr(text, "unknown_event=0, limit_reached=5\n"));
}
END_TEST

START_TEST(nothing_happened_is_none)
{
	render_with(facts_text);
	has_line("flow-log events: total=0, dns_query=0, dns_answer=0, connect_attempt=0, "
	    "connect_result=0, policy_violation=0, flow_end=0, runtime_failure=0, unknown_event=0");
	has_line("flow-log dns names: none");
	has_line("flow-log dns policy rows: none");
	has_line("flow-log top dns policy correlation: none");
	has_line("flow-log top target: none");
	has_line("flow-log connect errors: none");
	has_line("flows: tcp=0, udp=0, icmp=0");
	ck_assert_ptr_null(strstr(text, "unreadable"));
	ck_assert_ptr_null(strstr(text, "beyond"));
	ck_assert_ptr_null(strstr(text, "limit"));
}
END_TEST

START_TEST(flows_and_bytes_are_added_up)
{
	feed("{\"event\":\"connect_result\",\"protocol\":\"tcp\",\"status\":\"ok\","
	    "\"remote_addr\":\"192.0.2.1:80\",\"remote_ip\":\"192.0.2.1\"}\n"
	    "{\"event\":\"connect_result\",\"protocol\":\"udp\",\"status\":\"ok\","
	    "\"remote_addr\":\"192.0.2.1:80\",\"remote_ip\":\"192.0.2.1\"}\n"
	    "{\"event\":\"connect_result\",\"protocol\":\"icmpv6\",\"status\":\"ok\","
	    "\"remote_addr\":\"[2001:db8::1]:0\",\"remote_ip\":\"2001:db8::1\"}\n"
	    "{\"event\":\"flow_end\",\"protocol\":\"udp\",\"remote_addr\":\"192.0.2.1:80\","
	    "\"bytes_up\":10,\"bytes_down\":2000}\n"
	    "{\"event\":\"flow_end\",\"remote_addr\":\"192.0.2.1:80\","
	    "\"bytes_up\":1,\"bytes_down\":1,\"x\":-5}\n"
	    "{\"event\":\"flow_end\",\"remote_addr\":\"192.0.2.1:80\",\"bytes_up\":-7}\n");
	render_with(facts_text);
	has_line("flows: tcp=1, udp=1, icmp=1");
	has_line("bytes: up=11, down=2001");
	ck_assert_int_eq((int)t->target_keys.n, 3);
	ck_assert_str_eq(t->target_keys.text[0], "192.0.2.1:80");
	ck_assert_str_eq(t->target_keys.text[1], "192.0.2.1:80/udp");
	ck_assert_str_eq(t->target_keys.text[2], "2001:db8::1/icmp");
}
END_TEST

START_TEST(byte_sums_do_not_wrap)
{
	for (int i = 0; i < 4; i++)
		feed("{\"event\":\"flow_end\",\"bytes_up\":9223372036854775807}\n");
	ck_assert_uint_eq(t->up_bytes, UINT64_MAX);
}
END_TEST

START_TEST(order_is_count_then_key)
{
	for (int i = 0; i < 9; i++)
		feed(i < 2 ? "{\"event\":\"connect_result\",\"error\":\"b\"}\n" :
		    i < 4 ? "{\"event\":\"connect_result\",\"error\":\"a\"}\n" :
		    i < 8 ? "{\"event\":\"connect_result\",\"error\":\"z\"}\n" :
		    "{\"event\":\"connect_result\",\"error\":\"least\"}\n");
	render_with(facts_text);
	has_line("flow-log connect errors: z=4, a=2, b=2");
}
END_TEST

START_TEST(matched_domain_follows_the_address)
{
	feed("{\"event\":\"dns_query\",\"qname\":\"cdn.test\"}\n"
	    "{\"event\":\"dns_answer\",\"qname\":\"cdn.test\",\"answer_ips\":[\"192.0.2.9\"]}\n"
	    "{\"event\":\"policy_violation\",\"reason_code\":\"deny_domain\","
	    "\"control\":\"--deny-domain\",\"matched_domain\":\"bad.test\","
	    "\"remote_ip\":\"192.0.2.9\"}\n");
	render_with(facts_text);
	has_line("flow-log dns policy rows: cdn.test -> no-target (answer_ips=192.0.2.9, "
	    "matched_domains=bad.test=1)");
	has_line("flow-log top dns policy correlation: cdn.test (answer_ips=192.0.2.9, "
	    "matched_domains=bad.test=1, targets=none)");
}
END_TEST

/* Lines that are no event: counted, said, and nothing else. */
static const char *const	malformed[] = {
	"", "x", "{", "{\"event\":\"dns_qu", "[]", "[\"event\"]", "\"event\"", "7", "{}",
	"{\"event\":7}", "{\"event\":null}", "\xff\xfe", "{\"event\":\"\xff\"}", "{\"event\":\"a\"}}",
	"{\"event\":\"dns_query\"} {\"event\":\"dns_query\"}",
};

START_TEST(malformed_line_is_counted_and_said)
{
	feed(malformed[_i]);
	feed("\n");
	feed("{\"event\":\"dns_query\",\"qname\":\"after.test\"}\n");
	render_with(facts_text);
	has_line("unreadable event lines: malformed=1, too_long=0");
	ck_assert_uint_eq(t->total, 1);
	ck_assert_uint_eq(t->name[0].queries, 1);
}
END_TEST

START_TEST(truncated_last_line_is_counted)
{
	feed("{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n{\"event\":\"dns_query\",\"qn");
	render_with(facts_text);
	has_line("unreadable event lines: malformed=1, too_long=0");
	ck_assert_uint_eq(t->total, 1);
}
END_TEST

START_TEST(last_line_may_lack_its_end)
{
	feed("{\"event\":\"dns_query\",\"qname\":\"a.test\"}");
	render_with(facts_text);
	ck_assert_uint_eq(t->total, 1);
	ck_assert_uint_eq(t->malformed, 0);
}
END_TEST

START_TEST(too_long_line_is_skipped_to_its_end)
{
	static char junk[3 * EVENT_LINE_MAX];

	memset(junk, 'x', sizeof(junk));
	tally_feed(t, junk, sizeof(junk));
	tally_feed(t, junk, sizeof(junk));
	feed("\n{\"event\":\"dns_query\",\"qname\":\"a.test\"}\n");
	tally_feed(t, junk, sizeof(junk));
	render_with(facts_text);
	has_line("unreadable event lines: malformed=0, too_long=2");
	ck_assert_uint_eq(t->total, 1);
}
END_TEST

/* Fields of the wrong type are missing fields. */
static const char *const	odd[] = {
	"{\"event\":\"dns_query\",\"qname\":null}", "{\"event\":\"dns_query\",\"qname\":[1]}",
	"{\"event\":\"dns_answer\",\"qname\":\"a\",\"answer_ips\":\"x\"}",
	"{\"event\":\"dns_answer\",\"qname\":\"a\",\"answer_ips\":[1,null,{}]}",
	"{\"event\":\"dns_answer\",\"qname\":\"a\",\"answer_ips\":{\"a\":1}}",
	"{\"event\":\"connect_result\"}", "{\"event\":\"connect_result\",\"remote_addr\":5}",
	"{\"event\":\"connect_attempt\",\"remote_addr\":\"no address\",\"remote_ip\":false}",
	"{\"event\":\"flow_end\",\"bytes_up\":\"7\",\"bytes_down\":1.5}",
	"{\"event\":\"policy_violation\",\"matched_domain\":null,\"remote_ip\":7}",
	"{\"event\":\"runtime_failure\",\"phase\":{}}", "{\"event\":\"never heard of\"}",
	"{\"event\":\"dns_query\",\"qname\":\"\\u0000a\\u0000\"}",
};

START_TEST(odd_field_does_no_harm)
{
	feed(odd[_i]);
	render_with(facts_text);
	ck_assert_uint_eq(t->total, 1);
	ck_assert_uint_eq(t->malformed, 0);
}
END_TEST

START_TEST(names_cannot_drive_the_terminal)
{
	feed("{\"event\":\"dns_query\",\"qname\":\"\\u001b]0;x\\u0007\\u009b2J\\u202e\\nexit: 0\"}\n");
	render_with("{\"backend\":\"\\u001b[2J\",\"command\":[\"a\\nb\",\"\\u001b[31m\"],"
	    "\"exit_code\":0,\"warnings\":[\"w\\u001b\"],\"reason\":\"\\r\"}");
	for (const char *p = text; *p != '\0'; p++)
		ck_assert_msg((uint8_t)*p >= 0x20 || *p == '\n', "%02x", *p);
	ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
	ck_assert_ptr_null(strstr(text, "\xe2\x80\xae"));
	ck_assert_ptr_null(strstr(text, "\nexit: 0\nexit"));
	has_line("warning: w\\x1b");
}
END_TEST

/* ---- bounds ---- */

static void
feed_numbered(const char *fmt, unsigned n)
{
	char line[512];

	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), fmt, i, i);
		feed(line);
	}
}

START_TEST(names_are_bounded_and_the_rest_is_said)
{
	feed_numbered("{\"event\":\"dns_query\",\"qname\":\"n%u.test\"}\n", NAMES_MAX + 7);
	render_with(facts_text);
	ck_assert_uint_eq(t->name_keys.n, NAMES_MAX);
	ck_assert_uint_eq(t->events[EV_DNS_QUERY], NAMES_MAX + 7);
	has_line("beyond limits (events): dns_names=512");
	has_line("counts may be too low by: dns_names=1");
}
END_TEST

/* A million names that are asked for once do not hide the one that is asked for often. */
START_TEST(the_frequent_is_found_among_a_million)
{
	uint64_t often = 0;
	char line[128];

	for (unsigned i = 0; i < 1000000; i++) {
		snprintf(line, sizeof(line), "{\"event\":\"dns_query\",\"qname\":\"n%u.test\"}\n", i);
		feed(line);
		if (i > 500000 && i % 100 == 0) {
			feed("{\"event\":\"dns_query\",\"qname\":\"often.test\"}\n");
			often++;
		}
	}
	render_with(facts_text);
	ck_assert_ptr_nonnull(strstr(text, "flow-log dns names: often.test (queries="));
	ck_assert_uint_le(t->name_keys.floor, 2 * t->total / NAMES_MAX);
	for (size_t i = 0; i < NAMES_MAX; i++)
		if (t->name_keys.text[i] != NULL &&
		    strcmp(t->name_keys.text[i], "often.test") == 0) {
			ck_assert_uint_le(t->name[i].queries, often);
			ck_assert_uint_ge(t->name[i].queries + t->name_keys.floor, often);
		}
}
END_TEST

/* What loses its number is gone from all that refers to it. */
START_TEST(what_is_let_go_leaves_no_trace)
{
	feed_numbered("{\"event\":\"dns_answer\",\"qname\":\"n%u.test\",\"answer_ips\":"
	    "[\"2001:db8::%x\",\"2001:db8:1::1\"]}\n", 5 * IPS_MAX);
	feed_numbered("{\"event\":\"policy_violation\",\"matched_domain\":\"d%u.test\","
	    "\"remote_ip\":\"2001:db8::%x\"}\n", 5 * IPS_MAX);
	feed_numbered("{\"event\":\"connect_attempt\",\"remote_addr\":\"192.0.2.1:%u\","
	    "\"remote_ip\":\"2001:db8::%x\"}\n", 5 * IPS_MAX);
	render_with(facts_text);
	for (size_t i = 0; i < t->name_keys.n; i++)
		for (size_t j = 0; j < t->name[i].nips; j++)
			ck_assert_ptr_nonnull(t->ip_keys.text[t->name[i].ip[j]]);
	for (size_t i = 0; i < t->target_keys.n; i++)
		ck_assert(t->target[i].ip == -1 || t->ip_keys.text[t->target[i].ip] != NULL);
	for (size_t i = 0; i < t->ip_keys.n; i++)
		for (size_t j = 0; j < t->ip[i].ndomains; j++)
			ck_assert_ptr_nonnull(t->list_keys[LIST_DOMAINS].text[t->ip[i].domain[j]]);
}
END_TEST

START_TEST(targets_and_lists_are_bounded)
{
	feed_numbered("{\"event\":\"connect_result\",\"error\":\"e%u\",\"remote_addr\":"
	    "\"[2001:db8::%x]:1\"}\n", IPS_MAX + 5);
	render_with(facts_text);
	ck_assert_uint_eq(t->target_keys.n, TARGETS_MAX);
	ck_assert_uint_eq(t->list_keys[LIST_ERRORS].n, LIST_MAX);
	ck_assert_uint_le(t->ip_keys.n, IPS_MAX);
	ck_assert_ptr_nonnull(strstr(text, "beyond limits (events): targets="));
	ck_assert_ptr_nonnull(strstr(text, "connect_errors="));
}
END_TEST

START_TEST(addresses_of_a_name_are_bounded)
{
	feed_numbered("{\"event\":\"dns_answer\",\"qname\":\"a\",\"answer_ips\":[\"192.0.2.%u\"]}\n",
	    NAME_IPS + 1);
	render_with(facts_text);
	ck_assert_int_eq(t->name[0].nips, NAME_IPS);
	ck_assert_ptr_nonnull(strstr(text, "192.0.2.15, ..., targets="));
}
END_TEST

START_TEST(long_strings_are_cut_between_characters)
{
	char line[4000] = "{\"event\":\"dns_query\",\"qname\":\"";

	for (int i = 0; i < _i; i++)
		strcat(line, "x");
	for (int i = 0; i < 400; i++)
		strcat(line, "\xe2\x82\xac");
	strcat(line, "\"}\n");
	feed(line);
	render_with(facts_text);
	ck_assert_uint_le(strlen(t->name_keys.text[0]), KEY_MAX);
	ck_assert_uint_gt(strlen(t->name_keys.text[0]), KEY_MAX - 3);
	ck_assert_ptr_nonnull(strstr(text, "flow-log dns names: "));
	ck_assert_ptr_null(strstr(text, "flow-log dns names: none"));
	ck_assert_ptr_null(strstr(text, "\\x"));
}
END_TEST

/* ---- facts ---- */

static const struct { const char *command, *shown; } commands[] = {
	{ "[\"a\",\"b\"]", "command: a b" },
	{ "[\"a b\",\"\"]", "command: 'a b' ''" },
	{ "[\"it's\"]", "command: 'it'\\''s'" },
	{ "[\"$HOME\",\"~\",\"x=y\"]", "command: '$HOME' '~' x=y" },
	{ "[]", "command: " },
};

START_TEST(command_is_quoted_as_a_shell_takes_it)
{
	char facts[256];

	snprintf(facts, sizeof(facts), "{\"backend\":\"b\",\"exit_code\":0,\"command\":%s}",
	    commands[_i].command);
	render_with(facts);
	has_line(commands[_i].shown);
}
END_TEST

START_TEST(all_facts_have_a_line)
{
	render_with("{\"backend\":\"b\",\"command\":[\"c\"],\"exit_code\":125,"
	    "\"sandbox_controls\":[\"offline\",\"deny-cidr=10.0.0.0/8\"],\"reason\":\"helper died\","
	    "\"duration_ms\":61005,\"flow_log\":\"/tmp/f.jsonl\",\"warnings\":[\"one\",\"two\"],"
	    "\"capture\":{\"requested\":\"both\",\"effective\":\"child+egress\","
	    "\"child_output\":\"a.pcapng\",\"egress_output\":\"b.pcapng\"}}");
	has_line("sandbox controls: offline, deny-cidr=10.0.0.0/8");
	has_line("capture: requested=both, effective=child+egress, child=a.pcapng, egress=b.pcapng");
	has_line("flow-log: /tmp/f.jsonl");
	has_line("exit: 125");
	has_line("reason: helper died");
	has_line("duration: 61.005 s");
	has_line("warning: one");
	has_line("warning: two");
}
END_TEST

START_TEST(without_facts_the_events_are_still_told)
{
	feed(one_of_each);
	render_with(NULL);
	has_line("backend: unavailable");
	has_line("command: unavailable");
	has_line("exit: unavailable");
	has_line("flow-log connect errors: connection refused=1");
}
END_TEST

static const char *const	bad_facts[] = {
	"", "x", "[]", "{}", "{\"backend\":1,\"command\":[],\"exit_code\":0}",
	"{\"backend\":\"b\",\"command\":\"c\",\"exit_code\":0}",
	"{\"backend\":\"b\",\"command\":[],\"exit_code\":\"0\"}",
	"{\"backend\":\"b\",\"command\":[]}",
	"{\"backend\":\"b\",\"command\":[],\"exit_code\":0,\"capture\":\"x\"}",
	"{\"backend\":\"b\",\"command\":[],\"exit_code\":0,\"duration_ms\":1.5}",
	"{\"backend\":\"b\",\"command\":[],\"exit_code\":0",
};

START_TEST(bad_facts_are_refused_with_a_reason)
{
	const char *why = NULL;

	ck_assert_ptr_null(facts_parse(bad_facts[_i], strlen(bad_facts[_i]), &why));
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(what_was_denied_is_named_where_there_is_some)
{
	feed("{\"event\":\"policy_violation\",\"protocol\":\"tcp\",\"remote\":\"10.0.0.1:80\"}\n"
	    "{\"event\":\"policy_violation\",\"protocol\":\"dns\",\"remote\":\"bad.test\"}\n"
	    "{\"event\":\"policy_violation\",\"protocol\":\"tcp\",\"remote\":\"10.0.0.1:80\"}\n"
	    "{\"event\":\"policy_violation\",\"protocol\":\"tcp\",\"remote\":7}\n"
	    "{\"event\":\"policy_violation\",\"remote\":\"10.0.0.1:80\"}\n");
	render_with(facts_text);
	has_line("denied: tcp 10.0.0.1:80=2, dns bad.test=1");
}
END_TEST

START_TEST(nothing_denied_is_no_line)
{
	feed(one_of_each);
	render_with(facts_text);
	ck_assert_ptr_null(strstr(text, "\ndenied"));
}
END_TEST

START_TEST(json_has_childflows_keys)
{
	static const char *const keys[] = { "backend", "command", "exit_code",
	    "sandbox_controls", "capture", "flow_log" };
	static const char *const log_keys[] = { "status", "path", "event_counts",
	    "top_dns_name", "dns_policy_rows", "top_dns_policy_correlation", "top_target",
	    "policy_violations", "policy_controls", "policy_matched_domains", "connect_errors",
	    "runtime_failures", "runtime_failure_phases" };

	feed(one_of_each);
	render_with(facts_text);
	for (size_t i = 0; i < LEN(keys); i++)
		ck_assert_msg(json_object_get(model, keys[i]) != NULL, "%s", keys[i]);
	for (size_t i = 0; i < LEN(log_keys); i++)
		ck_assert_msg(json_object_get(json_object_get(model, "flow_log"), log_keys[i]) != NULL,
		    "%s", log_keys[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("summary");
	TCase *tc = tcase_create("summary");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, lines_are_childflows, 0, (int)LEN(lines_of_each));
	tcase_add_test(tc, lines_are_in_childflows_order);
	tcase_add_loop_test(tc, stream_may_be_cut_anywhere, 0, 120);
	tcase_add_test(tc, limits_that_were_reached_are_added_up);
	tcase_add_test(tc, what_was_denied_is_named_where_there_is_some);
	tcase_add_test(tc, nothing_denied_is_no_line);
	tcase_add_test(tc, nothing_happened_is_none);
	tcase_add_test(tc, flows_and_bytes_are_added_up);
	tcase_add_test(tc, byte_sums_do_not_wrap);
	tcase_add_test(tc, order_is_count_then_key);
	tcase_add_test(tc, matched_domain_follows_the_address);
	tcase_add_loop_test(tc, malformed_line_is_counted_and_said, 0, (int)LEN(malformed));
	tcase_add_test(tc, truncated_last_line_is_counted);
	tcase_add_test(tc, last_line_may_lack_its_end);
	tcase_add_test(tc, too_long_line_is_skipped_to_its_end);
	tcase_add_loop_test(tc, odd_field_does_no_harm, 0, (int)LEN(odd));
	tcase_add_test(tc, names_cannot_drive_the_terminal);
	tcase_add_test(tc, names_are_bounded_and_the_rest_is_said);
	tcase_add_test(tc, the_frequent_is_found_among_a_million);
	tcase_add_test(tc, what_is_let_go_leaves_no_trace);
	tcase_add_test(tc, targets_and_lists_are_bounded);
	tcase_add_test(tc, addresses_of_a_name_are_bounded);
	tcase_add_loop_test(tc, long_strings_are_cut_between_characters, 0, 3);
	tcase_add_loop_test(tc, command_is_quoted_as_a_shell_takes_it, 0, (int)LEN(commands));
	tcase_add_test(tc, all_facts_have_a_line);
	tcase_add_test(tc, without_facts_the_events_are_still_told);
	tcase_add_loop_test(tc, bad_facts_are_refused_with_a_reason, 0, (int)LEN(bad_facts));
	tcase_add_test(tc, json_has_childflows_keys);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

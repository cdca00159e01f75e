/*
 * test_leaks.c - what is made of what the probe and the log say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "leaks.h"

#define LEN(a)	(sizeof(a) / sizeof((a)[0]))

static struct leak_world	 world;
static struct leak_target	 target[LEAK_TARGETS];
static struct leak_report	 outside, inside;
static struct leak_log		 logged;
static struct leak_row		 row[LEAK_ROWS];
static size_t			 n_targets;

static void
setup(void)
{
	static const struct leak_world empty = { .nonce = "0123456789abcdef", .pid = 7, .started = 99,
	    .netns = 4026531840, .port = 40000, .dir = "/tmp/d", .fd = 20, .n_own = 1, .n_paths = 1,
	    .path = { "/run/x y" } };

	world = empty;
	ck_assert(addr_parse("192.0.2.2", 0, &world.own[0]));
	n_targets = leak_targets(&world, target);
	ck_assert_uint_lt(n_targets, LEAK_TARGETS);
	memset(&outside, 0, sizeof(outside));
	memset(&inside, 0, sizeof(inside));
	memset(&logged, 0, sizeof(logged));
	for (size_t i = 0; i < LEAK_ROWS; i++)
		inside.result[i] = outside.result[i] = LEAK_REFUSED;
}

static size_t
target_at(const char *text)
{
	char buf[LEAK_DETAIL];

	for (size_t i = 0; i < n_targets; i++)
		if (strcmp(leak_target_str(&target[i], buf), text) == 0)
			return i;
	ck_abort_msg("no target %s", text);
}

static const struct leak_row *
judged(size_t at, const struct leak_policy *policy, bool has_log)
{
	struct leak_case c = { &world, &outside, &inside, has_log ? &logged : NULL, policy };

	ck_assert_uint_gt(leak_judge(&c, row), n_targets);
	return &row[at];
}

START_TEST(words_say_the_same_inside)
{
	char *words[LEAK_WORDS_MAX];
	struct leak_world got = { .n_own = 0 };
	size_t n = leak_words(&world, words);

	ck_assert_uint_eq(n, 9);
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(leak_word(&got, words[i]), "%s", words[i]);
		free(words[i]);
	}
	ck_assert_mem_eq(&got, &world, sizeof(got));
	ck_assert(!leak_word(&got, "none"));
	ck_assert(!leak_word(&got, "other=1"));
	ck_assert(!leak_word(&got, "own=x"));
}
END_TEST

START_TEST(token_is_of_its_run_only)
{
	char buf[LEAK_TOKEN_MAX];
	size_t len = leak_token(&world, 12, buf);

	ck_assert_int_eq(leak_token_read(world.nonce, buf, len), 12);
	ck_assert_int_eq(leak_token_read("0123456789abcdee", buf, len), -1);
	ck_assert_int_eq(leak_token_read(world.nonce, buf, 8), -1);
	ck_assert_int_eq(leak_token_read(world.nonce, "", 0), -1);
}
END_TEST

START_TEST(lines_of_the_probe_are_held_to_their_form)
{
	static const struct { const char *line; bool ok; } lines[] = {
		{ "begin\t1\t", true }, { "end\t0\t", true }, { "3\t3\tconnected", true }, { "", false },
		{ "3", false }, { "3\t3", false }, { "3\t4\tx", false }, { "x\t1\ty", false },
		{ "100000\t1\ty", false }, { "-1\t1\ty", false },
	};

	memset(&inside, 0, sizeof(inside));
	for (size_t i = 0; i < LEN(lines); i++)
		ck_assert_msg(leak_report_line(&inside, lines[i].line) == lines[i].ok, "%s", lines[i].line);
	ck_assert(inside.same_netns && inside.finished);
	ck_assert_int_eq(inside.result[3], LEAK_WORKED);
	ck_assert_str_eq(inside.detail[3], "connected");
}
END_TEST

/* What the two runs, the log and the kind of a target make of it. */
static const struct {
	const char	*target;
	bool		 in, out, noted, refused, has_log;
	enum leak_outcome outcome;
} addresses[] = {
	{ "tcp 192.0.2.2:40000", false, true,  false, false, true,  LEAK_CLOSED },
	{ "tcp 192.0.2.2:40000", false, false, false, false, true,  LEAK_UNTESTED },
	{ "tcp 192.0.2.2:40000", false, false, true,  true,  true,  LEAK_CLOSED },
	{ "tcp 192.0.2.2:40000", true,  true,  true,  false, true,  LEAK_CLOSED },
	{ "tcp 192.0.2.2:40000", true,  true,  false, false, true,  LEAK_OPEN },
	{ "tcp 192.0.2.2:40000", true,  false, false, false, true,  LEAK_OPEN },
	{ "tcp 192.0.2.2:40000", true,  true,  true,  false, false, LEAK_OPEN },
	{ "tcp 127.0.0.1:40000", true,  true,  true,  false, true,  LEAK_OPEN },
	{ "tcp 127.0.0.1:40000", false, true,  false, false, true,  LEAK_CLOSED },
	{ "udp 255.255.255.255:40000", true, true, true, false, true, LEAK_OPEN },
	{ "tcp 1.1.1.1:853",	 true,  true,  true,  false, true,  LEAK_CLOSED },
	{ "tcp 1.1.1.1:853",	 true,  true,  false, false, true,  LEAK_OPEN },
	{ "ping 192.0.2.2",	 true,  true,  false, false, true,  LEAK_OPEN },
};

START_TEST(address_is_judged)
{
	size_t at = target_at(addresses[_i].target);
	const struct leak_row *r;

	inside.arrived[at] = addresses[_i].in;
	outside.arrived[at] = addresses[_i].out;
	inside.result[at] = addresses[_i].in ? LEAK_WORKED : LEAK_REFUSED;
	outside.result[at] = addresses[_i].out ? LEAK_WORKED : LEAK_REFUSED;
	logged.noted[at] = addresses[_i].noted;
	logged.refused[at] = addresses[_i].refused;
	r = judged(at, NULL, addresses[_i].has_log);
	ck_assert_msg(r->outcome == addresses[_i].outcome, "%s: %s: %s", r->tried,
	    leak_outcomes[r->outcome], r->why);
}
END_TEST

START_TEST(what_the_options_refuse_is_open_where_it_arrives)
{
	struct leak_policy policy = { .flat = NULL };
	struct polopts p = { .given = NULL };
	size_t at = target_at("tcp 192.0.2.2:40000");

	ck_assert(polopts_add(&p, "deny-cidr", "192.0.2.0/24", false));
	ck_assert(polopts_add(&p, "offline", NULL, false));
	ck_assert(polopts_add(&p, "offline", NULL, true));
	ck_assert(!polopts_add(&p, "summary", NULL, false));
	polopts_make(&p, &policy.made);
	policy.flat = policy_made_load(&policy.made, &policy.rules);
	inside.arrived[at] = logged.noted[at] = true;
	ck_assert_int_eq(judged(at, &policy, true)->outcome, LEAK_OPEN);
	at = target_at("tcp 8.8.8.8:443");
	inside.result[at] = LEAK_WORKED;
	logged.noted[at] = true;
	ck_assert_int_eq(judged(at, &policy, true)->outcome, LEAK_CLOSED);
	free(policy.flat);
	polopts_done(&p);
}
END_TEST

static const struct {
	enum leak_result in, out;
	bool		 own_net, same_netns;
	enum leak_outcome outcome;
} ways[] = {
	{ LEAK_WORKED,  LEAK_WORKED,  false, false, LEAK_OPEN },
	{ LEAK_WORKED,  LEAK_NONE,    false, false, LEAK_OPEN },
	{ LEAK_REFUSED, LEAK_WORKED,  false, false, LEAK_CLOSED },
	{ LEAK_REFUSED, LEAK_REFUSED, false, false, LEAK_CLOSED },
	{ LEAK_NONE,    LEAK_WORKED,  false, false, LEAK_CLOSED },
	{ LEAK_NONE,    LEAK_NONE,    false, false, LEAK_UNTESTED },
	{ LEAK_MISSING, LEAK_WORKED,  false, false, LEAK_UNTESTED },
	{ LEAK_WORKED,  LEAK_WORKED,  true,  false, LEAK_CLOSED },
	{ LEAK_WORKED,  LEAK_WORKED,  true,  true,  LEAK_OPEN },
};

START_TEST(way_is_judged)
{
	size_t n = 0;

	while (leak_ways[n].own_net != ways[_i].own_net)
		n++;
	inside.same_netns = ways[_i].same_netns;
	inside.result[LEAK_TARGETS + n] = ways[_i].in;
	outside.result[LEAK_TARGETS + n] = ways[_i].out;
	ck_assert_int_eq(judged(n_targets + n, NULL, true)->outcome, ways[_i].outcome);
}
END_TEST

START_TEST(log_tells_of_targets)
{
	char text[] =
	    "{\"event\":\"connect_attempt\",\"protocol\":\"tcp\",\"remote_ip\":\"192.0.2.2\",\"remote_port\":40000}\n"
	    "{\"event\":\"policy_violation\",\"protocol\":\"udp\",\"remote_ip\":\"192.0.2.2\",\"remote_port\":40000}\n"
	    "{\"event\":\"connect_attempt\",\"protocol\":\"icmpv4\",\"remote_ip\":\"192.0.2.2\"}\n"
	    "{\"event\":\"connect_attempt\",\"protocol\":\"tcp\",\"remote_ip\":\"8.8.8.8\",\"remote_port\":444}\n"
	    "{\"event\":7}\nnot json\n"
	    "{\"event\":\"connect_attempt\",\"protocol\":\"tcp\",\"remote_ip\":\"10.0.0.1\",\"remote_port\":80}";

	leak_log_read(&logged, target, n_targets, text, sizeof(text) - 1);
	ck_assert(logged.noted[target_at("tcp 192.0.2.2:40000")]);
	ck_assert(!logged.refused[target_at("tcp 192.0.2.2:40000")]);
	ck_assert(logged.refused[target_at("udp 192.0.2.2:40000")]);
	ck_assert(logged.noted[target_at("ping 192.0.2.2")]);
	ck_assert(!logged.noted[target_at("tcp 8.8.8.8:443")]);
	ck_assert(!logged.noted[target_at("tcp 10.0.0.1:80")]);
}
END_TEST

START_TEST(ways_fit_and_differ)
{
	size_t n;

	for (n = 0; leak_ways[n].name != NULL; n++)
		for (size_t i = 0; i < n; i++)
			ck_assert_str_ne(leak_ways[n].name, leak_ways[i].name);
	ck_assert_uint_le(LEAK_TARGETS + n, LEAK_ROWS);
	world.n_own = LEAK_OWN_MAX;
	ck_assert_uint_le(leak_targets(&world, target), LEAK_TARGETS);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("leaks");
	TCase *tc = tcase_create("leaks");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, words_say_the_same_inside);
	tcase_add_test(tc, token_is_of_its_run_only);
	tcase_add_test(tc, lines_of_the_probe_are_held_to_their_form);
	tcase_add_loop_test(tc, address_is_judged, 0, (int)LEN(addresses));
	tcase_add_test(tc, what_the_options_refuse_is_open_where_it_arrives);
	tcase_add_loop_test(tc, way_is_judged, 0, (int)LEN(ways));
	tcase_add_test(tc, log_tells_of_targets);
	tcase_add_test(tc, ways_fit_and_differ);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

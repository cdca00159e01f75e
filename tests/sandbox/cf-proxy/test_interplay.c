/*
 * test_interplay.c - first flights where something else has a say too: --permissive, quotas, new
 * rules; with descriptors (loop 0) and in frames (loop 1).
 *
 * SPDX-License-Identifier: MIT
 */
#include "neighbours.h"

#define EVERYWHERE(name)	tcase_add_loop_test(tc, name, 0, 2)
#define CAPS			((uint32_t)(_i == 0 ? MSG_CAP_FD : 0))
#define SILENCE_MS		33000

static struct first_test *
begin(uint32_t caps, bool reloads, const char *const *words)
{
	static const char *const none[] = { NULL };

	return start_with(caps, rules_made(words), reloads, none);
}

static struct first_test *
begin_permissive(uint32_t caps)
{
	static const char *const words[] = { "--permissive", "--allow", "a.test", "--allow", "b.test",
	    NULL };
	struct first_test *t = begin(caps, false, words);

	name_give(t, WEB, "a.test", 60);
	return t;
}

/* The flow goes on, and what the tree has said is with the server. */
static void
passed(struct first_test *t, const char *text)
{
	struct seen *go;

	if (t->server == -1 && text[0] != '\0')
		ck_assert_str_eq(want(t, &t->far, MSG_DATA)->tail, text);
	go = want(t, &t->stack, MSG_GO);
	ck_assert_uint_eq(go->word, 0);
	ck_assert_int_eq(go->fd == -1, t->server == -1);
	if (t->server != -1)
		ck_assert_str_eq(got(t), text);
}

static void
said_once(const struct first_test *t, const char *text)
{
	const char *at = strstr(t->h.err, text);

	ck_assert_msg(at != NULL, "no \"%s\" in: %s", text, t->h.err);
	ck_assert_ptr_null(strstr(at + 1, text));
}

static void
server_says(struct first_test *t, uint64_t id, const char *text)
{
	if (t->server != -1)
		ck_assert_int_eq(write(t->server, text, strlen(text)), (ssize_t)strlen(text));
	else
		chan_send(t->far.chan, MSG_DATA, id, NULL, 0, text, strlen(text), -1);
}

static void
rules_send(struct first_test *t, const char *const *words)
{
	uint8_t body[MSG_RULES_LEN];
	struct wr w = wr_over(body, sizeof(body));

	wr_le32(&w, 2);
	chan_send(t->spawn.chan, MSG_RULES, 0, body, sizeof(body), NULL, 0, rules_made(words));
	want(t, &t->spawn, MSG_TAKEN);
}

static void
close_flow(struct first_test *t, uint64_t id)
{
	uint8_t body[MSG_CLOSE_LEN];
	struct wr w = wr_over(body, sizeof(body));

	msg_close_put(&w, &(struct msg_close){ .reason = CLOSE_RESET });
	chan_send(t->stack.chan, MSG_CLOSE, id, body, sizeof(body), NULL, 0, -1);
}

/* ---- --permissive ---- */

static const struct {
	const char	*text, *would;
	uint32_t	 flags;
} permitted[] = {
	{ GET("evil.test"), "would be blocked by `--default-policy deny`: its first flight names", 0 },
	{ "GET / HTTP/1.0\r\n\r\n", "would be blocked: its first flight names nobody", 0 },
	{ "hello\n", "would be blocked: its first flight", 0 },
	{ "GET / HTTP/1.1\r\nHo", "would be blocked: its first flight cannot be read", FIRST_END },
	{ "GET http://evil.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", "its first flight names evil.test", 0 },
};

START_TEST(what_it_says_passes_and_is_told)
{
	for (size_t i = 0; i < sizeof(permitted) / sizeof(permitted[0]); i++) {
		struct first_test *t = begin_permissive(CAPS);

		owing(t, 1, 80);
		first(t, 1, permitted[i].flags, permitted[i].text);
		passed(t, permitted[i].text);
		ck_assert_int_eq(end(t), 0);
		said_once(t, permitted[i].would);
		ck_assert_ptr_null(strstr(t->h.err, ": blocked"));
	}
}
END_TEST

START_TEST(server_that_speaks_first_is_told_and_heard)
{
	struct first_test *t = begin_permissive(CAPS);

	owing(t, 1, 22);
	server_says(t, 1, "banner");
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_ASK);
	if (_i == 1)
		ck_assert_str_eq(want(t, &t->stack, MSG_DATA)->tail, "banner");
	first(t, 1, 0, "");
	passed(t, "");
	ck_assert_int_eq(end(t), 0);
	said_once(t, "would be blocked: the server speaks first");
}
END_TEST

START_TEST(what_ends_without_a_word_passes_untold)
{
	struct first_test *t = begin_permissive(CAPS);

	owing(t, 1, 22);
	first(t, 1, FIRST_END, "");
	passed(t, "");
	ck_assert_int_eq(end(t), 0);
	ck_assert_str_eq(t->h.err, "");
}
END_TEST

/* Half a minute, then it is told, and no longer held up: neither who is silent nor who is half done. */
START_TEST(silence_is_told_and_passes)
{
	struct first_test *t = begin_permissive(CAPS);
	int64_t later = now_ms();

	owing(t, 1, 80);
	owing(t, 2, 80);
	first(t, 2, 0, "GET / HT");
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_MORE);
	for (int i = 0; i < 4; i++) {		/* UNTIL has less patience than this takes */
		later += SILENCE_MS / 4;
		UNTIL(t, t->stack.next < t->stack.n || now_ms() > later);
	}
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_ASK);
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_ASK);
	first(t, 2, 0, "");
	if (_i == 1)
		passed(t, "GET / HT");
	else
		ck_assert_int_ne(want(t, &t->stack, MSG_GO)->fd, -1);
	ck_assert_int_eq(end(t), 0);
	ck_assert_ptr_nonnull(strstr(t->h.err, "would be blocked: it has said nothing for half a minute"));
}
END_TEST

/* An allowed name is led to where it is; where it may not go there it is told, and goes. */
START_TEST(redial_is_told_and_done)
{
	static const char *const words[] = { "--permissive", "--allow", "a.test", "--allow", "b.test",
	    "--deny", "203.0.113.9", NULL };
	struct first_test *t = begin(CAPS, false, words);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, GET("b.test"));
	want(t, &t->dns, MSG_RESOLVE);
	want(t, &t->far, MSG_CLOSE);
	resolved(t, 1, "203.0.113.9");
	want(t, &t->far, MSG_OPEN);
	grant(t, 1);
	passed(t, GET("b.test"));
	ck_assert_int_eq(end(t), 0);
	said_once(t, "would be blocked by `--deny 203.0.113.9`");
}
END_TEST

/* QUIC on its own port is told when it is asked for, and is not held up. */
START_TEST(quic_is_told_and_passes)
{
	static const char initial[] = "\xc0\0\0\0\1\10aaaaaaaa";
	struct first_test *t = begin_permissive(CAPS);

	ask(t, 1, IPPROTO_UDP, WEB, 443);
	want(t, &t->far, MSG_OPEN);
	grant(t, 1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, 0);
	ask(t, 2, IPPROTO_UDP, WEB, 4433);
	want(t, &t->far, MSG_OPEN);
	grant(t, 2);
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, OPENED_FIRST);
	{
		uint8_t body[MSG_FIRST_LEN] = { 0 };
		static char datagram[1200];

		memcpy(datagram, initial, sizeof(initial));
		chan_send(t->stack.chan, MSG_FIRST, 2, body, sizeof(body), datagram, sizeof(datagram), -1);
	}
	if (_i == 1)
		want(t, &t->far, MSG_DATA);
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, 0);
	ck_assert_int_eq(end(t), 0);
	said_once(t, ":443 (a.test): would be blocked by `--quic block`");
	said_once(t, ":4433 (a.test): would be blocked by `--quic block`");
}
END_TEST

/* ---- quotas ---- */

/* What the first flight has of the limit is counted, to the byte. */
START_TEST(first_flight_counts)
{
	static const char *const words[] = { "--allow", "a.test", "--quota", "a.test=50B/up", NULL };
	struct first_test *t = begin(CAPS, false, words);
	static const char wide[] = GET("a.test") "0123456789012345678901234567890123456789";

	ck_assert_uint_gt(sizeof(wide), 51);
	name_give(t, WEB, "a.test", 60);
	ask(t, 1, IPPROTO_TCP, WEB, 80);
	want(t, &t->far, MSG_OPEN);
	{
		uint8_t body[MSG_OPENED_LEN];
		struct wr w = wr_over(body, sizeof(body));

		msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
		chan_send(t->far.chan, MSG_OPENED, 1, body, sizeof(body), NULL, 0, -1);
	}
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, OPENED_FIRST);
	first(t, 1, 0, wide);
	ck_assert_uint_eq(want(t, &t->far, MSG_DATA)->len, 50);
	want(t, &t->far, MSG_EOF);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	close_flow(t, 1);
	ask(t, 2, IPPROTO_TCP, WEB, 80);
	want(t, &t->stack, MSG_REFUSED);
	ck_assert_int_eq(end(t), 0);
	said_once(t, "ended by `--quota a.test=50B/up`");
}
END_TEST

/* It is one connection, wherever it is led; and it may become one that is counted. */
START_TEST(redialled_flow_is_one_connection)
{
	static const char *const words[] = { "--allow", "a.test", "--allow", "b.test",
	    "--quota", "*=1conn", "--quota", "b.test=1MB", NULL };
	struct first_test *t = begin(CAPS, false, words);
	uint8_t body[MSG_OPENED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, GET("b.test"));
	want(t, &t->dns, MSG_RESOLVE);
	want(t, &t->far, MSG_CLOSE);
	resolved(t, 1, "203.0.113.9");
	want(t, &t->far, MSG_OPEN);
	msg_opened_put(&w, &(struct msg_opened){ .local = { .family = 4, .port = 7 } });
	chan_send(t->far.chan, MSG_OPENED, 1, body, sizeof(body), NULL, 0, -1);
	t->server = -1;
	passed(t, GET("b.test"));
	ask(t, 2, IPPROTO_TCP, WEB, 80);
	want(t, &t->stack, MSG_REFUSED);
	ck_assert_int_eq(end(t), 0);
	said_once(t, "blocked by `--quota *=1conn`");
}
END_TEST

/* ---- new rules ---- */

static const char *const allow_a[] = { "--allow", "a.test", "--allow", "b.test", NULL };
static const char *const allow_none[] = { "--allow", "c.test", NULL };

START_TEST(new_rules_end_what_owes)
{
	struct first_test *t = begin(CAPS, true, allow_a);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	rules_send(t, allow_none);
	if (_i == 1)
		ck_assert_uint_eq(want(t, &t->far, MSG_RESET)->flow, 1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	first(t, 1, 0, GET("a.test"));		/* it crosses */
	close_flow(t, 1);
	ck_assert_int_eq(end(t), 0);
	said_once(t, "blocked by `--default-policy deny`");
}
END_TEST

/* Allowed by address when it was opened; now by its name alone, so that it has to say it. */
START_TEST(new_rules_say_what_is_owed)
{
	static const char *const before[] = { "--deny", "evil.test", NULL };
	struct first_test *t = begin(CAPS, true, before);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	owing(t, 2, 80);
	rules_send(t, allow_a);
	first(t, 2, 0, "hello\n");
	if (_i == 1)
		ck_assert_uint_eq(want(t, &t->far, MSG_RESET)->flow, 2);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	first(t, 1, 0, GET("evil.test"));
	if (_i == 1)
		ck_assert_uint_eq(want(t, &t->far, MSG_RESET)->flow, 1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* The dialler's answer crosses with its end: that is no breach, and its socket is nobody's. */
START_TEST(answer_to_a_redial_that_was_ended)
{
	struct first_test *t = begin(CAPS, true, allow_a);
	uint8_t body[MSG_REFUSED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	name_give(t, WEB, "a.test", 60);
	for (uint64_t id = 1; id <= 3; id++) {
		owing(t, id, 80);
		first(t, id, 0, GET("b.test"));
		want(t, &t->dns, MSG_RESOLVE);
		want(t, &t->far, MSG_CLOSE);
		if (id == 3)
			break;			/* cf-dns has not answered yet */
		resolved(t, id, "203.0.113.9");
		want(t, &t->far, MSG_OPEN);
	}
	rules_send(t, allow_none);
	want(t, &t->far, MSG_CLOSE);
	grant(t, 1);
	msg_refused_put(&w, &(struct msg_refused){ .why = REFUSED_ERRNO, .err = ECONNREFUSED });
	chan_send(t->far.chan, MSG_REFUSED, 2, body, sizeof(body), NULL, 0, -1);
	resolved(t, 3, "203.0.113.9");
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	for (uint64_t id = 1; id <= 3; id++)
		close_flow(t, id);
	ask(t, 4, IPPROTO_TCP, "203.0.113.77", 80);
	want(t, &t->stack, MSG_REFUSED);
	for (; t->far.next < t->far.n; t->far.next++)
		ck_assert_uint_ne(t->far.seen[t->far.next].type, MSG_OPEN);
	if (t->server != -1)
		ck_assert_int_eq(recv(t->server, body, 1, MSG_DONTWAIT), 0);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* ---- frames ---- */

/* The end of a server that is not gone to after all is not the end of the one that is. */
START_TEST(end_of_file_waits_for_the_name)
{
	struct first_test *t = begin(0, false, allow_a);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	chan_send(t->far.chan, MSG_EOF, 1, NULL, 0, NULL, 0, -1);
	first(t, 1, 0, GET("b.test"));
	want(t, &t->dns, MSG_RESOLVE);
	want(t, &t->far, MSG_CLOSE);
	resolved(t, 1, "203.0.113.9");
	want(t, &t->far, MSG_OPEN);
	grant(t, 1);
	passed(t, GET("b.test"));
	server_says(t, 1, "answer");
	ck_assert_str_eq(want(t, &t->stack, MSG_DATA)->tail, "answer");
	owing(t, 2, 80);
	chan_send(t->far.chan, MSG_EOF, 2, NULL, 0, NULL, 0, -1);
	first(t, 2, 0, GET("a.test"));
	passed(t, GET("a.test"));
	want(t, &t->stack, MSG_EOF);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* A datagram before the first word of the tree is nobody's, and costs no credit. */
START_TEST(stray_datagram_is_lost)
{
	struct first_test *t = begin(0, false, allow_a);

	name_give(t, WEB, "a.test", 60);
	ask(t, 1, IPPROTO_UDP, WEB, 5000);
	want(t, &t->far, MSG_OPEN);
	grant(t, 1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, OPENED_FIRST);
	server_says(t, 1, "stray");
	ck_assert_uint_eq(want(t, &t->far, MSG_WINDOW)->word, 5);
	first(t, 1, 0, "hello");
	passed(t, "hello");
	server_says(t, 1, "answer");
	ck_assert_str_eq(want(t, &t->stack, MSG_DATA)->tail, "answer");
	ck_assert_int_eq(end(t), 0);
	ck_assert_str_eq(t->h.err, "");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("interplay");
	Suite *s = suite_create("cf-proxy first flights and the rest");
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 60);
	EVERYWHERE(what_it_says_passes_and_is_told);
	EVERYWHERE(server_that_speaks_first_is_told_and_heard);
	EVERYWHERE(what_ends_without_a_word_passes_untold);
	tcase_add_loop_test(tc, silence_is_told_and_passes, 1, 2);
	EVERYWHERE(redial_is_told_and_done);
	EVERYWHERE(quic_is_told_and_passes);
	EVERYWHERE(first_flight_counts);
	EVERYWHERE(redialled_flow_is_one_connection);
	EVERYWHERE(new_rules_end_what_owes);
	EVERYWHERE(new_rules_say_what_is_owed);
	EVERYWHERE(answer_to_a_redial_that_was_ended);
	tcase_add_test(tc, end_of_file_waits_for_the_name);
	tcase_add_test(tc, stray_datagram_is_lost);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

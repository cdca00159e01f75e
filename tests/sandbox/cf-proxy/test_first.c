/*
 * test_first.c - the built policy stage, sealed, with rules about names: what a first flight gets,
 * and that a cf-netstack which does not keep to its order ends it.
 *
 * This test is all of its neighbours: cf-netstack, the dialler and cf-dns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "rulebook.h"
#include "neighbours.h"

static int
rules_make(unsigned switches, enum rules_source source, const char *const *texts)
{
	static const uint8_t seed[SIPHASH_KEY_LEN] = { 7 };
	struct rulebook *b = rulebook_new(switches);
	struct rulebook_error err;
	const char *why;
	size_t len;
	void *flat;
	int fd;

	for (; *texts != NULL; texts++)
		ck_assert(rulebook_add(b, source, *texts, &err));
	flat = rulebook_compile(b, seed, &len, &why);
	ck_assert_ptr_nonnull(flat);
	fd = rulesfd_make(flat, len);
	ck_assert_int_ne(fd, -1);
	fcntl(fd, F_SETFD, 0);
	free(flat);
	rulebook_free(b);
	return fd;
}

static struct first_test *
start_strict(uint32_t caps)
{
	static const char *const texts[] = { "a.test", "b.test", "c.test:80", NULL };

	return start(caps, "block", rules_make(RULES_DEFAULT_DENY, RULES_ALLOW, texts));
}

/* Not a byte before the verdict, and all of them before the descriptor. */
START_TEST(bytes_are_written_here_and_then_the_socket_goes_on)
{
	struct first_test *t = start_strict(MSG_CAP_FD);
	struct seen *go;

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, "GET / HTTP/1.1\r\nHo");
	go = want(t, &t->stack, MSG_GO);
	ck_assert_uint_eq(go->word, GO_MORE);
	ck_assert_int_eq(go->fd, -1);
	ck_assert_str_eq(got(t), "");
	first(t, 1, 0, "st: a.test\r\n\r\nmore");
	go = want(t, &t->stack, MSG_GO);
	ck_assert_uint_eq(go->word, 0);
	ck_assert_int_ne(go->fd, -1);
	ck_assert_str_eq(got(t), GET("a.test") "more");
	ck_assert_int_eq(end(t), 0);
	ck_assert_str_eq(t->h.err, "");
}
END_TEST

START_TEST(wrong_name_gets_nothing_through)
{
	struct first_test *t = start_strict(MSG_CAP_FD);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, GET("evil.test"));
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	ck_assert_str_eq(got(t), "");
	first(t, 1, 0, "it crosses the RESET");
	owing(t, 2, 80);
	ck_assert_int_eq(end(t), 0);
	ck_assert_ptr_nonnull(strstr(t->h.err, "its first flight names evil.test"));
}
END_TEST

/* Given for it when it was asked for, and no longer when it is. */
START_TEST(answer_that_has_expired_counts_no_more)
{
	struct first_test *t = start_strict(MSG_CAP_FD);
	int64_t later;

	name_give(t, WEB, "a.test", 1);
	name_give(t, WEB, "b.test", 60);
	owing(t, 1, 80);
	later = now_ms() + 1200;
	UNTIL(t, now_ms() > later);
	first(t, 1, 0, GET("a.test"));		/* the flow goes by it, so it stays */
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, 0);
	ask(t, 2, IPPROTO_TCP, "203.0.113.2", 80);
	want(t, &t->stack, MSG_REFUSED);
	name_give(t, "203.0.113.2", "a.test", 1);
	later = now_ms() + 1200;
	UNTIL(t, now_ms() > later);
	ask(t, 3, IPPROTO_TCP, "203.0.113.2", 80);
	want(t, &t->stack, MSG_REFUSED);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

START_TEST(name_of_another_address_is_dialled_there)
{
	struct first_test *t = start_strict((uint32_t)(_i == 0 ? MSG_CAP_FD : 0));
	struct seen *s;
	int before;

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	before = t->server;
	first(t, 1, 0, GET("b.test"));
	s = want(t, &t->dns, MSG_RESOLVE);
	ck_assert_str_eq(s->tail, "b.test");
	ck_assert_uint_eq(want(t, &t->far, MSG_CLOSE)->flow, 1);
	resolved(t, s->flow, "203.0.113.9");
	s = want(t, &t->far, MSG_OPEN);
	ck_assert_uint_eq(s->flow, 1);
	ck_assert_uint_eq(s->dst.ip[3], 9);
	grant(t, 1);
	if (_i == 1) {
		s = want(t, &t->far, MSG_DATA);
		ck_assert_str_eq(s->tail, GET("b.test"));
	}
	ck_assert_int_eq(want(t, &t->stack, MSG_GO)->fd == -1, _i == 1);
	if (_i == 0) {
		ck_assert_str_eq(got(t), GET("b.test"));
		t->server = before;
		ck_assert_str_eq(got(t), "");
	}
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* A rule about an address still holds. */
START_TEST(redial_is_judged_and_may_fail)
{
	static const char *const floor[] = { "127.0.0.1", "203.0.113.9" };
	struct first_test *t = start_strict(MSG_CAP_FD);
	uint8_t body[MSG_REFUSED_LEN];
	struct wr w = wr_over(body, sizeof(body));

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, GET("b.test"));
	want(t, &t->dns, MSG_RESOLVE);
	want(t, &t->far, MSG_CLOSE);
	resolved(t, 1, floor[_i]);
	if (_i == 1) {
		want(t, &t->far, MSG_OPEN);
		msg_refused_put(&w, &(struct msg_refused){ .why = REFUSED_ERRNO, .err = ECONNREFUSED });
		chan_send(t->far.chan, MSG_REFUSED, 1, body, sizeof(body), NULL, 0, -1);
	}
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, _i == 1 ? ECONNREFUSED : EACCES);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

START_TEST(server_that_speaks_first)
{
	struct first_test *t = start_strict(MSG_CAP_FD);
	struct seen *go;

	name_give(t, WEB, "c.test", 60);
	owing(t, 1, 80);
	ck_assert_int_eq(write(t->server, "hi", 2), 2);
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_ASK);
	first(t, 1, 0, "");
	go = want(t, &t->stack, MSG_GO);
	ck_assert_uint_eq(go->word, 0);
	ck_assert_int_ne(go->fd, -1);
	name_give(t, WEB, "a.test", 60);
	ask(t, 2, IPPROTO_TCP, WEB, 22);		/* by a.test, whose rule names no port */
	want(t, &t->far, MSG_OPEN);
	grant(t, 2);
	want(t, &t->stack, MSG_OPENED);
	ck_assert_int_eq(write(t->server, "hi", 2), 2);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	ck_assert_int_eq(end(t), 0);
	ck_assert_ptr_nonnull(strstr(t->h.err, "the server speaks first"));
}
END_TEST

/* Where no descriptors pass, the bytes go on as DATA; and what the server says comes as that. */
START_TEST(frames_carry_it_where_descriptors_do_not)
{
	struct first_test *t = start_strict(0);
	struct seen *s;

	name_give(t, WEB, "a.test", 60);
	name_give(t, WEB, "c.test", 60);
	owing(t, 1, 443);
	first(t, 1, 0, GET("a.test"));
	s = want(t, &t->far, MSG_DATA);
	ck_assert_str_eq(s->tail, GET("a.test"));
	s = want(t, &t->stack, MSG_GO);
	ck_assert_uint_eq(s->word, 0);
	ck_assert_int_eq(s->fd, -1);
	chan_send(t->stack.chan, MSG_DATA, 1, NULL, 0, "then", 4, -1);
	ck_assert_str_eq(want(t, &t->far, MSG_DATA)->tail, "then");

	owing(t, 2, 443);
	first(t, 2, 0, GET("evil.test"));
	ck_assert_uint_eq(want(t, &t->far, MSG_RESET)->flow, 2);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	chan_send(t->far.chan, MSG_DATA, 2, NULL, 0, "too late", 8, -1);

	owing(t, 3, 80);
	chan_send(t->far.chan, MSG_DATA, 3, NULL, 0, "banner", 6, -1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_ASK);
	ck_assert_str_eq(want(t, &t->stack, MSG_DATA)->tail, "banner");
	first(t, 3, 0, "");
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, 0);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* What a cf-netstack that has fallen might try; each is the end of the channel. */
static const struct wrong {
	const char	*why;
	bool		 owes;
	size_t		 n;
	struct { uint16_t type; uint32_t flags; const char *text; } frame[3];
} wrong[] = {
	{ "FIRST for a flow that owes none", false, 1, { { MSG_FIRST, 0, "x" } } },
	{ "FIRST for a flow that owes none", true, 2,
	    { { MSG_FIRST, 0, GET("a.test") }, { MSG_FIRST, 0, GET("evil.test") } } },
	{ "FIRST without anything in it", true, 1, { { MSG_FIRST, 0, "" } } },
	{ "FIRST before the last one was answered", true, 2,
	    { { MSG_FIRST, 0, GET("b.test") }, { MSG_FIRST, 0, "x" } } },
	{ "FIRST that is too long", true, 1, { { MSG_FIRST, 0, NULL } } },
	{ "bad FIRST", true, 1, { { MSG_FIRST, 2, "x" } } },
	{ "a frame for a flow that has a descriptor", true, 1, { { MSG_DATA, 0, "x" } } },
};

START_TEST(stack_that_keeps_no_order_is_the_end)
{
	static const char *const elsewhere[] = { "192.0.2.0/24", NULL };
	static char longest[20000];
	const struct wrong *w = &wrong[_i];
	struct first_test *t;
	char said[256];

	memset(longest, 'x', sizeof(longest) - 1);
	/* Where nothing is owed: an address rule, so that the flow is open as ever. */
	t = w->owes ? start_strict(MSG_CAP_FD) :
	    start(MSG_CAP_FD, "block", rules_make(0, RULES_DENY_CIDR, elsewhere));
	name_give(t, WEB, "a.test", 60);
	ask(t, 1, IPPROTO_TCP, WEB, 80);
	want(t, &t->far, MSG_OPEN);
	grant(t, 1);
	ck_assert_uint_eq(want(t, &t->stack, MSG_OPENED)->word, w->owes ? OPENED_FIRST : 0);
	for (size_t i = 0; i < w->n; i++) {
		const char *text = w->frame[i].text == NULL ? longest : w->frame[i].text;

		if (w->frame[i].type == MSG_FIRST)
			first(t, 1, w->frame[i].flags, text);
		else
			chan_send(t->stack.chan, w->frame[i].type, 1, NULL, 0, text, strlen(text), -1);
	}
	chan_flush(t->stack.chan);
	ck_assert_int_eq(WEXITSTATUS(helper_wait(&t->h)), 1);
	snprintf(said, sizeof(said), "cf-netstack sent garbage: %s", w->why);
	ck_assert_msg(strstr(t->h.err, said) != NULL, "%s", t->h.err);
	ck_assert_ptr_null(strstr(got(t), "evil"));
}
END_TEST

START_TEST(payload_in_frames_before_go_is_the_end)
{
	struct first_test *t = start_strict(0);

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	chan_send(t->stack.chan, MSG_DATA, 1, NULL, 0, "x", 1, -1);
	chan_flush(t->stack.chan);
	ck_assert_int_eq(WEXITSTATUS(helper_wait(&t->h)), 1);
	ck_assert_ptr_nonnull(strstr(t->h.err, "payload before GO"));
}
END_TEST

/* A stream that never comes to a name has an end. */
START_TEST(flight_without_end_is_cut)
{
	struct first_test *t = start_strict(MSG_CAP_FD);
	char piece[1001];
	size_t i;

	memset(piece, 'x', 1000);
	piece[1000] = '\0';
	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	first(t, 1, 0, "GET / HTTP/1.1\r\nX: ");
	for (i = 0; i < 20; i++) {
		UNTIL(t, t->stack.next < t->stack.n);
		if (t->stack.seen[t->stack.next++].type == MSG_RESET)
			break;
		first(t, 1, 0, piece);
	}
	ck_assert_uint_eq(i, 17);
	ck_assert_int_eq(end(t), 0);
}
END_TEST

/* Nothing is said, or not to its end: half a minute, and then both flows are over. */
START_TEST(silence_has_an_end)
{
	struct first_test *t = start_strict(MSG_CAP_FD);
	int64_t from = now_ms(), later = from + 20000;

	name_give(t, WEB, "a.test", 60);
	owing(t, 1, 80);
	owing(t, 2, 80);
	first(t, 2, 0, "GET / HT");
	ck_assert_uint_eq(want(t, &t->stack, MSG_GO)->word, GO_MORE);
	UNTIL(t, t->stack.next < t->stack.n || now_ms() > from + PATIENCE_MS - 100);
	UNTIL(t, t->stack.next < t->stack.n || now_ms() > later - 100);
	later += 9000;
	UNTIL(t, t->stack.next < t->stack.n || now_ms() > later - 100);
	ck_assert_uint_eq(t->stack.next, t->stack.n);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	ck_assert_uint_eq(want(t, &t->stack, MSG_RESET)->word, EACCES);
	ck_assert_int_eq(end(t), 0);
	ck_assert_ptr_nonnull(strstr(t->h.err, "it has said nothing for half a minute"));
	ck_assert_ptr_nonnull(strstr(t->h.err, "did not come to its end in time"));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("first");
	Suite *s = suite_create("cf-proxy first flight");
	SRunner *sr = srunner_create(s);
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, bytes_are_written_here_and_then_the_socket_goes_on);
	tcase_add_test(tc, wrong_name_gets_nothing_through);
	tcase_add_test(tc, answer_that_has_expired_counts_no_more);
	tcase_add_loop_test(tc, name_of_another_address_is_dialled_there, 0, 2);
	tcase_add_loop_test(tc, redial_is_judged_and_may_fail, 0, 2);
	tcase_add_test(tc, server_that_speaks_first);
	tcase_add_test(tc, frames_carry_it_where_descriptors_do_not);
	tcase_add_loop_test(tc, stack_that_keeps_no_order_is_the_end, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, payload_in_frames_before_go_is_the_end);
	tcase_add_test(tc, flight_without_end_is_cut);
	tcase_add_test(tc, silence_has_an_end);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
